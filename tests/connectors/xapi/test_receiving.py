"""The statements resource as the specification describes it: what is taken, refused, answered and counted."""

import base64
import json
from typing import Any

import pytest
import requests
import tincan

from connectors import doors
from connectors.xapi.credentials import revoke_credential
from connectors.xapi.receiving import LARGEST
from tests.conftest import START
from tests.connectors.xapi.conftest import ID, OTHER_ID, Lms, said, voiding


def counted(lms: Lms) -> dict[tuple[str, str], int]:
    """How often each thing happened, by source and outcome."""
    with lms.home.store.read() as session:
        return {(row.name, row.outcome): row.times for row in doors.counts(session, doors.XAPI)}


def test_a_batch_is_stored_and_answered_with_its_ids(lms: Lms) -> None:
    """POST stores all statements as they came, in their order, with what an LRS adds, and wakes a worker."""
    answer = lms.ask("POST", [said(id=ID.upper()), said(object={"id": "https://lms.example/quiz/2"})])
    ids = answer.get_json()
    assert (answer.status_code, ids[0], len(set(ids)), lms.woken) == (200, ID, 2, ["statements_received"])
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    first, second = lms.rows()
    held = json.loads(first.statement or "")
    assert (first.statement_id, first.stored_at, first.outcome, second.statement_id) == (ID, START, None, ids[1])
    assert held["stored"] == "2026-11-23T02:00:00.000Z"
    assert held["authority"]["account"] == {"homePage": lms.home.settings.web.public_url.rstrip("/"), "name": "lms"}
    assert (held["version"], held["timestamp"], held["actor"]) == ("1.0.0", said()["timestamp"], said()["actor"])
    assert counted(lms) == {("lrs", "taken"): 2}


def test_one_statement_is_put(lms: Lms) -> None:
    """PUT stores one statement under the id of the query: 204, and again 204."""
    for _ in range(2):
        answer = lms.ask("PUT", said(), f"/xapi/statements?statementId={ID}")
        assert (answer.status_code, answer.data, answer.headers["X-Experience-API-Version"]) == (204, b"", "1.0.3")
    assert [row.statement_id for row in lms.rows()] == [ID]
    assert counted(lms) == {("lrs", "taken"): 1, ("lrs", "known"): 1}


def test_what_a_client_says_of_authority_and_storing_is_overwritten(lms: Lms) -> None:
    """Nobody can speak in another one's name, nor say when something was stored."""
    lms.ask("POST", said(authority={"mbox": "mailto:boss@acme.example"}, stored="2020-01-01T00:00:00Z"))
    held = json.loads(lms.rows()[0].statement or "")
    assert (held["authority"]["account"]["name"], held["stored"][:4]) == ("lms", "2026")


@pytest.mark.parametrize(
    "again",
    [
        said(id=ID),
        said(id=ID.upper(), timestamp="2026-11-22T02:00:00.000Z"),
        said(id=ID, verb={"id": said()["verb"]["id"], "display": {"en": "passed"}}),
        said(
            id=ID,
            object={"objectType": "Activity", "id": "https://lms.example/quiz/1", "definition": {"name": {"en": "x"}}},
        ),
        said(id=ID, actor={"objectType": "Agent", "mbox": "mailto:ann@ACME.example", "name": "Ann"}),
        said(id=ID, version="1.0.0", authority={"mbox": "mailto:x@y.z"}, stored="2020-01-01T00:00:00Z"),
    ],
)
def test_the_same_again_is_taken_for_the_same(lms: Lms, again: dict[str, Any]) -> None:
    """Differences that the specification says are none make no conflict and no second statement."""
    lms.tell(said(id=ID))
    assert lms.ask("POST", again).get_json() == [ID]
    assert len(lms.rows()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"verb": {"id": "http://adlnet.gov/expapi/verbs/failed"}}, {"result": {"success": True}},
        {"timestamp": "2026-11-22T10:00:01+08:00"}, {"object": {"id": "https://lms.example/quiz/2"}},
        {"actor": {"mbox": "mailto:bo@acme.example"}}, {"context": {"language": "en"}},
    ],
)  # fmt: skip
def test_another_statement_under_a_known_id_is_a_conflict(lms: Lms, other: dict[str, Any]) -> None:
    """An id that is another statement's is answered 409, by POST and by PUT, and nothing of the request is stored."""
    lms.tell(said(id=ID))
    assert lms.ask("PUT", said(**other), f"/xapi/statements?statementId={ID}").status_code == 409
    assert lms.ask("POST", [said(id=OTHER_ID), said(id=ID, **other)]).status_code == 409
    assert [row.statement_id for row in lms.rows()] == [ID]


def test_what_comes_back_as_it_is_held_is_the_same(lms: Lms) -> None:
    """A statement that is sent back as it was read, with all that was added, is no conflict."""
    lms.tell(said(id=ID, timestamp="2026-11-22T10:00:00Z"))
    without = {name: value for name, value in said(id=OTHER_ID).items() if name != "timestamp"}
    lms.tell(without)
    for row in lms.rows():
        assert lms.ask("POST", json.loads(row.statement or "")).status_code == 200
    assert len(lms.rows()) == 2


def test_statements_without_ids_are_recognised_when_they_come_again(lms: Lms) -> None:
    """Sent again without an id, a statement has the id that it was given at first; another result is another statement."""
    first = lms.tell(said(), said(result={"success": True}))
    assert lms.tell(said(), said(), said(result={"success": True})) == [first[0], first[0], first[1]]
    without = {name: value for name, value in said().items() if name != "timestamp"}
    assert len({*lms.tell(without), *lms.tell(without)}) == 2  # nothing says that it is the same
    assert len(lms.rows()) == 4


def test_one_bad_statement_refuses_all(lms: Lms) -> None:
    """Of a batch with an invalid statement nothing is stored, and the answer says where it is wrong."""
    answer = lms.ask("POST", [said(id=ID), said(id=OTHER_ID, result={"success": "false"})])
    assert (answer.status_code, lms.rows()) == (400, [])
    assert answer.get_json()["findings"] == [{"field": "/1/result/success", "problem": "type"}]


QUERY = "/xapi/statements?"


@pytest.mark.parametrize(
    ("method", "given", "status", "outcome"),
    [
        ("POST", {"user": "nobody"}, 401, "signature"),
        ("POST", {"authorization": ""}, 401, "signature"),
        ("POST", {"authorization": "Bearer x"}, 401, "signature"),
        ("POST", {"authorization": "Basic %%%"}, 401, "signature"),
        ("POST", {"authorization": "Basic " + base64.b64encode(b"lms:wrong").decode()}, 401, "signature"),
        ("POST", {"authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()}, 401, "signature"),
        ("POST", {"x_experience_api_version": ""}, 400, "headers"),
        ("POST", {"x_experience_api_version": "0.95"}, 400, "headers"),
        ("POST", {"x_experience_api_version": "1.1.0"}, 400, "headers"),
        ("POST", {"x_experience_api_version": "2.0.0"}, 400, "headers"),
        ("POST", {"content_type": ""}, 400, "media_type"),
        ("POST", {"content_type": "text/plain"}, 400, "media_type"),
        ("POST", {"content_type": "application/x-www-form-urlencoded", "raw": b"a=b"}, 400, "media_type"),
        ("POST", {"content_type": "multipart/mixed; boundary=x"}, 415, "media_type"),
        ("POST", {"raw": b""}, 400, "malformed"),
        ("POST", {"raw": b"no json"}, 400, "malformed"),
        ("POST", {"raw": b"\xff"}, 400, "malformed"),
        ("POST", {"raw": b"[" * 100_000}, 400, "malformed"),
        ("POST", {"raw": b'{"actor": 1, "actor": 2}'}, 400, "malformed"),
        ("POST", {"raw": b'{"result": {"score": {"raw": 1e999}}}'}, 400, "malformed"),
        ("POST", {"raw": b" " * (LARGEST + 1)}, 413, "too_large"),
        ("POST", {"body": {}}, 400, "invalid"),
        ("POST", {"body": [[]]}, 400, "invalid"),
        ("POST", {"body": [None]}, 400, "invalid"),
        ("POST", {"body": said(id="7")}, 400, "invalid"),
        ("POST", {"body": [said(id=ID), said(id=ID.upper())]}, 400, "malformed"),
        ("POST", {"path": f"{QUERY}statementId={ID}"}, 400, "malformed"),
        ("POST", {"path": f"{QUERY}method=PUT"}, 400, "malformed"),
        ("POST", {"path": f"{QUERY}limit=5"}, 400, "malformed"),
        ("PUT", {}, 400, "malformed"),
        ("PUT", {"path": f"{QUERY}statementId=7"}, 400, "malformed"),
        ("PUT", {"path": f"{QUERY}statementId={ID}&statementId={ID}"}, 400, "malformed"),
        ("PUT", {"path": f"{QUERY}statementId={ID}", "body": said(id=OTHER_ID)}, 400, "malformed"),
        ("PUT", {"path": f"{QUERY}statementId={ID}", "body": [said()]}, 400, "malformed"),
        ("PUT", {"path": f"{QUERY}StatementId={ID}"}, 400, "malformed"),
        (
            "POST", {"body": said(attachments=[{
                "usageType": "http://a.b/c", "display": {}, "contentType": "a/b", "length": 1, "sha2": "a" * 64,
            }])}, 400, "invalid",
        ),
        ("GET", {"path": f"{QUERY}statementId={ID}&voidedStatementId={ID}"}, 400, "malformed"),
        ("GET", {"path": f"{QUERY}statementId={ID}&colour=red"}, 400, "malformed"),
        ("GET", {"path": f"{QUERY}statementId=7"}, 400, "malformed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_counted(
    lms: Lms, method: str, given: dict[str, Any], status: int, outcome: str
) -> None:
    """Each kind of wrong request has its own status and count; nothing is stored, and every answer bears the version."""
    body = {"body": said()} if method != "GET" and "raw" not in given else {}
    answer = lms.ask(method, **{**body, **given})
    assert (answer.status_code, lms.rows(), lms.woken) == (status, [], []), answer.get_data(as_text=True)
    assert (answer.headers["X-Experience-API-Version"], bool(answer.get_json()["error"])) == ("1.0.3", True)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert counted(lms) == {("" if status == 401 else "lrs", outcome): 1}


@pytest.mark.parametrize("version", ["1.0", "1.0.0", "1.0.3", "1.0.9"])
def test_every_version_1_0_is_spoken(lms: Lms, version: str) -> None:
    """Requests of every version that begins with 1.0 are taken."""
    assert lms.ask("POST", said(), x_experience_api_version=version).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/xapi/statements", 403),
        ("GET", "/xapi/statements?limit=1", 403),
        ("GET", f"/xapi/statements?statementId={ID}", 404),
        ("DELETE", "/xapi/statements", 405),
        ("PATCH", "/xapi/statements", 405),
        ("POST", "/xapi/about", 405),
        ("GET", "/xapi/activities/state", 404),
        ("PUT", "/xapi/agents/profile", 404),
        ("GET", "/xapi/", 404),
        ("POST", "/xapi/statements/more", 404),
    ],
)
def test_what_is_not_offered_says_so(lms: Lms, method: str, path: str, status: int) -> None:
    """Queries, documents and other methods are answered by 403, 404 and 405, with the version, in JSON."""
    answer = lms.ask(method, path=path)
    assert (answer.status_code, answer.headers["X-Experience-API-Version"]) == (status, "1.0.3")
    assert answer.get_json()["error"]


def test_about_is_for_anybody(lms: Lms) -> None:
    """Which versions are spoken is told without credentials and without the header."""
    answer = lms.client.get("/xapi/about")
    assert (answer.status_code, answer.get_json()["version"][0]) == (200, "1.0.3")
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"


def test_one_statement_is_read_again(lms: Lms) -> None:
    """A statement is answered whole by its id; voided, only as a voided one; and to other credentials not at all."""
    lms.tell(said(id=ID, context={"extensions": {"http://x.example/名": None}}))
    answer = lms.ask("GET", path=f"/xapi/statements?statementId={ID.upper()}")
    assert (answer.status_code, answer.get_json()["id"], answer.headers["Last-Modified"]) == (
        200, ID, "Mon, 23 Nov 2026 02:00:00 GMT",
    )  # fmt: skip
    assert answer.get_json()["context"]["extensions"] == {"http://x.example/名": None}
    assert lms.ask("GET", path=f"/xapi/statements?statementId={ID}", user="lms2").status_code == 404
    assert lms.ask("GET", path=f"/xapi/statements?voidedStatementId={ID}").status_code == 404
    lms.tell(voiding(ID))
    assert lms.ask("GET", path=f"/xapi/statements?statementId={ID}").status_code == 404
    assert lms.ask("GET", path=f"/xapi/statements?voidedStatementId={ID}").status_code == 200


def test_a_revoked_credential_opens_nothing(lms: Lms) -> None:
    """Nothing is taken with a credential that was revoked; its password stands nowhere in the store."""
    with lms.home.store.write() as session:
        revoke_credential(session, "lms", "test", START)
    assert lms.ask("POST", said()).status_code == 401
    with lms.home.store.read() as session:
        (row,) = [one for one in doors.counts(session, doors.XAPI) if one.outcome == "signature"]
    assert (row.name, lms.password in repr(vars(row))) == ("", False)


def test_odd_characters_stay_what_they_are(lms: Lms) -> None:
    """NUL and half characters in what people wrote are kept, and stop nothing."""
    answer = lms.ask("POST", raw=json.dumps(said(id=ID, result={"response": "a\u0000\ud800b"})).encode())
    assert answer.status_code == 200
    assert json.loads(lms.rows()[0].statement or "")["result"]["response"] == "a\u0000\ud800b"


def test_tincan_sends_statements(lms: Lms, address: str) -> None:
    """The library that xAPI's makers wrote for Python sends, reads and asks for the version over real HTTP."""
    lrs = tincan.RemoteLRS(endpoint=address, version="1.0.3", username="lms", password=lms.password)
    about = lrs.about()
    assert (about.success, about.content.version[0]) == (True, "1.0.3")
    statement = tincan.Statement(
        actor=tincan.Agent(mbox="mailto:ann@acme.example"), verb=tincan.Verb(id=said()["verb"]["id"]),
        object=tincan.Activity(id="https://lms.example/quiz/1"), result=tincan.Result(success=True),
    )  # fmt: skip
    sent = lrs.save_statement(statement)
    assert sent.success, sent.data
    many = lrs.save_statements([tincan.Statement(said()), tincan.Statement(said(id=ID, result={"success": True}))])
    assert many.success, many.data
    read = lrs.retrieve_statement(ID)
    assert (read.success, read.content.authority.account.name) == (True, "lms")
    assert (
        not tincan.RemoteLRS(endpoint=address, version="1.0.3", username="lms", password="x")
        .save_statement(statement)
        .success
    )
    assert len(lms.rows()) == 3


def test_a_plain_client_is_answered_over_http(lms: Lms, address: str) -> None:
    """A batch over real HTTP, in chunks without a length, is taken once; a body that is too large is refused."""
    headers = {"X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"}
    given = {"auth": ("lms", lms.password), "headers": headers, "timeout": 30}
    body = json.dumps([said(id=ID)]).encode()
    for data in (body, iter([body[:10], body[10:]])):
        answer = requests.post(f"{address}statements", data=data, **given)
        assert (answer.status_code, answer.json()) == (200, [ID])
    assert requests.post(f"{address}statements", data=b"[" + b" " * LARGEST, **given).status_code == 413
    assert len(lms.rows()) == 1
