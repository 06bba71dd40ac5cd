"""Alerts about deliveries: endpoints that failing has disabled, and messages that were given up."""

from datetime import timedelta
from types import SimpleNamespace

from plugin.alerts import look
from plugin.models import Alert
from plugin.web import create_app
from tests.webhooks.conftest import Desk, Receiver
from webhooks import endpoints
from webhooks.alerts import LATELY, troubles
from webhooks.deliveries import replay
from webhooks.fanout import fan_out


def test_endpoint_that_says_it_is_gone_is_reported(desk: Desk, receiver: Receiver) -> None:
    """410 Gone disables an endpoint, which is a trouble until somebody enables it again."""
    (person,) = desk.people(1)
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (410, {}, b"")
    desk.event(person)
    assert list(troubles(desk.home)) == []
    desk.deliver()
    (found,) = troubles(desk.home)
    assert (found.kind, found.name, found.since) == ("disabled", "hr", desk.home.clock())
    assert (found.path, found.needs) == ("/endpoints/hr", "deliveries.see")
    assert found.reason
    with desk.store.write() as session:
        endpoints.enable(session, "hr", "boss", desk.home.clock())
    assert list(troubles(desk.home)) == []


def test_endpoint_that_somebody_disables_is_nobodys_trouble(desk: Desk, receiver: Receiver) -> None:
    """Who disables an endpoint knows it; so does who confirms what failing has done already."""
    desk.endpoint(receiver.url)
    with desk.store.write() as session:
        endpoints.disable(session, "hr", "The HR system moves.", "boss", desk.home.clock())
    assert list(troubles(desk.home)) == []
    with desk.store.write() as session:
        endpoints.enable(session, "hr", "boss", desk.home.clock())
    desk.home.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    receiver.answer = lambda _got: (410, {}, b"")
    desk.event(desk.people(1)[0])
    desk.deliver()
    assert [one.kind for one in troubles(desk.home)] == ["disabled"]
    desk.home.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    with desk.store.write() as session:
        endpoints.disable(session, "hr", "I know.", "boss", desk.home.clock())
    assert list(troubles(desk.home)) == []


def test_messages_that_were_given_up_are_reported_and_the_alert_ends_when_they_are_sent(
    desk: Desk, receiver: Receiver
) -> None:
    """Dead letters are counted per endpoint with the last reason; sending them again ends the alert."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    desk.endpoint(receiver.url.replace("/hooks", "/other"), name="other")
    receiver.answer = lambda got: (200 if got.path == "/other" else 500, {}, b"")
    desk.events(desk.people(3))
    desk.deliver()
    (found,) = troubles(desk.home)
    assert (found.kind, found.name, found.count, found.since) == ("deliveries", "hr", 3, desk.home.clock())
    assert found.reason
    look(desk.home)
    receiver.answer = lambda _got: (200, {}, b"")
    with desk.store.write() as session:
        replay(session, endpoint="hr", actor="boss", now=desk.home.clock())
    desk.deliver()
    assert list(troubles(desk.home)) == []
    look(desk.home)
    with desk.store.read() as session:
        (alert,) = session.query(Alert).all()
    assert (alert.addon, alert.kind, alert.closed_at) == ("webhooks", "deliveries", desk.home.clock())


def test_messages_that_were_given_up_long_ago_are_old_news(desk: Desk, receiver: Receiver) -> None:
    """After a week the alert ends by itself, so that the next message that is given up is told again."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (500, {}, b"")
    people = desk.people(2)
    desk.event(people[0])
    desk.deliver()
    desk.home.clock.moment += LATELY  # type: ignore[attr-defined]
    assert list(troubles(desk.home)) == []
    desk.event(people[1])
    desk.deliver()
    assert [(one.count, one.since) for one in troubles(desk.home)] == [(1, desk.home.clock())]


def pass_time(desk: Desk, **how_long: float) -> None:
    """Let time pass."""
    desk.home.clock.moment += timedelta(**how_long)  # type: ignore[attr-defined]


def test_endpoint_that_fails_is_reported_after_an_hour(desk: Desk, receiver: Receiver) -> None:
    """Nothing but failures for an hour is a trouble with the last reason and since when; a success ends it."""
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (500, {}, b"")
    began = desk.home.clock()
    desk.event(desk.people(1)[0])
    desk.deliver()
    pass_time(desk, minutes=59)
    desk.deliver()
    assert list(troubles(desk.home)) == []
    pass_time(desk, minutes=1)
    (found,) = troubles(desk.home)
    assert (found.kind, found.name, found.since, found.path) == ("endpoint", "hr", began, "/endpoints/hr")
    assert found.reason == "The endpoint failed (500 Internal Server Error)."
    receiver.answer = lambda _got: (200, {}, b"")
    pass_time(desk, hours=5)
    desk.deliver()
    assert list(troubles(desk.home)) == []


def test_endpoint_that_cannot_be_opened_is_reported_too(desk: Desk, receiver: Receiver) -> None:
    """A file of the settings that is missing keeps every message back, which is a failing endpoint as well."""
    desk.endpoint(receiver.url)
    desk.event(desk.people(1)[0])
    desk.settings(ca_file="nowhere.pem")
    desk.deliver()
    pass_time(desk, hours=1)
    (found,) = troubles(desk.home)
    assert (found.kind, "nowhere.pem" in found.reason) == ("endpoint", True)


def usual_weeks(desk: Desk, weeks: int) -> None:
    """So many weeks in which an event arrives on each of five days, and none on the other two."""
    people = desk.people(1)
    for _ in range(weeks):
        for _ in range(5):
            desk.events(people)
            desk.deliver()
            pass_time(desk, days=1)
        pass_time(desk, days=2)


def test_endpoint_that_is_silent_for_longer_than_usual(desk: Desk, receiver: Receiver) -> None:
    """After weeks with a silence of three days each, five days of silence are nothing and six are a trouble."""
    desk.endpoint(receiver.url)
    usual_weeks(desk, 5)
    last = desk.home.clock() - timedelta(days=3)
    pass_time(desk, days=2, hours=23)
    assert list(troubles(desk.home)) == []
    pass_time(desk, hours=1)
    (found,) = troubles(desk.home)
    assert (found.kind, found.name, found.since, found.path) == ("quiet", "hr", last, "/endpoints/hr")
    assert "72 h" in found.reason
    with desk.store.write() as session:
        endpoints.disable(session, "hr", "They move.", "boss", desk.home.clock())
    assert list(troubles(desk.home)) == []
    with desk.store.write() as session:
        endpoints.enable(session, "hr", "boss", desk.home.clock())
    endpoints.test(desk.courier, "hr", "boss")
    assert [one.kind for one in troubles(desk.home)] == ["quiet"]
    desk.event(1)
    desk.deliver()
    assert list(troubles(desk.home)) == []


def test_nothing_is_usual_in_the_first_weeks(desk: Desk, receiver: Receiver) -> None:
    """With two weeks of history a month of silence is not reported: nobody knows what is usual."""
    desk.endpoint(receiver.url)
    usual_weeks(desk, 2)
    pass_time(desk, days=30)
    assert list(troubles(desk.home)) == []


def test_one_long_holiday_does_not_become_usual(desk: Desk, receiver: Receiver) -> None:
    """A single silence of three weeks among usual ones does not make the next one unremarkable."""
    desk.endpoint(receiver.url)
    usual_weeks(desk, 4)
    pass_time(desk, days=21)
    desk.event(1)
    desk.deliver()
    pass_time(desk, days=7)
    assert [one.kind for one in troubles(desk.home)] == ["quiet"]


def test_messages_that_nobody_sends_are_reported(desk: Desk, receiver: Receiver) -> None:
    """Messages that are due for over an hour with no attempt at anything mean that no worker runs; not while it is paused."""
    desk.endpoint(receiver.url)
    desk.event(desk.people(1)[0])
    fan_out(desk.store, desk.home.clock())
    began = desk.home.clock()
    pass_time(desk, minutes=60)
    assert list(troubles(desk.home)) == []
    pass_time(desk, minutes=1)
    (found,) = troubles(desk.home)
    assert (found.kind, found.since) == ("quiet", began)
    assert "workers" in found.reason
    receiver.answer = lambda _got: (503, {"Retry-After": "36000"}, b"")
    desk.deliver()
    receiver.answer = lambda _got: (200, {}, b"")
    pass_time(desk, hours=9)
    assert [one.kind for one in troubles(desk.home)] == ["endpoint"]
    pass_time(desk, hours=1)
    desk.deliver()
    assert list(troubles(desk.home)) == []


def test_each_kind_has_words_on_pages_and_in_mails(desk: Desk) -> None:
    """The kinds of endpoints have titles of their own, in both languages."""
    macro = create_app(desk.home).jinja_env.get_template("alerts.html").module.title  # type: ignore[attr-defined]
    with create_app(desk.home).test_request_context("/", headers={"Accept-Language": "en"}):
        titles = [str(macro(SimpleNamespace(kind=kind, name="hr"))) for kind in ("endpoint", "disabled", "quiet")]
    assert titles == [
        "The endpoint hr fails",
        "The endpoint hr was disabled by failing",
        "The endpoint hr is silent for longer than usual",
    ]
