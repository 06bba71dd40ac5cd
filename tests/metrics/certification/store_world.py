"""A store in which random things happen to two people and three certifications, for tests of the engine on the store."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, insert, select, update

from connectors.models import Course, Enrolment, Evidence, Identity
from metrics.certification import cases, decisions
from metrics.certification.acting import By
from metrics.certification.chain import Award as DerivedAward
from metrics.certification.chain import derive, held
from metrics.certification.criteria import Held
from metrics.certification.decisions import Wish
from metrics.certification.duties import duties
from metrics.certification.engine import Terms, derive_due
from metrics.certification.evidence import Piece
from metrics.certification.models import (
    Award,
    CertificationRegrade,
    CertificationRule,
    Decision,
    Holding,
    Requirement,
)
from metrics.certification.regrades import regrade
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule, load_books
from metrics.certification.status import standing
from plugin import people
from plugin.errors import CertBridgeError
from plugin.models import Assignment, Department, Event, Grade, Person, Position
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Base, Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = Terms(SHANGHAI, Duration.parse("P2D"), "https://certbridge.example")
BEGIN = datetime(2025, 1, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBERS = ("E1", "E2")
VALIDITIES = (
    'lasts = "P60D"\nwindow = "P20D"\ngrace = "P10D"',
    'from = "previous_expiry"\nlasts = "P2M"\nwindow = "P20D"\ngrace = "P10D"\nafter_lapse = "renew"',
    'from = "fixed"\nanchor = "02-28"\nat_least = "P1M"\nwindow = "P20D"',
    'lasts = "forever"',
    'lasts = "P30D"\nwindow = "P30D"\ngrace = "P30D"',
)
COMPLETED, SCORE = 'completed = { course = "C" }', 'score = { activity = "Q", at_least = 80 }'
CRITERIA = {
    "Z": (
        COMPLETED,
        f"all_of = [{{ {COMPLETED} }}, {{ {SCORE} }}]",
        f'within = "P25D"\nall_of = [{{ {COMPLETED} }}, {{ {SCORE} }}]',
        'hours = { courses = ["H"], at_least = 5 }',
        'score = { activity = "Q", at_least = 70 }',
    ),
    "X": (
        'all_of = [{ certification = { code = "Z" } }, { completed = { course = "D" } }]',
        'any_of = [{ certification = { code = "Z" } }, { completed = { course = "D" } }]',
        'completed = { course = "D", newer_than = "P20D" }',
    ),
    "Y": ('certification = { code = "X" }', f"any_of = [{{ {SCORE} }}, {{ completed = {{ course = 'D' }} }}]"),
}
OBJECTS = {"completed": ("C", "D"), "score": ("Q",), "hours": ("H",), "award": ("X", "Z")}
INPUTS = (Position, Department, Grade, Person, Assignment, CertificationRegrade, CertificationRule, Evidence, Decision, Requirement,
          Course, Identity, Enrolment)  # fmt: skip


def rule(code: str, criterion: int, validity: int, effective: date | None = None) -> str:
    """A rule's text, chosen by numbers."""
    day = f"effective_from = {effective.isoformat()}\n" if effective else ""
    earn = CRITERIA[code][criterion % len(CRITERIA[code])]
    renew = 'completed = { course = "D" }' if earn == 'certification = { code = "X" }' else earn
    return f'code = "{code}"\n{day}[earn]\n{earn}\n[renew]\n{renew}\n[validity]\n{VALIDITIES[validity]}\n'


@dataclass(frozen=True)
class Step:
    """One thing that happens: `kind` is a method of World, called with `given`; `days` pass before it; then, perhaps, derived."""

    kind: str
    days: int
    given: tuple[Any, ...]
    derived: bool


@dataclass
class World:
    """A store, its clock, and what HR was told last of each certification of each person."""

    store: Store
    now: datetime = BEGIN
    told: dict[str, Event] = field(default_factory=dict)
    latest: datetime = BEGIN

    def begin(self, validities: Sequence[int]) -> None:
        """Everything that was there before is gone; two employees and a rule for each certification are there."""
        self.clear()
        with self.store.write() as session:
            employees = [
                Employee(number, number, position="Operator", joined_on=date(2020, 1, 1)) for number in NUMBERS
            ]
            people.record_employees(session, employees, BEGIN.date(), BEGIN)
            for place, code in enumerate(CRITERIA):
                import_rule(session, rule(code, validities[place], validities[place + 3]), "test", BEGIN - 300 * DAY)
            session.add(Course(source="m", course_key="1", object="D", name="D"))
            for person_id in session.scalars(select(Person.id)).all():
                key = str(person_id)
                session.add(Identity(source="m", user_key=key, person_id=person_id, rule="test", bound_at=BEGIN))

    def clear(self) -> None:
        """Empty every table."""
        with self.store.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))

    def do(self, step: Step) -> None:
        """Let the days pass and the thing happen; what is refused does not."""
        self.now += timedelta(days=step.days)
        self.latest = max(self.latest, self.now)
        with suppress(CertBridgeError):
            getattr(self, step.kind)(*step.given)
        if step.derived:
            self.derive()

    # What may happen --------------------------------------------------------------------------------------------------

    def evidence(self, who: int, kind: str, which: int, ago: int, percent: int, known: int) -> None:
        """A piece achieved `ago` days ago (below nothing: to come) arrives, recorded `known` days ago."""
        person = self._person(who)
        names = OBJECTS[kind]
        with self.store.write() as session:
            number = (session.scalar(select(func.count()).select_from(Evidence)) or 0) + 1
            row = Evidence(
                person_id=person, origin=f"t:{number}", source="m", user_key="7", kind=kind, object=names[which % len(names)],
                achieved_at=self.now - ago * DAY, recorded_at=self.now - known * DAY, percent=Decimal(percent),
                hours=Decimal(3), expires_at=self.now - ago * DAY + 50 * DAY if kind == "award" else None,
            )  # fmt: skip
            session.add(row)
            people.touch(session, [person])

    def void(self, which: int, again: int) -> None:
        """A standing piece is voided; with `again`, another mark of the same takes its place at that moment."""
        with self.store.write() as session:
            standing_ = session.scalars(
                select(Evidence).where(Evidence.voided_at.is_(None)).order_by(Evidence.id)
            ).all()
            if not standing_:
                return
            row = standing_[which % len(standing_)]
            row.voided_at, row.void_reason = self.now, "test"
            session.flush()
            if again:
                copied = {column.name: getattr(row, column.name) for column in Evidence.__table__.columns}
                copied |= {"id": None, "voided_at": None, "void_reason": None, "recorded_at": self.now}
                session.add(Evidence(**copied | {"percent": Decimal(again)}))
            people.touch(session, [row.person_id])

    def version(self, which: int, criterion: int, validity: int, ahead: int) -> None:
        """A new version of a rule, from a day so many days ahead."""
        code = list(CRITERIA)[which]
        with self.store.write() as session:
            day = (self.now + ahead * DAY).astimezone(SHANGHAI).date()
            import_rule(session, rule(code, criterion, validity, day), "test", self.now)

    def require(self, which: int, ahead: int, due: int) -> None:
        """A certification is a duty of everybody, from a day ahead, due some days after that."""
        starts = (self.now + ahead * DAY).astimezone(SHANGHAI).date()
        wanted = Requirement(
            certification=list(CRITERIA)[which], kind="duty", position_code="Operator", starts_on=starts,
            due_on=starts + due * DAY,
        )  # fmt: skip
        with self.store.write() as session:
            add_requirement(session, wanted, "test", self.now)

    def decide(self, kind: str, who: int, which: int, ahead: int, lasts: int) -> None:
        """Somebody exempts, revokes or reinstates."""
        starts = self.now + ahead * DAY if kind == "exempt" else None
        ends = self.now + (ahead + lasts) * DAY if kind == "exempt" else None
        wish = Wish(kind, NUMBERS[who], list(CRITERIA)[which], "a reason", starts, ends)
        with self.store.write() as session:
            decisions.decide(session, wish, By("hana", "hr"), self.now)

    def withdraw(self, which: int) -> None:
        """An exemption is taken back."""
        with self.store.write() as session:
            rows = session.scalars(select(Decision).where(Decision.kind == "exempt").order_by(Decision.id)).all()
            if rows:
                decisions.withdraw(session, rows[which % len(rows)].id, "a reason", By("hana", "hr"), self.now)

    def regrade(self, which: int) -> None:
        """The newest version of a rule is applied to what older ones granted."""
        with self.store.write() as session:
            regrade(session, list(CRITERIA)[which], None, "test", "a reason", self.now)

    def enrol(self, who: int, leaves: int) -> None:
        """Somebody is enrolled in the course D, or leaves it."""
        key = str(self._person(who))
        with self.store.write() as session:
            row = session.scalars(select(Enrolment).where(Enrolment.user_key == key)).first()
            if row is None:
                session.add(Enrolment(source="m", course_key="1", user_key=key, active=True, first_seen_at=self.now))
            else:
                row.active = not leaves
            people.touch(session, [int(key)])

    def derive(self) -> None:
        """Whoever is concerned is derived; what HR hears fits what changed, and no more."""
        before = self.states()
        with self.store.read() as session:
            seen = set(session.scalars(select(Event.id)))
        derive_due(self.store, lambda: self.now, TERMS)
        with self.store.read() as session:
            query = select(Event).where(Event.type.like("certification.%")).order_by(Event.person_id, Event.sequence)
            new = [event for event in session.scalars(query) if event.id not in seen]
        states, after = self.states(), self.holdings()
        told = [(event.type, event.subject) for event in new]
        assert len(told) == len(set(told)), "something is told twice"
        for event in new:
            self.told[event.subject] = event
            _, number, code = event.subject.split(":")
            assert before.get((number, code)) != states.get((number, code)), f"{event.type}, and nothing changed"
        for (number, code), row in after.items():
            event_ = self.told.get(f"certification:{number}:{code}")
            if row.award_id is not None or row.status == "exempt":
                assert event_ is not None, f"HR was never told that {number} is {row.status} of {code}"
                assert (event_.data["status"], event_.data["award_id"]) == (row.status, row.award_id)
                assert event_.data["valid_until"] == (row.valid_until and _iso(row.valid_until))
            elif event_ is not None:
                assert event_.data["award_id"] is None

    # What is there ----------------------------------------------------------------------------------------------------

    def holdings(self) -> dict[tuple[str, str], Holding]:
        """Where everybody stands, by number and certification."""
        with self.store.read() as session:
            rows = session.execute(select(Person.employee_number, Holding).join(Person, Person.id == Holding.person_id))
            return {(number, row.certification): row for number, row in rows}

    def states(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """The holding and the awards of everybody, by number and certification."""
        found, result = {}, self.result()
        with self.store.read() as session:
            ids = dict(session.execute(select(Person.employee_number, Person.id)).all())
        for (number, code), row in result["holdings"].items():
            found[number, code] = (row[:-1], [award for award in result["awards"] if award[:2] == (ids[number], code)])
        return found

    def result(self) -> dict[str, Any]:
        """Awards by their numbers and holdings; one that says nothing is as good as none."""
        with self.store.read() as session:
            awards = session.scalars(select(Award).order_by(Award.person_id, Award.certification, Award.number)).all()
        numbers = {award.id: award.number for award in awards}
        return {
            "awards": [
                (a.person_id, a.certification, a.number, a.achieved_at, a.valid_from, a.valid_until, a.basis, a.rule_version,
                 tuple(a.evidence), a.revoked_at)
                for a in awards
            ],
            "holdings": {
                key: (row.status, row.since, row.achieved_at, row.valid_from, row.valid_until, row.rule_version,
                      numbers[row.award_id] if row.award_id else None, row.required, row.next_change_at)
                for key, row in sorted(self.holdings().items())
                if (row.status, row.required, row.next_change_at) != ("not_started", False, None)
            },
        }  # fmt: skip

    def pure(self) -> dict[str, Any]:
        """The same from nothing but what was put in, by the functions that know no store."""
        awards: list[tuple[Any, ...]] = []
        holdings: dict[tuple[str, str], tuple[Any, ...]] = {}
        with self.store.read() as session:
            books = load_books(session, SHANGHAI)
            for person in session.scalars(select(Person).order_by(Person.id)):
                pieces = self._pieces(session, person.id)
                decided = decisions.of_people(session, [person.id])
                required = duties(session, [person.id], self.now.astimezone(SHANGHAI).date(), SHANGHAI).get(
                    person.id, []
                )
                others: dict[str, list[Held]] = {}
                for code, book in books.items():
                    mine = decided.get((person.id, code), [])
                    counted = decisions.counted(pieces, mine, self.now)
                    found = derive(book, counted, self.now, others)
                    exempt = decisions.exemption(mine, self.now)
                    holds = [duty for duty in required if duty.certification == code and duty.holds]
                    where = standing(
                        book.known(self.now), found, counted, self.now, holdings=others,
                        exempt_from=exempt.starts_at if exempt else None, exempt_until=exempt.ends_at if exempt else None,
                        required_due_at=min((duty.overdue_from for duty in holds if duty.overdue_from), default=None),
                    )  # fmt: skip
                    awards += [(person.id, code, *_plain(award)) for award in found]
                    award = where.award
                    holdings[person.employee_number, code] = (
                        str(where.status), where.since, where.achieved_at, award and award.valid_from,
                        award and award.valid_until, award and award.rule_version, award and award.number, bool(holds),
                    )  # fmt: skip
                    others[code] = held(book, found, counted, self.now, others)
        return {"awards": sorted(awards, key=lambda row: row[:3]), "holdings": holdings}

    def _pieces(self, session: Any, person_id: int) -> list[Piece]:
        found = [
            Piece(**{name: getattr(row, name) for name in cases.PIECE})
            for row in session.scalars(select(Evidence).where(Evidence.person_id == person_id))
        ]
        for row in session.scalars(select(Enrolment).where(Enrolment.user_key == str(person_id), Enrolment.active)):
            found.append(Piece(-row.id, "enrolled", "m", "D", row.first_seen_at, row.first_seen_at))
        return found

    def _person(self, who: int) -> int:
        with self.store.read() as session:
            return session.scalars(select(Person.id).where(Person.employee_number == NUMBERS[who])).one()

    def copied_to(self, other: Store) -> "World":
        """Another store into which everything that was put into this one is put at once."""
        fresh = World(other, self.now)
        fresh.clear()
        with self.store.read() as source, other.write() as target:
            for model in INPUTS:
                rows = [dict(row) for row in source.execute(select(model.__table__)).mappings()]
                if rows:
                    target.execute(insert(model), rows)
            target.execute(update(Person).values(event_sequence=0))
            people.touch_all(target)
        return fresh

    def touch_all(self) -> None:
        """Everybody is looked at again."""
        with self.store.write() as session:
            people.touch_all(session)


def _plain(award: DerivedAward) -> tuple[Any, ...]:
    return (
        award.number, award.achieved_at, award.valid_from, award.valid_until, award.basis, award.rule_version,
        tuple(award.used), award.revoked_at,
    )  # fmt: skip


def _iso(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat()
