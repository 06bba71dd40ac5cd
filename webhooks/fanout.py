"""Fan-out: each event that nobody has looked at yet becomes one message per endpoint that wants its type.

An event is found by its mark, never by comparing ids or moments: transactions do not end in the order in which they
began. The persons of a batch are locked, as whoever appends events locks them, so that no worker can make a
message of a person's later event before another one has made those of the earlier; persons locked elsewhere are
left for the next batch.

What is news goes before what lies in the past: persons about whom there is news come first, with all that waits about them,
and their messages are not sent after everybody else's past (`Message.backfill`).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, TextClause, insert, literal, select, text, true, update
from sqlalchemy.orm import Session

from plugin.models import Event, Person
from plugin.store import Store, UtcDateTime, chunks
from webhooks.endpoints import SKIP
from webhooks.models import WAITING, WAITING_WORD, Endpoint, Message

BATCH = 1000

COLUMNS = ("endpoint_id", "event_id", "person_id", "sequence", "subject", "state", "backfill", "due_at")
NEWS = text("NOT fanned_out AND NOT backfill")  # the words of the index that finds it


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
    mine = _lock(session, _people(session, NEWS, size)) or _lock(session, _people(session, _WAITING, size))
    # Asked again under the locks: another worker may have been faster, or more may have been appended.
    events = [
        row
        for part in chunks(mine)
        for row in session.execute(
            select(Event.id, Event.person_id, Event.backfill)
            .where(Event.fanned_out.is_(False), Event.person_id.in_(part))
            .order_by(Event.person_id, Event.sequence)
            .limit(size)
        )
    ]
    in_the_news = {row.person_id for row in events if not row.backfill}
    endpoints = session.scalars(select(Endpoint).order_by(Endpoint.id)).all()
    for rows in chunks(events):
        part = [row.id for row in rows]
        news = sorted({row.person_id for row in rows} & in_the_news)
        for endpoint in endpoints:
            _make_messages(session, endpoint, part, news, now)
        session.execute(
            update(Event).where(Event.id.in_(part)).values(fanned_out=True),
            execution_options={"synchronize_session": False},
        )
    _hurry(session, sorted(in_the_news))
    return len(events)


_WAITING = text("NOT fanned_out")  # "IS FALSE" would not find the index


def _people(session: Session, condition: ColumnElement[bool] | TextClause, size: int) -> list[int]:
    """Whom the first `size` events of these are about."""
    waiting = select(Event.person_id).where(condition).order_by(Event.person_id, Event.sequence).limit(size)
    return sorted(set(session.scalars(waiting)))


def _hurry(session: Session, people: Sequence[int]) -> None:
    """Let what lies in the past of these persons, and waits, wait no longer for everybody else's: news is behind it."""
    for part in chunks(people):
        waiting = (
            select(Message.id)
            .where(Message.person_id.in_(part), Message.state == WAITING_WORD, Message.backfill == true())
            .order_by(Message.id)
            .with_for_update(skip_locked=True)  # what is locked is being claimed: it goes now
        )
        for ids in chunks(session.scalars(waiting)):
            session.execute(
                update(Message).where(Message.id.in_(ids)).values(backfill=False),
                execution_options={"synchronize_session": False},
            )


def _lock(session: Session, people: Sequence[int]) -> list[int]:
    """Those of the persons that nobody else has locked, locked."""
    mine: list[int] = []
    for part in chunks(people):
        query = select(Person.id).where(Person.id.in_(part)).order_by(Person.id)
        mine += session.scalars(query.with_for_update(skip_locked=True, key_share=True))
    return mine


def _make_messages(
    session: Session, endpoint: Endpoint, events: Sequence[str], in_the_news: Sequence[int], now: datetime
) -> None:
    chosen = select(
        literal(endpoint.id),
        Event.id,
        Event.person_id,
        Event.sequence,
        Event.subject,
        literal(WAITING),
        Event.backfill & Event.person_id.not_in(in_the_news),
        literal(now, UtcDateTime()),
    ).where(Event.id.in_(events))
    if endpoint.types is not None:
        chosen = chosen.where(Event.type.in_(endpoint.types))
    if endpoint.backfill == SKIP:
        chosen = chosen.where(Event.backfill.is_(False))
    in_order = chosen.order_by(Event.person_id, Event.sequence)
    session.execute(insert(Message).from_select(list(COLUMNS), in_order))
