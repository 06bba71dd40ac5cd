"""The engine on the store: what is written down, and what HR is told, on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select, update

from connectors.models import Evidence, SyncRun
from metrics.certification import promotion
from metrics.certification.engine import Terms, derive_due
from metrics.certification.models import Award, AwardChange, Holding, Promotion, Requirement
from metrics.certification.promotion import Proposal
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from metrics.tasks import derive
from plugin import people
from plugin.errors import NotFoundError, RefusedError
from plugin.installation import Installation
from plugin.models import Event, Person, Touched
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = Terms(SHANGHAI, Duration.parse("P2D"), "https://certbridge.example")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

FIRE = """
code = "FIRE"
[earn]
all_of = [
  { completed = { source = "moodle", course = "CRS-1" } },
  { score = { source = "moodle", activity = "quiz-1", at_least = 80 } },
]
[validity]
lasts = "P1Y"
window = "P60D"
grace = "P30D"
"""


class Scene:
    """A store with the rule FIRE and two employees, and short ways to say what happens."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        with store.write() as session:
            employees = [
                Employee("E1", "Anna Costa", position="Operator", joined_on=date(2020, 1, 1)),
                Employee("E2", "王芳", position="Clerk", joined_on=date(2020, 1, 1)),
            ]
            people.record_employees(session, employees, NOW.date(), NOW)
            import_rule(session, FIRE, "test", NOW)

    def evidence(self, kind: str, target: str, at: datetime, **more: Any) -> int:
        """Record a piece about E1, now."""
        with self.store.write() as session:
            person_id = session.scalars(select(Person.id).where(Person.employee_number == "E1")).one()
            row = Evidence(
                person_id=person_id, origin=f"test:{kind}:{target}:{at}", source="moodle", user_key="7", kind=kind,
                object=target, achieved_at=at, recorded_at=self.now, **more,
            )  # fmt: skip
            session.add(row)
            session.flush()
            people.touch(session, [person_id])
            return row.id

    def earn(self, at: datetime) -> list[int]:
        """What FIRE asks for, achieved at `at`."""
        return [self.evidence("completed", "CRS-1", at), self.evidence("score", "quiz-1", at, percent=Decimal(90))]

    def void(self, evidence_id: int) -> None:
        """Void a piece of E1's, now."""
        with self.store.write() as session:
            session.execute(
                update(Evidence).where(Evidence.id == evidence_id).values(voided_at=self.now, void_reason="test")
            )
            people.touch(session, [session.scalars(select(Person.id).where(Person.employee_number == "E1")).one()])

    def derive(self) -> list[tuple[str, dict[str, Any]]]:
        """Derive what is due, and give the new events as (type, data)."""
        with self.store.read() as session:
            seen = set(session.scalars(select(Event.id)))
        derive_due(self.store, lambda: self.now, TERMS)
        with self.store.read() as session:
            rows = session.scalars(select(Event).order_by(Event.person_id, Event.sequence)).all()
        return [(row.type, row.data) for row in rows if row.id not in seen]

    def holding(self) -> Holding:
        """Where E1 stands with FIRE."""
        with self.store.read() as session:
            return session.scalars(
                select(Holding).join(Person, Person.id == Holding.person_id).where(Person.employee_number == "E1")
            ).one()


@pytest.fixture
def scene(store: Store) -> Scene:
    """A scene on each database."""
    return Scene(store)


def test_earning_writes_an_award_its_history_and_one_event(scene: Scene) -> None:
    """Evidence that meets the rule leaves an award, a line of history, a holding and a single event with the whole state."""
    scene.earn(NOW - timedelta(hours=1))
    [(type_, data)] = scene.derive()
    assert type_ == "certification.awarded"
    assert data["status"] == "certified"
    assert data["valid_from"] == "2026-11-23T09:00:00+08:00"
    assert data["valid_until"] == "2027-11-23T09:00:00+08:00"
    assert data["reason"] == "earned"
    assert data["backfill"] is False
    assert data["links"]["explanation"] == "https://certbridge.example/people/E1/certifications/FIRE"
    with scene.store.read() as session:
        award = session.scalars(select(Award)).one()
        change = session.scalars(select(AwardChange)).one()
    assert data["award_id"] == award.id == scene.holding().award_id == change.award_id
    assert change.change == "awarded"


def test_deriving_again_changes_nothing(scene: Scene) -> None:
    """Without anything new, deriving a touched person again tells HR nothing and writes no history."""
    scene.earn(NOW - timedelta(hours=1))
    scene.derive()
    with scene.store.write() as session:
        people.touch_all(session)
    assert scene.derive() == []
    with scene.store.read() as session:
        assert session.scalar(select(func.count()).select_from(AwardChange)) == 1


@pytest.mark.parametrize(
    ("later", "status"),
    [("2027-09-24T01:00:00", "renewal_due"), ("2027-11-23T01:00:00", "grace"), ("2027-12-23T01:00:00", "expired")],
)
def test_the_clock_alone_moves_the_status(scene: Scene, later: str, status: str) -> None:
    """At W, U and G the status changes and HR is told, though nobody touched the person; just before, nothing happens."""
    scene.earn(NOW - timedelta(hours=1))
    scene.derive()
    moment = datetime.fromisoformat(later).replace(tzinfo=UTC)
    earlier = {"renewal_due": None, "grace": "2027-09-24T01:00:00", "expired": "2027-11-23T01:00:00"}[status]
    if earlier:
        scene.now = datetime.fromisoformat(earlier).replace(tzinfo=UTC)
        scene.derive()
    scene.now = moment - timedelta(seconds=1)
    assert scene.derive() == []
    scene.now = moment
    [(type_, data)] = scene.derive()
    assert (type_, data["status"]) == (f"certification.{status}", status)


def test_voided_evidence_revokes(scene: Scene) -> None:
    """When the evidence behind an award is voided, the award is revoked at that moment and HR is told why."""
    completed, _ = scene.earn(NOW - timedelta(days=10))
    scene.derive()
    scene.now = NOW + timedelta(days=1)
    scene.void(completed)
    [(type_, data)] = scene.derive()
    assert (type_, data["status"], data["reason"]) == ("certification.revoked", "revoked", "evidence voided")
    assert scene.holding().valid_until == scene.now
    with scene.store.read() as session:
        assert [row.change for row in session.scalars(select(AwardChange).order_by(AwardChange.id))] == [
            "awarded",
            "revoked",
        ]


def test_a_better_mark_after_a_voided_one_awards_again(scene: Scene) -> None:
    """A superseded mark revokes, a new one awards anew: two awards stand in the list, the first of them revoked."""
    _, score = scene.earn(NOW - timedelta(days=10))
    scene.derive()
    scene.now = NOW + timedelta(days=1)
    scene.void(score)
    scene.derive()
    scene.now += timedelta(hours=1)
    scene.evidence("score", "quiz-1", scene.now, percent=Decimal(85))
    [(type_, _)] = scene.derive()
    assert type_ == "certification.awarded"
    with scene.store.read() as session:
        revoked = [row.revoked_at is not None for row in session.scalars(select(Award).order_by(Award.number))]
    assert revoked == [True, False]


def test_what_took_effect_long_ago_is_backfill(scene: Scene) -> None:
    """An award earned before the days that count as news is told with backfill true and the reason 'late evidence'."""
    scene.earn(NOW - timedelta(days=100))
    [(_, data)] = scene.derive()
    assert (data["backfill"], data["reason"]) == (True, "late evidence")


def test_events_of_a_person_are_numbered_without_gaps(scene: Scene) -> None:
    """Whatever is told about a person carries 1, 2, 3 … in the order in which it came to be."""
    scene.earn(NOW - timedelta(hours=1))
    scene.derive()
    for later in ("2027-09-24T01:00:00", "2027-11-23T01:00:00", "2027-12-23T01:00:00"):
        scene.now = datetime.fromisoformat(later).replace(tzinfo=UTC)
        scene.derive()
    with scene.store.read() as session:
        assert list(session.scalars(select(Event.sequence).order_by(Event.sequence))) == [1, 2, 3, 4]
        assert session.scalars(select(Person.event_sequence).where(Person.employee_number == "E1")).one() == 4


def _require(scene: Scene, kind: str, position: str, **more: Any) -> None:
    with scene.store.write() as session:
        wanted = Requirement(
            certification="FIRE", kind=kind, position_code=position, starts_on=date(2026, 1, 1), **more
        )
        add_requirement(session, wanted, "test", scene.now)


def _propose(scene: Scene, **more: Any) -> str:
    proposal = Proposal("PR-1", "E1", "promotion", date(2027, 1, 1), to_position="Team leader", **more)
    with scene.store.write() as session:
        return promotion.propose(session, proposal, scene.now)


def test_a_promotion_is_answered_and_kept_current(scene: Scene) -> None:
    """HR's proposal is answered blocked, then eligible once the certification is earned: one event for each answer."""
    _require(scene, "promotion", "Team leader")
    assert _propose(scene) == "created"
    [(type_, data)] = scene.derive()
    assert type_ == "promotion.blocked"
    [line] = data["requirements"]
    assert (line["certification"], line["status"]) == ("FIRE", "not_started")
    assert line["missing"] == ["completed CRS-1 from moodle", "score quiz-1 of at least 80 from moodle"]
    assert line["earliest"] == "2026-11-23T10:00:00+08:00"
    scene.now += timedelta(hours=1)
    scene.earn(scene.now)
    assert [type_ for type_, _ in scene.derive()] == ["certification.awarded", "promotion.eligible"]
    scene.now += timedelta(hours=1)
    with scene.store.write() as session:
        people.touch_all(session)
    assert scene.derive() == []


def test_a_certification_that_ends_too_early_makes_the_answer_conditional(scene: Scene) -> None:
    """What is held now but ends on or before the effective date does not make eligible, and the line says from when new evidence counts."""
    _require(scene, "promotion", "Team leader")
    scene.earn(datetime(2025, 12, 31, 16, 0, tzinfo=UTC))  # ends 2027-01-01T00:00 in Shanghai, the effective date
    scene.derive()
    _propose(scene)
    [(type_, data)] = scene.derive()
    assert type_ == "promotion.conditional"
    assert data["requirements"][0]["held_until"] == "2027-01-01T00:00:00+08:00"
    assert data["requirements"][0]["earliest"] == "2026-11-23T10:00:00+08:00"


def test_without_a_requirement_a_promotion_is_eligible_with_a_note(scene: Scene) -> None:
    """A post that asks for nothing makes eligible and says that there is no requirement."""
    _propose(scene)
    [(type_, data)] = scene.derive()
    assert type_ == "promotion.eligible"
    assert data["note"].startswith(promotion.NO_REQUIREMENT)


def test_a_closed_record_stays_as_it_was_answered(scene: Scene) -> None:
    """After HR has closed a record, nothing changes its answer, and a proposal under its id is refused."""
    _require(scene, "promotion", "Team leader")
    _propose(scene)
    scene.derive()
    with scene.store.write() as session:
        promotion.close(session, "PR-1", scene.now)
    scene.earn(scene.now)
    assert [type_ for type_, _ in scene.derive()] == ["certification.awarded"]
    with scene.store.read() as session:
        assert session.get_one(Promotion, "PR-1").eligibility == "blocked"
    with pytest.raises(RefusedError, match="closed"):
        _propose(scene)


def test_an_unknown_employee_cannot_be_proposed(scene: Scene) -> None:
    """A proposal for a number that nobody has is refused with what to do, and nothing is stored."""
    with pytest.raises(RefusedError, match="no employee 'E9'"), scene.store.write() as session:
        promotion.propose(session, Proposal("PR-9", "E9", "promotion", date(2027, 1, 1)), NOW)
    with scene.store.read() as session, pytest.raises(NotFoundError):
        promotion.answer(session, "PR-9")


def test_a_duty_becomes_overdue_by_the_clock(scene: Scene) -> None:
    """Somebody who must hold a certification and never did is overdue from the due date on, and not before."""
    _require(scene, "duty", "Operator", due_on=date(2026, 12, 1))
    scene.derive()
    assert (scene.holding().status, scene.holding().required) == ("not_started", True)
    scene.now = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # 1 December begins in Shanghai
    scene.derive()
    assert scene.holding().status == "overdue"


def test_a_leaver_has_no_duties_any_more(scene: Scene) -> None:
    """From the day they leave, nothing is required of a person."""
    _require(scene, "duty", "Operator")
    scene.derive()
    with scene.store.write() as session:
        gone = Employee("E1", "Anna Costa", position="Operator", joined_on=date(2020, 1, 1), left_on=NOW.date())
        people.record_employees(session, [gone], NOW.date(), NOW)
    scene.derive()
    assert scene.holding().required is False


def test_nothing_is_derived_while_a_source_is_being_pulled(installation: Installation) -> None:
    """A touched person waits as long as a pull is under way, and is derived when it has ended."""
    store = installation.store
    scene = Scene(store)
    scene.earn(NOW - timedelta(hours=1))
    with store.write() as session:
        session.add(SyncRun(source="moodle", status="running", started_at=NOW, heartbeat_at=NOW))
    derive(installation)
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Touched)) == 2
    with store.write() as session:
        session.execute(update(SyncRun).values(status="done"))
    derive(installation)
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(Touched)) == 0
        assert session.scalar(select(func.count()).select_from(Event)) == 1


def test_awards_do_not_depend_on_how_evidence_came_in(scene: Scene) -> None:
    """Deriving after each piece and deriving once from all of them leave the same awards and holdings."""
    for days, kind in ((400, "completed"), (390, "score"), (30, "completed"), (20, "score")):
        target = "CRS-1" if kind == "completed" else "quiz-1"
        scene.evidence(kind, target, NOW - timedelta(days=days), percent=Decimal(90))
        scene.derive()
    stepwise = _awards(scene)
    with scene.store.write() as session:
        for model in (AwardChange, Award, Holding):
            session.execute(delete(model))
        people.touch_all(session)
    scene.derive()
    assert _awards(scene) == stepwise
    assert len(stepwise) == 2


def test_a_new_version_of_a_rule_leaves_granted_awards_alone(scene: Scene) -> None:
    """Awards granted under the old version keep their dates; what is earned afterwards is granted by the new one."""
    scene.earn(NOW - timedelta(days=100))
    scene.derive()
    granted = _awards(scene)
    scene.now += timedelta(days=1)
    with scene.store.write() as session:
        import_rule(session, FIRE.replace("P1Y", "P3Y"), "test", scene.now)
    assert scene.derive() == []
    assert _awards(scene) == granted
    scene.now = datetime(2027, 8, 1, tzinfo=UTC)
    scene.earn(scene.now)
    [*_, (type_, data)] = scene.derive()
    assert (type_, data["rule_version"], data["valid_until"]) == (
        "certification.renewed",
        2,
        "2030-08-01T08:00:00+08:00",
    )


def _awards(scene: Scene) -> list[tuple[Any, ...]]:
    with scene.store.read() as session:
        columns = (Award.number, Award.achieved_at, Award.valid_from, Award.valid_until, Award.basis, Award.revoked_at)
        return [tuple(row) for row in session.execute(select(*columns).order_by(Award.number))]
