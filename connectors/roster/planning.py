"""What a file would do to the people that there are, before any of it is done: who is gone, and how many would end.

A row that is refused ends nobody: its person is not taken for gone, and where its number cannot be read, nobody whose
name, address or number stands in it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.roster import checks
from connectors.roster.checks import Whole
from connectors.roster.fields import EMPLOYEES, KINDS, LEAVERS, MANAGERS, Kind
from connectors.roster.reading import Fault, Line, Reading, read_file
from connectors.roster.settings import RosterSettings
from plugin import people
from plugin.errors import N_, RefusedInWordsError
from plugin.models import Person
from plugin.store import chunks

ANNOUNCED = 2  # so many last days in the future never hold a file

HELD = N_(
    "%(file)s would end %(ending)s of %(people)s people, more than %(most)s %% (hold_above); nothing of it was used. Look at "
    "'certbridge roster preview', then let it through with 'certbridge roster confirm', or mend the file."
)


class HeldError(RefusedInWordsError):
    """A file would end more people than may end without somebody's word."""


@dataclass
class Plan:
    """A file that has been read, and what it means. `ends` are those who stand in it no more, `ending` how many end in all."""

    reading: Reading
    ends: list[str] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)
    ending: int = 0
    people: int = 0
    most: float = 100.0
    beside: dict[str, dict[str, str]] = field(default_factory=dict)  # field -> what another file says of it, by number

    @property
    def is_too_much(self) -> bool:
        """Whether more people would end than may without somebody's word."""
        return self.ending * 100 > self.most * self.people

    def held(self) -> HeldError:
        """What is said of a file that is held."""
        return HeldError(HELD, file=self.reading.called, ending=self.ending, people=self.people, most=f"{self.most:g}")

    def close(self) -> None:
        """Let the rows go."""
        self.reading.close()

    def lines(self, start: int = 0) -> Iterator[Line]:
        """The rows, with what other files say of the same people."""
        for line in self.reading.lines(start):
            faults = list(line.faults)
            if self.beside:
                self._add(line.said)
            checks.check_order(faults, line.said)
            yield Line(line.line, line.said, tuple(faults)) if len(faults) != len(line.faults) else line

    def _add(self, said: dict[str, str]) -> None:
        for name, values in self.beside.items():
            if not said.get(name) or name == "manager":
                value = values.get(said["employee_number"])
                if value:
                    said[name] = value


def make_plan(
    session: Session | None,
    path: Path,
    kind: Kind,
    settings: RosterSettings,
    folder: Path,
    today: date,
    *,
    whole: bool = True,
    alone: bool = False,
    called: str = "",
) -> Plan:
    """Read a file and see what it means; the caller closes the plan. `session` None: nobody is known. `whole`: who is not in it has left.

    `alone`: the source's other files are not asked. Raises RefusedInWordsError for a file that cannot be used as a whole.
    """
    above = {EMPLOYEES.name: "manager", MANAGERS.name: "manager", "departments": "parent"}.get(kind.name)
    seen = Whole(kind.key, above)
    reading = read_file(path, kind, settings, seen.seen, called)
    try:
        plan = Plan(reading, most=settings.hold_above)
        if not alone and kind is EMPLOYEES:
            plan.beside = _beside(settings, folder)
            for number, left in plan.beside.get("left", {}).items():
                if number in seen.lines:
                    seen.left.setdefault(number, left)
        _look(session, plan, kind, seen, today, ends=whole and settings.absent == "end")
    except BaseException:
        reading.close()
        raise
    return plan


def _beside(settings: RosterSettings, folder: Path) -> dict[str, dict[str, str]]:
    """What the source's files of managers and leavers say, so that the employees' file does not take it back.

    A file that is missing or cannot be read says nothing here; its own stream says why.
    """
    found: dict[str, dict[str, str]] = {}
    for kind, name in ((MANAGERS, "manager"), (LEAVERS, "left")):
        path = settings.path_of(kind.name)
        if path is None:
            continue
        seen = Whole(kind.key)
        reading = read_file(folder / path, kind, settings, seen.seen)
        try:
            lines = reading.lines()
            found[name] = {
                line.said["employee_number"]: line.said[name]
                for line in lines
                if not line.faults and line.said["employee_number"] not in seen.again
            }
        finally:
            reading.close()
    return found


def _look(session: Session | None, plan: Plan, kind: Kind, seen: Whole, today: date, *, ends: bool) -> None:
    """Check the file as a whole, and find out who would end."""
    reading = plan.reading
    of_people = kind in (EMPLOYEES, MANAGERS, LEAVERS)
    known = _known(session) if session is not None and of_people else None
    spared = checks.check_numbers(reading, seen, known if of_people else None) if of_people else set()
    if not of_people:
        checks.check_numbers(reading, seen, ())
    if session is not None and kind.name == "departments":
        wanted = [code for code in seen.wanted if code not in seen.lines]
        checks.check_above(reading, seen, people.known_units(session, kind.name, wanted))
    else:
        checks.check_above(reading, seen, known, spared)
    checks.check_merged(reading)
    if known is None or session is None:
        return
    if kind is not EMPLOYEES:
        checks.unknown_numbers(reading, seen, known)
    employed = [number for number, left in known.items() if left is None or left > today]
    plan.people = len(employed)
    days = [
        day
        for number, day in seen.left.items()
        if number in known and known[number] is None and seen.lines.get(number) not in reading.faults
    ]
    announced = sum(day > str(today) for day in days)
    leaving = len(days) - (announced if announced <= ANNOUNCED else 0)
    if kind is EMPLOYEES and ends:
        known_leavers = plan.beside.get("left", {})
        gone = [each for each in employed if each not in seen.lines and each not in known_leavers]
        plan.spared = [number for number in gone if number in spared]
        plan.spared += _meant(session, reading, [number for number in gone if number not in spared])
        kept = set(plan.spared)
        plan.ends = [number for number in gone if number not in kept]
    plan.ending = leaving + len(plan.ends)


def _known(session: Session) -> dict[str, date | None]:
    """All employees, with their last days."""
    query = select(Person.employee_number, Person.left_on).where(Person.erased_at.is_(None))
    return {row[0]: row[1] for row in session.connection().execute(query)}


def _meant(session: Session, reading: Reading, gone: Sequence[str]) -> list[str]:
    """Those of the numbers whom a row may be about whose own number cannot be read."""
    texts = {text for number, found in reading.refused.values() if not number for text in found}
    if not texts or not gone:
        return []
    meant: list[str] = []
    for chunk in chunks(gone):
        query = select(Person.employee_number, Person.name, Person.email).where(Person.employee_number.in_(chunk))
        meant += [row.employee_number for row in session.execute(query) if texts & {*row} - {None}]
    return meant


def faults_in_words(reading: Reading, line: Line) -> str:
    """Why a row is refused, with the columns, in English."""
    return " ".join(_in_words(reading, fault) for fault in line.faults)


def _in_words(reading: Reading, fault: Fault) -> str:
    place = reading.place(fault.field)
    return f"{place}: {fault}" if place else str(fault)


def kind_of(name: str, kinds: Mapping[str, Kind] = KINDS) -> Kind:
    """The kind of this name. Raises RefusedInWordsError."""
    if name not in kinds:
        raise RefusedInWordsError(NO_KIND, kind=name, kinds=", ".join(kinds))
    return kinds[name]


NO_KIND = N_("There is no kind of file '%(kind)s'; the kinds are: %(kinds)s.")
