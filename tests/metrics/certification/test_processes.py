"""A large backlog by several processes, on PostgreSQL: they share it, and one that fails or is killed loses nothing."""

import sys
import time
from datetime import date

import pytest
from sqlalchemy import func, select, text

from connectors.models import Evidence
from metrics.certification import processes
from metrics.certification.engine import Terms
from metrics.certification.models import Holding
from metrics.certification.processes import derive_all
from metrics.certification.rules import import_rule
from plugin import people
from plugin.models import Event, Person, Touched
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Store
from tests.metrics.certification.store_world import BEGIN, DAY, SHANGHAI

TERMS = Terms(SHANGHAI, Duration.parse("P2D"), "https://certbridge.example")
RULE = 'code = "A"\n[earn]\ncompleted = { course = "A" }\n[validity]\nlasts = "P1Y"\n'
MANY = 5

pytestmark = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture
def backlog(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a few touched people, each of whom has earned something; a few are many here."""
    monkeypatch.setattr(processes, "LARGE", MANY)
    with store.write() as session:
        employees = [Employee(f"E{number}", "Anna", joined_on=date(2020, 1, 1)) for number in range(MANY)]
        people.record_employees(session, employees, BEGIN.date(), BEGIN)
        import_rule(session, RULE, "test", BEGIN - DAY)
        for person_id in session.scalars(select(Person.id)).all():
            session.add(
                Evidence(
                    person_id=person_id, origin="t", source="m", user_key="7", kind="completed", object="A",
                    achieved_at=BEGIN - DAY, recorded_at=BEGIN,
                )
            )  # fmt: skip
    return store


def _counts(store: Store) -> tuple[int, ...]:
    """How many holdings, events and touched people there are."""
    with store.read() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(model)) or 0 for model in (Holding, Event, Touched)
        )


def test_a_process_of_its_own_derives(backlog: Store) -> None:
    """A process that is started to help derives the whole backlog alone, and says how many events that made."""
    with processes._helpers(backlog, lambda: BEGIN, TERMS, 1) as [helper]:
        told, _ = helper.communicate(timeout=60)
    assert (helper.returncode, told, _counts(backlog)) == (0, str(MANY), (MANY, MANY, 0))


def test_several_share_the_backlog(backlog: Store) -> None:
    """However the people fall to the processes, each is derived once, and the events of all are counted."""
    assert derive_all(backlog, lambda: BEGIN, TERMS, 3) == MANY
    assert _counts(backlog) == (MANY, MANY, 0)


def test_one_that_fails_is_made_up_for(backlog: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the others cannot even start, everything is derived all the same."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert derive_all(backlog, lambda: BEGIN, TERMS, 2) == MANY
    assert _counts(backlog) == (MANY, MANY, 0)


def test_one_that_is_killed_loses_nothing(backlog: Store) -> None:
    """Killed with the whole backlog in hand, a process leaves every person touched, and the next run derives them."""
    with backlog.write() as held:
        held.execute(select(Person.id).where(Person.employee_number == "E3").with_for_update())
        with processes._helpers(backlog, lambda: BEGIN, TERMS, 1) as [helper]:
            backend = _waiting(backlog)  # it has taken everybody, and waits for that person
            helper.kill()
            assert helper.wait() != 0
    with backlog.write() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
    for _ in range(600):
        if derive_all(backlog, lambda: BEGIN, TERMS) or _counts(backlog)[2] == 0:
            break
        time.sleep(0.1)
    assert _counts(backlog) == (MANY, MANY, 0)


def _waiting(store: Store) -> int:
    """The backend that waits for somebody's row."""
    query = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    for _ in range(600):
        with store.read() as session:
            if pid := session.scalar(query):
                return int(pid)
        time.sleep(0.1)
    raise AssertionError("no process waits")
