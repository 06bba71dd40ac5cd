"""Each fault of the sandbox does what it says, over real HTTP."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.moodle.demo import faults
from connectors.moodle.demo.faults import Kind
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import REST_PATH, Server, create_app, serve

ANCHOR = datetime(2026, 11, 23, tzinfo=UTC)
INFO = "core_webservice_get_site_info"
ENROLLED = "core_enrol_get_enrolled_users"


class Sandbox:
    """A client of a running sandbox."""

    def __init__(self, server: Server, http: requests.Session) -> None:
        self.url = server.url
        self.http = http

    def call(self, function: str = INFO, token: str = "sandbox-connector", **sent: Any) -> requests.Response:
        """Call a function over HTTP without following redirects."""
        data = {"wstoken": token, "wsfunction": function, "moodlewsrestformat": "json", **sent}
        return self.http.post(self.url + REST_PATH, data=data, timeout=20, allow_redirects=False)

    def fault(self, kind: str, **details: Any) -> None:
        """Set a fault through the control endpoint."""
        answer = self.http.post(f"{self.url}/sandbox/faults", json={"kind": kind, **details}, timeout=20)
        assert answer.status_code == 201, answer.text

    def act(self, **wanted: Any) -> requests.Response:
        """Let something happen through the control endpoint."""
        return self.http.post(f"{self.url}/sandbox/act", json=wanted, timeout=20)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A sandbox on a free port."""
    with serve(create_app(Organisation(people=60, anchor=ANCHOR))) as running:
        yield running


@pytest.fixture
def sandbox(server: Server) -> Iterator[Sandbox]:
    """A client, and no faults left over afterwards."""
    with requests.Session() as http:
        http.trust_env = False
        yield Sandbox(server, http)
        http.delete(f"{server.url}/sandbox/faults", timeout=20)


def test_without_faults_all_is_well(sandbox: Sandbox) -> None:
    """The sandbox answers, names its own address and is asked for JSON."""
    answer = sandbox.call()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["siteurl"] == sandbox.url


def test_time_out_sleeps_and_then_answers(sandbox: Sandbox) -> None:
    """A slow site answers in the end; who will not wait gives up before."""
    sandbox.fault("time_out", seconds=0.4)
    started = time.monotonic()
    assert sandbox.call().json()["username"] == "wsconnector"
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("http_500", 500, ""),
        ("rest_off", 403, ""),
        ("html", 200, "<!DOCTYPE html>"),
        ("maintenance_503", 503, "<!DOCTYPE html>"),
        ("redirect", 303, "<!DOCTYPE html>"),
        ("slow_down", 429, "<!DOCTYPE html>"),
    ],
)
def test_faults_outside_moodle_answer_no_json(sandbox: Sandbox, kind: str, status: int, body: str) -> None:
    """Faults of PHP, proxies and switches have their own status, are no JSON, and pass after one call."""
    sandbox.fault(kind)
    answer = sandbox.call()
    assert answer.status_code == status
    assert answer.text[: len(body)] == body
    assert bool(answer.text) == bool(body)
    assert answer.headers["content-type"].startswith("text/html")
    assert sandbox.call().status_code == 200


def test_slow_down_says_when_to_come_back(sandbox: Sandbox) -> None:
    """A site that is asked too often names the seconds to wait."""
    sandbox.fault("slow_down", seconds=7)
    assert sandbox.call().headers["retry-after"] == "7"


def test_redirect_names_another_place(sandbox: Sandbox) -> None:
    """A site under another name sends the caller away, which would turn a POST into a GET."""
    sandbox.fault("redirect")
    assert sandbox.call().headers["location"].endswith("/sandbox/elsewhere")


def test_truncated_json_stops_half_way(sandbox: Sandbox) -> None:
    """An answer that breaks off claims to be JSON and is not."""
    sandbox.fault("truncated_json")
    answer = sandbox.call()
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match=r"."):
        answer.json()


def test_maintenance_is_an_error_in_json(sandbox: Sandbox) -> None:
    """A site in maintenance says so with status 200."""
    sandbox.fault("maintenance")
    answer = sandbox.call()
    assert answer.status_code == 200
    assert answer.json()["errorcode"] == "sitemaintenance"


def test_an_expired_token_is_refused_once_and_then_unknown(sandbox: Sandbox) -> None:
    """Moodle deletes an expired token at its first use, so that the second answer differs from the first."""
    sandbox.fault("expired_token")
    codes = [sandbox.call().json().get("errorcode") for _ in range(3)]
    assert codes == ["accessexception", "invalidtoken", "invalidtoken"]
    assert "errorcode" not in sandbox.call(token="sandbox-report").json()
    sandbox.http.delete(f"{sandbox.url}/sandbox/faults", timeout=20)
    assert "errorcode" not in sandbox.call().json()


@pytest.mark.parametrize(("flaw", "value"), [("early_date", -5), ("late_date", 10**15)])
def test_bad_record_carries_an_impossible_date(sandbox: Sandbox, flaw: str, value: int) -> None:
    """One record's date lies before all dates or beyond them, the others stay as they are."""
    sandbox.fault("bad_record", function=ENROLLED, flaw=flaw, key="lastcourseaccess")
    accesses = [user["lastcourseaccess"] for user in sandbox.call(ENROLLED, courseid=2).json()]
    assert accesses.count(value) == 1
    assert len(accesses) > 20


def test_bad_record_lacks_a_key(sandbox: Sandbox) -> None:
    """One record lacks the key that identifies it, and the next call is whole again."""
    sandbox.fault("bad_record", function=ENROLLED)
    lacking, whole = (sandbox.call(ENROLLED, courseid=2).json() for _ in range(2))
    assert sum("id" not in user for user in lacking) == 1
    assert all("id" in user for user in whole)


def test_bad_record_has_a_negative_grade(sandbox: Sandbox) -> None:
    """One mark lies below nothing."""
    sandbox.fault("bad_record", function="gradereport_user_get_grade_items", flaw="negative_grade")
    graded = sandbox.call("gradereport_user_get_grade_items", courseid=2).json()["usergrades"]
    assert [item["graderaw"] for user in graded for item in user["gradeitems"]].count(-5) == 1


def test_bad_record_spoils_a_row_of_a_report(sandbox: Sandbox) -> None:
    """In a report the date is text, so an impossible one is impossible text."""
    function = "core_reportbuilder_retrieve_report"
    sandbox.fault("bad_record", function=function, flaw="late_date")
    rows = sandbox.call(function, "sandbox-report", reportid=10, perpage=0).json()["data"]["rows"]
    assert sum(any("32 June" in (text or "") for text in row["columns"]) for row in rows) == 1


def test_bad_record_reaches_into_a_batch(sandbox: Sandbox) -> None:
    """A fault of a function also strikes when the function is called within a batch."""
    sandbox.fault("bad_record", function="core_course_get_categories")
    sent = {"requests[0][function]": "core_course_get_categories"}
    answer = sandbox.call("tool_mobile_call_external_functions", **sent).json()
    assert not answer["responses"][0]["error"]
    assert answer["responses"][0]["data"].count('"id":') == 3


def test_pages_change_between_two_calls(sandbox: Sandbox) -> None:
    """When users leave between two pages, whoever pages by offset misses as many."""
    slim: dict[str, Any] = {"courseid": 2, "options[0][name]": "userfields", "options[0][value]": "id"}
    before = [user["id"] for user in sandbox.call(ENROLLED, **slim).json()]
    sandbox.fault("pages_change", users=2)
    paged: list[int] = []
    for start in range(0, len(before), 10):
        page: dict[str, Any] = {"options[1][name]": "limitfrom", "options[1][value]": start}
        page |= {"options[2][name]": "limitnumber", "options[2][value]": 10}
        paged += [user["id"] for user in sandbox.call(ENROLLED, **slim, **page).json()]
    assert set(before) - set(paged) == set(before[10:12])
    assert [user["id"] for user in sandbox.call(ENROLLED, **slim).json()] == before[2:]


def test_a_fault_waits_for_its_function_and_its_turn(sandbox: Sandbox) -> None:
    """A fault leaves other functions alone, lets `after` calls pass and strikes `times` times."""
    sandbox.fault("http_500", function="core_course_get_courses", after=1, times=2)
    assert sandbox.call().status_code == 200
    statuses = [sandbox.call("core_course_get_courses").status_code for _ in range(4)]
    assert statuses == [200, 500, 500, 200]


def test_a_lasting_fault_ends_when_cleared(sandbox: Sandbox) -> None:
    """A fault without a number of times strikes until it is cleared."""
    sandbox.fault("html", times=None)
    assert {sandbox.call().headers["content-type"] for _ in range(4)} == {"text/html; charset=utf-8"}
    assert [one["kind"] for one in sandbox.http.get(f"{sandbox.url}/sandbox/faults", timeout=20).json()] == ["html"]
    sandbox.http.delete(f"{sandbox.url}/sandbox/faults", timeout=20)
    assert sandbox.call().headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "wrong", [{"kind": "earthquake"}, {"kind": "html", "often": 2}, {"kind": "bad_record", "flaw": "odd"}]
)
def test_an_unknown_fault_is_refused(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    """A misspelt fault is refused with a reason, and nothing is set."""
    answer = sandbox.http.post(f"{sandbox.url}/sandbox/faults", json=wrong, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sandbox.http.get(f"{sandbox.url}/sandbox/faults", timeout=20).json() == []


def test_every_kind_of_fault_is_documented() -> None:
    """The list at the head of the module names every kind."""
    assert all(f"    {kind.value} " in (faults.__doc__ or "") for kind in Kind)


def test_acts_show_in_the_answers(sandbox: Sandbox) -> None:
    """What the control endpoint lets happen is what the web services then say."""
    status = "core_completion_get_course_completion_status"
    user = sandbox.act(act="enrol", user="E1002", course="CRS-1", at="2026-11-01T00:00:00Z").json()["userid"]

    def completed() -> Any:
        answer = sandbox.call(status, courseid=2, userid=user).json()
        return answer.get("errorcode") or answer["completionstatus"]["completed"]

    sandbox.act(act="reset", user="E1002", course="CRS-1")
    assert completed() is False
    sandbox.act(act="complete", user="E1002", course="CRS-1", at="2026-11-20T08:00:00Z")
    assert completed() is True
    sandbox.act(act="reset", user="E1002", course="CRS-1")
    assert completed() is False
    sandbox.act(act="set_grade", user="E1002", course="CRS-1", grade=33, at="2026-11-21T08:00:00Z")
    graded = sandbox.call("gradereport_user_get_grade_items", courseid=2, userid=user).json()
    assert graded["usergrades"][0]["gradeitems"][0]["graderaw"] == 33
    sandbox.act(act="suspend_enrolment", user="E1002", course="CRS-1")
    assert completed() == "usernotenroled"
    sandbox.act(act="unenrol", user="E1002", course="CRS-1")
    assert completed() == "usernotenroled"
    sandbox.act(act="delete_user", user="E1002", at="2026-11-22T08:00:00Z")
    assert completed() == "userdeleted"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"act": "dance", "user": "E1003", "course": 2}, "an act is one of"),
        ({"act": "reset", "user": "E9999", "course": 2}, "no user"),
        ({"act": "reset", "user": "E1003", "course": "CRS-99"}, "no course"),
        ({"act": "complete", "user": "E1003", "course": 2}, "'at' is missing"),
        ({"act": "complete", "user": "E1003", "course": 2, "at": "2026-11-20T08:00:00"}, "time zone"),
    ],
)
def test_an_act_that_cannot_be_is_refused(sandbox: Sandbox, wanted: dict[str, Any], reason: str) -> None:
    """A wrong act says what is wrong with it."""
    answer = sandbox.act(**wanted)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
