"""The page of deliveries."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from plugin.accounts import create_account
from plugin.models import AuditEntry
from plugin.summaries import summarise
from plugin.web import create_app, session_of
from webhooks import endpoints
from webhooks.delivery import Tally
from webhooks.fanout import fan_out


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


def token_of(client: FlaskClient, place: str) -> str:
    """The token of the page's forms."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(place).text)
    assert found is not None
    return found[1]


def post(client: FlaskClient, page: str, place: str, **form: Any) -> Any:
    """Send the form of a page."""
    return client.post(place, data={"csrf_token": token_of(client, page), **form})


def test_an_endpoint_from_adding_to_rotating_on_pages(desk: Any, client: FlaskClient, receiver: Any) -> None:
    """Added, tried, changed, disabled, enabled and given new keys by page; each secret is shown once and never cached."""
    sign_in(desk, client, "administrator")
    added = post(
        client, "/endpoints", "/endpoints", name="second", url=receiver.url, scheme="both", rate="20",
        type=["certification.awarded", "person.erased"], full="on",
    )  # fmt: skip
    assert (added.status_code, added.headers["Cache-Control"]) == (200, "no-store")
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", added.text)
    assert "whsk_" not in added.text
    page = client.get("/endpoints/second").text
    assert "whpk_" in page
    assert secret not in page + client.get("/endpoints").text
    receiver.answer = lambda _got: (200, {}, b"")
    assert post(client, "/endpoints/second", "/endpoints/second/test").status_code == 302
    assert b"endpoint.test" in receiver.got[-1].body
    assert "accepted it" in client.get("/endpoints/second").text
    changed = post(client, "/endpoints/second", "/endpoints/second/change", url=receiver.url, rate="", skip="on")
    assert changed.status_code == 302
    with desk.store.read() as session:
        found = endpoints.find(session, "second")
    assert (found.types, found.full, found.rate, found.backfill) == (None, False, None, "skip")
    assert post(client, "/endpoints/second", "/endpoints/second/disable", reason=" ").status_code == 422
    post(client, "/endpoints/second", "/endpoints/second/disable", reason="They move.")
    assert "They move." in client.get("/endpoints/second").text
    post(client, "/endpoints/second", "/endpoints/second/enable")
    rotated = post(client, "/endpoints/second", "/endpoints/second/rotate", scheme="v1")
    assert rotated.headers["Cache-Control"] == "no-store"
    [newer] = re.findall(r"whsec_[A-Za-z0-9+/=]+", rotated.text)
    assert newer != secret
    assert "The old key signs too until" in client.get("/endpoints/second").text
    with desk.store.read() as session:
        acts = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == "endpoint:second")).all()
    assert acts == [f"endpoint.{act}" for act in ("add", "test", "change", "disable", "enable", "rotate")]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "hr"}, "There is an endpoint hr already"),
        ({"name": "bad name"}, "is no name"),
        ({"url": "https://10.0.0.1/"}, "private"),
        ({"url": "https://hr.example/?key=hunter2"}, "after ?"),
        ({"rate": "many"}, "A rate is"),
    ],
)
def test_what_cannot_be_added_is_said_and_the_form_stays(
    desk: Any, client: FlaskClient, receiver: Any, form: dict[str, str], said: str
) -> None:
    """A refused endpoint is explained, what was typed stands in the form, and nothing is added."""
    sign_in(desk, client, "administrator")
    wanted = {"name": "second", "url": receiver.url, **form}
    answer = post(client, "/endpoints", "/endpoints", **wanted)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert f'value="{wanted["name"]}"' in answer.text
    with desk.store.read() as session:
        assert [endpoint.name for endpoint in endpoints.every(session)] == ["hr"]


def test_an_endpoint_says_in_plain_words_how_it_stands(desk: Any, client: FlaskClient, receiver: Any) -> None:
    """Failing since when and until when, asked to wait, disabled and why; unknown endpoints and acts are 404."""
    sign_in(desk, client, "administrator")
    receiver.answer = lambda _got: (503, {"Retry-After": "600"}, b"")
    desk.event(1, "BAD")
    desk.deliver()
    assert "It asked to be left alone" in client.get("/endpoints/hr").text
    desk.home.clock.moment += timedelta(minutes=10)
    page = client.get("/endpoints/hr").text
    assert "if that goes on it is disabled on 2026-11-28 10:00" in page
    assert "asks to wait. (503 Service Unavailable, 600 s)" in page.replace("\n", " ")
    assert client.get("/endpoints/nobody").status_code == 404
    assert post(client, "/endpoints/hr", "/endpoints/hr/explode").status_code == 404
    assert post(client, "/endpoints/hr", "/endpoints/nobody/test").status_code == 404


def test_many_are_sent_again_by_page(desk: Any, client: FlaskClient, receiver: Any) -> None:
    """The form sends what was given up again; what arrived too only when it is said which; a bad range is refused."""
    sign_in(desk, client, "operator")
    receiver.answer = lambda _got: (200, {}, b"")
    page = "/deliveries"
    assert post(client, page, "/deliveries/replay", delivered="on").status_code == 422
    wrong = post(client, page, "/deliveries/replay", since="2026-11-24T00:00", until="2026-11-23T00:00")
    assert (wrong.status_code, "ends before it begins" in wrong.text) == (422, True)
    assert post(client, page, "/deliveries/replay", since="yesterday").status_code == 422
    assert post(client, page, "/deliveries/replay", endpoint="hr", since="2026-11-23T11:00").status_code == 302
    assert desk.deliver() == Tally()
    assert post(client, page, "/deliveries/replay", endpoint="hr", since="2026-11-23T09:00").status_code == 302
    assert desk.deliver() == Tally(delivered=1)
    assert post(client, page, "/deliveries/replay", endpoint="hr", delivered="on").status_code == 302
    assert desk.deliver() == Tally(delivered=2)


def test_messages_about_one_person_are_found_by_their_number(desk: Any, client: FlaskClient) -> None:
    """The filter by employee number shows the messages about this person and no others."""
    sign_in(desk, client, "hr")
    page = client.get("/deliveries?person=E0002").text
    assert "certification:2:GOOD" in page
    assert "certification:1:BAD" not in page


@pytest.mark.parametrize("role", ["operator", "hr", "auditor"])
def test_who_may_only_look_finds_no_form(desk: Any, client: FlaskClient, role: str) -> None:
    """The pages of endpoints show how they stand to whoever may see deliveries, and forms to administrators alone."""
    sign_in(desk, client, role)
    for place in ("/endpoints", "/endpoints/hr"):
        page = client.get(place)
        assert (page.status_code, 'action="/endpoints' in page.text) == (200, False)
    assert "hr" in client.get("/endpoints").text


def test_the_pages_of_endpoints_speak_chinese(desk: Any, client: FlaskClient) -> None:
    """Headings, states and the forms' labels stand in Chinese."""
    sign_in(desk, client, "administrator", "zh_Hans_CN")
    assert "新端点" in client.get("/endpoints").text
    page = client.get("/endpoints/hr").text
    for words in ("发送测试消息", "新密钥", "停用", "速率", "共享密钥"):
        assert words in page


def test_a_long_list_of_one_endpoint_is_turned_by_pages(desk: Any, client: FlaskClient) -> None:
    """Turning the pages of a filtered list keeps the filter."""
    sign_in(desk, client, "operator")
    for _ in range(60):
        desk.event(2, "MORE")
    fan_out(desk.store, desk.home.clock())
    page = client.get("/deliveries?endpoint=hr&state=waiting")
    assert page.status_code == 200
    [link] = re.findall(r'rel="next" href="([^"]+)"', page.text)
    assert link == "/deliveries?endpoint=hr&amp;state=waiting&amp;page=2"
    assert client.get(link.replace("&amp;", "&")).text.count("certification:2:MORE") == 10
