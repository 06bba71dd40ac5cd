"""How fast what was pulled gets into the store: 20,000 enrolments, 11,000 completions and 47,000 results, with evidence.

    python -m benchmarks.sync [--url postgresql://…] [--scale 1] [--peer 2000]

A connector in memory gives pages of 5,000; nothing is asked of a network. The first pull stores everything, the second
finds everything unchanged, the third one per cent changed. Beside them a straightforward peer stores a sample of the same
records one by one, as an ORM is often used: look whether the row is there, change it or add it, make its evidence. Without
--url, a SQLite file in a temporary folder.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.evidence import percent
from connectors.models import Activity, Completion, Course, Enrolment, Evidence, Identity, Result
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EmployeeRecord,
    EnrolmentRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from connectors.streams import Connector, Cursor, Finding, Page, Raw, Stream, pass_number
from connectors.sync import sync
from plugin import lifecycle
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.people import Employee
from plugin.settings import Settings
from plugin.store import Store

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
PAGE, PEOPLE, COURSES, ACTIVITIES = 5_000, 2_000, 20, 3
WORK = ("enrolments", "completions", "results")


class Memory(Stream):
    """A stream of records in a list; the cursor is (pass, records read)."""

    def __init__(self, name: str, records: Sequence[Record]) -> None:
        self.name, self.held = name, list(records)  # type: ignore[misc]  # a class of its own for each would say no more
        self.records = tuple({type(record) for record in records})  # type: ignore[misc]

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of 5,000, each the whole of what it shows when there is but one."""
        number = pass_number(cursor)
        done = int(cursor[1]) if cursor and len(cursor) > 1 else 0
        while done < len(self.held):
            raws = [Raw(str(at), {"at": at}) for at in range(done, min(done + PAGE, len(self.held)))]
            done += len(raws)
            yield Page((number, done), raws)
        yield Page((number + 1,), ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """The record."""
        return self.held[raw["at"]]


class Source(Connector):
    """The streams of `held`."""

    def __init__(self, held: Mapping[str, Sequence[Record]]) -> None:
        super().__init__("moodle")
        self.held = held

    def streams(self) -> Sequence[Stream]:
        """One for each list."""
        return [Memory(name, records) for name, records in self.held.items()]

    def check(self) -> list[Finding]:
        """Nothing."""
        return []


def made(scale: float) -> dict[str, list[Any]]:
    """A site of 2,000 people and 20 courses, times `scale`."""
    chance = random.Random(1)
    people, zero, hundred = int(PEOPLE * scale), Decimal(0), Decimal(100)

    def moment() -> datetime:
        return START + timedelta(minutes=chance.randrange(320 * 1440))

    enrolled = [(str(user), str(course)) for user in range(people) for course in chance.sample(range(COURSES), 10)]
    activities = [
        ActivityRecord(f"{course}-{n}", str(course), f"quiz-{course}-{n}", "quiz", "Test", zero, hundred, Decimal(60))
        for course in range(COURSES)
        for n in range(ACTIVITIES)
    ]
    results = []
    for user, course in enrolled:
        for n in range(ACTIVITIES):
            if chance.random() < 0.785:
                at = moment()
                score = Decimal(chance.randrange(10_000)) / 100
                results.append(ResultRecord(f"{course}-{n}", user, str(at.timestamp()), score, zero, hundred, at, at))
    return {
        "people": [EmployeeRecord(Employee(f"E{user}", f"Name {user}")) for user in range(people)],
        "users": [UserRecord(str(user), f"u{user}", f"E{user}", None, f"Name {user}") for user in range(people)],
        "courses": [CourseRecord(str(course), f"Course {course}", f"CRS-{course}") for course in range(COURSES)],
        "activities": activities,
        "enrolments": [
            EnrolmentRecord(course, user, active=True, methods="manual", enrolled_at=moment())
            for user, course in enrolled
        ],
        "completions": [
            CompletionRecord(course, user, moment()) for user, course in enrolled if chance.random() < 0.55
        ],
        "results": results,
    }


def pulled(store: Store, held: Mapping[str, Sequence[Record]]) -> tuple[float, int]:
    """Seconds and rows of one pull."""
    begun = time.perf_counter()
    result = sync(store, Source(held), lambda: NOW, ZONE)
    assert result.status == "done", result.messages
    return time.perf_counter() - begun, sum(map(len, held.values()))


def one_by_one(session: Session, records: Sequence[Any]) -> None:
    """The peer: each record looked up, changed or added, and its evidence after it."""
    for record in records:
        person = session.scalars(select(Identity).filter_by(source="peer", user_key=record.user_key)).one().person_id
        if isinstance(record, EnrolmentRecord):
            key = {"source": "peer", "course_key": record.course_key, "user_key": record.user_key}
            found = session.scalars(select(Enrolment).filter_by(**key)).one_or_none()
            if found is None:
                session.add(found := Enrolment(**key, first_seen_at=NOW))
            found.active, found.methods, found.enrolled_at = record.active, record.methods, record.enrolled_at
        elif isinstance(record, CompletionRecord):
            key = {"source": "peer", "course_key": record.course_key, "user_key": record.user_key}
            done = session.scalars(select(Completion).filter_by(**key, completed_at=record.completed_at)).one_or_none()
            if done is None:
                session.add(done := Completion(**key, completed_at=record.completed_at, first_seen_at=NOW))
                session.flush()
            course = session.scalars(select(Course).filter_by(source="moodle", course_key=record.course_key)).one()
            _prove(
                session, person, f"completion:{done.id}", "completed", course.object, record.completed_at, None, None
            )
        else:
            key = {"source": "peer", "activity_key": record.activity_key, "user_key": record.user_key}
            got = session.scalars(select(Result).filter_by(**key, submission=record.submission)).one_or_none()
            if got is None:
                session.add(got := Result(**key, submission=record.submission, first_seen_at=NOW))
            got.score, got.minimum, got.maximum = record.score, record.minimum, record.maximum
            got.achieved_at, got.graded_at = record.achieved_at, record.graded_at
            session.flush()
            quiz = session.scalars(select(Activity).filter_by(source="moodle", activity_key=record.activity_key)).one()
            share = percent(record.score, record.minimum, record.maximum)
            for kind, success in (("score", None), ("passed", record.score >= (quiz.pass_mark or 0))):
                _prove(session, person, f"result:{got.id}", kind, quiz.object, record.achieved_at, share, success)


def _prove(
    session: Session, person: int, origin: str, kind: str, object_: str, at: datetime, share: Any, success: Any
) -> None:
    key = {"person_id": person, "origin": f"peer:{origin}", "kind": kind, "voided_at": None}
    if session.scalars(select(Evidence).filter_by(**key)).one_or_none() is None:
        piece = {**key, "source": "peer", "user_key": "", "object": object_, "achieved_at": at, "recorded_at": NOW}
        session.add(Evidence(**piece, percent=share, success=success))


def measure(store: Store, scale: float, sample: int) -> None:
    """Pull three times, then the peer; print."""
    held = made(scale)
    ground = {name: records for name, records in held.items() if name not in WORK}
    work = {name: held[name] for name in WORK}
    pulled(store, ground)
    before = _megabytes()

    def say(what: str, seconds: float, rows: int) -> float:
        print(f"{what:28} {rows:8,} rows {seconds:8.2f} s {rows / seconds:10,.0f} rows/s")
        return rows / seconds

    first = say("first pull", *pulled(store, work))
    again = say("nothing changed", *pulled(store, work))
    changed = [replace(one, score=one.score / 2) if n % 100 == 0 else one for n, one in enumerate(work["results"])]
    say("1 % of the results changed", *pulled(store, {**work, "results": changed}))
    print(f"{'memory':28} {_megabytes() - before:8.0f} MiB more at the most than before the first pull")
    with store.read() as session:
        print(f"{'evidence':28} {session.scalar(select(func.count()).select_from(Evidence)):8,} pieces")
    parts = [records[:: max(1, len(records) * len(WORK) // sample)] for records in work.values()]
    with store.write() as session:
        identities = session.scalars(select(Identity).where(Identity.source == "moodle")).all()
        session.add_all(
            Identity(source="peer", user_key=one.user_key, person_id=one.person_id, rule="peer", bound_at=NOW)
            for one in identities
        )
    for what, ours in (("peer, first", first), ("peer, nothing changed", again)):
        begun = time.perf_counter()
        for part in parts:
            with store.write() as session:
                one_by_one(session, part)
        theirs = say(what, time.perf_counter() - begun, sum(map(len, parts)))
        print(f"{'ratio':28} {ours / theirs:8.1f}")


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure in an empty store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty database; a SQLite file if not given")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--peer", type=int, default=2_000, help="how many records the peer stores")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        addons = discover([], PACKAGES)
        load_models(addons)
        store = Store(given.url or f"sqlite:///{Path(folder)}/sync.db")
        lifecycle.install(Installation(Settings(), addons, store, lambda: NOW))
        measure(store, given.scale, given.peer)
        store.close()


if __name__ == "__main__":
    main()
