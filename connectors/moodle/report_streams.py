"""The streams that the report of participants gives: enrolments and completions, and where need be users and courses.

The report is read whole when everything is compared. In between, the courses that somebody was enrolled in since are
read whole, and of completions those since, with an overlap. A cursor is (pass, last course read); when the pass has
ended (next pass, 0, newest enrolment in Unix seconds), or (next pass,) when everything has to be read again.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from hashlib import sha256
from json import dumps
from typing import Any, ClassVar

from connectors import parse
from connectors.moodle import report_cells
from connectors.moodle import report_rows as at
from connectors.moodle.enrolling import merged
from connectors.moodle.report_reading import PARTICIPANTS, Row
from connectors.moodle.report_rows import Participants, Recent, Rows
from connectors.moodle.ways import REPORT
from connectors.records import CompletionRecord, CourseRecord, EnrolmentRecord, UserRecord
from connectors.streams import Cursor, In, Page, Raw, Scope, Stream, pass_number
from plugin.errors import RecordRefusedError

ROWS_PER_PAGE = 5_000  # so many are committed together


class _FromParticipants(Stream):
    """What is common: pages of whole courses when everything is read, and what is new in between."""

    way = REPORT
    incremental: ClassVar[bool] = True

    def __init__(self, participants: Participants) -> None:
        self._participants = participants

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The pages after `cursor`; all of them only after a cursor that holds a pass, or a place within one."""
        number = pass_number(cursor)
        if cursor is not None and len(cursor) == 3:
            yield from self._new(number, int(cursor[2]))
            return
        after = int(cursor[1]) if cursor is not None and len(cursor) == 2 else -1
        rows = self._participants.whole
        for last, raws, scope in self.read(rows, after):
            yield Page((number, last), raws, scope if rows.whole else None)
        if not rows.whole:  # it changed while it was read: what was not seen may still be there
            yield Page((number + 1,))
        elif self._participants.can_filter and rows.latest:
            yield Page((number + 1, 0, rows.latest), ends_pass=True)
        else:
            yield Page((number + 1,), ends_pass=True)

    def _new(self, number: int, since: int) -> Iterator[Page]:
        recent = self._participants.recent(since)
        rows = self.recent_rows(recent)
        for _, raws, scope in self.read(rows, -1):
            yield Page((number, 0, since), raws, scope if rows.whole and self.whole_courses else None)
        whole = recent.courses.whole and recent.completed.whole
        yield Page((number, 0, max(since, recent.courses.latest) if whole else since))

    whole_courses: ClassVar[bool] = False  # whether what is new shows all of its courses

    def recent_rows(self, recent: Recent) -> Rows:
        """Which of the new rows this stream reads."""
        return recent.courses

    @abstractmethod
    def read(self, rows: Rows, after: int) -> Iterator[tuple[int, list[Raw], Scope | None]]:
        """What lies behind the place `after`, in a few pages: the place each stands on, its items, what it shows whole."""


class _ByCourse(_FromParticipants):
    """A stream with an item for each user of each course."""

    def read(self, rows: Rows, after: int) -> Iterator[tuple[int, list[Raw], Scope | None]]:
        """Pages of whole courses."""
        for first, last, courses in _groups(rows, after):
            raws = [
                raw
                for course, user, theirs in rows.of(first, last)
                if user or not course
                for raw in self.items(course, user, theirs)
            ]
            keys = [str(course) for course in courses if course]
            yield last, raws, Scope(self.records, In.courses(keys)) if keys else None

    @abstractmethod
    def items(self, course: int, user: int, rows: list[Row]) -> Iterator[Raw]:
        """What the rows of one user in one course give; course 0: a row that cannot be placed."""


class ReportEnrolments(_ByCourse):
    """Who is enrolled, by which methods, since when and until when."""

    name = "enrolments"
    records = (EnrolmentRecord,)
    whole_courses = True

    def items(self, course: int, user: int, rows: list[Row]) -> Iterator[Raw]:
        """One item, also of somebody enrolled by several methods; and each row that cannot be placed."""
        if not course:
            for row in rows:
                yield Raw(f"row:{sha256(dumps(row).encode()).hexdigest()[:32]}", {"row": row})
            return
        names = {"plugin": at.METHOD, "status": at.STATUS, "created": at.CREATED, "started": at.STARTED}
        names |= {"ended": at.ENDED, "opened": at.OPENED}
        methods = [{name: row[place] for name, place in names.items()} for row in rows]
        yield Raw(f"enrolment:{course}:{user}", {"courseid": course, "userid": user, "methods": methods})

    def parse(self, raw: Mapping[str, Any]) -> EnrolmentRecord:
        """An enrolment; its moments are to the minute."""
        if "row" in raw:
            raise RecordRefusedError(_why_unplaced(raw["row"]))
        rows = [
            {
                "courseid": raw.get("courseid"),
                "userid": raw.get("userid"),
                "enrol": report_cells.METHODS.get(shown := report_cells.text(one["plugin"]) or "", shown),
                "active": report_cells.active(one["status"]),
                "timecreated": _moment(one, "created"),
                "timestart": _moment(one, "started"),
                "timeend": _moment(one, "ended"),
                "timestarted": _moment(one, "opened"),
            }
            for one in raw["methods"]
        ]
        return merged(rows)


class ReportCompletions(_ByCourse):
    """Who completed the course, and when, to the minute."""

    name = "completions"
    records = (CompletionRecord,)

    def recent_rows(self, recent: Recent) -> Rows:
        """The rows of those who completed something."""
        return recent.completed

    def items(self, course: int, user: int, rows: list[Row]) -> Iterator[Raw]:
        """One item for who has completed; rows by several methods say the same."""
        completed = next((row[at.COMPLETED] for row in rows if row[at.COMPLETED]), None) if course else None
        if completed:
            yield Raw(f"completion:{course}:{user}", {"courseid": course, "userid": user, "completed": completed})

    def parse(self, raw: Mapping[str, Any]) -> CompletionRecord:
        """A completion."""
        seconds = {"completed": _moment(raw, "completed")}
        moment = parse.moment(seconds, "completed")
        if moment is None:
            raise RecordRefusedError("The field 'completed' is missing.")
        return CompletionRecord(parse.key(raw, "courseid"), parse.key(raw, "userid"), moment)


class ReportUsers(_FromParticipants):
    """The accounts that are enrolled somewhere; of others nothing is known, so that none counts as gone."""

    name = "users"
    records = (UserRecord,)

    def read(self, rows: Rows, after: int) -> Iterator[tuple[int, list[Raw], Scope | None]]:
        """A few thousand accounts at a time."""
        raws: list[Raw] = []
        user = after
        for user, row in rows.one_each("user"):
            if user > after:
                raws.append(Raw(f"user:{user}", {"id": user, "columns": row[at.USER : at.COURSE]}))
            if len(raws) == ROWS_PER_PAGE:
                yield user, raws, None
                raws = []
        if raws:
            yield user, raws, None

    def parse(self, raw: Mapping[str, Any]) -> UserRecord:
        """An account."""
        shown, username, idnumber, email, department, suspended = raw["columns"]
        link = report_cells.link(shown, "/user/")
        account = {
            "username": report_cells.text(username),
            "idnumber": report_cells.text(idnumber),
            "email": report_cells.text(email),
            "department": report_cells.text(department),
            "name": link[1] if link else None,
        }
        return UserRecord(
            user_key=parse.key(raw, "id"),
            username=parse.text(account, "username", 200),
            idnumber=parse.text(account, "idnumber", 200),
            email=parse.text(account, "email", 320),
            name=parse.text(account, "name", 300),
            department=parse.text(account, "department", 300),
            suspended=bool(report_cells.yes(suspended)),
        )


class ReportCourses(_FromParticipants):
    """Every course: one without anybody in it has a row too."""

    name = "courses"
    records = (CourseRecord,)

    def read(self, rows: Rows, after: int) -> Iterator[tuple[int, list[Raw], Scope | None]]:
        """One page."""
        raws = [
            Raw(f"course:{course}", {"id": course, "columns": row[at.COURSE : at.METHOD]})
            for course, row in rows.one_each("course")
        ]
        if raws and after < 0:
            yield max(course for course, _ in rows.courses()), raws, Scope((CourseRecord,))

    def parse(self, raw: Mapping[str, Any]) -> CourseRecord:
        """A course; what the report does not show is unknown, not empty."""
        shown, short_name, idnumber = raw["columns"]
        link = report_cells.link(shown, "/course/")
        course = {"name": link[1] if link else None, "short": report_cells.text(short_name)}
        return CourseRecord(
            course_key=parse.key(raw, "id"),
            name=parse.text(course, "name") or str(parse.required(course, "short")),
            idnumber=parse.text({"idnumber": report_cells.text(idnumber)}, "idnumber", 300) or "",
            short_name=parse.text(course, "short", 300),
        )


def _groups(rows: Rows, after: int) -> Iterator[tuple[int, int, list[int]]]:
    """Neighbouring courses whose rows make a page, or one that makes more: the first, the last, all of them."""
    held: list[int] = []
    size = 0
    for course, count in rows.courses():
        if course <= after:
            continue
        if held and size + count > ROWS_PER_PAGE:
            yield held[0], held[-1], held
            held, size = [], 0
        held.append(course)
        size += count
    if held:
        yield held[0], held[-1], held


def _moment(raw: Mapping[str, Any], field: str) -> int | None:
    try:
        return report_cells.moment(raw.get(field))
    except RecordRefusedError as error:
        raise RecordRefusedError(f"The field {field!r}: {error}") from None


def _why_unplaced(row: Any) -> str:
    expected = len(PARTICIPANTS.headings)
    if not isinstance(row, list) or len(row) != expected:
        return f"The row has not the {expected} columns of its report."
    for place, path in ((at.USER, "/user/"), (at.COURSE, "/course/")):
        try:
            if report_cells.link(row[place], path) is None:
                return f"Column {place + 1} of the row is empty: it does not say whose it is."
        except (RecordRefusedError, TypeError, AttributeError):
            return f"Column {place + 1} of the row is no link to {path} with an id."
    return "The row cannot be placed."
