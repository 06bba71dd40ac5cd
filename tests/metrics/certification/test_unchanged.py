"""What a touched person is derived in: what may have changed, and nothing else, on SQLite and on PostgreSQL."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from connectors.models import Course, Enrolment, Evidence, Identity
from metrics.certification import decisions, engine
from metrics.certification.acting import By
from metrics.certification.decisions import Wish
from metrics.certification.engine import Terms, derive_due
from metrics.certification.models import Holding, Requirement
from metrics.certification.regrades import regrade
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from plugin import people
from plugin.models import Person
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Store
from tests.metrics.certification.store_world import BEGIN, DAY, SHANGHAI

RULES = {
    "A": 'completed = { course = "A" }',
    "B": 'score = { activity = "B", at_least = 80 }',
    "C": 'all_of = [{ certification = { code = "B" } }, { completed = { course = "C" } }]',
    "D": 'completed = { course = "D" }',
}


def rule(code: str, lasts: str = "P1Y") -> str:
    """The rule of this code, by which an award lasts so long."""
    return f'code = "{code}"\n[earn]\n{RULES[code]}\n[renew]\ncompleted = {{ course = "{code}" }}\n[validity]\nlasts = "{lasts}"\n'


class Scene:
    """One employee who holds A, B and C, and a record of what is derived about them."""

    def __init__(self, store: Store, derived: list[str]) -> None:
        self.store, self.now, self._derived, self._numbers = store, BEGIN, derived, count()
        with store.write() as session:
            people.record_employees(session, [Employee("E1", "Anna", position="Operator")], BEGIN.date(), BEGIN)
            self.person = session.scalars(select(Person.id)).one()
            for code in "ABC":
                import_rule(session, rule(code), "test", BEGIN - DAY)
            session.add(Course(source="m", course_key="1", object="A", name="A"))
            session.add(Identity(source="m", user_key="7", person_id=self.person, rule="test", bound_at=BEGIN))
        for kind, target in (("completed", "A"), ("score", "B"), ("completed", "C")):
            self.evidence(kind, target)
        assert self.derived() == ["A", "B", "C"]

    def evidence(self, kind: str, target: str) -> None:
        """A piece is recorded, achieved a day ago."""
        with self.store.write() as session:
            session.add(
                Evidence(
                    person_id=self.person, origin=f"t:{next(self._numbers)}", source="m", user_key="7", kind=kind, object=target,
                    achieved_at=self.now - DAY, recorded_at=self.now, percent=Decimal(90),
                )
            )  # fmt: skip
            people.touch(session, [self.person])

    def touched(self) -> list[str]:
        """The person is touched, and what is derived then."""
        with self.store.write() as session:
            people.touch(session, [self.person])
        return self.derived()

    def derived(self, zone: ZoneInfo = SHANGHAI) -> list[str]:
        """What is derived now."""
        self._derived.clear()
        derive_due(self.store, lambda: self.now, Terms(zone, Duration.parse("P2D")))
        return sorted(set(self._derived))

    def holdings(self) -> dict[str, str]:
        """Where the person stands, by code."""
        with self.store.read() as session:
            return dict(session.execute(select(Holding.certification, Holding.status)).all())


@pytest.fixture
def scene(store: Store, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A scene in a store of each kind."""
    derived: list[str] = []
    decide = engine.decide

    def noted(case: Any, code: str, *more: Any) -> None:
        derived.append(code)
        decide(case, code, *more)

    monkeypatch.setattr(engine, "decide", noted)
    return Scene(store, derived)


def test_nothing_is_derived_where_nothing_changed(scene: Scene) -> None:
    """A person who is touched without a change is derived in nothing, nor when time passes that changes nothing."""
    assert scene.touched() == []
    scene.now += DAY
    assert scene.touched() == []
    scene.evidence("completed", "nothing asks for it")
    assert scene.derived() == []


def test_evidence_is_derived_where_a_rule_looks_at_it(scene: Scene) -> None:
    """What arrives or is voided is derived in the certification that looks at it, with those that it belongs together with."""
    scene.evidence("completed", "A")
    assert scene.derived() == ["A"]
    scene.evidence("completed", "B")
    assert scene.derived() == ["B", "C"]
    scene.evidence("score", "B")
    assert scene.derived() == ["B", "C"]
    scene.now += timedelta(hours=1)
    with scene.store.write() as session:
        voided = update(Evidence).where(Evidence.object == "A").values(voided_at=scene.now, void_reason="test")
        session.execute(voided)
    assert scene.touched() == ["A"]
    assert (scene.holdings()["A"], scene.touched()) == ("revoked", [])


def _decided(scene: Scene) -> None:
    with scene.store.write() as session:
        wish = Wish("exempt", "E1", "A", "a reason", scene.now, scene.now + 10 * DAY)
        decisions.decide(session, wish, By("hana", "hr"), scene.now)


def _required(scene: Scene) -> None:
    wanted = Requirement(certification="A", kind="duty", position_code="Operator", starts_on=scene.now.date())
    with scene.store.write() as session:
        add_requirement(session, wanted, "test", scene.now)


def _enrolled(scene: Scene) -> None:
    with scene.store.write() as session:
        session.add(Enrolment(source="m", course_key="1", user_key="7", active=True, first_seen_at=scene.now))


def _versioned(scene: Scene) -> None:
    with scene.store.write() as session:
        import_rule(session, rule("A", "P2Y"), "test", scene.now)


def _regraded(scene: Scene) -> None:
    _versioned(scene)
    assert scene.derived() == ["A"]
    with scene.store.write() as session:
        regrade(session, "A", None, "test", "a reason", scene.now)


@pytest.mark.parametrize("happens", [_decided, _required, _enrolled, _versioned, _regraded])
def test_whatever_else_changes_is_derived(scene: Scene, happens: Callable[[Scene], None]) -> None:
    """A decision, a requirement, an enrolment, a version of a rule and its application are derived where they belong."""
    happens(scene)
    assert scene.touched() == ["A"]
    assert scene.touched() == []


def test_a_new_rule_is_derived(scene: Scene) -> None:
    """A rule that is new is derived for whom its evidence was there before, and for nobody in anything else."""
    scene.evidence("completed", "D")
    assert scene.derived() == []
    with scene.store.write() as session:
        import_rule(session, rule("D"), "test", scene.now)
    assert scene.derived() == ["D"]
    assert scene.holdings()["D"] == "certified"


def test_time_and_the_organisations_zone_are_derived(scene: Scene) -> None:
    """The end of an award, a clock that is put back and another time zone are derived, though nothing is recorded."""
    scene.now += 400 * DAY
    assert (scene.touched(), scene.holdings()["A"]) == (["A", "B", "C"], "expired")
    scene.now -= 200 * DAY
    assert (scene.touched(), scene.holdings()["A"]) == (["A", "B", "C"], "certified")
    assert scene.touched() == []
    with scene.store.write() as session:
        people.touch(session, [scene.person])
    assert scene.derived(ZoneInfo("Europe/Berlin")) == ["A", "B", "C"]


def test_a_release_that_derives_otherwise_is_derived(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another number of the engine everything about a touched person is derived again."""
    monkeypatch.setattr("metrics.certification.unchanged.ENGINE", -1)
    assert scene.touched() == ["A", "B", "C"]


def test_a_holding_from_before_is_derived(scene: Scene) -> None:
    """A holding without a number, as a former release left it, is derived once."""
    with scene.store.write() as session:
        session.execute(update(Holding).values(inputs=None, derived_at=None))
    assert (scene.touched(), scene.touched()) == (["A", "B", "C"], [])
