"""What the plain functions of a Moodle site show: each stream is read whole, course by course.

No plain function tells what has changed since a moment, so every pull is a pass over everything; the store keeps
what differs. A cursor is (pass, last course read). A course whose answer cannot be used is set aside in quarantine
as a failed request and the others go on; three in a row, and the site is taken to be down.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors import parse
from connectors.moodle import errors
from connectors.moodle.client import Call, MoodleClient
from connectors.moodle.errors import MoodleError, NotFoundInMoodleError, UnreachableError
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from connectors.streams import Cursor, Failure, Page, Raw, Scope, Stream, pass_number
from plugin.errors import RecordRefusedError

FAILURES_IN_A_ROW = 3
SITE_COURSE_FORMAT = "site"
ANY_CRITERION = 2

# Answers that say nothing is wrong: the user is not enrolled any more, or the course does not track completion.
ORDINARY = frozenset({"usernotenroled", "cannotviewreport", "nocriteriaset", "userdeleted", "invaliduser"})


def option(name: str, value: object) -> dict[str, object]:
    """One option of core_enrol_get_enrolled_users."""
    return {"name": name, "value": value}


class Users(Stream):
    """Every account that is not deleted, in one call: the only plain function that lists all."""

    name = "users"
    records = (UserRecord,)

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all accounts."""
        answer = self._client.call("core_user_get_users", criteria=[{"key": "email", "value": "%"}])
        users = _list(answer, "core_user_get_users", "users")
        if not users:
            # There is always the web service user itself: Moodle leaves out in silence what the role may not see, and
            # what is not seen must not count as gone, here or in any course.
            error = errors.missing_capability("core_user_get_users")
            error.whole_source = True
            raise error
        raws = [Raw(f"user:{_id(user)}", user) for user in users]
        yield Page((pass_number(cursor) + 1,), raws, Scope((UserRecord,)), key="users", ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> UserRecord:
        """An account; empty fields are absent."""
        return UserRecord(
            user_key=parse.key(raw, "id"),
            username=parse.text(raw, "username", 200),
            idnumber=parse.text(raw, "idnumber", 200),
            email=parse.text(raw, "email", 320),
            name=parse.text(raw, "fullname", 300),
            department=parse.text(raw, "department", 300),
            suspended=bool(parse.flag(raw, "suspended")),
        )


class Courses(Stream):
    """Every course but the site itself.

    Without moodle/course:update the course functions leave the idnumber out, so it is read where the least rights
    show it: in the courses of one active user of each course.
    """

    name = "courses"
    records = (CourseRecord,)

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all courses."""
        courses = _courses(self._client)
        details = self._details([course for course in courses if _has_id(course) and "idnumber" not in course])
        categories = self._categories()
        settings = self._settings()
        raws = []
        for course in courses:
            own = int(course["id"]) if _has_id(course) else 0
            known = {**settings.get(own, {}), **details.get(own, {}), **course}
            raws.append(
                Raw(f"course:{_id(course)}", {**known, "categoryname": categories.get(course.get("categoryid", 0))})
            )
        yield Page((pass_number(cursor) + 1,), raws, Scope((CourseRecord,)), key="courses", ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> CourseRecord:
        """A course; what the token may not see is unknown, not empty."""
        return CourseRecord(
            course_key=parse.key(raw, "id"),
            name=parse.text(raw, "fullname") or str(parse.required(raw, "shortname")),
            idnumber=(parse.text(raw, "idnumber", 300) or "") if "idnumber" in raw else None,
            short_name=parse.text(raw, "shortname", 300),
            category=parse.text(raw, "categoryname", 300),
            completion_enabled=parse.flag(raw, "enablecompletion"),
            visible=parse.flag(raw, "visible"),
            starts_at=parse.moment(raw, "startdate"),
            ends_at=parse.moment(raw, "enddate"),
        )

    def _details(self, courses: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        """idnumber and settings of `courses`, as far as an active user of theirs shows them; in two rounds of calls."""
        needed = {"core_enrol_get_enrolled_users", "core_enrol_get_users_courses"}
        if not courses or not needed <= self._client.site.functions:
            return {}
        one = [option("onlyactive", 1), option("userfields", "id"), option("limitnumber", 1)]
        asked = [
            Call("core_enrol_get_enrolled_users", {"courseid": course["id"], "options": one}) for course in courses
        ]
        answers = zip(courses, self._client.call_many(asked), strict=True)
        user_of = {
            course["id"]: user["id"]
            for course, users in answers
            if isinstance(users, list)
            for user in users
            if _has_id(user)
        }
        asked = [
            Call("core_enrol_get_users_courses", {"userid": user, "returnusercount": 0})
            for user in sorted(set(user_of.values()))
        ]
        shown = ("idnumber", "enablecompletion", "visible")
        details: dict[int, Mapping[str, Any]] = {
            course["id"]: {name: course[name] for name in shown if course.get(name) is not None}
            for answer in self._client.call_many(asked)
            if isinstance(answer, list)
            for course in answer
            if _has_id(course)
        }
        hidden = {course: user for course, user in user_of.items() if course not in details}
        return details | self._hidden(hidden)

    def _hidden(self, user_of: Mapping[int, int]) -> dict[int, Mapping[str, Any]]:
        """The idnumbers of courses that are hidden from their own users: a user's grades name them."""
        function = "gradereport_user_get_grade_items"
        if function not in self._client.site.functions:
            return {}
        asked = [Call(function, {"courseid": course, "userid": user}) for course, user in user_of.items()]
        return {
            grades["courseid"]: {"idnumber": grades.get("courseidnumber") or ""}
            for answer in self._client.call_many(asked)
            if isinstance(answer, dict)
            for grades in _list(answer, function, "usergrades")
            if isinstance(grades.get("courseid"), int)
        }

    def _settings(self) -> dict[int, Mapping[str, Any]]:
        """Completion tracking and visibility of every course, hidden ones too, where the token may ask for them."""
        function = "core_course_get_courses_by_field"
        if function not in self._client.site.functions:
            return {}
        shown = ("enablecompletion", "visible")
        return {
            course["id"]: {name: course[name] for name in shown if course.get(name) is not None}
            for course in _list(self._client.call(function), function, "courses")
            if _has_id(course)
        }

    def _categories(self) -> dict[int, str]:
        if "core_course_get_categories" not in self._client.site.functions:
            return {}
        function = "core_course_get_categories"
        categories = _list(self._client.call(function), function)
        return {category["id"]: category["name"] for category in categories if _has_id(category) and "name" in category}


class _PerCourse(Stream):
    """A stream that is read course by course, in the order of their ids."""

    function: str
    whole: tuple[type, ...] = ()  # the records of which a page shows all of its course; every one by default

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """A page for each course after the cursor's, and one that ends the pass."""
        self._client.require(self.function)
        number = pass_number(cursor)
        after = int(cursor[1]) if cursor and len(cursor) > 1 else 0
        failures = 0
        for course in sorted(all_courses(self._client), key=lambda course: int(course["id"])):
            course_id = int(course["id"])
            if course_id <= after:
                continue
            position = (number, course_id)
            try:
                raws = self.read(course_id)
            except NotFoundInMoodleError:
                continue  # deleted since the list was read
            except MoodleError as error:
                failures += 1
                if error.whole_source or failures == FAILURES_IN_A_ROW:
                    raise
                failure = Failure(f"course:{course_id}", {"function": self.function, "courseid": course_id}, str(error))
                yield Page(position, failure=failure)
                continue
            failures = 0
            yield Page(position, raws, Scope(self.whole or self.records, str(course_id)), key=f"course:{course_id}")
        yield Page((number + 1,), ends_pass=True)

    @abstractmethod
    def read(self, course_id: int) -> list[Raw]:
        """Everything of one course. Raises MoodleError."""

    def _enrolled(self, course_id: int, *options: dict[str, object]) -> list[Mapping[str, Any]]:
        fields = option("userfields", "id,lastcourseaccess")
        function = "core_enrol_get_enrolled_users"
        return _list(self._client.call(function, courseid=course_id, options=[fields, *options]), function)


class Enrolments(_PerCourse):
    """Who is enrolled, whether suspended or expired, and when they last opened the course."""

    name = "enrolments"
    records = (EnrolmentRecord,)
    function = "core_enrol_get_enrolled_users"

    def read(self, course_id: int) -> list[Raw]:
        """Two calls: everybody, and those whose enrolments are all suspended or over."""
        users = self._enrolled(course_id)
        inactive = {user.get("id") for user in self._enrolled(course_id, option("onlysuspended", 1))}
        return [
            Raw(
                f"enrolment:{course_id}:{_id(user)}",
                {
                    "courseid": course_id,
                    "userid": user.get("id"),
                    "active": user.get("id") not in inactive,
                    "lastcourseaccess": user.get("lastcourseaccess"),
                },
            )
            for user in users
        ]

    def parse(self, raw: Mapping[str, Any]) -> EnrolmentRecord:
        """An enrolment."""
        return EnrolmentRecord(
            course_key=parse.key(raw, "courseid"),
            user_key=parse.key(raw, "userid"),
            active=bool(parse.flag(raw, "active")),
            last_access_at=parse.moment(raw, "lastcourseaccess"),
        )


class Completions(_PerCourse):
    """Who has completed the course, and when: the moment is that of the criteria, for the plain functions show no other."""

    name = "completions"
    records = (CompletionRecord,)
    function = "core_completion_get_course_completion_status"

    def read(self, course_id: int) -> list[Raw]:
        """The status of every active user, many in one request where the service allows it."""
        enrolled = self._enrolled(course_id, option("onlyactive", 1))
        users = [user["id"] for user in enrolled if _has_id(user)]
        raws = [
            Raw(f"completion:{course_id}:{_id(user)}", {**user, "courseid": course_id})
            for user in enrolled
            if not _has_id(user)
        ]
        if not users:
            return raws
        # One call tells whether the course tracks completion at all.
        first = self._client.call_many([self._status(course_id, users[0])])[0]
        if isinstance(first, MoodleError) and first.code in {"cannotviewreport", "nocriteriaset"}:
            if first.code == "cannotviewreport":
                self._check_rights(course_id, users[0])
            return raws
        rest = self._client.call_many([self._status(course_id, user) for user in users[1:]])
        for user, answer in zip(users, [first, *rest], strict=True):
            if isinstance(answer, MoodleError):
                if answer.code in ORDINARY:
                    continue
                raise answer
            status = answer.get("completionstatus") if isinstance(answer, dict) else None
            if not isinstance(status, dict) or status.get("completed") is not False:
                raws.append(
                    Raw(
                        f"completion:{course_id}:{user}",
                        {"courseid": course_id, "userid": user, "completionstatus": _slim(status)},
                    )
                )
        return raws

    def parse(self, raw: Mapping[str, Any]) -> CompletionRecord:
        """A completion, at the latest criterion; where any criterion is enough, at the earliest: later ones change nothing."""
        course_key, user_key = parse.key(raw, "courseid"), parse.key(raw, "userid")
        status = parse.required(raw, "completionstatus")
        if not isinstance(status, Mapping) or status.get("completed") is not True:
            raise RecordRefusedError("The field 'completed' is neither true nor false.")
        criteria = [criterion for criterion in status.get("completions") or [] if criterion.get("complete")]
        moments = [moment for moment in (parse.moment(criterion, "timecompleted") for criterion in criteria) if moment]
        if not moments:
            raise RecordRefusedError(
                "The course is completed, but no criterion says when: it cannot be placed in time."
            )
        return CompletionRecord(
            course_key=course_key,
            user_key=user_key,
            completed_at=min(moments) if status.get("aggregation") == ANY_CRITERION else max(moments),
        )

    def _check_rights(self, course_id: int, user: Any) -> None:
        """Moodle gives one answer for 'no completion here' and 'no right to see it': tell them apart by the course's setting.

        Whether the course has criteria does not help: without the right Moodle says that it has none.
        """
        function = "core_enrol_get_users_courses"
        if function not in self._client.site.functions:
            return
        courses = _list(self._client.call(function, userid=user, returnusercount=0), function)
        if any(course.get("id") == course_id and course.get("enablecompletion") for course in courses):
            raise errors.missing_capability(self.function)

    def _status(self, course_id: int, user: Any) -> Call:
        return Call(self.function, {"courseid": course_id, "userid": user})


class Results(_PerCourse):
    """The grades of every active user, and what they are grades of; with pass marks of quizzes where a call may ask."""

    name = "results"
    records = (ActivityRecord, ResultRecord)
    whole = (ResultRecord,)  # a course without active users shows no activities, which have not vanished for that
    function = "gradereport_user_get_grade_items"

    def __init__(self, client: MoodleClient, pass_marks: Mapping[str, Decimal]) -> None:
        super().__init__(client)
        self._pass_marks = pass_marks

    def read(self, course_id: int) -> list[Raw]:
        """One call for all users of the course, and one for each quiz. `gradepass` 0 is none; null could not be asked."""
        answer = self._client.call(self.function, courseid=course_id, userid=0)
        people = _list(answer, self.function, "usergrades")
        if not people:
            return []
        items = _grade_items(people[0])
        marks = self._quiz_pass_marks(items, people[0].get("userid"))
        highest = _highest(people)
        raws = [
            Raw(
                f"activity:{item.get('id')}",
                {
                    **_slim_item(item),
                    "courseid": course_id,
                    "courseidnumber": people[0].get("courseidnumber"),
                    "gradepass": marks.get(item.get("id")) if _is_quiz(item) else 0,
                    "grademax": highest.get(item.get("id")),
                },
            )
            for item in items
        ]
        for person in people:
            for item in _grade_items(person):
                if item.get("graderaw", "missing") is not None:
                    raws.append(
                        Raw(
                            f"result:{item.get('id')}:{person.get('userid')}",
                            {**_slim_item(item), "userid": person.get("userid")},
                        )
                    )
        return raws

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A graded thing, or somebody's grade in it."""
        return self._result(raw) if "userid" in raw else self._activity(raw)

    def _activity(self, raw: Mapping[str, Any]) -> ActivityRecord:
        kind = str(parse.required(raw, "itemtype"))
        course_key = parse.key(raw, "courseid")
        item_key = parse.key(raw, "id")
        idnumber = parse.text(raw, "courseidnumber" if kind == "course" else "idnumber", 300)
        fallback = (
            f"id:{course_key}" if kind == "course" else f"cmid:{raw['cmid']}" if raw.get("cmid") else f"item:{item_key}"
        )
        target = idnumber or fallback
        minimum = parse.number(raw, "grademin") or Decimal(0)
        return ActivityRecord(
            activity_key=item_key,
            course_key=course_key,
            object=target,
            kind=parse.text(raw, "itemmodule", 50) or kind,
            name=parse.text(raw, "itemname"),
            minimum=minimum,
            maximum=parse.number(raw, "grademax") or minimum,
            pass_mark=self._pass_marks.get(target, parse.number(raw, "gradepass")),
        )

    def _result(self, raw: Mapping[str, Any]) -> ResultRecord:
        score = parse.number(raw, "graderaw")
        if score is None:
            raise RecordRefusedError("The field 'graderaw' is missing.")
        minimum = parse.number(raw, "grademin") or Decimal(0)
        if score < minimum:
            raise RecordRefusedError(f"The grade {score} lies below the lowest possible one, {minimum}.")
        submitted = parse.moment(raw, "gradedatesubmitted")
        graded = parse.moment(raw, "gradedategraded")
        achieved = submitted or graded
        if achieved is None:
            raise RecordRefusedError(
                "The grade has no date, neither of submission nor of grading: it cannot be placed in time."
            )
        return ResultRecord(
            activity_key=parse.key(raw, "id"),
            user_key=parse.key(raw, "userid"),
            submission=str(raw["gradedatesubmitted"]) if submitted else "",
            score=score,
            minimum=minimum,
            maximum=parse.number(raw, "grademax") or minimum,
            achieved_at=achieved,
            graded_at=graded,
        )

    def _quiz_pass_marks(self, items: Sequence[Mapping[str, Any]], user: Any) -> dict[Any, Any]:
        """The pass marks of the quizzes among `items`, by item: 0 where the quiz has none, absent where it could not be asked."""
        function = "mod_quiz_get_user_best_grade"
        quizzes = [item for item in items if _is_quiz(item)]
        if function not in self._client.site.functions:
            return {}
        answers = self._client.call_many(
            [Call(function, {"quizid": quiz.get("iteminstance"), "userid": user}) for quiz in quizzes]
        )
        return {
            quiz.get("id"): answer.get("gradetopass", 0)
            for quiz, answer in zip(quizzes, answers, strict=True)
            if isinstance(answer, dict) and "hasgrade" in answer
        }


def _is_quiz(item: Mapping[str, Any]) -> bool:
    return item.get("itemmodule") == "quiz" and item.get("itemnumber") == 0


def _grade_items(person: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A user's grade items; where they are not there, one that cannot be used stands for them."""
    items = person.get("gradeitems")
    if not isinstance(items, list):
        return [{"gradeitems": items}]
    return [item if isinstance(item, dict) else {"item": item} for item in items]


def _highest(people: Sequence[Mapping[str, Any]]) -> dict[Any, Any]:
    """The highest possible grade of each item: in a course total it differs from user to user."""
    highest: dict[Any, Any] = {}
    for person in people:
        for item in _grade_items(person):
            key, possible = item.get("id"), item.get("grademax")
            if isinstance(possible, int | float) and possible > highest.get(key, float("-inf")):
                highest[key] = possible
    return highest


def all_courses(client: MoodleClient) -> list[Mapping[str, Any]]:
    """Every course that the token sees and that has an id, but the site itself."""
    return [course for course in _courses(client) if _has_id(course)]


def _courses(client: MoodleClient) -> list[Mapping[str, Any]]:
    courses = _list(client.call("core_course_get_courses"), "core_course_get_courses")
    return [course for course in courses if course.get("format") != SITE_COURSE_FORMAT]


def _has_id(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("id"), int)


def _list(answer: Any, function: str, field: str | None = None) -> list[Mapping[str, Any]]:
    found = answer.get(field) if field and isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise UnreachableError(
            f"{function}: Moodle's answer is JSON, but not a list of records; the next pull asks again."
        )
    return [item if isinstance(item, dict) else {"item": item} for item in found]


def _id(record: Mapping[str, Any]) -> str:
    return str(record.get("id", "without id"))


def _slim(status: Any) -> Any:
    """A completion status without the descriptions of its criteria, which nothing is derived from."""
    if not isinstance(status, dict):
        return status
    criteria = status.get("completions")
    if isinstance(criteria, list):
        kept = ("type", "complete", "timecompleted")
        criteria = [{name: item[name] for name in kept if name in item} for item in criteria if isinstance(item, dict)]
    return {**status, "completions": criteria}


_ITEM_FIELDS = (
    "id", "itemname", "itemtype", "itemmodule", "iteminstance", "itemnumber", "idnumber", "cmid",
    "graderaw", "grademin", "grademax", "gradedatesubmitted", "gradedategraded",
)  # fmt: skip


def _slim_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A grade item without what nothing is derived from, a teacher's feedback among it."""
    return {name: item[name] for name in _ITEM_FIELDS if name in item}
