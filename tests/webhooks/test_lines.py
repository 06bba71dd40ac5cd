"""Claims before long lines: they look at a bounded number of messages, and nobody is kept waiting by others' lines."""

from datetime import timedelta
from typing import Any

from sqlalchemy import event, select, update

from webhooks import claims
from webhooks.claims import claim
from webhooks.delivery import Tally
from webhooks.endpoints import find
from webhooks.fanout import fan_out
from webhooks.models import Message


def claimed(desk: Any, limit: int) -> list[tuple[int, int]]:
    """Person and sequence of each message of a claim."""
    with desk.store.write() as session:
        found = claim(session, find(session, "hr"), "x", desk.home.clock(), limit, 10)
    return [(one.person_id, one.sequence) for one in found]


def test_a_long_line_is_not_looked_through(desk: Any, receiver: Any, monkeypatch: Any) -> None:
    """With everything of a few people waiting, a claim reads as many rows as it may look at, not the whole line."""
    monkeypatch.setattr(claims, "LEAST_LOOK", 10)
    people = desk.people(2)
    desk.endpoint(receiver.url)
    for _ in range(40):
        desk.events(people)
    fan_out(desk.store, desk.home.clock())
    limits: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "blocked" in statement:
            limits.append((" LIMIT " in statement, 10 in dict(enumerate(parameters)).values() or 10 in parameters))

    event.listen(desk.store.engine, "before_cursor_execute", note)
    assert claimed(desk, 5) == [(people[0], 1), (people[1], 1)]
    event.remove(desk.store.engine, "before_cursor_execute", note)
    assert limits
    assert all(bounded for bounded, _ in limits)
    desk.home.clock.moment += timedelta(minutes=1)
    assert desk.deliver() == Tally(delivered=80)


def test_those_behind_what_is_tried_later_do_not_fill_the_front(desk: Any, receiver: Any, monkeypatch: Any) -> None:
    """New messages of people whose first is tried again later are put off until then, and let others through."""
    monkeypatch.setattr(claims, "LEAST_LOOK", 4)
    desk.settings(chunk=2, retry_seconds=[0, 3600])
    failing, other = desk.people(2)
    desk.endpoint(receiver.url)
    desk.event(failing, "POISON")
    receiver.answer = lambda got: (500, {}, b"") if b"POISON" in got.body else (200, {}, b"")
    assert desk.deliver() == Tally(failed=1)
    for _ in range(20):
        desk.event(failing)
    fan_out(desk.store, desk.home.clock())
    desk.home.clock.moment += timedelta(seconds=1)
    desk.event(other)
    total = Tally()
    for _ in range(6):
        total += desk.deliver()
    assert total == Tally(delivered=1)
    first, *behind = [message for message in desk.messages() if message.person_id == failing]
    assert {message.due_at for message in behind} == {first.due_at}
    receiver.answer = lambda _got: (200, {}, b"")
    desk.home.clock.moment = first.due_at
    assert desk.deliver() == Tally(delivered=21)


def test_first_ones_that_became_due_after_those_behind_them_go_first(
    desk: Any, receiver: Any, monkeypatch: Any
) -> None:
    """What was asked to wait, and became due after newer messages of the same people, is found behind however many of them."""
    monkeypatch.setattr(claims, "LEAST_LOOK", 4)
    desk.settings(chunk=2, retry_seconds=[0, 60])
    people = desk.people(30)
    desk.endpoint(receiver.url)
    desk.events(people)
    receiver.answer = lambda _got: (500, {}, b"")
    while desk.deliver() != Tally():
        pass
    desk.home.clock.moment += timedelta(seconds=20)
    with desk.store.write() as session:  # nothing looked at the line meanwhile: the endpoint was paused
        find(session, "hr").paused_until = desk.home.clock() + timedelta(seconds=60)
    desk.events(people)
    fan_out(desk.store, desk.home.clock())
    desk.home.clock.moment += timedelta(seconds=120)
    receiver.answer = lambda _got: (200, {}, b"")
    total = Tally()
    for _ in range(20):
        total += desk.deliver()
    assert total == Tally(delivered=60)


def test_those_behind_what_is_under_way_wait_for_it(desk: Any, receiver: Any) -> None:
    """While a process holds the first of a line nothing of it is claimed; afterwards it goes on where it stands."""
    [person] = desk.people(1)
    desk.endpoint(receiver.url)
    for _ in range(3):
        desk.event(person)
    fan_out(desk.store, desk.home.clock())
    assert claimed(desk, 10) == [(person, 1)]
    assert claimed(desk, 10) == []
    with desk.store.write() as session:
        session.execute(update(Message).where(Message.sequence == 1).values(state="delivered"))
    assert claimed(desk, 10) == [(person, 2)]
    with desk.store.read() as session:
        assert session.scalar(select(Message.due_at).where(Message.sequence == 3)) == desk.home.clock()


def test_claims_are_planned_with_the_indexes_of_what_waits(desk: Any, receiver: Any) -> None:
    """The state stands in the statements as a word: as a parameter, a plan that is kept could not use those indexes."""
    desk.endpoint(receiver.url)
    desk.events(desk.people(1))
    fan_out(desk.store, desk.home.clock())
    said: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    event.listen(desk.store.engine, "before_cursor_execute", note)
    assert len(claimed(desk, 5)) == 1
    event.remove(desk.store.engine, "before_cursor_execute", note)
    looks = [(statement, parameters) for statement, parameters in said if "ORDER BY message.due_at" in statement]
    assert looks
    for statement, parameters in looks:
        assert "message.state = 'waiting'" in statement
        assert "waiting" not in (parameters.values() if isinstance(parameters, dict) else parameters)
