"""What lies in the past is held apart from what is news."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from plugin.events import EventDraft, append_events
from tests.webhooks.conftest import Desk, Receiver
from webhooks import fanout
from webhooks.fanout import fan_out, fan_out_batch
from webhooks.models import Message


def past(desk: Desk, people: list[int], code: str = "FIRE") -> None:
    """Append an event that lies in the past for each of these persons."""
    with desk.store.write() as session:
        drafts = [
            EventDraft(person, "certification.awarded", f"certification:{person}:{code}", {"person": person}, True)
            for person in people
        ]
        append_events(session, drafts, desk.home.clock())


def arrived(receiver: Receiver) -> list[tuple[Any, bool]]:
    """What arrived in its order: subject, and whether it lies in the past."""
    bodies = [json.loads(got.body)["data"] for got in receiver.got]
    return [(body["subject"].split(":")[1], body["backfill"]) for body in bodies]


@pytest.fixture
def slow(desk: Desk, receiver: Receiver) -> Desk:
    """An endpoint to which one message after another is sent."""
    desk.settings(chunk=1, threads=1)
    desk.endpoint(receiver.url)
    return desk


def test_news_goes_before_the_past_of_others(slow: Desk, receiver: Receiver) -> None:
    """An event that comes while the past of everybody waits is sent at once; the past follows, marked as such."""
    people = slow.people(6)
    past(slow, people[:5])
    fan_out(slow.store, slow.home.clock())
    slow.event(people[5])
    slow.deliver()
    assert arrived(receiver)[0] == (str(people[5]), False)
    assert arrived(receiver)[1:] == [(str(person), True) for person in people[:5]]


def test_news_waits_for_the_past_of_the_same_person_only(slow: Desk, receiver: Receiver) -> None:
    """Order per person holds: the person's own past goes first, and neither waits for the past of others."""
    people = slow.people(5)
    past(slow, people)
    fan_out(slow.store, slow.home.clock())
    slow.event(people[3])
    slow.deliver()
    assert arrived(receiver)[:2] == [(str(people[3]), True), (str(people[3]), False)]
    assert len(receiver.got) == 6


def test_news_is_made_into_messages_first(desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch takes those about whom there is news, with their past, whatever else waits; the others come later."""
    monkeypatch.setattr(fanout, "BATCH", 2)
    desk.endpoint(receiver.url)
    people = desk.people(6)
    past(desk, people)
    desk.event(people[4])
    with desk.store.write() as session:
        assert fan_out_batch(session, desk.home.clock(), 2) == 2
        made = session.execute(select(Message.person_id, Message.sequence, Message.backfill).order_by(Message.id)).all()
    assert [tuple(row) for row in made] == [(people[4], 1, False), (people[4], 2, False)]
    assert fan_out(desk.store, desk.home.clock()) == 5
    with desk.store.read() as session:
        marked = session.scalars(select(Message.person_id).where(Message.backfill).order_by(Message.person_id)).all()
    assert list(marked) == [person for person in people if person != people[4]]


def test_an_endpoint_may_leave_the_past_out(desk: Desk, receiver: Receiver) -> None:
    """With `skip` no message is made of what lies in the past; the events count as told, and news arrives."""
    desk.endpoint(receiver.url, backfill="skip")
    people = desk.people(3)
    past(desk, people)
    desk.event(people[0])
    assert desk.deliver().delivered == 1
    assert arrived(receiver) == [(str(people[0]), False)]
    assert [message.sequence for message in desk.messages()] == [2]
