"""Records that cannot be used: each waits with its reason, the rest is stored, and the page for administrators keeps up."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.models import Completion, Course, Enrolment, Result, SourceUser
from connectors.moodle.client import SITE_INFO
from connectors.moodle.connector import FUNCTIONS
from connectors.moodle.demo.registry import registry
from connectors.moodle.errors import CAPABILITIES
from connectors.moodle.functions_results import Results
from connectors.moodle.functions_users import Users
from plugin.errors import RecordRefusedError
from tests.connectors.book import Book, Site

ENROLLED = "core_enrol_get_enrolled_users"
GRADES = "gradereport_user_get_grade_items"
STATUS = "core_completion_get_course_completion_status"
COURSES = "core_course_get_courses"
DOCS = Path(__file__).parents[3] / "docs" / "moodle.md"


@pytest.mark.parametrize(
    ("function", "fault", "stream", "reason"),
    [
        ("core_user_get_users", {"key": "id"}, "users", "'id' is missing"),
        (ENROLLED, {"key": "id", "after": 12}, "enrolments", "'userid' is missing"),
        (ENROLLED, {"key": "lastcourseaccess", "flaw": "early_date", "after": 12}, "enrolments", "-5, which is no date"),
        (ENROLLED, {"key": "lastcourseaccess", "flaw": "late_date", "after": 12}, "enrolments", "1000000000000000, which"),
        (ENROLLED, {"key": "id", "after": 36}, "completions", "'userid' is missing"),
        (STATUS, {"key": "completed"}, "completions", "neither true nor false"),
        (STATUS, {"key": "timecompleted", "flaw": "early_date", "times": 8}, "completions", "-5, which is no date"),
        (GRADES, {"key": "userid"}, "results", "'userid' is missing"),
        (GRADES, {"key": "id"}, "results", "'id' is missing"),
        (GRADES, {"key": "gradeitems"}, "results", "is missing"),
        (GRADES, {"key": "gradedategraded", "flaw": "late_date"}, "results", "which is no date between 1970 and 2100"),
        (GRADES, {"flaw": "negative_grade"}, "results", "lies below the lowest possible one"),
    ],
)  # fmt: skip
def test_a_bad_record_waits_and_the_rest_is_stored(
    site: Site, book: Book, function: str, fault: dict[str, Any], stream: str, reason: str
) -> None:
    """One record of an answer is spoilt: it waits whole in its stream, all else is read, and the next pull resolves it."""
    site.faults.add("bad_record", function=function, **fault)
    result = book.pull(site.connector())
    assert (result.status, result.messages) == ("partial", [])
    waits = [row for row in book.waiting() if row.stream == stream]
    assert waits, [(row.stream, row.reason) for row in book.waiting()]
    assert any(reason in row.reason for row in waits), [row.reason for row in waits]
    assert all(row.record and not row.is_request for row in book.waiting())
    for model, least in ((SourceUser, 50), (Course, 11), (Enrolment, 200), (Completion, 80), (Result, 250)):
        assert len(book.all(model)) >= least, model.__tablename__
    site.faults.clear()
    book.later()
    healed = book.pull(site.connector())
    assert (healed.status, healed.quarantined) == ("done", 0)


def test_a_course_without_an_id_waits(site: Site, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A course that nothing names is not passed over in silence: it waits, and the other courses are read."""
    function = registry._functions[COURSES]

    def handler(call: Any, arguments: Any) -> Any:
        courses = function.handler(call, arguments)
        del courses[3]["id"]
        return courses

    monkeypatch.setitem(registry._functions, COURSES, replace(function, handler=handler))
    result = book.pull(site.connector())
    assert (result.status, result.quarantined, len(book.all(Course))) == ("partial", 1, 11)
    (row,) = book.waiting()
    assert (row.stream, row.reason, row.record["shortname"]) == ("courses", "The field 'id' is missing.", "AID")


GOOD = {
    "id": 7, "userid": 3, "itemtype": "mod", "itemmodule": "quiz", "graderaw": 5, "grademin": 0, "grademax": 10,
    "gradedatesubmitted": 1700000000, "gradedategraded": 1700000100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"gradedatesubmitted": None, "gradedategraded": None}, "no date, neither of submission nor of grading"),
        ({"gradedatesubmitted": 0, "gradedategraded": 0}, "no date, neither of submission nor of grading"),
        ({"graderaw": -0.5}, "lies below the lowest possible one"),
        ({"graderaw": "five"}, "'graderaw' holds 'five' where a number belongs"),
        ({"graderaw": True}, "where a number belongs"),
        ({"graderaw": float("nan")}, "out of bounds"),
        ({"graderaw": 10**12}, "out of bounds"),
        ({"gradedatesubmitted": -5}, "no date between 1970 and 2100"),
        ({"gradedatesubmitted": "yesterday"}, "where Unix seconds belong"),
        ({"id": 0}, "which is no id"),
        ({"id": True}, "which is no id"),
        ({"id": "x" * 201}, "which is no id"),
        ({"userid": None}, "'userid' is missing"),
    ],
)  # fmt: skip
def test_a_grade_that_cannot_be_used_says_why(site: Site, changed: dict[str, Any], reason: str) -> None:
    """An impossible value of a grade is refused with the field and the value."""
    connector = site.connector()
    stream = Results(connector.client, {})
    assert stream.parse(GOOD)
    with pytest.raises(RecordRefusedError, match=re.escape(reason)):
        stream.parse({**GOOD, **changed})
    connector.close()


def test_texts_are_cut_and_cleaned(site: Site) -> None:
    """Blanks around, overlong and unstorable texts of an account do not keep it from being stored."""
    connector = site.connector()
    user = Users(connector.client).parse({"id": 5, "idnumber": " E1 ", "fullname": "A\x00" + "x" * 999, "email": "  "})
    assert (user.idnumber, user.email, user.name) == ("E1", None, "A\ufffd" + "x" * 298)
    connector.close()


def test_grades_finer_than_the_store_are_the_same_the_next_time(site: Site) -> None:
    """Points are read to the places that are kept, so that nothing seems to change from pull to pull."""
    connector = site.connector()
    result = Results(connector.client, {}).parse({**GOOD, "graderaw": 6.6666666667})
    assert str(vars_of(result)["score"]) == "6.66667"
    connector.close()


def vars_of(record: Any) -> dict[str, Any]:
    """The fields of a record with slots."""
    return {name: getattr(record, name) for name in record.__slots__}


def test_the_page_for_administrators_names_every_function_and_capability() -> None:
    """docs/moodle.md lists exactly the functions that are called, and every capability that a message names."""
    text = DOCS.read_text(encoding="utf-8")
    block = text.split("```text\n")[1].split("```")[0]
    assert set(block.split()) == {SITE_INFO, *FUNCTIONS}
    needed = {capability for needs in CAPABILITIES.values() for capability in needs.split(", ")}
    assert [capability for capability in sorted(needed) if f"`{capability}`" not in text] == []
