"""What counts as taking part."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from connectors.models import Identity
from metrics.figures import registry
from metrics.figures.figure import Figure
from tests.metrics.figures.world import World, at, question


def who(world: World, **options: Any) -> set[str]:
    """Who took part in 2026Q2."""
    members = registry.people(world.session, "coverage", question(**options), "numerator")
    return {member.employee_number for member in members}


def coverage(world: World, **options: Any) -> Figure:
    """Coverage of 2026Q2."""
    return registry.measure(world.session, "coverage", question(**options))


def test_signs_of_work(world: World) -> None:
    """An active enrolment with an access, attempt, completion or statement in the period is a start; each alone is not."""
    world.course("1")
    world.course("2")
    world.quiz("Q")
    world.quiz("Q2", "2")
    for number in ["opened", "attempted", "completed", "stated", "stated anywhere", "idle"]:
        world.enrol(number)
    people = {
        number: world.person(number)
        for number in [
            "opened", "attempted", "completed", "stated", "stated anywhere", "idle", "stated only", "elsewhere",
            "suspended", "vanished", "was enrolled by a statement", "before", "withdrew",
        ]
    }  # fmt: skip
    world.enrol("opened", "2", opened="2026-05-01")
    world.attempt("attempted", "Q", 0, "2026-04-01")
    world.complete("completed", when="2026-06-30T23:59")
    world.state(people["stated"], "2026-05-01", course="CRS-1")
    world.state(people["stated anywhere"], "2026-05-01")
    world.state(people["stated only"], "2026-05-01")
    world.enrol("elsewhere", "1")
    world.attempt("elsewhere", "Q2", 90, "2026-05-01")
    world.enrol("suspended", opened="2026-05-01", active=False)
    world.complete("vanished", when="2026-05-01", closed="2026-06-01")
    world.enrol("was enrolled by a statement")
    world.state(people["was enrolled by a statement"], "2026-05-01", course="CRS-1", verb="Enrolled")
    world.enrol("before", opened="2026-03-31T23:59")
    world.enrol("withdrew", opened="2026-05-01", closed="2026-06-01")
    took_part = {"opened", "attempted", "completed", "stated", "stated anywhere", "vanished"}
    assert who(world) == took_part
    assert who(world, course="CRS-1") == took_part - {"opened", "stated anywhere"}
    assert who(world, basis="completed") == {"completed", "vanished"}
    enrolled = took_part | {"idle", "elsewhere", "was enrolled by a statement", "before"}
    assert who(world, basis="enrolled") == enrolled
    figure = coverage(world)
    assert figure.exclusions == {"suspended": 1, "ended": 1}
    by_course = registry.measure_by(world.session, "coverage", question(), "course")
    assert [(label, one.numerator, one.denominator) for label, one in by_course] == [("CRS-1", 4, 13), ("CRS-2", 1, 13)]


def test_attendances_stand_beside(world: World) -> None:
    """Somebody who took part in two courses counts once, and is two attendances."""
    world.person("1")
    for key in "12":
        world.course(key)
        world.enrol("1", key, opened="2026-05-01")
    figure = coverage(world)
    assert (figure.numerator, figure.beside) == (1, {"attendances": 2})


def test_what_cannot_be_seen(world: World) -> None:
    """A later access and an enrolment older than the first reading are told, and accounts that are nobody's counted."""
    world.course("1")
    for number in ["opened later", "seen late", "new"]:
        world.person(number)
    world.enrol("opened later", opened="2026-07-01T00:00")
    world.enrol("seen late", seen="2026-07-02T00:30")
    world.read("2026-07-02")
    world.enrol("new", seen="2026-07-03")
    world.read("2026-07-03")
    world.account("nobody")
    world.enrol("nobody")
    assert coverage(world).not_visible == {"accessed_later": 1, "unbound": 1}
    figure = coverage(world, basis="enrolled")
    assert figure.numerator == 2
    assert figure.not_visible == {"undated": 1, "unbound": 1}
    assert coverage(world, basis="enrolled", course="CRS-1").not_visible == {"undated": 1, "unbound": 1}


def test_as_of(world: World) -> None:
    """Asked as of an earlier moment, only what was known then counts: rows, bindings, closings."""
    world.course("1")
    person = world.person("1")
    world.enrol("1", closed="2026-06-10")
    world.complete("1", when="2026-05-05", seen="2026-05-20")
    assert not who(world, as_of=at("2026-05-19"))
    assert who(world, as_of=at("2026-05-19"), basis="enrolled") == {"1"}
    assert who(world, as_of=at("2026-05-20")) == {"1"}
    unbound = at("2026-08-01")
    world.session.execute(update(Identity).where(Identity.person_id == person.id).values(unbound_at=unbound))
    assert who(world, as_of=unbound - timedelta(microseconds=1)) == {"1"}
    assert not who(world, as_of=unbound)


def test_months_end_on_the_organisations_wall_clock(world: World) -> None:
    """What happened at 00:30 on 1 May in Shanghai is May's, though it was still April in UTC."""
    world.course("1")
    for number, opened in [("1", "2026-04-30T23:59:59"), ("2", "2026-05-01T00:30"), ("3", "2026-06-30T23:59")]:
        world.person(number)
        world.enrol(number, opened=opened)
    months = registry.measure_by(world.session, "coverage", question(), "month")
    assert [(label, one.numerator, one.denominator) for label, one in months] == [
        ("2026-04", 1, 3),
        ("2026-05", 1, 3),
        ("2026-06", 1, 3),
    ]
    # What is not visible of one month is visible of the quarter: the last access hides earlier ones.
    assert [one.not_visible.get("accessed_later", 0) for _, one in months] == [2, 1, 0]
    assert coverage(world).numerator == 3
