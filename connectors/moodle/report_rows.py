"""The rows of the report of participants, read once for all streams of a pull, and in order.

They are kept in a private temporary database: in memory while they are few, on disk beyond that, gone with the
process. A report of a million rows costs no more memory than one of twenty thousand.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

from connectors.moodle import report_cells
from connectors.moodle.errors import ReportDriftError
from connectors.moodle.report_reading import (
    COMPLETED_FILTER,
    COURSE_FILTER,
    CREATED_FILTER,
    Reading,
    ReportReader,
    Row,
)
from plugin.errors import RecordRefusedError

(
    USER, USERNAME, IDNUMBER, EMAIL, DEPARTMENT, SUSPENDED, COURSE, SHORT_NAME, COURSE_IDNUMBER,
    METHOD, STATUS, CREATED, STARTED, ENDED, OPENED, COMPLETED,
) = range(16)  # fmt: skip

MINUTE = 60
ENROLLED_OVERLAP = 3600  # an enrolment carries the site's own time of writing it
COMPLETED_OVERLAP = 24 * 3600  # a completion may be written by a job later than the moment that it names
COURSES_AT_ONCE = 200


class Rows:
    """Rows by course and user; `whole` when they are all that the report has for their courses."""

    def __init__(self) -> None:
        self.whole = True
        self.latest = 0  # when the newest enrolment was created
        self._store = sqlite3.connect("")  # a temporary file that nobody else sees
        self._store.execute("CREATE TABLE kept (course INTEGER, user INTEGER, cells TEXT)")

    def add(self, rows: Sequence[Row]) -> None:
        """Keep rows; one whose user or course cannot be told is kept under course 0."""
        self._store.executemany(
            "INSERT INTO kept VALUES (?, ?, ?)", [(*self._place(row), json.dumps(row)) for row in rows]
        )

    def courses(self) -> list[tuple[int, int]]:
        """Each course, 0 for rows that cannot be placed, with how many rows it has; in order."""
        self._store.execute("CREATE INDEX IF NOT EXISTS by_course ON kept (course, user)")
        return self._store.execute("SELECT course, count(*) FROM kept GROUP BY course ORDER BY course").fetchall()

    def of(self, first: int, last: int) -> Iterator[tuple[int, int, list[Row]]]:
        """The rows of the courses from `first` to `last`, those of one user together; user 0: nobody is enrolled so."""
        self.courses()
        query = "SELECT course, user, cells FROM kept WHERE course BETWEEN ? AND ? ORDER BY course, user, rowid"
        held: list[Row] = []
        place = (0, 0)
        for course, user, cells in self._store.execute(query, (first, last)):
            if (course, user) != place or not (course and user):
                if held:
                    yield *place, held
                held, place = [], (course, user)
            held.append(json.loads(cells))
        if held:
            yield *place, held

    def one_each(self, column: str) -> Iterator[tuple[int, Row]]:
        """For each `user` or `course` one of their rows, in order."""
        query = f"SELECT {column}, cells FROM kept WHERE {column} > 0 GROUP BY {column} ORDER BY {column}"  # noqa: S608
        for key, cells in self._store.execute(query):
            yield key, json.loads(cells)

    def _place(self, row: Row) -> tuple[int, int]:
        try:
            course = report_cells.link(row[COURSE], "/course/")
            user = report_cells.link(row[USER], "/user/")
            if course is None or (user is None and row[USERNAME]) or len(row) != COMPLETED + 1:
                return 0, 0
        except (IndexError, RecordRefusedError, TypeError, AttributeError):
            return 0, 0
        self.latest = max(self.latest, _seconds(row[CREATED]))
        return course[0], user[0] if user else 0


@dataclass
class Recent:
    """What is new since a moment: whole courses with somebody new, and rows of users who completed something."""

    courses: Rows
    completed: Rows


class Participants:
    """The report of participants of one site, for one pull."""

    def __init__(
        self,
        reader: ReportReader,
        lock: Callable[[], AbstractContextManager[None]] = nullcontext,
        rows_per_call: int | None = None,
    ) -> None:
        self._reader = reader
        self._lock = lock
        self._rows_per_call = rows_per_call
        self._recent: dict[int, Recent] = {}
        self.can_filter = reader.can_filter  # also whether the report has the filters, once `whole` was read

    @cached_property
    def whole(self) -> Rows:
        """Every row. Raises MoodleError."""
        with self._lock():
            if self._reader.can_filter:
                self._reader.narrow({})
            rows = self._read()
            if self._reader.can_filter:
                self._verify(rows)
        return rows

    def recent(self, since: int) -> Recent:
        """What is new since a moment, in Unix seconds. Raises MoodleError."""
        if since not in self._recent:
            with self._lock():
                self._reader.narrow({})
                try:
                    self._recent[since] = self._read_recent(since)
                finally:
                    self._reader.narrow({})
        return self._recent[since]

    def _read_recent(self, since: int) -> Recent:
        begin = since - ENROLLED_OVERLAP
        self._reader.since(CREATED_FILTER, begin)
        new = self._read(lambda row: _seconds(row[CREATED]) >= begin - MINUTE, CREATED_FILTER)
        courses = Rows()
        keys = [course for course, _ in new.courses()]
        for start in range(0, len(keys), COURSES_AT_ONCE):
            chunk = keys[start : start + COURSES_AT_ONCE]
            self._reader.narrow({f"{COURSE_FILTER}_values": [key for key in chunk if key]})
            asked = frozenset(chunk) | {0}
            self._read(lambda row, asked=asked: _course(row) in asked, COURSE_FILTER, courses)  # type: ignore[misc]
        courses.latest = max(courses.latest, since)
        begin = since - COMPLETED_OVERLAP
        self._reader.narrow({})
        self._reader.since(COMPLETED_FILTER, begin)
        completed = self._read(lambda row: _seconds(row[COMPLETED]) >= begin - MINUTE, COMPLETED_FILTER)
        return Recent(courses, completed)

    def _read(self, fits: Callable[[Row], bool] | None = None, filter_name: str = "", into: Rows | None = None) -> Rows:
        """Every row that the report shows. Raises ReportDriftError when most of them do not fit its filter."""
        rows, reading = into or Rows(), Reading()
        for page in self._reader.pages(reading, self._rows_per_call):
            if fits and sum(_ok(fits, row) for row in page) * 2 < len(page):
                raise self._reader.no_filter(filter_name)
            rows.add(page)
        rows.whole &= reading.whole
        return rows

    def _verify(self, rows: Rows) -> None:
        """See which filters the report has, and that it writes UTC: a site may force another time zone upon everybody.

        The newest enrolment is asked for by its Unix time; it is found under the written time if that is UTC.
        """
        try:
            self.can_filter = all(self._reader.has_filter(name) for name in self._reader.report.filters)
            if not rows.latest or not self.can_filter:
                return
            self._reader.narrow({})
            self._reader.since(CREATED_FILTER, rows.latest, rows.latest + MINUTE - 1)
            shown = next(self._reader.pages(Reading(), 1))
        finally:
            self._reader.narrow({})
        if not any(_ok(lambda row: _seconds(row[CREATED]) == rows.latest, row) for row in shown):
            raise ReportDriftError(
                "The reports of this site do not write UTC although they are asked to. Choose 'Users can choose their own "
                "timezone' at 'Force timezone' on Site administration > General > Location > Location settings."
            )


def _seconds(cell: str | None) -> int:
    try:
        return report_cells.moment(cell) or 0
    except (RecordRefusedError, TypeError):
        return 0


def _course(row: Row) -> int:
    found = report_cells.link(row[COURSE], "/course/")
    return found[0] if found else 0


def _ok(fits: Callable[[Row], bool], row: Row) -> bool:
    try:
        return fits(row)
    except (IndexError, RecordRefusedError, TypeError, AttributeError):
        return False
