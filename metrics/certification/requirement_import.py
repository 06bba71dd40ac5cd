"""Requirements from a file: each row is accepted or refused by line and reason, as `requirement add` would."""

from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from metrics.certification import record_refusals as why
from metrics.certification.models import Requirement
from metrics.certification.refusals import RefusedInWordsError
from metrics.certification.requirement_checks import listed_persons, same_requirement
from metrics.certification.requirement_texts import COLUMNS, read_requirement
from metrics.certification.requirements import add_requirement, is_for_nobody
from plugin.imports import KNOWN, NEW, Outcome, check_row
from plugin.spreadsheets import Row, read_sheet

POPULATIONS = ("position", "grade", "department", "tag", "people")


def import_requirements(session: Session, path: Path, today: date, actor: str, now: datetime) -> Outcome:
    """Store the requirements in the file. Raises RefusedError for a file that cannot be used as a whole."""
    outcome = Outcome()
    for row in read_sheet(path, COLUMNS[:1]).rows:
        try:
            wanted, is_new = _add(session, row, today, actor, now)
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
            continue
        about = ", ".join(row.cells[name] for name in COLUMNS if row.cells.get(name))
        outcome.took(row.line, NEW if is_new else KNOWN, about)
        if is_new and is_for_nobody(session, wanted, today):
            outcome.warn(row.line, RefusedInWordsError(why.NOBODY_THERE, whom=_whom(row)))
    return outcome


def _whom(row: Row) -> str:
    """The population as the row names it."""
    return next((row.cells[name] for name in POPULATIONS if row.cells.get(name)), "")


def _add(session: Session, row: Row, today: date, actor: str, now: datetime) -> tuple[Requirement, bool]:
    """One row's requirement, stored; or the one that asks just this already, and that it is not new."""
    check_row(row, ())
    wanted, listed = read_requirement(row.cells, today)
    same = same_requirement(session, wanted, set(listed_persons(session, listed)))
    if same is not None:
        terms = ["ends_on", "due_on", "due_within"] + (["starts_on"] if row.cells.get("starts_on") else [])
        if all(getattr(same, name) == getattr(wanted, name) for name in terms):
            return same, False
    add_requirement(session, wanted, actor, now, listed)
    return wanted, True
