"""Where each key of a TOML text stands, for refusals that name a line; `tomllib` itself keeps no positions.

The scanner reads text that `tomllib` has accepted, so it looks for the places of keys and never for mistakes.

Source: TOML 1.0.0, https://toml.io/en/v1.0.0 (keys, strings, arrays, inline tables, tables, arrays of tables).
"""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]
"""A key's place: table and key names, and the index of each element of an array, as in ("earn", "all_of", 1, "score")."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_OTHER_VALUE = re.compile(r"[^,\]}#\r\n]+")  # a number, a boolean, a date; a date may hold a space
_STRING = re.compile(
    r'"""(?s:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''(?s:.)*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table, key and array element of `text`, which must be TOML without a BOM.

    A table's line is its header's; one that only dotted keys or deeper headers make stands where they first name it.
    Raises ValueError where the text is not TOML, as far as that is noticed.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def last_statement_line(text: str) -> int:
    """The line on which the last header or key of `text` begins, 1 for an empty text; raises as `key_lines` does."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.statement_line


class _Scanner:
    """One pass over the text; `at` is how far it has come."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.statement_line = 1
        self._lengths: dict[Path, int] = {}  # of arrays of tables, so far
        self._line_ends = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: Path = ()
        while self._skip_blank():
            self.statement_line = self._line()
            if self._next() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self._line()
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        names = self._key()
        self.at += brackets
        path: Path = ()
        for name in names[:-1]:
            path = (*path, name)
            self.lines.setdefault(path, line)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        path = (*path, names[-1])
        if brackets == 2:
            self.lines.setdefault(path, line)
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
        self.lines[path] = line
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._take(_SPACES)
            if self._next() in {'"', "'"}:
                names.append(str(tomllib.loads(f"key = {self._take(_STRING)}")["key"]))
            else:
                names.append(self._take(_BARE_KEY))
            self._take(_SPACES)
            if self._next() != ".":
                return names
            self.at += 1

    def _value(self, path: Path) -> None:
        self._take(_SPACES)
        match self._next():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_OTHER_VALUE)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip_blank() and self._next() != "]":
            element = (*path, index)
            self.lines[element] = self._line()
            self._value(element)
            self._skip_comma()
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip_blank() and self._next() != "}":
            self._pair(path)
            self._skip_comma()
        self.at += 1

    def _skip_comma(self) -> None:
        if self._skip_blank() and self._next() == ",":
            self.at += 1

    def _skip_blank(self) -> bool:
        """Pass over white space, line ends and comments; whether anything is left."""
        self._take(_BLANK)
        return self.at < len(self.text)

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"line {self._line()} is not TOML")
        self.at = match.end()
        return match.group()

    def _line(self) -> int:
        return bisect_left(self._line_ends, self.at) + 1
