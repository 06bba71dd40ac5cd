"""A department of twelve and its safety course in 2026Q2, measured in every way."""

from datetime import date
from decimal import Decimal

import pytest

from metrics.figures import registry
from metrics.figures.figure import Figure
from tests.metrics.figures.world import World, question

EXEMPT = frozenset({"E12"})


@pytest.fixture
def safety(world: World) -> World:
    """Twelve people: E10 and E11 left in May, E12 is exempt. E1 to E8 are enrolled; E8 never opened the course."""
    world.department("D")
    for n in range(1, 13):
        world.person(f"E{n}", "D", left_on=date(2026, 5, 10 + n) if n in (10, 11) else None)
    world.course("1", "SAFETY")
    world.quiz("Q")
    for n in range(1, 9):
        world.enrol(f"E{n}", opened=None if n == 8 else f"2026-04-1{n}")
    for n in range(1, 6):
        world.complete(f"E{n}", when=f"2026-06-0{n}")
    for number, scores in {"E1": (50, 80), "E2": (70, 40), "E3": (90,), "E4": (60,), "E5": (59,), "E6": (0,)}.items():
        for day, score in enumerate(scores, start=1):
            world.attempt(number, "Q", score, f"2026-05-0{day}")
    world.read("2026-07-01", streams=("enrolments", "completions", "results"))
    return world


def ask(world: World, name: str, **options: str) -> Figure:
    """The figure of the course in the department."""
    asked = question(department="D", course="SAFETY", exempt=EXEMPT, **options)
    return registry.measure(world.session, name, asked)


@pytest.mark.parametrize(("basis", "took_part"), [("started", 7), ("enrolled", 8), ("completed", 5)])
def test_coverage(safety: World, basis: str, took_part: int) -> None:
    """Coverage is 7/9, 8/9 or 5/9 by its basis, with two leavers and one exempt person counted out."""
    figure = ask(safety, "coverage", basis=basis)
    assert (figure.numerator, figure.denominator) == (took_part, 9)
    assert figure.value == Decimal(took_part) / 9
    assert (figure.population.size, figure.population.day) == (9, date(2026, 6, 30))
    assert figure.exclusions == {"left": 2, "exempt": 1}
    assert figure.beside == {"attendances": took_part}
    assert figure.complete


def test_completion_rate(safety: World) -> None:
    """Five of eight enrolments were completed."""
    figure = ask(safety, "completion_rate")
    assert (figure.numerator, figure.denominator, figure.value) == (5, 8, Decimal("0.625"))


@pytest.mark.parametrize(("attempt", "passed"), [("best", 4), ("last", 3), ("first", 3)])
def test_pass_rate(safety: World, attempt: str, passed: int) -> None:
    """Of six who attempted, four passed by the best attempt, three by the last and three by the first."""
    figure = ask(safety, "pass_rate", attempt=attempt)
    assert (figure.numerator, figure.denominator) == (passed, 6)


def test_people_behind(safety: World) -> None:
    """Those behind numerator, denominator and gap are named, and the gap is what lies between the two."""
    asked = question(department="D", course="SAFETY", exempt=EXEMPT)

    def numbers(name: str, side: str) -> list[str]:
        return [member.employee_number for member in registry.people(safety.session, name, asked, side)]

    assert numbers("coverage", "numerator") == [f"E{n}" for n in range(1, 8)]
    assert numbers("coverage", "denominator") == [f"E{n}" for n in range(1, 10)]
    assert numbers("coverage", "gap") == ["E8", "E9"]
    assert numbers("completion_rate", "gap") == ["E6", "E7", "E8"]
    assert numbers("pass_rate", "gap") == ["E5", "E6"]
    assert numbers("pass_rate", "numerator") == ["E1", "E2", "E3", "E4"]


@pytest.mark.parametrize("by", ["department", "course", "position", "month"])
@pytest.mark.parametrize("name", ["coverage", "completion_rate", "pass_rate", "score", "training_hours"])
def test_break_downs_agree_with_the_figure(safety: World, name: str, by: str) -> None:
    """A figure broken down into one part, or asked for one month, says the same as the figure asked for directly."""
    asked = question("2026-06" if by == "month" else "2026Q2", department="D", course="SAFETY", exempt=EXEMPT)
    ((label, part),) = registry.measure_by(safety.session, name, asked, by)
    assert label == {"department": "D", "course": "SAFETY", "position": "–", "month": "2026-06"}[by]
    whole = registry.measure(safety.session, name, asked)
    assert (part.numerator, part.denominator, part.population) == (whole.numerator, whole.denominator, whole.population)
    assert (part.exclusions, part.beside) == (whole.exclusions, whole.beside)
