"""The API of certifications: it says what the command explains, and opens to its scope alone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from metrics.certification.explain import explain
from plugin.accounts import create_token
from plugin.web import create_app
from tests.metrics.certification.test_rule_commands import World, rule, run

__all__ = ["run"]
Get = Callable[[str], Any]


@pytest.fixture
def get(run: World) -> Get:
    """A call of the API with a token of its scope; E1 holds FIRE, and a stricter version was applied to it later."""
    run("import", run.file(rule()))
    run.complete("E1", "CRS-1", 10)
    run.derive()
    run.later(days=1)
    client: FlaskClient = create_app(run.home).test_client()
    with run.home.store.write() as session:
        token = create_token(session, "hr", ["certifications:read"], run.clock())
    return lambda path: client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_one_certification_is_explained_as_the_command_does(run: World, get: Get) -> None:
    """The answer is that of `explain`, now and as of an earlier moment."""
    zone = run.home.settings.organisation.zone
    for query, moment in (("", run.clock()), ("?as_of=2026-11-01", datetime(2026, 10, 31, 16, 0, tzinfo=UTC))):
        answer = get(f"/api/v1/people/E1/certifications/FIRE{query}")
        assert answer.status_code == 200
        with run.home.store.read() as session:
            assert answer.json == json.loads(json.dumps(explain(session, "E1", "FIRE", moment, zone)))
    assert get("/api/v1/people/E1/certifications/FIRE").json["status"] == "certified"
    assert get("/api/v1/people/E1/certifications/FIRE?as_of=2026-11-01").json["status"] == "not_started"


def test_all_certifications_of_a_person(run: World, get: Get) -> None:
    """Those that the person began, held or must hold are listed with their explanations; of others there are none."""
    answer = get("/api/v1/people/E1/certifications").json
    assert (answer["employee_number"], answer["as_of"]) == ("E1", "2026-11-24T10:00:00+08:00")
    assert [each["certification"] for each in answer["certifications"]] == ["FIRE"]
    assert answer["certifications"][0]["because"]["criteria"]["of"][0]["evidence"]
    assert get("/api/v1/people/E3/certifications").json["certifications"] == []
    assert get("/api/v1/people/E1/certifications?as_of=2026-11-01").json["certifications"] == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/people/E9/certifications", 404, "E9"),
        ("/api/v1/people/E9/certifications/FIRE", 404, "E9"),
        ("/api/v1/people/E1/certifications/NONE", 404, "NONE"),
        ("/api/v1/people/E1/certifications/FIRE?as_of=someday", 422, "as_of"),
    ],
)
def test_what_is_not_there_is_said(get: Get, path: str, status: int, said: str) -> None:
    """An unknown employee or certification is 404, an unreadable moment 422, with the reason as JSON."""
    answer = get(path)
    assert answer.status_code == status
    assert said in answer.json["detail"]
