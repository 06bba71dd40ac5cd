"""What people decide about certifications, on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from connectors.models import Evidence
from metrics.certification import decisions, promotion
from metrics.certification.chain import Rulebook, derive
from metrics.certification.decisions import By, Wish, counted
from metrics.certification.engine import Terms, derive_due
from metrics.certification.evidence import Piece
from metrics.certification.explain import explain
from metrics.certification.models import Award, Decision, Holding, Requirement
from metrics.certification.promotion import Proposal
from metrics.certification.requirements import add_requirement
from metrics.certification.rule_text import parse_rule
from metrics.certification.rules import import_rule
from plugin import people
from plugin.errors import NotFoundError, RefusedError
from plugin.models import AuditEntry, Event, Person
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = Terms(SHANGHAI, Duration.parse("P2D"))
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HR, COORDINATOR = By("hana", "hr"), By("carl", "coordinator")
RULE = """
code = "FIRE"
[earn]
completed = { source = "moodle", course = "CRS-1" }
[validity]
lasts = "P1Y"
window = "P60D"
grace = "P30D"
"""


class Scene:
    """One employee who completed the course yesterday and holds FIRE, and a clock."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, NOW
        with store.write() as session:
            employee = Employee("E1", "Anna Costa", position="Operator", joined_on=date(2020, 1, 1))
            people.record_employees(session, [employee], NOW.date(), NOW)
            import_rule(session, RULE, "test", NOW - 9 * DAY)
        self.complete(NOW - DAY)
        self.derive()
        self.now += timedelta(minutes=1)

    def complete(self, at: datetime, recorded_at: datetime | None = None) -> None:
        with self.store.write() as session:
            person_id = session.scalars(select(Person.id)).one()
            session.add(
                Evidence(
                    person_id=person_id, origin=f"test:{at}", source="moodle", user_key="7", kind="completed",
                    object="CRS-1", achieved_at=at, recorded_at=recorded_at or self.now,
                )
            )  # fmt: skip
            people.touch(session, [person_id])

    def decide(self, kind: str, by: By = HR, **more: Any) -> int:
        with self.store.write() as session:
            row = decisions.decide(session, Wish(kind, "E1", "FIRE", "a reason", **more), by, self.now)
            session.flush()
            return row.id

    def derive(self) -> list[tuple[str, str, str]]:
        """The new events, as type, status and reason."""
        with self.store.read() as session:
            seen = set(session.scalars(select(Event.id)))
        derive_due(self.store, lambda: self.now, TERMS)
        with self.store.read() as session:
            rows = [row for row in session.scalars(select(Event).order_by(Event.sequence)) if row.id not in seen]
        return [(row.type, row.data["status"], row.data["reason"]) for row in rows if "status" in row.data]

    def status(self) -> str:
        with self.store.read() as session:
            return session.scalars(select(Holding.status)).one()

    def awards(self) -> list[Award]:
        with self.store.read() as session:
            return list(session.scalars(select(Award).order_by(Award.number)))

    def explained(self, as_of: datetime | None = None) -> dict[str, Any]:
        with self.store.read() as session:
            return explain(session, "E1", "FIRE", as_of or self.now, SHANGHAI)


@pytest.fixture
def scene(store: Store) -> Scene:
    """A scene on each database."""
    return Scene(store)


def test_revoking_ends_the_award_then_and_tells_hr(scene: Scene) -> None:
    """A revocation ends what is held at its own moment, with one event that says that it was decided."""
    scene.now += timedelta(hours=1)
    scene.decide("revoke")
    assert scene.derive() == [("certification.revoked", "revoked", "decided")]
    [award] = scene.awards()
    assert award.revoked_at == award.valid_until == scene.now
    assert scene.status() == "revoked"


def test_before_it_was_decided_nothing_was_revoked(scene: Scene) -> None:
    """Asked as of a moment before the revocation, the explanation says certified; as of after it, revoked."""
    scene.now += timedelta(hours=1)
    scene.decide("revoke")
    scene.derive()
    assert scene.explained(scene.now - timedelta(seconds=1))["status"] == "certified"
    after = scene.explained()
    assert after["status"] == "revoked"
    assert [(line["change"], line["by"]) for line in after["history"]] == [
        ("awarded", "engine"), ("revoked", "engine"), ("revoke", "hana"),
    ]  # fmt: skip
    assert after["history"][-1]["note"] == "a reason"
    assert after["history"][-1]["role"] == "hr"


def test_after_a_revocation_only_new_achievements_count(scene: Scene) -> None:
    """What was achieved before the revocation earns nothing again, even recorded later; what comes after does."""
    scene.now += timedelta(hours=1)
    scene.decide("revoke")
    scene.derive()
    scene.now += timedelta(hours=1)
    scene.complete(NOW - timedelta(hours=2))
    assert scene.derive() == []
    assert scene.status() == "revoked"
    scene.now += timedelta(hours=1)
    scene.complete(scene.now)
    assert scene.derive() == [("certification.awarded", "certified", "earned")]
    assert len(scene.awards()) == 2


def test_a_reinstatement_grants_the_award_again_with_its_own_dates(scene: Scene) -> None:
    """After a reinstatement the certification is held again, from and until the former days; the revocation stays in the list."""
    [before] = scene.awards()
    scene.now = NOW + DAY
    scene.decide("revoke")
    scene.derive()
    scene.now += DAY
    scene.decide("reinstate")
    assert scene.derive() == [("certification.reinstated", "certified", "decided")]
    revoked, again = scene.awards()
    assert (again.valid_from, again.valid_until) == (before.valid_from, before.valid_until)
    assert revoked.revoked_at == NOW + DAY
    assert scene.explained(NOW + DAY + timedelta(hours=1))["status"] == "revoked"
    scene.now += DAY
    scene.decide("revoke")
    assert scene.derive() == [("certification.revoked", "revoked", "decided")]


def test_an_exemption_holds_until_its_end_and_the_clock_ends_it(scene: Scene) -> None:
    """An exemption makes exempt with an event; when it ends the former status is back and HR is told so."""
    scene.decide("exempt", ends_at=NOW + 10 * DAY)
    assert scene.derive() == [("certification.exempted", "exempt", "decided")]
    assert scene.explained()["next_change"] == {"at": "2026-12-03T10:00:00+08:00", "to": "certified"}
    scene.now = NOW + 10 * DAY
    assert scene.derive() == [("certification.amended", "certified", "exemption ended")]


def test_an_exemption_that_begins_later_begins_by_the_clock(scene: Scene) -> None:
    """An exemption from a later day on changes nothing before that day, and the clock alone brings it."""
    scene.decide("exempt", starts_at=NOW + 5 * DAY, ends_at=NOW + 10 * DAY)
    assert scene.derive() == []
    scene.now = NOW + 5 * DAY
    assert scene.derive() == [("certification.exempted", "exempt", "decided")]


def test_a_withdrawn_exemption_ends_at_once(scene: Scene) -> None:
    """Withdrawing an exemption brings the former status back at that moment, and cannot be done twice."""
    decision = scene.decide("exempt", ends_at=NOW + 10 * DAY)
    scene.derive()
    scene.now += DAY
    with scene.store.write() as session:
        decisions.withdraw(session, decision, "a mistake", HR, scene.now)
    assert scene.derive() == [("certification.amended", "certified", "exemption ended")]
    assert scene.explained(NOW + timedelta(hours=1))["status"] == "exempt"
    with scene.store.write() as session, pytest.raises(RefusedError, match="ended already"):
        decisions.withdraw(session, decision, "again", HR, scene.now)


def test_an_exempt_person_is_eligible(scene: Scene) -> None:
    """A promotion that asks for a certification from which the person is exempt is not blocked by its expiry."""
    with scene.store.write() as session:
        wanted = Requirement(certification="FIRE", kind="promotion", position_code="Lead", starts_on=NOW.date())
        add_requirement(session, wanted, "test", NOW)
        promotion.propose(session, Proposal("P-1", "E1", "promotion", date(2026, 12, 1), to_position="Lead"), NOW)
    scene.decide("revoke")
    scene.derive()
    with scene.store.read() as session:
        assert promotion.answer(session, "P-1")["eligibility"] == "blocked"
    scene.now += DAY
    scene.decide("exempt", ends_at=NOW + 30 * DAY)
    scene.derive()
    with scene.store.read() as session:
        assert promotion.answer(session, "P-1")["eligibility"] == "eligible"


def test_a_proposal_changes_nothing_until_it_is_accepted(scene: Scene) -> None:
    """A coordinator's proposal waits; HR accepts it once, and both stand in the audit trail with their roles."""
    with scene.store.write() as session:
        row = decisions.propose(session, Wish("revoke", "E1", "FIRE", "found out"), COORDINATOR, scene.now)
        proposal = row.id
    assert scene.derive() == []
    scene.now += timedelta(hours=1)
    with scene.store.write() as session:
        decisions.accept(session, proposal, HR, scene.now)
    assert scene.derive() == [("certification.revoked", "revoked", "decided")]
    with scene.store.write() as session, pytest.raises(RefusedError, match="settled already, by hana"):
        decisions.accept(session, proposal, HR, scene.now)
    with scene.store.read() as session:
        acts = session.execute(
            select(AuditEntry.actor, AuditEntry.action, AuditEntry.person_id).where(
                AuditEntry.action.in_(["award.propose_revoke", "award.revoke"])
            )
        ).all()
        person_id = session.scalars(select(Person.id)).one()
    assert [tuple(act) for act in acts] == [
        ("carl", "award.propose_revoke", person_id), ("hana", "award.revoke", person_id),
    ]  # fmt: skip


def test_a_declined_proposal_is_kept_and_does_nothing(scene: Scene) -> None:
    """A proposal that was turned down stays as declined, and the person keeps what they hold."""
    with scene.store.write() as session:
        proposal = decisions.propose(session, Wish("revoke", "E1", "FIRE", "found out"), COORDINATOR, scene.now).id
    with scene.store.write() as session:
        decisions.decline(session, proposal, "not so", HR, scene.now)
    assert scene.derive() == []
    with scene.store.read() as session:
        assert session.get_one(Decision, proposal).state == "declined"


@pytest.mark.parametrize(
    ("wish", "error", "says"),
    [
        (Wish("revoke", "E9", "FIRE", "x"), NotFoundError, "no employee 'E9'"),
        (Wish("revoke", "E1", "NOPE", "x"), NotFoundError, "no certification 'NOPE'"),
        (Wish("revoke", "E1", "FIRE", "  "), RefusedError, "needs its reason"),
        (Wish("reinstate", "E1", "FIRE", "x"), RefusedError, "Nothing that was revoked"),
        (Wish("exempt", "E1", "FIRE", "x"), RefusedError, "needs the day on which it ends"),
        (Wish("exempt", "E1", "FIRE", "x", ends_at=NOW - DAY), RefusedError, "later end"),
        (Wish("pardon", "E1", "FIRE", "x"), RefusedError, "exempt, revoke or reinstate"),
    ],
)
def test_what_cannot_be_decided_is_refused(scene: Scene, wish: Wish, error: type[Exception], says: str) -> None:
    """Each decision that makes no sense is refused with what is wrong, and nothing of it is kept."""
    with pytest.raises(error, match=says), scene.store.write() as session:
        decisions.decide(session, wish, HR, scene.now)
    with scene.store.read() as session:
        assert session.scalars(select(Decision)).all() == []


def test_nothing_held_cannot_be_revoked(scene: Scene) -> None:
    """Revoking what is revoked already is refused."""
    scene.decide("revoke")
    scene.derive()
    with pytest.raises(RefusedError, match="nothing to revoke"):
        scene.decide("revoke")


def test_deriving_anew_gives_what_was_derived_step_by_step(scene: Scene) -> None:
    """After revoking, earning again and reinstating, deriving everybody anew changes and tells nothing."""
    for kind in ("revoke", "reinstate", "revoke"):
        scene.now += DAY
        scene.decide(kind)
        scene.derive()
    scene.now += DAY
    scene.complete(scene.now)
    scene.derive()
    before = [(row.number, row.valid_from, row.valid_until, row.revoked_at) for row in scene.awards()]
    with scene.store.write() as session:
        session.execute(update(Holding).values(next_change_at=scene.now))
        people.touch_all(session)
    assert scene.derive() == []
    assert [(row.number, row.valid_from, row.valid_until, row.revoked_at) for row in scene.awards()] == before


BOOK = Rulebook([parse_rule(RULE)], SHANGHAI)
HOURS = st.integers(0, 400).map(lambda hours: NOW + timedelta(hours=hours))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(HOURS, HOURS), max_size=5), HOURS, HOURS)
def test_while_revoked_nothing_achieved_before_holds(
    moments: list[tuple[datetime, datetime]], revoked: datetime, at: datetime
) -> None:
    """Whatever was achieved and recorded when: from a revocation on, no award holds that was achieved until then."""
    pieces = [Piece(number, "completed", "moodle", "CRS-1", *pair) for number, pair in enumerate(moments)]
    decision = Decision(id=1, kind="revoke", decided_at=revoked)
    held = [award for award in derive(BOOK, counted(pieces, [decision], at), at) if award.holds_at(at)]
    if at >= revoked:
        assert all(award.achieved_at > revoked for award in held)
    else:
        assert held == [award for award in derive(BOOK, pieces, at) if award.holds_at(at)]
