"""Reading XLSX workbooks row by row: memory does not grow with the rows, and what a hostile file declares is not believed.

A workbook is a zip of XML files (ECMA-376); the sheet is parsed while it is unpacked. Nothing is unpacked beyond
`LARGEST_PART` bytes, `<dimension>` is passed over, and a document type, by which XML declares entities, is refused.
A cell comes as text with a mark that says what it was: the marks are in `Mark`.
"""

import re
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from plugin.errors import N_, RefusedInWordsError
from plugin.records_of_files import LONGEST_CELL, NO_MARKS, Mark, Record

LARGEST_PART = 1 << 30  # bytes of one unpacked part: more than a full sheet of a million short rows
LARGEST_TEXTS = 256 << 20  # characters of the table of shared texts, which stands in memory
MOST_PARTS = 5_000
MOST_PIECES = 1_000  # in which the parser hands a text over
LAST_COLUMN = 16_384
STEP = 1 << 16
VALUES = frozenset({"v", "t"})  # the elements in which a cell's value stands

OLD = N_("%(file)s is in the old format .xls; open it and save it as .xlsx or as 'CSV UTF-8'.")
LOCKED = N_("%(file)s is protected with a password; save it without one.")
BROKEN = N_(
    "%(file)s is damaged or not complete, and not a workbook that can be read (%(why)s); fetch or save it again."
)
NO_WORKBOOK = N_("%(file)s is no .xlsx workbook; save it as .xlsx or as 'CSV UTF-8'.")
TOO_LARGE = N_("%(file)s unpacks to more than %(most)s MiB; a list of people is smaller. Save only the list.")
DECLARES = N_("%(file)s declares entities, which no spreadsheet does; it is not read.")
NO_SHEET = N_("%(file)s has no sheet '%(sheet)s'; its sheets are: %(sheets)s.")


@dataclass
class Merged:
    """Cells that are merged: lines and columns, from and to, counted from 1 and from 0."""

    first_line: int
    last_line: int
    first_column: int
    last_column: int


@dataclass
class Workbook:
    """An open workbook. `merged` is filled when the rows of a sheet have been read to their end."""

    path: Path
    archive: ZipFile
    sheets: dict[str, str]  # name -> part
    since_1904: bool
    recalculates: bool
    texts: list[str]
    formats: list[str]  # by style: "day", "0000" for a number with leading zeros, or ""
    merged: list[Merged] = field(default_factory=list)

    def rows(self, sheet: str) -> Generator[Record]:
        """The rows of a sheet that are not empty. Raises RefusedError for what is damaged or hostile."""
        if sheet not in self.sheets:
            raise RefusedInWordsError(NO_SHEET, file=self.path.name, sheet=sheet, sheets=", ".join(self.sheets))
        self.merged.clear()
        reading = _Sheet(self)
        for piece in _unpacked(self.path, self.archive, self.sheets[sheet]):
            reading.feed(piece)
            while reading.done:
                yield reading.done.popleft()
        reading.close()
        yield from reading.done

    def close(self) -> None:
        """Close the file."""
        self.archive.close()


def open_workbook(path: Path) -> Workbook:
    """Open a workbook. Raises RefusedError for what is none, is damaged, locked, too large or hostile."""
    head = _head(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        locked = "EncryptedPackage".encode("utf-16-le") in _bounded(path)
        raise RefusedInWordsError(LOCKED if locked else OLD, file=path.name)
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, ValueError) as error:
        raise RefusedInWordsError(BROKEN, file=path.name, why=str(error)) from None
    try:
        return _opened(path, archive)
    except BaseException:
        archive.close()
        raise


def _opened(path: Path, archive: ZipFile) -> Workbook:
    names = set(archive.namelist())
    if len(names) > MOST_PARTS or "[Content_Types].xml" not in names or "xl/workbook.xml" not in names:
        main = _main_part(path, archive, names)
        if main is None:
            raise RefusedInWordsError(NO_WORKBOOK, file=path.name)
    else:
        main = "xl/workbook.xml"
    targets = _targets(path, archive, main, names)
    sheets: dict[str, str] = {}
    settings = {"date1904": "", "fullCalcOnLoad": ""}

    def of_workbook(name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            number = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            if targets.get(number, "") in names and attributes.get("state", "visible") == "visible":
                sheets[attributes.get("name", number)] = targets[number]
        elif name in ("workbookPr", "calcPr"):
            settings.update({key: attributes[key] for key in settings if key in attributes})

    _scan(path, archive, main, of_workbook)
    if not sheets:
        raise RefusedInWordsError(NO_WORKBOOK, file=path.name)
    folder = str(PurePosixPath(main).parent)
    texts, styles = f"{folder}/sharedStrings.xml", f"{folder}/styles.xml"
    return Workbook(
        path,
        archive,
        sheets,
        settings["date1904"] in ("1", "true"),
        settings["fullCalcOnLoad"] in ("1", "true"),
        _shared_texts(path, archive, texts) if texts in names else [],
        _formats(path, archive, styles) if styles in names else [],
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64 << 20)


def _main_part(path: Path, archive: ZipFile, names: set[str]) -> str | None:
    """Where the workbook is, in a file that does not keep it where everybody does."""
    if len(names) > MOST_PARTS or "_rels/.rels" not in names:
        return None
    found: list[str] = []

    def of_relations(name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith("/officeDocument"):
            found.append(attributes.get("Target", "").lstrip("/"))

    _scan(path, archive, "_rels/.rels", of_relations)
    return found[0] if found and found[0] in names and found[0].endswith(".xml") else None


def _targets(path: Path, archive: ZipFile, main: str, names: set[str]) -> dict[str, str]:
    """The parts that the workbook refers to, by its ids for them."""
    place = PurePosixPath(main)
    relations = f"{place.parent}/_rels/{place.name}.rels"
    found: dict[str, str] = {}

    def of_relations(name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            found[attributes.get("Id", "")] = target[1:] if target.startswith("/") else f"{place.parent}/{target}"

    if relations in names:
        _scan(path, archive, relations, of_relations)
    return found


def _unpacked(path: Path, archive: ZipFile, part: str) -> Iterator[bytes]:
    """The bytes of a part, and no more than it may have."""
    left = LARGEST_PART
    try:
        with archive.open(part) as stream:
            while piece := stream.read(STEP):
                left -= len(piece)
                if left < 0:
                    raise RefusedInWordsError(TOO_LARGE, file=path.name, most=LARGEST_PART >> 20)
                yield piece
    except (BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise RefusedInWordsError(BROKEN, file=path.name, why=str(error) or type(error).__name__) from None


class _Parser:
    """An expat parser that refuses a document type, and says whose file it is when the XML is broken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: Any) -> None:
        raise RefusedInWordsError(DECLARES, file=self.path.name)

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self.expat.Parse(piece, last)
        except expat.ExpatError as error:
            raise RefusedInWordsError(BROKEN, file=self.path.name, why=str(error)) from None


def _scan(path: Path, archive: ZipFile, part: str, begin: Callable[[str, Mapping[str, str]], None]) -> None:
    """Have `begin` see every element of a small part, without its prefix."""
    parser = _Parser(path)
    parser.expat.StartElementHandler = lambda name, attributes: begin(name.rpartition(":")[2], attributes)
    for piece in _unpacked(path, archive, part):
        parser.feed(piece)
    parser.feed(b"", last=True)


class _Texts(_Parser):
    """The table of texts that cells refer to by number; what is said about pronunciation is left out."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.found: list[str] = []
        self.pieces: list[str] = []
        self.listening = False
        self.silent = self.size = 0
        self.expat.StartElementHandler, self.expat.EndElementHandler = self._begin, self._end
        self.expat.CharacterDataHandler = self._say

    def _begin(self, name: str, _attributes: Mapping[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "si":
            self.pieces.clear()
        elif name == "rPh":
            self.silent += 1
        elif name == "t":
            self.listening = True

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "si":
            text = _unescaped("".join(self.pieces))
            self.size += len(text) + 1
            if self.size > LARGEST_TEXTS:
                raise RefusedInWordsError(TOO_LARGE, file=self.path.name, most=LARGEST_TEXTS >> 20)
            self.found.append(text[: LONGEST_CELL + 1])
        elif name == "rPh":
            self.silent -= 1
        elif name == "t":
            self.listening = False

    def _say(self, text: str) -> None:
        if self.listening and not self.silent and len(self.pieces) < MOST_PIECES:
            self.pieces.append(text[: LONGEST_CELL + 1])


def _shared_texts(path: Path, archive: ZipFile, part: str) -> list[str]:
    texts = _Texts(path)
    for piece in _unpacked(path, archive, part):
        texts.feed(piece)
    texts.feed(b"", last=True)
    return texts.found


BUILTIN_DAYS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


def _formats(path: Path, archive: ZipFile, part: str) -> list[str]:
    """What each style makes of a number: a day, or digits with leading zeros."""
    codes: dict[str, str] = {}
    found: list[str] = []
    within: list[str] = []

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name in ("cellStyleXfs", "cellXfs"):
            within[:] = [name]
        elif name == "xf" and within == ["cellXfs"]:
            number = attributes.get("numFmtId", "0")
            found.append(_format(number, codes.get(number, "")))

    _scan(path, archive, part, begin)
    return found


def _format(number: str, code: str) -> str:
    if not code:
        return "day" if number.isdigit() and int(number) in BUILTIN_DAYS else ""
    shown = NOT_SHOWN.sub("", code.partition(";")[0])
    if re.fullmatch(r"0{2,40}", shown):
        return shown
    return "day" if re.search(r"[dmyDMYeE年月日]", shown) and not re.search(r"[0#?]", shown) else ""


def _unescaped(text: str) -> str:
    """A text with the characters that XML cannot hold, which are written as _x000D_."""
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@lru_cache(maxsize=1 << 15)
def _column(reference: str) -> int:
    """The place of a column from a reference such as AB12, from 0 on; -1 where it is none."""
    place = 0
    for letter in reference.rstrip("0123456789"):
        if not "A" <= letter <= "Z":
            return -1
        place = place * 26 + ord(letter) - 64
    return place - 1 if place <= LAST_COLUMN else -1


def column_letters(place: int) -> str:
    """What a spreadsheet calls a column, counted from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@lru_cache(maxsize=1 << 15)
def day_of_serial(serial: str, *, since_1904: bool) -> str:
    """The day or moment that a spreadsheet counts as `serial`, written as 2026-11-23; '' where it is none.

    Day 60 of the system of 1900 is 29 February 1900, which has never been.
    """
    try:
        value = Decimal(serial)
    except InvalidOperation:
        return ""
    if not 0 <= value < 2_958_466 or (not since_1904 and 60 <= value < 61):
        return ""
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30 if value >= 61 else 31)  # noqa: DTZ001
    try:
        moment = start + timedelta(seconds=round(float(value) * 86_400))
    except OverflowError:
        return ""
    return moment.date().isoformat() if (moment.hour, moment.minute, moment.second) == (0, 0, 0) else moment.isoformat()


@lru_cache(maxsize=1 << 15)
def plain_number(text: str) -> tuple[str, Mark]:
    """A number as a workbook holds it, without needless zeros, and what is to be known about it."""
    if text.isascii() and text.isdigit() and len(text) <= 15 and (text[0] != "0" or text == "0"):
        return text, Mark.NUMBER
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text[:100], Mark.ERROR
    if not exact.is_finite() or abs(exact.adjusted()) > 300:
        return text[:100], Mark.ERROR
    exact = Decimal(repr(float(exact)))  # 0.1 is held as 0.10000000000000001
    whole = exact == exact.to_integral_value()
    shown = f"{exact.normalize():f}" if abs(exact.adjusted()) < 40 else text[:100]
    return shown, Mark.IMPRECISE if whole and exact.adjusted() >= 15 else Mark.NUMBER


class _Sheet(_Parser):
    """A sheet while it is parsed: the rows that are complete wait in `done`."""

    def __init__(self, book: Workbook) -> None:
        super().__init__(book.path)
        self.book = book
        self.done: deque[Record] = deque()
        self.line = 0
        self.place = -1
        self.cells: dict[int, str] = {}
        self.marks: dict[int, Mark] = {}
        self.kind = ""
        self.style = ""
        self.formula = False
        self.valued = False
        self.pieces: list[str] = []
        self.length = 0
        self.listening = False
        self.silent = 0
        self.prefix: str | None = None
        self.expat.StartElementHandler = self._begin
        self.expat.EndElementHandler = self._end

    def close(self) -> None:
        self.feed(b"", last=True)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if self.prefix is None:
            self.prefix = name.rpartition(":")[0]
        if self.prefix:
            name = name.rpartition(":")[2]
        if name == "c":
            reference = attributes.get("r")
            self.place = _column(reference) if reference else self.place + 1
            self.kind, self.style = attributes.get("t", ""), attributes.get("s", "")
            self.formula = self.valued = False
            self.pieces = []
        elif name in VALUES:
            self._listen()
        elif name == "row":
            given = attributes.get("r", "")
            self.line = int(given) if given.isdigit() and len(given) <= 7 else self.line + 1
            self.cells, self.marks, self.place = {}, {}, -1
        elif name == "f":
            self.formula = True
        elif name == "rPh":
            self.silent += 1
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _end(self, name: str) -> None:
        if self.prefix:
            name = name.rpartition(":")[2]
        if name in VALUES:
            self.expat.CharacterDataHandler = None
            self.valued = True
        elif name == "c":
            if self.pieces or self.formula:
                self._cell()
        elif name == "row":
            if self.cells:
                last = max(self.cells) + 1
                if len(self.cells) == last:
                    texts = [self.cells[place] for place in range(last)]
                else:
                    texts = [""] * last
                    for place, text in self.cells.items():
                        texts[place] = text
                self.done.append(Record(self.line, texts, self.marks or NO_MARKS))
        elif name == "rPh":
            self.silent -= 1

    def _listen(self) -> None:
        if not self.silent:
            self.length = 0
            self.expat.CharacterDataHandler = self._say

    def _say(self, text: str) -> None:
        if self.length <= LONGEST_CELL:
            self.length += len(text)
            self.pieces.append(text)

    def _cell(self) -> None:
        if self.place < 0:
            return
        text = "".join(self.pieces) if len(self.pieces) != 1 else self.pieces[0]
        text, mark = self._value(text)
        if self.formula and mark is not Mark.ERROR:
            mark = Mark.FORMULA if self.valued and not self.book.recalculates else Mark.UNCOMPUTED
        if len(text) > LONGEST_CELL:
            text, mark = text[:100], Mark.LONG
        if text or mark:
            self.cells[self.place] = text
        if mark:
            self.marks[self.place] = mark

    def _value(self, text: str) -> tuple[str, Mark | None]:
        kind = self.kind
        if kind == "s":
            known = text.isdigit() and len(text) < 10 and int(text) < len(self.book.texts)
            return (self.book.texts[int(text)], None) if known else (text[:100], Mark.ERROR)
        if kind in ("", "n"):
            return self._number(text.strip())
        if kind in ("inlineStr", "str"):
            return _unescaped(text), None
        if kind == "b":
            return ("TRUE" if text.strip() == "1" else "FALSE"), Mark.TRUTH
        return (_iso_day(text), Mark.DAY) if kind == "d" else (text[:100], Mark.ERROR)

    def _number(self, text: str) -> tuple[str, Mark | None]:
        if not text:
            return "", None
        style = self.style
        shape = self.book.formats[int(style)] if style.isdigit() and int(style) < len(self.book.formats) else ""
        if shape == "day":
            day = day_of_serial(text, since_1904=self.book.since_1904)
            return (day, Mark.DAY) if day else (text[:100], Mark.ERROR)
        number, mark = plain_number(text)
        return (number.zfill(len(shape)) if shape and number.isdigit() else number), mark

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        lines = [text.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for text in (first, last)]
        if all(text.isdigit() and len(text) <= 7 for text in lines) and len(self.book.merged) < 100_000:
            self.book.merged.append(Merged(int(lines[0]), int(lines[1]), _column(first), _column(last)))


def _iso_day(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return text[:100]
    at = moment.timetz()
    return moment.date().isoformat() if (at.hour, at.minute, at.second) == (0, 0, 0) else moment.isoformat()


def is_workbook(head: bytes) -> bool:
    """Whether a file that begins so is a workbook, of today or of old."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0"))
