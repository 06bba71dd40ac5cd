"""A statement from its sender over HTTP to a certification, and back when it is voided."""

import threading
from datetime import date

import pytest
import requests
import tincan
from sqlalchemy import select
from werkzeug.serving import make_server

from connectors.sources import connector_of
from connectors.sync import sync
from connectors.xapi.credentials import add_credential
from connectors.xapi.tasks import work_on_statements
from metrics.certification.models import Holding
from metrics.certification.rules import import_rule
from metrics.tasks import derive
from plugin.installation import Installation
from plugin.models import Event
from plugin.people import Employee, record_employees
from plugin.settings import Settings
from plugin.web import create_app

RULE = """
code = "FIRE"
[earn]
all_of = [
  { statement = { source = "lrs", verb = "passed", activity = "https://lms.example/fire", at_least = 80, authority = "AUTHORITY" } },
]
[validity]
lasts = "P1Y"
"""


@pytest.fixture
def home(installation: Installation) -> Installation:
    """An organisation with Ann, a rule that asks for a statement, and a source that statements are sent to."""
    values = installation.settings.model_dump()
    values["sources"] = {"lrs": {"connector": "connectors.xapi"}}
    settings = Settings.model_validate(values)
    settings._folder = installation.settings.folder
    installation.settings = settings
    authority = f"{settings.web.public_url.rstrip('/')}/simulator"
    with installation.store.write() as session:
        record_employees(session, [Employee("E1", "Ann", "ann@acme.example")], date(2026, 1, 1), installation.clock())
        import_rule(session, RULE.replace("AUTHORITY", authority), "test", installation.clock())
    return installation


def test_a_pushed_statement_certifies_and_its_voiding_takes_that_back(home: Installation) -> None:
    """tincan pushes a pass: certified and told; a plain client voids it: revoked and told; nothing is done twice."""
    with home.store.write() as session:
        password = add_credential(session, "lrs", "simulator", "test", home.clock())
    sync(home.store, connector_of(home, "lrs"), home.clock, home.settings.organisation.zone)
    server = make_server("127.0.0.1", 0, create_app(home), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/xapi/"
        lrs = tincan.RemoteLRS(endpoint=address, version="1.0.3", username="simulator", password=password)
        for percent in (0.5, 0.9):
            sent = lrs.save_statement(
                tincan.Statement(
                    actor=tincan.Agent(mbox="mailto:Ann@acme.example"),
                    verb=tincan.Verb(id="http://adlnet.gov/expapi/verbs/passed"),
                    object=tincan.Activity(id="https://lms.example/fire"),
                    result=tincan.Result(success=True, score=tincan.Score(scaled=percent)),
                    timestamp="2026-11-22T10:00:00Z",
                )
            )
            assert sent.success, sent.data
            work_on_statements(home)
            derive(home)
            assert status(home) == ("certified" if percent == 0.9 else "not_started")
        target = str(sent.content.id)
        voiding = {
            "actor": {"mbox": "mailto:admin@acme.example"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
            "object": {"objectType": "StatementRef", "id": target},
        }
        headers = {"X-Experience-API-Version": "1.0.3"}
        for _ in range(2):
            answer = requests.post(
                f"{address}statements", json=voiding, auth=("simulator", password), headers=headers, timeout=30
            )
            assert answer.status_code == 200
            work_on_statements(home)
            derive(home)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert status(home) != "certified"
    with home.store.read() as session:
        told = list(session.scalars(select(Event.type).order_by(Event.sequence)))
    assert told == ["certification.awarded", "certification.revoked"]


def status(home: Installation) -> str | None:
    """How Ann stands."""
    with home.store.read() as session:
        return session.scalars(select(Holding.status)).first()
