"""Events: what HR is told. Whoever changes a fact that HR is told appends the event in the same transaction.

Each event takes the next number of its person's sequence while that person's row is locked, so the events of
one person have one order everywhere; it carries the whole state of its subject after the change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from plugin.models import Event, Person
from plugin.store import chunks, insert_rows
from plugin.ulids import ulids

EVENT = ("id", "person_id", "sequence", "type", "subject", "occurred_at", "backfill", "data")


@dataclass(frozen=True)
class EventDraft:
    """An event that is not in the store yet: it lacks its id and its number."""

    person_id: int
    type: str
    subject: str
    data: dict[str, Any]
    backfill: bool = False


def lock_people(session: Session, person_ids: Sequence[int]) -> None:
    """Lock these persons' rows until the transaction ends, always in the same order."""
    for chunk in chunks(sorted(set(person_ids))):
        session.execute(select(Person.id).where(Person.id.in_(chunk)).order_by(Person.id).with_for_update())


def append_events(session: Session, drafts: Sequence[EventDraft], now: datetime) -> None:
    """Store `drafts` in their order, numbered per person, as having come to be at `now`."""
    if not drafts:
        return
    people = sorted({draft.person_id for draft in drafts})
    lock_people(session, people)
    number: dict[int, int] = {}
    for chunk in chunks(people):
        number.update(session.execute(select(Person.id, Person.event_sequence).where(Person.id.in_(chunk))).all())
    rows = []
    for draft, id_ in zip(drafts, ulids(now), strict=False):  # as many ids as there are drafts
        number[draft.person_id] += 1
        sequence, about = number[draft.person_id], (draft.type, draft.subject)
        rows.append((id_, draft.person_id, sequence, *about, now, draft.backfill, draft.data))
    insert_rows(session, Event, EVENT, rows)
    newest = select(func.max(Event.sequence)).where(Event.person_id == Person.id).scalar_subquery()
    for chunk in chunks(people):
        session.execute(
            update(Person).where(Person.id.in_(chunk)).values(event_sequence=newest),
            execution_options={"synchronize_session": False},
        )
