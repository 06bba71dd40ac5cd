"""Fixtures of the tests of pushed statements: an application with a source that takes them, and who sends them."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.serving import make_server

from connectors.models import Evidence, SourceUser, XapiStatement
from connectors.xapi.credentials import add_credential
from connectors.xapi.work import work
from plugin.installation import Installation
from plugin.settings import Settings
from plugin.web import create_app

ID = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"
OTHER_ID = "0190163d-8694-739b-aea5-966c26f8ad91"
PASSED = "http://adlnet.gov/expapi/verbs/passed"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def said(**more: Any) -> dict[str, Any]:
    """A statement that Ann passed a quiz, with other properties."""
    return {
        "actor": {"mbox": "mailto:ann@acme.example", "name": "Ann"},
        "verb": {"id": PASSED},
        "object": {"id": "https://lms.example/quiz/1"},
        "timestamp": "2026-11-22T10:00:00+08:00",
        **more,
    }


def voiding(target: str, **more: Any) -> dict[str, Any]:
    """A statement that voids another one."""
    return said(verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": target}, **more)


class Lms:
    """Something that sends statements, and a look at what came of them."""

    def __init__(self, home: Installation) -> None:
        self.home = home
        self.woken: list[str] = []
        home.wake = self.woken.append
        with home.store.write() as session:
            self.password = add_credential(session, "lrs", "lms", "test", home.clock())
            self.other = add_credential(session, "other", "lms2", "test", home.clock())
        self.app = create_app(home)
        self.client: FlaskClient = self.app.test_client()

    def ask(
        self,
        method: str,
        body: Any = None,
        path: str = "/xapi/statements",
        *,
        user: str = "lms",
        raw: bytes | None = None,
        **headers: str,
    ) -> Any:
        """A request as an LMS makes it; a header given as '' is left out."""
        password = {"lms": self.password, "lms2": self.other}.get(user, "x")
        given = {
            "authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode(),
            "x-experience-api-version": "1.0.3",
            "content-type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        return self.client.open(
            path, method=method, data=data, headers={name: value for name, value in given.items() if value}
        )

    def tell(self, *statements: dict[str, Any], user: str = "lms") -> list[str]:
        """Send statements that are taken, and have them worked on; their ids."""
        answer = self.ask("POST", list(statements), user=user)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        work(self.home)
        return answer.get_json()  # type: ignore[no-any-return]

    def rows(self) -> list[XapiStatement]:
        """What is held, as it came."""
        with self.home.store.read() as session:
            return list(session.scalars(select(XapiStatement).order_by(XapiStatement.id)))

    def evidence(self) -> list[Evidence]:
        """Every piece of evidence."""
        with self.home.store.read() as session:
            return list(session.scalars(select(Evidence).order_by(Evidence.id)))

    def users(self) -> list[SourceUser]:
        """The actors."""
        with self.home.store.read() as session:
            return list(session.scalars(select(SourceUser).order_by(SourceUser.id)))


def with_sources(installation: Installation) -> Installation:
    """The installation with two sources that take statements, and a Moodle whose accounts one of them names."""
    values = installation.settings.model_dump()
    values["sources"] = {
        "lrs": {
            "connector": "connectors.xapi",
            "employee_numbers": ["https://hr.example"],
            "accounts_of": {"https://moodle.example": "moodle"},
        },
        "other": {"connector": "connectors.xapi"},
        "moodle": {"connector": "connectors.moodle"},
    }
    settings = Settings.model_validate(values)
    settings._folder = installation.settings.folder
    installation.settings = settings
    return installation


@pytest.fixture
def lms(installation: Installation) -> Lms:
    """An LMS that may send statements."""
    return Lms(with_sources(installation))


@pytest.fixture
def address(lms: Lms) -> Iterator[str]:
    """The address under which the application answers over HTTP, with a slash at its end."""
    server = make_server("127.0.0.1", 0, lms.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/xapi/"
    server.shutdown()
    thread.join()
    server.server_close()
