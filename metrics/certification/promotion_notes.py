"""What is to be said beside the answer to a promotion or pay record: that nothing is required, or what looks like a slip."""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from metrics.certification.models import Promotion, Requirement
from plugin.models import Grade, Person, Position
from plugin.store import chunks

NO_REQUIREMENT = "No certification is required for this."


def notes_on(
    session: Session, records: Sequence[Promotion], needed: Mapping[str, Sequence[str]]
) -> dict[str, str | None]:
    """The note on each record, by its id; None where there is nothing to say."""
    positions = _known(session, {record.to_position for record in records}, (Position.code, Requirement.position_code))
    grades = _known(session, {record.to_grade for record in records}, (Grade.code, Requirement.grade_code))
    leaving: dict[int, date | None] = {}
    for chunk in chunks(sorted({record.person_id for record in records})):
        query = select(Person.id, Person.left_on).where(Person.id.in_(chunk), Person.left_on.is_not(None))
        leaving.update((row.id, row.left_on) for row in session.execute(query))
    found: dict[str, str | None] = {}
    for record in records:
        notes = [] if needed[record.promotion_id] else [NO_REQUIREMENT]
        if record.to_position is None and record.to_grade is None:
            notes.append("The record names neither a position nor a grade to go to.")
        if record.to_position is not None and record.to_position not in positions:
            notes.append(f"There is no position '{record.to_position}' here; check its name.")
        if record.to_grade is not None and record.to_grade not in grades:
            notes.append(f"There is no grade '{record.to_grade}' here; check its name.")
        left_on = leaving.get(record.person_id)
        if left_on is not None and left_on <= record.effective_on:
            notes.append(f"They are with the organisation until {left_on} only.")
        found[record.promotion_id] = " ".join(notes) or None
    return found


def _known(
    session: Session,
    codes: set[str | None],
    columns: Sequence[InstrumentedAttribute[str] | InstrumentedAttribute[str | None]],
) -> set[str]:
    """Those of the codes that stand in one of the columns."""
    found: set[str] = set()
    for chunk in chunks(sorted(code for code in codes if code is not None)):
        for column in columns:
            found.update(code for code in session.scalars(select(column).where(column.in_(chunk))) if code is not None)
    return found
