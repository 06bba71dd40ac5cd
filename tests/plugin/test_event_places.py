"""The one order of all events: whoever has read up to a place has read everything up to it."""

import threading
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import select

from plugin.event_places import place, waits
from plugin.events import EventDraft, append_events
from plugin.installation import Installation
from plugin.models import Event, Person
from plugin.store import Store


@pytest.fixture
def people(installation: Installation) -> list[int]:
    """Four persons."""
    now = installation.clock()
    with installation.store.write() as session:
        found = [Person(employee_number=f"E{n}", name=f"Person {n}", created_at=now, changed_at=now) for n in range(4)]
        session.add_all(found)
        session.flush()
        return [person.id for person in found]


def draft(person: int) -> EventDraft:
    """An event about somebody."""
    return EventDraft(person, "certification.awarded", f"certification:{person}:FIRE", {})


def placed(store: Store) -> list[tuple[int, int]]:
    """Person and sequence of every placed event, by place."""
    with store.read() as session:
        query = select(Event.person_id, Event.sequence).where(Event.position.is_not(None)).order_by(Event.position)
        return [(person, sequence) for person, sequence in session.execute(query)]


def place_all(store: Store, most: int = 3) -> None:
    """Place what waits, a few at a time."""
    while True:
        with store.write() as session:
            if not waits(session):
                return
            place(session, most)


def test_places_follow_time_and_the_sequence_of_each_person(installation: Installation, people: list[int]) -> None:
    """Events are placed as they came to be; where a clock was put back, the person's sequence goes before the time."""
    store, now = installation.store, installation.clock()
    first, second, *_ = people
    for person, minutes in ((first, 10), (second, 5), (first, 2), (second, 7), (first, 11)):
        with store.write() as session:
            append_events(session, [draft(person)], now + timedelta(minutes=minutes))
    place_all(store)
    assert placed(store) == [(second, 1), (second, 2), (first, 1), (first, 2), (first, 3)]
    with store.read() as session:
        assert sorted(session.scalars(select(Event.position))) == [1, 2, 3, 4, 5]


def test_an_event_that_is_committed_late_comes_later(installation: Installation, people: list[int]) -> None:
    """A transaction that began first and ends last gets the later place, so that nobody has read past it."""
    store, now = installation.store, installation.clock()
    if store.is_sqlite:  # one transaction writes at a time, so the first to begin is the first to end
        with store.write() as session:
            append_events(session, [draft(people[0])], now)
        place_all(store)
        assert placed(store) == [(people[0], 1)]
        return
    with store.write() as slow:
        append_events(slow, [draft(people[0])], now)
        with store.write() as quick:
            append_events(quick, [draft(people[1])], now + timedelta(seconds=1))
        place_all(store)
        assert placed(store) == [(people[1], 1)]
    place_all(store)
    assert placed(store) == [(people[1], 1), (people[0], 1)]


def test_a_reader_beside_many_writers_misses_nothing(installation: Installation, people: list[int]) -> None:
    """While four threads append and two place, a reader who goes on from the last place finds each event once, in order."""
    store, now = installation.store, installation.clock()
    ended = threading.Event()

    def write(seed: int) -> None:
        chance = Random(seed)
        for _ in range(25):
            with store.write() as session:
                chosen = chance.sample(people, chance.randint(1, 3))
                append_events(session, [draft(person) for person in chosen], now)

    def go_on_placing() -> None:
        while not ended.is_set():
            with store.write() as session:
                place(session, 4)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    placers = [threading.Thread(target=go_on_placing) for _ in range(2)]
    for thread in writers + placers:
        thread.start()
    seen: list[tuple[int, int, int]] = []
    while True:
        over = not any(thread.is_alive() for thread in writers)
        if over:
            place_all(store)
        after = seen[-1][0] if seen else 0
        with store.read() as session:
            query = select(Event.position, Event.person_id, Event.sequence).where(Event.position > after)
            seen += [tuple(row) for row in session.execute(query.order_by(Event.position).limit(5))]  # type: ignore[misc]
            if over and session.scalar(select(Event.id).where(Event.position > seen[-1][0]).limit(1)) is None:
                break
    ended.set()
    for thread in writers + placers:
        thread.join()
    with store.read() as session:
        every = {(row.person_id, row.sequence) for row in session.scalars(select(Event))}
    assert {(person, sequence) for _, person, sequence in seen} == every
    assert len(seen) == len(every)
    for each in people:
        mine = [sequence for _, person, sequence in seen if person == each]
        assert mine == sorted(mine)
