"""Tags of people from a file: each row is accepted or refused by line and reason, as `people tag` would.

Columns: employee_number, tag; optional from (empty: today) and until (the first day without it); others are passed over.
"""

from datetime import date, datetime
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from plugin import people, tags
from plugin.errors import RefusedInWordsError
from plugin.imports import KNOWN, NEW, Outcome, check_row, day_of
from plugin.models import PersonTag
from plugin.spreadsheets import Row, read_sheet

REQUIRED = ("employee_number", "tag")


def import_tags(session: Session, path: Path, today: date, actor: str, now: datetime) -> Outcome:
    """Put the tags in the file on people. Raises RefusedInWordsError for a file that cannot be used as a whole."""
    outcome = Outcome()
    concerned: set[int] = set()
    for row in read_sheet(path, REQUIRED).rows:
        try:
            added, is_new = _add(session, row, today, actor, now)
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
            continue
        until = f" – {added.valid_until}" if added.valid_until is not None else ""
        about = f"{row.cells['employee_number']}, {added.tag}, {added.valid_from}{until}"
        outcome.took(row.line, NEW if is_new else KNOWN, about)
        if is_new:
            concerned.add(added.person_id)
    people.touch(session, concerned)
    return outcome


def _add(session: Session, row: Row, today: date, actor: str, now: datetime) -> tuple[PersonTag, bool]:
    """One row's tag, put on; or the one that the person has on just these days already, and that it is not new."""
    check_row(row, REQUIRED)
    number, tag = row.cells["employee_number"], tags.checked(row.cells["tag"])
    begins, ends = day_of(row, "from"), day_of(row, "until")
    same = select(PersonTag).where(
        PersonTag.person_id == tags.person_id_of(session, number),
        PersonTag.tag == tag,
        PersonTag.valid_until.is_(None) if ends is None else PersonTag.valid_until == ends,
        # Without a day it asks that they have it today; a tag that ended is none.
        PersonTag.valid_from <= today if begins is None else PersonTag.valid_from == begins,
        or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > PersonTag.valid_from),
    )
    known = session.scalars(same.limit(1)).first()
    if known is not None:
        return known, False
    return tags.add_tag(session, number, tag, begins or today, ends, actor, now), True
