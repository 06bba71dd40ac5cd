"""Sending again what a comparison found damaged.

A receiver keeps the highest sequence of a subject, so sending the same message again would be dropped as a duplicate where
its record was spoilt under the same sequence. A repair is therefore an event of its own: the type and the state of the one
that the receiver should hold, under the person's next sequence, marked as backfill so that nobody writes mails about it. It
goes to the damaged endpoint alone.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.events import EventDraft, append_events, lock_people
from plugin.models import Event, Person
from plugin.store import UtcDateTime
from webhooks.models import WAITING, Endpoint, Message
from webhooks.reconcile import DIFFERENT, MISSING, STALE, Difference

MENDED = (MISSING, DIFFERENT, STALE)
# A sequence that the receiver made up is passed by so much at most: a column of ours holds it, and numbers are finite.
FURTHEST = 1_000_000

_unsynchronised = {"synchronize_session": False}


def repair(
    session: Session, endpoint: Endpoint, differences: Sequence[Difference], actor: str, now: datetime
) -> tuple[int, int]:
    """Send the current state of these subjects to the endpoint; how many are sent, and how many cannot be mended from here.

    One about which something newer has come to be since the comparison is neither: it is on its way anyway. At most some
    hundred differences at a time. Whoever does it is written into the audit trail.
    """
    wanted = [one for one in differences if one.kind in MENDED and one.person_id is not None]
    people = sorted({one.person_id for one in wanted if one.person_id is not None})
    if not people:
        return 0, 0
    lock_people(session, people)
    settled = _settled(session, endpoint, wanted, people)
    at = dict(session.execute(select(Person.id, Person.event_sequence).where(Person.id.in_(people))).all())
    going = [one for one in settled if (one.theirs or 0) <= at[one.person_id or 0] + FURTHEST]
    events = _events(session, going)
    going = sorted(
        (one for one in going if one.event_id in events), key=lambda one: (one.person_id or 0, one.ours or 0)
    )
    _pass_by(session, going, at)
    append_events(
        session,
        [
            EventDraft(event.person_id, event.type, event.subject, {**event.data, "backfill": True}, backfill=True)
            for event in (events[one.event_id or ""] for one in going)
        ],
        now,
    )
    if going:
        _address(session, endpoint, sorted({one.person_id for one in going if one.person_id is not None}), now)
        by_kind = {kind: sum(one.kind == kind for one in going) for kind in MENDED}
        record_act(session, actor, "endpoint.reconcile", f"endpoint:{endpoint.name}", now, after={"sent": by_kind})
    return len(going), len(settled) - len(going)


def _settled(
    session: Session, endpoint: Endpoint, wanted: Sequence[Difference], people: Sequence[int]
) -> list[Difference]:
    """Those that nothing has happened to since: no event of the person waits to become a message, none newer went out."""
    moving = set(
        session.scalars(select(Event.person_id).where(Event.person_id.in_(people), Event.fanned_out.is_(False)))
    )
    query = (
        select(Message.subject, func.max(Message.sequence))
        .where(Message.endpoint_id == endpoint.id, Message.subject.in_([one.subject for one in wanted]))
        .group_by(Message.subject)
    )
    newest = dict(session.execute(query).all())
    return [
        one
        for one in wanted
        if one.person_id not in moving and newest.get(one.subject, one.ours or 0) <= (one.ours or 0)
    ]


def _events(session: Session, going: Sequence[Difference]) -> dict[str, Event]:
    """The events by id; one about somebody who was erased since the comparison says nothing any more and is left out."""
    query = select(Event).where(Event.id.in_([one.event_id for one in going]))
    subjects = {one.event_id: one.subject for one in going}
    return {event.id: event for event in session.scalars(query) if event.subject == subjects[event.id]}


def _pass_by(session: Session, going: Sequence[Difference], at: dict[int, int]) -> None:
    """Let the persons' next events have sequences above those that the receiver holds; a gap does no harm."""
    beyond: dict[int, int] = {}
    for one in going:
        if one.person_id is not None and (one.theirs or 0) > at[one.person_id]:
            beyond[one.person_id] = max(beyond.get(one.person_id, 0), one.theirs or 0)
    for person_id, sequence in beyond.items():  # made-up sequences are few
        session.execute(
            update(Person).where(Person.id == person_id).values(event_sequence=sequence),
            execution_options=_unsynchronised,
        )


def _address(session: Session, endpoint: Endpoint, people: Sequence[int], now: datetime) -> None:
    """Make messages to this endpoint alone of the events just appended, the only ones of these persons without."""
    new = [Event.person_id.in_(people), Event.fanned_out.is_(False)]
    columns = ["endpoint_id", "event_id", "person_id", "sequence", "subject", "state", "due_at"]
    rows = (
        select(
            literal(endpoint.id), Event.id, Event.person_id, Event.sequence, Event.subject, literal(WAITING),
            literal(now, UtcDateTime()),
        )
        .where(*new)
        .order_by(Event.person_id, Event.sequence)
    )  # fmt: skip
    session.execute(insert(Message).from_select(columns, rows))
    session.execute(update(Event).where(*new).values(fanned_out=True), execution_options=_unsynchronised)
