"""The protocol: what is sent to a site, how many calls go in one request, and what becomes of odd answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.http import HttpClient
from connectors.moodle.client import BATCH, SITE_INFO, Call, MoodleClient, flatten
from connectors.moodle.errors import (
    MissingFunctionError,
    MoodleError,
    RefusedCallError,
    UnreachableError,
    WrongAddressError,
)
from tests.connectors.book import Got, Little, Reply, Site

TOKEN = "secret-token"
F = "core_user_get_users"


def answering(little: Little, answer: Callable[[Got], Any], *functions: str) -> None:
    """Let the server be a site with these functions; `answer` gives the JSON, or a Reply, of other calls."""
    info = {"sitename": "S", "siteurl": "u", "release": "4.4", "username": "w"}
    info |= {"functions": [{"name": name} for name in (F, *functions)]}  # type: ignore[dict-item]

    def reply(got: Got) -> Reply:
        made = info if got.form["wsfunction"] == SITE_INFO else answer(got)
        return made if isinstance(made, Reply) else Reply(json.dumps(made).encode())

    little.answer = reply


@pytest.fixture
def client(little: Little) -> Iterator[MoodleClient]:
    """A client of the little server that does not wait between its two tries."""
    http = HttpClient(timeout=5, tries=2, connections=3, sleep=lambda _seconds: None)
    yield MoodleClient(little.url + "/", TOKEN, http)
    http.close()


def test_the_token_stands_in_the_body_and_nowhere_else(little: Little, client: MoodleClient) -> None:
    """A real server receives the token in the POST body: not in the address, the headers or the client's repr."""
    answering(little, lambda _got: [])
    client.call(F, a=1)
    assert [got.form["wstoken"] for got in little.got] == [TOKEN, TOKEN]
    for got in little.got:
        assert got.path == "/webservice/rest/server.php"
        assert TOKEN not in str(got.headers)
        assert got.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert TOKEN not in repr(client)


def test_answers_are_pinned_to_json_english_and_utc(little: Little, client: MoodleClient) -> None:
    """Every request asks for JSON, in English and UTC, whatever the web service user has set."""
    answering(little, lambda _got: [])
    client.call(F)
    wanted = {
        "moodlewsrestformat": "json",
        "moodlewssettinglang": "en",
        "moodlewssettingtimezone": "UTC",
        "wsfunction": F,
    }
    assert wanted.items() <= little.got[1].form.items()


def test_nested_parameters_arrive_as_moodle_reads_them(little: Little, client: MoodleClient) -> None:
    """Lists and groups go as name[0][key], yes and no as 1 and 0, and any character survives."""
    answering(little, lambda _got: [])
    client.call(
        F, criteria=[{"key": "email", "value": "%"}, {"key": "名", "value": "a&b=c d"}], on=True, off=False, n=7
    )
    sent = {name: value for name, value in little.got[1].form.items() if not name.startswith(("ws", "moodlews"))}
    assert sent == {
        "criteria[0][key]": "email", "criteria[0][value]": "%", "criteria[1][key]": "名",
        "criteria[1][value]": "a&b=c d", "on": "1", "off": "0", "n": "7",
    }  # fmt: skip


def test_flatten_goes_as_deep_as_the_arguments() -> None:
    """Groups within lists within groups keep their place."""
    assert dict(flatten({"a": {"b": [{"c": [1, True]}]}, "d": []})) == {"a[b][0][c][0]": "1", "a[b][0][c][1]": "1"}


def test_a_function_outside_the_service_is_not_even_asked(little: Little, client: MoodleClient) -> None:
    """The site's own list is believed: no call is made that could only be refused."""
    answering(little, lambda _got: [])
    with pytest.raises(MissingFunctionError, match="core_badges_get_user_badges"):
        client.call("core_badges_get_user_badges")
    with pytest.raises(MissingFunctionError):
        client.call_many([Call(F, {}), Call("core_badges_get_user_badges", {})])
    assert [got.form["wsfunction"] for got in little.got] == [SITE_INFO]


def test_the_site_is_asked_once_for_what_it_is(little: Little, client: MoodleClient) -> None:
    """What the site says of itself is kept for the client's life, a failure to say it is not."""
    little.answer = lambda _got: Reply(status=500)
    with pytest.raises(UnreachableError) as caught:
        _ = client.site
    assert caught.value.whole_source
    answering(little, lambda _got: [])
    for _ in range(3):
        client.call(F)
    assert [got.form["wsfunction"] for got in little.got].count(SITE_INFO) == 3  # two tries, and the one that worked


@pytest.mark.parametrize("info", [{}, [], "x", 7, None, {"functions": [{}], "sitename": "S"}, {"functions": None}])
def test_another_server_is_no_moodle(little: Little, client: MoodleClient, info: Any) -> None:
    """A server whose JSON is not a site's is told as a wrong address."""
    little.answer = lambda _got: Reply(json.dumps(info).encode())
    with pytest.raises(WrongAddressError, match="check the source's url"):
        _ = client.site


def batches(little: Little, inner: Callable[[str, Any], Any]) -> list[list[Any]]:
    """Let the server answer batches as Moodle does, stopping at an error; what each request asked, by request."""
    asked: list[list[Any]] = []

    def answer(got: Got) -> Any:
        form, requests = got.form, []
        while f"requests[{len(requests)}][function]" in form:
            at = len(requests)
            requests.append((form[f"requests[{at}][function]"], json.loads(form[f"requests[{at}][arguments]"])))
        with little.lock:
            asked.append([arguments["n"] for _, arguments in requests])
        responses = []
        for function, arguments in requests:
            made = inner(function, arguments)
            if isinstance(made, Exception):
                exception = json.dumps({"errorcode": str(made), "message": "m"})
                responses.append({"error": True, "exception": exception})
                break
            responses.append({"error": False, "data": made if isinstance(made, str) else json.dumps(made)})
        return {"responses": responses}

    answering(little, answer, BATCH)
    return asked


def many(count: int) -> list[Call]:
    """Calls that differ."""
    return [Call(F, {"n": n}) for n in range(count)]


def test_a_batch_goes_on_behind_each_error(little: Little, client: MoodleClient) -> None:
    """Moodle stops at an inner error; what follows is asked again, and every call gets its own outcome, in order."""
    asked = batches(little, lambda _f, sent: ValueError("usernotenroled") if sent["n"] in (0, 3, 4, 9) else sent["n"])
    outcomes = client.call_many(many(10))
    assert [None if isinstance(one, MoodleError) else one for one in outcomes] == [
        None,
        1,
        2,
        None,
        None,
        5,
        6,
        7,
        8,
        None,
    ]
    assert {one.code for one in outcomes if isinstance(one, MoodleError)} == {"usernotenroled"}
    assert asked == [list(range(10)), list(range(1, 10)), list(range(4, 10)), list(range(5, 10))]


def test_more_than_fifty_calls_are_several_requests(little: Little, client: MoodleClient) -> None:
    """120 calls are three requests of at most fifty, and the outcomes stand in the order of the calls."""
    asked = batches(little, lambda _f, sent: {"n": sent["n"]})
    assert client.call_many(many(120)) == [{"n": n} for n in range(120)]
    assert sorted(map(len, asked)) == [20, 50, 50]


def test_without_the_batch_function_each_call_is_a_request(little: Little, client: MoodleClient) -> None:
    """Where the service lacks the batch function the outcomes are the same, one request for each."""

    def answer(got: Got) -> Any:
        return {"exception": "x", "errorcode": "userdeleted"} if got.form["n"] == "2" else int(got.form["n"])

    answering(little, answer)
    outcomes = client.call_many(many(4))
    assert [getattr(one, "code", one) for one in outcomes] == [0, 1, "userdeleted", 3]
    assert len(little.got) == 5


def test_no_calls_are_no_requests(little: Little, client: MoodleClient) -> None:
    """Nothing to ask is answered without asking."""
    batches(little, lambda *_: 0)
    assert client.call_many([]) == []
    assert {got.form["wsfunction"] for got in little.got} <= {SITE_INFO}


@pytest.mark.parametrize("answer", [{"responses": []}, {"responses": None}, {}, [], None, {"responses": 7}])
def test_a_batch_without_responses_ends(little: Little, client: MoodleClient, answer: Any) -> None:
    """A site that answers none of the calls is not asked for ever."""
    answering(little, lambda _got: answer, BATCH)
    with pytest.raises(UnreachableError, match=r"answered none of 3 calls"):
        client.call_many(many(3))


@pytest.mark.parametrize("data", ["", "<br>PHP notice", "[1, 2", "\ufeff"])
def test_inner_data_that_is_not_json_is_that_calls_failure(little: Little, client: MoodleClient, data: str) -> None:
    """Junk within a batch concerns its own call; the others keep their answers."""
    batches(little, lambda _f, sent: data if sent["n"] == 1 else sent["n"])
    outcomes = client.call_many(many(3))
    assert (outcomes[0], outcomes[2]) == (0, 2)
    assert isinstance(outcomes[1], UnreachableError)


@pytest.mark.parametrize(
    "response",
    ["text", None, {}, {"error": True}, {"error": True, "exception": "[]"}, {"error": True, "exception": "{"}],
)
def test_an_odd_inner_response_is_that_calls_failure(little: Little, client: MoodleClient, response: Any) -> None:
    """A response of a shape that Moodle never gives breaks nothing."""
    answering(little, lambda _got: {"responses": [response, {"error": False, "data": "5"}]}, BATCH)
    first, second = client.call_many(many(2))
    assert isinstance(first, UnreachableError)
    assert second == 5


def test_inner_errors_without_a_code_name_their_exception(little: Little, client: MoodleClient) -> None:
    """A PHP error within a batch has no code: its class is named, its message, which may hold personal data, is not."""
    failed = {"error": True, "exception": json.dumps({"exception": "Error", "message": "of Anna Li"})}
    answering(little, lambda _got: {"responses": [failed, {"error": False, "data": "1"}]}, BATCH)
    error = client.call_many(many(2))[0]
    assert isinstance(error, RefusedCallError)
    assert "Error" in str(error)
    assert "Anna" not in str(error)


def test_ordinary_states_do_not_end_a_real_batch(site: Site) -> None:
    """Asked of the sandbox: users not enrolled, deleted and unknown are outcomes of their calls, and the rest is answered."""
    connector = site.connector()
    function, fire = "core_completion_get_course_completion_status", site.organisation.find_course("FIRE").id
    edges = site.organisation.edge_cases
    good = next(user for user in site.organisation.enrolments[fire] if site.organisation.active(user, fire))
    asked = [edges["deleted_users"][0], good, edges["suspended_enrolment"][0], 999_999, good]
    outcomes = connector.client.call_many([Call(function, {"courseid": fire, "userid": user}) for user in asked])
    assert [getattr(one, "code", "answered") for one in outcomes] == [
        "userdeleted", "answered", "usernotenroled", "invaliduser", "answered",
    ]  # fmt: skip
    connector.close()
