"""What failures and successes say about an endpoint: disabled after days of failures, slowed down, never faster than its rate."""

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from plugin.errors import RefusedError
from plugin.models import AuditEntry
from webhooks import endpoints
from webhooks.delivery import Tally
from webhooks.target import kinds


def endpoint(desk: Any) -> Any:
    """The endpoint hr."""
    with desk.store.read() as session:
        return endpoints.find(session, "hr")


def fail_for(desk: Any, days: float) -> None:
    """Let so many days pass in which something fails each half day."""
    people = desk.people(1) if not desk.messages() else [1]
    end = desk.home.clock() + timedelta(days=days)
    while True:
        desk.events(people)
        desk.deliver()
        if desk.home.clock() >= end:
            return
        desk.home.clock.moment = min(desk.home.clock() + timedelta(hours=12), end)


def test_five_days_of_nothing_but_failures_disable_the_endpoint(desk: Any, receiver: Any) -> None:
    """Until just before five days it is sent to; then it is disabled with the reason, and enabling begins anew."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (500, {}, b"")
    began = desk.home.clock()
    fail_for(desk, 4.9)
    assert (endpoint(desk).disabled_at, endpoint(desk).failing_since) == (None, began)
    desk.home.clock.moment = began + timedelta(days=5)
    desk.events([1])
    desk.deliver()
    found = endpoint(desk)
    assert found.disabled_at == desk.home.clock()
    assert found.disabled_reason == "Nothing but failures came back for too long (since 2026-11-23 02:00Z)."
    arrived = len(receiver.got)
    desk.events([1])
    desk.deliver()
    assert len(receiver.got) == arrived
    with desk.store.write() as session:
        endpoints.enable(session, "hr", "wang", desk.home.clock())
    desk.deliver()
    assert len(receiver.got) == arrived + 1
    assert (endpoint(desk).disabled_at, endpoint(desk).failing_since) == (None, desk.home.clock())


def test_one_success_ends_the_row_of_failures(desk: Any, receiver: Any) -> None:
    """A single success after four days, or one beside failures, means that five more days have to pass."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (500, {}, b"")
    fail_for(desk, 4)
    receiver.answer = lambda _got: (200, {}, b"")
    desk.events([1])
    desk.deliver()
    assert endpoint(desk).failing_since is None
    receiver.answer = lambda _got: (500, {}, b"")
    fail_for(desk, 4)
    assert endpoint(desk).disabled_at is None


def test_how_long_failures_are_borne_is_a_setting(desk: Any, receiver: Any) -> None:
    """With disable_after = "PT1H" an hour of failures is enough."""
    desk.settings(retry_seconds=[0], disable_after="PT1H")
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (401, {}, b"")
    fail_for(desk, 1 / 24)
    assert endpoint(desk).disabled_at == desk.home.clock()


def test_a_failure_long_after_another_is_not_the_same_row(desk: Any, receiver: Any) -> None:
    """One failure, then weeks in which nothing is to be sent, then another one: that is not five days of failures."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    receiver.answer = lambda _got: (500, {}, b"")
    desk.events(desk.people(1))
    desk.deliver()
    desk.home.clock.moment += timedelta(days=20)
    desk.events([1])
    desk.deliver()
    assert (endpoint(desk).disabled_at, endpoint(desk).failing_since) == (None, desk.home.clock())


def test_what_is_not_the_endpoints_doing_does_not_count(desk: Any, receiver: Any) -> None:
    """Messages that are too large to be sent say nothing about the endpoint."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    [person] = desk.people(1)
    for _ in range(4):
        desk.event(person, note="x" * 30_000)
        desk.deliver()
        desk.home.clock.moment += timedelta(days=2)
    assert {message.state for message in desk.messages()} == {"dead"}
    assert (endpoint(desk).disabled_at, endpoint(desk).failing_since) == (None, None)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("600", 600), ("Mon, 23 Nov 2026 02:10:00 GMT", 600), (None, 4), ("soon", 4), ("99999999", 86_400), ("0", 0)],
)
def test_an_overloaded_endpoint_is_left_alone(
    desk: Any, receiver: Any, status: int, header: str | None, seconds: int
) -> None:
    """For its Retry-After, as seconds or a date, a day at most; else for the schedule's shortest wait, jitter taken off."""
    desk.settings(threads=1)
    desk.endpoint(receiver.url)
    desk.events(desk.people(3))
    receiver.answer = lambda _got: (status, {"Retry-After": header} if header else {}, b"")
    assert desk.deliver() == Tally(failed=1)
    assert endpoint(desk).paused_until == desk.home.clock() + timedelta(seconds=seconds)
    assert sorted(message.tries for message in desk.messages()) == [0, 0, 1]
    receiver.answer = lambda _got: (200, {}, b"")
    if seconds:
        desk.home.clock.moment += timedelta(seconds=seconds - 1)
        assert desk.deliver() == Tally()
        assert endpoints.state_of(endpoint(desk), desk.home.clock()) == "paused"
        desk.home.clock.moment += timedelta(seconds=1)
    assert desk.deliver().delivered >= 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 500, 501, 505])
def test_other_failures_slow_nothing_down(desk: Any, receiver: Any, status: int) -> None:
    """One message that is refused does not keep the others back, whatever Retry-After says."""
    desk.settings(threads=1)
    desk.endpoint(receiver.url)
    desk.events(desk.people(3))
    receiver.answer = lambda _got: (status, {}, b"") if len(receiver.got) == 1 else (200, {}, b"")
    assert desk.deliver() == Tally(delivered=2, failed=1)
    assert endpoint(desk).paused_until is None


def test_only_2xx_is_success(desk: Any, receiver: Any) -> None:
    """200 to 299 deliver a message; 300 and what follows do not, even with a body that says so."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    [person] = desk.people(1)
    for status in (200, 201, 202, 204, 226, 299):
        receiver.answer = lambda _got, status=status: (status, {}, b"")
        desk.event(person)
        assert desk.deliver() == Tally(delivered=1), status
    for status in (300, 301, 302, 304, 307, 308, 400, 418, 499, 500, 599):
        receiver.answer = lambda _got, status=status: (status, {"Location": receiver.url}, b'{"ok":true}')
        desk.event(person)
        assert desk.deliver() == Tally(dead=1), status


class Running:
    """A clock that goes on by itself from where the test's stood."""

    def __init__(self, moment: Any) -> None:
        self._moment, self._began = moment, time.monotonic()

    def __call__(self) -> Any:
        """The moment now."""
        return self._moment + timedelta(seconds=time.monotonic() - self._began)


def arrivals(receiver: Any) -> list[float]:
    """Have the receiver note when each request arrives."""
    found: list[float] = []

    def answer(_got: Any) -> Any:
        with receiver.lock:
            found.append(time.monotonic())
        return 200, {}, b""

    receiver.answer = answer
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_a_rate_is_kept_however_many_workers_there_are(desk: Any, receiver: Any, workers: int) -> None:
    """At 20 a second no message arrives before its slot, a twentieth of a second each, from one worker or from three."""
    desk.home.clock = Running(desk.home.clock())
    desk.endpoint(receiver.url, rate=20)
    people = desk.people(30)
    desk.events(people)
    found = arrivals(receiver)
    desk.settings(chunk=7)
    began = time.monotonic()
    running = [threading.Thread(target=desk.deliver) for _ in range(workers)]
    for worker in running:
        worker.start()
    for worker in running:
        worker.join()
    while any(message.state == "waiting" for message in desk.messages()):
        desk.deliver()
    assert len(found) == 30
    # None arrives before its slot, counted from before the workers started; how late it is depends on the machine.
    assert all(at - began >= slot / 20 - 0.01 for slot, at in enumerate(sorted(found)))


def test_without_a_rate_nothing_waits(desk: Any, receiver: Any) -> None:
    """An endpoint without a rate takes no slots; a rate of 0 means the same."""
    desk.endpoint(receiver.url, rate=0)
    assert endpoint(desk).rate is None
    desk.events(desk.people(3))
    assert desk.deliver() == Tally(delivered=3)
    assert endpoint(desk).slots_until is None


def test_slots_that_lie_far_ahead_are_left_for_a_later_run(desk: Any, receiver: Any) -> None:
    """At one message in a hundred seconds a run sends one and ends; the next one is sent when its time has come."""
    desk.endpoint(receiver.url, rate=0.01)
    desk.events(desk.people(3))
    assert desk.deliver() == Tally(delivered=1)
    assert desk.deliver() == Tally()
    desk.home.clock.moment += timedelta(seconds=100)
    assert desk.deliver() == Tally(delivered=1)


@pytest.mark.parametrize("rate", [-1, 0.0001, 10_001, float("nan"), float("inf")])
def test_rates_that_make_no_sense(desk: Any, receiver: Any, rate: float) -> None:
    """A negative, tiny, huge or undefined rate is refused."""
    with pytest.raises(RefusedError, match="rate"):
        desk.endpoint(receiver.url, rate=rate)


def test_changing_an_endpoint(desk: Any, receiver: Any, run: Any) -> None:
    """`endpoint change` changes what is named and nothing else, says what, and leaves before and after in the audit trail."""
    desk.endpoint(receiver.url, types=["certification.*"])
    assert run("endpoint", "change", "hr").exit_code == 2
    changed = run("endpoint", "change", "hr", "--types", "promotion.*,person.erased", "--full", "--rate", "50")
    assert "types, full, rate" in changed.output
    found = json.loads(run("endpoint", "show", "hr").output)
    assert found["types"] == ["person.erased", "promotion.blocked", "promotion.conditional", "promotion.eligible"]
    assert (found["full"], found["rate"], found["url"], found["backfill"]) == (True, 50, receiver.url, "send")
    assert "is so already" in run("endpoint", "change", "hr", "--rate", "50").output
    run("endpoint", "change", "hr", "--types", "*", "--thin", "--rate", "0", "--no-backfill")
    found = json.loads(run("endpoint", "show", "hr").output)
    assert (found["types"], found["full"], found["rate"], found["backfill"]) == (None, False, None, "skip")
    moved = run("endpoint", "change", "hr", "--url", receiver.url + "/new")
    assert "Changed url" in moved.output
    for url, said in (("http://127.0.0.1:1/?key=hunter2", "after ?"), ("https://10.0.0.1/", "private")):
        refused = run("endpoint", "change", "hr", "--url", url)
        assert (refused.exit_code, said in refused.output, "hunter2" in refused.output) == (1, True, False)
    assert json.loads(run("endpoint", "show", "hr").output)["url"] == receiver.url + "/new"
    assert "no type" in run("endpoint", "change", "hr", "--types", "nothing").output
    with desk.store.read() as session:
        acts = [act for act in session.query(AuditEntry) if act.action == "endpoint.change"]
    assert [sorted(act.after) for act in acts] == [
        ["full", "rate", "types"],
        ["backfill", "full", "rate", "types"],
        ["url"],
    ]
    assert acts[2].before == {"url": receiver.url}


def test_nobody_can_add_what_cannot_be_sent_to(desk: Any) -> None:
    """A rate or a scheme that is wrong leaves nothing behind."""
    home = desk.home
    with desk.store.write() as session, pytest.raises(RefusedError):
        endpoints.add_endpoint(
            session, endpoints.Kinds(kinds(home), home.settings, home.keys), name="x", url="http://127.0.0.1:1/",
            scheme="v9", actor="test", now=home.clock(),
        )  # fmt: skip
    with desk.store.read() as session:
        assert endpoints.every(session) == []
