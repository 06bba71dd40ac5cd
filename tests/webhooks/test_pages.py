"""The page of deliveries."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from plugin.accounts import create_account
from plugin.models import AuditEntry
from plugin.summaries import summarise
from plugin.web import create_app, session_of
from webhooks.delivery import Tally


@pytest.fixture
def client(desk: Any, receiver: Any) -> FlaskClient:
    """A browser that nobody has signed in with, on an installation with one given-up and one delivered message."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    people = desk.people(2)
    desk.event(people[0], "BAD")
    desk.event(people[1], "GOOD")
    receiver.answer = lambda got: (422, {}, b"<b>no such employee</b>") if b"BAD" in got.body else (200, {}, b"")
    assert desk.deliver() == Tally(delivered=1, dead=1)
    return create_app(desk.home).test_client()


def sign_in(desk: Any, client: FlaskClient, role: str, language: str = "en") -> None:
    """Sign in with this role."""
    with desk.store.write() as session:
        account = create_account(session, role, "correct horse battery", [role], desk.home.clock())
        session.flush()
    with client.session_transaction() as cookie:
        cookie.update({**session_of(account, desk.home.clock()), "language": language})


def test_the_page_shows_endpoints_and_messages(desk: Any, client: FlaskClient) -> None:
    """Endpoints with their state, messages by state, one message with its attempts; an answer's markup stays text."""
    sign_in(desk, client, "operator")
    page = client.get("/deliveries").text
    assert "certification:1:BAD" in page
    assert "certification:2:GOOD" in page
    filtered = client.get("/deliveries?state=dead&endpoint=hr").text
    assert "certification:1:BAD" in filtered
    assert "certification:2:GOOD" not in filtered
    assert client.get("/deliveries?state=nonsense&endpoint=nobody&page=99").status_code == 200
    one = client.get(f"/deliveries/{desk.messages()[0].id}").text
    assert "&lt;b&gt;no such employee&lt;/b&gt;" in one
    assert "Unprocessable" in one
    assert client.get("/deliveries/9999").status_code == 404


def test_the_page_speaks_chinese(desk: Any, client: FlaskClient) -> None:
    """A reader of Chinese finds the headings, states, outcomes and reasons in Chinese."""
    sign_in(desk, client, "operator", "zh_Hans_CN")
    assert "已放弃" in client.get("/deliveries").text
    one = client.get(f"/deliveries/{desk.messages()[0].id}").text
    assert "被端点拒绝" in one
    assert re.search(r"端点拒绝了该消息。 \(422 Unprocessable", one)


def test_sending_again_from_the_page(desk: Any, client: FlaskClient, receiver: Any) -> None:
    """The button sends a given-up message again and leaves who pressed it in the audit trail; it needs the token."""
    sign_in(desk, client, "operator")
    message = desk.messages()[0]
    place = f"/deliveries/{message.id}"
    assert client.post(f"{place}/retry").status_code == 400
    form = re.escape(f'action="{place}/retry"') + r'>\s*<input type="hidden" name="csrf_token" value="([^"]+)"'
    [token] = re.findall(form, client.get(place).text)
    receiver.answer = lambda _got: (200, {}, b"")
    assert client.post(f"{place}/retry", data={"csrf_token": token}).status_code == 302
    assert desk.deliver() == Tally(delivered=1)
    with desk.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.retry")).one()
    assert (act.actor, act.subject) == ("operator", f"message:{message.id}")


@pytest.mark.parametrize(
    ("role", "sees", "replays"), [("hr", True, False), ("auditor", True, False), ("employee", False, False)]
)
def test_roles(desk: Any, client: FlaskClient, role: str, sees: bool, replays: bool) -> None:
    """Who may only look sees no button and cannot send again; who may not look sees nothing."""
    sign_in(desk, client, role)
    assert (client.get("/deliveries").status_code == 200) is sees
    page = client.get(f"/deliveries/{desk.messages()[0].id}").text
    assert ("/retry" in page) is replays
    assert client.post(f"/deliveries/{desk.messages()[0].id}/retry").status_code in (400, 403)


def test_the_line_of_the_start_page(desk: Any, client: FlaskClient) -> None:
    """The summary counts what was delivered and says how the others stand."""
    [line] = [line for line in summarise(desk.home) if line.title == "Events delivered"]
    assert (line.count, line.parts, line.endpoint) == (1, {"delivered": 1, "dead": 1}, "webhooks.deliveries")
