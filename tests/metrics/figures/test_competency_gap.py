"""Competency gaps."""

from datetime import date
from decimal import Decimal
from typing import Any

from connectors.models import Competency, CompetencyRating
from metrics.figures import registry
from metrics.figures.figure import Figure
from metrics.inputs import models
from plugin.models import Person
from tests.metrics.figures.planned import put
from tests.metrics.figures.world import MOODLE, World, at, question


def model(world: World) -> None:
    """Operators need lifting 3 and safety 2, leads lifting 4; leads weigh three times as much."""
    for code, lms in (("LIFT", "F/LIFT"), ("SAFE", None)):
        put(
            world,
            models.ModelCompetency,
            competency=code,
            name=code,
            dimension="professional",
            lms_object=lms,
            courses=[],
        )
    for position, code, level in (("OP", "LIFT", 3), ("OP", "SAFE", 2), ("LEAD", "LIFT", 4)):
        put(world, models.PostCompetency, position=position, competency=code, level=level)
    put(world, models.Post, position="LEAD", criticality=Decimal(3))


def assessed(world: World, person: Person, code: str, level: int, day: str = "2026-05-01", **values: Any) -> None:
    """An assessor found a level."""
    put(
        world, models.CompetencyAssessment, person_id=person.id, competency=code, level=level,
        assessed_on=date.fromisoformat(day), **{"by": "assessor", **values},
    )  # fmt: skip


def measured(world: World, **options: Any) -> Figure:
    """The figure at the end of June."""
    return registry.measure(world.session, "competency_gap", question(**options))


def test_weighted_gap(world: World) -> None:
    """(1 x 2 + 1 x 0 + 3 x 1) over weights of 5 is 1 level; what nobody assessed is left out and counted."""
    model(world)
    operator, lead, other = world.person("1", "D", "OP"), world.person("2", "X", "LEAD"), world.person("3", "X", "OP")
    assessed(world, operator, "LIFT", 1)
    assessed(world, operator, "SAFE", 5)
    assessed(world, lead, "LIFT", 3)
    assessed(world, other, "OTHER", 1)
    figure = measured(world)
    assert (figure.numerator, figure.denominator, figure.value) == (5, 5, 1)
    assert figure.not_visible == {"not_assessed": 2}
    assert figure.beside == {"required": 5, "gaps": 2, "people_with_gaps": 2, "levels_lacking": 3}
    assert figure.parts == {"LIFT": 5}
    by = registry.measure_by(world.session, "competency_gap", question(), "department")
    assert [(label, one.value) for label, one in by] == [("D", 1), ("X", 1)]
    by = registry.measure_by(world.session, "competency_gap", question(), "competency")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("LIFT", 5, 4), ("SAFE", 0, 1)]
    lacking = registry.people(world.session, "competency_gap", question(), "numerator")
    assert [(one.employee_number, one.course) for one in lacking] == [("1", "LIFT"), ("2", "LIFT")]


def test_the_newest_valid_level_counts(world: World) -> None:
    """Of several levels the newest counts that is valid on the day and was known then: assessor's, own or the LMS's."""
    model(world)
    person = world.person("1", "D", "OP")
    assessed(world, person, "LIFT", 1, "2026-01-01")
    assert measured(world, competency="LIFT").numerator == 2
    assessed(world, person, "LIFT", 2, "2026-02-01", by="self", recorded_at=at("2026-06-01"))
    assert measured(world, competency="LIFT").numerator == 1
    assert measured(world, competency="LIFT", as_of=at("2026-05-31")).numerator == 2
    assessed(world, person, "LIFT", 3, "2026-03-01", valid_until=date(2026, 6, 30))
    assert measured(world, competency="LIFT").numerator == 1
    assessed(world, person, "LIFT", 3, "2026-07-01")
    assert measured(world, competency="LIFT").numerator == 1
    world.session.add(
        Competency(source=MOODLE, competency_key="7", object="F/LIFT", name="Lifting", levels=["1", "2", "3"])
    )
    for course, level in (("", 3), ("1", 1)):
        world.session.add(
            CompetencyRating(
                source=MOODLE, competency_key="7", user_key="1", course_key=course, level=Decimal(level),
                rated_at=at("2026-04-01"), first_seen_at=at("2026-04-02"),
            )
        )  # fmt: skip
    world.session.flush()
    figure = measured(world, competency="LIFT")
    assert (figure.numerator, figure.denominator, figure.value) == (0, 1, 0)
