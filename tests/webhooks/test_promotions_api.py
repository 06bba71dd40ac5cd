"""The API by which HR proposes promotions."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from metrics.certification import promotion
from metrics.certification.models import Promotion
from plugin.accounts import create_token
from plugin.api import LARGEST_BODY
from plugin.errors import NotFoundError, RefusedError
from plugin.models import AuditEntry
from plugin.web import create_app

PROPOSAL = {
    "promotion_id": "P-1",
    "employee_number": "E0001",
    "to_position": "Supervisor",
    "effective_date": "2027-01-01",
}


@dataclass
class Engine:
    """What the API calls, in place of the engine."""

    outcome: str = "created"
    proposed: Any = None
    closed: str | None = None

    def propose(self, _session: Any, proposal: Any, now: datetime) -> str:
        """Keep the proposal."""
        assert now.tzinfo is not None
        if proposal.employee_number == "nobody":
            raise RefusedError("There is no employee nobody.")
        self.proposed = proposal
        return self.outcome

    def close(self, _session: Any, promotion_id: str, _now: datetime) -> None:
        """Keep the id."""
        if promotion_id == "unknown":
            raise NotFoundError("There is no promotion record unknown.")
        self.closed = promotion_id

    def answer(self, _session: Any, promotion_id: str) -> dict[str, Any]:
        """Answer for every record but one."""
        if promotion_id == "unknown":
            raise NotFoundError("There is no promotion record unknown.")
        return {"promotion_id": promotion_id, "eligibility": "eligible"}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine, replaced: what it decides is tested where it stands."""
    engine = Engine()
    for name in ("propose", "close", "answer"):
        monkeypatch.setattr(promotion, name, getattr(engine, name))
    return engine


@pytest.fixture
def woken(desk: Any) -> list[str]:
    """The topics that were called."""
    topics: list[str] = []
    desk.home.wake = topics.append
    return topics


@pytest.fixture
def client(desk: Any, engine: Engine, woken: list[str]) -> FlaskClient:
    """A caller with a token that opens the API."""
    with desk.store.write() as session:
        token = create_token(session, "hr", ["promotions:write"], desk.home.clock())
    client = create_app(desk.home).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_proposing(desk: Any, client: FlaskClient, engine: Engine, woken: list[str]) -> None:
    """A proposal reaches the engine whole, answers 201 or 200, wakes the derivation and is in the audit trail."""
    answer = client.post("/api/v1/promotions", json=PROPOSAL)
    assert (answer.status_code, answer.json) == (201, {"promotion_id": "P-1", "outcome": "created"})
    assert engine.proposed == promotion.Proposal(
        promotion_id="P-1", employee_number="E0001", kind="promotion", effective_date=date(2027, 1, 1),
        from_position=None, to_position="Supervisor", from_grade=None, to_grade=None,
    )  # fmt: skip
    assert woken == ["people_touched"]
    engine.outcome = "unchanged"
    assert client.post("/api/v1/promotions", json=PROPOSAL).status_code == 200
    with desk.store.read() as session:
        acts = [(act.actor, act.action, act.subject) for act in session.query(AuditEntry)]
    assert acts == [("token hr", "promotion.propose", "promotion:P-1")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"promotion_id": ""}, "promotion_id"),
        ({"promotion_id": "a/../b"}, "promotion_id"),
        ({"promotion_id": "x" * 101}, "promotion_id"),
        ({"promotion_id": 7}, "promotion_id"),
        ({"employee_number": " "}, "employee_number"),
        ({"employee_number": None}, "employee_number"),
        ({"to_position": "x" * 201}, "to_position"),
        ({"kind": "demotion"}, "kind"),
        ({"effective_date": "2027-02-30"}, "effective_date"),
        ({"effective_date": "20270101"}, "effective_date"),
        ({"effective_date": 1830297600}, "effective_date"),
        ({"effective_date": "2027-01-01T00:00:00"}, "effective_date"),
        ({"salary": "hunter2"}, "salary"),
        ({"employee_number": "E\x00"}, "employee_number"),
        ({"to_grade": "\u3000"}, "to_grade"),
    ],
)
def test_a_malformed_proposal_is_refused_by_field(client: FlaskClient, engine: Engine, change: Any, field: str) -> None:
    """Each wrong, oversized or unknown field is named with its problem, and what was sent is not repeated."""
    answer = client.post("/api/v1/promotions", json={**PROPOSAL, **change})
    assert answer.status_code == 422
    assert [finding["field"] for finding in answer.json["findings"]] == [field]
    assert "hunter2" not in answer.text
    assert engine.proposed is None


def test_what_is_not_json_or_not_accepted(client: FlaskClient) -> None:
    """400 for what is not JSON, 415 for another type, 413 for too much, 409 with the reason for what does not fit."""
    assert client.post("/api/v1/promotions", data=b"{").status_code == 400
    assert client.post("/api/v1/promotions", data=b"\xff\xfe").status_code == 400
    assert client.post("/api/v1/promotions", json=[]).status_code == 422
    assert client.post("/api/v1/promotions", data=PROPOSAL).status_code == 415
    assert client.post("/api/v1/promotions", json={**PROPOSAL, "to_grade": "x" * LARGEST_BODY}).status_code == 413
    answer = client.post("/api/v1/promotions", json={**PROPOSAL, "employee_number": "nobody"})
    assert (answer.status_code, answer.json["detail"]) == (409, "There is no employee nobody.")


def test_asking_and_closing(client: FlaskClient, engine: Engine) -> None:
    """A record can be asked for and closed; an unknown one is 404."""
    assert client.get("/api/v1/promotions/P-1").json == {"promotion_id": "P-1", "eligibility": "eligible"}
    assert client.post("/api/v1/promotions/P-1/close").json == {"promotion_id": "P-1", "outcome": "closed"}
    assert engine.closed == "P-1"
    assert client.get("/api/v1/promotions/unknown").status_code == 404
    assert client.post("/api/v1/promotions/unknown/close").status_code == 404


def test_a_token_with_the_scope_is_needed(desk: Any, client: FlaskClient, engine: Engine) -> None:
    """Without a token and with a wrong one it is 401, with one of another scope 403, and nothing is done."""
    with desk.store.write() as session:
        other = create_token(session, "other", ["figures:read"], desk.home.clock())
    for header, status, challenge in (
        ("", 401, 'Bearer realm="CertBridge"'),
        ("Bearer cb_wrong", 401, 'Bearer realm="CertBridge"'),
        (f"Bearer {other}", 403, 'error="insufficient_scope", scope="promotions:write"'),
    ):
        answer = client.post("/api/v1/promotions", json=PROPOSAL, headers={"Authorization": header})
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert challenge in answer.headers["WWW-Authenticate"]
    assert engine.proposed is None


def test_the_engine_itself_takes_proposals(desk: Any) -> None:
    """Without a stand-in: a proposal is stored, changed, found and closed by the engine; an unknown employee is refused."""
    desk.people(1)
    with desk.store.write() as session:
        token = create_token(session, "hr", ["promotions:write"], desk.home.clock())
    client = create_app(desk.home).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert client.post("/api/v1/promotions", json=PROPOSAL).status_code == 201
    assert client.post("/api/v1/promotions", json=PROPOSAL).json == {"promotion_id": "P-1", "outcome": "unchanged"}
    changed = client.post("/api/v1/promotions", json={**PROPOSAL, "to_grade": "G5"})
    assert (changed.status_code, changed.json) == (200, {"promotion_id": "P-1", "outcome": "updated"})
    assert client.post("/api/v1/promotions", json={**PROPOSAL, "employee_number": "E9999"}).status_code == 409
    assert client.post("/api/v1/promotions/P-1/close").status_code == 200
    found = client.get("/api/v1/promotions/P-1").json
    assert (found["employee_number"], found["to"], found["closed"]) == (
        "E0001",
        {"position": "Supervisor", "grade": "G5"},
        True,
    )


def test_records_are_listed_in_parts(desk: Any, client: FlaskClient) -> None:
    """The list goes on after a record's id, keeps to a person, a state and a moment, and a person's own is the same."""
    desk.people(2)
    with desk.store.write() as session:
        now = desk.home.clock()
        for at in range(5):
            record = Promotion(
                promotion_id=f"P-{at}", person_id=1 + at % 2, kind="promotion", effective_on=date(2027, 1, 1),
                proposed_at=now - timedelta(days=at), closed_at=now if at == 4 else None, requirements=[],
                eligibility="blocked" if at else "eligible",
            )  # fmt: skip
            session.add(record)

    def ids(path: str) -> list[str]:
        return [each["promotion_id"] for each in client.get(path).json["promotions"]]

    first = client.get("/api/v1/promotions?limit=3").json
    assert [each["promotion_id"] for each in first["promotions"]] == ["P-0", "P-1", "P-2"]
    rest = client.get(f"/api/v1/promotions?limit=3&after={first['next']}").json
    assert ([each["promotion_id"] for each in rest["promotions"]], rest["next"]) == (["P-3"], None)
    assert ids("/api/v1/promotions?state=all&employee_number=E0001") == ["P-0", "P-2", "P-4"]
    assert ids("/api/v1/promotions?state=closed") == ["P-4"]
    assert ids("/api/v1/promotions?eligibility=eligible") == ["P-0"]
    since = (desk.home.clock() - timedelta(hours=25)).isoformat().replace("+", "%2B")
    assert ids(f"/api/v1/promotions?state=all&changed_since={since}") == ["P-0", "P-1", "P-4"]
    assert ids("/api/v1/people/E0002/promotions") == ["P-1", "P-3"]
    assert ids("/api/v1/people/E0002/promotions?state=open&after=P-1") == ["P-3"]
    assert client.get("/api/v1/people/E9/promotions").status_code == 404
    for wrong in ("limit=0", "limit=501", "limit=1.0", "limit=2&limit=3", "state=some", "sort=id", "after="):
        answer = client.get(f"/api/v1/promotions?{wrong}")
        assert (answer.status_code, answer.json["findings"][0]["field"]) == (422, wrong.partition("=")[0]), wrong


def test_reading_needs_less_than_writing(desk: Any, client: FlaskClient) -> None:
    """A token that may only read sees records and changes none; one that may write sees them as well."""
    with desk.store.write() as session:
        reader = create_token(session, "reader", ["promotions:read"], desk.home.clock())
    headers = {"Authorization": f"Bearer {reader}"}
    assert client.get("/api/v1/promotions", headers=headers).status_code == 200
    assert client.get("/api/v1/promotions").status_code == 200
    assert client.post("/api/v1/promotions", json=PROPOSAL, headers=headers).status_code == 403
    assert client.post("/api/v1/promotions/P-1/close", headers=headers).status_code == 403
