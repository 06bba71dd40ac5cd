"""What files bring in, a row each: every row is stored, known already, or refused by its line, its column and the reason.

An importer takes an open transaction and answers an `Outcome`; `bring_in` runs it, and for a dry run ends the transaction
without keeping anything, so that a trial says just what the real run would. Commands and pages tell the same outcome.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from plugin.errors import N_, RefusedInWordsError
from plugin.installation import Installation
from plugin.spreadsheets import Row

NEW, CHANGED, KNOWN = "new", "changed", "known"
T = TypeVar("T")

EMPTY = N_("%(field)s is empty.")
NOT_A_DAY = N_("%(field)s: '%(text)s' is not a day; write it as 2026-11-23.")


@dataclass(frozen=True)
class Finding:
    """What is to be said about a row: the reason in words, and the column to blame, "" where none is."""

    line: int
    error: RefusedInWordsError

    @property
    def column(self) -> str:
        """The column to blame."""
        return self.error.column

    @property
    def reason(self) -> str:
        """The reason in English."""
        return str(self.error)


@dataclass
class Outcome:
    """What became of a file's rows: `rows` are (line, new, changed or known, what it is about); warnings refuse nothing."""

    rows: list[tuple[int, str, str]] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def took(self, line: int, became: str, about: str) -> None:
        """Note a row that can be used."""
        self.rows.append((line, became, about))

    def refuse(self, line: int, error: RefusedInWordsError) -> None:
        """Note a row that cannot."""
        self.refused.append(Finding(line, error))

    def warn(self, line: int, error: RefusedInWordsError) -> None:
        """Note what may be a slip of the keyboard."""
        self.warnings.append(Finding(line, error))

    def count(self, became: str) -> int:
        """How many rows became this."""
        return sum(each == became for _, each, _ in self.rows)

    @property
    def accepted(self) -> int:
        """How many rows are new."""
        return self.count(NEW)

    @property
    def known(self) -> int:
        """How many rows say what was known already."""
        return self.count(KNOWN)

    def sort(self) -> "Outcome":
        """Put everything in the order of the lines."""
        self.rows.sort()
        self.refused.sort(key=lambda found: found.line)
        return self


class _OnlyTriedError(Exception):
    """Ends the transaction of a dry run, so that nothing of it stays."""


def bring_in(
    home: Installation, path: Path, bring: Callable[[Session, Path], Outcome], *, dry_run: bool = False
) -> Outcome:
    """Run an importer on the file, in one transaction; a dry run keeps nothing of it.

    Raises RefusedInWordsError for a file that cannot be used as a whole; then nothing is kept either.
    """
    outcome = Outcome()
    try:
        with home.store.write() as session:
            outcome = bring(session, path)
            if dry_run:
                raise _OnlyTriedError
    except _OnlyTriedError:
        pass
    else:
        home.wake("people_touched")
    return outcome.sort()


def check_row(row: Row, required: tuple[str, ...]) -> None:
    """Raise RefusedInWordsError for a row that cannot be read, or lacks what it must say."""
    if row.fault is not None:
        raise row.fault
    for name in required:
        if not row.cells.get(name):
            raise RefusedInWordsError(EMPTY, field=name)


def read_cell(row: Row, name: str, sentence: str, read: Callable[[str], T]) -> T:
    """What a cell says. Raises RefusedInWordsError, with the cell's text in the sentence, where `read` raises ValueError."""
    text = row.cells[name]
    try:
        return read(text)
    except ValueError:
        raise RefusedInWordsError(sentence, field=name, text=text[:60]) from None


def day_of(row: Row, name: str) -> date | None:
    """The day in a cell, None where it is empty. Raises RefusedInWordsError."""
    return read_cell(row, name, NOT_A_DAY, _day) if row.cells.get(name) else None


def _day(text: str) -> date:
    if len(text) != len("2026-11-23"):
        raise ValueError
    return date.fromisoformat(text)


@dataclass(frozen=True)
class FileColumn:
    """A column of a kind of file: its name, whether it is needed, what stands in it (a text of the catalogues)."""

    name: str
    needed: bool
    about: str


@dataclass(frozen=True)
class FileKind:
    """A kind of file that an addon takes, by the manifest's key `roster_kinds`: `bring` stores it in somebody's name.

    `samples` are example rows with generated people, a text for each column.
    """

    name: str
    columns: tuple[FileColumn, ...]
    samples: tuple[tuple[str, ...], ...]
    bring: Callable[[Installation, str, Session, Path], Outcome]


def file_kinds(home: Installation) -> dict[str, FileKind]:
    """The kinds of files that the installed addons take, by name."""
    return {kind.name: kind for kinds in home.provided("roster_kinds").values() for kind in kinds}
