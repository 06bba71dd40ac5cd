"""Figures of paired changes: learning gain, behaviour, results; and the intervals around them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from metrics.figures import changes, registry, results
from metrics.figures.figure import Figure
from metrics.figures.results import months_on
from metrics.figures.statistics import difference, mean_with_interval, t_quantile
from metrics.inputs import models
from plugin.models import Person
from tests.metrics.figures.planned import programme, put
from tests.metrics.figures.world import World, at, question


def decimals(*numbers: object) -> list[Decimal]:
    """The numbers, exactly."""
    return [Decimal(str(number)) for number in numbers]


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (29, 2.0452), (100, 1.9840), (1e6, 1.9600)],
)
def test_quantiles_of_t(freedom: float, quantile: float) -> None:
    """The quantiles are those of the printed tables."""
    assert t_quantile(float(freedom)) == pytest.approx(quantile, abs=0.00005)


def test_intervals() -> None:
    """Changes of 1, 2 and 3: mean 2, standard error 1 / sqrt(3), t 4.3027: from -0.484 to 4.484. One value has none."""
    mean = mean_with_interval(decimals(1, 2, 3))
    assert mean.value == 2
    assert mean.low is not None
    assert mean.high is not None
    assert [round(mean.low, 3), round(mean.high, 3)] == decimals("-0.484", "4.484")
    assert mean_with_interval(decimals(7)).low is None
    # Welch: variances 1 and 4, three and three: error sqrt(5/3), 2.941 degrees of freedom, t 3.219
    two = difference(decimals(4, 5, 6), decimals(0, 2, 4))
    assert two.value == 3
    assert two.low is not None
    assert float(two.low) == pytest.approx(3 - 4.156, abs=0.005)
    assert difference(decimals(1, 1), decimals(0, 0)).low == 1


def rated(world: World, person: Person, moment: str, score: int, **values: Any) -> None:
    """What a supervisor found, from 1 to 5."""
    usual = {
        "programme": "P1", "months_after": 0 if moment == "before" else 3, "dimension": "", "lowest": Decimal(1),
        "highest": Decimal(5), "rated_on": date(2026, 1, 10) if moment == "before" else date(2026, 6, 10),
    }  # fmt: skip
    put(
        world,
        models.SupervisorRating,
        person_id=person.id,
        moment=moment,
        score=Decimal(score),
        **{**usual, **values},
    )


def measured(world: World, name: str, period: str = "2026Q2", **options: Any) -> Figure:
    """The figure."""
    return registry.measure(world.session, name, question(period, **options))


def test_behaviour_change(world: World) -> None:
    """Three pairs rise by 1, 2 and 0 points of 4: a mean of 0.25, two of three improved; a rating after alone is out."""
    people = [world.person(str(n), "D" if n < 3 else "X") for n in range(1, 6)]
    for person, (before, after) in zip(people, [(2, 3), (1, 3), (4, 4)], strict=False):
        rated(world, person, "before", before)
        rated(world, person, "after", after)
    rated(world, people[3], "after", 5)
    rated(world, people[4], "before", 1)
    figure = measured(world, "behaviour_change")
    assert (figure.value, figure.numerator, figure.denominator) == (Decimal("0.25"), Decimal("0.75"), 3)
    assert (figure.beside["pairs"], figure.beside["improved"]) == (3, 2)
    assert round(Decimal(figure.beside["improved_share"]), 4) == Decimal("0.6667")
    assert round(Decimal(figure.beside["interval_low"]), 4) == Decimal("-0.3710")  # 0.25 - 4.3027 * 0.25 / sqrt(3)
    assert figure.exclusions == {"rated_once": 1, "few_pairs": 1}
    assert [one.employee_number for one in registry.people(world.session, "behaviour_change", question(), "gap")] == [
        "3"
    ]
    by = registry.measure_by(world.session, "behaviour_change", question(), "department")
    assert [(label, one.value, one.reason) for label, one in by] == [
        ("D", Decimal("0.375"), None),
        ("X", None, changes.TOO_FEW),
    ]
    assert measured(world, "behaviour_change", "2026Q1").value is None
    assert measured(world, "behaviour_change", months=6).denominator == 0
    assert measured(world, "behaviour_change", as_of=at("2026-06-09")).denominator == 0


def test_behaviour_on_several_dimensions(world: World) -> None:
    """A person counts with the mean of the dimensions that were rated both times."""
    for number in "12":
        person = world.person(number)
        for dimension, before, after in (("a", 1, 3), ("b", 1, 2), ("c", 5, None), ("d", None, 1)):
            if before:
                rated(world, person, "before", before, dimension=dimension)
            if after:
                rated(world, person, "after", after, dimension=dimension)
    assert measured(world, "behaviour_change").value == Decimal("0.375")


def performed(world: World, person: Person, before: int, after: int) -> None:
    """The same value in each month before, and in each month after."""
    for month in range(1, 13):
        year = 2025 if month < 7 else 2024
        put(
            world,
            models.PerformanceValue,
            measure="SCRAP",
            person_id=person.id,
            month=date(year if month < 7 else 2024, month, 1),
            value=Decimal(before if month >= 7 else 999),
        )
        put(
            world,
            models.PerformanceValue,
            measure="SCRAP",
            person_id=person.id,
            month=date(2025 if month > 6 else 2026, month, 1),
            value=Decimal(after if month < 7 else 999),
        )


def measure(world: World, better: str = "lower") -> None:
    """The performance figure, and a programme from January to June 2025 that is to move it."""
    put(world, models.PerformanceMeasure, measure="SCRAP", name="Scrap", better=better)
    programme(
        world, starts_on=date(2025, 1, 1), planned_end_on=date(2025, 6, 30), performance="SCRAP", everybody=False,
        department="D",
    )  # fmt: skip


def test_results(world: World) -> None:
    """Scrap fell from 10 to 7, 10 to 6 and 10 to 5, where lower is better: improved by 4 on average, from 1.52 to 6.48."""
    measure(world)
    for number, after in (("1", 7), ("2", 6), ("3", 5)):
        performed(world, world.person(number, "D"), 10, after)
    world.person("4", "D")
    performed(world, world.person("5", "X"), 10, 1)
    figure = measured(world, "results")
    assert (figure.value, figure.denominator, figure.beside["programmes"]) == (4, 3, 1)
    assert round(Decimal(figure.beside["interval_low"]), 2) == Decimal("1.52")
    assert figure.exclusions == {"no_pair": 1, "few_pairs": 1}
    assert measured(world, "results", "2026Q1").reason == results.NOT_YET
    assert measured(world, "results", as_of=at("2026-06-29")).reason == results.NOT_YET
    by = registry.measure_by(world.session, "results", question(), "department")
    assert [(label, one.value) for label, one in by] == [("D", 4)]


def test_results_against_a_comparison_group(world: World) -> None:
    """Those trained improved by 3 and 5, the others by 1 and 1: the difference in differences is 3."""
    measure(world, "higher")
    for number, after in (("1", 13), ("2", 15)):
        performed(world, world.person(number, "D"), 10, after)
    for number in ("8", "9"):
        person = world.person(number, "X")
        performed(world, person, 10, 11)
        put(world, models.ProgrammePerson, programme="P1", person_id=person.id, group="comparison")
    figure = measured(world, "results")
    assert (figure.value, figure.beside["pairs"], figure.beside["comparison_pairs"]) == (3, 2, 2)
    assert (figure.beside["trained_change"], figure.beside["comparison_change"]) == (4, 1)


def test_results_of_too_few(world: World) -> None:
    """One pair says nothing, and says so; who was not trained is no pair."""
    world.course("1")
    measure(world)
    world.session.query(models.Programme).update({"courses": ["CRS-1"]})
    for number in ("1", "2"):
        performed(world, world.person(number, "D"), 10, 5)
    world.complete("1", "1", when="2025-06-30")
    world.complete("2", "1", when="2025-07-01")
    figure = measured(world, "results")
    assert (figure.value, figure.denominator, figure.reason) == (None, 1, changes.TOO_FEW)


def test_learning_gain(world: World) -> None:
    """From 40 to 80 % and 60 to 70 %: a mean gain of 0.25, normalised (0.75 - 0.5) / (1 - 0.5) = 0.5."""
    world.course("1")
    world.course("2")
    for quiz, course in (("PRE", "1"), ("POST", "1"), ("OTHER", "2")):
        world.quiz(quiz, course)
    put(world, models.CourseDetail, course="CRS-1", pre_test="PRE", post_test="POST")
    for number in "123":
        world.person(number, "D")
    world.attempt("1", "PRE", 40, "2026-03-01")
    world.attempt("1", "PRE", 90, "2026-03-02")
    world.attempt("1", "POST", 80, "2026-04-10")
    world.attempt("1", "POST", 50, "2026-04-11")
    world.attempt("2", "PRE", 60, "2026-04-01")
    world.attempt("2", "POST", 70, "2026-05-01")
    world.attempt("3", "POST", 100, "2026-05-01")
    world.attempt("3", "OTHER", 100, "2026-05-01")
    figure = measured(world, "learning_gain")
    assert (figure.value, figure.denominator) == (Decimal("0.25"), 2)
    assert (figure.beside["mean_pre"], figure.beside["mean_post"]) == (Decimal("0.5"), Decimal("0.75"))
    assert figure.beside["normalised_gain"] == Decimal("0.5")
    assert figure.exclusions == {"no_pre_test": 1, "few_pairs": 1}
    assert measured(world, "learning_gain", attempt="last").value == Decimal("0.1")
    assert measured(world, "learning_gain", "2026-04").reason == changes.TOO_FEW
    by = registry.measure_by(world.session, "learning_gain", question(), "course")
    assert [(label, one.value) for label, one in by] == [("CRS-1", Decimal("0.25"))]


def test_scores(world: World) -> None:
    """Best attempts of 80, 60 and 95 %: a mean of 78.33 %; the last ones, 50, 60 and 95, one of 68.33 %."""
    world.course("1")
    world.quiz("Q", maximum=200, pass_mark=100)
    for number, scores in {"1": (160, 100), "2": (120,), "3": (190,)}.items():
        world.person(number, "D")
        for day, score in enumerate(scores, start=1):
            world.attempt(number, "Q", score, f"2026-05-0{day}")
    figure = measured(world, "score")
    assert (figure.numerator, figure.denominator) == (Decimal("2.35"), 3)
    assert figure.value == Decimal("2.35") / 3
    assert list(figure.beside.values()) == [0, 1, 0, 1, 1]
    assert measured(world, "score", attempt="last").numerator == Decimal("2.05")
    by = registry.measure_by(world.session, "score", question(), "category")
    assert [(label, one.numerator) for label, one in by] == [("–", Decimal("2.35"))]


def test_months() -> None:
    """Calendar months: the last of a short month where the day is not in it, over the turn of the year and back."""
    assert months_on(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert months_on(date(2026, 1, 15), -1) == date(2025, 12, 15)
    assert months_on(date(2026, 12, 31), 12) == date(2027, 12, 31)
