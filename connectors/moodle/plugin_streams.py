"""The streams of the companion plugin: which rows each is made of, and what a row says."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors import parse
from connectors.moodle.changes import Step
from connectors.moodle.enrolling import merged
from connectors.moodle.plugin import Row
from connectors.moodle.plugin_reading import ByCourse, ByNumber, Part, grouped
from connectors.records import (
    ActivityCompletionRecord,
    AttemptRecord,
    CategoryRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    UserRecord,
)
from connectors.streams import Page, Raw, Scope
from plugin.errors import RecordRefusedError

STATES = {0: "incomplete", 1: "complete", 2: "passed", 3: "failed"}  # of an activity; Moodle's completionlib.php
FIVE_PLACES = Decimal("0.00001")


def named_raws(kind: str, rows: Iterable[Row], *fields: str) -> list[Raw]:
    """Each row as an item that is called after some of its fields."""
    return [Raw(f"{kind}:{':'.join(str(row.get(field, 'without id')) for field in fields)}", row) for row in rows]


class Users(ByNumber):
    """Every account; those that are deleted are not brought, and so are gone."""

    name = "users"
    records = (UserRecord,)
    parts = (Part("users", UserRecord, ("user_key",), number="user_key"),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each account that is not deleted."""
        return named_raws("user", (row for row in rows["users"] if not row.get("deleted")), "id")

    def parse(self, raw: Mapping[str, Any]) -> UserRecord:
        """An account."""
        custom = raw.get("customfields")
        return UserRecord(
            user_key=parse.key(raw, "id"),
            username=parse.text(raw, "username", 200),
            idnumber=parse.text(raw, "idnumber", 200),
            email=parse.text(raw, "email", 320),
            name=parse.text(raw, "fullname", 300),
            department=parse.text(raw, "department", 300),
            suspended=bool(parse.flag(raw, "suspended")),
            custom={
                str(one["shortname"]): parse.storable(str(one["value"]))
                for one in custom
                if one.get("value") is not None
            }
            if isinstance(custom, list)
            else None,
        )


class Categories(ByNumber):
    """The categories of courses."""

    name = "categories"
    records = (CategoryRecord,)
    parts = (Part("categories", CategoryRecord, ("category_key",), number="category_key"),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each category."""
        return named_raws("category", rows["categories"], "id")

    def parse(self, raw: Mapping[str, Any]) -> CategoryRecord:
        """A category."""
        return CategoryRecord(
            category_key=parse.key(raw, "id"),
            name=str(parse.required(raw, "name"))[:300],
            idnumber=parse.text(raw, "idnumber", 300),
            parent_key=parse.key(raw, "parent") if raw.get("parent") else None,
            visible=parse.flag(raw, "visible"),
        )


class Courses(ByNumber):
    """Every course but the site itself, with the name of its category."""

    name = "courses"
    records = (CourseRecord,)
    parts = (Part("courses", CourseRecord, ("course_key",), number="course_key"),)
    listens = ("categories",)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each course; categories are few and asked for whole."""
        if not rows["courses"]:
            return []
        names = {category.get("id"): category.get("name") for category in self._plugin.rows("categories")}
        with_names = ({**row, "categoryname": names.get(row.get("category"))} for row in rows["courses"])
        return named_raws("course", with_names, "id")

    def parse(self, raw: Mapping[str, Any]) -> CourseRecord:
        """A course."""
        return CourseRecord(
            course_key=parse.key(raw, "id"),
            name=parse.text(raw, "fullname") or str(parse.required(raw, "shortname")),
            idnumber=parse.text(raw, "idnumber", 300) or "",
            short_name=parse.text(raw, "shortname", 300),
            category=parse.text(raw, "categoryname", 300),
            completion_enabled=parse.flag(raw, "enablecompletion"),
            visible=parse.flag(raw, "visible"),
            starts_at=parse.moment(raw, "startdate"),
            ends_at=parse.moment(raw, "enddate"),
            category_key=parse.key(raw, "category") if raw.get("category") else None,
        )

    def _pages_of(self, step: Step) -> list[Page]:
        """Courses bear their category's name: when a category changes, all are read."""
        if any(change.stream == "categories" for change in step.changes):
            rows = self._plugin.rows("courses")
            return [Page((), self.raws({"courses": rows}, step.page.time), Scope(self.records, certain=True))]
        return super()._pages_of(step)


class Enrolments(ByCourse):
    """Who is enrolled: what Moodle keeps for each method is one enrolment of a user in a course."""

    name = "enrolments"
    records = (EnrolmentRecord,)
    parts = (Part("enrolments", EnrolmentRecord, ("course_key", "user_key"), "course_user", ("courseid", "userid")),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each user in each course."""
        return [
            Raw(f"enrolment:{course}:{user}", {"courseid": course, "userid": user, "methods": methods, "time": time})
            for (course, user), methods in grouped(rows["enrolments"], "courseid", "userid").items()
        ]

    def parse(self, raw: Mapping[str, Any]) -> EnrolmentRecord:
        """An enrolment."""
        methods = parse.required(raw, "methods")
        if not isinstance(methods, list) or not methods:
            raise RecordRefusedError("The field 'methods' holds no enrolment.")
        return merged(methods, int(parse.required(raw, "time")))


class Completions(ByCourse):
    """Who completed a course and when, of people who are enrolled no more too."""

    name = "completions"
    records = (CompletionRecord,)
    parts = (Part("completions", CompletionRecord, ("course_key", "user_key"), "course_user", ("courseid", "userid")),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each row that bears a time of completion; the others are under way."""
        done = (row for row in rows["completions"] if row.get("timecompleted", "missing") is not None)
        return named_raws("completion", done, "courseid", "userid")

    def parse(self, raw: Mapping[str, Any]) -> CompletionRecord:
        """A completion."""
        completed_at = parse.moment(raw, "timecompleted")
        if completed_at is None:
            raise RecordRefusedError("The field 'timecompleted' is missing.")
        return CompletionRecord(parse.key(raw, "courseid"), parse.key(raw, "userid"), completed_at)


class ActivityCompletions(ByCourse):
    """How far users are with activities."""

    name = "activity_completions"
    records = (ActivityCompletionRecord,)
    parts = (
        Part("activity_completions", ActivityCompletionRecord, ("module_key", "user_key"), "row", ("cmid", "userid")),
    )

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each row."""
        return named_raws("activity_completion", rows["activity_completions"], "cmid", "userid")

    def parse(self, raw: Mapping[str, Any]) -> ActivityCompletionRecord:
        """A user's state in an activity; it has a time once it is more than incomplete."""
        state = parse.required(raw, "state")
        if state not in STATES:
            raise RecordRefusedError(f"The field 'state' holds {state!r}, which is no state of completion.")
        return ActivityCompletionRecord(
            module_key=parse.key(raw, "cmid"),
            user_key=parse.key(raw, "userid"),
            course_key=parse.key(raw, "courseid"),
            state=STATES[state],
            completed_at=parse.moment(raw, "timemodified") if state else None,
        )


class Attempts(ByCourse):
    """Attempts at quizzes; previews of teachers are not among them."""

    name = "attempts"
    records = (AttemptRecord,)
    parts = (Part("attempts", AttemptRecord, ("course_key", "user_key"), "course_user", ("courseid", "userid")),)

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each attempt."""
        return named_raws("attempt", rows["attempts"], "id")

    def parse(self, raw: Mapping[str, Any]) -> AttemptRecord:
        """An attempt; its marks are scaled to the points of the quiz as Moodle scales them (quiz_rescale_grade)."""
        marks, of, maximum = (parse.number(raw, name) for name in ("sumgrades", "quizsumgrades", "quizgrade"))
        score = None
        if marks is not None and maximum is not None:
            score = (marks * maximum / of).quantize(FIVE_PLACES, ROUND_HALF_UP) if of else Decimal(0)
        return AttemptRecord(
            attempt_key=parse.key(raw, "id"),
            module_key=parse.key(raw, "cmid"),
            course_key=parse.key(raw, "courseid"),
            user_key=parse.key(raw, "userid"),
            number=int(parse.required(raw, "attempt")),
            state=str(parse.required(raw, "state"))[:30],
            started_at=parse.moment(raw, "timestart"),
            finished_at=parse.moment(raw, "timefinish"),
            score=score,
            maximum=maximum,
        )
