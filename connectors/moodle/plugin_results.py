"""Grades as the companion plugin shows them: the same items and submissions as by the plain functions, exactly."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors import parse
from connectors.moodle.changes import ChangeLog, Step
from connectors.moodle.plugin import NAMED, Change, Plugin, Row
from connectors.moodle.plugin_reading import ByCourse, Part
from connectors.moodle.plugin_streams import named_raws
from connectors.records import ActivityRecord, Record, ResultRecord
from connectors.streams import In, Page, Raw, Scope
from plugin.errors import RecordRefusedError

OF_THE_USER = ("course", "category")  # totals: their bounds are the user's own, of what was graded for them
BOUNDS = ("itemtype", "grademin", "grademax")


class Results(ByCourse):
    """What is graded, with its pass mark, and everybody's grades in it, of people who are enrolled no more too."""

    name = "results"
    records = (ActivityRecord, ResultRecord)
    parts = (
        Part("grade_items", ActivityRecord, ("activity_key",)),
        Part("grades", ResultRecord, ("activity_key", "user_key"), "row", ("itemid", "userid")),
    )

    def __init__(self, plugin: Plugin, log: ChangeLog, pass_marks: Mapping[str, Decimal]) -> None:
        super().__init__(plugin, log)
        self._pass_marks = pass_marks

    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """An item for each thing that is graded and for each grade, which bears the bounds of its thing."""
        things = list(rows.get("grade_items", ()))
        grades = [row for row in rows.get("grades", ()) if row.get("finalgrade", "missing") is not None]
        known = {thing.get("id"): thing for thing in things}
        unknown = {row.get("itemid") for row in grades if "itemtype" not in row} - known.keys()
        asked = sorted(one for one in unknown if isinstance(one, int))
        for start in range(0, len(asked), NAMED):
            found = self._plugin.rows("grade_items", ids=asked[start : start + NAMED])
            known |= {thing["id"]: thing for thing in found}
        bounded = (
            row
            if "itemtype" in row
            else {**row, **{name: known.get(row.get("itemid"), {}).get(name) for name in BOUNDS}}
            for row in grades
        )
        return named_raws("activity", things, "id") + named_raws("result", bounded, "itemid", "userid")

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A graded thing, or somebody's grade in it."""
        return _result(raw) if "itemid" in raw else self._activity(raw)

    def _activity(self, raw: Mapping[str, Any]) -> ActivityRecord:
        kind = str(parse.required(raw, "itemtype"))
        course_key, item_key = parse.key(raw, "courseid"), parse.key(raw, "id")
        module_key = parse.key(raw, "cmid") if raw.get("cmid") else None
        idnumber = parse.text(raw, "courseidnumber" if kind == "course" else "idnumber", 300)
        fallback = (
            f"id:{course_key}" if kind == "course" else f"cmid:{module_key}" if module_key else f"item:{item_key}"
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
            module_key=module_key,
        )

    def _changes_of(self, part: Part, changes: Sequence[Change], step: Step) -> Iterator[Page]:
        """A thing that is gone takes its grades with it, which the log does not name one by one."""
        yield from super()._changes_of(part, changes, step)
        if part.name == "grade_items":
            present = {row.get("id") for row in step.page.rows.get("grade_items", ())}
            gone = {change.object for change in changes if change.object and not change.whole} - present
            if gone:
                within = In(("activity_key",), frozenset((str(one),) for one in gone))
                yield Page((), (), Scope((ResultRecord,), within, certain=True))

    def _of_pairs(self, part: Part, pairs: set[tuple[int, int]], time: int) -> Page:
        """All grades of these users in these courses: a grade names its item, not its course."""
        rows = self._rows_of_pairs(part.name, pairs)
        things: dict[int, list[int]] = {}
        for thing in self._plugin.of_courses("grade_items", {course for course, _ in pairs}):
            things.setdefault(thing["courseid"], []).append(thing["id"])
        names = frozenset((str(thing), str(user)) for course, user in pairs for thing in things.get(course, ()))
        return self._page(part, rows, In(part.columns, names), time)


def _result(raw: Mapping[str, Any]) -> ResultRecord:
    score = parse.number(raw, "finalgrade")
    if score is None:
        raise RecordRefusedError("The field 'finalgrade' is missing.")
    own = "raw" if parse.required(raw, "itemtype") in OF_THE_USER else ""
    minimum = parse.number(raw, f"{own}grademin") or Decimal(0)
    if score < minimum:
        raise RecordRefusedError(f"The grade {score} lies below the lowest possible one, {minimum}.")
    submitted = parse.moment(raw, "timecreated")
    graded = parse.moment(raw, "overridden") or parse.moment(raw, "timemodified")
    achieved = submitted or graded
    if achieved is None:
        raise RecordRefusedError(
            "The grade has no date, neither of submission nor of grading: it cannot be placed in time."
        )
    return ResultRecord(
        activity_key=parse.key(raw, "itemid"),
        user_key=parse.key(raw, "userid"),
        submission=str(raw["timecreated"]) if submitted else "",
        score=score,
        minimum=minimum,
        maximum=parse.number(raw, f"{own}grademax") or minimum,
        achieved_at=achieved,
        graded_at=graded,
    )
