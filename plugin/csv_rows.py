"""Reading a CSV data file: the rows of one table, each under an external id. Every refusal names line and column."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Float, Integer, Numeric, String, Table

from plugin.errors import AddonError
from plugin.store import Exact, UtcDateTime

ID, NOUPDATE, REFERENCE = "id", "noupdate", ":id"
NAME = re.compile(r"[\w-]{1,200}")
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Row:
    """One line: its external id within the addon, its values, and the external ids of what it refers to, by column."""

    line: int
    name: str
    noupdate: bool
    values: dict[str, Any]
    references: dict[str, str] = field(default_factory=dict)


class LineRefused(AddonError):  # noqa: N818 - it says what happened
    """A line of a data file cannot be used: `line` (from 1), `column` if one is to blame, and the reason."""

    def __init__(self, line: int, column: str | None, reason: str) -> None:
        super().__init__(f"line {line}{f', column {column}' if column else ''}: {reason}")


def read_rows(text: str, table: Table, closed: frozenset[str] = frozenset()) -> list[Row]:
    """The rows that `text` gives the table; the columns `closed` are encrypted. Raises LineRefused."""
    if "\x00" in text:
        raise LineRefused(text[: text.index("\x00")].count("\n") + 1, None, "holds a NUL character")
    lines = _lines(text)
    header = next(lines, (1, []))[1]
    _check_header(header, table, closed)
    rows: dict[str, Row] = {}
    for line, cells in lines:
        if len(cells) != len(header):
            raise LineRefused(line, None, f"has {len(cells)} cells, the header {len(header)}")
        row = _row(line, dict(zip(header, cells, strict=True)), table)
        if row.name in rows:
            raise LineRefused(line, ID, f"{row.name} stands in line {rows[row.name].line} already")
        rows[row.name] = row
    return list(rows.values())


def key_is_counted(table: Table) -> bool:
    """Whether the database numbers the table's rows by itself."""
    return table.autoincrement_column is not None


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with the number of the first line of each."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise LineRefused(begin, None, f"is not CSV: {error}") from None


def _check_header(header: list[str], table: Table, closed: frozenset[str]) -> None:
    if ID not in header:
        raise LineRefused(1, None, f"lacks the column {ID}, which holds each record's external id")
    if any(not isinstance(key.type, Integer | String) for key in table.primary_key) or (
        ID in table.primary_key and not key_is_counted(table)
    ):
        raise LineRefused(1, ID, f"the key of the table {table.name} is of a kind that data files cannot give")
    for name in header:
        if header.count(name) > 1:
            raise LineRefused(1, name, "stands there twice")
        if name not in (ID, NOUPDATE):
            _check_column(name, table, closed)
    given = {name.removesuffix(REFERENCE) for name in header} - {ID}
    for own in table.columns:
        needed = not own.nullable and own.default is None and own.server_default is None
        if needed and own.name not in given and own is not table.autoincrement_column:
            raise LineRefused(1, None, f"lacks the column {own.name}, which {table.name} needs")


def _check_column(name: str, table: Table, closed: frozenset[str]) -> None:
    own = table.columns.get(name.removesuffix(REFERENCE))
    if own is None:
        raise LineRefused(1, name, f"{table.name} has no such column; it has {', '.join(table.columns.keys())}")
    if own.name in closed:
        raise LineRefused(1, name, "it is kept encrypted; a file cannot hold it")
    target = _target(own)
    if name.endswith(REFERENCE):
        if target is None:
            raise LineRefused(1, name, f"{own.name} refers to no single record; write {own.name}")
    elif target is not None and key_is_counted(target):
        raise LineRefused(1, name, f"numbers differ from store to store; write {own.name}:id and external ids")


def _target(column: Column[Any]) -> Table | None:
    """The table whose rows the column names by their key."""
    for key in column.foreign_keys:
        if list(key.column.table.primary_key) == [key.column]:
            return key.column.table if isinstance(key.column.table, Table) else None
    return None


def target_of(table: Table, column: str) -> str:
    """The name of the table that a reference column refers to."""
    target = _target(table.columns[column])
    assert target is not None  # the header was checked
    return target.name


def _row(line: int, cells: dict[str, str], table: Table) -> Row:
    name = cells.pop(ID)
    if not NAME.fullmatch(name):
        raise LineRefused(line, ID, f"{name!r} is no external id; use letters, digits, _ and -")
    flag = cells.pop(NOUPDATE, "") or "false"
    if flag.lower() not in TRUTHS:
        raise LineRefused(line, NOUPDATE, f"{flag!r} is neither true nor false")
    values, referred = {}, {}
    for header, text in cells.items():
        column = table.columns[header.removesuffix(REFERENCE)]
        try:
            if not text and not column.nullable:
                raise ValueError("must not be empty")
            if header.endswith(REFERENCE) and text:
                referred[column.name] = text
            else:
                values[column.name] = _value(text, column) if text else None
        except ValueError as error:
            raise LineRefused(line, header, str(error)) from None
    return Row(line, name, TRUTHS[flag.lower()], values, referred)


def _value(text: str, column: Column[Any]) -> Any:
    """What `text` means in the column. Raises ValueError with the reason."""
    kind = column.type
    for types, read in READERS:
        if isinstance(kind, types):
            try:
                return read(text, kind)
            except (ValueError, InvalidOperation, RecursionError) as error:
                said = str(error) if type(error) is ValueError and str(error).startswith("is ") else ""
                raise ValueError(f"{text!r} {said or f'is no {MEANT[types]}'}") from None
    raise ValueError(f"a data file cannot fill columns of the kind {type(kind).__name__}")


def _text(text: str, kind: Any) -> str:
    if kind.length is not None and len(text) > kind.length:
        raise ValueError(f"is {len(text)} characters long; there is room for {kind.length}")
    return text


def _whole(text: str, kind: Any) -> int:
    number = int(text)
    bits = 63 if isinstance(kind, BigInteger) else 31
    if not -(2**bits) <= number < 2**bits:
        raise ValueError("is too large a number")
    return number


def _truth(text: str, _kind: Any) -> bool:
    if text.lower() not in TRUTHS:
        raise ValueError("is neither true nor false")
    return TRUTHS[text.lower()]


def _moment(text: str, _kind: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("is a moment without a time zone; write for instance 2026-01-31T08:00:00Z")
    return moment


def _exact(text: str, kind: Any) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or abs(number) >= Decimal(10) ** (kind.precision - kind.scale):
        raise ValueError("is too large a number")
    return number


READERS: tuple[tuple[Any, Any], ...] = (
    (Boolean, _truth),
    (Integer, _whole),
    (UtcDateTime, _moment),
    (Date, lambda text, _kind: date.fromisoformat(text)),
    (Exact, _exact),
    (JSON, lambda text, _kind: json.loads(text)),
    (Float, lambda text, _kind: float(text)),
    (Numeric, lambda text, _kind: Decimal(text)),
    (String, _text),
)
MEANT = {
    Boolean: "truth value",
    Integer: "whole number",
    UtcDateTime: "moment; write for instance 2026-01-31T08:00:00Z",
    Date: "date; write for instance 2026-01-31",
    Exact: "number",
    JSON: "JSON",
    Float: "number",
    Numeric: "number",
    String: "text",
}
