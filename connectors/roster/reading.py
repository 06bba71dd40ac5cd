"""A file read once from its beginning to its end, and looked at as a whole before any of its rows is used.

The rows wait in an unnamed temporary file, so that memory grows with the employee numbers only; what concerns more than
one row (numbers that stand twice, circles of managers, merged cells) is found when the last of them is known.
"""

import hashlib
import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from connectors.roster import cells
from connectors.roster.cells import NOTHINGS, NotUsableError, Said, Ways
from connectors.roster.fields import NUMBER, Kind, folded, known_headers
from connectors.roster.settings import RosterSettings
from plugin.csv_records import UNREADABLE, open_csv
from plugin.errors import N_, RefusedInWordsError
from plugin.records_of_files import Record
from plugin.workbooks import Merged, Workbook, column_letters, is_workbook, open_workbook

LOOK = 30  # rows in which the header is looked for, for many lists have a title above it
MOST_NOTES = 1_000
MOST_PLAIN = 20_000  # texts of a column that are remembered as usable

EMPTY_FILE = N_("%(file)s is empty; export the list again.")
NO_HEADER = N_("%(file)s has no column for '%(field)s' in its first rows. It may be called: %(names)s.")
NO_HEADER_IN = N_(
    "No sheet of %(file)s has a column for '%(field)s'. The sheets are %(sheets)s; the column may be called: %(names)s."
)
TWICE = N_(
    "%(file)s has two columns for '%(field)s': %(one)s and %(other)s. Keep one of them, or take its name out of the settings."
)
TOO_BIG = N_("%(file)s has %(size)s MiB; at most %(most)s are read (largest_mb).")
ONLY_HEADER = N_("%(file)s has a header and no rows.")
TOO_MANY_CELLS = N_(
    "The row has %(cells)s cells, the header %(columns)s; put a cell that holds the delimiter into quotation marks."
)
EMPTY = cells.EMPTY


@dataclass(frozen=True)
class Fault:
    """Why a row is refused: the field, "" for the whole row, and the sentence with its values."""

    field: str
    sentence: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        """In English."""
        return self.sentence % self.values


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the line it begins on, what it says by field, and why it is refused, if it is."""

    line: int
    said: dict[str, str]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Note:
    """Something to know about a row that is used all the same."""

    line: int
    field: str
    sentence: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        """In English."""
        return self.sentence % self.values


@dataclass
class Reading:
    """What a file says. `columns` are the header's names by field, `letters` what a spreadsheet calls these columns."""

    path: Path
    kind: Kind
    called: str = ""
    read_as: str = ""
    sheet: str = ""
    header_line: int = 1
    columns: dict[str, str] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    digest: str = ""
    rows: int = 0
    notes: list[Note] = field(default_factory=list)
    more_notes: int = 0
    merged: list[Merged] = field(default_factory=list)
    faults: dict[int, list[Fault]] = field(default_factory=dict)  # by line, found in the file as a whole
    refused: dict[int, tuple[str, frozenset[str]]] = field(default_factory=dict)  # line -> number, all texts
    spool: IO[bytes] | None = None

    def lines(self, start: int = 0) -> Iterator[Line]:
        """The rows, from the `start`-th on."""
        assert self.spool is not None
        self.spool.seek(0)
        names = tuple(self.columns)
        for line, texts, faults in islice(_unspooled(self.spool), start, None):
            said = dict(zip(names, texts, strict=True))
            found = [Fault(*fault) for fault in faults] if faults else []
            if line in self.faults:
                found += self.faults[line]
            yield Line(line, said, tuple(found))

    def place(self, field_name: str) -> str:
        """The column of a field as people find it: 'column H (joined)', '' for none."""
        if field_name not in self.columns:
            return ""
        letter = self.letters.get(field_name)
        return f"column {letter} ({self.columns[field_name]})" if letter else f"column {self.columns[field_name]}"

    def fault(self, line: int, field_name: str, sentence: str, **values: str) -> None:
        """Refuse a row for something that only the whole file shows."""
        self.faults.setdefault(line, []).append(Fault(field_name, sentence, values))

    def note(self, line: int, field_name: str, said: Said) -> None:
        """Note something about a row that is used all the same."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Note(line, field_name, *said))
        else:
            self.more_notes += 1

    def close(self) -> None:
        """Let the rows go."""
        if self.spool is not None:
            self.spool.close()
            self.spool = None


Seen = Callable[[int, dict[str, str], Sequence[Fault]], None]


def read_file(path: Path, kind: Kind, settings: RosterSettings, seen: Seen, called: str = "") -> Reading:
    """Read a file of a kind; `seen` is told each row's line, what it says and its own faults. `called` is its name.

    Raises RefusedInWordsError for a file that cannot be used as a whole; the caller closes the reading.
    """
    reading = Reading(path, kind, called or path.name, digest=digest_of(path, settings.largest_mb))
    headers = known_headers(kind, settings.columns)
    needed = kind.required
    with ExitStack() as open_things:
        records, ways, width = _opened(open_things, reading, headers, needed, settings)
        rows = _Rows(reading, ways, width, settings.number_width, seen)
        reading.spool = TemporaryFile()  # noqa: SIM115 - it is closed with the reading
        try:
            rows.spool(records)
        except BaseException:
            reading.close()
            raise
    if not reading.rows:
        reading.close()
        raise RefusedInWordsError(ONLY_HEADER, file=path.name)
    return reading


def digest_of(path: Path, most: int) -> str:
    """The SHA-256 of a file. Raises RefusedInWordsError for one that cannot be read, or has more than `most` MiB."""
    try:
        size = path.stat().st_size
        if size > most << 20:
            raise RefusedInWordsError(TOO_BIG, file=path.name, size=str(-(-size // (1 << 20))), most=str(most))
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedInWordsError(UNREADABLE, file=path, error=error.strerror or type(error).__name__) from None


def _opened(
    open_things: ExitStack,
    reading: Reading,
    headers: Mapping[str, str],
    needed: Sequence[str],
    settings: RosterSettings,
) -> tuple[Iterator[Record], Ways, int]:
    """The rows after the header, how days are written in them, and how many columns the header has (0: as many as it likes)."""
    path = reading.path
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise RefusedInWordsError(EMPTY_FILE, file=path.name)
    if not is_workbook(head):
        file_ = open_csv(path, lambda row: _score(row, headers), settings.encoding, settings.delimiter)
        reading.read_as = f"CSV, {file_.encoding}, {_DELIMITERS.get(file_.delimiter, repr(file_.delimiter))}"
        records = open_things.enter_context(closing(file_.records()))
        header = _header(reading, records, headers, needed)
        if header is None:
            raise _no_header(reading, headers, needed)
        file_.width = len(header)
        return records, settings.ways, len(header)
    book = open_workbook(path)
    open_things.callback(book.close)
    for sheet in [settings.sheet] if settings.sheet else book.sheets:
        records = open_things.enter_context(closing(book.rows(sheet)))
        if _header(reading, records, headers, needed) is not None:
            reading.read_as, reading.sheet, reading.merged = "XLSX", sheet, book.merged
            return records, Ways(settings.day_order, "1904" if book.since_1904 else "1900"), 0
    raise _no_header(reading, headers, needed, None if settings.sheet else book)


_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def _score(row: Sequence[str], headers: Mapping[str, str]) -> int:
    return sum(folded(cell) in headers for cell in row)


def _header(
    reading: Reading, records: Iterator[Record], headers: Mapping[str, str], needed: Sequence[str]
) -> list[str] | None:
    """Find the header in the first rows: the first that has every required column."""
    best: list[str] = []
    for record in islice(records, LOOK):
        fields = [headers.get(folded(cell), "") if len(cell) < 200 else "" for cell in record.cells]
        if set(needed) <= set(fields):
            _take_header(reading, record, fields)
            return record.cells
        best = max(best, fields, key=lambda row: len(set(row)))
    reading.columns = {name: name for name in best if name}  # for saying which one is missing
    return None


def _take_header(reading: Reading, record: Record, fields: Sequence[str]) -> None:
    reading.header_line = record.line
    reading.columns, reading.letters = {}, {}
    for place, (name, cell) in enumerate(zip(fields, record.cells, strict=True)):
        header = cells.clean(cell)
        if not name:
            if header:
                reading.passed_over.append(header[:100])
            continue
        if name in reading.columns:
            one, other = f"{reading.columns[name]} ({reading.letters[name]})", f"{header} ({column_letters(place)})"
            raise RefusedInWordsError(TWICE, file=reading.path.name, field=name, one=one, other=other)
        reading.columns[name], reading.letters[name] = header, column_letters(place)


def _no_header(
    reading: Reading, headers: Mapping[str, str], needed: Sequence[str], book: Workbook | None = None
) -> RefusedInWordsError:
    missing = next((name for name in needed if name not in reading.columns), needed[0])
    names = ", ".join(sorted((name for name in headers if headers[name] == missing), key=len)[:12])
    values = {"file": reading.path.name, "field": missing, "names": names}
    reading.columns = {}
    if book is not None and len(book.sheets) > 1:
        return RefusedInWordsError(NO_HEADER_IN, sheets=", ".join(book.sheets), **values)
    return RefusedInWordsError(NO_HEADER, **values)


class _Rows:
    """The rows of a file on their way into the spool."""

    def __init__(self, reading: Reading, ways: Ways, width: int, number_width: int, seen: Seen) -> None:
        self.reading = reading
        self.ways = ways
        self.width = width
        self.number_width = number_width
        self.seen = seen
        kind = reading.kind
        places = (
            {letter: place for place, letter in enumerate(map(column_letters, range(20_000)))}
            if reading.letters
            else {}
        )
        self.fields = [
            (
                name,
                places[reading.letters[name]],
                kind.field(name),
                set[str](),
                cells.USUAL[kind.field(name).holds].fullmatch,
            )
            for name in reading.columns
        ]
        self.padded = [name for name, *_ in self.fields if number_width and kind.field(name).holds == NUMBER]
        self.names = tuple(reading.columns)
        self.required = kind.required
        self.key = kind.key

    def spool(self, records: Iterator[Record]) -> None:
        assert self.reading.spool is not None
        batch: list[Any] = []
        for record in records:
            found = self._row(record)
            if found is None:
                continue
            self.reading.rows += 1
            batch.append(found)
            if len(batch) == 1_000:
                _spool(self.reading.spool, batch)
                batch = []
        _spool(self.reading.spool, batch)
        self.reading.spool.flush()

    def _row(self, record: Record) -> tuple[int, list[str], list[tuple[str, str, dict[str, str]]]] | None:
        """A row as it is kept; None for one that is empty in every column that is used."""
        row, marks = record.cells, record.marks
        size, texts, faults = len(row), [], []
        for name, place, field_, plain, usual in self.fields:
            text = row[place] if place < size else ""
            mark = marks.get(place) if marks else None
            if (not text or text in plain) and mark is None:
                texts.append(text)
                continue
            if mark is None and usual(text) and text not in NOTHINGS:
                if len(plain) < MOST_PLAIN:
                    plain.add(text)
                texts.append(text)
                continue
            try:
                text, note = cells.read(field_, text, mark, self.ways)
            except NotUsableError as refused:
                sentence, values = refused.said
                faults.append(Fault(name, sentence, values))
                text = cells.NO_TEXT.sub("\ufffd", text[:200])
            else:
                if note is not None:
                    self.reading.note(record.line, name, note)
            texts.append(text)
        if not any(texts) and not faults:
            return None
        if record.fault is not None:
            faults = [Fault("", record.fault.sentence, {k: str(v) for k, v in record.fault.values.items()})]
        elif self.width and size > self.width and any(cell.strip() for cell in row[self.width :]):
            values = {"cells": str(size), "columns": str(self.width)}
            faults = [Fault("", TOO_MANY_CELLS, values)]
        said = self._said(texts, faults)
        self.seen(record.line, said, faults)
        if faults:
            number = "" if any(fault.field in ("", self.key) for fault in faults) else said.get(self.key, "")
            self.reading.refused[record.line] = (number, frozenset(text for text in row if text))
        return record.line, list(said.values()), [(fault.field, fault.sentence, dict(fault.values)) for fault in faults]

    def _said(self, texts: list[str], faults: list[Fault]) -> dict[str, str]:
        said = dict(zip(self.names, texts, strict=True))
        for name in self.padded:
            if said[name].isascii() and said[name].isdigit():
                said[name] = said[name].zfill(self.number_width)
        for name in self.required:
            if not said[name] and not any(fault.field in ("", name) for fault in faults):
                faults.append(Fault(name, EMPTY, {}))
        return said


def _spool(spool: IO[bytes], batch: list[Any]) -> None:
    content = marshal.dumps(batch)
    spool.write(len(content).to_bytes(8))
    spool.write(content)


def _unspooled(spool: IO[bytes]) -> Iterator[tuple[int, list[str], list[tuple[str, str, dict[str, str]]]]]:
    while size := spool.read(8):
        yield from marshal.loads(spool.read(int.from_bytes(size)))  # noqa: S302 - what this process has just written
