"""Programme completion rate."""

from datetime import date
from decimal import Decimal

from sqlalchemy import select

from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.inputs import models
from plugin.models import Person
from tests.metrics.figures.planned import programme, put
from tests.metrics.figures.world import World, at, question


def measured(world: World, period: str = "2026Q2", **options: object) -> Figure:
    """The figure."""
    return registry.measure(world.session, "programme_completion", question(period, **options))


def test_planned_and_completed(world: World) -> None:
    """Of four planned to end in the quarter, one of them cancelled, two were completed in it; an unplanned one is beside."""
    done, day = {"status": "completed"}, date(2026, 6, 30)
    programme(world, "EARLY", **done, actual_end_on=date(2026, 3, 1))
    programme(world, "LAST DAY", **done, actual_end_on=day)
    programme(world, "LATE", **done, actual_end_on=date(2026, 7, 1))
    programme(world, "CANCELLED", status="cancelled")
    programme(world, "NEXT", planned_end_on=date(2026, 7, 1), **done, actual_end_on=day)
    programme(world, "EXTRA", **done, actual_end_on=day, unplanned=True)
    figure = measured(world)
    assert (figure.numerator, figure.denominator, figure.value) == (2, 4, Decimal("0.5"))
    assert figure.beside == {"cancelled": 1, "by_rule": 0, "unplanned": 1, "unplanned_completed": 1}
    assert measured(world, "2026").numerator == 4
    assert measured(world, as_of=at("2026-06-29T12:00")).numerator == 1
    gap = registry.people(world.session, "programme_completion", question(), "gap")
    assert [(member.employee_number, member.name) for member in gap] == [
        ("CANCELLED", "Name CANCELLED"),
        ("LATE", "Name LATE"),
    ]


def test_completed_by_its_rule(world: World) -> None:
    """A programme is completed when the share of its target that its rule asks for completed all of its courses."""
    for key in "12":
        world.course(key)
    for n in range(1, 6):
        world.person(f"E{n}", "D")
    world.person("other", "X")
    programme(world, everybody=False, department="D", courses=["CRS-1", "CRS-2"], complete_at=Decimal("0.8"))
    for n in (1, 2, 3):
        world.complete(f"E{n}", "1")
        world.complete(f"E{n}", "2")
    world.complete("E4", "1")
    world.complete("E4", "2", when="2026-03-31")
    world.complete("other", "1")
    world.complete("other", "2")
    assert measured(world).numerator == 0
    world.complete("E4", "2", when="2026-06-30")
    figure = measured(world)
    assert (figure.numerator, figure.denominator, figure.beside["by_rule"]) == (1, 1, 1)
    assert measured(world, as_of=at("2026-06-29")).numerator == 0


def test_targets(world: World) -> None:
    """Coverage of a programme is of its target: by department, position and tag, or by name, each counted once."""
    world.course("1")
    for number, department, position in (("1", "D", "OP"), ("2", "D", "LEAD"), ("3", "X", "OP"), ("4", "X", "OP")):
        world.person(number, department, position)
        world.enrol(number, opened="2026-05-01" if number in "13" else None)
    programme(world, everybody=False, department="D", position="OP", courses=["CRS-1"])
    world.course("2")
    world.enrol("2", "2", opened="2026-05-01")

    def target(**options: object) -> list[str]:
        members = registry.people(world.session, "coverage", question(programme="P1", **options), "denominator")
        return [member.employee_number for member in members]

    assert target() == ["1"]
    ids = {person.employee_number: person for person in world.session.scalars(select(Person))}
    for number, group in (("4", "target"), ("2", "comparison"), ("1", "target")):
        put(world, models.ProgrammePerson, programme="P1", person_id=ids[number].id, group=group)
    assert target() == ["1", "4"]
    figure = registry.measure(world.session, "coverage", question(programme="P1"))
    assert (figure.numerator, figure.denominator) == (1, 2)
    assert figure.population.rule.en == "employees on 2026-06-30, the target of the programme P1"
    programme(world, "P2", courses=["CRS-2"])
    by = registry.measure_by(world.session, "coverage", question(), "programme")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("P1", 1, 2), ("P2", 1, 4)]
    put(world, models.Lecturer, lecturer="L1", name="L", kind="external", currency="EUR")
    put(world, models.CourseDetail, course="CRS-2", lecturer="L1")
    by = registry.measure_by(world.session, "coverage", question(), "lecturer")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("L1", 1, 4)]


def test_break_downs(world: World) -> None:
    """Programmes are told apart by who runs them, their category and the month in which they were to end."""
    world.department("D")
    programme(world, "P1", organiser="D", category="safety", status="completed", actual_end_on=date(2026, 5, 1))
    programme(world, "P2", planned_end_on=date(2026, 5, 31))

    def by(part: str) -> list[tuple[str, int, int]]:
        found = registry.measure_by(world.session, "programme_completion", question(), part)
        return [(label, int(one.numerator), int(one.denominator)) for label, one in found]

    assert by("department") == [("D", 1, 1), ("–", 0, 1)]
    assert by("category") == [("safety", 1, 1), ("–", 0, 1)]
    assert by("month") == [("2026-04", 0, 0), ("2026-05", 0, 1), ("2026-06", 1, 1)]
