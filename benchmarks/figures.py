"""How much faster figures are measured in sets than person by person.

    python benchmarks/figures.py [--people 20000] [--courses 25] [--url postgresql://…] [--sample 500]

Fills an empty store with people, enrolments, completions and results, measures each figure of one quarter with
`metrics.figures`, and again with a straightforward peer that asks for one person's rows after the other's in Python.
The peer runs over a sample of the people and its time is scaled up, unless the sample is all of them (`--sample 0`);
the two must agree about the sample. Without --url, a SQLite file in a temporary folder.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from connectors.models import Activity, Completion, Course, Enrolment, Evidence, Identity, Result, SourceUser
from metrics.figures import registry
from metrics.figures.periods import Period
from metrics.figures.question import Question
from plugin import lifecycle
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.models import Assignment, Department, Person
from plugin.settings import Settings
from plugin.store import Store, chunks

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 320
SOURCE = "moodle"


def fill(session: Session, people: int, courses: int) -> None:
    """People in 40 departments, every one in `courses` of twice as many courses, with a test in each."""
    chance = random.Random(1)

    def moment() -> datetime:
        return START + timedelta(minutes=chance.randrange(DAYS * 1440))

    def put(model: Any, rows: Iterator[dict[str, Any]]) -> None:
        for chunk in chunks(rows, 5000):
            session.execute(insert(model), chunk)

    keys = [str(n) for n in range(2 * courses)]
    mark = Decimal(60)
    put(Department, ({"id": n, "code": f"D{n}", "name": f"D{n}", "parent_id": n // 6 or None} for n in range(1, 41)))
    put(Course, ({"source": SOURCE, "course_key": key, "object": f"CRS-{key}", "name": key} for key in keys))
    put(
        Activity,
        (
            {
                "source": SOURCE, "activity_key": key, "course_key": key, "object": f"QUIZ-{key}", "kind": "quiz",
                "minimum": Decimal(0), "maximum": Decimal(100), "pass_mark": mark,
            }
            for key in keys
        ),
    )  # fmt: skip
    numbers = range(1, people + 1)
    put(
        Person,
        (
            {
                "id": n, "employee_number": f"E{n}", "name": f"N{n}", "joined_on": date(2020, 1, 1),
                "left_on": date(2026, 1 + n % 12, 15) if n % 20 == 0 else None, "created_at": NOW, "changed_at": NOW,
            }
            for n in numbers
        ),
    )  # fmt: skip
    put(
        Assignment,
        ({"person_id": n, "valid_from": date(2020, 1, 1), "department_id": 1 + n % 40} for n in numbers),
    )
    put(SourceUser, ({"source": SOURCE, "user_key": str(n), "suspended": False} for n in numbers))
    put(
        Identity,
        (
            {"source": SOURCE, "user_key": str(n), "person_id": n, "rule": "idnumber", "bound_at": START}
            for n in numbers
        ),
    )
    taken = {n: chance.sample(keys, courses) for n in numbers}
    put(
        Enrolment,
        (
            {
                "source": SOURCE, "course_key": key, "user_key": str(n), "active": chance.random() < 0.97,
                "last_access_at": moment() if chance.random() < 0.8 else None, "first_seen_at": START,
            }
            for n in numbers for key in taken[n]
        ),
    )  # fmt: skip
    put(
        Completion,
        (
            {"source": SOURCE, "course_key": key, "user_key": str(n), "completed_at": when, "first_seen_at": when}
            for n in numbers for key in taken[n] if chance.random() < 0.5
            for when in [moment()]
        ),
    )  # fmt: skip
    tried = [
        (number, n, key, moment(), Decimal(chance.randrange(101)))
        for number, (n, key) in enumerate((n, key) for n in numbers for key in taken[n] if chance.random() < 0.5)
    ]
    put(
        Result,
        (
            {
                "id": number + 1, "source": SOURCE, "activity_key": key, "user_key": str(n), "submission": str(number),
                "minimum": Decimal(0), "maximum": Decimal(100), "score": score, "achieved_at": when, "first_seen_at": when,
            }
            for number, n, key, when, score in tried
        ),
    )  # fmt: skip
    put(
        Evidence,
        (
            {
                "person_id": n, "origin": f"result:{number + 1}", "source": SOURCE, "user_key": str(n), "kind": kind,
                "object": f"QUIZ-{key}", "course": f"CRS-{key}", "achieved_at": when, "recorded_at": when,
                "percent": score, "success": success,
            }
            for number, n, key, when, score in tried
            for kind, success in (("score", None), ("passed", score >= mark))
        ),
    )  # fmt: skip


def present(session: Session, asked: Question, limit: int | None) -> list[Person]:
    """The population, or the first of it."""
    day = asked.population_date
    everybody = session.scalars(select(Person).order_by(Person.id).limit(limit))
    return [person for person in everybody if person.left_on is None or person.left_on > day]


def rows_of(session: Session, person: Person, model: Any) -> list[Any]:
    """One person's rows of a pulled table."""
    account = select(Identity.user_key).where(Identity.person_id == person.id, Identity.unbound_at.is_(None))
    key = session.scalars(account).one()
    return list(session.scalars(select(model).where(model.source == SOURCE, model.user_key == key)))


def is_within(when: datetime | None, asked: Question) -> bool:
    """Whether a moment lies in the period."""
    return when is not None and asked.period.start <= when < asked.period.end


def coverage(session: Session, asked: Question, limit: int | None) -> tuple[int, int]:
    """Coverage, person by person."""
    courses = {row.activity_key: row.course_key for row in session.scalars(select(Activity))}
    took_part = 0
    people = present(session, asked, limit)
    for person in people:
        active = {row.course_key: row for row in rows_of(session, person, Enrolment) if row.active}
        opened = any(is_within(row.last_access_at, asked) for row in active.values())
        completed = any(is_within(row.completed_at, asked) for row in rows_of(session, person, Completion))
        worked = any(
            is_within(row.achieved_at, asked) and courses[row.activity_key] in active
            for row in rows_of(session, person, Result)
        )
        took_part += opened or completed or worked
    return took_part, len(people)


def completion_rate(session: Session, asked: Question, limit: int | None) -> tuple[int, int]:
    """Completion rate, person by person."""
    numerator = denominator = 0
    for person in present(session, asked, limit):
        completions = rows_of(session, person, Completion)
        completed = {row.course_key for row in completions if is_within(row.completed_at, asked)}
        earlier = {row.course_key for row in completions if row.completed_at < asked.period.start}
        active = {row.course_key for row in rows_of(session, person, Enrolment) if row.active}
        numerator += len(completed)
        denominator += len(completed | (active - earlier))
    return numerator, denominator


def pass_rate(session: Session, asked: Question, limit: int | None) -> tuple[int, int]:
    """Pass rate by the best attempt, person by person."""
    activities = {row.activity_key: row for row in session.scalars(select(Activity))}
    numerator = denominator = 0
    for person in present(session, asked, limit):
        best: dict[str, bool] = {}
        for row in rows_of(session, person, Result):
            mark = activities[row.activity_key].pass_mark
            if mark and is_within(row.achieved_at, asked):
                best[row.activity_key] = best.get(row.activity_key, False) or row.score >= mark
        denominator += bool(best)
        numerator += bool(best) and all(best.values())
    return numerator, denominator


PEERS: dict[str, Callable[[Session, Question, int | None], tuple[int, int]]] = {
    "coverage": coverage,
    "completion_rate": completion_rate,
    "pass_rate": pass_rate,
}


def prepared(url: str, folder: Path) -> Store:
    """An empty store with every table."""
    addons = discover([], PACKAGES)
    load_models(addons)
    settings = Settings.model_validate({})
    settings._folder = folder
    store = Store(url)
    lifecycle.install(Installation(settings, addons, store, lambda: NOW))
    return store


def compare(store: Store, asked: Question, people: int, sample: int) -> None:
    """Measure every figure both ways and print the ratio."""
    some = frozenset(f"E{n}" for n in range(1, sample + 1)) if sample else None
    sized = Question(asked.period, asked.as_of, listed=some)
    print(f"{'figure':18}{'sets':>10}{'by department':>16}{'by month':>12}{'peer':>12}{'ratio':>8}")
    for name, peer in PEERS.items():
        with store.read() as session:
            figure = registry.measure(session, name, sized)
            begin = time.perf_counter()
            expected = peer(session, asked, sample or None)
            scaled = (time.perf_counter() - begin) * (people / sample if sample else 1)
        if (figure.numerator, figure.denominator) != expected:
            raise SystemExit(f"{name}: {figure.numerator}/{figure.denominator}, but the peer says {expected}")
        took = []
        for by in (None, "department", "month"):
            with store.read() as session:
                begin = time.perf_counter()
                registry.definition(name).measure(session, asked, by)
                took.append(time.perf_counter() - begin)
        print(f"{name:18}{took[0]:>9.2f}s{took[1]:>15.2f}s{took[2]:>11.2f}s{scaled:>11.1f}s{scaled / took[0]:>7.0f}x")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--courses", type=int, default=25, help="enrolments per person")
    parser.add_argument("--sample", type=int, default=500, help="people whom the peer goes through; 0 for all")
    parser.add_argument("--url", help="an empty PostgreSQL database")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = prepared(arguments.url or f"sqlite:///{folder}/store.db", Path(folder))
        begin = time.perf_counter()
        with store.write() as session:
            fill(session, arguments.people, arguments.courses)
        if not store.is_sqlite:
            with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
        size = arguments.people * arguments.courses
        print(f"{arguments.people} people, {size} enrolments, filled in {time.perf_counter() - begin:.0f} s")
        asked = Question(Period.parse("2026Q2", ZoneInfo("Asia/Shanghai")), NOW)
        compare(store, asked, arguments.people, min(arguments.sample, arguments.people))
        store.close()


if __name__ == "__main__":
    main()
