"""Completions of courses, as the plain functions show them."""

from collections.abc import Mapping
from typing import Any

from connectors import parse
from connectors.moodle import errors
from connectors.moodle.client import Call
from connectors.moodle.errors import MoodleError
from connectors.moodle.functions_reading import ORDINARY, PerCourse, has_id, listed, name_of, option
from connectors.records import CompletionRecord
from connectors.streams import Raw
from plugin.errors import RecordRefusedError

ANY_CRITERION = 2


class Completions(PerCourse):
    """Who has completed the course, and when: the moment is that of the criteria, for the plain functions show no other."""

    name = "completions"
    records = (CompletionRecord,)
    function = "core_completion_get_course_completion_status"

    def read(self, course_id: int) -> list[Raw]:
        """The status of every active user, many in one request where the service allows it."""
        enrolled = self.enrolled(course_id, option("onlyactive", 1))
        users = [user["id"] for user in enrolled if has_id(user)]
        raws = [
            Raw(f"completion:{course_id}:{name_of(user)}", {**user, "courseid": course_id})
            for user in enrolled
            if not has_id(user)
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
        courses = listed(self._client.call(function, userid=user, returnusercount=0), function)
        if any(course.get("id") == course_id and course.get("enablecompletion") for course in courses):
            raise errors.missing_capability(self.function)

    def _status(self, course_id: int, user: Any) -> Call:
        return Call(self.function, {"courseid": course_id, "userid": user})


def _slim(status: Any) -> Any:
    """A completion status without the descriptions of its criteria, which nothing is derived from."""
    if not isinstance(status, dict):
        return status
    criteria = status.get("completions")
    if isinstance(criteria, list):
        kept = ("type", "complete", "timecompleted")
        criteria = [{name: item[name] for name in kept if name in item} for item in criteria if isinstance(item, dict)]
    return {**status, "completions": criteria}
