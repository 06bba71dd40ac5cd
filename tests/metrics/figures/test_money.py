"""Cost control rate and return on investment, on amounts that can be added up in one's head."""

from datetime import date
from decimal import Decimal

from metrics.figures import cost_control, money, registry, roi
from metrics.figures.figure import Figure
from metrics.inputs import models
from plugin.models import Department
from tests.metrics.figures.planned import benefit, budget, cost, programme, put, rate
from tests.metrics.figures.world import World, at, question


def measured(world: World, name: str, period: str = "2026Q2", **options: object) -> Figure:
    """The figure."""
    return registry.measure(world.session, name, question(period, **options))


def test_cost_control(world: World) -> None:
    """900 spent of 1,200: direct and indirect, without the participants' time and what was spent outside the quarter."""
    budget(world, "B1", "1000")
    budget(world, "B2", "200", kind="indirect")
    budget(world, "B3", "5000", quarter="2026Q3")
    cost(world, "C1", "850.50", "2026-04-01")
    cost(world, "C2", "49.50", "2026-06-30", kind="indirect")
    cost(world, "C3", "777", kind="time")
    cost(world, "C4", "777", "2026-07-01")
    figure = measured(world, "cost_control")
    assert (figure.numerator, figure.denominator, figure.value) == (900, 1200, Decimal("0.75"))
    assert figure.exclusions == {"participants_time": 1}
    assert (figure.beside["spent_direct"], figure.beside["budget_indirect"]) == (Decimal("850.5"), 200)
    assert figure.beside["left_over"] == 300
    year = measured(world, "cost_control", "2026")
    assert (year.numerator, year.denominator) == (1677, 6200)
    quarters = registry.measure_by(world.session, "cost_control", question("2026"), "quarter")
    assert [(label, one.numerator, one.denominator) for label, one in quarters] == [
        ("2026Q1", 0, 0),
        ("2026Q2", 900, 1200),
        ("2026Q3", 777, 5000),
        ("2026Q4", 0, 0),
    ]


def test_no_budget_is_no_value(world: World) -> None:
    """Costs without a budget have no rate, nor has a month: budgets are made for quarters."""
    cost(world, "C1", "10")
    assert measured(world, "cost_control").reason == cost_control.NO_BUDGET
    budget(world, "B1", "100")
    assert measured(world, "cost_control").value == Decimal("0.1")
    month = measured(world, "cost_control", "2026-05")
    assert (month.value, month.reason, month.numerator) == (None, cost_control.NO_BUDGET, 10)


def test_costs_belong_where_they_say_or_where_their_line_does(world: World) -> None:
    """A cost that names no programme or department is one of its line's; departments may be taken with those below."""
    world.department("TOP")
    world.department("SUB", "TOP")
    world.session.add(Department(code="ELSE", name="ELSE"))
    programme(world, "P1")
    programme(world, "P2")
    budget(world, "B1", "100", programme="P1", department="SUB")
    budget(world, "B2", "400", programme="P2", department="TOP")
    cost(world, "C1", "30", line="B1")
    cost(world, "C2", "20", line="B1", programme="P2", department="TOP")
    by = registry.measure_by(world.session, "cost_control", question(), "programme")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("P1", 30, 100), ("P2", 20, 400)]
    by = registry.measure_by(world.session, "cost_control", question(), "department")
    assert [(label, one.numerator) for label, one in by] == [("SUB", 30), ("TOP", 20)]
    by = registry.measure_by(world.session, "cost_control", question(with_children=True), "department")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("SUB", 30, 100), ("TOP", 50, 500)]


def test_currencies_are_converted_by_the_day(world: World) -> None:
    """An amount is converted by the newest rate of its day; without one there is no figure, only the reason."""
    budget(world, "B1", "100", currency="USD")
    cost(world, "C1", "10", "2026-05-14", currency="USD")
    cost(world, "C2", "10", "2026-05-15", currency="USD")
    figure = measured(world, "cost_control")
    assert (figure.value, figure.reason, figure.not_visible) == (None, money.NO_RATE, {"no_rate": 3})
    rate(world, "USD", "2026-04-01", "0.9")
    rate(world, "USD", "2026-05-15", "0.8")
    figure = measured(world, "cost_control")
    assert (figure.numerator, figure.denominator) == (9 + 8, 90)


def test_as_of(world: World) -> None:
    """What came on record, or was taken back, later than the as-of time does not count; nor do days after it."""
    put(
        world, models.BudgetLine, line="B1", quarter="2026Q2", kind="direct", currency="EUR", amount=Decimal(100),
        ended_at=at("2026-06-01"),
    )  # fmt: skip
    budget(world, "B1", "50", recorded_at=at("2026-06-01"))
    cost(world, "C1", "10", "2026-05-31", recorded_at=at("2026-06-02"))
    cost(world, "C2", "5", "2026-06-20")
    assert measured(world, "cost_control", as_of=at("2026-05-31")).denominator == 100
    assert measured(world, "cost_control", as_of=at("2026-06-01")).numerator == 0
    later = measured(world, "cost_control")
    assert (later.numerator, later.denominator) == (15, 50)


def test_return_on_investment(world: World) -> None:
    """Benefit 1,000 x 50 % x 80 % + 200 x 100 % = 600 for costs of 400: 1.5 times, and a net return of 50 %."""
    programme(world)
    benefit(world, "S1", "1000", "0.5", confidence=Decimal("0.8"))
    benefit(world, "S2", "200", "1")
    benefit(world, "S3", "9999", stated_on=date(2026, 7, 1))
    cost(world, "C1", "250", "2026-01-15", programme="P1")
    cost(world, "C2", "50", programme="P1", kind="indirect")
    cost(world, "C3", "100", programme="P1", kind="time")
    cost(world, "C4", "777", programme="P2")
    cost(world, "C5", "777", "2026-07-01", programme="P1")
    figure = measured(world, "roi")
    assert (figure.numerator, figure.denominator, figure.value) == (600, 400, Decimal("1.5"))
    assert figure.beside["net_return"] == Decimal("0.5")
    assert figure.beside["gross_benefit"] == 1200
    assert (figure.beside["cost_direct"], figure.beside["cost_indirect"], figure.beside["cost_time"]) == (250, 50, 100)
    assert figure.not_visible == {"confidence_assumed": 1}
    ((label, part),) = registry.measure_by(world.session, "roi", question(), "programme")
    assert (label, part.value) == ("P1", Decimal("1.5"))


def test_without_isolation_there_is_no_figure(world: World) -> None:
    """No isolation factor, no cost or no benefit is no value and a reason, never a zero."""
    programme(world)
    assert measured(world, "roi").reason == roi.NO_BENEFIT
    benefit(world, "S1", "1000")
    assert measured(world, "roi").reason == roi.NO_COST
    cost(world, "C1", "100", programme="P1")
    assert measured(world, "roi").value == 5
    benefit(world, "S2", "1000", None)
    figure = measured(world, "roi")
    assert (figure.value, figure.reason, figure.numerator) == (None, roi.NO_ISOLATION, 0)
    assert figure.exclusions == {"no_isolation": 1}
    assert "net_return" not in figure.beside
