"""Requirements from a file: each row is accepted or refused by line and reason, as `requirement add` would."""

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from metrics.certification.models import Requirement
from metrics.certification.requirement_checks import listed_persons, same_requirement
from metrics.certification.requirement_texts import COLUMNS, read_requirement
from metrics.certification.requirements import add_requirement, in_words, is_for_nobody
from plugin.errors import RefusedError
from plugin.spreadsheets import Row, read_sheet


@dataclass
class Outcome:
    """What importing did: how many rows are new and known already, the refused lines with the reason, and warnings."""

    accepted: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)


def import_requirements(session: Session, path: Path, today: date, actor: str, now: datetime) -> Outcome:
    """Store the requirements in the file. Raises RefusedError for a file that cannot be used as a whole."""
    outcome = Outcome()
    for row in read_sheet(path, COLUMNS[:1]).rows:
        try:
            wanted = _add(session, row, today, actor, now)
        except RefusedError as refused:
            outcome.refused.append((row.line, str(refused)))
            continue
        if wanted is None:
            outcome.known += 1
            continue
        outcome.accepted += 1
        if is_for_nobody(session, wanted, today):
            outcome.warnings.append((row.line, f"nobody is in {in_words(wanted)} today"))
    return outcome


def _add(session: Session, row: Row, today: date, actor: str, now: datetime) -> Requirement | None:
    """Store one row's requirement; None where just this is required already."""
    if row.fault:
        raise RefusedError(row.fault)
    wanted, listed = read_requirement(row.cells, today)
    same = same_requirement(session, wanted, set(listed_persons(session, listed)))
    if same is not None:
        terms = ["ends_on", "due_on", "due_within"] + (["starts_on"] if row.cells.get("starts_on") else [])
        if all(getattr(same, name) == getattr(wanted, name) for name in terms):
            return None
    add_requirement(session, wanted, actor, now, listed)
    return wanted
