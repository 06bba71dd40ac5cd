"""Promotion and pay records on the store: what counts, when the answer changes, and what closing keeps."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, select, update

from connectors.models import Course, Enrolment, Evidence, Identity, SourceUser
from metrics.certification import decisions, promotion
from metrics.certification.decisions import By, Wish
from metrics.certification.engine import Terms, derive_due
from metrics.certification.models import CertificationRule, Promotion, Requirement
from metrics.certification.promotion import Proposal
from metrics.certification.promotion_proposals import propose_all
from metrics.certification.requirements import add_requirement, end_requirement
from metrics.certification.rules import import_rule
from plugin import people, tags
from plugin.errors import RefusedError
from plugin.models import Event, Person
from plugin.moments import Duration
from plugin.people import Employee, record_employees
from plugin.store import Store

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RULE = """
code = "{code}"
[earn]
all_of = [{{ completed = {{ course = "{code}-1" }} }}, {{ score = {{ activity = "{code}-2", at_least = 80 }} }}]
[validity]
lasts = "P1Y"
window = "P60D"
grace = "P30D"
"""


class World:
    """An employee whom HR proposes, certifications FIRE and GAS, and short ways to say what happens."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW.astimezone(ZONE)
        with store.write() as session:
            employees = [
                Employee("E1", "Anna", position="Clerk", grade="G1", department="Sales", joined_on=date(2020, 1, 1)),
                Employee("E2", "Bo", position="Leader", grade="G5", department="Works", joined_on=date(2020, 1, 1)),
            ]
            record_employees(session, employees, NOW.date(), NOW)
            for code in ("FIRE", "GAS"):
                import_rule(session, RULE.format(code=code), "test", NOW - timedelta(days=900))
            self.person = session.scalars(select(Person.id).where(Person.employee_number == "E1")).one()

    def require(self, code: str = "FIRE", kind: str = "promotion", listed: Any = (), **population: Any) -> int:
        """Require a certification of a population from 2020 on; the requirement's number."""
        terms = {"starts_on": date(2020, 1, 1), **population}
        with self.store.write() as session:
            wanted = Requirement(certification=code, kind=kind, **terms)
            add_requirement(session, wanted, "test", self.now, listed)
            return wanted.id

    def propose(self, **terms: Any) -> str:
        """Propose E1 under PR-1, to Leader on 2027-01-01 unless it is said otherwise."""
        given = {"promotion_id": "PR-1", "employee_number": "E1", "kind": "promotion", "to_position": "Leader"}
        proposal = Proposal(**{**given, "effective_date": date(2027, 1, 1), **terms})
        with self.store.write() as session:
            return promotion.propose(session, proposal, self.now)

    def earn(self, at: datetime, code: str = "FIRE", *, only: str = "") -> None:
        """What the rule asks for, achieved and recorded at `at` about E1; or `only` one of its kinds."""
        for kind, target in (("completed", f"{code}-1"), ("score", f"{code}-2")):
            if only and kind != only:
                continue
            row = {"person_id": self.person, "origin": f"{kind}:{target}:{at}", "source": "lms", "user_key": "7"}
            row |= {"kind": kind, "object": target, "achieved_at": at, "recorded_at": at, "percent": Decimal(90)}
            with self.store.write() as session:
                session.execute(insert(Evidence).values(row))
                people.touch(session, [self.person])

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Derive what is due, and give the new events about promotions as (type, data)."""
        with self.store.read() as session:
            seen = set(session.scalars(select(Event.id)))
        derive_due(self.store, lambda: self.now, Terms(ZONE, Duration.parse("P2D")))
        with self.store.read() as session:
            rows = session.scalars(select(Event).order_by(Event.person_id, Event.sequence)).all()
        return [(row.type, row.data) for row in rows if row.id not in seen and row.type.startswith("promotion.")]

    def record(self, promotion_id: str = "PR-1") -> Promotion:
        """The record as it is stored."""
        with self.store.read() as session:
            return session.get_one(Promotion, promotion_id)

    def close(self) -> None:
        """HR closes PR-1."""
        with self.store.write() as session:
            promotion.close(session, "PR-1", self.now)

    def touch(self) -> None:
        """Mark everybody."""
        with self.store.write() as session:
            people.touch_all(session)


@pytest.fixture
def world(store: Store) -> World:
    """A world on each database."""
    return World(store)


@pytest.mark.parametrize("kind", ["promotion", "pay"])
@pytest.mark.parametrize(
    ("population", "counts"),
    [
        ({"position_code": "Leader"}, True),
        ({"grade_code": "G5"}, True),
        ({"position_code": "Clerk"}, False),
        ({"grade_code": "G1"}, False),
        ({"department_code": "Sales"}, True),
        ({"department_code": "Works"}, False),
        ({"tag": "night"}, True),
        ({"listed": ["E1"]}, True),
        ({"listed": ["E2"]}, False),
        ({"position_code": "Leader", "starts_on": date(2027, 1, 2)}, False),
        ({"position_code": "Leader", "starts_on": date(2027, 1, 1)}, True),
        ({"position_code": "Leader", "ends_on": date(2027, 1, 1)}, False),
        ({"position_code": "Leader", "ends_on": date(2027, 1, 2)}, True),
    ],
)
def test_what_a_record_asks_for(world: World, kind: str, population: dict[str, Any], counts: bool) -> None:
    """Counted are requirements of the position and grade it leads to, and of where the person is on the effective date."""
    with world.store.write() as session:
        tags.add_tag(session, "E1", "night", date(2027, 1, 1), date(2027, 1, 2), "test", NOW)
    world.require(**population)
    world.propose(kind=kind, to_grade="G5")
    [(type_, data)] = world.events()
    assert type_ == ("promotion.blocked" if counts else "promotion.eligible")
    assert [line["certification"] for line in data["requirements"]] == (["FIRE"] if counts else [])
    assert data["kind"] == kind
    assert data["note"] == (None if counts else promotion.NO_REQUIREMENT)


def test_a_duty_of_the_post_is_no_requirement_for_a_promotion(world: World) -> None:
    """What is a duty once one has the post is not asked for beforehand, unless it is required for the promotion too."""
    world.require(kind="duty", position_code="Leader")
    world.propose()
    [(type_, _)] = world.events()
    assert type_ == "promotion.eligible"


@pytest.mark.parametrize(
    ("days", "effective", "status", "eligibility"),
    [
        (10, date(2027, 1, 1), "certified", "eligible"),
        (320, date(2027, 1, 1), "renewal_due", "eligible"),  # ends 2027-01-07
        (320, date(2027, 1, 6), "renewal_due", "eligible"),
        (320, date(2027, 1, 7), "renewal_due", "conditional"),
        (320, date(2027, 3, 1), "renewal_due", "conditional"),
        (375, date(2026, 12, 1), "grace", "conditional"),
        (500, date(2027, 1, 1), "expired", "blocked"),
    ],
)
def test_the_table_by_age_of_what_is_held(
    world: World, days: int, effective: date, status: str, eligibility: str
) -> None:
    """Certified and due for renewal are eligible while they outlast the effective day; grace is conditional; expired blocks."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=days))
    world.propose(effective_date=effective)
    [(type_, data)] = world.events()
    assert (data["requirements"][0]["status"], type_) == (status, f"promotion.{eligibility}")


def test_an_end_is_compared_by_the_organisation_s_day(world: World) -> None:
    """What ends at 23:59 of the effective day in Shanghai ends on it, though it is the day before in UTC and later in none."""
    world.require(position_code="Leader")
    world.earn(datetime(2026, 1, 1, 15, 59, tzinfo=UTC))  # ends 2027-01-01T23:59+08:00
    world.propose(effective_date=date(2026, 12, 31))
    assert [type_ for type_, _ in world.events()] == ["promotion.eligible"]
    world.propose(effective_date=date(2027, 1, 1))
    assert [type_ for type_, _ in world.events()] == ["promotion.conditional"]


def test_in_progress_is_conditional_and_overdue_blocks(world: World) -> None:
    """Somebody on the way is conditional with what is still missing; once the duty's due date has passed, blocked."""
    world.require(position_code="Leader")
    world.earn(NOW, only="completed")
    world.propose()
    [(type_, data)] = world.events()
    assert type_ == "promotion.conditional"
    assert data["requirements"][0]["status"] == "in_progress"
    assert data["requirements"][0]["missing"] == ["score FIRE-2 of at least 80"]
    world.now += timedelta(hours=1)
    world.require(kind="duty", position_code="Clerk", due_on=date(2026, 11, 1))
    [(type_, data)] = world.events()
    assert (type_, data["requirements"][0]["status"]) == ("promotion.blocked", "overdue")


def test_revoked_blocks_and_an_exemption_counts_while_it_lasts(world: World) -> None:
    """A revocation blocks; an exemption meets the requirement if it outlasts the effective day, else the answer is conditional."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=10))
    world.propose()
    world.events()
    world.now += timedelta(hours=1)
    with world.store.write() as session:
        decisions.decide(session, Wish("revoke", "E1", "FIRE", "accident"), By("hr", "hr"), world.now)
    assert [type_ for type_, _ in world.events()] == ["promotion.blocked"]
    for until, expected in ((date(2027, 1, 1), "promotion.conditional"), (date(2027, 1, 2), "promotion.eligible")):
        world.now += timedelta(hours=1)
        ends = datetime(until.year, until.month, until.day, tzinfo=ZONE)
        with world.store.write() as session:
            wish = Wish("exempt", "E1", "FIRE", "leave", None, ends)
            decisions.decide(session, wish, By("hr", "hr"), world.now)
        [(type_, data)] = world.events()
        assert (type_, data["requirements"][0]["held_until"]) == (expected, f"{until}T00:00:00+08:00")


def test_an_exemption_over_an_award_that_goes_on_is_enough(world: World) -> None:
    """Where the exemption ends too early, the award that is held beneath it and lasts longer counts."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=10))
    with world.store.write() as session:
        wish = Wish("exempt", "E1", "FIRE", "leave", None, datetime(2026, 12, 1, tzinfo=ZONE))
        decisions.decide(session, wish, By("hr", "hr"), world.now)
    world.propose()
    [(type_, data)] = world.events()
    assert (type_, data["requirements"][0]["status"]) == ("promotion.eligible", "exempt")
    assert data["requirements"][0]["held_until"] == "2027-11-13T10:00:00+08:00"


def test_an_expired_award_beneath_an_exemption_does_not_count_against_it(world: World) -> None:
    """What lapsed long ago says nothing about when the exemption ends."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=800))
    with world.store.write() as session:
        wish = Wish("exempt", "E1", "FIRE", "leave", None, datetime(2027, 6, 1, tzinfo=ZONE))
        decisions.decide(session, wish, By("hr", "hr"), world.now)
    world.propose()
    [(type_, data)] = world.events()
    assert type_ == "promotion.eligible"
    assert data["requirements"][0]["held_until"] == "2027-06-01T00:00:00+08:00"


def test_the_earliest_date_is_the_later_of_now_and_the_day_from_which_evidence_counts(world: World) -> None:
    """Before renewal opens it is that day; afterwards now; and neither the passing of time nor deriving again is an event."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=10))  # ends 2027-11-13T10:00, renewal opens 2027-09-14T10:00
    world.propose(effective_date=date(2027, 12, 1))
    [(type_, data)] = world.events()
    assert (type_, data["requirements"][0]["earliest"]) == ("promotion.conditional", "2027-09-14T10:00:00+08:00")
    for _ in range(3):
        world.now += timedelta(days=20)
        world.touch()
        assert world.events() == []
    world.now = datetime(2027, 9, 20, 2, 0, tzinfo=UTC).astimezone(ZONE)
    [(_, data)] = world.events()  # the status is renewal_due now
    assert data["requirements"][0]["earliest"] == "2027-09-20T10:00:00+08:00"
    world.now += timedelta(days=5)
    world.touch()
    assert world.events() == []
    with world.store.read() as session:
        lines = promotion.from_now_on(promotion.answer(session, "PR-1")["requirements"], world.now, ZONE)
    assert lines[0]["earliest"] == "2027-09-25T10:00:00+08:00"


def test_evidence_too_far_apart_is_said_to_be_so(world: World) -> None:
    """Where every criterion is met but not within the rule's time, the line says that, and is not empty."""
    with world.store.write() as session:
        text = RULE.format(code="FAR").replace("[earn]", '[earn]\nwithin = "P1M"')
        import_rule(session, text, "test", NOW - timedelta(days=900))
    world.require("FAR", position_code="Leader")
    world.earn(NOW - timedelta(days=100), "FAR", only="completed")
    world.earn(NOW - timedelta(days=10), "FAR", only="score")
    world.propose()
    [(type_, data)] = world.events()
    assert type_ == "promotion.conditional"
    [missing] = data["requirements"][0]["missing"]
    assert "further apart than P1M" in missing


def test_each_change_of_the_answer_is_one_event_and_an_unchanged_answer_none(world: World) -> None:
    """Requirement, tag, evidence, terms and the clock change the answer: one event each; touching alone is none."""
    world.propose()
    assert [type_ for type_, _ in world.events()] == ["promotion.eligible"]
    first = world.require(position_code="Leader")
    assert [type_ for type_, _ in world.events()] == ["promotion.blocked"]
    world.now += timedelta(hours=1)
    world.earn(world.now)
    assert [type_ for type_, _ in world.events()] == ["promotion.eligible"]
    world.require("GAS", tag="night")
    assert world.events() == []
    with world.store.write() as session:
        tags.add_tag(session, "E1", "night", date(2026, 12, 1), None, "test", NOW)
        people.touch(session, [world.person])
    assert [type_ for type_, _ in world.events()] == ["promotion.blocked"]
    world.touch()
    assert world.events() == []
    assert world.propose() == "unchanged"
    assert world.events() == []
    assert world.propose(effective_date=date(2026, 11, 30)) == "updated"
    assert [type_ for type_, _ in world.events()] == ["promotion.eligible"]
    with world.store.write() as session:
        end_requirement(session, first, date(2026, 11, 24), "test", world.now)
    [(type_, data)] = world.events()
    assert (type_, data["requirements"], data["note"]) == ("promotion.eligible", [], promotion.NO_REQUIREMENT)


def test_a_required_certification_without_a_rule_blocks(world: World) -> None:
    """What a data file requires and no rule describes can be held by nobody; it is not passed over."""
    row = {"certification": "GHOST", "kind": "promotion", "position_code": "Leader", "starts_on": date(2020, 1, 1)}
    with world.store.write() as session:
        session.execute(insert(Requirement).values(row))
    world.propose()
    [(type_, data)] = world.events()
    assert type_ == "promotion.blocked"
    assert data["requirements"][0]["missing"] == ["a rule for GHOST: import it"]
    world.touch()
    assert world.events() == []


@pytest.mark.parametrize(
    ("terms", "note"),
    [
        ({"to_position": "Leadr"}, "There is no position 'Leadr' here"),
        ({"to_position": None, "to_grade": "G7"}, "There is no grade 'G7' here"),
        ({"to_position": None}, "names neither a position nor a grade"),
    ],
)
def test_what_looks_like_a_slip_is_noted(world: World, terms: dict[str, Any], note: str) -> None:
    """A record to an unknown position or grade, or to none, is answered, and the note says so beside that nothing is required."""
    world.propose(**terms)
    [(type_, data)] = world.events()
    assert type_ == "promotion.eligible"
    assert data["note"].startswith(promotion.NO_REQUIREMENT)
    assert note in data["note"]


def test_leaving_before_the_effective_date_is_noted(world: World) -> None:
    """HR is told once when the person of an open record turns out to leave."""
    world.require(position_code="Leader")
    world.earn(NOW - timedelta(days=10))
    world.propose()
    world.events()
    leaver = Employee("E1", "Anna", position="Clerk", grade="G1", department="Sales", joined_on=date(2020, 1, 1))
    with world.store.write() as session:
        gone = Employee(**{**vars(leaver), "left_on": date(2026, 12, 31)})
        record_employees(session, [gone], NOW.date(), NOW)
    [(type_, data)] = world.events()
    assert (type_, data["note"]) == ("promotion.eligible", "They are with the organisation until 2026-12-31 only.")
    world.touch()
    assert world.events() == []


@pytest.mark.parametrize(
    ("person", "terms", "says"),
    [
        ({}, {"employee_number": "E9"}, "no employee 'E9'"),
        ({"erased_at": NOW}, {}, "no employee 'E1'"),
        ({"left_on": date(2026, 11, 22)}, {}, "left on 2026-11-22"),
        ({"left_on": date(2026, 11, 23)}, {"effective_date": date(2026, 1, 1)}, "left on 2026-11-23"),
        ({"left_on": date(2027, 1, 1)}, {}, "leaves on 2027-01-01"),
        ({"joined_on": date(2027, 1, 2)}, {}, "joined on 2027-01-02"),
        ({}, {"kind": "demotion"}, "not 'demotion'"),
        ({}, {"promotion_id": "a b"}, "no id of a record"),
        ({}, {"promotion_id": "x" * 101}, "no id of a record"),
        ({}, {"to_position": "x" * 201}, "room for 200"),
        ({}, {"to_grade": ""}, "to_grade is empty"),
    ],
)
def test_what_cannot_be_proposed_is_refused(
    world: World, person: dict[str, Any], terms: dict[str, Any], says: str
) -> None:
    """Who has left, leaves by the effective date or joins after it, and malformed terms: refused, and nothing is stored."""
    if person:
        with world.store.write() as session:
            session.execute(update(Person).where(Person.employee_number == "E1").values(person))
    with pytest.raises(RefusedError, match=says):
        world.propose(**terms)
    with world.store.read() as session:
        assert session.scalars(select(Promotion)).all() == []


@pytest.mark.parametrize(
    "person", [{"left_on": date(2027, 1, 2)}, {"joined_on": date(2027, 1, 1)}, {"joined_on": None}]
)
def test_who_is_there_on_the_effective_date_can_be_proposed(world: World, person: dict[str, Any]) -> None:
    """Leaving the day after, joining on the very day, and an unknown day of joining are no reason to refuse."""
    with world.store.write() as session:
        session.execute(update(Person).where(Person.employee_number == "E1").values(person))
    assert world.propose() == "created"


def test_whose_left_yesterday_in_shanghai_has_left_though_it_is_today_in_utc(world: World) -> None:
    """The organisation's day decides whether somebody has left."""
    with world.store.write() as session:
        session.execute(update(Person).where(Person.employee_number == "E1").values(left_on=date(2026, 11, 24)))
    world.now = datetime(2026, 11, 23, 16, 30, tzinfo=UTC).astimezone(ZONE)  # 2026-11-24T00:30 in Shanghai
    with pytest.raises(RefusedError, match="left on 2026-11-24"):
        world.propose(effective_date=date(2026, 11, 1))


def test_a_closed_record_and_another_employee_s_are_refused(world: World) -> None:
    """An id is one employee's, and once closed nobody's."""
    world.propose()
    with pytest.raises(RefusedError, match="another employee"):
        world.propose(employee_number="E2")
    world.close()
    with pytest.raises(RefusedError, match="was closed on 2026-11-23"):
        world.propose()


def test_many_proposals_are_accepted_and_refused_one_by_one(world: World) -> None:
    """Of many proposals each has its own outcome, and a refused one leaves the others as they are."""
    numbers = ("E1", "E9", "E2")
    wanted = [Proposal(f"P{at}", number, "pay", date(2027, 1, 1)) for at, number in enumerate(numbers)]
    with world.store.write() as session:
        outcomes = propose_all(session, wanted, world.now)
    assert (outcomes[0], outcomes[2]) == ("created", "created")
    assert isinstance(outcomes[1], RefusedError)
    with world.store.read() as session:
        assert set(session.scalars(select(Promotion.promotion_id))) == {"P0", "P2"}


def test_closing_keeps_the_answer_with_the_award_and_the_evidence_of_that_day(world: World) -> None:
    """What was held, from when until when, and by which evidence stands in the closed record, whatever happens afterwards."""
    world.require(position_code="Leader")
    world.require("GAS", position_code="Leader")
    at = NOW - timedelta(days=10)
    world.earn(at)
    world.earn(at, "GAS", only="completed")
    world.propose()
    assert [type_ for type_, _ in world.events()] == ["promotion.conditional"]
    world.close()
    kept = world.record().decided
    assert kept is not None
    assert (kept["at"], kept["eligibility"], kept["note"]) == ("2026-11-23T10:00:00+08:00", "conditional", None)
    fire, gas = kept["requirements"]
    assert (fire["certification"], fire["status"], fire["held_until"]) == (
        "FIRE",
        "certified",
        "2027-11-13T10:00:00+08:00",
    )
    assert fire["award"]["number"] == 1
    assert fire["award"]["valid_from"] == "2026-11-13T10:00:00+08:00"
    assert fire["award"]["valid_until"] == "2027-11-13T10:00:00+08:00"
    assert [(piece["kind"], piece["object"], piece["source"]) for piece in fire["evidence"]] == [
        ("completed", "FIRE-1", "lms"), ("score", "FIRE-2", "lms"),
    ]  # fmt: skip
    assert fire["evidence"][1]["percent"].startswith("90")
    assert fire["evidence"][0]["achieved_at"] == "2026-11-13T10:00:00+08:00"
    assert (gas["status"], gas["award"], gas["missing"]) == ("in_progress", None, ["score GAS-2 of at least 80"])
    assert [piece["object"] for piece in gas["evidence"]] == ["GAS-1"]
    # Evidence, rules, requirements and another closing change nothing any more.
    world.now += timedelta(days=1)
    with world.store.write() as session:
        session.execute(update(Evidence).values(voided_at=world.now, void_reason="test"))
        people.touch(session, [world.person])
    world.require(kind="promotion", grade_code="G1")
    assert world.events() == []
    world.close()
    assert world.record().decided == kept
    assert world.record().eligibility == "conditional"
    with world.store.read() as session:
        said = promotion.answer(session, "PR-1")
    assert (said["closed"], said["decided"]) == (True, kept)


def test_a_record_closed_before_it_was_answered_keeps_that(world: World) -> None:
    """Closed at once, a record has no answer, and says so for good."""
    world.require(position_code="Leader")
    world.propose()
    world.close()
    assert world.events() == []
    kept = world.record().decided
    assert kept is not None
    assert (kept["eligibility"], kept["requirements"]) == (None, [])


def test_an_enrolment_makes_conditional(world: World) -> None:
    """Somebody enrolled in the course that a required rule names is on the way, so the answer is conditional and not blocked."""
    world.require(position_code="Leader")
    with world.store.write() as session:
        session.add(SourceUser(source="lms", user_key="7"))
        session.add(Course(source="lms", course_key="1", object="FIRE-1", name="Fire"))
        session.add(Identity(source="lms", user_key="7", person_id=world.person, rule="employee_number", bound_at=NOW))
        session.add(Enrolment(source="lms", course_key="1", user_key="7", active=True, first_seen_at=NOW))
    world.propose()
    [(type_, data)] = world.events()
    assert (type_, data["requirements"][0]["status"]) == ("promotion.conditional", "in_progress")


def test_without_rules_nothing_is_derived_wrongly(world: World) -> None:
    """With every rule gone a record is still answered."""
    with world.store.write() as session:
        session.execute(delete(CertificationRule))
    world.propose()
    assert [type_ for type_, _ in world.events()] == ["promotion.eligible"]
