"""Feedback activities and what was answered in them, as the plain functions show it. Anonymous answers stay anonymous."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors import parse
from connectors.moodle.functions_reading import InSteps, Step, all_courses, listed, name_of
from connectors.moodle.surveys import questions
from connectors.records import Record, SurveyAnswerRecord, SurveyRecord
from connectors.streams import In, Raw
from plugin.errors import RecordRefusedError

ANONYMOUS = 1  # FEEDBACK_ANONYMOUS_YES
COURSES_AT_ONCE = 100
ANSWERS_AT_ONCE = 1000


class Surveys(InSteps):
    """Feedback activities with their questions, and the answers: for some courses at a time, then for each activity."""

    name = "surveys"
    records = (SurveyRecord, SurveyAnswerRecord)
    function = "mod_feedback_get_feedbacks_by_courses"  # answers only for courses that are named
    items = "mod_feedback_get_items"
    responses = "mod_feedback_get_responses_analysis"

    def steps(self, after: int) -> Iterator[Step]:
        """A step for some courses."""
        ids = sorted(int(course["id"]) for course in all_courses(self._client) if course["id"] > after)
        for start in range(0, len(ids), COURSES_AT_ONCE):
            chunk = ids[start : start + COURSES_AT_ONCE]
            yield Step(f"courses:{chunk[0]}", chunk, In.courses(str(course) for course in chunk))

    def named(self, step: Step) -> Mapping[str, Any]:
        """The courses."""
        return {"courseids": [step.ids[0], step.ids[-1]]}

    def read_step(self, step: Step) -> list[Raw]:
        """The activities of these courses with their answers."""
        found = listed(self._client.call(self.function, courseids=list(step.ids)), self.function, "feedbacks")
        raws: list[Raw] = []
        for survey in found:
            shown = ("id", "course", "name", "anonymous")
            known = {name: survey[name] for name in shown if name in survey}
            asked = self._client.call(self.items, feedbackid=survey.get("id"))
            raws.append(Raw(f"survey:{name_of(survey)}", {**known, "items": listed(asked, self.items, "items")}))
            raws += self._answers(survey)
        return raws

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """An activity or one answered form."""
        if "responses" not in raw:
            return SurveyRecord(
                survey_key=parse.key(raw, "id"),
                course_key=parse.key(raw, "course"),
                name=parse.text(raw, "name") or "",
                anonymous=parse.required(raw, "anonymous") == ANONYMOUS,
                questions=questions(parse.required(raw, "items")),
            )
        responses = raw["responses"]
        if not isinstance(responses, list):
            raise RecordRefusedError("The field 'responses' holds no list of answers.")
        hidden = bool(parse.flag(raw, "anonymous"))
        return SurveyAnswerRecord(
            answer_key=parse.key(raw, "id"),
            survey_key=parse.key(raw, "feedbackid"),
            course_key=parse.key(raw, "courseid"),
            user_key=None if hidden else parse.key(raw, "userid"),
            answered_at=None if hidden else parse.moment(raw, "timemodified"),
            answers={str(one.get("id")): parse.storable(str(one.get("rawval"))) for one in responses},
        )

    def _answers(self, survey: Mapping[str, Any]) -> Iterator[Raw]:
        page, seen = 0, 0
        while True:
            answer = self._client.call(self.responses, feedbackid=survey.get("id"), page=page, perpage=ANSWERS_AT_ONCE)
            named = listed(answer, self.responses, "attempts")
            anonymous = listed(answer, self.responses, "anonattempts")
            for one, hidden in [(one, False) for one in named] + [(one, True) for one in anonymous]:
                shown = ("id", "responses") if hidden else ("id", "userid", "timemodified", "responses")
                known = {name: one[name] for name in shown if name in one}
                known |= {"responses": _slim(one.get("responses")), "anonymous": hidden}
                known |= {"feedbackid": survey.get("id"), "courseid": survey.get("course")}
                yield Raw(f"survey_answer:{name_of(one)}", known)
            seen += len(named) + len(anonymous)
            page += 1
            total = (answer.get("totalattempts") or 0) + (answer.get("totalanonattempts") or 0)
            if not (named or anonymous) or seen >= total:
                return


def _slim(responses: Any) -> Any:
    """The answers without the questions' texts, which the activity has."""
    if not isinstance(responses, list):
        return responses
    return [{"id": one.get("id"), "rawval": one.get("rawval")} for one in responses if isinstance(one, dict)]
