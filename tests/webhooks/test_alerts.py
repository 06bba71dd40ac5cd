"""Alerts about deliveries: endpoints that failing has disabled, and messages that were given up."""

from datetime import timedelta

from plugin.alerts import look
from plugin.models import Alert
from tests.webhooks.conftest import Desk, Receiver
from webhooks import endpoints
from webhooks.alerts import LATELY, troubles
from webhooks.deliveries import replay


def test_endpoint_that_says_it_is_gone_is_reported(desk: Desk, receiver: Receiver) -> None:
    """410 Gone disables an endpoint, which is a trouble until somebody enables it again."""
    (person,) = desk.people(1)
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (410, {}, b"")
    desk.event(person)
    assert list(troubles(desk.home)) == []
    desk.deliver()
    (found,) = troubles(desk.home)
    assert (found.kind, found.name, found.since) == ("endpoint", "hr", desk.home.clock())
    assert (found.path, found.needs) == ("/deliveries", "deliveries.see")
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
    assert [one.kind for one in troubles(desk.home)] == ["endpoint"]
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
