"""A rule tried on a file of evidence, without a store: what `certbridge certification simulate` answers.

    employee_number,kind,source,object,achieved_at,percent,success,recorded_at,voided_at
    E1001,completed,moodle,CRS-12,2026-01-10,,true,,
    E1001,score,moodle,quiz-12,2026-03-05T09:30:00+08:00,85,,2026-03-05,2026-04-01

Columns may stand in any order; `verb`, `level` and `hours` are optional, others are passed over. A moment without an
offset is the organisation's wall clock, a date alone its midnight. An empty recorded_at is achieved_at, an empty
voided_at is never. A certification row says that the other certification is held from achieved_at until voided_at.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from metrics.certification.chain import Award, Rulebook, derive
from metrics.certification.evidence import Piece
from metrics.certification.rule_refusals import RuleRefused
from metrics.certification.rule_text import parse_rule
from metrics.certification.status import standing
from plugin.errors import RefusedError
from plugin.moments import in_zone_iso, parse_moment

REQUIRED_COLUMNS = (
    "employee_number", "kind", "source", "object", "achieved_at", "percent", "success", "recorded_at", "voided_at",
)  # fmt: skip
OPTIONAL_COLUMNS = ("verb", "level", "hours")
_KINDS = frozenset(
    {
        "completed", "passed", "score", "statement", "badge", "competency", "certification", "hours", "assessed",
        "enrolled",
    }
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_SUCCESS = {"": None, "true": True, "1": True, "false": False, "0": False}


class SimulationRefused(RefusedError):  # noqa: N818 - it says what happened, as `refused` does in the answer
    """The rule or the file of evidence cannot be used: `line` (from 1) and `reason`, one sentence for a person."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class _Row:
    """A record of the file: the line on which it begins, and its cells by column."""

    line: int
    cells: Mapping[str, str]
    fault: str = ""


def simulate(rule_text: str, csv_text: str, as_of_text: str, timezone: str) -> dict[str, Any]:
    """Where everybody in the file stands with the rule as of a moment; the answer can be written as JSON.

    `timezone` is the organisation's, an IANA name. Raises SimulationRefused for a rule or a file that cannot be used,
    ValueError for an unreadable `as_of_text` or an unknown time zone. Rows that cannot be read are left out and listed.
    """
    zone = zone_of(timezone)
    as_of = parse_moment(as_of_text, zone)
    try:
        rule = parse_rule(rule_text)
    except RuleRefused as refused:
        raise SimulationRefused(refused.line, refused.reason) from refused
    people: dict[str, list[Piece]] = {}
    refused_rows = []
    for row in _rows(csv_text):
        try:
            if row.fault:
                raise ValueError(row.fault)
            number, piece = _piece(row, zone)
            people.setdefault(number, []).append(piece)
        except ValueError as error:
            refused_rows.append({"line": row.line, "reason": str(error)})
    book = Rulebook([rule], zone)
    return {
        "code": rule.code,
        "as_of": in_zone_iso(as_of, zone),
        "timezone": timezone,
        "people": {number: _person(book, pieces, as_of) for number, pieces in people.items()},
        "refused_rows": refused_rows,
    }


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError for an unknown one."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{timezone!r} is not a time zone; write an IANA name such as Asia/Shanghai") from None


def _person(book: Rulebook, pieces: list[Piece], as_of: datetime) -> dict[str, Any]:
    awards = derive(book, pieces, as_of)
    now = standing(book, awards, pieces, as_of)
    return {
        "status": now.status.value,
        "achieved_at": _iso(now.achieved_at, book.zone),
        "next_change_at": _iso(now.next_change_at, book.zone),
        "awards": [_award(award, book.zone) for award in awards],
    }


def _award(award: Award, zone: ZoneInfo) -> dict[str, Any]:
    shown = {
        "valid_from": _iso(award.valid_from, zone),
        "valid_until": _iso(award.valid_until, zone),
        "basis": award.basis,
    }
    if award.revoked_at is not None:
        shown["revoked_at"] = _iso(award.revoked_at, zone)
    return shown


def _iso(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else in_zone_iso(moment, zone)


# The file -------------------------------------------------------------------------------------------------------------


def _rows(csv_text: str) -> Iterator[_Row]:
    """The file's records after the header, empty lines passed over. Raises SimulationRefused for the file as a whole."""
    reader = csv.reader(io.StringIO(csv_text.removeprefix("\ufeff"), newline=""))
    records = _records(reader)
    line, header = next(records, (1, []))
    columns = [cell.strip() for cell in header]
    _check_columns(line, columns)
    for line, cells in records:
        texts = [cell.strip() for cell in cells]
        fault = ""
        if any(texts[len(columns) :]):
            fault = f"the row has {len(texts)} cells, the header {len(columns)}; quote a cell that contains a comma"
        missing = [name for name in columns[len(texts) :] if name in REQUIRED_COLUMNS]
        if missing:
            fault = f"the row ends before {missing[0]}; write every column, empty where there is nothing to say"
        yield _Row(line, dict(zip(columns, texts, strict=False)), fault)


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not an empty line with the line on which it begins."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise SimulationRefused(reader.line_num or 1, f"the file is not CSV: {error}") from None
        if cells is None:
            return
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield line, cells


def _check_columns(line: int, columns: list[str]) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise SimulationRefused(line, f"the file has no column {', '.join(missing)}; name it in the first line")
    twice = [name for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS) if columns.count(name) > 1]
    if twice:
        raise SimulationRefused(line, f"the file has the column {twice[0]} more than once; keep one of them")


def _piece(row: _Row, zone: ZoneInfo) -> tuple[str, Piece]:
    """The employee number and the piece of evidence of one row. Raises ValueError with the reason."""
    cells = row.cells
    for name in ("employee_number", "kind", "object", "achieved_at"):
        if not cells[name]:
            raise ValueError(f"{name} is empty")
    if cells["kind"] not in _KINDS:
        raise ValueError(f"kind {cells['kind']!r} is unknown; write one of {', '.join(sorted(_KINDS))}")
    success = cells["success"].lower()
    if success not in _SUCCESS:
        raise ValueError(f"success {cells['success']!r} is unknown; write true, false, 1, 0 or nothing")
    achieved_at = _moment(cells, "achieved_at", zone)
    piece = Piece(
        id=row.line,
        kind=cells["kind"],
        source=cells["source"],
        object=cells["object"],
        achieved_at=achieved_at,
        recorded_at=_moment(cells, "recorded_at", zone) if cells["recorded_at"] else achieved_at,
        voided_at=_moment(cells, "voided_at", zone) if cells["voided_at"] else None,
        percent=_number(cells, "percent"),
        success=_SUCCESS[success],
        verb=cells.get("verb") or None,
        level=_number(cells, "level"),
        hours=_number(cells, "hours"),
    )
    return cells["employee_number"], piece


def _moment(cells: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime:
    try:
        return parse_moment(cells[name], zone)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _number(cells: Mapping[str, str], name: str) -> Decimal | None:
    text = cells.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name} {text!r} is not a number; write one such as 82.5")
    number = Decimal(text)
    if name == "hours" and number < 0:
        raise ValueError(f"hours {text!r} is negative")
    return number
