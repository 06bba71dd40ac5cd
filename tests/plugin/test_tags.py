"""Tags of people: put on and taken off by hand and by the authority for people, each from one day until another."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select

from plugin import tags
from plugin.cli import Context
from plugin.errors import NotFoundError, RefusedError
from plugin.installation import Installation
from plugin.models import AuditEntry, Person, PersonTag, Touched
from plugin.people import Changes, Employee, record_employees
from plugin.people_commands import people_group

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)


def record(home: Installation, *given: frozenset[str] | None, day: date = TODAY) -> Changes:
    """Record E1, E2 … with these tags on the day."""
    employees = [Employee(f"E{at}", "A person", tags=own) for at, own in enumerate(given, start=1)]
    with home.store.write() as session:
        return record_employees(session, employees, day, home.clock())


def spells(home: Installation, number: str = "E1") -> list[tuple[str, date, date | None]]:
    """An employee's tags, each from when until when."""
    query = select(PersonTag).join(Person, Person.id == PersonTag.person_id).where(Person.employee_number == number)
    with home.store.read() as session:
        rows = session.scalars(query.order_by(PersonTag.tag, PersonTag.valid_from)).all()
    return [(row.tag, row.valid_from, row.valid_until) for row in rows]


def put(home: Installation, tag: str, begins: date = TODAY, ends: date | None = None, number: str = "E1") -> None:
    """Put a tag on an employee."""
    with home.store.write() as session:
        tags.add_tag(session, number, tag, begins, ends, "test", home.clock())


def take(home: Installation, tag: str, last: date = TODAY, number: str = "E1") -> None:
    """Take a tag off an employee."""
    with home.store.write() as session:
        tags.end_tag(session, number, tag, last, "test", home.clock())


def test_the_authority_decides_which_tags_people_have(kernel: Installation) -> None:
    """What it names begins today, what it names no more ends today; what it is silent about stays as it is."""
    assert record(kernel, frozenset({"night", "first-aider"}), None) == Changes(created=2)
    assert record(kernel, frozenset({"night", "first-aider"}), None, day=TODAY + DAY) == Changes(unchanged=2)
    assert record(kernel, frozenset({"night", "driver"}), None, day=TODAY + 2 * DAY) == Changes(updated=1, unchanged=1)
    assert record(kernel, None, None, day=TODAY + 3 * DAY) == Changes(unchanged=2)
    assert spells(kernel) == [
        ("driver", TODAY + 2 * DAY, None),
        ("first-aider", TODAY, TODAY + 2 * DAY),
        ("night", TODAY, None),
    ]
    assert spells(kernel, "E2") == []


def test_a_changed_tag_has_its_person_derived_again(kernel: Installation) -> None:
    """Only those whose tags changed are touched, and each counts as one update."""
    record(kernel, frozenset({"night"}), frozenset({"night"}))
    with kernel.store.write() as session:
        session.execute(delete(Touched))
    assert record(kernel, frozenset(), frozenset({"night"}), day=TODAY + DAY) == Changes(updated=1, unchanged=1)
    with kernel.store.read() as session:
        one = session.scalar(select(Person.id).where(Person.employee_number == "E1"))
        assert list(session.scalars(select(Touched.person_id))) == [one]


def test_a_tag_of_one_day_leaves_nothing(kernel: Installation) -> None:
    """Named and taken back on the same day, it was a slip; named again, it begins anew."""
    record(kernel, frozenset({"night"}))
    record(kernel, frozenset())
    assert spells(kernel) == []
    record(kernel, frozenset({"night"}))
    assert spells(kernel) == [("night", TODAY, None)]


def test_tags_by_hand_are_in_the_audit_trail_of_the_person(kernel: Installation) -> None:
    """Putting on and taking off are acts about the person, with the days."""
    record(kernel, None)
    put(kernel, " first-aider ")
    take(kernel, "first-aider", TODAY + 9 * DAY)
    assert spells(kernel) == [("first-aider", TODAY, TODAY + 9 * DAY)]
    with kernel.store.read() as session:
        acts = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        person_id = session.scalar(select(Person.id))
    said = [(act.action, act.subject, act.person_id, (act.after or {})["tag"]) for act in acts]
    assert said == [
        ("person.tag", "person:E1", person_id, "first-aider"),
        ("person.untag", "person:E1", person_id, "first-aider"),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"number": "E9"}, "no employee 'E9'"),
        ({"tag": "  "}, "no tag"),
        ({"tag": "a;b"}, "no tag"),
        ({"tag": "a\nb"}, "no tag"),
        ({"tag": "x" * 101}, "no tag"),
        ({"ends": TODAY}, "before it begins"),
        ({"begins": TODAY + DAY}, "from 2026-11-23 on already"),
        ({"begins": TODAY - DAY}, "already"),
    ],
)
def test_a_tag_that_cannot_be_put_on_is_refused(kernel: Installation, given: dict[str, Any], says: str) -> None:
    """Unknown people, unusable tags, an end before the beginning and days that overlap are refused; nothing is stored."""
    record(kernel, None)
    put(kernel, "night")
    with pytest.raises(RefusedError, match=says):
        put(kernel, **{"tag": "night", **given})
    assert spells(kernel) == [("night", TODAY, None)]


def test_spells_that_only_meet_do_not_overlap(kernel: Installation) -> None:
    """A tag may end on the day on which it begins again."""
    record(kernel, None)
    put(kernel, "night", TODAY, TODAY + DAY)
    put(kernel, "night", TODAY + DAY, None)
    put(kernel, "night", TODAY - DAY, TODAY)
    assert len(spells(kernel)) == 3


def test_a_tag_that_has_not_begun_is_taken_away_and_one_that_ended_cannot_end(kernel: Installation) -> None:
    """Ending before the beginning leaves nothing; there must be one that could end."""
    record(kernel, None)
    put(kernel, "night", TODAY + 9 * DAY)
    take(kernel, "night")
    assert spells(kernel) == []
    with pytest.raises(NotFoundError, match="no tag 'night'"):
        take(kernel, "night")


def run(home: Installation, *arguments: str) -> Result:
    """What `certbridge people …` says."""
    context = Context(Path("unread"))
    context.__dict__["installation"] = home
    return CliRunner().invoke(people_group, list(arguments), obj=context, catch_exceptions=True)


def test_the_commands(kernel: Installation) -> None:
    """tag, untag and tags do what they say, and wake the derivation."""
    record(kernel, None, None)
    woken: list[str] = []
    kernel.wake = woken.append  # type: ignore[method-assign]
    assert run(kernel, "tag", "E1", "night").output == "E1 has the tag night from 2026-11-23 on.\n"
    run(kernel, "tag", "E2", "night", "--from", "2026-11-01", "--until", "2026-12-01")
    assert run(kernel, "tags").output == "night: 2\n"
    assert run(kernel, "untag", "E2", "night").output == "E2 has the tag night until 2026-11-23.\n"
    assert json.loads(run(kernel, "tags", "E2", "--format", "json").output) == [
        {"tag": "night", "from": "2026-11-01", "until": "2026-11-23"}
    ]
    assert run(kernel, "tags", "E1").output == "night: from 2026-11-23\n"
    assert "no employee 'E9'" in str(run(kernel, "tags", "E9").exception)
    assert woken == ["people_touched"] * 3
