"""The sandbox Moodle answers every recorded call in the shape in which a real Moodle did."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import REST_PATH, create_app
from connectors.moodle.demo.shapes import difference

FILES = sorted((Path(__file__).parent / "recordings").glob("*.json"))
RECORDINGS = {path.stem: json.loads(path.read_text("utf-8")) for path in FILES}
TOKENS = {
    "connector": "sandbox-connector",
    "report": "sandbox-report",
    "nocaps": "sandbox-nocaps",
    "admin": "sandbox-admin",
    "bad token": "no such token",
}
# Where the sandbox may differ, by function and path, and why.
EXPLAINED: dict[str, dict[str, str]] = {
    "core_enrol_get_enrolled_users": {
        "answer[].idnumber": "an empty idnumber is left out: users_all_by_email_wildcard shows it of guest",
    },
    "core_enrol_get_users_courses": {
        "answer[].completed": "null where a course tracks no completion; measured on another site",
        "answer[].progress": "null where a course tracks no completion; measured on another site",
    },
    "core_reportbuilder_retrieve_report": {
        "answer.data.rows[].columns.Name (2)": "null for a user without a badge: report_badges shows it of admin",
    },
}


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    """The organisation behind the sandbox."""
    return Organisation(anchor=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(scope="module")
def client(organisation: Organisation) -> FlaskClient:
    """A client of the sandbox."""
    return create_app(organisation).test_client()


def form(arguments: Any, name: str = "") -> dict[str, str]:
    """Flatten nested arguments into the names that PHP understands."""
    if isinstance(arguments, dict):
        items = [(f"{name}[{key}]" if name else key, value) for key, value in arguments.items()]
    elif isinstance(arguments, list):
        items = [(f"{name}[{place}]", value) for place, value in enumerate(arguments)]
    else:
        return {name: str(arguments)}
    flat: dict[str, str] = {}
    for inner, value in items:
        flat |= form(value, inner)
    return flat


def call(client: FlaskClient, function: str, arguments: Any, token: str, *, as_json: bool = True) -> TestResponse:
    """Call a function of the sandbox as the connector does."""
    sent = form(arguments) | {"wstoken": token, "wsfunction": function}
    if as_json:
        sent["moodlewsrestformat"] = "json"
    return client.post(REST_PATH, data=sent)


def arguments_for(name: str, organisation: Organisation) -> Any:
    """The recorded arguments, with ids that mean the same in the sandbox."""
    fire, aid, loto, bulletin = (organisation.find_course(key).id for key in ("FIRE", "AID", "LOTO", "BULL"))

    def some(fits: Callable[[int], bool]) -> int:
        return next(user.id for user in organisation.learners() if fits(user.id))

    def finished(user: int, course: int) -> bool:
        return organisation.active(user, course) and organisation.completed_at(user, course) is not None

    def marked(user: int, course: int) -> bool:
        done = organisation.learning_of(user, course)
        return organisation.active(user, course) and None not in (done.quiz, done.practical)

    def partly_marked(user: int) -> bool:
        courses = organisation.courses_of(user)
        return {organisation.learning_of(user, one.id).total is None for one in courses} == {True, False}

    done = some(lambda user: finished(user, fire))
    rated = some(lambda user: finished(user, loto))
    unmarked = organisation.edge_cases["never_opened"][0]
    twice = organisation.users[organisation.edge_cases["two_accounts"][0]]
    batch = [{"courseid": fire, "userid": user} for user in (done, 2, done)]
    mapped: dict[str, Any] = {
        "activities_completion": {"courseid": fire, "userid": done},
        "batch_with_inner_error": {
            "requests": [
                {"function": "core_completion_get_course_completion_status", "arguments": json.dumps(one)}
                for one in batch
            ]
        },
        "completion_status": {"courseid": fire, "userid": done},
        "completion_status_no_completion": {"courseid": bulletin, "userid": done},
        "grade_items_one": {"courseid": fire, "userid": some(lambda user: marked(user, fire))},
        "overview_grades": {"userid": some(partly_marked)},
        "plan_competencies": {"id": some(lambda user: user % 10 == 0 and finished(user, loto))},
        "quiz_attempts": {"quizid": 1, "userid": unmarked, "status": "all", "includepreviews": 0},
        "quiz_best_grade": {"quizid": 1, "userid": unmarked},
        "user_badges": {"userid": some(lambda user: user % 3 == 0 and finished(user, aid))},
        "user_competency_summary": {"userid": rated, "competencyid": 2},
        "user_plans": {"userid": 10},
        "users_by_field": {"field": "idnumber", "values": ["E1001", "E1002", "nope"]},
        "users_by_idnumber": {"criteria": [{"key": "idnumber", "value": twice.idnumber}]},
        "users_courses": {"userid": done, "returnusercount": 0},
    }
    return mapped.get(name, RECORDINGS[name]["arguments"])


def by_header(answer: Any) -> Any:
    """A report with the columns of its rows named, so that they are compared one by one."""
    if not isinstance(answer, dict) or "data" not in answer or "headers" not in answer["data"]:
        return answer
    data = answer["data"]
    names = [f"{header} ({place})" for place, header in enumerate(data["headers"])]
    rows = [{"columns": dict(zip(names, row["columns"], strict=True))} for row in data["rows"]]
    return answer | {"data": data | {"rows": rows}}


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_sandbox_answers_as_recorded(name: str, client: FlaskClient, organisation: Organisation) -> None:
    """Every recorded call gets an answer of the recorded shape, status and content type."""
    recorded = RECORDINGS[name]
    as_xml = name == "format_missing_is_xml"
    token = TOKENS[recorded["as"]]
    if name.startswith("report_completions"):
        filters = RECORDINGS["report_set_filters" if name.endswith("_filtered") else "report_clear_filters"]
        call(client, filters["function"], filters["arguments"], token)
    answer = call(client, recorded["function"], arguments_for(name, organisation), token, as_json=not as_xml)
    assert answer.status_code == recorded["status"]
    assert answer.content_type == recorded["content_type"]
    if as_xml:
        assert outline(answer.text).startswith(outline(recorded["response"]))
        return
    explained = EXPLAINED.get(recorded["function"], {})
    found = difference(by_header(recorded["response"]), by_header(answer.json), explained)
    assert found is None, found
    if isinstance(recorded["response"], dict) and "exception" in recorded["response"]:
        assert answer.json == recorded["response"]


def outline(xml: str) -> str:
    """The XML up to its last whole line, without its values and with repeated lines once."""
    whole = xml[: xml.rindex("\n") + 1]
    bare = re.sub(r"<VALUE>[^<]*</VALUE>", "<VALUE></VALUE>", whole)
    return re.sub(r"(<VALUE></VALUE>\n)+", r"\1", bare)


def test_every_recording_is_walked() -> None:
    """The recordings are all there, so that none is missed by a wrong path."""
    assert len(RECORDINGS) == 61


def test_every_explanation_is_needed(organisation: Organisation) -> None:
    """An entry in the table of explained differences that explains nothing any more has to go."""
    client = create_app(organisation).test_client()
    needed: set[tuple[str, str]] = set()
    for name, recorded in RECORDINGS.items():
        function, allowed = recorded["function"], dict(EXPLAINED.get(recorded["function"], {}))
        for path in list(allowed):
            answer = call(client, function, arguments_for(name, organisation), TOKENS[recorded["as"]])
            others = set(allowed) - {path}
            if difference(by_header(recorded["response"]), by_header(answer.json), others):
                needed.add((function, path))
    assert needed == {(function, path) for function, paths in EXPLAINED.items() for path in paths}


@pytest.mark.parametrize(
    ("recorded", "twin", "said"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, "answer.b: the twin lacks this key", id="missing key"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, "answer.b: the twin has added this key", id="added key"),
        pytest.param({"a": 1}, {"a": "1"}, "answer.a: recorded as number, the twin has string", id="type"),
        pytest.param({"a": 1}, {"a": True}, "answer.a: recorded as number, the twin has boolean", id="boolean"),
        pytest.param({"a": None}, {"a": ""}, "answer.a: recorded as null, the twin has string", id="null"),
        pytest.param({"a": ""}, {"a": None}, "answer.a: recorded as string, the twin has null", id="not null"),
        pytest.param([], {}, "answer: recorded as list, the twin has object", id="list or object"),
        pytest.param([{"a": 1}], [], "answer: recorded with elements, the twin's list is empty", id="empty"),
        pytest.param(
            [{"a": 1}, {"a": 2}],
            [{"a": 1}, {}],
            "answer[].a: recorded always, the twin sometimes lacks it",
            id="key became optional",
        ),
        pytest.param(
            {"a": '{"b":1}'}, {"a": '{"b":"1"}'}, "answer.a{}.b: recorded as number, the twin has string", id="inner"
        ),
        pytest.param(
            {"a": '{"b":1}'},
            {"a": {"b": 1}},
            "answer.a: recorded as JSON in a string, the twin has object",
            id="no longer a string",
        ),
        pytest.param(
            {"errorcode": "x", "message": "y"},
            {"message": "y"},
            "answer.errorcode: the twin lacks this key",
            id="error code",
        ),
    ],
)
def test_the_comparison_sees(recorded: Any, twin: Any, said: str) -> None:
    """Each kind of difference is reported with the path at which it lies."""
    assert difference(recorded, twin) == said


@pytest.mark.parametrize(
    ("recorded", "twin"),
    [
        pytest.param({"a": 1}, {"a": 2.5}, id="whole or not"),
        pytest.param([{"a": 1}, {}], [{}], id="recorded as optional"),
        pytest.param([], [{"a": 1}], id="nothing recorded to compare with"),
        pytest.param([{"a": None}, {"a": 1}], [{"a": 3}, {"a": None}], id="same null habit"),
    ],
)
def test_the_comparison_lets_pass(recorded: Any, twin: Any) -> None:
    """What the recordings allow is no difference."""
    assert difference(recorded, twin) is None


def test_an_explained_path_is_passed_over_and_the_rest_is_not() -> None:
    """A reason written down for one path does not hide a difference at another."""
    recorded, twin = {"a": 1, "b": 1}, {"a": "1", "b": "1"}
    assert difference(recorded, twin, {"answer.a"}) == "answer.b: recorded as number, the twin has string"
    assert difference(recorded, twin, {"answer.a", "answer.b"}) is None
