"""How fast a roster gets into the store: 100,000 employees in 300 departments, first and again.

    python -m benchmarks.roster [--url postgresql://…] [--people 100000] [--peer 2000] [--workbook]

A generated file is pulled into an empty store; then the same file again, which is recognised; then the same again with
everything compared (`--full`); then with one per cent changed. Beside them a straightforward peer reads the same file with
csv.DictReader and stores a sample of its rows one by one, as an ORM is often used: look whether the person is there, change
or add them, then the department, position, grade and place. The memory is what the process held at most beyond what it
held before, so that runs with other numbers of people show what it grows with. --workbook: an XLSX file.
"""

import argparse
import csv
import random
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from threading import Event, Thread
from zoneinfo import ZoneInfo

import xlsxwriter
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from connectors.pulls import Wanted
from connectors.roster.connector import RosterConnector, RosterSettings
from connectors.sync import sync
from plugin import lifecycle
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.models import Assignment, Department, Grade, Person, Position, Touched
from plugin.settings import Settings
from plugin.store import Store

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
COLUMNS = ("employee_number", "name", "email", "department", "position", "grade", "manager", "joined", "left")


def rows(people: int, changed: int = 0) -> Iterator[tuple[str, ...]]:
    """Generated employees; every `changed`-th is in another department."""
    chance = random.Random(1)
    family, given = "王李张刘陈杨黄赵吴周", "伟芳娜敏静丽强磊军洋勇艳杰涛明"
    for number in range(people):
        name = chance.choice(family) + chance.choice(given) + chance.choice(given)
        department = number % 300 + (1 if changed and number % changed == 0 else 0)
        joined = date(2010, 1, 1) + timedelta(days=chance.randrange(5_000))
        manager = f"{number // 10:06}" if number else ""
        yield (
            f"{number:06}", name, f"p{number}@acme.example", f"D{department:03}", f"P{number % 200:03}",
            f"G{number % 12}", manager, str(joined), "",
        )  # fmt: skip


def write(path: Path, found: Iterable[tuple[str, ...]]) -> None:
    """The file, as CSV or as a workbook, by its name."""
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(chain([COLUMNS], found))
        return
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet("Employees")
    for at, row in enumerate(chain([COLUMNS], found)):
        for place, text in enumerate(row):
            sheet.write_string(at, place, text)
    book.close()


def pulled(store: Store, path: Path, *, full: bool = False) -> float:
    """Seconds of one pull."""
    connector = RosterConnector("roster", RosterSettings(path=path), Settings())
    begun = time.perf_counter()
    result = sync(store, connector, lambda: NOW, ZONE, wanted=Wanted(full=full))
    assert result.status == "done", result.messages
    return time.perf_counter() - begun


def one_by_one(session: Session, row: Mapping[str, str]) -> None:
    """The peer: look each thing up, change it or add it."""
    units: dict[str, int] = {}
    for model, name in ((Department, "department"), (Position, "position"), (Grade, "grade")):
        unit = session.scalars(select(model).filter_by(code=row[name])).one_or_none()
        if unit is None:
            session.add(unit := model(code=row[name], name=row[name]))
            session.flush()
        units[f"{name}_id"] = unit.id
    person = session.scalars(select(Person).filter_by(employee_number=f"peer{row['employee_number']}")).one_or_none()
    if person is None:
        person = Person(employee_number=f"peer{row['employee_number']}", name="", created_at=NOW, changed_at=NOW)
        session.add(person)
    person.name, person.email = row["name"], row["email"]
    person.joined_on = date.fromisoformat(row["joined"])
    session.flush()
    place = session.scalars(select(Assignment).filter_by(person_id=person.id, valid_until=None)).one_or_none()
    if place is None:
        session.add(place := Assignment(person_id=person.id, valid_from=person.joined_on))
    place.department_id, place.position_id = units["department_id"], units["position_id"]
    place.grade_id, place.manager_number = units["grade_id"], row["manager"] or None
    session.flush()


def measure(store: Store, path: Path, people: int, sample: int) -> None:
    """Pull four times, then the peer; print."""
    write(path, rows(people))

    def say(what: str, seconds: float, count: int) -> float:
        print(f"{what:28} {count:8,} people {seconds:8.2f} s {count / seconds:10,.0f} people/s", flush=True)
        return count / seconds

    peak = Peak()
    first = say("first", pulled(store, path), people)
    print(f"{'memory':28} {peak.end():8.0f} MiB more at the most than before")
    with store.write() as session:
        session.execute(delete(Touched))  # they were derived
    say("the same file", pulled(store, path), people)
    again = say("the same file, compared", pulled(store, path, full=True), people)
    write(path, rows(people, changed=100))
    say("1 % moved", pulled(store, path), people)
    sheet = path.with_suffix(".peer.csv")
    write(sheet, rows(people))
    for what, ours in (("peer, first", first), ("peer, nothing changed", again)):
        begun = time.perf_counter()
        with sheet.open(newline="", encoding="utf-8") as file, store.write() as session:
            for row in islice(csv.DictReader(file), sample):
                one_by_one(session, row)
        theirs = say(what, time.perf_counter() - begun, sample)
        print(f"{'ratio':28} {ours / theirs:8.1f}")


class Peak(Thread):
    """The most memory that the process holds while it lasts, looked at twenty times a second, beyond what it held before."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.most = _megabytes()
        self.ended = Event()
        self.start()

    def run(self) -> None:
        """Look."""
        while not self.ended.wait(0.05):
            self.most = max(self.most, _megabytes())

    def end(self) -> float:
        """The MiB."""
        self.ended.set()
        self.join()
        return self.most - self.before


def _megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main() -> None:
    """Measure in an empty store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty database; a SQLite file if not given")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--peer", type=int, default=2_000, help="how many people the peer stores")
    parser.add_argument("--workbook", action="store_true", help="an XLSX file; otherwise CSV")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        addons = discover([], PACKAGES)
        load_models(addons)
        store = Store(given.url or f"sqlite:///{Path(folder)}/roster.db")
        lifecycle.install(Installation(Settings(), addons, store, lambda: NOW))
        path = Path(folder) / ("roster.xlsx" if given.workbook else "roster.csv")
        measure(store, path, given.people, given.peer)
        store.close()


if __name__ == "__main__":
    main()
