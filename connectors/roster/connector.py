"""The roster connector: one CSV file with a line per employee.

Columns: employee_number, name, email, department, position, grade, manager (an employee number), joined, left
(days as 2026-11-23), tags (separated by semicolons; where the column stands, it decides which tags people have). The first
two must be there; other columns are passed over. The file is read as UTF-8, with
or without a byte order mark.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from connectors import parse
from connectors.records import EmployeeRecord
from connectors.streams import Connector, Cursor, Finding, Page, Raw, Stream, pass_number
from plugin import tags
from plugin.errors import RecordRefusedError, RefusedError, SourceRefusedError
from plugin.people import Employee
from plugin.settings import Settings, StrictModel

PAGE = 2000
REQUIRED = ("employee_number", "name")


class RosterSettings(StrictModel):
    """The connector's own keys."""

    path: Path


class Employees(Stream):
    """The lines of the file; a number that stands in it twice is nobody's, so both lines wait in quarantine."""

    name = "employees"
    records = (EmployeeRecord,)

    def __init__(self, path: Path) -> None:
        self._path = path

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The file in pages of 2,000 lines; the cursor is (pass, lines read)."""
        number = pass_number(cursor)
        start = int(cursor[1]) if cursor and len(cursor) > 1 else 0
        counts = Counter(line["employee_number"] for line in self._lines())
        done = start
        rest = islice(self._lines(), start, None)
        while page := list(islice(rest, PAGE)):
            done += len(page)
            yield Page((number, done), [self._raw(line, counts) for line in page])
        yield Page((number + 1,), ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> EmployeeRecord:
        """An employee; refused with the line's number, the field and the reason."""
        try:
            return EmployeeRecord(self._employee(raw))
        except RecordRefusedError as error:
            raise RecordRefusedError(f"Line {raw.get('line')} of {self._path.name}: {error}") from None

    def _employee(self, raw: Mapping[str, Any]) -> Employee:
        number = parse.text(raw, "employee_number", 100)
        if number is None:
            raise RecordRefusedError("The field 'employee_number' is empty.")
        if raw.get("same_number", 1) > 1:
            raise RecordRefusedError(
                f"The employee number {number} stands in the file {raw['same_number']} times; which line is right cannot be "
                "guessed. Correct the file."
            )
        name = parse.text(raw, "name", 300)
        if name is None:
            raise RecordRefusedError("The field 'name' is empty.")
        joined, left = parse.day(raw, "joined"), parse.day(raw, "left")
        if joined and left and left < joined:
            raise RecordRefusedError(f"They left on {left}, before they joined on {joined}.")
        manager = parse.text(raw, "manager", 100)
        if manager == number:
            raise RecordRefusedError("They are their own manager.")
        return Employee(
            employee_number=number,
            name=name,
            email=parse.text(raw, "email", 320),
            department=parse.text(raw, "department", 200),
            position=parse.text(raw, "position", 200),
            grade=parse.text(raw, "grade", 200),
            manager=manager,
            joined_on=joined,
            left_on=left,
            tags=_tags(raw) if "tags" in raw else None,
        )

    def _raw(self, line: Mapping[str, Any], counts: Mapping[str, int]) -> Raw:
        number = line["employee_number"]
        same = counts[number] if number else 1
        # A line with a number of its own is known by it; others by where they stand.
        name = f"employee:{number}" if number and same == 1 else f"line:{line['line']}"
        return Raw(name, {**line, "same_number": same})

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The file's lines by column, each with the number of the line that it ends on."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, restkey="surplus", restval="")
                missing = [column for column in REQUIRED if column not in (reader.fieldnames or [])]
                if missing:
                    raise SourceRefusedError(
                        f"{self._path} has no column {missing[0]!r} in its first line; add it, or export the file anew."
                    )
                for line in reader:
                    columns = {name: value.strip() for name, value in line.items() if name != "surplus"}
                    yield {**columns, "line": reader.line_num}
        except OSError as error:
            raise SourceRefusedError(
                f"The roster {self._path} cannot be read ({error.strerror}); check the source's path."
            ) from None
        except UnicodeDecodeError:
            raise SourceRefusedError(
                f"The roster {self._path} is not UTF-8; save it as 'CSV UTF-8' and pull again."
            ) from None
        except csv.Error as error:
            raise SourceRefusedError(f"The roster {self._path} is not CSV: {error}.") from None


def _tags(raw: Mapping[str, Any]) -> frozenset[str]:
    """The tags in a cell. Raises RecordRefusedError for one that cannot be used."""
    texts = (text for text in tags.SEPARATORS.split(parse.text(raw, "tags", 2000) or "") if text.strip())
    try:
        return frozenset(tags.checked(text) for text in texts)
    except RefusedError as error:
        raise RecordRefusedError(f"The field 'tags': {error}") from None


class RosterConnector(Connector):
    """A roster file as the authority for people."""

    settings_model = RosterSettings

    def __init__(self, source: str, settings: RosterSettings, home: Settings) -> None:
        super().__init__(source)
        self._path = home.folder / settings.path

    def streams(self) -> Sequence[Stream]:
        """The employees."""
        return [Employees(self._path)]

    def check(self) -> list[Finding]:
        """Whether the file is there and has the columns."""
        try:
            next(Employees(self._path)._lines(), None)
        except SourceRefusedError as error:
            return [Finding("error", str(error), "no people are read", str(error))]
        return []
