"""Sending again what was given up, without taking HR back to what is no longer so."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from plugin.errors import NotFoundError, RefusedError
from plugin.models import AuditEntry
from webhooks import deliveries
from webhooks.delivery import Tally
from webhooks.models import Attempt, Message


@pytest.fixture
def dead(desk: Any, receiver: Any) -> Any:
    """Two certifications of one person, whose first events were given up; the first one's newer event was delivered."""
    desk.settings(retry_seconds=[0])
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person, "A", status="certified")
    desk.event(person, "B", status="certified")
    receiver.answer = lambda _got: (500, {}, b"")
    assert desk.deliver() == Tally(dead=2)
    receiver.answer = lambda _got: (200, {}, b"")
    desk.home.clock.moment += timedelta(hours=1)
    desk.event(person, "A", status="revoked")
    assert desk.deliver() == Tally(delivered=1)
    receiver.got.clear()
    return desk


def test_a_replay_leaves_out_what_has_been_overtaken(dead: Any, receiver: Any) -> None:
    """A replay sends the subject that HR knows nothing newer of, skips the other, and is in the audit trail."""
    with dead.store.write() as session:
        done = deliveries.replay(session, "wang", dead.home.clock())
    assert (done.again, done.left_out) == (1, 1)
    assert dead.deliver() == Tally(delivered=1)
    [got] = receiver.got
    assert json.loads(got.body)["data"]["certification"] == "B"
    states = {message.subject[-1] + str(message.sequence): message.state for message in dead.messages()}
    assert states == {"A1": "skipped", "B2": "delivered", "A3": "delivered"}
    with dead.store.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.replay")).all()
    assert [(act.actor, act.after) for act in acts] == [("wang", {"again": 1, "left_out": 1, "since": None})]


def test_what_is_overtaken_while_it_waits_is_skipped_too(desk: Any, receiver: Any) -> None:
    """A newer event that is delivered between the replay and its sending makes the replayed message superfluous."""
    desk.settings(retry_seconds=[0])
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person, status="certified")
    receiver.answer = lambda _got: (500, {}, b"")
    desk.deliver()
    desk.event(person, status="revoked")

    def meanwhile(_got: Any) -> Any:
        with desk.store.write() as session:
            assert deliveries.replay(session, "wang", desk.home.clock()).again == 1
        return 200, {}, b""

    receiver.answer = meanwhile
    assert desk.deliver() == Tally(delivered=1)
    assert [message.state for message in desk.messages()] == ["skipped", "delivered"]


def test_a_replay_begins_the_schedule_anew_and_goes_on_counting(dead: Any, receiver: Any) -> None:
    """A replayed message has all its attempts again, and their numbers go on from the earlier ones."""
    dead.settings(retry_seconds=[0, 10])
    receiver.answer = lambda _got: (500, {}, b"")
    with dead.store.write() as session:
        deliveries.replay(session, "wang", dead.home.clock())
    assert dead.deliver() == Tally(failed=1)
    dead.home.clock.moment += timedelta(seconds=15)
    assert dead.deliver() == Tally(dead=1)
    with dead.store.read() as session:
        message = next(message for message in dead.messages() if message.subject.endswith(":B"))
        found = session.scalars(select(Attempt.number).where(Attempt.message_id == message.id).order_by(Attempt.number))
        assert list(found) == [1, 2, 3]


def test_a_replay_can_be_narrowed(dead: Any) -> None:
    """Only what was given up since a moment, or at one endpoint, is sent again; an unknown endpoint is said."""
    now = dead.home.clock()
    with dead.store.write() as session:
        assert deliveries.replay(session, "wang", now, since=now).again == 0
        with pytest.raises(NotFoundError, match="nobody"):
            deliveries.replay(session, "wang", now, endpoint="nobody")
        assert deliveries.replay(session, "wang", now, endpoint="hr", since=now - timedelta(days=1)).again == 1


def test_one_message_can_be_sent_again_unless_overtaken(dead: Any, receiver: Any) -> None:
    """A single message is sent again, a delivered one too; one that a newer delivered event overtook is refused."""
    first, second, third = dead.messages()
    with dead.store.write() as session:
        with pytest.raises(RefusedError, match="overtaken"):
            deliveries.retry(session, first.id, "wang", dead.home.clock())
        deliveries.retry(session, second.id, "wang", dead.home.clock())
        deliveries.retry(session, third.id, "wang", dead.home.clock())
        with pytest.raises(NotFoundError):
            deliveries.retry(session, 999, "wang", dead.home.clock())
    assert dead.deliver() == Tally(delivered=2)
    assert [json.loads(got.body)["data"]["sequence"] for got in receiver.got] == [2, 3]


@pytest.fixture
def told(desk: Any, receiver: Any) -> Any:
    """Four messages, an hour apart: two delivered about one subject, one delivered about another, one given up."""
    desk.settings(retry_seconds=[0])
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    for code, status in (("A", 200), ("A", 200), ("B", 200), ("C", 500)):
        receiver.answer = lambda _got, status=status: (status, {}, b"")
        desk.event(person, code)
        desk.deliver()
        desk.home.clock.moment += timedelta(hours=1)
    receiver.answer = lambda _got: (200, {}, b"")
    receiver.got.clear()
    return desk


def sequences(receiver: Any) -> list[int]:
    """The sequences that arrived."""
    return [json.loads(got.body)["data"]["sequence"] for got in receiver.got]


def replayed(desk: Any, **chosen: Any) -> deliveries.Replayed:
    """Send a range again, and deliver it."""
    with desk.store.write() as session:
        done = deliveries.replay_range(session, deliveries.Range(**chosen), "wang", desk.home.clock())
    desk.deliver()
    return done


def test_what_arrived_is_sent_again_only_when_that_is_asked_for(told: Any, receiver: Any) -> None:
    """Dead letters by default; with `delivered` what arrived too, without what has been overtaken, which stays delivered."""
    assert replayed(told, endpoint="hr") == deliveries.Replayed(1, 0)
    assert sequences(receiver) == [4]
    receiver.got.clear()
    assert replayed(told, endpoint="hr", delivered=True) == deliveries.Replayed(3, 1)
    assert sequences(receiver) == [2, 3, 4]
    assert [message.state for message in told.messages()] == ["delivered"] * 4
    assert [message.tries for message in told.messages()] == [1, 2, 2, 3]


def test_a_range_of_time_and_of_ids(told: Any, receiver: Any) -> None:
    """From a moment on and before another, and from one id to another; a range the wrong way round is refused."""
    began = told.home.clock() - timedelta(hours=4)
    within = {"since": began + timedelta(hours=1), "until": began + timedelta(hours=3)}
    assert replayed(told, delivered=True, **within) == deliveries.Replayed(2, 0)
    assert sequences(receiver) == [2, 3]
    ids = [message.id for message in told.messages()]
    receiver.got.clear()
    assert replayed(told, delivered=True, first=ids[2], last=ids[3]).again == 2
    assert sequences(receiver) == [3, 4]
    for wrong in ({"first": 9, "last": 8}, {"since": within["until"], "until": within["since"]}):
        with pytest.raises(RefusedError, match="ends before"):
            replayed(told, **wrong)


def test_what_was_about_an_erased_person_is_not_sent_again(told: Any, receiver: Any) -> None:
    """Nothing is left of what such a message said, so no replay takes it."""
    with told.store.write() as session:
        session.execute(update(Message).values(subject=""))
    assert replayed(told, endpoint="hr", delivered=True) == deliveries.Replayed(0, 0)
    assert receiver.got == []


def test_ranges_by_command(told: Any, receiver: Any, run: Any) -> None:
    """`deliveries replay` takes ids, moments and --delivered, and asks which when only --delivered is said."""
    ids = [message.id for message in told.messages()]
    assert run("deliveries", "replay", "--delivered").exit_code == 2
    assert "no ids" in run("deliveries", "replay", "--ids", "some").output
    assert "ends before" in run("deliveries", "replay", "--ids", f"{ids[1]}-{ids[0]}").output
    said = run("deliveries", "replay", "--ids", f"{ids[1]}-{ids[2]}", "--delivered").output
    assert "2 messages are due again; 0 left out" in said
    assert "1 messages are due again" in run("deliveries", "replay", "--since", "2026-11-23T10:00").output
    assert "3 delivered" in run("deliver", "--once").output
    assert sorted(sequences(receiver)) == [2, 3, 4]
    listed = json.loads(run("deliveries", "list", "--person", "E0001", "--format", "json").output)
    assert len(listed) == 4
    assert json.loads(run("deliveries", "list", "--person", "E9999", "--format", "json").output) == []
