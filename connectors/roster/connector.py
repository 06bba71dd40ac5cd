"""The roster connector: files with a row for each employee, department, position, grade, manager or leaver.

What the files may look like stands in docs/roster.md. A file is read to its end and checked as a whole before any of it
is stored. The same file again, with nobody changed meanwhile, is recognised by its digest and not compared.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from connectors.records import EmployeeRecord, LeaverRecord, ManagerRecord, Record, UnitRecord
from connectors.roster import files
from connectors.roster.checks import Whole
from connectors.roster.fields import EMPLOYEES, KINDS, Kind
from connectors.roster.planning import Plan, faults_in_words, make_plan
from connectors.roster.reading import Line, digest_of, read_file
from connectors.roster.rows import record_of
from connectors.roster.settings import RosterSettings
from connectors.streams import Connector, Cursor, Finding, Page, Raw, Stream, pass_number
from plugin.errors import RecordRefusedError, RefusedInWordsError, SourceRefusedError
from plugin.settings import Settings

PAGE = 5_000
VERSION = "1"  # of how files are read: a new one has the next pull compare everything
ORDER = ("departments", "positions", "grades", "employees", "managers", "leavers")
RECORDS: Mapping[str, tuple[type, ...]] = {
    "employees": (EmployeeRecord, LeaverRecord),
    "managers": (ManagerRecord,),
    "leavers": (LeaverRecord,),
}

__all__ = ["RosterConnector", "RosterSettings"]


class Rows(Stream):
    """The rows of one file. One that cannot be used waits in quarantine with its line, its column and the reason."""

    records: ClassVar[tuple[type, ...]] = (UnitRecord,)

    def __init__(self, connector: "RosterConnector", kind: Kind, path: Path) -> None:
        self.name = kind.name  # type: ignore[misc]  # a class for each kind would say no more
        self.records = RECORDS.get(kind.name, (UnitRecord,))  # type: ignore[misc]
        self._connector = connector
        self._kind = kind
        self._path = path

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The file in pages of 5,000 rows; the cursor is (pass, rows read, what the file was known by).

        A file that changed while it was read is begun anew. Raises SourceRefusedError for a file that cannot be used as a
        whole, and for one that is held.
        """
        number = pass_number(cursor)
        done = int(cursor[1]) if cursor and len(cursor) > 2 else 0
        try:
            digest = self._connector.digest(self._kind)
            if cursor and len(cursor) > 1 and cursor[2:] != (digest,):
                number, done = number + 1, 0
            if not done and self._connector.is_as_read(self._kind, digest):
                return
            with closing(self._connector.plan(self._kind, self._path, digest)) as plan:
                yield from self._pages(plan, number, done, digest)
        except RefusedInWordsError as refused:
            raise SourceRefusedError(str(refused)) from None

    def _pages(self, plan: Plan, number: int, done: int, digest: str) -> Iterator[Page]:
        rest = plan.lines(done)
        while page := list(islice(rest, PAGE)):
            done += len(page)
            yield Page((number, done, digest), [self._raw(plan, line) for line in page])
        ends = [Raw(f"absent:{each}", {"absent": each}) for each in plan.ends]
        for start in range(0, len(ends), PAGE):
            done += PAGE
            yield Page((number, done, digest), ends[start : start + PAGE])
        then = partial(self._connector.read_whole, self._kind, self._path.name, digest)
        yield Page((number + 1,), ends_pass=True, then=then)

    def _raw(self, plan: Plan, line: Line) -> Raw:
        value: dict[str, Any] = {**line.said, "line": line.line}
        key = line.said.get(self._kind.key, "")
        if line.faults:
            value["refused"] = f"Line {line.line} of {self._path.name}, {faults_in_words(plan.reading, line)}"
            if any(fault.field in ("", self._kind.key) for fault in line.faults):
                key = ""  # a row with a number of its own is known by it; others by where they stand
        kind = "employee" if self._kind.key == "employee_number" else self._kind.key
        return Raw(f"{kind}:{key}" if key else f"line:{line.line}", value)

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """The record; refused with the line's number, the column and the reason."""
        if "refused" in raw:
            raise RecordRefusedError(raw["refused"])
        if "absent" in raw:
            return LeaverRecord(raw["absent"], None)
        return record_of(self._kind, raw)


class RosterConnector(Connector):
    """Files as the authority for people and the organisation."""

    settings_model = RosterSettings

    def __init__(self, source: str, settings: RosterSettings, home: Settings) -> None:
        super().__init__(source)
        self.settings = settings
        self.folder = home.folder

    def streams(self) -> Sequence[Stream]:
        """One for each file that is configured: the organisation's units before the employees."""
        paths = [(KINDS[name], self.settings.path_of(name)) for name in ORDER]
        return [Rows(self, kind, self.folder / path) for kind, path in paths if path is not None]

    def check(self) -> list[Finding]:
        """Whether the files are there, can be read, and have the columns."""
        findings = []
        for name in ORDER:
            path = self.settings.path_of(name)
            if path is None:
                continue
            try:
                read_file(self.folder / path, KINDS[name], self.settings, Whole(KINDS[name].key).seen).close()
            except RefusedInWordsError as refused:
                breaks = "no people are read" if name == "employees" else f"no {name} are read"
                findings.append(Finding("error", str(refused), breaks, str(refused)))
        return findings

    def digest(self, kind: Kind) -> str:
        """What tells whether a file, those that are read beside it, and how they are read are as they were."""
        paths = [self.settings.path_of(kind.name)]
        if kind is EMPLOYEES:
            paths += [self.settings.managers, self.settings.leavers]
        whole = hashlib.sha256(f"{VERSION} {self.settings!r}".encode())
        for path in paths:
            if path is not None:
                whole.update(digest_of(self.folder / path, self.settings.largest_mb).encode())
        return whole.hexdigest()

    def plan(self, kind: Kind, path: Path, digest: str) -> Plan:
        """The file, read and looked at; the caller closes it. Raises HeldError for one that would end too many."""
        if self.occasion is None:
            return make_plan(None, path, kind, self.settings, self.folder, date.min)
        with self.occasion.store.read() as session:
            plan = make_plan(session, path, kind, self.settings, self.folder, self.occasion.today)
            passes = not plan.is_too_much or files.is_confirmed(session, self.source, kind.name, plan.reading.digest)
        if passes:
            return plan
        plan.close()
        if not self.occasion.dry:
            with self.occasion.store.write() as session:
                files.hold(session, self.source, kind.name, plan, self.occasion.now)
        raise plan.held()

    def is_as_read(self, kind: Kind, digest: str) -> bool:
        """Whether the file was read to its end as it is, and the people are as they were then."""
        if self.occasion is None or self.occasion.full:
            return False
        with self.occasion.store.read() as session:
            return files.is_read(session, self.source, kind.name, digest)

    def read_whole(self, kind: Kind, name: str, digest: str, session: Session) -> None:
        """Note that the file was read to its end; in the transaction that stores the end of it."""
        if self.occasion is not None:
            files.note_read(session, self.source, kind.name, name, digest, self.occasion.now)
