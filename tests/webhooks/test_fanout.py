"""Fan-out: each event becomes one message per endpoint that wants it, once."""

import threading
from typing import Any

from sqlalchemy import func, select

from plugin.models import Event, Person
from webhooks import endpoints
from webhooks.fanout import fan_out, fan_out_batch


def test_each_event_once_to_each_endpoint_that_wants_it(desk: Any) -> None:
    """An endpoint gets the types that it asked for, each event once, however often fan-out runs."""
    people = desk.people(3)
    desk.endpoint("http://127.0.0.1:1/a", "all")
    desk.endpoint("http://127.0.0.1:1/b", "expiries", types=["certification.expired"])
    desk.endpoint("http://127.0.0.1:1/c", "promotions", types=["promotion.*"])
    desk.events(people)
    desk.events(people, kind="certification.expired")
    assert fan_out(desk.store, desk.home.clock()) == 6
    assert fan_out(desk.store, desk.home.clock()) == 0
    with desk.store.read() as session:
        names = {endpoint.id: endpoint.name for endpoint in endpoints.every(session)}
    messages = [names[message.endpoint_id] for message in desk.messages()]
    assert {name: messages.count(name) for name in names.values()} == {"all": 6, "expiries": 3, "promotions": 0}


def test_a_new_endpoint_begins_with_new_events(desk: Any) -> None:
    """What was fanned out before an endpoint existed is not sent to it."""
    people = desk.people(1)
    desk.events(people)
    fan_out(desk.store, desk.home.clock())
    desk.endpoint("http://127.0.0.1:1/a")
    desk.events(people)
    fan_out(desk.store, desk.home.clock())
    assert [message.sequence for message in desk.messages()] == [2]


def test_a_disabled_endpoint_collects(desk: Any) -> None:
    """Messages for a disabled endpoint are made and wait: nothing is lost while it is away."""
    people = desk.people(1)
    desk.endpoint("http://127.0.0.1:1/a")
    with desk.store.write() as session:
        endpoints.disable(session, "hr", "Being moved.", "test", desk.home.clock())
    desk.events(people)
    assert desk.deliver().delivered == 0
    assert [(message.state, message.tries) for message in desk.messages()] == [("waiting", 0)]


def test_many_workers_make_each_message_once(desk: Any) -> None:
    """Workers that fan out at the same time, in small batches, make every message once and none twice."""
    people = desk.people(40)
    desk.endpoint("http://127.0.0.1:1/a")
    for _ in range(5):
        desk.events(people)

    def work() -> None:
        for _ in range(200):
            with desk.store.write() as session:
                fan_out_batch(session, desk.home.clock(), size=7)
            with desk.store.read() as session:
                if not session.scalar(select(func.count()).select_from(Event).where(Event.fanned_out.is_(False))):
                    return

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = [(message.person_id, message.sequence) for message in desk.messages()]
    assert found == [(person, number) for person in people for number in range(1, 6)]


def test_a_person_locked_elsewhere_is_left_for_later(desk: Any) -> None:
    """While another transaction holds a person, that person's events wait: a later one cannot pass an earlier one."""
    if desk.store.is_sqlite:
        return  # there is one writer at a time
    people = desk.people(2)
    desk.endpoint("http://127.0.0.1:1/a")
    desk.events(people)
    with desk.store.write() as other:
        other.execute(select(Person.id).where(Person.id == people[0]).with_for_update())
        assert fan_out(desk.store, desk.home.clock()) == 1
    assert fan_out(desk.store, desk.home.clock()) == 1
