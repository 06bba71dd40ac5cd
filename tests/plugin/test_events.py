"""Events: each person's have one order without gaps, whoever writes them and however many at a time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from ulid import ULID

from plugin.events import EventDraft, append_events, lock_people
from plugin.installation import Installation
from plugin.models import Event, Person
from plugin.store import CHUNK

Hire = Callable[..., list[int]]


def draft(person: int, number: int = 0, **options: Any) -> EventDraft:
    """An event about a person."""
    return EventDraft(person, "certification.awarded", f"certification:{person}", {"number": number}, **options)


def numbers(home: Installation) -> dict[int, list[int]]:
    """Each person's sequence, in the order of the numbers."""
    found: dict[int, list[int]] = {}
    with home.store.read() as session:
        for person, number in session.execute(select(Event.person_id, Event.sequence).order_by(Event.sequence)):
            found.setdefault(person, []).append(number)
    return found


def test_events_are_stored_whole_and_numbered_per_person(kernel: Installation, hire: Hire) -> None:
    """Drafts keep their order and content, get ids of their moment and the next numbers, and wait to be fanned out."""
    one, two = hire(kernel, 2)
    moment = kernel.clock()
    with kernel.store.write() as session:
        append_events(session, [draft(one, 1), draft(two, 2, backfill=True), draft(one, 3)], moment)
        append_events(session, [], moment)
    with kernel.store.write() as session:
        append_events(session, [draft(one, 4)], moment + timedelta(hours=1))
    with kernel.store.read() as session:
        events = session.scalars(select(Event).order_by(Event.person_id, Event.sequence)).all()
        newest = dict(session.execute(select(Person.id, Person.event_sequence)).all())
    assert [(e.person_id, e.sequence, e.data["number"], e.backfill) for e in events] == [
        (one, 1, 1, False), (one, 2, 3, False), (one, 3, 4, False), (two, 1, 2, True),
    ]  # fmt: skip
    assert {(e.type, e.subject, e.fanned_out) for e in events if e.person_id == one} == {
        ("certification.awarded", f"certification:{one}", False)
    }
    assert events[0].occurred_at == moment == ULID.from_str(events[0].id).datetime
    assert len({event.id for event in events}) == 4
    assert newest == {one: 3, two: 1}


def test_events_of_many_people_go_in_few_statements(kernel: Installation, hire: Hire, counted: Any) -> None:
    """Events of more people than a chunk are numbered right, in statements that grow with the chunks only."""
    people = hire(kernel, CHUNK + 100)
    with counted(kernel) as few, kernel.store.write() as session:
        append_events(session, [draft(person) for person in people[:10]], kernel.clock())
    with counted(kernel) as many, kernel.store.write() as session:
        append_events(session, [draft(person) for person in people for _ in range(2)], kernel.clock())
    assert len(many) <= 3 * len(few)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers(kernel).values())
    assert sum(map(len, numbers(kernel).values())) == 10 + 2 * len(people)


def test_rollback_leaves_no_gap(kernel: Installation, hire: Hire) -> None:
    """Numbers that a failed unit took are given again."""
    [person] = hire(kernel, 1)
    for number in range(4):
        try:
            with kernel.store.write() as session:
                append_events(session, [draft(person, number)], kernel.clock())
                if number % 2:
                    raise RuntimeError("the unit fails")
        except RuntimeError:
            pass
    with kernel.store.read() as session:
        data = session.execute(select(Event.sequence, Event.data).order_by(Event.sequence)).all()
        assert session.scalar(select(Person.event_sequence)) == 2
    assert [tuple(row) for row in data] == [(1, {"number": 0}), (2, {"number": 2})]


def test_eight_writers_leave_no_gap_and_no_double(kernel: Installation, hire: Hire) -> None:
    """Eight threads that write events of the same people, in any order, and sometimes fail, leave sequences without gaps."""
    people = hire(kernel, 3)
    failures: list[Exception] = []
    start = threading.Barrier(8)

    def write(writer: int) -> None:
        start.wait()
        for turn in range(6):
            mixed = people[writer % 3 :] + people[: writer % 3]
            try:
                with kernel.store.write() as session:
                    append_events(session, [draft(person, writer) for person in mixed], kernel.clock())
                    if (writer + turn) % 4 == 0:
                        raise RuntimeError("the unit fails")
            except RuntimeError:
                continue
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    committed = sum((writer + turn) % 4 != 0 for writer in range(8) for turn in range(6))
    assert numbers(kernel) == {person: list(range(1, committed + 1)) for person in people}


def test_person_stays_locked_until_the_unit_ends(postgresql_kernel: Installation, hire: Hire) -> None:
    """While one unit has appended events of a person, another one cannot; a person beside them is free."""
    one, two, three = hire(postgresql_kernel, 3)
    store = postgresql_kernel.store

    def is_locked(session: Session, person: int) -> bool:
        waiting = text("SELECT id FROM person WHERE id = :id FOR UPDATE SKIP LOCKED")
        return session.execute(waiting, {"id": person}).first() is None

    with store.write() as session:
        append_events(session, [draft(one)], postgresql_kernel.clock())
        lock_people(session, [two, two])
        with store.write() as other:
            assert [is_locked(other, person) for person in (one, two, three)] == [True, True, False]
    with store.write() as other:
        assert not is_locked(other, one)


def test_locks_taken_in_other_orders_do_not_block_each_other_for_ever(
    postgresql_kernel: Installation, hire: Hire
) -> None:
    """Two units that name the same people in opposite orders lock them in one order, so neither waits for the other for ever."""
    people = hire(postgresql_kernel, CHUNK + 200)
    failures: list[Exception] = []
    start = threading.Barrier(2)

    def lock(order: list[int]) -> None:
        try:
            for _ in range(12):
                start.wait(30)
                with postgresql_kernel.store.write() as session:
                    lock_people(session, order)
        except Exception as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=lock, args=(order,)) for order in (people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_event_of_nobody_is_refused(kernel: Installation) -> None:
    """An event about a person who is not there is an error of the caller, and nothing is stored."""
    with pytest.raises(KeyError), kernel.store.write() as session:
        append_events(session, [draft(4711)], kernel.clock())
    assert numbers(kernel) == {}
