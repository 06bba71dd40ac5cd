"""Importing years of past awards from a spreadsheet: each row is accepted or refused; accepted ones keep their dates.

Columns: employee_number, certification, valid_from; optional valid_until (empty: without an end); others are passed
over. A date alone is its midnight on the organisation's wall clock; valid_until is the first moment at which the award holds no
more. An imported award is a piece of evidence of kind `award`: the chain goes on from it by the rule then in force, and it
is explained, voided and erased as every piece is. The same row again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from connectors.models import Evidence
from metrics.certification import record_refusals as why
from metrics.certification.evidence import IMPORTED
from metrics.certification.models import CertificationRule
from metrics.certification.refusals import NO_CERTIFICATION, NO_EMPLOYEE, RefusedInWordsError
from plugin import people
from plugin.audit import record_act
from plugin.events import lock_people
from plugin.imports import KNOWN, NEW, Outcome, check_row, read_cell
from plugin.models import Person
from plugin.moments import parse_moment
from plugin.spreadsheets import Row, read_sheet
from plugin.store import chunks

COLUMNS = ("employee_number", "certification", "valid_from")
SOURCE = "import"
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Past:
    """One award of the past, and the line on which it stands."""

    line: int
    employee_number: str
    certification: str
    valid_from: datetime
    valid_until: datetime | None

    def in_short(self, zone: ZoneInfo) -> str:
        """What it is, on one line."""
        return f"{self.employee_number}, {self.certification}, {_day(self.valid_from, zone)} – {_day(self.ends, zone)}"

    @property
    def ends(self) -> datetime:
        """When it ends; the last moment there is, where it has no end."""
        return self.valid_until or FOREVER


def import_history(session: Session, path: Path, zone: ZoneInfo, actor: str, now: datetime) -> Outcome:
    """Store the awards in the file; their persons are derived next. Raises RefusedError for a file that cannot be used."""
    outcome = Outcome()
    wanted: list[Past] = []
    for row in read_sheet(path, COLUMNS).rows:
        try:
            wanted.append(_past(row, zone, now))
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
    persons = _persons(session, {past.employee_number for past in wanted})
    lock_people(
        session, sorted(persons.values())
    )  # two files at the same time: the second finds what the first brought
    codes = set(session.scalars(select(CertificationRule.code).distinct()))
    standing = _standing(session, list(persons.values()))
    rows: list[dict[str, Any]] = []
    for past in sorted(wanted, key=lambda past: (past.valid_from, past.line)):
        try:
            person_id = _usable(past, persons, codes, standing, zone)
        except RefusedInWordsError as refused:
            outcome.refuse(past.line, refused)
            continue
        others = standing.setdefault((person_id, past.certification), [])
        if (past.valid_from, past.ends) in others:
            outcome.took(past.line, KNOWN, past.in_short(zone))
            continue
        others.append((past.valid_from, past.ends))
        outcome.took(past.line, NEW, past.in_short(zone))
        rows.append(_evidence(past, person_id, now))
    if rows:
        session.execute(insert(Evidence), rows)
        people.touch(session, {row["person_id"] for row in rows})
    outcome.sort()
    after = {"accepted": outcome.accepted, "known": outcome.known, "refused": len(outcome.refused)}
    record_act(session, actor, "certification.import_history", path.name, now, after=after)
    return outcome


def _past(row: Row, zone: ZoneInfo, now: datetime) -> Past:
    """The award of one row. Raises RefusedInWordsError that says what is wrong."""
    check_row(row, COLUMNS)
    begins = _moment(row, "valid_from", zone)
    ends = _moment(row, "valid_until", zone) if row.cells.get("valid_until") else None
    if begins > now:
        raise RefusedInWordsError(why.TO_COME, column="valid_from")
    if ends is not None and ends <= begins:
        raise RefusedInWordsError(why.NO_LENGTH, column="valid_until")
    return Past(row.line, row.cells["employee_number"], row.cells["certification"], begins, ends)


def _moment(row: Row, column: str, zone: ZoneInfo) -> datetime:
    return read_cell(row, column, why.NOT_A_MOMENT, lambda text: parse_moment(text, zone))


def _usable(
    past: Past,
    persons: Mapping[str, int],
    codes: set[str],
    standing: Mapping[tuple[int, str], Sequence[tuple[datetime, datetime]]],
    zone: ZoneInfo,
) -> int:
    """Whose award it is. Raises RefusedInWordsError for one that cannot be stored."""
    person_id = persons.get(past.employee_number)
    if person_id is None:
        raise RefusedInWordsError(NO_EMPLOYEE, column="employee_number", number=past.employee_number)
    if past.certification not in codes:
        raise RefusedInWordsError(NO_CERTIFICATION, column="certification", code=past.certification)
    for begins, ends in standing.get((person_id, past.certification), ()):
        if (begins, ends) != (past.valid_from, past.ends) and past.valid_from < ends and begins < past.ends:
            said = {"begins": _day(begins, zone), "ends": _day(ends, zone)}
            sentence = why.OVERLAPS if ends != FOREVER else why.OVERLAPS_FOREVER
            raise RefusedInWordsError(sentence, column="valid_from", **said)
    return person_id


def _day(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as people write it: a day, with its time where it is not midnight."""
    if moment == FOREVER:
        return ""
    local = moment.astimezone(zone)
    return str(local.date()) if local.time() == time() else f"{local:%Y-%m-%d %H:%M}"


def _persons(session: Session, numbers: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(sorted(numbers)):
        query = select(Person.employee_number, Person.id)
        rows = session.execute(query.where(Person.employee_number.in_(chunk), Person.erased_at.is_(None)))
        found.update((row.employee_number, row.id) for row in rows)
    return found


def _standing(session: Session, person_ids: list[int]) -> dict[tuple[int, str], list[tuple[datetime, datetime]]]:
    found: dict[tuple[int, str], list[tuple[datetime, datetime]]] = {}
    for ids in chunks(person_ids):
        query = select(Evidence.person_id, Evidence.object, Evidence.achieved_at, Evidence.expires_at).where(
            Evidence.person_id.in_(ids), Evidence.kind == IMPORTED, Evidence.voided_at.is_(None)
        )
        for row in session.execute(query):
            found.setdefault((row.person_id, row.object), []).append((row.achieved_at, row.expires_at or FOREVER))
    return found


def _evidence(past: Past, person_id: int, now: datetime) -> dict[str, Any]:
    return {
        "person_id": person_id,
        "origin": f"{SOURCE}:{past.certification}:{past.valid_from.isoformat()}",
        "source": SOURCE,
        "user_key": "",
        "kind": IMPORTED,
        "object": past.certification,
        "achieved_at": past.valid_from,
        "expires_at": past.valid_until,
        "recorded_at": now,
    }
