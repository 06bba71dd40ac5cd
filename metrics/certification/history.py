"""Importing years of past awards from a spreadsheet: each row is accepted or refused; accepted ones keep their dates.

Columns: employee_number, certification, valid_from; optional valid_until (empty: without an end); others are passed
over. A date alone is its midnight on the organisation's wall clock; valid_until is the first moment at which the award holds no
more. An imported award is a piece of evidence of kind `award`: the chain goes on from it by the rule then in force, and it
is explained, voided and erased as every piece is. The same row again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from connectors.models import Evidence
from metrics.certification.evidence import IMPORTED
from metrics.certification.models import CertificationRule
from plugin import people
from plugin.audit import record_act
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

    @property
    def ends(self) -> datetime:
        """When it ends; the last moment there is, where it has no end."""
        return self.valid_until or FOREVER


@dataclass
class Outcome:
    """What importing a file did: how many awards are new and known already, and the refused lines with the reason."""

    accepted: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def import_history(session: Session, path: Path, zone: ZoneInfo, actor: str, now: datetime) -> Outcome:
    """Store the awards in the file; their persons are derived next. Raises RefusedError for a file that cannot be used."""
    outcome = Outcome()
    wanted: list[Past] = []
    for row in read_sheet(path, COLUMNS).rows:
        try:
            wanted.append(_past(row, zone, now))
        except ValueError as error:
            outcome.refused.append((row.line, str(error)))
    persons = _persons(session, {past.employee_number for past in wanted})
    codes = set(session.scalars(select(CertificationRule.code).distinct()))
    standing = _standing(session, list(persons.values()))
    rows: list[dict[str, Any]] = []
    for past in sorted(wanted, key=lambda past: (past.valid_from, past.line)):
        person_id = persons.get(past.employee_number)
        reason = _refusal(past, person_id, codes, standing)
        if reason is not None or person_id is None:
            outcome.refused.append((past.line, reason or ""))
            continue
        others = standing.setdefault((person_id, past.certification), [])
        if (past.valid_from, past.ends) in others:
            outcome.known += 1
            continue
        others.append((past.valid_from, past.ends))
        outcome.accepted += 1
        rows.append(_evidence(past, person_id, now))
    if rows:
        session.execute(insert(Evidence), rows)
        people.touch(session, {row["person_id"] for row in rows})
    outcome.refused.sort()
    after = {"accepted": outcome.accepted, "known": outcome.known, "refused": len(outcome.refused)}
    record_act(session, actor, "certification.import_history", path.name, now, after=after)
    return outcome


def _past(row: Row, zone: ZoneInfo, now: datetime) -> Past:
    """The award of one row. Raises ValueError that says what is wrong."""
    if row.fault:
        raise ValueError(row.fault)
    for name in COLUMNS:
        if not row.cells[name]:
            raise ValueError(f"{name} is empty")
    begins = _moment(row, "valid_from", zone)
    ends = _moment(row, "valid_until", zone) if row.cells.get("valid_until") else None
    if begins > now:
        raise ValueError("valid_from lies in the future; only awards that have begun can be imported")
    if ends is not None and ends <= begins:
        raise ValueError("valid_until is not after valid_from")
    return Past(row.line, row.cells["employee_number"], row.cells["certification"], begins, ends)


def _moment(row: Row, column: str, zone: ZoneInfo) -> datetime:
    try:
        return parse_moment(row.cells[column], zone)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _refusal(
    past: Past,
    person_id: int | None,
    codes: set[str],
    standing: Mapping[tuple[int, str], Sequence[tuple[datetime, datetime]]],
) -> str | None:
    if person_id is None:
        return f"there is no employee {past.employee_number!r}"
    if past.certification not in codes:
        return f"there is no certification {past.certification!r}; import its rule first"
    for begins, ends in standing.get((person_id, past.certification), ()):
        if (begins, ends) != (past.valid_from, past.ends) and past.valid_from < ends and begins < past.ends:
            return "it overlaps another imported award of the same person and certification; correct one of the two"
    return None


def _persons(session: Session, numbers: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(sorted(numbers)):
        rows = session.execute(select(Person.employee_number, Person.id).where(Person.employee_number.in_(chunk)))
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
