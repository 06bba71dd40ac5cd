"""The sandbox HR system, as a receiver and as a process of its own."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from webhooks import endpoints
from webhooks.delivery import Tally
from webhooks.demo.app import HOOK, Sandbox, create_app
from webhooks.demo.faults import Faults
from webhooks.demo.records import Records
from webhooks.models import Attempt
from webhooks.standard.signing import Signer, new_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A sandbox whose clock stands."""
    return Sandbox(Records(tmp_path / "hr.db"), (SECRET,), None, lambda: NOW, Faults())


@pytest.fixture
def client(sandbox: Sandbox) -> FlaskClient:
    """Its HTTP side."""
    return create_app(sandbox).test_client()


def send(client: FlaskClient, identifier: str, kind: str, data: dict[str, Any], **headers: str) -> int:
    """Send a signed message; the status of the answer."""
    body = json.dumps({"type": kind, "timestamp": "2026-11-23T02:00:00Z", "schema": "1", "data": data}).encode()
    signed = {**Signer(SECRET).headers(identifier, body, NOW), **headers}
    return client.post(HOOK, data=body, headers=signed).status_code


def certification(sequence: int, status: str = "certified", code: str = "FORKLIFT") -> dict[str, Any]:
    """The data of an event about a certification of E1."""
    return {
        "sequence": sequence, "subject": f"certification:E1:{code}", "employee_number": "E1", "certification": code,
        "status": status, "valid_from": "2026-11-23T10:00:00+08:00", "valid_until": None, "backfill": False,
    }  # fmt: skip


def test_new_duplicate_and_stale(client: FlaskClient, sandbox: Sandbox) -> None:
    """201 for what is new, 200 for what came before or is not above the subject's highest sequence, which changes nothing."""
    assert send(client, "a", "certification.awarded", certification(1)) == 201
    assert send(client, "a", "certification.awarded", certification(1)) == 200
    assert send(client, "c", "certification.revoked", certification(3, "revoked")) == 201
    assert send(client, "b", "certification.amended", certification(2)) == 200
    assert send(client, "d", "certification.awarded", certification(2, code="FIRST-AID")) == 201
    state = sandbox.records.state()
    lines = {line["certification"]: (line["status"], line["sequence"]) for line in state["certifications"]}
    assert lines == {"FORKLIFT": ("revoked", 3), "FIRST-AID": ("certified", 2)}
    assert state["inbox"] == {"new": 3, "stale": 1, "test": 0, "duplicates": 1, "refused": {}}


def test_what_is_turned_away(client: FlaskClient, sandbox: Sandbox) -> None:
    """400 for bad headers or an old timestamp, 401 for a bad signature, 422 for bad data; nothing of it is kept."""
    assert send(client, "a", "certification.awarded", certification(1), **{"webhook-timestamp": ""}) == 400
    old = Signer(SECRET).headers("a", b"{}", NOW - timedelta(minutes=6))
    assert client.post(HOOK, data=b"{}", headers=old).status_code == 400
    forged = Signer(new_secret()).headers("a", b"{}", NOW)
    assert client.post(HOOK, data=b"{}", headers=forged).status_code == 401
    assert client.post(HOOK, data=b"{ }", headers=Signer(SECRET).headers("a", b"{}", NOW)).status_code == 401
    assert client.post(HOOK, data=b"{}", headers=Signer(SECRET).headers("a", b"{}", NOW)).status_code == 422
    assert send(client, "a", "certification.awarded", {"sequence": 1, "subject": "x"}) == 422
    state = sandbox.records.state()
    assert (state["certifications"], state["inbox"]["new"]) == ([], 0)
    assert state["inbox"]["refused"] == {"bad headers": 2, "bad signature": 2, "bad data": 2}
    assert send(client, "a", "certification.awarded", certification(1)) == 201


def test_promotions_and_erasure(client: FlaskClient, sandbox: Sandbox) -> None:
    """A promotion record gets its certification side from the events; an erasure takes a person's data away."""
    planned = {
        "promotion_id": "P1",
        "employee_number": "E1",
        "to_position": "Supervisor",
        "effective_date": "2027-01-01",
    }
    assert client.post("/sandbox/propose", json=[planned]).json == {"unsent": 1}
    requirement = {"certification": "FORKLIFT", "status": "certified", "held_until": "2028-11-23T10:00:00+08:00"}
    answer = {
        "sequence": 2, "subject": "promotion:P1", "promotion_id": "P1", "employee_number": "E1", "to": {},
        "effective_date": "2027-01-01", "requirements": [requirement],
    }  # fmt: skip
    assert send(client, "p", "promotion.eligible", answer) == 201
    assert send(client, "a", "certification.awarded", certification(1)) == 201
    [record] = sandbox.records.state()["promotions"]
    assert (record["eligibility"], record["to_position"], record["requirements"]) == (
        "eligible",
        "Supervisor",
        [requirement],
    )
    page = client.get("/", headers={"Accept-Language": "zh-CN"}).text
    assert "符合" in page
    assert "Supervisor" in page
    assert "held until" in client.get("/", headers={"Accept-Language": "en"}).text
    assert send(client, "e", "person.erased", {"sequence": 3, "subject": "person:E1", "employee_number": "E1"}) == 201
    state = sandbox.records.state()
    assert (state["promotions"], state["certifications"]) == ([], [])


def test_faults(client: FlaskClient) -> None:
    """The sandbox fails as it is told, as often as it is told, and then works again."""
    assert client.post("/sandbox/faults", json={"status": 429, "retry_after": 7, "times": 1}).status_code == 200
    answer = client.post(HOOK, data=b"")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert send(client, "a", "certification.awarded", certification(1)) == 201
    client.post("/sandbox/faults", json={"status": 410})
    assert [client.post(HOOK).status_code for _ in range(2)] == [410, 410]
    client.post("/sandbox/faults", json=None)
    assert send(client, "a", "certification.awarded", certification(1)) == 200
    assert client.post("/sandbox/faults", json={"status": 1000}).status_code == 422


@pytest.fixture
def process(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The sandbox as a process of its own; where it listens."""
    (tmp_path / "webhook.secret").write_text(SECRET + "\n")
    words = ["--database", str(tmp_path / "hr.db"), "--secret-file", str(tmp_path / "webhook.secret")]
    child = subprocess.Popen(
        [sys.executable, "-m", "webhooks.demo", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


def call(url: str, body: Any = None) -> Any:
    """Ask the sandbox."""
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_delivering_to_the_sandbox(desk: Any, process: dict[str, str]) -> None:
    """Events reach the sandbox's records; after lost attempts and replays it holds each once, and the newest state."""
    desk.home.clock.moment = datetime.now(UTC)  # the process looks at the machine's clock
    people = desk.people(3)
    desk.endpoint(process["webhook_url"])
    with desk.store.read() as session:
        assert endpoints.find(session, "hr").url == process["webhook_url"]
    call(process["url"] + "/sandbox/faults", {"status": 500, "times": 2})
    for status in ("certified", "revoked"):
        for person in people:
            desk.event(person, employee_number=f"E{person}", status=status)
    assert desk.deliver() == Tally(delivered=2, failed=2)
    desk.home.clock.moment += timedelta(seconds=7)
    assert desk.deliver() == Tally(delivered=4)
    state = call(process["url"] + "/sandbox/state")
    assert [line["status"] for line in state["certifications"]] == ["revoked"] * 3
    assert (state["inbox"]["new"], state["inbox"]["duplicates"]) == (6, 0)
    with desk.store.write() as session:
        session.query(Attempt).delete()
        for message in desk.messages():
            session.merge(message).state = "waiting"
    assert desk.deliver() == Tally(delivered=6)
    state = call(process["url"] + "/sandbox/state")
    assert [line["status"] for line in state["certifications"]] == ["revoked"] * 3
    assert (state["inbox"]["new"], state["inbox"]["duplicates"]) == (6, 6)
