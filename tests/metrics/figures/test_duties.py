"""Figures of certifications: from where people stand now, and derived anew as of a moment that is past."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from metrics.certification.engine import derive_due
from metrics.certification.models import Holding, Promotion, Requirement
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.tasks import terms_of
from plugin.installation import Installation
from plugin.models import Person
from plugin.people import touch_all
from tests.metrics.figures.world import NOW, World, at, question

RULE = """
code = "FIRE"
[earn]
all_of = [{ passed = { source = "moodle", activity = "Q" } }]
[validity]
lasts = "P1Y"
"""
STATUSES = ("certified", "renewal_due", "grace", "overdue", "expired", "exempt", "in_progress", "not_started")


def holds(
    world: World,
    number: str,
    status: str,
    *,
    until: datetime | None = None,
    change: datetime | None = None,
    **values: Any,
) -> None:
    """Somebody stands so with a certification now."""
    person = world.person(number, values.pop("department", "D"))
    usual = {"required": True, "certification": "FIRE", "derived_at": NOW - timedelta(hours=1)}
    world.session.add(
        Holding(person_id=person.id, status=status, valid_until=until, next_change_at=change, **{**usual, **values})
    )
    world.session.flush()


@pytest.fixture
def certified(world: World) -> World:
    """One of each status on 23 November; two of those who hold, and one who must begin, are within 30 days of an end."""
    soon, late = NOW + timedelta(days=30), NOW + timedelta(days=31)
    for status in STATUSES:
        holds(world, status, status, until=late if status in ("certified", "renewal_due") else None)
    holds(world, "ends soon", "renewal_due", until=soon, department="X")
    holds(world, "due soon", "not_started", change=soon)
    holds(world, "not required", "certified", until=late, required=False)
    holds(world, "left", "certified", until=late)
    world.session.execute(update(Person).where(Person.employee_number == "left").values(left_on=date(2026, 11, 1)))
    return world


def measured(world: World, name: str, period: str = "2026Q4", **options: Any) -> Figure:
    """The figure."""
    return registry.measure(world.session, name, question(period, **options))


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("compliance", ["certified", "ends soon", "grace", "renewal_due"]),
        ("overdue", ["overdue"]),
        ("at_risk", ["due soon", "ends soon", "grace"]),
        ("on_track", ["certified", "in_progress", "not_started", "renewal_due"]),
    ],
)
def test_out_of_what_is_required(certified: World, name: str, behind: list[str]) -> None:
    """Each counts what it says out of the nine that are required of nobody exempt; leavers do not count."""
    figure = measured(certified, name)
    assert (figure.numerator, figure.denominator) == (len(behind), 9)
    assert figure.exclusions == {"left": 1, "exempted": 1}
    members = registry.people(certified.session, name, question("2026Q4"), "numerator")
    assert [(member.employee_number, member.course) for member in members] == [(number, "FIRE") for number in behind]
    by = registry.measure_by(certified.session, name, question("2026Q4"), "department")
    assert [(label, one.denominator) for label, one in by] == [("D", 8), ("X", 1)]
    by = registry.measure_by(certified.session, name, question("2026Q4"), "certification")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("FIRE", len(behind), 9)]
    assert measured(certified, name, certification="OTHER").value is None


def test_beside_compliance(certified: World) -> None:
    """How many stand in each status is told beside."""
    beside = measured(certified, "compliance").beside
    assert [beside[status] for status in STATUSES if status != "exempt"] == [1, 2, 1, 1, 1, 1, 2]


def test_expiring_by_month(certified: World) -> None:
    """Of five that are held, those that end are told by month, also of months to come."""
    months = registry.measure_by(certified.session, "expiring", question("2026-11-01..2027-02-01"), "month")
    assert [(label, one.numerator, one.denominator) for label, one in months] == [
        ("2026-11", 0, 5),
        ("2026-12", 4, 5),
        ("2027-01", 0, 5),
    ]
    assert months[1][1].beside == {"expiring_required": 3}


def test_as_of_a_moment_that_is_past(installation: Installation) -> None:
    """What stood at a month's end is derived from what was known then: not yet held in April, held in May, ended a year on."""
    with installation.store.write() as session:
        world = World(session)
        world.course("1")
        world.quiz("Q")
        import_rule(session, RULE, "test", at("2026-01-01"))
        for number in "12":
            world.person(number, "D", "OP")
        wanted = Requirement(
            certification="FIRE", kind="duty", position_code="OP", starts_on=date(2026, 1, 1), due_on=date(2026, 5, 15)
        )
        add_requirement(session, wanted, "test", at("2026-01-01"))
        world.attempt("1", "Q", 80, "2026-05-10")
        touch_all(session)
    derive_due(installation.store, installation.clock, terms_of(installation))

    def of(name: str, period: str) -> tuple[int, int]:
        with installation.store.read() as session:
            figure = registry.measure(session, name, question(period))
            return int(figure.numerator), int(figure.denominator)

    assert [of("compliance", month) for month in ("2026-04", "2026-05", "2026")] == [(0, 2), (1, 2), (1, 2)]
    assert [of("overdue", month) for month in ("2026-04", "2026-05", "2026")] == [(0, 2), (1, 2), (1, 2)]
    assert of("at_risk", "2026-04") == (2, 2)
    assert of("expiring", "2027-05") == (1, 1)
    with installation.store.read() as session:
        by = registry.measure_by(session, "compliance", question("2026-04-01..2026-06-01"), "month")
        assert [(label, one.numerator, one.denominator) for label, one in by] == [("2026-04", 0, 2), ("2026-05", 1, 2)]


def test_promotion_records(world: World) -> None:
    """Of three answered records one is eligible; one is not answered yet, one was proposed in another period."""
    answers = {"a": "eligible", "b": "conditional", "c": "blocked", "d": None}
    for number, answer in answers.items():
        person = world.person(number, "D")
        proposed = {"proposed_at": at("2026-05-01"), "eligibility": answer, "closed_at": NOW if number == "c" else None}
        record(world, f"HR-{number}", person.id, **proposed)
        record(world, f"OLD-{number}", person.id, **{**proposed, "proposed_at": at("2026-03-01")})
    figure = measured(world, "promotion_eligibility", "2026Q2")
    assert (figure.numerator, figure.denominator) == (1, 3)
    assert figure.beside == {"conditional": 1, "blocked": 1, "closed": 1}
    assert figure.exclusions == {"unanswered": 1}


def record(world: World, promotion_id: str, person_id: int, **values: Any) -> None:
    """A promotion record."""
    world.session.add(
        Promotion(
            promotion_id=promotion_id, person_id=person_id, kind="promotion", effective_on=date(2026, 7, 1),
            requirements=[], **values,
        )
    )  # fmt: skip
    world.session.flush()
