"""A small organisation and its LMS, built row by row in the store; what the tests of figures ask about."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors import evidence
from connectors.models import (
    Activity,
    Completion,
    Course,
    Enrolment,
    Evidence,
    Identity,
    Result,
    SourceUser,
    StreamRun,
    SyncRun,
)
from metrics.figures.periods import Period
from metrics.figures.question import Question
from plugin.models import Assignment, Department, Grade, Person, Position

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MOODLE = "moodle"
STREAMS = ("users", "courses", "enrolments", "completions", "results")


def at(text: str) -> datetime:
    """A moment on the organisation's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def question(period: str = "2026Q2", as_of: datetime = NOW, **narrowing: Any) -> Question:
    """A question about a period in the organisation's time zone."""
    return Question(Period.parse(period, SHANGHAI), as_of, **narrowing)


class World:
    """Rows in the store, made with what is usual unless a test says otherwise."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.units: dict[tuple[type, str], int] = {}

    def _unit(self, model: Any, code: str | None) -> int | None:
        if code is None:
            return None
        if (model, code) not in self.units:
            row = model(code=code, name=code)
            self.session.add(row)
            self.session.flush()
            self.units[model, code] = row.id
        return self.units[model, code]

    def department(self, code: str, parent: str | None = None) -> None:
        """A department below another."""
        self._unit(Department, code)
        row = self.session.get_one(Department, self.units[Department, code])
        row.parent_id = self._unit(Department, parent)
        self.session.flush()

    def person(
        self,
        number: str,
        department: str | None = None,
        position: str | None = None,
        grade: str | None = None,
        *,
        joined_on: date = date(2020, 1, 1),
        left_on: date | None = None,
        bound_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        source: str = MOODLE,
    ) -> Person:
        """An employee with an account at the source, which is called as they are numbered."""
        person = Person(
            employee_number=number,
            name=f"Name {number}",
            joined_on=joined_on,
            left_on=left_on,
            created_at=NOW,
            changed_at=NOW,
        )
        self.session.add(person)
        self.session.flush()
        self.move(person, department, position, grade, since=joined_on)
        self.account(number, source)
        self.session.add(
            Identity(source=source, user_key=number, person_id=person.id, rule="idnumber", bound_at=bound_at)
        )
        self.session.flush()
        return person

    def account(self, key: str, source: str = MOODLE) -> None:
        """An account that belongs to nobody so far."""
        self.session.add(SourceUser(source=source, user_key=key, suspended=False))
        self.session.flush()

    def move(
        self,
        person: Person,
        department: str | None = None,
        position: str | None = None,
        grade: str | None = None,
        *,
        since: date,
    ) -> None:
        """Where somebody stands from a day on; where they stood before ends then."""
        self.session.execute(
            update(Assignment)
            .where(Assignment.person_id == person.id, Assignment.valid_until.is_(None))
            .values(valid_until=since)
        )
        self.session.add(
            Assignment(
                person_id=person.id,
                valid_from=since,
                valid_until=None,
                department_id=self._unit(Department, department),
                position_id=self._unit(Position, position),
                grade_id=self._unit(Grade, grade),
            )
        )
        self.session.flush()

    def course(
        self, key: str, object_: str | None = None, *, source: str = MOODLE, tracked: bool | None = True
    ) -> None:
        """A course."""
        self.session.add(
            Course(source=source, course_key=key, object=object_ or f"CRS-{key}", name=key, completion_enabled=tracked)
        )
        self.session.flush()

    def enrol(
        self,
        number: str,
        course: str = "1",
        *,
        opened: str | None = None,
        active: bool = True,
        seen: str = "2026-04-01",
        closed: str | None = None,
        source: str = MOODLE,
    ) -> None:
        """An enrolment."""
        self.session.add(
            Enrolment(
                source=source,
                course_key=course,
                user_key=number,
                active=active,
                last_access_at=at(opened) if opened else None,
                first_seen_at=at(seen),
                closed_at=at(closed) if closed else None,
            )
        )
        self.session.flush()

    def complete(
        self,
        number: str,
        course: str = "1",
        when: str = "2026-06-01",
        *,
        seen: str | None = None,
        closed: str | None = None,
    ) -> None:
        """A completion."""
        self.session.add(
            Completion(
                source=MOODLE,
                course_key=course,
                user_key=number,
                completed_at=at(when),
                first_seen_at=at(seen or when),
                closed_at=at(closed) if closed else None,
            )
        )
        self.session.flush()

    def quiz(
        self,
        key: str,
        course: str = "1",
        *,
        kind: str = "quiz",
        minimum: int = 0,
        maximum: int = 100,
        pass_mark: int | None = 60,
    ) -> None:
        """A graded activity."""
        self.session.add(
            Activity(
                source=MOODLE,
                activity_key=key,
                course_key=course,
                object=key,
                kind=kind,
                minimum=Decimal(minimum),
                maximum=Decimal(maximum),
                pass_mark=None if pass_mark is None else Decimal(pass_mark),
            )
        )
        self.session.flush()

    def attempt(self, number: str, quiz: str, score: int, when: str, *, seen: str | None = None) -> Result:
        """An attempt, with the evidence that a sync makes of it."""
        activity = self.session.scalars(select(Activity).where(Activity.activity_key == quiz)).one()
        result = Result(
            minimum=activity.minimum,
            maximum=activity.maximum,
            source=MOODLE,
            activity_key=quiz,
            user_key=number,
            submission=when,
            score=Decimal(score),
            achieved_at=at(when),
            first_seen_at=at(seen or when),
        )
        self.session.add(result)
        self.session.flush()
        evidence.record(self.session, at(seen or when), evidence.results(MOODLE, [(quiz, number, when)]))
        return result

    def state(self, person: Person, when: str, *, course: str | None = None, verb: str = "experienced") -> None:
        """An xAPI statement."""
        self.session.add(
            Evidence(
                person_id=person.id,
                origin=f"statement:{person.id}:{when}",
                source="lrs",
                user_key=person.employee_number,
                kind="statement",
                object="https://lms.example/activity",
                course=course,
                verb=f"https://lms.example/verbs/{verb}",
                achieved_at=at(when),
                recorded_at=at(when),
            )
        )
        self.session.flush()

    def read(
        self,
        when: str,
        *,
        source: str = MOODLE,
        streams: Iterable[str] = STREAMS,
        status: str = "done",
        hours: int = 1,
    ) -> None:
        """A finished reading of a source."""
        started = at(when)
        finished = started + timedelta(hours=hours)
        run = SyncRun(source=source, status=status, started_at=started, heartbeat_at=finished, finished_at=finished)
        self.session.add(run)
        self.session.flush()
        self.session.add_all([StreamRun(run_id=run.id, stream=stream, status=status) for stream in streams])
        self.session.flush()
