"""Whom a figure is about."""

from datetime import date

import pytest

from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.figures.question import Question
from plugin.errors import NotFoundError, RefusedError
from tests.metrics.figures.world import World, at, question


def counts(world: World, asked: Question, by: str) -> dict[str, tuple[int, int, int]]:
    """Numerator, denominator and leavers of coverage, by label."""
    found = registry.measure_by(world.session, "coverage", asked, by)
    return {label: (int(one.numerator), int(one.denominator), one.exclusions.get("left", 0)) for label, one in found}


def coverage(world: World, asked: Question) -> Figure:
    """Coverage."""
    return registry.measure(world.session, "coverage", asked)


def test_the_tree_of_departments(world: World) -> None:
    """A department is counted alone or with all below it; broken down with children, each row holds what is below it."""
    for code, parent in [("plant", None), ("hall", "plant"), ("line", "hall"), ("office", None)]:
        world.department(code, parent)
    world.course("1")
    for number, department in [
        ("1", "plant"),
        ("2", "hall"),
        ("3", "line"),
        ("4", "line"),
        ("5", "office"),
        ("6", None),
    ]:
        world.person(number, department)
        if number in "1356":
            world.enrol(number, opened="2026-05-01")
    assert coverage(world, question(department="hall")).denominator == 1
    assert coverage(world, question(department="hall", with_children=True)).denominator == 3
    alone = {"plant": (1, 1, 0), "hall": (0, 1, 0), "line": (1, 2, 0), "office": (1, 1, 0), "–": (1, 1, 0)}
    assert counts(world, question(), "department") == alone
    below = {"plant": (2, 4, 0), "hall": (1, 3, 0), "line": (1, 2, 0), "office": (1, 1, 0), "–": (1, 1, 0)}
    assert counts(world, question(with_children=True), "department") == below
    part = {"hall": (1, 3, 0), "line": (1, 2, 0)}
    assert counts(world, question(department="hall", with_children=True), "department") == part
    world.department("plant", "line")  # a ring
    assert coverage(world, question(department="hall", with_children=True)).denominator == 4


def test_who_is_there_on_the_population_date(world: World) -> None:
    """Leavers of the period are counted where they stood last; who left before, or joins later, is not in it at all."""
    world.person("stays", "A")
    world.person("left on the last day", "A", left_on=date(2026, 6, 30))
    world.person("leaves after", "A", left_on=date(2026, 7, 1))
    world.person("left before", "A", left_on=date(2026, 4, 1))
    world.person("joined on the last day", "A", joined_on=date(2026, 6, 30))
    world.person("joins after", "A", joined_on=date(2026, 7, 1))
    mover = world.person("moved", "A", left_on=date(2026, 6, 1))
    world.move(mover, "B", since=date(2026, 5, 1))
    assert counts(world, question(), "department") == {"A": (0, 3, 1), "B": (0, 0, 1)}
    both = {"2026-04": (0, 4, 0), "2026-05": (0, 4, 0), "2026-06": (0, 3, 1)}
    assert counts(world, question(), "month") == both
    assert coverage(world, question(as_of=at("2026-05-15T12:00"))).population.day == date(2026, 5, 15)


def test_position_grade_and_list(world: World) -> None:
    """The population is narrowed by position, grade and a list of employee numbers, however long the list."""
    for number, position, grade in [
        ("1", "welder", "G1"),
        ("2", "welder", "G2"),
        ("3", "driver", "G2"),
        ("4", None, None),
    ]:
        world.person(number, None, position, grade)
    assert coverage(world, question(position="welder", grade="G2")).denominator == 1
    assert counts(world, question(), "position") == {"welder": (0, 2, 0), "driver": (0, 1, 0), "–": (0, 1, 0)}
    assert counts(world, question(), "grade") == {"G1": (0, 1, 0), "G2": (0, 2, 0), "–": (0, 1, 0)}
    many = frozenset({"1", "3"} | {f"X{n}" for n in range(70_000)})
    assert coverage(world, question(listed=many)).denominator == 2
    figure = coverage(world, question(listed=frozenset({"1", "2"}), exempt=many))
    assert (figure.denominator, figure.exclusions) == (1, {"exempt": 1})
    assert coverage(world, question(listed=frozenset())).value is None


def test_nobody(world: World) -> None:
    """No figure has a value where its denominator is zero: each says why, and lists nobody."""
    world.person("1")
    for name in registry.figures():
        figure = registry.measure(world.session, name, question(listed=frozenset()))
        assert (figure.value, figure.numerator, figure.denominator) == (None, 0, 0)
        assert figure.reason is not None
        if registry.definition(name).has_people:
            assert registry.people(world.session, name, question(listed=frozenset()), "denominator") == []
    assert registry.measure_by(world.session, "completion_rate", question(), "course") == []


def test_a_period_to_come(world: World) -> None:
    """A period that has not begun has no value and says so; of one that runs, only the months that have begun show."""
    world.person("1")
    figure = coverage(world, question("2027"))
    assert figure.value is None
    assert "not begun" in str(figure.reason)
    assert registry.measure_by(world.session, "coverage", question("2027"), "month") == []
    months = registry.measure_by(world.session, "coverage", question("2026H2", as_of=at("2026-09-01")), "month")
    assert [label for label, _ in months] == ["2026-07", "2026-08", "2026-09"]
    assert months[-1][1].population.day == date(2026, 9, 1)
    assert not months[-1][1].complete


@pytest.mark.parametrize("narrowing", [{"department": "X"}, {"position": "X"}, {"grade": "X"}, {"course": "X"}])
def test_what_is_not_known_is_refused(world: World, narrowing: dict[str, str]) -> None:
    """A question about a department, position, grade or course that is not there is refused, not answered with nobody."""
    with pytest.raises(NotFoundError, match="'X'"):
        coverage(world, question(**narrowing))


def test_questions_that_make_no_sense() -> None:
    """An as-of time without an offset, an unknown basis or an unknown attempt is refused."""
    with pytest.raises(RefusedError, match="offset"):
        question(as_of=at("2026-01-01").replace(tzinfo=None))
    with pytest.raises(RefusedError, match="basis"):
        question(basis="wished")
    with pytest.raises(RefusedError, match="attempt"):
        question(attempt="second")
