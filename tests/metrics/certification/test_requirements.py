"""Requirements: who must hold what, from which day, and when it is due; on SQLite and on PostgreSQL."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, select, update

from metrics.certification.duties import duties, duty_of, known_now
from metrics.certification.engine import Terms, derive_due
from metrics.certification.explain import explain
from metrics.certification.models import Holding, Requirement, RequirementEnd, RequirementPerson
from metrics.certification.populations import Spell, Whereabouts
from metrics.certification.requirements import add_requirement, end_requirement, is_for_nobody
from metrics.certification.rules import import_rule
from metrics.certification.telling import in_words
from plugin import people, tags
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Assignment, AuditEntry, Department, Grade, Person, PersonTag, Position, Touched
from plugin.moments import Duration, start_of_day
from plugin.people import Employee, record_employees
from plugin.store import Store

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
FIRE = 'code = "FIRE"\n[earn]\nall_of = [{ completed = { course = "C" } }]\n[validity]\nlasts = "P1Y"\n'


class World:
    """Employees of a small organisation, the certification FIRE, and short ways to require it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        with store.write() as session:
            employees = [
                Employee("E1", "Anna", department="Sales", position="Operator", grade="G1", joined_on=date(2020, 1, 1)),
                Employee(
                    "E2", "Bo", department="Sales North", position="Clerk", grade="G2", joined_on=date(2026, 6, 1)
                ),
                Employee("E3", "Cem", department="Works", position="Operator", grade="G2", joined_on=date(2021, 1, 1)),
            ]
            record_employees(session, employees, TODAY, NOW)
            parent = select(Department.id).where(Department.code == "Sales").scalar_subquery()
            session.execute(update(Department).where(Department.code == "Sales North").values(parent_id=parent))
            import_rule(session, FIRE, "test", NOW)
            self.ids = dict(session.execute(select(Person.employee_number, Person.id)).all())

    def require(self, listed: Sequence[str] = (), **terms: Any) -> int:
        """Require FIRE as a duty from 2026-01-01 on; the requirement's number."""
        given = {"certification": "FIRE", "kind": "duty", "starts_on": date(2026, 1, 1), **terms}
        with self.store.write() as session:
            wanted = Requirement(**given)
            add_requirement(session, wanted, "test", self.now, listed)
            return wanted.id

    def whom(self, day: date = TODAY) -> set[str]:
        """Who has the duty on the day, by number."""
        with self.store.read() as session:
            found = duties(session, list(self.ids.values()), day, ZONE)
        return {number for number, id_ in self.ids.items() if any(duty.holds for duty in found.get(id_, ()))}

    def due(self, number: str, day: date = TODAY) -> str | None:
        """When the only duty of an employee is due, on the organisation's clock."""
        with self.store.read() as session:
            [duty] = duties(session, [self.ids[number]], day, ZONE)[self.ids[number]]
        return duty.due_at.astimezone(ZONE).isoformat() if duty.due_at else None

    def place(self, number: str, begins: date, ends: date | None, **units: str) -> None:
        """Put an employee somewhere for a while, behind what the roster says."""
        models = {"position": Position, "grade": Grade, "department": Department}
        with self.store.write() as session:
            ids = {}
            for name, code in units.items():
                model: Any = models[name]
                if session.scalar(select(model.id).where(model.code == code)) is None:
                    session.execute(insert(model).values(code=code, name=code))
                ids[f"{name}_id"] = session.scalar(select(model.id).where(model.code == code))
            row = {"person_id": self.ids[number], "valid_from": begins, "valid_until": ends, **ids}
            session.execute(insert(Assignment).values(row))

    def history(self, number: str, *spells: tuple[date, date | None, dict[str, str]]) -> None:
        """Replace where an employee stood by these spells."""
        with self.store.write() as session:
            session.execute(delete(Assignment).where(Assignment.person_id == self.ids[number]))
        for begins, ends, units in spells:
            self.place(number, begins, ends, **units)

    def holding(self, number: str) -> tuple[str, bool] | None:
        """Derive whoever is due, and say where an employee stands: the status, and whether it is required."""
        terms = Terms(ZONE, Duration.parse("P2D"))
        derive_due(self.store, lambda: self.now, terms)
        with self.store.read() as session:
            row = session.get(Holding, (self.ids[number], "FIRE"))
        return (row.status, row.required) if row is not None else None


@pytest.fixture
def world(store: Store) -> World:
    """A world on each database."""
    return World(store)


@pytest.mark.parametrize(
    ("population", "whom"),
    [
        ({"position_code": "Operator"}, {"E1", "E3"}),
        ({"grade_code": "G2"}, {"E2", "E3"}),
        ({"department_code": "Sales"}, {"E1"}),
        ({"department_code": "Sales", "with_children": True}, {"E1", "E2"}),
        ({"department_code": "Sales North", "with_children": True}, {"E2"}),
        ({"listed": ["E3", "E2", "E3"]}, {"E2", "E3"}),
        ({"position_code": "Astronaut"}, set()),
    ],
)
def test_each_population_means_just_its_people(world: World, population: dict[str, Any], whom: set[str]) -> None:
    """A position, a grade, a department with and without those below it, and a list: each requires of its own people."""
    world.require(**population)
    assert world.whom() == whom


def test_a_tag_means_those_who_have_it_on_the_day(world: World) -> None:
    """Whoever has the tag has the duty from the day of the tag until the day on which it ends."""
    with world.store.write() as session:
        tags.add_tag(session, "E1", "first-aider", date(2026, 12, 1), date(2027, 2, 1), "test", NOW)
    world.require(tag="first-aider")
    days = (TODAY, date(2026, 12, 1), date(2027, 1, 31), date(2027, 2, 1))
    assert [world.whom(day) for day in days] == [set(), {"E1"}, {"E1"}, set()]


def test_a_ring_of_departments_does_no_harm(world: World) -> None:
    """Departments that stand above one another in a circle are counted once each."""
    with world.store.write() as session:
        below = select(Department.id).where(Department.code == "Sales North").scalar_subquery()
        session.execute(update(Department).where(Department.code == "Sales").values(parent_id=below))
    world.require(department_code="Sales", with_children=True)
    assert world.whom() == {"E1", "E2"}


def test_a_requirement_holds_from_its_beginning_until_just_before_its_end(world: World) -> None:
    """The first day counts, the day of the end does not."""
    world.require(position_code="Operator", starts_on=date(2026, 12, 1), ends_on=date(2027, 1, 1))
    days = (date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [bool(world.whom(day)) for day in days] == [False, True, True, False]


def test_a_leaver_drops_out_on_the_day_they_leave_and_a_newcomer_begins_on_the_day_they_join(world: World) -> None:
    """Only the days with the organisation count, whatever the assignment says."""
    with world.store.write() as session:
        dates = {"joined_on": date(2026, 12, 1), "left_on": date(2026, 12, 24)}
        session.execute(update(Person).where(Person.employee_number == "E1").values(dates))
    world.require(position_code="Operator")
    days = (date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 23), date(2026, 12, 24))
    assert ["E1" in world.whom(day) for day in days] == [False, True, True, False]


def test_the_clock_brings_and_takes_duties_of_moves_that_lie_ahead(world: World) -> None:
    """A move that begins later brings its duty on that day, and one that ends takes it, though nobody touches the person."""
    world.history(
        "E2",
        (date(2026, 6, 1), date(2026, 12, 1), {"position": "Clerk"}),
        (date(2026, 12, 1), date(2027, 3, 1), {"position": "Operator"}),
        (date(2027, 3, 1), None, {"position": "Clerk"}),
    )
    world.require(position_code="Operator", due_within="P10D")
    seen = []
    for moment in ("2026-11-30T15:59", "2026-11-30T16:00", "2026-12-10T16:00", "2027-02-28T15:59", "2027-02-28T16:00"):
        world.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        seen.append(world.holding("E2"))
    assert seen == [
        ("not_started", False), ("not_started", True), ("overdue", True), ("overdue", True), ("not_started", False)
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["requirement", "tag", "joining", "leaving"])
def test_every_day_on_which_a_duty_changes_is_one_on_which_the_clock_derives(world: World, what: str) -> None:
    """Requirement, tag, joining and leaving: the day of each brings or takes the duty, without anybody being touched."""
    ahead = date(2026, 12, 1)
    if what == "requirement":
        world.require(position_code="Operator", starts_on=ahead, ends_on=ahead + timedelta(days=9))
    elif what == "tag":
        with world.store.write() as session:
            tags.add_tag(session, "E1", "night", ahead, ahead + timedelta(days=9), "test", NOW)
        world.require(tag="night")
    else:
        given = {"joined_on": ahead, "left_on": ahead + timedelta(days=9)}
        if what == "leaving":
            given["joined_on"] = date(2020, 1, 1)
        with world.store.write() as session:
            session.execute(update(Person).where(Person.employee_number == "E1").values(given))
        world.require(position_code="Operator")
    before = world.holding("E1")
    world.now = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    during = world.holding("E1")
    world.now = datetime(2026, 12, 9, 16, 0, tzinfo=UTC)
    after = world.holding("E1")
    assert (before, during, after) == (
        ("not_started", what == "leaving"), ("not_started", True), ("not_started", False)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("joined", "moved", "starts", "due"),
    [
        (date(2026, 6, 1), date(2026, 3, 1), date(2026, 1, 1), "2026-06-11T00:00:00+08:00"),
        (date(2020, 1, 1), date(2026, 7, 1), date(2026, 1, 1), "2026-07-11T00:00:00+08:00"),
        (date(2020, 1, 1), date(2025, 7, 1), date(2026, 9, 1), "2026-09-11T00:00:00+08:00"),
        (None, date(2025, 7, 1), date(2026, 9, 1), "2026-09-11T00:00:00+08:00"),
    ],
)
def test_a_period_counts_from_joining_moving_or_the_start_whichever_is_latest(
    world: World, joined: date | None, moved: date, starts: date, due: str
) -> None:
    """P10D counts from midnight of the latest of the three days."""
    with world.store.write() as session:
        session.execute(update(Person).where(Person.employee_number == "E1").values(joined_on=joined))
    world.history("E1", (moved, None, {"position": "Operator"}))
    world.require(position_code="Operator", starts_on=starts, due_within="P10D")
    assert world.due("E1") == due


def test_a_change_of_grade_does_not_begin_the_position_anew(world: World) -> None:
    """Assignments that follow one another in the same position are one stay; a gap begins another."""
    world.history(
        "E1",
        (date(2026, 2, 1), date(2026, 4, 1), {"position": "Operator", "grade": "G1"}),
        (date(2026, 5, 1), date(2026, 8, 1), {"position": "Operator", "grade": "G1"}),
        (date(2026, 8, 1), None, {"position": "Operator", "grade": "G2"}),
    )
    world.require(position_code="Operator", due_within="P10D")
    assert world.due("E1") == "2026-05-11T00:00:00+08:00"


def test_moving_within_a_department_tree_does_not_begin_anew(world: World) -> None:
    """Who moves from a department to one below it was in the tree all the time."""
    world.history(
        "E1",
        (date(2026, 2, 1), date(2026, 8, 1), {"department": "Sales"}),
        (date(2026, 8, 1), None, {"department": "Sales North"}),
    )
    world.require(department_code="Sales", with_children=True, due_within="P10D")
    assert world.due("E1") == "2026-02-11T00:00:00+08:00"


def test_a_due_date_is_a_date(world: World) -> None:
    """A duty with a due date is due as that day begins, whenever the person came."""
    world.require(position_code="Clerk", due_on=date(2026, 3, 1))
    assert world.due("E2") == "2026-03-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"certification": "NONE", "position_code": "Operator"}, "no certification 'NONE'"),
        ({"position_code": "Operator", "kind": "wish"}, "not 'wish'"),
        ({}, "name one of these"),
        ({"position_code": " "}, "name one of these"),
        ({"position_code": "Operator", "grade_code": "G1"}, "name one of these"),
        ({"position_code": "Operator", "listed": ["E1"]}, "name one of these"),
        ({"position_code": "Operator", "with_children": True}, "Only a department"),
        ({"position_code": "x" * 201}, "room for 200"),
        ({"listed": ["E1", "E9"]}, "no employee E9"),
        ({"position_code": "Operator", "ends_on": date(2026, 1, 1)}, "ends before it starts"),
        ({"position_code": "Operator", "due_on": date(2025, 12, 31)}, "before it starts"),
        ({"position_code": "Operator", "due_on": date(2026, 2, 1), "due_within": "P1D"}, "not both"),
        ({"position_code": "Operator", "due_within": "-P1D"}, "no period"),
        ({"position_code": "Operator", "due_within": "soon"}, "no period"),
        ({"position_code": "Operator", "due_within": "P999999Y"}, "no period"),
        ({"position_code": "Operator", "kind": "promotion", "due_within": "P1D"}, "Only a duty is due"),
    ],
)
def test_what_cannot_be_required_is_refused_and_nothing_is_stored(
    world: World, terms: dict[str, Any], says: str
) -> None:
    """Each wrong term is refused with what is wrong, and neither requirement nor act is stored."""
    with pytest.raises(RefusedError, match=says):
        world.require(**terms)
    with world.store.read() as session:
        assert session.scalars(select(Requirement)).all() == []
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "requirement.add")).all() == []


@pytest.mark.parametrize(
    "population",
    [
        {"position_code": "Operator"}, {"grade_code": "G1"}, {"department_code": "Sales"}, {"tag": "night"},
        {"listed": ["E1", "E2"]},
    ],
)  # fmt: skip
def test_the_same_requirement_twice_is_refused(world: World, population: dict[str, Any]) -> None:
    """The same certification, kind and population on a common day is refused; after the end, or for another, it is not."""
    first = world.require(**population, ends_on=date(2026, 12, 1))
    with pytest.raises(RefusedError, match=rf"already \(no\. {first}\)"):
        world.require(**population, starts_on=date(2026, 11, 30))
    world.require(**population, starts_on=date(2026, 12, 1))
    world.require(**population, kind="promotion")
    world.require(position_code="Clerk")
    world.require(department_code="Sales", with_children=True)
    world.require(listed=["E1"])


def test_ending_a_requirement(world: World) -> None:
    """It holds until the day of the end; one that has not begun never will, and may be required anew; twice is refused."""
    first = world.require(position_code="Operator")
    coming = world.require(position_code="Clerk", starts_on=date(2027, 1, 1))
    with world.store.write() as session:
        assert end_requirement(session, first, TODAY, "test", NOW).ends_on == TODAY
        assert end_requirement(session, coming, TODAY, "test", NOW).ends_on == date(2027, 1, 1)
    assert world.whom() == set()
    assert world.whom(TODAY - timedelta(days=1)) == {"E1", "E3"}
    assert world.whom(date(2027, 1, 1)) == set()
    world.require(position_code="Clerk", starts_on=date(2027, 1, 1))
    with world.store.write() as session:
        with pytest.raises(RefusedError, match=f"ends on {TODAY} already"):
            end_requirement(session, first, TODAY, "test", NOW)
        with pytest.raises(NotFoundError, match=r"no\. 999"):
            end_requirement(session, 999, TODAY, "test", NOW)


def test_only_those_concerned_are_derived_again(world: World) -> None:
    """Adding and ending a requirement touches its population, and nobody else."""
    for act in (lambda: world.require(position_code="Clerk"), lambda: _end(world, 1)):
        with world.store.write() as session:
            session.execute(delete(Touched))
        act()
        with world.store.read() as session:
            assert list(session.scalars(select(Touched.person_id))) == [world.ids["E2"]]


def _end(world: World, number: int) -> None:
    with world.store.write() as session:
        end_requirement(session, number, TODAY, "test", NOW)


def test_a_population_of_nobody_is_said(world: World) -> None:
    """A position without people today is allowed and said; one for promotions only when there is no such position."""
    asked: list[tuple[dict[str, Any], bool]] = [
        ({"position_code": "Astronaut"}, True), ({"position_code": "Operator"}, False), ({"tag": "night"}, True),
        ({"department_code": "Sales", "with_children": True}, False), ({"grade_code": "G9"}, True),
        ({"position_code": "Operator", "kind": "promotion"}, False),
        ({"position_code": "Astronaut", "kind": "promotion"}, True),
    ]  # fmt: skip
    for terms, nobody in asked:
        number = world.require(**terms)
        with world.store.read() as session:
            assert is_for_nobody(session, session.get_one(Requirement, number), TODAY) is nobody, terms


def test_duties_of_many_are_found_in_a_few_queries(world: World) -> None:
    """However many persons are asked about, the number of queries stays the same."""
    for population in ({"position_code": "Operator"}, {"department_code": "Sales"}, {"tag": "night"}):
        world.require(**population)
    world.require(listed=["E1"])
    counted: list[str] = []
    event.listen(world.store.engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    for ids in ([world.ids["E1"]], list(world.ids.values())):
        counted.clear()
        with world.store.read() as session:
            duties(session, ids, TODAY, ZONE)
        assert len([text for text in counted if text.startswith("SELECT")]) == 6


def test_a_data_file_cannot_bring_two_populations_or_a_period_that_stops_deriving(world: World) -> None:
    """The database refuses a row with two populations; a period that cannot be read leaves the duty without a due date."""
    row = {"certification": "FIRE", "kind": "duty", "starts_on": TODAY, "position_code": "Operator"}
    with pytest.raises(Exception, match="ck_requirement_one_population"), world.store.write() as session:
        session.execute(insert(Requirement).values({**row, "grade_code": "G1"}))
    with world.store.write() as session:
        session.execute(insert(Requirement).values({**row, "due_within": "whenever"}))
        people.touch_all(session)
    assert world.due("E1") is None
    assert world.holding("E1") == ("not_started", True)


def test_an_erased_person_is_on_no_list(world: World) -> None:
    """Those who were listed are known by person, so that erasing takes them off; their number cannot be listed again."""
    world.require(listed=["E1", "E2"])
    with world.store.write() as session:
        assert set(session.scalars(select(RequirementPerson.person_id))) == {world.ids["E1"], world.ids["E2"]}
        session.execute(update(Person).where(Person.employee_number == "E1").values(erased_at=NOW))
    with pytest.raises(NotFoundError, match="no employee E1"):
        world.require(listed=["E1"], kind="promotion")
    with world.store.read() as session:
        assert session.scalars(select(PersonTag)).all() == []


def test_an_explanation_says_by_which_requirement(world: World) -> None:
    """The requirements that hold at the moment asked about are listed with whom they are for, and told in words."""
    number = world.require(department_code="Sales", with_children=True, due_within="P10D")
    world.require(position_code="Operator", starts_on=date(2027, 1, 1))
    with world.store.read() as session:
        answer = explain(session, "E1", "FIRE", world.now, ZONE)
    assert answer["required_by"] == [
        {
            "kind": "duty",
            "requirement": number,
            "population": {"kind": "department_tree", "value": "Sales"},
            "due_at": "2026-01-11T00:00:00+08:00",
        }
    ]
    assert "Required as a duty of the department and those below it, Sales, due 2026-01-11" in in_words(answer)


DAYS = st.integers(0, 40)
SPELLS = st.lists(st.tuples(DAYS, DAYS), max_size=5)


@given(spells=SPELLS, terms=st.tuples(DAYS, st.none() | DAYS), employed=st.tuples(st.none() | DAYS, st.none() | DAYS))
@settings(max_examples=300, deadline=None)
def test_duties_agree_with_counting_day_by_day(
    spells: list[tuple[int, int]], terms: tuple[int, int | None], employed: tuple[int | None, int | None]
) -> None:
    """On every day the duty holds just when the day counts by itself, begins where its stay begins, and changes next when said."""
    start = date(2026, 1, 1)
    on = [start + timedelta(days=number) for number in range(45)]

    def day(number: int | None, otherwise: date) -> date:
        return otherwise if number is None else on[number]

    where = Whereabouts(Spell(day(employed[0], date.min), day(employed[1], date.max)))
    for begins, ends in spells:
        where.add(("position", "P"), on[begins], on[ends])
    wanted = Requirement(id=1, certification="FIRE", kind="duty", position_code="P", due_within="P0D")
    wanted.starts_on, wanted.ends_on = on[terms[0]], None if terms[1] is None else on[terms[1]]
    counts = [
        any(on[begins] <= each < on[ends] for begins, ends in spells)
        and wanted.starts_on <= each < (wanted.ends_on or date.max)
        and where.employed.holds_on(each)
        for each in on
    ]
    for at, today in enumerate(on):
        duty = duty_of(known_now(wanted), where, where.spells.get(("position", "P"), []), today, ZONE)
        assert (duty is not None and duty.holds) is counts[at]
        assert (duty is not None) is any(counts[at:])
        if duty is None:
            continue
        later = next((number for number in range(at + 1, len(on)) if counts[number] != counts[at]), None)
        assert duty.changes_at == (start_of_day(on[later], ZONE) if later is not None else None)
        began = at if counts[at] else counts.index(True, at)
        while began and counts[began - 1]:
            began -= 1
        assert duty.due_at == start_of_day(on[began], ZONE)


def test_as_of_a_past_moment_counts_what_was_on_record_then(world: World) -> None:
    """A duty that was added and ended with days of the past is there, and without its end, only as of when each was known."""
    added, ended = NOW, NOW + timedelta(days=5)
    world.require(position_code="Operator", due_on=date(2026, 3, 1))
    world.now = ended
    with world.store.write() as session:
        end_requirement(session, 1, date(2026, 6, 1), "test", ended)
        end_requirement(session, 1, date(2026, 5, 1), "test", ended + timedelta(days=1))

    def seen(moment: datetime) -> tuple[str, int]:
        with world.store.read() as session:
            said = explain(session, "E1", "FIRE", moment, ZONE)
        return said["status"], len(said["required_by"])

    assert seen(added - timedelta.resolution) == ("not_started", 0)
    assert seen(added) == ("overdue", 1)
    assert seen(ended - timedelta.resolution) == ("overdue", 1)
    assert seen(ended) == ("not_started", 0)
    with world.store.read() as session:
        day = date(2026, 5, 15)
        as_known = duties(session, [world.ids["E1"]], day, ZONE, ended)  # the first end alone is known
        now = duties(session, [world.ids["E1"]], day, ZONE, ended + timedelta(days=1))
    assert [duty.holds for duty in as_known[world.ids["E1"]]] == [True]
    assert now == {}


def test_a_requirement_of_which_it_is_not_known_when_it_was_added_always_was(world: World) -> None:
    """One that an addon's data file brought counts as of every day of its own."""
    world.require(position_code="Operator")
    with world.store.write() as session:
        session.execute(update(Requirement).values(recorded_at=None))
    with world.store.read() as session:
        said = explain(session, "E1", "FIRE", NOW - timedelta(days=100), ZONE)
    assert len(said["required_by"]) == 1


def test_what_a_clock_put_back_does_not_know_yet_is_known_when_its_moment_comes(world: World) -> None:
    """A requirement recorded later than the clock now says counts from that moment on, and the clock brings it."""
    world.now = NOW + timedelta(hours=2)
    world.require(position_code="Operator")
    world.now = NOW
    assert world.holding("E1") == ("not_started", False)
    world.now = NOW + timedelta(hours=2)
    assert world.holding("E1") == ("not_started", True)


def test_the_migration_takes_from_the_audit_trail_when_requirements_were_recorded(world: World) -> None:
    """What was added and ended before there was a column for it is dated by the acts in the audit trail."""
    world.require(position_code="Operator")
    with world.store.write() as session:
        end_requirement(session, 1, date(2027, 1, 1), "test", NOW + timedelta(days=1))
        end_requirement(session, 1, date(2026, 12, 1), "test", NOW + timedelta(days=2))
        session.execute(delete(RequirementEnd))
        session.execute(update(Requirement).values(recorded_at=None))
    migration = import_module("metrics.migrations.0006_when_requirements_and_their_ends_came_on_record")
    with world.store.write() as session:
        migration.fill(session.connection())
    with world.store.read() as session:
        assert session.scalars(select(Requirement.recorded_at)).one() == NOW
        rows = session.execute(select(RequirementEnd.former, RequirementEnd.recorded_at).order_by(RequirementEnd.id))
        assert rows.all() == [
            (None, NOW + timedelta(days=1)),
            (date(2027, 1, 1), NOW + timedelta(days=2)),
        ]


def explained(world: World, moment: datetime = NOW, number: str = "E1") -> dict[str, Any]:
    """How an employee stands with FIRE as of a moment."""
    with world.store.read() as session:
        return explain(session, number, "FIRE", moment, ZONE)


def test_a_duty_that_ends_before_it_is_due_makes_nobody_overdue(world: World) -> None:
    """What is told to come is what comes: no due date beyond the duty's end."""
    world.require(position_code="Operator", due_on=date(2026, 12, 15), ends_on=date(2026, 12, 1))
    said = explained(world)
    assert (said["next_change"], said["required_due_at"]) == (None, "2026-12-15T00:00:00+08:00")
    world.now = datetime(2026, 12, 20, tzinfo=UTC)
    assert world.holding("E1") in (None, ("not_started", False))


def test_a_duty_to_come_is_told_with_the_day_on_which_it_is_overdue(world: World) -> None:
    """A duty that begins later and is due later still: the next change of the status is its due date, and comes then."""
    world.require(position_code="Operator", starts_on=date(2026, 12, 1), due_within="P10D")
    said = explained(world)
    assert said["next_change"] == {"at": "2026-12-11T00:00:00+08:00", "to": "overdue"}
    assert (said["required_by"], said["required_due_at"]) == ([], None)
    world.now = datetime(2026, 12, 10, 16, tzinfo=UTC)
    assert world.holding("E1") == ("overdue", True)
    assert explained(world, world.now)["since"] == "2026-12-11T00:00:00+08:00"


def test_who_comes_after_the_due_date_is_overdue_since_they_came(world: World) -> None:
    """Somebody who moved into the position after its due date is overdue from the move, in the store and explained."""
    world.history(
        "E1",
        (date(2020, 1, 1), date(2026, 11, 1), {"position": "Clerk"}),
        (date(2026, 11, 1), None, {"position": "Operator"}),
    )
    world.require(position_code="Operator", due_on=date(2026, 3, 1))
    assert world.holding("E1") == ("overdue", True)
    with world.store.read() as session:
        assert session.get_one(Holding, (world.ids["E1"], "FIRE")).since == start_of_day(date(2026, 11, 1), ZONE)
    said = explained(world)
    assert (said["since"], said["required_due_at"]) == ("2026-11-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00")


@pytest.mark.parametrize("seed", range(4))
def test_what_was_answered_then_is_what_is_answered_as_of_then(world: World, seed: int) -> None:
    """Requirements come and end at random, with days past and to come: asked later as of each moment, the answer is the same."""
    chance = Random(seed)
    told: list[tuple[datetime, str, dict[str, Any]]] = []
    population: list[dict[str, Any]] = [
        {"position_code": "Operator"}, {"grade_code": "G2"}, {"department_code": "Sales", "with_children": True},
    ]  # fmt: skip
    for _ in range(25):
        world.now += timedelta(hours=chance.randrange(1, 200))
        today = world.now.astimezone(ZONE).date()
        day = today + timedelta(days=chance.randrange(-60, 60))
        with suppress(RefusedError):
            if chance.random() < 0.5:
                due = {"due_on": day + timedelta(days=5)} if chance.random() < 0.5 else {"due_within": "P20D"}
                ends = day + timedelta(days=chance.randrange(1, 90)) if chance.random() < 0.3 else None
                world.require(starts_on=day, ends_on=ends, **due, **chance.choice(population))
            else:
                with world.store.write() as session:
                    end_requirement(session, chance.randrange(1, 8), day, "test", world.now)
        for number in world.ids:
            told.append((world.now, number, explained(world, world.now, number)))
    for moment, number, said in told:
        assert explained(world, moment, number) == said, (moment, number)
    assert len({said["status"] for _, _, said in told}) > 1
