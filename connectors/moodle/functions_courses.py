"""Courses and their categories, as the plain functions show them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors import parse
from connectors.moodle.client import Call, MoodleClient
from connectors.moodle.functions_reading import courses_of, has_id, listed, name_of, option
from connectors.moodle.ways import FUNCTIONS
from connectors.records import CategoryRecord, CourseRecord
from connectors.streams import Cursor, Page, Raw, Scope, Stream, pass_number


class Courses(Stream):
    """Every course but the site itself.

    Without moodle/course:update the course functions leave the idnumber out, so it is read where the least rights
    show it: in the courses of one active user of each course.
    """

    name = "courses"
    records = (CourseRecord,)
    way = FUNCTIONS

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all courses."""
        courses = courses_of(self._client)
        details = self._details([course for course in courses if has_id(course) and "idnumber" not in course])
        categories = self._categories()
        settings = self._settings()
        raws = []
        for course in courses:
            own = int(course["id"]) if has_id(course) else 0
            known = {**settings.get(own, {}), **details.get(own, {}), **course}
            raws.append(
                Raw(f"course:{name_of(course)}", {**known, "categoryname": categories.get(course.get("categoryid", 0))})
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
            category_key=parse.key(raw, "categoryid") if raw.get("categoryid") else None,
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
            if has_id(user)
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
            if has_id(course)
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
            for grades in listed(answer, function, "usergrades")
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
            for course in listed(self._client.call(function), function, "courses")
            if has_id(course)
        }

    def _categories(self) -> dict[int, str]:
        if "core_course_get_categories" not in self._client.site.functions:
            return {}
        function = "core_course_get_categories"
        categories = listed(self._client.call(function), function)
        return {category["id"]: category["name"] for category in categories if has_id(category) and "name" in category}


class Categories(Stream):
    """The categories of courses that the token sees."""

    name = "categories"
    records = (CategoryRecord,)
    way = FUNCTIONS
    function = "core_course_get_categories"

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """One page with all categories."""
        found = listed(self._client.call(self.function), self.function)
        raws = [Raw(f"category:{name_of(category)}", category) for category in found]
        yield Page((pass_number(cursor) + 1,), raws, Scope((CategoryRecord,)), key="categories", ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> CategoryRecord:
        """A category."""
        return CategoryRecord(
            category_key=parse.key(raw, "id"),
            name=str(parse.required(raw, "name"))[:300],
            idnumber=parse.text(raw, "idnumber", 300),
            parent_key=parse.key(raw, "parent") if raw.get("parent") else None,
            visible=parse.flag(raw, "visible"),
        )
