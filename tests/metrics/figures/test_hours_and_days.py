"""Training hours per employee, and time to complete."""

from datetime import date
from decimal import Decimal

from sqlalchemy import update

from connectors.models import Course, Enrolment
from metrics.figures import registry
from metrics.inputs import models
from tests.metrics.figures.planned import put
from tests.metrics.figures.world import World, at, question


def test_training_hours(world: World) -> None:
    """1.5 + 1.5 hours of a course, 6 outside and none known of another course: 9 hours of three people are 3 each."""
    for key in "12":
        world.course(key)
    world.session.execute(update(Course).where(Course.course_key == "1").values(category="Safety"))
    put(world, models.CourseDetail, course="CRS-1", hours=Decimal("1.5"))
    people = [world.person(number, "D" if number != "3" else "X") for number in "123"]
    world.complete("1", "1", "2026-05-01")
    world.complete("2", "1", "2026-05-01")
    world.complete("2", "2", "2026-05-01")
    world.complete("3", "1", "2026-07-01")
    for title, day in (("Fair", date(2026, 6, 30)), ("Next", date(2026, 7, 1))):
        put(world, models.ExternalTraining, person_id=people[0].id, title=title, ended_on=day, hours=Decimal(6))
    figure = registry.measure(world.session, "training_hours", question())
    assert (figure.numerator, figure.denominator, figure.value) == (9, 3, 3)
    assert (figure.beside, figure.not_visible) == ({"external": 1}, {"no_hours": 1})
    by = registry.measure_by(world.session, "training_hours", question(), "department")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("D", 9, 2), ("X", 0, 1)]
    by = registry.measure_by(world.session, "training_hours", question(), "category")
    assert [(label, one.numerator, one.denominator) for label, one in by] == [("Safety", 3, 3), ("–", 6, 3)]
    by = registry.measure_by(world.session, "training_hours", question("2026Q3"), "month")
    assert [(label, one.numerator) for label, one in by] == [
        ("2026-07", Decimal("7.5")),
        ("2026-08", 0),
        ("2026-09", 0),
    ]
    course = registry.measure(world.session, "training_hours", question(course="CRS-1"))
    assert course.numerator == 3
    early = registry.measure(world.session, "training_hours", question(as_of=at("2026-06-29T12:00")))
    assert early.numerator == 3
    gap = registry.people(world.session, "training_hours", question(), "gap")
    assert [member.employee_number for member in gap] == ["3"]


def test_time_to_complete(world: World) -> None:
    """10 days and 5 days are 7.5 on average; completions without a known beginning are left out and counted."""
    world.course("1")
    for number, began in {"1": "2026-05-01", "2": "2026-05-06", "3": None, "4": "2026-06-01"}.items():
        world.person(number, "D")
        world.enrol(number)
        began_at = at(began) if began else None
        world.session.execute(update(Enrolment).where(Enrolment.user_key == number).values(enrolled_at=began_at))
        world.complete(number, "1", "2026-05-11")
    figure = registry.measure(world.session, "time_to_complete", question())
    assert (figure.numerator, figure.denominator, figure.value) == (15, 2, Decimal("7.5"))
    assert figure.not_visible == {"no_beginning": 2}
    by = registry.measure_by(world.session, "time_to_complete", question(), "course")
    assert [(label, one.value) for label, one in by] == [("CRS-1", Decimal("7.5"))]
