"""Spreadsheets that people hand in: CSV in the encodings that Excel writes, and XLSX; one row at a time, by column.

A row is known by its line in the file, counted from 1 with the header. Every cell is text, trimmed; a date is written as
2026-11-23, with its time where it has one, a number without needless zeros.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from plugin.errors import RefusedError

ENCODINGS = ("utf-8-sig", "gb18030")  # a file that is not the first is what Chinese Excel writes as 'CSV'
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, and its cells by column; '' is empty. `fault` says why it cannot be read."""

    line: int
    cells: dict[str, str]
    fault: str = ""


@dataclass(frozen=True)
class Sheet:
    """A spreadsheet's columns and rows, and how it was read: 'xlsx', or the encoding of a CSV file."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    read_as: str


def read_sheet(path: Path, required: Sequence[str]) -> Sheet:
    """The first sheet of an XLSX file, or a CSV file. Raises RefusedError for a file that cannot be used as a whole."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RefusedError(f"{path} cannot be read ({error.strerror}); check its name.") from None
    if content[:4] == b"PK\x03\x04":
        records, read_as = _of_workbook(path, content), "xlsx"
    else:
        text, read_as = _decoded(path, content)
        records = _of_csv(path, text)
    line, header = next(records, (1, []))
    columns = [cell.strip() for cell in header]
    missing = [name for name in required if name not in columns]
    if missing:
        raise RefusedError(f"{path.name}, line {line}: there is no column {missing[0]!r}; name it in the first line.")
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise RefusedError(f"{path.name}, line {line}: the column {twice[0]!r} stands there twice; keep one of them.")
    return Sheet(tuple(columns), (_row(line, columns, cells) for line, cells in records), read_as)


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    texts = [cell.strip() for cell in cells]
    fault = ""
    if any(texts[len(columns) :]):
        fault = f"the row has {len(texts)} cells, the header {len(columns)}; quote a cell that contains a comma"
    texts += [""] * (len(columns) - len(texts))
    return Row(line, {name: text for name, text in zip(columns, texts, strict=False) if name}, fault)


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    encodings = (BOMS[content[:2]],) if content[:2] in BOMS else ENCODINGS
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise RefusedError(f"{path.name} is neither UTF-8 nor GB 18030 text; save it as 'CSV UTF-8'.")


def _of_csv(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not an empty line, with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise RefusedError(f"{path.name}, line {reader.line_num or 1}: this is not CSV ({error}).") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _of_workbook(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    except (CalamineError, IndexError, ValueError) as error:
        raise RefusedError(
            f"{path.name} is not a workbook that can be read ({error}); save it as .xlsx anew."
        ) from None
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_text(cell) for cell in cells]
        if any(texts):
            yield line, texts


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{Decimal(repr(cell)).normalize():f}"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep="T")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
