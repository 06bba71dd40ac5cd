"""Grades, as the plain functions show them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors import parse
from connectors.moodle.client import Call, MoodleClient
from connectors.moodle.functions_reading import PerCourse, listed
from connectors.records import ActivityRecord, Record, ResultRecord
from connectors.streams import Raw
from plugin.errors import RecordRefusedError


class Results(PerCourse):
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
        people = listed(answer, self.function, "usergrades")
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
            module_key=parse.key(raw, "cmid") if raw.get("cmid") else None,
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


_ITEM_FIELDS = (
    "id", "itemname", "itemtype", "itemmodule", "iteminstance", "itemnumber", "idnumber", "cmid",
    "graderaw", "grademin", "grademax", "gradedatesubmitted", "gradedategraded",
)  # fmt: skip


def _slim_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A grade item without what nothing is derived from, a teacher's feedback among it."""
    return {name: item[name] for name in _ITEM_FIELDS if name in item}
