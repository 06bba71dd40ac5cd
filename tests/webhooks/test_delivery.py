"""Delivery: in order, with every attempt written down, tried again as scheduled, given up at last."""

import json
import socket
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook

from webhooks import deliveries, endpoints
from webhooks.claims import LEASE, claim
from webhooks.delivery import Tally, deliver_due
from webhooks.fanout import fan_out
from webhooks.models import Attempt, Endpoint, Message
from webhooks.settings import RETRY_SECONDS

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def attempts(desk: Any) -> list[Attempt]:
    """Every attempt, by message and number."""
    with desk.store.read() as session:
        return list(session.scalars(select(Attempt).order_by(Attempt.message_id, Attempt.number)))


def endpoint(desk: Any) -> Endpoint:
    """The endpoint `hr`."""
    with desk.store.read() as session:
        return endpoints.find(session, "hr")


def numbers(receiver: Any) -> list[int]:
    """The sequences in the order in which they arrived."""
    return [json.loads(got.body)["data"]["sequence"] for got in receiver.got]


def test_a_message_arrives_signed_and_is_written_down(desk: Any, receiver: Any) -> None:
    """An event arrives as a Standard Webhook under the event's id; the attempt says when, what came back, how long."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person, status="certified")
    assert desk.deliver() == Tally(delivered=1)
    [got], [message], [attempt] = receiver.got, desk.messages(), attempts(desk)
    assert got.headers["webhook-id"] == message.event_id
    moment = desk.home.clock()
    assert Webhook(SECRET).sign(message.event_id, moment, got.body.decode()) == got.headers["webhook-signature"]
    assert (message.state, message.tries, message.holder) == ("delivered", 1, None)
    assert (attempt.number, attempt.status, attempt.outcome) == (1, 201, "delivered")
    assert (attempt.started_at, attempt.excerpt) == (moment, "created")
    assert attempt.duration_ms is not None
    assert endpoint(desk).last_success_at == moment


def test_connections_are_kept_alive(desk: Any, receiver: Any) -> None:
    """A run uses as many connections as senders at most, not one per message."""
    desk.settings(threads=4)
    people = desk.people(50)
    desk.endpoint(receiver.url)
    desk.events(people)
    desk.events(people)
    assert desk.deliver().delivered == 100
    assert receiver.connections <= 4


def test_a_persons_events_arrive_in_order_under_many_workers(desk: Any, receiver: Any) -> None:
    """With several workers and an endpoint that often fails, each person's events arrive in their order, none is lost."""
    desk.settings(chunk=5, threads=3, retry_seconds=[0] * 50)
    people = desk.people(12)
    desk.endpoint(receiver.url)
    for _ in range(6):
        desk.events(people)
    failing = iter(range(10_000))
    receiver.answer = lambda _got: (500, {}, b"") if next(failing) % 4 == 0 else (200, {}, b"")
    arrived: list[tuple[str, int]] = []
    original = receiver.answer

    def answer(got: Any) -> Any:
        reply = original(got)
        if reply[0] == 200:
            data = json.loads(got.body)["data"]
            with receiver.lock:
                arrived.append((data["subject"], data["sequence"]))
        return reply

    receiver.answer = answer
    workers = [threading.Thread(target=desk.deliver) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    desk.deliver()
    assert {message.state for message in desk.messages()} == {"delivered"}
    for person in people:
        assert [number for subject, number in arrived if f":{person}:" in subject] == [1, 2, 3, 4, 5, 6]


def test_the_schedule_is_kept_and_ends(desk: Any, receiver: Any) -> None:
    """Ten attempts, each after its wait with at most a fifth of jitter; then the message is given up."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person)
    receiver.answer = lambda _got: (500, {}, b"oops")
    for number, seconds in enumerate([*RETRY_SECONDS[1:], None], start=1):
        assert desk.deliver() == (Tally(failed=1) if seconds is not None else Tally(dead=1))
        [message] = desk.messages()
        assert message.tries == number
        if seconds is None:
            break
        wait = (message.due_at - desk.home.clock()).total_seconds()
        assert seconds * 0.8 <= wait <= seconds * 1.2
        desk.home.clock.moment = message.due_at - timedelta(milliseconds=1)
        assert desk.deliver() == Tally()
        desk.home.clock.moment = message.due_at
    assert message.state == "dead"
    assert message.reason == "The endpoint failed (500 Internal Server Error)."
    desk.home.clock.moment += timedelta(days=30)
    assert desk.deliver() == Tally()
    assert [attempt.number for attempt in attempts(desk)] == list(range(1, 11))
    assert {attempt.excerpt for attempt in attempts(desk)} == {"oops"}
    assert len(receiver.got) == 10
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 10


def test_a_dead_letter_releases_those_behind_it(desk: Any, receiver: Any) -> None:
    """While a message fails, those behind it of the same person wait and others' go on; given up, it lets them through."""
    desk.settings(retry_seconds=[0, 100])
    poisoned, other = desk.people(2)
    desk.endpoint(receiver.url)
    desk.event(poisoned, "POISON")
    desk.events([poisoned, poisoned, other])
    receiver.answer = lambda got: (422, {}, b"") if b"POISON" in got.body else (200, {}, b"")
    assert desk.deliver() == Tally(delivered=1, failed=1)
    assert [message.state for message in desk.messages()] == ["waiting"] * 3 + ["delivered"]
    desk.home.clock.moment += timedelta(seconds=130)
    assert desk.deliver() == Tally(delivered=2, dead=1)
    assert [message.state for message in desk.messages()] == ["dead"] + ["delivered"] * 3
    assert numbers(receiver)[-2:] == [2, 3]


def test_a_late_success_lets_those_behind_it_through_at_once(desk: Any, receiver: Any) -> None:
    """When a failed message is delivered at last, those behind it do not wait for a time of their own."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    for _ in range(3):
        desk.event(person)
    receiver.answer = lambda _got: (503, {}, b"")
    desk.deliver()
    receiver.answer = lambda _got: (200, {}, b"")
    desk.home.clock.moment = desk.messages()[0].due_at
    assert desk.deliver() == Tally(delivered=3)
    assert numbers(receiver) == [1, 1, 2, 3]


def test_sending_early_lets_those_behind_it_through_too(desk: Any, receiver: Any) -> None:
    """When somebody sends a waiting message before its time and it arrives, those behind it go at once."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    for _ in range(3):
        desk.event(person)
    receiver.answer = lambda _got: (500, {}, b"")
    desk.deliver()
    receiver.answer = lambda _got: (200, {}, b"")
    with desk.store.write() as session:
        deliveries.retry(session, desk.messages()[0].id, "wang", desk.home.clock())
    assert desk.deliver() == Tally(delivered=3)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_for_the_whole_endpoint(desk: Any, receiver: Any, status: int) -> None:
    """An endpoint that asks to wait is left alone that long, by all its messages; none of them loses an attempt."""
    desk.settings(threads=1)
    people = desk.people(5)
    desk.endpoint(receiver.url)
    desk.events(people)
    receiver.answer = lambda _got: (status, {"Retry-After": "600"}, b"")
    assert desk.deliver() == Tally(failed=1)
    assert len(receiver.got) == 1
    assert sorted(message.tries for message in desk.messages()) == [0, 0, 0, 0, 1]
    receiver.answer = lambda _got: (200, {}, b"")
    desk.home.clock.moment += timedelta(seconds=599)
    assert desk.deliver() == Tally()
    desk.home.clock.moment += timedelta(seconds=1)
    assert desk.deliver() == Tally(delivered=5)


def test_gone_disables_the_endpoint_and_keeps_its_messages(desk: Any, receiver: Any) -> None:
    """410 disables the endpoint with the reason; what waits is sent when somebody enables it again."""
    desk.settings(threads=1)
    desk.endpoint(receiver.url)
    desk.events(desk.people(3))
    receiver.answer = lambda _got: (410, {}, b"")
    assert desk.deliver() == Tally(failed=1)
    assert endpoint(desk).disabled_reason == "The endpoint is gone and wants no more messages (410 Gone)."
    assert desk.deliver() == Tally()
    receiver.answer = lambda _got: (204, {}, b"")
    with desk.store.write() as session:
        assert endpoints.enable(session, "hr", "test", desk.home.clock()) == 3
    assert desk.deliver() == Tally(delivered=3)


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "reason"),
    [
        (302, {"Location": "/elsewhere"}, "redirect", "redirects are not followed (302 Found)"),
        (307, {"Location": "http://127.0.0.1:1/"}, "redirect", "(307 Temporary Redirect)"),
        (400, {}, "rejected", "refused it (400 Bad Request)"),
        (401, {}, "rejected", "refused it (401 Unauthorized)"),
        (429, {}, "throttled", "takes no more at the moment"),
        (500, {}, "server_error", "failed (500"),
        (599, {}, "server_error", "failed (599)"),
    ],
)
def test_only_2xx_is_success(desk: Any, receiver: Any, status: int, headers: Any, outcome: str, reason: str) -> None:
    """Anything but 2xx fails with a reason in plain words, and a redirect is not followed."""
    desk.endpoint(receiver.url)
    desk.events(desk.people(1))
    receiver.answer = lambda _got: (status, headers, b"")
    assert desk.deliver() == Tally(failed=1)
    [attempt] = attempts(desk)
    assert (attempt.outcome, attempt.status) == (outcome, status)
    assert reason in attempt.reason
    assert len(receiver.got) == 1


def test_an_endpoint_that_answers_a_byte_at_a_time_is_cut_off(desk: Any) -> None:
    """A time-out is for the whole exchange: an endpoint that drips its answer does not hold a sender."""
    desk.settings(timeout_seconds=1)
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not stop.wait(0.1):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    dripping = threading.Thread(target=drip)
    dripping.start()
    desk.endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/")
    desk.events(desk.people(1))
    assert desk.deliver() == Tally(failed=1)
    stop.set()
    dripping.join()
    server.close()
    assert attempts(desk)[0].outcome == "timeout"


def test_nobody_listening_is_a_failed_attempt(desk: Any) -> None:
    """A connection that is refused is an attempt like any other, with its reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    desk.endpoint(f"http://127.0.0.1:{port}/")
    desk.events(desk.people(1))
    assert desk.deliver() == Tally(failed=1)
    assert (attempts(desk)[0].outcome, attempts(desk)[0].status) == ("unreachable", None)


def test_a_failing_endpoint_holds_up_no_other(desk: Any, receiver: Any) -> None:
    """One endpoint fails, the other gets everything."""
    desk.endpoint("http://127.0.0.1:1/", "broken")
    desk.endpoint(receiver.url, "hr")
    desk.events(desk.people(3))
    assert desk.deliver() == Tally(delivered=3, failed=3)


def test_an_answer_that_never_got_written_down_is_sent_again(desk: Any, receiver: Any) -> None:
    """A worker that dies between sending and recording leaves its start behind: the message goes again, same id."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person)
    fan_out_only(desk)
    with desk.store.write() as session:
        [claimed] = claim(session, endpoints.find(session, "hr"), "the dead", desk.home.clock(), 10, 10)
    assert claimed.number == 1
    assert desk.deliver() == Tally()  # it is leased
    desk.home.clock.moment += LEASE
    assert desk.deliver() == Tally(delivered=1)
    first, second = attempts(desk)
    assert (first.number, first.outcome, first.duration_ms) == (1, "lost", None)
    assert (second.number, second.outcome) == (2, "delivered")


def test_an_answer_after_the_lease_is_written_down_and_changes_nothing(desk: Any, receiver: Any) -> None:
    """A worker whose lease went to another one records its attempt; the message is the other one's."""
    desk.settings(timeout_seconds=15)
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person)

    def slow(_got: Any) -> Any:
        receiver.answer = lambda _got: (200, {}, b"second")
        desk.home.clock.moment += LEASE
        assert deliver_due(desk.courier, 10) == Tally(delivered=1)
        return 500, {}, b"first"

    receiver.answer = slow
    desk.deliver()
    [message] = desk.messages()
    assert (message.state, message.tries) == ("delivered", 2)
    assert [(attempt.number, attempt.excerpt) for attempt in attempts(desk)] == [(1, "first"), (2, "second")]


def test_a_message_that_ends_its_worker_is_given_up_in_the_end(desk: Any) -> None:
    """Attempts that nobody finished count, so that a message which ends every worker is not sent for ever."""
    desk.settings(retry_seconds=[0, 0])
    desk.endpoint("http://127.0.0.1:1/")
    desk.events(desk.people(1))
    fan_out_only(desk)
    for _ in range(2):
        with desk.store.write() as session:
            assert len(claim(session, endpoints.find(session, "hr"), "the dead", desk.home.clock(), 10, 2)) == 1
        desk.home.clock.moment += LEASE
    assert desk.deliver() == Tally()
    assert desk.messages()[0].state == "dead"
    assert [attempt.outcome for attempt in attempts(desk)] == ["lost", "lost"]


def test_a_body_that_is_too_large_is_given_up_at_once(desk: Any, receiver: Any) -> None:
    """A message that can never be sent is a dead letter with the reason, and does not hold up the person's next."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    desk.event(person, note="x" * 20_000)
    desk.event(person)
    assert desk.deliver() == Tally(delivered=1, dead=1)
    assert "larger than 20,000 bytes" in (desk.messages()[0].reason or "")


def test_a_full_endpoint_gets_the_persons_name(desk: Any, receiver: Any) -> None:
    """An endpoint with full payloads is told name, department and position."""
    desk.endpoint(receiver.url, full=True)
    desk.events(desk.people(1))
    desk.deliver()
    person = json.loads(receiver.got[0].body)["data"]["person"]
    assert person == {"name": "Person 1", "department": None, "position": None}


def test_an_unreadable_secret_keeps_the_messages(desk: Any, receiver: Any) -> None:
    """When the key that encrypted an endpoint's secret is gone, nothing is sent, nothing is lost, and it is said."""
    desk.endpoint(receiver.url)
    desk.events(desk.people(1))
    with desk.store.write() as session:
        session.execute(update(Endpoint).values(secret="gAAAAA"))
    assert desk.deliver() == Tally()
    assert "restore the key" in (endpoint(desk).last_failure or "")
    assert [(message.state, message.tries) for message in desk.messages()] == [("waiting", 0)]


def test_a_defect_in_a_target_is_an_attempt_too(desk: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside a kind of endpoint is logged, recorded and tried again; the run goes on."""
    desk.endpoint(receiver.url)
    desk.events(desk.people(2))

    def broken(*_args: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("webhooks.standard.target.StandardTarget.send", broken)
    assert desk.deliver() == Tally(failed=2)
    assert {attempt.outcome for attempt in attempts(desk)} == {"broken"}


def test_what_cannot_be_finished_within_the_lease_is_not_begun(
    desk: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that a slow endpoint left no time for go back without an attempt."""
    desk.settings(threads=1, timeout_seconds=20)
    desk.endpoint(receiver.url)
    desk.events(desk.people(4))
    monkeypatch.setattr("webhooks.delivery.MARGIN", LEASE.total_seconds() - 20.2)

    passed = [0.0]
    monkeypatch.setattr(
        "webhooks.delivery.time", SimpleNamespace(monotonic=lambda: passed[0], perf_counter=lambda: passed[0])
    )

    def slow(_got: Any) -> Any:
        passed[0] += 0.3
        return 200, {}, b""

    receiver.answer = slow
    assert desk.deliver(seconds=0.1) == Tally(delivered=1)
    waiting = [message for message in desk.messages() if message.state == "waiting"]
    assert [(message.tries, message.holder, message.leased_until) for message in waiting] == [(0, None, None)] * 3


def fan_out_only(desk: Any) -> None:
    """Make the messages, send nothing."""
    fan_out(desk.store, desk.home.clock())
    with desk.store.read() as session:
        assert session.scalars(select(Message.id)).first() is not None
