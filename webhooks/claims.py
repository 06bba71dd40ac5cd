"""Claiming messages: the SQL with which a delivery run takes hold of what is due.

At an endpoint the messages of one person are a line: only its first waiting message may be claimed, and nothing of
the line while something of it is under way. A claim is a lease: a worker that was killed stops holding it when it
runs out, and whoever claims the message next writes the attempt down that nobody knows the end of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, and_, bindparam, exists, false, func, select, true, update
from sqlalchemy.orm import Session, aliased

from plugin.models import Assignment, Department, Event, Person, Position
from plugin.store import chunks, upsert
from webhooks.models import DEAD, DELIVERED, SKIPPED, WAITING_WORD, Attempt, Endpoint, Message
from webhooks.payload import Content
from webhooks.target import LOST

LEASE = timedelta(seconds=45)
LEAST_LOOK = 200  # due messages that a claim looks at, however few are wanted
MOST_LOOKS = 10  # as long as each puts something off

OVERTAKEN = "A newer delivered event of its subject has overtaken it."
NOT_ANSWERED = "The process ended before the outcome was known; the message may have arrived."

_unsynchronised = {"synchronize_session": False}


@dataclass(frozen=True)
class Claimed:
    """A message that this worker holds. `number` is that of the attempt, `turn` the same since the last replay."""

    id: int
    event_id: str
    person_id: int
    sequence: int
    number: int
    turn: int
    content: Content


def claim(
    session: Session,
    endpoint: Endpoint,
    holder: str,
    now: datetime,
    limit: int,
    attempts: int,
    lease: timedelta = LEASE,
) -> list[Claimed]:
    """Claim at most `limit` messages that are due at the endpoint; each is the first of its person's line.

    `attempts` is how many there are before a message is given up.
    """
    rows = _due(session, endpoint, now, limit, backfill=False)
    if len(rows) < limit:  # what lies in the past comes when nothing else is due
        rows += _due(session, endpoint, now, limit - len(rows), backfill=True)
    claimed = _without_overtaken(session, _without_given_up(session, rows, attempts, now), now)
    return _take(session, endpoint, claimed, holder, now, lease)


def _due(session: Session, endpoint: Endpoint, now: datetime, limit: int, *, backfill: bool) -> list[Message]:
    """At most `limit` messages that are due and may go, locked.

    Only so many of those that are due are looked at, so that a claim costs the same however many wait behind others. What
    stands behind a message that became due later is put off until then, so that it never fills the places of what may go.
    What stands behind one that is under way does so for no longer than a lease.
    """
    other = aliased(Message)
    before = exists().where(
        other.endpoint_id == Message.endpoint_id,
        other.person_id == Message.person_id,
        other.state == WAITING_WORD,
        other.id != Message.id,
        (other.sequence < Message.sequence) | (other.leased_until > now),
    )
    takes = exists().where(
        Endpoint.id == endpoint.id,
        Endpoint.disabled_at.is_(None),
        Endpoint.paused_until.is_(None) | (Endpoint.paused_until <= now),
    )
    free = (
        Message.endpoint_id == endpoint.id,
        Message.state == WAITING_WORD,
        Message.backfill == (true() if backfill else false()),
        Message.due_at <= now,
        Message.leased_until.is_(None) | (Message.leased_until <= now),
    )
    look = select(Message.id, Message.person_id, Message.due_at, before.label("blocked")).where(*free, takes)
    for _ in range(MOST_LOOKS):
        seen = session.execute(look.order_by(Message.due_at, Message.sequence).limit(max(limit, LEAST_LOOK))).all()
        may_go = [row.id for row in seen if not row.blocked][:limit]
        if len(may_go) == limit or not _put_off(session, endpoint, [row for row in seen if row.blocked]):
            break
    rows: list[Message] = []
    for part in chunks(may_go):
        # Asked again under the lock. The condition is a column, for which no plan but one look per row can be made.
        chosen = select(Message, before).where(Message.id.in_(part), *free, takes)
        locked = chosen.order_by(Message.due_at, Message.sequence).with_for_update(skip_locked=True, of=Message)
        rows += [message for message, blocked in session.execute(locked) if not blocked]
    return rows


def _put_off(session: Session, endpoint: Endpoint, blocked: Sequence[Any]) -> bool:
    """Put messages off that are due before the first of their person's line, until it is; whether there were any."""
    first = aliased(Message)
    later: dict[int, datetime] = {}
    for part in chunks(sorted({row.person_id for row in blocked})):
        lowest = (
            select(func.min(first.sequence))
            .where(first.endpoint_id == endpoint.id, first.person_id == Message.person_id, first.state == WAITING_WORD)
            .scalar_subquery()
        )
        query = select(Message.person_id, Message.due_at).where(
            Message.endpoint_id == endpoint.id, Message.state == WAITING_WORD, Message.person_id.in_(part),
            Message.sequence == lowest,
        )  # fmt: skip
        later |= dict(session.execute(query).all())
    early = [row for row in blocked if row.due_at < later.get(row.person_id, row.due_at)]
    if early:
        table = Message.__table__
        assert isinstance(table, Table)
        waits = update(table).where(table.c.id == bindparam("message"), table.c.state == WAITING_WORD)
        rows = [{"message": row.id, "due": later[row.person_id]} for row in early]
        session.connection().execute(waits.values(due_at=bindparam("due")), rows)
    return bool(early)


def _take(
    session: Session, endpoint: Endpoint, rows: Sequence[Message], holder: str, now: datetime, lease: timedelta
) -> list[Claimed]:
    """Write down who holds these, and find what they say."""
    for part in chunks([row.id for row in rows]):
        session.execute(
            update(Message)
            .where(Message.id.in_(part))
            .values(holder=holder, leased_until=now + lease, started_at=now, tries=Message.tries + 1),
            execution_options=_unsynchronised,
        )
    contents = _contents(session, rows, with_person=endpoint.full)
    return [
        Claimed(
            row.id, row.event_id, row.person_id, row.sequence, row.tries + 1, row.tries + 1 - row.tries_before,
            contents[row.event_id],
        )
        for row in rows
    ]  # fmt: skip


def _without_given_up(session: Session, rows: Sequence[Message], attempts: int, now: datetime) -> Sequence[Message]:
    """Write down the attempts whose worker has vanished; those that were the last ones are not claimed again."""
    lost = [row for row in rows if row.holder is not None]
    if not lost:
        return rows
    upsert(
        session,
        Attempt,
        [
            {
                "message_id": row.id,
                "number": row.tries,
                "started_at": row.started_at,
                "outcome": LOST,
                "reason": NOT_ANSWERED,
            }
            for row in lost
        ],
        ["message_id", "number"],
    )
    given_up = [row.id for row in lost if row.tries - row.tries_before >= attempts]
    _finish(session, given_up, DEAD, NOT_ANSWERED, now)
    return [row for row in rows if row.id not in given_up]


def _without_overtaken(session: Session, rows: Sequence[Message], now: datetime) -> Sequence[Message]:
    """Skip the replayed messages whose subject has a newer delivered event at this endpoint."""
    overtaken_ids: set[int] = set()
    for part in chunks([row.id for row in rows if row.replayed_at is not None]):
        overtaken_ids.update(session.scalars(select(Message.id).where(Message.id.in_(part), overtaken())))
    if not overtaken_ids:
        return rows
    _finish(session, sorted(overtaken_ids), SKIPPED, OVERTAKEN, now)
    return [row for row in rows if row.id not in overtaken_ids]


def overtaken() -> Any:
    """The condition that a newer event of a message's subject has been delivered to its endpoint."""
    newer = aliased(Message)
    return exists().where(
        newer.endpoint_id == Message.endpoint_id,
        newer.subject == Message.subject,
        newer.sequence > Message.sequence,
        newer.state == DELIVERED,
    )


def _finish(session: Session, ids: Sequence[int], state: str, reason: str, now: datetime) -> None:
    for part in chunks(ids):
        session.execute(
            update(Message)
            .where(Message.id.in_(part))
            .values(state=state, reason=reason, finished_at=now, holder=None, leased_until=None),
            execution_options=_unsynchronised,
        )


def _contents(session: Session, rows: Sequence[Message], *, with_person: bool) -> dict[str, Content]:
    people: dict[int, dict[str, Any]] = {}
    if with_person:
        for part in chunks(sorted({row.person_id for row in rows})):
            people |= _people(session, part)
    found: dict[str, Content] = {}
    for events in chunks([row.event_id for row in rows]):
        query = select(
            Event.id,
            Event.type,
            Event.occurred_at,
            Event.sequence,
            Event.subject,
            Event.backfill,
            Event.data,
            Event.person_id,
        ).where(Event.id.in_(events))
        for event_id, kind, occurred_at, sequence, subject, backfill, data, person_id in session.execute(query):
            person = people.get(person_id)
            found[event_id] = Content(kind, occurred_at, sequence, subject, backfill, data, person)
    return found


def _people(session: Session, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The name, department and position of these persons, as they stand now."""
    standing = and_(Assignment.person_id == Person.id, Assignment.valid_until.is_(None))
    query = (
        select(Person.id, Person.name, Department.name, Position.name)
        .outerjoin(Assignment, standing)
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
        .where(Person.id.in_(ids))
    )
    return {
        person_id: {"name": name, "department": department, "position": position}
        for person_id, name, department, position in session.execute(query)
    }
