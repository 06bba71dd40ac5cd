"""Who passed, of those who attempted."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connectors import evidence
from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.figures.question import ATTEMPTS
from tests.metrics.figures.world import MOODLE, World, at, question


def rate(world: World, **options: Any) -> Figure:
    """The pass rate of 2026Q2."""
    return registry.measure(world.session, "pass_rate", question(**options))


def test_pass_marks(world: World) -> None:
    """Without a pass mark above zero a result is left out and counted; a scale that starts below zero is no obstacle."""
    world.course("1")
    world.course("2")
    for key, mark in [("none", None), ("zero", 0)]:
        world.quiz(key, pass_mark=mark)
    world.quiz("scaled", "2", minimum=-50, maximum=50, pass_mark=10)
    for number in "123":
        world.person(number)
        world.attempt(number, "none", 100, "2026-05-01")
    world.attempt("1", "zero", 100, "2026-05-01")
    world.attempt("1", "scaled", 10, "2026-05-01")
    world.attempt("2", "scaled", 9, "2026-05-01")
    figure = rate(world)
    assert (figure.numerator, figure.denominator, figure.exclusions) == (1, 2, {"no_pass_mark": 4})
    nothing = rate(world, course="CRS-1")
    assert (nothing.value, nothing.exclusions) == (None, {"no_pass_mark": 4})
    assert nothing.reason is not None


def test_several_tests(world: World) -> None:
    """Who failed one of several tests has not passed, but has in the course of the test that they passed."""
    world.course("1")
    world.course("2")
    world.quiz("Q1")
    world.quiz("Q2", "2")
    world.person("1")
    world.attempt("1", "Q1", 60, "2026-05-01")
    world.attempt("1", "Q2", 59, "2026-05-01")
    figure = rate(world)
    assert (figure.numerator, figure.denominator) == (0, 1)
    assert figure.beside == {"assessments": 2, "assessments_passed": 1}
    by_course = registry.measure_by(world.session, "pass_rate", question(), "course")
    assert [(label, one.numerator, one.denominator) for label, one in by_course] == [("CRS-1", 1, 1), ("CRS-2", 0, 1)]


def test_a_courses_total(world: World) -> None:
    """A course's total counts where none of its tests has a pass mark, and not beside tests that have one."""
    world.person("1")
    for key, mark in [("1", 60), ("2", None)]:
        world.course(key)
        world.quiz(f"Q{key}", key, pass_mark=mark)
        world.quiz(f"T{key}", key, kind="course")
        world.attempt("1", f"Q{key}", 90, "2026-05-01")
        world.attempt("1", f"T{key}", 30, "2026-05-01")
    by_course = registry.measure_by(world.session, "pass_rate", question(), "course")
    found = [(label, one.numerator, one.denominator, one.exclusions) for label, one in by_course]
    assert found == [("CRS-1", 1, 1, {}), ("CRS-2", 0, 1, {"no_pass_mark": 1})]


def test_as_of_before_a_mark_was_corrected(world: World) -> None:
    """A corrected mark counts from its correction on; asked as of before, the old one does."""
    world.course("1")
    world.quiz("Q")
    world.person("1")
    result = world.attempt("1", "Q", 40, "2026-05-01")
    result.score = Decimal(80)
    world.session.flush()
    evidence.record(world.session, at("2026-07-10"), evidence.results(MOODLE, [("Q", "1", "2026-05-01")]))
    assert rate(world, as_of=at("2026-07-09")).numerator == 0
    figure = rate(world)
    assert (figure.numerator, figure.denominator) == (1, 1)


def test_unbound_and_outside(world: World) -> None:
    """Attempts outside the period are not looked at; results of accounts that are nobody's are counted as not visible."""
    world.course("1")
    world.quiz("Q")
    world.person("1")
    world.attempt("1", "Q", 90, "2026-03-31T23:59")
    world.attempt("1", "Q", 10, "2026-06-30T23:59")
    world.attempt("1", "Q", 90, "2026-07-01")
    world.account("nobody")
    world.attempt("nobody", "Q", 90, "2026-05-01")
    figure = rate(world)
    assert (figure.numerator, figure.denominator, figure.not_visible) == (0, 1, {"unbound": 1})


def test_which_attempt_counts(world: World) -> None:
    """Best, last and first attempt are what a plain reading of each person's attempts in order of time says."""
    chance = random.Random(1)
    world.course("1")
    world.quiz("Q")
    tried: dict[str, list[tuple[int, int]]] = {}
    everything = []
    for number in (f"P{n}" for n in range(40)):
        world.person(number)
        minutes = chance.sample(range(200_000), chance.randint(0, 4))  # some lie beyond the period
        tried[number] = sorted((minute, chance.choice([0, 59, 60, 100])) for minute in minutes)
        everything += [(number, *attempt) for attempt in tried[number]]
    chance.shuffle(everything)
    start = at("2026-04-01")
    for number, minute, score in everything:
        world.attempt(number, "Q", score, (start + timedelta(minutes=minute)).replace(tzinfo=None).isoformat())
    within = [[score for minute, score in attempts if minute < 91 * 1440] for attempts in tried.values()]
    within = [scores for scores in within if scores]
    pick = {"best": max, "last": lambda scores: scores[-1], "first": lambda scores: scores[0]}
    for attempt in ATTEMPTS:
        figure = rate(world, attempt=attempt)
        assert figure.denominator == len(within)
        assert figure.numerator == sum(pick[attempt](scores) >= 60 for scores in within)
