"""Enrolments, as the plain functions show them."""

from collections.abc import Mapping
from typing import Any

from connectors import parse
from connectors.moodle.functions_reading import PerCourse, name_of, option
from connectors.records import EnrolmentRecord
from connectors.streams import Raw


class Enrolments(PerCourse):
    """Who is enrolled, whether suspended or expired, and when they last opened the course."""

    name = "enrolments"
    records = (EnrolmentRecord,)
    function = "core_enrol_get_enrolled_users"

    def read(self, course_id: int) -> list[Raw]:
        """Two calls: everybody, and those whose enrolments are all suspended or over."""
        users = self.enrolled(course_id)
        inactive = {user.get("id") for user in self.enrolled(course_id, option("onlysuspended", 1))}
        return [
            Raw(
                f"enrolment:{course_id}:{name_of(user)}",
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
