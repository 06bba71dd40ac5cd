"""Working on what HR has sent: event by event in the order in which they came, each in a transaction of its own.

One works at a time. What cannot be applied is held with the reason and stops nobody else; it is tried again by hand, and by
itself once something else about the same person or record has been applied.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connectors import doors
from metrics import promotion_acts
from plugin.alerts import Trouble
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.findings import WARNING, Finding
from plugin.installation import Installation
from plugin.models import Person
from plugin.store import hold
from webhooks.inbound_apply import apply
from webhooks.inbound_models import DISCARDED, DONE, HELD, RECEIVED, InboundEvent
from webhooks.inbound_types import Closed, read

log = logging.getLogger(__name__)

LOCK = "inbound_events"
PAGE, NEEDS = "/deliveries", "deliveries.see"
AT_A_TIME = 500
TRIES = 5  # when it is not the event's fault
ERASED = "What it said has been erased."


@dataclass
class Tally:
    """What became of the events that were worked on."""

    done: int = 0
    held: int = 0
    failed: int = 0


def work(home: Installation) -> Tally:
    """Work on everything that waits and is due, oldest first."""
    tally = Tally()
    with home.store.read() as session:
        is_held = session.scalar(select(InboundEvent.id).where(InboundEvent.state == HELD).limit(1)) is not None
    if is_held:
        with home.store.write() as session:
            _look_again_at_new_people(session)
    last, skipped = 0, set[str]()
    while True:
        today = home.clock().astimezone(home.settings.organisation.zone).date()
        due = or_(InboundEvent.due_on.is_(None), InboundEvent.due_on <= today)
        with home.store.read() as session:
            query = select(InboundEvent.id, InboundEvent.subject, InboundEvent.employee_number)
            waiting = query.where(InboundEvent.state == RECEIVED, due, InboundEvent.id > last)
            rows = session.execute(waiting.order_by(InboundEvent.id).limit(AT_A_TIME)).all()
        if not rows:
            return tally
        for id_, subject, number in rows:
            last = id_
            lines = {subject, f"person:{number}"} if number is not None else {subject}
            if lines & skipped:
                continue  # something of the same went wrong just now, and comes first
            if not _one(home, id_, tally):
                skipped |= lines


def _one(home: Installation, id_: int, tally: Tally) -> bool:
    """Work on one event; False when it still waits."""
    touched = False
    try:
        with home.store.write() as session:
            hold(session, LOCK)
            event = session.get(InboundEvent, id_, with_for_update=True)
            if event is None or event.state != RECEIVED:
                return True
            event.tries += 1
            event.worked_at = home.clock()
            try:
                with session.begin_nested():
                    event.reason = _applied(home, session, event)
                    session.flush()
                event.state = DONE
                touched = True
                tally.done += 1
                _look_again(session, event)
            except RefusedError as error:
                event.state, event.reason = HELD, str(error)
                tally.held += 1
    except Exception as error:
        if not isinstance(error, SQLAlchemyError):
            log.exception("The inbound event %d could not be worked on", id_)
        else:
            log.warning("The inbound event %d could not be worked on: %s", id_, type(error).__name__)
        tally.failed += 1
        return _failed(home, id_, type(error).__name__)
    if touched:
        home.wake("people_touched")
    return True


def _applied(home: Installation, session: Session, event: InboundEvent) -> str:
    if not event.body:
        raise RefusedError(ERASED)
    data = read(json.loads(event.body)).data
    now: datetime = home.clock().astimezone(home.settings.organisation.zone)
    if isinstance(data, Closed):
        promotion_acts.close_in(session, home, data.promotion_id, f"inbound {event.sender}")
        return "closed"
    return apply(home, session, event, data, now)


def _failed(home: Installation, id_: int, kind: str) -> bool:
    """Count a try that failed by no fault of the event; after some of them it is held. False while it still waits."""
    with home.store.write() as session:
        event = session.get_one(InboundEvent, id_, with_for_update=True)
        event.tries += 1
        event.reason = f"Something went wrong here ({kind}); the log has more."
        if event.tries >= TRIES:
            event.state, event.worked_at = HELD, home.clock()
        return event.state != RECEIVED


def _look_again(session: Session, event: InboundEvent) -> None:
    """Let what is held about the same person or record wait again: what it lacked may be there now."""
    same = [InboundEvent.subject == event.subject]
    if event.employee_number is not None:
        same.append(InboundEvent.employee_number == event.employee_number)
    session.execute(
        update(InboundEvent)
        .where(InboundEvent.state == HELD, InboundEvent.id != event.id, or_(*same), InboundEvent.body != "")
        .values(state=RECEIVED),
        execution_options={"synchronize_session": False},
    )


def _look_again_at_new_people(session: Session) -> None:
    """Let what is held about somebody wait again who has become known, or was changed, since it was looked at."""
    changed = select(Person.id).where(
        Person.employee_number == InboundEvent.employee_number, Person.changed_at > InboundEvent.worked_at
    )
    held = select(InboundEvent.id).where(InboundEvent.state == HELD, InboundEvent.body != "", changed.exists())
    session.execute(
        update(InboundEvent).where(InboundEvent.id.in_(held)).values(state=RECEIVED),
        execution_options={"synchronize_session": False},
    )


def troubles(home: Installation) -> Iterator[Trouble]:
    """Senders whose events are refused without end, and those of whose events some are held, for the alerts."""
    yield from doors.troubles((doors.INBOUND,))(home)
    with home.store.read() as session:
        held = session.execute(
            select(InboundEvent.sender, func.count(), func.min(InboundEvent.received_at))
            .where(InboundEvent.state == HELD)
            .group_by(InboundEvent.sender)
            .order_by(InboundEvent.sender)
        ).all()
    for sender, count, since in held:
        assert since is not None
        reason = "Events could not be applied; 'certbridge inbound list' says why of each"
        yield Trouble("held", sender, reason, since, PAGE, NEEDS, count)


def findings(home: Installation) -> Iterator[Finding]:
    """What doctor says of what HR sends."""
    yield from doors.findings(home, (doors.INBOUND,))
    for trouble in troubles(home):
        if trouble.kind == "held":
            yield Finding(
                WARNING,
                "inbound",
                trouble.name,
                f"{trouble.count} of its events could not be applied",
                "what they say is not known here",
                "Run: certbridge inbound list",
            )


def retry(session: Session, ids: list[int] | None, actor: str, now: datetime) -> list[int]:
    """Let held events wait again, all or those under `ids`; which they were. Raises NotFoundError."""
    query = select(InboundEvent).where(InboundEvent.state == HELD).order_by(InboundEvent.id)
    found = session.scalars(query if ids is None else query.where(InboundEvent.id.in_(ids))).all()
    missing = sorted(set(ids or []) - {event.id for event in found})
    if missing:
        raise NotFoundError(f"No event is held under {missing[0]}; 'certbridge inbound list' shows those that are.")
    for event in found:
        event.state, event.tries = RECEIVED, 0
        _act(session, event, "inbound.retry", actor, now, None)
    return [event.id for event in found]


def discard(session: Session, id_: int, reason: str, actor: str, now: datetime) -> None:
    """Take a held event out for good. Raises NotFoundError, RefusedError without a reason."""
    if not reason.strip():
        raise RefusedError("Say why the event is discarded: the reason stands in the audit trail.")
    event = session.get(InboundEvent, id_, with_for_update=True)
    if event is None or event.state not in (HELD, RECEIVED):
        raise NotFoundError(f"No event waits or is held under {id_}; 'certbridge inbound list' shows those that do.")
    event.state, event.worked_at = DISCARDED, now
    _act(session, event, "inbound.discard", actor, now, reason.strip())


def _act(session: Session, event: InboundEvent, action: str, actor: str, now: datetime, reason: str | None) -> None:
    after = {"type": event.type, "event": event.message_id}
    record_act(session, actor, action, f"inbound:{event.sender}:{event.id}", now, reason=reason, after=after)
