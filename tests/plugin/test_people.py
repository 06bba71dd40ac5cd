"""People: who is with the organisation on a day, and where each stood from when until when."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text

from plugin.installation import Installation
from plugin.models import Assignment, Department, Person, Position, Touched
from plugin.people import (
    Changes,
    Employee,
    employed_on,
    population,
    record_employees,
    standing_on,
    touch,
    touch_all,
    untouch,
)
from plugin.store import CHUNK

DAY = date(2026, 11, 23)
Hire = Callable[..., list[int]]


def employee(number: int = 1, **columns: Any) -> Employee:
    """An employee in the warehouse, unless it is said otherwise."""
    given = {"name": f"Person {number}", "department": "Warehouse", "position": "Driver", "grade": "G1", **columns}
    return Employee(employee_number=f"E{number}", **given)


def record(home: Installation, employees: list[Employee], day: date = DAY) -> Changes:
    """What recording these on that day did."""
    with home.store.write() as session:
        return record_employees(session, employees, day, home.clock())


def history(home: Installation, number: int = 1) -> list[tuple[date, date | None, str | None]]:
    """Where a person stood: from, until, department."""
    query = (
        select(Assignment.valid_from, Assignment.valid_until, Department.code)
        .join(Person, Person.id == Assignment.person_id)
        .outerjoin(Department, Department.id == Assignment.department_id)
        .where(Person.employee_number == f"E{number}")
        .order_by(Assignment.valid_from, Assignment.id)
    )
    with home.store.read() as session:
        return [(begin, end, code) for begin, end, code in session.execute(query)]


def touched(home: Installation) -> list[int]:
    """Who is marked."""
    with home.store.read() as session:
        return list(session.scalars(select(Touched.person_id).order_by(Touched.person_id)))


def test_new_employee_stands_somewhere_from_the_day_they_joined(kernel: Installation) -> None:
    """A new person is stored with their units, stands there from the day they joined or today, and is touched."""
    done = record(
        kernel,
        [
            employee(1, joined_on=date(2020, 1, 6), email="one@x.example", manager="E2"),
            employee(2),
            employee(3, joined_on=DAY + timedelta(days=9), department=None),
        ],
    )
    assert done == Changes(created=3)
    assert history(kernel, 1) == [(date(2020, 1, 6), None, "Warehouse")]
    assert history(kernel, 2) == [(DAY, None, "Warehouse")]
    assert history(kernel, 3) == [(DAY, None, None)]
    with kernel.store.read() as session:
        one = session.scalars(select(Person).where(Person.employee_number == "E1")).one()
        standing = session.scalars(select(Assignment).where(Assignment.person_id == one.id)).one()
        assert (one.name, one.email, one.created_at, one.changed_at) == (
            "Person 1", "one@x.example", kernel.clock(), kernel.clock(),
        )  # fmt: skip
        assert standing.manager_number == "E2"
        assert session.scalars(select(Position.code)).all() == ["Driver"]
    assert len(touched(kernel)) == 3


@pytest.mark.parametrize(
    "change",
    [{"department": "Office"}, {"position": "Clerk"}, {"grade": "G2"}, {"manager": "E9"}, {"department": None}],
)
def test_move_ends_one_assignment_and_begins_another(kernel: Installation, change: dict[str, Any]) -> None:
    """A changed department, position, grade or manager ends the standing assignment today and begins another one."""
    record(kernel, [employee()], DAY - timedelta(days=30))
    assert record(kernel, [employee(**change)]) == Changes(updated=1)
    assert [(begin, end) for begin, end, _ in history(kernel)] == [(DAY - timedelta(days=30), DAY), (DAY, None)]


def test_of_two_moves_in_a_day_the_later_counts(kernel: Installation) -> None:
    """A second move on one day changes the assignment that began that day, and leaves the one before as it was."""
    record(kernel, [employee()], DAY - timedelta(days=1))
    record(kernel, [employee(department="Office")])
    record(kernel, [employee(department="Laboratory")])
    assert history(kernel) == [(DAY - timedelta(days=1), DAY, "Warehouse"), (DAY, None, "Laboratory")]


def test_changed_person_keeps_their_assignment(kernel: Installation) -> None:
    """A new name, address or day of leaving changes the person and touches them; where they stand goes on."""
    record(kernel, [employee()], DAY - timedelta(days=1))
    with kernel.store.write() as session:
        session.execute(delete(Touched))
    kernel.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    assert record(kernel, [employee(name="New", email="n@x.example", left_on=DAY)]) == Changes(updated=1)
    assert history(kernel) == [(DAY - timedelta(days=1), None, "Warehouse")]
    with kernel.store.read() as session:
        person = session.scalars(select(Person)).one()
    assert (person.name, person.email, person.left_on, person.changed_at) == (
        "New", "n@x.example", DAY, kernel.clock(),
    )  # fmt: skip
    assert touched(kernel) == [person.id]


def test_unchanged_employees_are_only_read(kernel: Installation, counted: Any) -> None:
    """Recording the same people again writes nothing and touches nobody."""
    everybody = [employee(number) for number in range(50)]
    record(kernel, everybody)
    with kernel.store.write() as session:
        session.execute(delete(Touched))
    with counted(kernel) as statements:
        assert record(kernel, everybody, DAY + timedelta(days=1)) == Changes(unchanged=50)
    assert [line for line in statements if not line.startswith(("SELECT", "BEGIN"))] == []
    assert touched(kernel) == []


@pytest.mark.parametrize("what", ["new", "unchanged", "moved", "renamed"])
def test_statements_do_not_grow_with_the_people(kernel: Installation, counted: Any, what: str) -> None:
    """Recording ten times as many people, new, unchanged, moved or renamed, takes as many statements."""
    counts = []
    for size, offset in ((20, 0), (200, 1000)):
        people = range(offset, offset + size)
        if what != "new":
            record(kernel, [employee(number) for number in people], DAY - timedelta(days=1))
        change: dict[str, Any] = {"moved": {"department": "Office"}, "renamed": {"name": "New"}}.get(what, {})
        with counted(kernel) as statements:
            record(kernel, [employee(number, **change) for number in people])
        counts.append(len([line for line in statements if not line.startswith("BEGIN")]))
    assert counts[1] <= counts[0]


def test_more_people_than_a_chunk_are_recorded(kernel: Installation) -> None:
    """A batch longer than a chunk is stored whole, and moved whole."""
    count = CHUNK + 3
    assert record(kernel, [employee(number) for number in range(count)], DAY - timedelta(days=1)).created == count
    moved = [employee(number, department=f"D{number}") for number in range(count)]
    assert record(kernel, moved) == Changes(updated=count)
    assert record(kernel, moved) == Changes(unchanged=count)
    with kernel.store.read() as session:
        standing = session.execute(
            select(Person.employee_number, Department.code)
            .join(Assignment, Assignment.person_id == Person.id)
            .join(Department, Department.id == Assignment.department_id)
            .where(Assignment.valid_until.is_(None))
        ).all()
    assert dict(standing) == {f"E{number}": f"D{number}" for number in range(count)}


def test_leavers_stop_counting_on_the_day_they_leave(kernel: Installation) -> None:
    """Somebody counts from the day they join until the day before they leave."""
    record(kernel, [employee(joined_on=DAY, left_on=DAY + timedelta(days=2)), employee(2)], DAY)
    with kernel.store.read() as session:
        counts = {
            offset: session.scalars(
                select(Person.employee_number).where(employed_on(DAY + timedelta(days=offset))).order_by(Person.id)
            ).all()
            for offset in (-1, 0, 1, 2, 3)
        }
    assert counts == {-1: ["E2"], 0: ["E1", "E2"], 1: ["E1", "E2"], 2: ["E2"], 3: ["E2"]}


def test_assignment_holds_from_its_first_day_until_before_its_last(kernel: Installation) -> None:
    """On the day of a move the new assignment holds, the day before the old one, and before the first none."""
    record(kernel, [employee()], DAY)
    record(kernel, [employee(department="Office")], DAY + timedelta(days=2))
    with kernel.store.read() as session:
        found = [
            session.scalars(
                select(Department.code)
                .join(Assignment, Assignment.department_id == Department.id)
                .where(standing_on(DAY + timedelta(days=offset)))
            ).all()
            for offset in (-1, 0, 1, 2, 3)
        ]
    assert found == [[], ["Warehouse"], ["Warehouse"], ["Office"], ["Office"]]


def test_population_counts_each_person_once(kernel: Installation) -> None:
    """The population of a day holds everybody employed then once, with where they stood, those who stood nowhere too."""
    record(kernel, [employee(), employee(2, left_on=DAY + timedelta(days=5))], DAY)
    record(
        kernel, [employee(department="Office"), employee(2, left_on=DAY + timedelta(days=5))], DAY + timedelta(days=1)
    )
    for offset, expected in ((-1, [None, None]), (0, ["Warehouse"] * 2), (1, ["Office", "Warehouse"]), (5, ["Office"])):
        query = population(DAY + timedelta(days=offset)).add_columns(Department.code)
        query = query.outerjoin(Department, Department.id == Assignment.department_id).order_by(Person.id)
        with kernel.store.read() as session:
            assert [code for _, code in session.execute(query)] == expected, offset


moves = st.lists(
    st.tuples(
        st.integers(0, 3),  # days since the one before
        st.sampled_from(["Warehouse", "Office", None]),
        st.sampled_from(["G1", "G2"]),
        st.sampled_from([None, "E2"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves, joined=st.none() | st.integers(-40, 3))
def test_assignments_never_overlap_and_leave_no_hole(
    kernel: Installation, moves: list[tuple[int, str | None, str, str | None]], joined: int | None
) -> None:
    """After any sequence of moves each day from the first on is in exactly one assignment, and the last word stands."""
    with kernel.store.write() as session:
        for model in (Touched, Assignment, Person):
            session.execute(delete(model))
    joined_on = None if joined is None else DAY + timedelta(days=joined)
    day, expected = DAY, {}
    for days, department, grade, manager in moves:
        day += timedelta(days=days)
        record(kernel, [employee(department=department, grade=grade, manager=manager, joined_on=joined_on)], day)
        expected[day] = department
    found = history(kernel)
    first = min(expected)
    assert found[0][0] == min(joined_on or first, first)
    assert found[-1][1] is None
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(begin < end for begin, end, _ in found if end is not None)
    for then, department in expected.items():
        assert [code for begin, end, code in found if begin <= then and (end is None or then < end)] == [department]


# ── who is marked for deriving ──


def test_touched_people_are_taken_once_and_in_lists(kernel: Installation, hire: Hire) -> None:
    """Touching twice marks once; taking gives at most the limit, in order, and each person once."""
    people = hire(kernel, 5)
    with kernel.store.write() as session:
        touch(session, [people[3], people[0], people[3]])
        touch(session, people)
        touch(session, [])
    taken = []
    for _ in range(4):
        with kernel.store.write() as session:
            taken.append(untouch(session, 2))
    assert taken == [people[:2], people[2:4], people[4:], []]


def test_everybody_can_be_touched(kernel: Installation, hire: Hire) -> None:
    """Touching all marks every person."""
    people = hire(kernel, 7)
    with kernel.store.write() as session:
        touch_all(session)
    assert touched(kernel) == people


def test_failed_deriving_leaves_its_people_marked(kernel: Installation, hire: Hire) -> None:
    """Persons taken by a unit that fails are on the list again."""
    people = hire(kernel, 2)
    with kernel.store.write() as session:
        touch(session, people)
    with pytest.raises(RuntimeError), kernel.store.write() as session:
        assert untouch(session, 10) == people
        raise RuntimeError
    assert touched(kernel) == people


def test_limit_holds_whatever_the_planner_does(postgresql_kernel: Installation, hire: Hire) -> None:
    """PostgreSQL takes no more than the limit, even by a plan that runs a limited subquery again for every row."""
    people = hire(postgresql_kernel, 30)
    with postgresql_kernel.store.write() as session:
        touch(session, people)
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            session.execute(text(f"SET LOCAL enable_{way} = off"))
        assert untouch(session, 4) == people[:4]


def test_two_workers_never_get_the_same_person(postgresql_kernel: Installation, hire: Hire) -> None:
    """While one worker has taken people and is not done, another one gets others, at once."""
    people = hire(postgresql_kernel, 6)
    store = postgresql_kernel.store
    with store.write() as session:
        touch(session, people)
    with store.write() as one:
        first = untouch(one, 3)
        with store.write() as two:
            two.execute(text("SET LOCAL lock_timeout = '2s'"))
            second = untouch(two, 10)
    assert (first, second) == (people[:3], people[3:])


def test_many_workers_share_the_list(kernel: Installation, hire: Hire) -> None:
    """Four workers that take until there is nothing left get every person exactly once."""
    people = hire(kernel, 60)
    with kernel.store.write() as session:
        touch(session, people)
    taken: list[int] = []

    def work() -> None:
        idle = 0
        while idle < 3:
            with kernel.store.write() as session:
                found = untouch(session, 4)
                taken.extend(found)
            idle = 0 if found else idle + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == people


def test_touch_during_deriving_is_not_lost(kernel: Installation, hire: Hire) -> None:
    """A person who is touched while a worker derives them is on the list again when the worker is done."""
    [person] = hire(kernel, 1)
    store = kernel.store
    with store.write() as session:
        touch(session, [person])
    begun = threading.Event()

    def change() -> None:
        begun.set()
        with store.write() as session:  # waits for the worker's unit
            touch(session, [person])

    changing = threading.Thread(target=change)
    with store.write() as working:
        assert untouch(working, 10) == [person]
        changing.start()
        begun.wait()
        changing.join(0.3)
        assert changing.is_alive()
    changing.join(30)
    assert touched(kernel) == [person]


def test_touch_before_it_is_committed_is_left_to_the_next_worker(postgresql_kernel: Installation, hire: Hire) -> None:
    """A worker passes over a person whom another unit is just touching again: the change is derived after it is there."""
    [person] = hire(postgresql_kernel, 1)
    store = postgresql_kernel.store
    with store.write() as session:
        touch(session, [person])
    with store.write() as changing:
        touch(changing, [person])
        with store.write() as working:
            working.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert untouch(working, 10) == []
    with store.write() as working:
        assert untouch(working, 10) == [person]
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Touched)) == 0
