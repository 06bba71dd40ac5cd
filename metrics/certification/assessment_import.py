"""Many assessments from a spreadsheet: each row is accepted or refused by its line and the reason.

Columns: employee_number, assessment, achieved_at; optional success, note, issuer, number, expires_at; others are passed
over. A date alone is its midnight on the organisation's wall clock. `success` is true, false, 1, 0 or empty (it does not
say); a file without that column says that all were passed. The same row again changes nothing.
"""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import assessment_entries as entries
from metrics.certification import record_refusals as why
from metrics.certification.acting import By
from metrics.certification.assessment_entries import COLUMNS, HANDED_IN, Entry, Known
from metrics.certification.assessment_models import Assessment
from metrics.certification.refusals import NO_EMPLOYEE, RefusedInWordsError
from plugin.audit import record_act
from plugin.events import lock_people
from plugin.imports import KNOWN, NEW, Outcome, check_row, read_cell
from plugin.models import Person
from plugin.moments import parse_moment
from plugin.spreadsheets import Row, read_sheet
from plugin.store import chunks

REQUIRED = ("employee_number", "assessment", "achieved_at")
SUCCESS = {"true": True, "1": True, "false": False, "0": False, "": None}


def import_assessments(session: Session, path: Path, zone: ZoneInfo, by: By, now: datetime) -> Outcome:
    """Record the entries in the file; their persons are derived next. Raises RefusedError for a file that cannot be used."""
    outcome = Outcome()
    wanted: list[tuple[Row, Entry]] = []
    for row in read_sheet(path, REQUIRED).rows:
        try:
            wanted.append((row, _entry(row, zone)))
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
    persons = _persons(session, {row.cells["employee_number"] for row, _ in wanted})
    lock_people(session, list(persons.values()))
    known = entries.known(session, persons.values())
    new: list[Assessment] = []
    for row, entry in wanted:
        number = row.cells["employee_number"]
        if number not in persons:
            outcome.refuse(row.line, RefusedInWordsError(NO_EMPLOYEE, column="employee_number", number=number))
            continue
        made = entries.made(persons[number], entry, by, now)
        if _says_the_same(known, made):
            outcome.took(row.line, KNOWN, _in_short(row))
            continue
        try:
            entries.check(made, by, known, now)
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
            continue
        known.entries[made.person_id, made.assessment, made.achieved_at] = made
        new.append(made)
        outcome.took(row.line, NEW, _in_short(row))
    entries.record(session, new, now)
    outcome.sort()
    after = {"accepted": outcome.accepted, "known": outcome.known, "refused": len(outcome.refused)}
    record_act(session, by.actor, "assessment.import", path.name, now, after={**by.as_said(), **after})
    return outcome


def _entry(row: Row, zone: ZoneInfo) -> Entry:
    """What one row says. Raises RefusedInWordsError that says what is wrong."""
    check_row(row, REQUIRED)
    success = row.cells.get("success", "true").lower()
    if success not in SUCCESS:
        raise RefusedInWordsError(why.NO_TRUTH, field="success", text=row.cells["success"][:60])
    return Entry(
        assessment=row.cells["assessment"],
        achieved_at=_moment(row, "achieved_at", zone),
        success=SUCCESS[success],
        note=row.cells.get("note", ""),
        expires_at=_moment(row, "expires_at", zone) if row.cells.get("expires_at") else None,
        issuer=row.cells.get("issuer", ""),
        number=row.cells.get("number", ""),
    )


def _moment(row: Row, column: str, zone: ZoneInfo) -> datetime:
    return read_cell(row, column, why.NOT_A_MOMENT, lambda text: parse_moment(text, zone))


def _in_short(row: Row) -> str:
    said = ("employee_number", "assessment", "achieved_at", "success", "issuer")
    return ", ".join(row.cells[name] for name in said if row.cells.get(name))


def _says_the_same(known: Known, made: Assessment) -> bool:
    """Whether an entry that stands, or an earlier row, says just what the row says; files aside."""
    other = known.entries.get((made.person_id, made.assessment, made.achieved_at))
    compared = [name for name in COLUMNS if name != "file_id"]
    if other is None or other.state == HANDED_IN:
        return False
    return all(getattr(other, name) == getattr(made, name) for name in compared)


def _persons(session: Session, numbers: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(sorted(numbers)):
        query = select(Person.employee_number, Person.id).where(
            Person.employee_number.in_(chunk), Person.erased_at.is_(None)
        )
        found.update((number, person_id) for number, person_id in session.execute(query))
    return found
