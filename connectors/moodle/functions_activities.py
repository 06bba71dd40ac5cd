"""How far users are with activities, and their attempts at quizzes, as the plain functions show them.

Both need a call for each user and course, or quiz: they are read where the settings ask for it.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors import parse
from connectors.moodle.client import Call
from connectors.moodle.errors import MoodleError
from connectors.moodle.functions_reading import ORDINARY, PerCourse, listed
from connectors.records import ActivityCompletionRecord, AttemptRecord
from connectors.streams import Raw
from plugin.errors import RecordRefusedError

STATES = {1: "complete", 2: "passed", 3: "failed"}  # of an activity; Moodle's completionlib.php
FIVE_PLACES = Decimal("0.00001")


class ActivityCompletions(PerCourse):
    """Activities that active users have completed, passed or failed; what is not there is not completed."""

    name = "activity_completions"
    records = (ActivityCompletionRecord,)
    function = "core_completion_get_activities_completion_status"

    def read(self, course_id: int) -> list[Raw]:
        """One call for each active user, after one that tells whether the course tracks any activity."""
        users = self.active(course_id)
        first = self._answers(course_id, users[:1])
        if not any(first.values()):
            return []
        answers = first | self._answers(course_id, users[1:])
        return [
            Raw(
                f"activity_completion:{status.get('cmid')}:{user}",
                {name: status.get(name) for name in ("cmid", "state", "timecompleted")}
                | {"courseid": course_id, "userid": user},
            )
            for user, statuses in answers.items()
            for status in statuses
            if status.get("state", "missing") != 0
        ]

    def parse(self, raw: Mapping[str, Any]) -> ActivityCompletionRecord:
        """A user's state in an activity."""
        state = parse.required(raw, "state")
        if state not in STATES:
            raise RecordRefusedError(f"The field 'state' holds {state!r}, which is no state of completion.")
        return ActivityCompletionRecord(
            module_key=parse.key(raw, "cmid"),
            user_key=parse.key(raw, "userid"),
            course_key=parse.key(raw, "courseid"),
            state=STATES[state],
            completed_at=parse.moment(raw, "timecompleted"),
        )

    def _answers(self, course_id: int, users: list[int]) -> dict[int, list[Mapping[str, Any]]]:
        calls = [Call(self.function, {"courseid": course_id, "userid": user}) for user in users]
        found = {}
        for user, answer in zip(users, self._client.call_many(calls), strict=True):
            if isinstance(answer, MoodleError) and answer.code not in ORDINARY:
                raise answer
            found[user] = [] if isinstance(answer, MoodleError) else listed(answer, self.function, "statuses")
        return found


class Attempts(PerCourse):
    """Attempts of active users at quizzes."""

    name = "attempts"
    records = (AttemptRecord,)
    function = "mod_quiz_get_user_attempts"
    quizzes = "mod_quiz_get_quizzes_by_courses"

    def read(self, course_id: int) -> list[Raw]:
        """One call for each active user and quiz of the course."""
        answer = self._client.call(self.quizzes, courseids=[course_id])
        quizzes = {quiz.get("id"): quiz for quiz in listed(answer, self.quizzes, "quizzes")}
        users = self.active(course_id) if quizzes else []
        calls = [
            Call(self.function, {"quizid": quiz, "userid": user, "status": "all"}) for quiz in quizzes for user in users
        ]
        raws = []
        for call, found in zip(calls, self._client.call_many(calls), strict=True):
            if isinstance(found, MoodleError):
                if found.code in ORDINARY:
                    continue
                raise found
            quiz = quizzes[call.arguments["quizid"]]
            more = {
                "courseid": course_id,
                "cmid": quiz.get("coursemodule"),
                "quizsumgrades": quiz.get("sumgrades"),
                "quizgrade": quiz.get("grade"),
            }
            raws += [
                Raw(f"attempt:{attempt.get('id')}", {**{name: attempt.get(name) for name in _ATTEMPT}, **more})
                for attempt in listed(found, self.function, "attempts")
                if not attempt.get("preview")
            ]
        return raws

    def parse(self, raw: Mapping[str, Any]) -> AttemptRecord:
        """An attempt; its marks are scaled to the points of the quiz, as Moodle does it itself."""
        marks, of, maximum = (parse.number(raw, name) for name in ("sumgrades", "quizsumgrades", "quizgrade"))
        score = None
        if marks is not None and of is not None and maximum is not None:
            score = (marks * maximum / of).quantize(FIVE_PLACES, ROUND_HALF_UP) if of else Decimal(0)
        return AttemptRecord(
            attempt_key=parse.key(raw, "id"),
            module_key=parse.key(raw, "cmid"),
            course_key=parse.key(raw, "courseid"),
            user_key=parse.key(raw, "userid"),
            number=int(parse.key(raw, "attempt")),
            state=str(parse.required(raw, "state"))[:30],
            started_at=parse.moment(raw, "timestart"),
            finished_at=parse.moment(raw, "timefinish"),
            score=score,
            maximum=maximum,
        )


_ATTEMPT = ("id", "userid", "attempt", "state", "timestart", "timefinish", "sumgrades")
