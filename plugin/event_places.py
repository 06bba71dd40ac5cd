"""The events in one order, for systems that read them one after another and keep how far they have read.

Ids and moments do not serve: transactions do not end in the order in which they began, so an event could appear behind
what somebody has read already. An event is given its place once it is there for everybody to see, by one transaction after
another, and nothing is ever given a lower place than what was placed before: whoever has read up to a place has read
everything up to it. The events of one person have the order of their sequence.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from plugin.models import Event
from plugin.store import among, chunks, hold

BATCH = 5000
LOCK = "event places"


def waits(session: Session) -> bool:
    """Whether there are events without a place."""
    return session.scalar(select(Event.id).where(Event.position.is_(None)).limit(1)) is not None


def place(session: Session, most: int = BATCH) -> int:
    """Give at least the `most` oldest events that have none their places, in the caller's transaction; how many it were."""
    hold(session, LOCK)
    rows = _oldest(session, most)
    last = session.scalar(select(func.max(Event.position))) or 0
    placed = [{"id": row.id, "position": last + number} for number, row in enumerate(_in_order(rows), start=1)]
    for part in chunks(placed):
        session.execute(update(Event), part)
    return len(placed)


def _oldest(session: Session, most: int) -> Sequence[Any]:
    """The oldest by id, and with them what comes before one of them in its person's sequence: a clock may be put back."""
    columns = select(Event.id, Event.person_id, Event.sequence).where(Event.position.is_(None))
    rows = {row.id: row for row in session.execute(columns.order_by(Event.id).limit(most))}
    upto: dict[int, int] = {}
    for row in rows.values():
        upto[row.person_id] = max(row.sequence, upto.get(row.person_id, 0))
    for part in chunks(upto.items()):
        mine = columns.where(among(session, [Event.person_id], [(person,) for person, _ in part]))
        for row in session.execute(mine):
            if row.sequence <= upto[row.person_id]:
                rows[row.id] = row
    return list(rows.values())


def _in_order(rows: Sequence[Any]) -> list[Any]:
    """By id, which begins with the time; but nothing before what precedes it in its person's sequence."""
    highest: dict[int, str] = {}
    keys = {}
    for row in sorted(rows, key=lambda row: (row.person_id, row.sequence)):
        highest[row.person_id] = max(row.id, highest.get(row.person_id, ""))
        keys[row.id] = highest[row.person_id], row.person_id, row.sequence
    return sorted(rows, key=lambda row: keys[row.id])
