"""The sandbox Moodle has the manners of the real protocol, the surprising ones above all."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import REST_PATH, create_app

INFO = "core_webservice_get_site_info"


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    """The organisation behind the sandbox."""
    return Organisation(people=100, anchor=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(scope="module")
def client(organisation: Organisation) -> FlaskClient:
    """A client of the sandbox."""
    return create_app(organisation).test_client()


def call(client: FlaskClient, function: str, token: str = "sandbox-connector", **sent: Any) -> Any:
    """Call a function with flat parameters and return the decoded answer."""
    data = {"wstoken": token, "wsfunction": function, "moodlewsrestformat": "json", **sent}
    return client.post(REST_PATH, data={name: str(value) for name, value in data.items()}).json


def test_the_token_also_works_in_the_address(client: FlaskClient) -> None:
    """A GET with everything in the query is answered like a POST."""
    address = f"{REST_PATH}?wstoken=sandbox-connector&wsfunction={INFO}&moodlewsrestformat=json"
    assert client.get(address).get_json()["username"] == "wsconnector"


def test_a_json_body_is_not_read(client: FlaskClient) -> None:
    """Parameters in a JSON body do not arrive, not even the wish for JSON: the answer is an XML error."""
    answer = client.post(
        REST_PATH, json={"wstoken": "sandbox-connector", "wsfunction": INFO, "moodlewsrestformat": "json"}
    )
    assert answer.status_code == 200
    assert answer.content_type == "application/xml; charset=utf-8"
    assert "<ERRORCODE>invalidtoken</ERRORCODE>" in answer.text


def test_variables_beyond_the_limit_are_forgotten(organisation: Organisation) -> None:
    """PHP drops what exceeds max_input_vars without a word, so the last values are simply not found."""
    client = create_app(organisation, max_input_vars=10).test_client()
    values = {f"values[{place}]": f"E{1001 + place}" for place in range(20)}
    found = call(client, "core_user_get_users_by_field", field="idnumber", **values)
    assert [user["idnumber"] for user in found] == [f"E{1001 + place}" for place in range(6)]


@pytest.mark.parametrize(
    ("function", "sent"),
    [
        ("core_enrol_get_enrolled_users", {}),
        ("core_enrol_get_enrolled_users", {"courseid": "2x"}),
        ("core_enrol_get_enrolled_users", {"courseid": 2, "nonsense": 1}),
        ("core_enrol_get_users_courses", {"userid": 5, "returnusercount": "true"}),
        ("core_user_get_users", {}),
        ("core_user_get_users_by_field", {"field": "username", "values[0]": "Anna"}),
    ],
)
def test_wrong_parameters_fail_the_call(client: FlaskClient, function: str, sent: dict[str, Any]) -> None:
    """A missing, ill-typed or unknown parameter is an invalidparameter, without saying which."""
    assert call(client, function, **sent) == {
        "exception": "invalid_parameter_exception",
        "errorcode": "invalidparameter",
        "message": "Invalid parameter value detected",
    }


def test_without_identity_rights_idnumber_and_address_vanish(client: FlaskClient) -> None:
    """A role that lacks the identity capabilities gets users without idnumber and e-mail, and no warning."""
    users = call(client, "core_enrol_get_enrolled_users", "sandbox-noidentity", courseid=2)
    assert users
    assert not any("idnumber" in user or "email" in user for user in users)
    listed = call(
        client, "core_user_get_users", "sandbox-noidentity", **{"criteria[0][key]": "email", "criteria[0][value]": "%"}
    )
    assert listed == {"users": [], "warnings": []}


def test_without_quiz_rights_quizzes_vanish(client: FlaskClient) -> None:
    """A role that lacks mod/quiz:view gets grades and activities without the quizzes, and no warning."""
    grades = call(client, "gradereport_user_get_grade_items", "sandbox-noquiz", courseid=2)
    kinds = {item["itemtype"] for user in grades["usergrades"] for item in user["gradeitems"]}
    assert kinds == {"manual", "course"}
    assert call(client, "mod_quiz_get_quizzes_by_courses", "sandbox-noquiz", **{"courseids[0]": 2})["quizzes"] == []


def test_without_rights_to_hidden_courses_the_list_fails(client: FlaskClient) -> None:
    """One hidden course makes the list of courses fail; the search by field just leaves it out."""
    failed = call(client, "core_course_get_courses", "sandbox-nohidden")
    assert failed["errorcode"] == "errorcoursecontextnotvalid"
    found = call(client, "core_course_get_courses_by_field", "sandbox-nohidden")["courses"]
    assert len(found) == 12


def test_the_pass_mark_needs_a_function_of_its_own(client: FlaskClient) -> None:
    """Only the service with the best-grade function tells pass marks, and a quiz without one lacks the key."""
    function = "mod_quiz_get_user_best_grade"
    assert call(client, function, quizid=1, userid=5)["errorcode"] == "accessexception"
    assert call(client, function, "sandbox-passmarks", quizid=1, userid=5)["gradetopass"] == 80
    assert "gradetopass" not in call(client, function, "sandbox-passmarks", quizid=9, userid=5)


def test_deleted_users_are_absent(client: FlaskClient, organisation: Organisation) -> None:
    """A deleted account is in no list, and asking for its completion is an error of its own."""
    gone = set(organisation.edge_cases["deleted_users"])
    listed = call(client, "core_user_get_users", **{"criteria[0][key]": "email", "criteria[0][value]": "%"})
    assert not gone & {user["id"] for user in listed["users"]}
    assert {1, 2} <= {user["id"] for user in listed["users"]}
    status = "core_completion_get_course_completion_status"
    assert call(client, status, courseid=2, userid=min(gone))["errorcode"] == "userdeleted"
    assert call(client, "core_enrol_get_users_courses", userid=min(gone)) == []


def test_a_wildcard_matches_in_the_address_only(client: FlaskClient) -> None:
    """The percent sign is a wildcard for e-mail and names; an idnumber is matched as it stands."""
    some = call(client, "core_user_get_users", **{"criteria[0][key]": "email", "criteria[0][value]": "reception@%"})
    assert len(some["users"]) == 2
    none = call(client, "core_user_get_users", **{"criteria[0][key]": "idnumber", "criteria[0][value]": "E10%"})
    assert none["users"] == []


def test_suspended_and_active_users_are_told_by_two_calls(client: FlaskClient, organisation: Organisation) -> None:
    """Active and not active users are disjoint and together all users; expired ones count as suspended."""

    def ids(**options: str) -> set[int]:
        chosen = {"userfields": "id", **options}
        sent: dict[str, str] = {}
        for place, (name, value) in enumerate(chosen.items()):
            sent |= {f"options[{place}][name]": name, f"options[{place}][value]": value}
        return {user["id"] for user in call(client, "core_enrol_get_enrolled_users", courseid=2, **sent)}

    active, suspended = ids(onlyactive="1"), ids(onlysuspended="1")
    assert active | suspended == ids()
    assert not active & suspended
    edges = organisation.edge_cases
    assert {edges["suspended_enrolment"][0], edges["expired_enrolment"][0]} <= suspended


def test_the_batch_stops_at_its_first_error(client: FlaskClient) -> None:
    """What follows the first error of a batch has no answer; arguments and answers are JSON in text."""
    sent = {
        "requests[0][function]": "core_course_get_categories",
        "requests[1][function]": "core_enrol_get_users_courses",
        "requests[1][arguments]": '{"userid":"x"}',
        "requests[2][function]": "core_course_get_categories",
    }
    responses = call(client, "tool_mobile_call_external_functions", **sent)["responses"]
    assert [response["error"] for response in responses] == [False, True]
    assert '"errorcode":"invalidparameter"' in responses[1]["exception"]


def test_a_report_filter_stays_until_it_is_cleared(client: FlaskClient) -> None:
    """Filter values belong to the user and the report, across calls."""

    def total() -> int:
        answer = call(client, "core_reportbuilder_retrieve_report", "sandbox-report", reportid=6, perpage=1)
        return int(answer["data"]["totalrowcount"])

    def set_filters(values: str) -> None:
        call(client, "core_reportbuilder_set_filters", "sandbox-report", reportid=6, parameters="[]", values=values)

    everything = total()
    set_filters('{"completion:timecompleted_operator":3,"completion:timecompleted_from":1780000000}')
    assert 0 < total() < everything
    assert 0 < total() < everything
    set_filters('{"no such filter":1}')
    assert total() == everything


def test_report_dates_follow_the_time_zone_asked_for(client: FlaskClient) -> None:
    """The same moment reads eight hours later when the caller asks for Shanghai."""

    def added(zone: str) -> str:
        sent = {"reportid": 9, "perpage": 1, "moodlewssettingtimezone": zone}
        rows = call(client, "core_reportbuilder_retrieve_report", "sandbox-report", **sent)["data"]["rows"]
        return str(rows[0]["columns"][2])

    assert added("UTC") == "Saturday, 24 October 2026, 12:00 AM"
    assert added("Asia/Shanghai") == "Saturday, 24 October 2026, 8:00 AM"
