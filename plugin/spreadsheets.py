"""Spreadsheets that people hand in: CSV in the encodings that Excel writes, and XLSX; one row at a time, by column.

A row is known by its line in the file, counted from 1 with the header. Every cell is text, trimmed; a date is written as
2026-11-23, with its time where it has one, a number without needless zeros.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plugin.csv_records import open_csv
from plugin.errors import N_, RefusedInWordsError
from plugin.records_of_files import NO_MARKS, Mark, Record
from plugin.workbooks import Workbook, is_workbook, open_workbook

UNREADABLE = N_("%(file)s cannot be read (%(error)s); check its name.")
NO_COLUMN = N_("%(file)s, line %(line)s: there is no column '%(column_name)s'; name it in the first line.")
COLUMN_TWICE = N_("%(file)s, line %(line)s: the column '%(column_name)s' stands there twice; keep one of them.")
TOO_MANY_CELLS = N_("The row has %(cells)s cells, the header %(columns)s; quote a cell that contains a comma.")

UNCOMPUTED = N_("%(field)s holds a formula whose value is not in the file; put the value itself there.")
FAILED = N_("%(field)s holds '%(text)s', a calculation that failed; put the value there.")
LONG = N_("%(field)s is longer than a spreadsheet's cell can be.")
UNUSABLE = {Mark.UNCOMPUTED: UNCOMPUTED, Mark.ERROR: FAILED, Mark.LONG: LONG}
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # marked as unreadable


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, and its cells by column; '' is empty. `fault` says why it cannot be read."""

    line: int
    cells: dict[str, str]
    fault: RefusedInWordsError | None = None


@dataclass(frozen=True)
class Sheet:
    """A spreadsheet's columns and rows, and how it was read: 'xlsx', or the encoding of a CSV file."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    read_as: str


def read_sheet(path: Path, required: Sequence[str]) -> Sheet:
    """The first sheet of an XLSX file, or a CSV file. Raises RefusedInWordsError for a file that cannot be used as a whole."""
    records, read_as = _opened(path, required)
    first = next(records, Record(1, [], NO_MARKS))
    columns = [cell.strip() for cell in first.cells]
    missing = [name for name in required if name not in columns]
    if missing:
        raise RefusedInWordsError(NO_COLUMN, file=path.name, line=first.line, column_name=missing[0])
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise RefusedInWordsError(COLUMN_TWICE, file=path.name, line=first.line, column_name=twice[0])
    return Sheet(tuple(columns), (_row(columns, record) for record in records if any(record.cells)), read_as)


def _opened(path: Path, required: Sequence[str]) -> tuple[Iterator[Record], str]:
    """The rows that are not empty, and how they are read."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise RefusedInWordsError(UNREADABLE, file=path, error=error.strerror) from None
    if is_workbook(head):
        book = open_workbook(path)
        return _closing(book), "xlsx"
    known = frozenset(required)
    opened = open_csv(path, lambda cells: sum(cell.strip() in known for cell in cells))
    return opened.records(), opened.encoding.name.removesuffix("-sig")


def _closing(book: Workbook) -> Iterator[Record]:
    try:
        yield from book.rows(next(iter(book.sheets)))
    finally:
        book.close()


def _row(columns: Sequence[str], record: Record) -> Row:
    texts = [NO_TEXT.sub("\ufffd", cell).strip() for cell in record.cells]
    fault = record.fault
    for place, mark in record.marks.items():
        if fault is None and place < len(columns) and columns[place] and mark in UNUSABLE:
            fault = RefusedInWordsError(
                UNUSABLE[mark], column=columns[place], field=columns[place], text=texts[place][:60]
            )
        if mark is Mark.TRUTH:
            texts[place] = texts[place].lower()
    if fault is None and any(texts[len(columns) :]):
        fault = RefusedInWordsError(TOO_MANY_CELLS, cells=len(texts), columns=len(columns))
    texts += [""] * (len(columns) - len(texts))
    return Row(record.line, {name: text for name, text in zip(columns, texts, strict=False) if name}, fault)
