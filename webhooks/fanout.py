"""Fan-out: each event that nobody has looked at yet becomes one message per endpoint that wants its type.

An event is found by its mark, never by comparing ids or moments: transactions do not end in the order in which they
began. The persons of a batch are locked, as whoever appends events locks them, so that no worker can make a
message of a person's later event before another one has made those of the earlier; persons locked elsewhere are
left for the next batch.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, literal, select, update
from sqlalchemy.orm import Session

from plugin.models import Event, Person
from plugin.store import Store, UtcDateTime, chunks
from webhooks.models import WAITING, Endpoint, Message

BATCH = 1000

COLUMNS = ("endpoint_id", "event_id", "person_id", "sequence", "subject", "state", "due_at")


def fan_out(store: Store, now: datetime, most: int = 100_000) -> int:
    """Make messages of about `most` events at most, a batch per transaction; how many events it were."""
    done = 0
    while done < most:
        with store.write() as session:
            batch = fan_out_batch(session, now)
        if batch == 0:
            break
        done += batch
    return done


def fan_out_batch(session: Session, now: datetime, size: int = BATCH) -> int:
    """Make messages of at most `size` events, due at `now`, in the caller's transaction; how many events it were."""
    waiting = (
        select(Event.id, Event.person_id)
        .where(Event.fanned_out.is_(False))
        .order_by(Event.person_id, Event.sequence)
        .limit(size)
    )
    people = sorted({person_id for _, person_id in session.execute(waiting)})
    mine = _lock(session, people)
    # Asked again under the locks: another worker may have been faster, or more may have been appended.
    events = [
        event_id
        for part in chunks(mine)
        for event_id in session.scalars(
            select(Event.id)
            .where(Event.fanned_out.is_(False), Event.person_id.in_(part))
            .order_by(Event.person_id, Event.sequence)
            .limit(size)
        )
    ]
    endpoints = session.scalars(select(Endpoint).order_by(Endpoint.id)).all()
    for part in chunks(events):
        for endpoint in endpoints:
            _make_messages(session, endpoint, part, now)
        session.execute(
            update(Event).where(Event.id.in_(part)).values(fanned_out=True),
            execution_options={"synchronize_session": False},
        )
    return len(events)


def _lock(session: Session, people: Sequence[int]) -> list[int]:
    """Those of the persons that nobody else has locked, locked."""
    mine: list[int] = []
    for part in chunks(people):
        query = select(Person.id).where(Person.id.in_(part)).order_by(Person.id)
        mine += session.scalars(query.with_for_update(skip_locked=True, key_share=True))
    return mine


def _make_messages(session: Session, endpoint: Endpoint, events: Sequence[str], now: datetime) -> None:
    chosen = select(
        literal(endpoint.id),
        Event.id,
        Event.person_id,
        Event.sequence,
        Event.subject,
        literal(WAITING),
        literal(now, UtcDateTime()),
    ).where(Event.id.in_(events))
    if endpoint.types is not None:
        chosen = chosen.where(Event.type.in_(endpoint.types))
    in_order = chosen.order_by(Event.person_id, Event.sequence)
    session.execute(insert(Message).from_select(list(COLUMNS), in_order))
