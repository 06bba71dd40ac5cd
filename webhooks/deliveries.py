"""Looking at messages and their attempts, and sending them again.

A replay starts a message's schedule anew. What a newer delivered event of the subject has overtaken is left out: it
would only tell HR what is no longer so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import N_, NotFoundError, RefusedError, RefusedInWordsError
from plugin.models import Event, Person
from plugin.store import chunks
from webhooks.claims import OVERTAKEN, overtaken
from webhooks.endpoints import find
from webhooks.models import DEAD, DELIVERED, SKIPPED, STATES, WAITING, Attempt, Endpoint, Message
from webhooks.privacy import ERASED

NO_RANGE = N_("The range ends before it begins; exchange the two.")

_unsynchronised = {"synchronize_session": False}


@dataclass(frozen=True)
class Delivery:
    """A message with what a reader wants to know beside it."""

    message: Message
    endpoint: str
    type: str
    employee_number: str

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        message = self.message
        return {
            "id": message.id,
            "event_id": message.event_id,
            "endpoint": self.endpoint,
            "type": self.type,
            "employee_number": self.employee_number,
            "subject": message.subject,
            "sequence": message.sequence,
            "state": message.state,
            "tries": message.tries,
            "due_at": _text(message.due_at) if message.state == WAITING else None,
            "finished_at": _text(message.finished_at),
            "reason": message.reason,
        }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


@dataclass(frozen=True)
class Chosen:
    """Which messages somebody looks at: in a state, of an endpoint, about the person with an employee number."""

    state: str | None = None
    endpoint: str | None = None
    person: str | None = None


def listing(
    session: Session,
    *,
    state: str | None = None,
    endpoint: str | None = None,
    person: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[Delivery]:
    """Messages, the newest first. Raises RefusedError for an unknown state, NotFoundError for an unknown endpoint."""
    query = _joined().where(*_conditions(session, Chosen(state, endpoint, person)))
    return [Delivery(*row) for row in session.execute(query.order_by(Message.id.desc()).offset(offset).limit(limit))]


def total(session: Session, *, state: str | None = None, endpoint: str | None = None, person: str | None = None) -> int:
    """How many messages `listing` would go through."""
    query = select(func.count()).select_from(Message).where(*_conditions(session, Chosen(state, endpoint, person)))
    return session.scalar(query) or 0


def _conditions(session: Session, chosen: Chosen) -> list[ColumnElement[bool]]:
    conditions = []
    if chosen.state is not None:
        if chosen.state not in STATES:
            raise RefusedError(f"There is no state {chosen.state!r}; the states are {', '.join(STATES)}.")
        conditions.append(Message.state == chosen.state)
    if chosen.endpoint is not None:
        conditions.append(Message.endpoint_id == find(session, chosen.endpoint).id)
    if chosen.person is not None:
        theirs = select(Person.id).where(Person.employee_number == chosen.person)
        conditions.append(Message.person_id.in_(theirs))
    return conditions


def _joined() -> Select[Message, str, str, str]:
    return (
        select(Message, Endpoint.name, Event.type, Person.employee_number)
        .join(Endpoint, Endpoint.id == Message.endpoint_id)
        .join(Event, Event.id == Message.event_id)
        .join(Person, Person.id == Message.person_id)
    )


def one(session: Session, message_id: int) -> tuple[Delivery, Sequence[Attempt]]:
    """A message and its attempts, the first one first. Raises NotFoundError."""
    row = session.execute(_joined().where(Message.id == message_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no message {message_id}; 'certbridge deliveries list' shows those there are.")
    attempts = session.scalars(select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number))
    return Delivery(*row), attempts.all()


def counts(session: Session) -> dict[str, int]:
    """How many messages there are in each state, all states named."""
    found = dict(session.execute(select(Message.state, func.count()).group_by(Message.state)).all())
    return {state: found.get(state, 0) for state in STATES}


def retry(session: Session, message_id: int, actor: str, now: datetime) -> None:
    """Send one message again now: one that waits for its next attempt, was given up, or was delivered.

    Raises NotFoundError; RefusedError when it is being sent, or a newer delivered event has overtaken it.
    """
    message = session.scalars(select(Message).where(Message.id == message_id).with_for_update()).one_or_none()
    if message is None:
        raise NotFoundError(f"There is no message {message_id}; 'certbridge deliveries list' shows those there are.")
    if message.reason == ERASED or not message.subject:
        raise RefusedError(
            f"Message {message_id} is not sent again: whom it was about has been erased, and nothing is left of what it said."
        )
    if message.leased_until is not None and message.leased_until > now:
        raise RefusedError(f"Message {message_id} is being sent right now; wait a minute and look again.")
    if session.scalar(select(Message.id).where(Message.id == message_id, overtaken())) is not None:
        raise RefusedError(f"Message {message_id} is not sent again. {OVERTAKEN}")
    before = {"state": message.state, "tries": message.tries}
    if message.state == WAITING:
        message.due_at = now
    else:
        _again(session, [message_id], now)
    record_act(session, actor, "delivery.retry", f"message:{message_id}", now, before=before)


@dataclass(frozen=True)
class Range:
    """Which messages to send again: those that ended since and before a moment, those with ids from `first` to `last`.

    What is None bounds nothing. Without `delivered` only what was given up is meant, with it what arrived as well.
    """

    endpoint: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    first: int | None = None
    last: int | None = None
    delivered: bool = False


@dataclass(frozen=True)
class Replayed:
    """What a replay did, in messages."""

    again: int
    left_out: int


def replay(
    session: Session, actor: str, now: datetime, *, endpoint: str | None = None, since: datetime | None = None
) -> Replayed:
    """Send again what was given up (of one endpoint; since a moment); see `replay_range`."""
    return replay_range(session, Range(endpoint=endpoint, since=since), actor, now)


def replay_range(session: Session, chosen: Range, actor: str, now: datetime) -> Replayed:
    """Send the messages of the range again, leaving out what has been overtaken and what is about somebody erased.

    Of what is left out, what was given up is skipped now; what was delivered stays so. Raises NotFoundError for an unknown
    endpoint, RefusedError for a range that ends before it begins.
    """
    conditions = _in_range(session, chosen)
    states = [DEAD, DELIVERED] if chosen.delivered else [DEAD]
    of_these = [Message.state.in_(states), *conditions]
    passed_by = session.scalar(select(func.count()).select_from(Message).where(*of_these, overtaken())) or 0
    session.execute(
        update(Message)
        .where(Message.state == DEAD, *conditions, overtaken())
        .values(state=SKIPPED, reason=OVERTAKEN, finished_at=now),
        execution_options=_unsynchronised,
    )
    # Chosen before anything is changed: what waits again overtakes nothing.
    again = list(session.scalars(select(Message.id).where(*of_these, ~overtaken())))
    for part in chunks(again):
        _again(session, part, now)
    done = Replayed(len(again), passed_by)
    after = {
        "again": done.again,
        "left_out": done.left_out,
        "since": _text(chosen.since),
        "until": _text(chosen.until),
        "first": chosen.first,
        "last": chosen.last,
        "delivered": chosen.delivered,
    }
    kept = {name: value for name, value in after.items() if value not in (None, False) or name == "since"}
    record_act(session, actor, "delivery.replay", f"endpoint:{chosen.endpoint or '*'}", now, after=kept)
    return done


def _in_range(session: Session, chosen: Range) -> list[ColumnElement[bool]]:
    for begin, end in ((chosen.since, chosen.until), (chosen.first, chosen.last)):
        if begin is not None and end is not None and begin > end:  # type: ignore[operator]  # both of one kind
            raise RefusedInWordsError(NO_RANGE)
    # Nothing is left of what was said about an erased person.
    conditions = [Message.subject != "", or_(Message.reason.is_(None), Message.reason != ERASED)]
    if chosen.endpoint is not None:
        conditions.append(Message.endpoint_id == find(session, chosen.endpoint).id)
    if chosen.since is not None:
        conditions.append(Message.finished_at >= chosen.since)
    if chosen.until is not None:
        conditions.append(Message.finished_at < chosen.until)
    if chosen.first is not None:
        conditions.append(Message.id >= chosen.first)
    if chosen.last is not None:
        conditions.append(Message.id <= chosen.last)
    return conditions


def _again(session: Session, ids: Sequence[int], now: datetime) -> None:
    session.execute(update(Message).where(Message.id.in_(ids)).values(_anew(now)), execution_options=_unsynchronised)


def _anew(now: datetime) -> dict[str, Any]:
    return {
        "state": WAITING,
        "due_at": now,
        "tries_before": Message.tries,
        "replayed_at": now,
        "finished_at": None,
        "holder": None,
        "leased_until": None,
        "reason": None,
    }
