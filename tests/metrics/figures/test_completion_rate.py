"""What counts as enrolled, and as completed."""

from typing import Any

from metrics.figures import registry
from metrics.figures.figure import Figure, Member
from tests.metrics.figures.world import World, at, question


def rate(world: World, **options: Any) -> Figure:
    """The completion rate of 2026Q2."""
    return registry.measure(world.session, "completion_rate", question(**options))


def test_enrolments_of_every_fate(world: World) -> None:
    """A completion counts whatever became of its enrolment; others are in, or out and counted once with the reason."""
    world.course("1")
    world.course("2", tracked=False)
    for number in "ABCDEFGHI":
        world.person(number)
    world.enrol("A")
    world.complete("A")
    world.enrol("B", closed="2026-06-15")
    world.complete("B", closed="2026-06-15")
    world.enrol("C", active=False)
    world.complete("C", when="2026-04-01")
    world.complete("D", when="2026-06-30T23:59")  # deleted at the source before it was ever seen enrolled
    world.enrol("E")
    world.enrol("F", active=False)
    world.enrol("G", closed="2026-06-15")
    world.enrol("H")
    world.complete("H", when="2026-03-31T23:59")
    world.enrol("I", closed="2026-07-15")
    world.complete("I", when="2026-07-10")
    world.enrol("A", "2")
    figure = rate(world)
    assert (figure.numerator, figure.denominator) == (4, 6)
    assert figure.exclusions == {"completed_earlier": 1, "suspended": 1, "ended": 1, "untracked": 1}
    assert (rate(world, course="CRS-2").value, str(rate(world, course="CRS-2").reason)) == (
        None,
        "Nobody of the population is enrolled.",
    )
    gap = registry.people(world.session, "completion_rate", question(), "gap")
    assert gap == [Member("E", "Name E", "CRS-1"), Member("I", "Name I", "CRS-1")]


def test_people_by_courses(world: World) -> None:
    """Each course counts for itself; two accounts of a person are one, and so are two completions of a course."""
    world.person("1")
    world.person("2")
    world.course("1")
    world.course("2")
    for number, course in [("1", "1"), ("1", "2"), ("2", "2")]:
        world.enrol(number, course)
    world.complete("1", "1", "2026-05-01")
    world.complete("1", "1", "2026-05-02")
    world.complete("2", "2", "2026-03-01")  # and again after a renewal's reset:
    world.complete("2", "2", "2026-06-01")
    figure = rate(world)
    assert (figure.numerator, figure.denominator, figure.population.size) == (2, 3, 2)
    by_course = registry.measure_by(world.session, "completion_rate", question(), "course")
    assert [(label, one.numerator, one.denominator) for label, one in by_course] == [("CRS-1", 1, 1), ("CRS-2", 1, 2)]
    months = registry.measure_by(world.session, "completion_rate", question(), "month")
    assert [(one.numerator, one.denominator) for _, one in months] == [(0, 2), (1, 2), (1, 2)]


def test_courses_without_an_idnumber(world: World) -> None:
    """Courses that only have numbers are told apart by their sources, and asked for as they are shown."""
    world.course("7", "id:7")
    world.course("7", "id:7", source="other")
    world.person("1")
    world.enrol("1", "7")
    world.person("2", source="other")
    world.enrol("2", "7", source="other")
    by_course = registry.measure_by(world.session, "completion_rate", question(), "course")
    assert [(label, one.denominator) for label, one in by_course] == [("moodle/id:7", 1), ("other/id:7", 1)]
    assert rate(world, course="moodle/id:7").denominator == 1
    assert rate(world, course="id:7").denominator == 2


def test_as_of(world: World) -> None:
    """Asked as of a moment in the period, later completions and closings are not known yet."""
    world.course("1")
    world.person("1")
    world.person("2")
    world.enrol("1")
    world.enrol("2", closed="2026-05-20")
    world.complete("1", when="2026-05-10")
    figure = rate(world, as_of=at("2026-05-09"))
    assert (figure.numerator, figure.denominator) == (0, 2)
    figure = rate(world, as_of=at("2026-05-10"))
    assert (figure.numerator, figure.denominator) == (1, 2)
    assert (rate(world).numerator, rate(world).denominator) == (1, 1)
