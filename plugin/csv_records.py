"""Reading CSV files row by row: encoding and delimiter are found out and said, and a broken row spoils no other.

UTF-8 and UTF-16 can be told for certain; GB 18030 (which holds GBK and GB 2312) when the bytes pair up as Chinese text
does. Where neither is so, nothing is guessed: the file is refused until a setting names its encoding.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from plugin.errors import N_, RefusedInWordsError
from plugin.records_of_files import LONGEST_CELL, NO_MARKS, Mark, Record

AUTO = "auto"
DELIMITERS = (",", ";", "\t")
LONGEST_LINE = 1_000_000  # characters
MOST_LINES = 50  # that a cell in quotes may go on over
LOOK = 30  # lines in which a header is looked for
STEP = 1 << 20

UNREADABLE = N_("%(file)s cannot be read (%(error)s); check its name.")
UNSURE = N_(
    "%(file)s is not UTF-8, and what else it is cannot be told for certain (line %(line)s). Save it as 'CSV UTF-8', or "
    "name its encoding."
)
UNKNOWN_ENCODING = N_("There is no encoding '%(encoding)s'; write for instance utf-8, gb18030 or cp1252.")
NOT_TEXT = N_("%(file)s is neither UTF-8 nor other text; save the list as .xlsx or as 'CSV UTF-8'.")
OPEN_QUOTE = N_("A quotation mark is opened here and not closed; close it, or take it out.")
BAD_QUOTE = N_("After a closing quotation mark something else follows; write a quotation mark within a cell twice.")
LONG_LINE = N_("The line is longer than %(most)s characters.")

MARKS_OF_ORDER = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HIGH = re.compile(rb"[\x80-\xff]+")
RECKON = re.compile(r"^sep=(.)$")
NO_SPREADSHEET = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")


@dataclass(frozen=True)
class Encoding:
    """How a file is read: Python's name, and what is said of how certain that is: 'mark', 'certain', 'likely' or 'set'."""

    name: str
    because: str

    def __str__(self) -> str:
        """For people."""
        shown = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "gb18030": "GB 18030 (GBK)"}.get(self.name, self.name.upper())
        said = {"mark": " with a byte order mark", "likely": ", most likely", "set": ", as it is set"}
        return shown + said.get(self.because, "")


def find_encoding(path: Path, wanted: str = AUTO) -> Encoding:
    """How the file is to be read. Raises RefusedInWordsError for what is no text, and where nothing is certain."""
    with path.open("rb") as file:
        head = file.read(4096)
        if head.startswith(NO_SPREADSHEET):
            raise RefusedInWordsError(NOT_TEXT, file=path.name)
        if wanted != AUTO:
            return Encoding(_known(wanted, head), "set")
        for mark, name in MARKS_OF_ORDER:
            if head.startswith(mark):
                return Encoding(name, "mark")
        if zeros := head.count(0):
            odd, even = head[1::2].count(0), head[::2].count(0)
            if zeros >= 4 and zeros * 50 > len(head) and min(odd, even) * 5 < zeros:
                return Encoding("utf-16-le" if odd > even else "utf-16-be", "likely")
            if zeros * 4 > len(head):
                raise RefusedInWordsError(NOT_TEXT, file=path.name)
        if _is_utf_8(file):
            return Encoding("utf-8", "certain")
        return _by_lines(path, file)


def _known(wanted: str, head: bytes) -> str:
    try:
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError):
        raise RefusedInWordsError(UNKNOWN_ENCODING, encoding=wanted[:40]) from None
    if name in ("gbk", "gb2312"):
        return "gb18030"
    return "utf-8-sig" if name == "utf-8" and head.startswith(codecs.BOM_UTF8) else name


def _is_utf_8(file: IO[bytes]) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(STEP):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _by_lines(path: Path, file: IO[bytes]) -> Encoding:
    """The encoding in which by far the most lines that are not plain ASCII can be read; the others are then refused.

    In GB 2312 every character has two high bytes, so that runs of them are even. In the encodings of European languages
    most runs are one byte long.
    """
    file.seek(0)
    lines = utf_8 = chinese = runs = even = first = 0
    number = 0
    while line := file.readline(STEP):
        number += 1
        if line.isascii():
            continue
        lines += 1
        if _decodes(line, "utf-8"):
            utf_8 += 1
            continue
        first = first or number
        found = HIGH.findall(line)
        runs += len(found)
        even += sum(len(run) % 2 == 0 for run in found)
        chinese += _decodes(line, "gb18030")
    if lines > 1 and utf_8 >= lines / 2:
        return Encoding("utf-8", "likely")
    if chinese * 10 >= (lines - utf_8) * 9 and even * 10 >= runs * 8:
        return Encoding("gb18030", "likely")
    if lines * 20 <= number:
        return Encoding("utf-8", "likely")  # nearly all is plain ASCII: the few lines that are not are refused
    raise RefusedInWordsError(UNSURE, file=path.name, line=first)


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


@dataclass
class CsvFile:
    """A CSV file: how it is read. `width` is how many columns the header has, once that is known."""

    path: Path
    encoding: Encoding
    delimiter: str
    width: int = 0
    announced: bool = False  # its first line only names the delimiter

    def records(self) -> Generator[Record]:
        """The rows that are not empty, each with the line on which it begins."""
        errors = "surrogateescape" if self.encoding.name in ("utf-8", "utf-8-sig", "gb18030") else "replace"
        with self.path.open(encoding=self.encoding.name, errors=errors, newline=None) as file:
            yield from _Rows(self, file).all()


class _Rows:
    """The lines of a file, made into rows."""

    def __init__(self, file: CsvFile, stream: IO[str]) -> None:
        self.file = file
        self.stream = stream
        self.ahead: deque[tuple[int, str, bool]] = deque()  # lines that were looked at, and are still to be read
        self.number = 0

    def all(self) -> Iterator[Record]:
        delimiter = self.file.delimiter
        while (found := self._line()) is not None:
            number, line, whole = found
            if not whole:
                fault = RefusedInWordsError(LONG_LINE, most=LONGEST_LINE)
                yield Record(number, line[:10_000].split(delimiter)[:50], NO_MARKS, fault)
            elif '"' in line:
                yield from self._quoted(number, line)
            elif line and not (self.file.announced and number == 1):
                cells = line.split(delimiter)
                if len(line) > LONGEST_CELL or any(cells):
                    yield _record(number, cells, None)

    def _line(self) -> tuple[int, str, bool] | None:
        """The next line with its number and whether it is whole; None at the end."""
        if self.ahead:
            return self.ahead.popleft()
        line = self.stream.readline(LONGEST_LINE)
        if not line:
            return None
        self.number += 1
        if line.endswith("\n"):
            return self.number, line[:-1], True
        if len(line) < LONGEST_LINE:
            return self.number, line, True
        rest = line
        while rest and not rest.endswith("\n"):
            rest = self.stream.readline(LONGEST_LINE)
        return self.number, line, False

    def _quoted(self, number: int, line: str) -> Iterator[Record]:
        """A row with quotation marks; its cells may go on over more lines, but not over what are rows themselves."""
        cells, why = _parsed(line, self.file.delimiter)
        if cells is not None:
            yield from [_record(number, cells, None)] if any(cells) else []
            return
        taken: list[tuple[int, str, bool]] = []
        if why is OPEN_QUOTE:
            text = line
            while cells is None and why is OPEN_QUOTE and len(taken) < MOST_LINES and len(text) < LONGEST_LINE:
                following = self._line()
                if following is None:
                    break
                taken.append(following)
                if not following[2] or self._is_row(following[1]):
                    why = OPEN_QUOTE
                    break
                text += "\n" + following[1]
                if '"' in following[1]:
                    cells, why = _parsed(text, self.file.delimiter)
        if cells is not None:
            yield _record(number, cells, None)
            return
        self.ahead.extendleft(reversed(taken))
        fault = RefusedInWordsError(OPEN_QUOTE if taken or why is OPEN_QUOTE else BAD_QUOTE)
        yield Record(number, line.replace('"', "").split(self.file.delimiter), NO_MARKS, fault)

    def _is_row(self, line: str) -> bool:
        return self.file.width > 2 and line.count(self.file.delimiter) >= self.file.width - 1


def _record(number: int, cells: list[str], fault: RefusedInWordsError | None) -> Record:
    marks = NO_MARKS
    if any(len(cell) > LONGEST_CELL for cell in cells):
        marks = {place: Mark.LONG for place, cell in enumerate(cells) if len(cell) > LONGEST_CELL}
        cells = [cell[:100] if place in marks else cell for place, cell in enumerate(cells)]
    return Record(number, cells, marks, fault)


def _parsed(text: str, delimiter: str) -> tuple[list[str] | None, str]:
    """The cells, or None and why not."""
    try:
        lines = [f"{line}\n" for line in text.split("\n")]  # and at no other character that might end a line
        return next(csv.reader(lines, delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        return None, OPEN_QUOTE if "end of data" in str(error) else BAD_QUOTE
    except StopIteration:
        return [], ""


def open_csv(path: Path, knows: Callable[[Sequence[str]], int], encoding: str = AUTO, delimiter: str = AUTO) -> CsvFile:
    """A CSV file with its encoding and delimiter. `knows` says how many of some cells are names of columns.

    Raises RefusedInWordsError for what cannot be read.
    """
    try:
        found = find_encoding(path, encoding)
        file = CsvFile(path, found, "," if delimiter == AUTO else delimiter)
        lines: list[str] = []
        with path.open(encoding=found.name, errors="replace", newline=None) as stream:
            for _ in range(LOOK):
                lines.append(stream.readline(LONGEST_LINE).removesuffix("\n"))
    except OSError as error:
        raise RefusedInWordsError(UNREADABLE, file=path.name, error=error.strerror) from None
    said = RECKON.match(lines[0]) if lines else None
    if said:
        file.announced = True
    if delimiter == AUTO:
        file.delimiter = said[1] if said else max(DELIMITERS, key=lambda each: _fits(lines, each, knows))
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    return file


def _fits(lines: Sequence[str], delimiter: str, knows: Callable[[Sequence[str]], int]) -> tuple[int, int]:
    """How well a delimiter fits: known columns in the best line, and cells in the first."""
    best = most = 0
    for line in lines:
        cells: list[str] | None = None
        with suppress(csv.Error):
            cells = next(csv.reader([line], delimiter=delimiter), [])
        if cells:
            best, most = max(best, knows(cells)), most or len(cells)
    return best, most
