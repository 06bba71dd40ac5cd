"""Feedback activities and their answers, as the companion plugin shows them. Anonymous ones stay anonymous."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors import parse
from connectors.moodle.plugin import Row
from connectors.moodle.plugin_reading import ByNumber, Part
from connectors.moodle.plugin_streams import named_raws
from connectors.moodle.surveys import questions
from connectors.records import Record, SurveyAnswerRecord, SurveyRecord
from connectors.streams import Raw
from plugin.errors import RecordRefusedError

ANONYMOUS = 1  # FEEDBACK_ANONYMOUS_YES


class Surveys(ByNumber):
    """Feedback activities with their questions, and what was answered."""

    name = "surveys"
    records = (SurveyRecord, SurveyAnswerRecord)
    parts = (
        Part("feedbacks", SurveyRecord, ("survey_key",), number="survey_key"),
        Part("feedback_answers", SurveyAnswerRecord, ("answer_key",), number="answer_key"),
    )

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each activity and each form that was filled in."""
        answers = named_raws("survey_answer", rows.get("feedback_answers", ()), "id")
        return named_raws("survey", rows.get("feedbacks", ()), "id") + answers

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """An activity or an answer."""
        return _answer(raw) if "feedbackid" in raw else _survey(raw)


def _survey(raw: Mapping[str, Any]) -> SurveyRecord:
    items = parse.required(raw, "items")
    if not isinstance(items, list):
        raise RecordRefusedError("The field 'items' holds no list of questions.")
    return SurveyRecord(
        survey_key=parse.key(raw, "id"),
        course_key=parse.key(raw, "courseid"),
        name=parse.text(raw, "name") or "",
        anonymous=parse.required(raw, "anonymous") == ANONYMOUS,
        questions=questions(items),
    )


def _answer(raw: Mapping[str, Any]) -> SurveyAnswerRecord:
    values = parse.required(raw, "values")
    if not isinstance(values, list):
        raise RecordRefusedError("The field 'values' holds no list of answers.")
    hidden = parse.flag(raw, "anonymous")  # the plugin shows neither then; should another version, it is not kept
    return SurveyAnswerRecord(
        answer_key=parse.key(raw, "id"),
        survey_key=parse.key(raw, "feedbackid"),
        course_key=parse.key(raw, "courseid"),
        user_key=parse.key(raw, "userid") if raw.get("userid") and not hidden else None,
        answered_at=None if hidden else parse.moment(raw, "timemodified"),
        answers={str(one.get("itemid")): parse.storable(str(one.get("value"))) for one in values},
    )
