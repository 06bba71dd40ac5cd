"""The engine on the store: derives where people stand, and writes down what changed, for the persons concerned only.

Persons are concerned when something about them was recorded (they are touched) or when time changes their status (a
holding's `next_change_at`). Each batch is one transaction: awards, their changes, holdings, promotion records and
events together. What a person's evidence says is derived from all of it, voided pieces included, so that the result
does not depend on how it came in; what differs from the store is a change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from connectors.models import Course, Enrolment, Evidence, Identity
from metrics.certification import decisions, promotion, requirements
from metrics.certification.chain import Award, Rulebook, derive
from metrics.certification.criteria import Interval
from metrics.certification.evidence import Piece
from metrics.certification.models import Award as StoredAward
from metrics.certification.models import AwardChange, Decision, Holding
from metrics.certification.requirements import Duty
from metrics.certification.rules import load_books, objects_of
from metrics.certification.status import Standing, Status, standing
from plugin import people
from plugin.events import EventDraft, append_events, lock_people
from plugin.models import Person
from plugin.moments import Duration, in_zone_iso, subtract
from plugin.schedules import Clock
from plugin.store import Store, chunks, upsert

BATCH = 200

# Statuses that time brings, each with an event of its own.
BY_CLOCK = {Status.RENEWAL_DUE, Status.GRACE, Status.EXPIRED}


@dataclass(frozen=True)
class Terms:
    """What deriving depends on beside the store: the zone, what is news, and where explanations stand."""

    zone: ZoneInfo
    live_within: Duration
    public_url: str = ""


@dataclass
class PersonCase:
    """One person with everything that is derived about them."""

    person_id: int
    number: str
    pieces: list[Piece] = field(default_factory=list)
    decided: dict[str, list[Decision]] = field(default_factory=dict)
    duties: dict[str, list[Duty]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    awards: dict[str, list[Award]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)

    def counted(self, code: str, at: datetime) -> list[Piece]:
        """The pieces as they count for the certification at `at`: without what a revocation has ended."""
        decided = self.decided.get(code)
        return decisions.counted(self.pieces, decided, at) if decided else self.pieces

    def exemption(self, code: str, at: datetime) -> decisions.Exemption | None:
        """The exemption from the certification that holds at `at`, else the next."""
        return decisions.exemption(self.decided.get(code, ()), at)

    def holdings(self, besides: str) -> dict[str, list[Interval]]:
        """When the person holds the other certifications, for rules that ask for one."""
        return {
            code: [(award.valid_from, award.valid_until) for award in awards]
            for code, awards in self.awards.items()
            if code != besides
        }


def derive_due(store: Store, clock: Clock, terms: Terms) -> int:
    """Derive everybody who is touched or due, batch by batch; the number of events that HR is told."""
    events = 0
    while True:
        with store.write() as session:
            now = clock()
            concerned = people.untouch(session, BATCH) or _due(session, now)
            if not concerned:
                return events
            events += derive_people(session, concerned, now, terms)


def _due(session: Session, now: datetime) -> list[int]:
    due = select(Holding.person_id).where(Holding.next_change_at <= now).order_by(Holding.next_change_at).limit(BATCH)
    return sorted(set(session.scalars(due)))


def derive_people(session: Session, person_ids: Sequence[int], now: datetime, terms: Terms) -> int:
    """Derive these persons as of `now` and store what changed; the number of events appended."""
    lock_people(session, person_ids)
    books = load_books(session, terms.zone)
    cases = load_cases(session, person_ids, books, now, terms.zone)
    stored = _stored(session, person_ids)
    changes = _Changes(session, now, terms)
    for case in cases.values():
        for code, book in books.items():
            decide(case, code, book, now, stored.has(case.person_id, code))
            changes.note(case, code, stored)
    changes.write()
    promotion_events = promotion.answer_open(session, cases, books, now, terms.zone)
    append_events(session, [*changes.events, *promotion_events], now)
    return len(changes.events) + len(promotion_events)


def decide(case: PersonCase, code: str, book: Rulebook, at: datetime, known: bool) -> None:
    """Derive one certification of one person as of `at`; nothing, where nothing concerns it."""
    duties = case.duties.get(code, [])
    if not (known or duties or code in case.wanted or code in case.decided or concerns(book, case.pieces)):
        return
    book = book.known(at)
    holdings, pieces, exemption = case.holdings(code), case.counted(code, at), case.exemption(code, at)
    awards = derive(book, pieces, at, holdings)
    due = min((duty.due_at for duty in duties if duty.holds and duty.due_at is not None), default=None)
    case.awards[code] = awards
    case.standings[code] = standing(
        book,
        awards,
        pieces,
        at,
        holdings=holdings,
        exempt_from=exemption.starts_at if exemption else None,
        exempt_until=exemption.ends_at if exemption else None,
        required_due_at=due,
    )


def concerns(book: Rulebook, pieces: Iterable[Piece]) -> bool:
    """Whether any of the pieces is what the rule looks at, an enrolment in its course among them."""
    objects = objects_of(book)
    courses = {name for kind, name in objects}
    return any(
        (piece.kind, piece.object) in objects
        or (piece.kind == "enrolled" and piece.object in courses)
        or (piece.kind == "hours" and {("hours", piece.course), ("hours", piece.category)} & objects)
        for piece in pieces
    )


def load_cases(
    session: Session, person_ids: Sequence[int], books: dict[str, Rulebook], now: datetime, zone: ZoneInfo
) -> dict[int, PersonCase]:
    """These persons with their evidence, enrolments and duties, and what their promotion records ask for."""
    cases: dict[int, PersonCase] = {}
    for ids in chunks(person_ids):
        for person_id, number in session.execute(select(Person.id, Person.employee_number).where(Person.id.in_(ids))):
            cases[person_id] = PersonCase(person_id, number)
        for row in session.scalars(select(Evidence).where(Evidence.person_id.in_(ids)).order_by(Evidence.id)):
            cases[row.person_id].pieces.append(_piece(row))
        for person_id, enrolment, course in session.execute(_enrolments(ids)):
            cases[person_id].pieces.append(_enrolled(enrolment, course))
    for (person_id, code), rows in decisions.of_people(session, list(cases)).items():
        cases[person_id].decided[code] = rows
    today = now.astimezone(zone).date()
    for person_id, duties in requirements.duties(session, list(cases), today, zone).items():
        for duty in duties:
            cases[person_id].duties.setdefault(duty.certification, []).append(duty)
    for person_id, codes in promotion.asked_for(session, list(cases)).items():
        cases[person_id].wanted |= codes & books.keys()
    return dict(sorted(cases.items()))


def _enrolments(person_ids: list[int]) -> Any:
    """The standing enrolments of these persons, with their courses."""
    return (
        select(Identity.person_id, Enrolment, Course)
        .join(Enrolment, (Enrolment.source == Identity.source) & (Enrolment.user_key == Identity.user_key))
        .join(Course, (Course.source == Enrolment.source) & (Course.course_key == Enrolment.course_key))
        .where(Identity.person_id.in_(person_ids), Identity.unbound_at.is_(None))
        .where(Enrolment.active, Enrolment.closed_at.is_(None))
        .order_by(Enrolment.id)
    )


def _piece(row: Evidence) -> Piece:
    return Piece(
        id=row.id,
        kind=row.kind,
        source=row.source,
        object=row.object,
        achieved_at=row.achieved_at,
        recorded_at=row.recorded_at,
        voided_at=row.voided_at,
        percent=row.percent,
        success=row.success,
        verb=row.verb,
        level=row.level,
        hours=row.hours,
        course=row.course,
        category=row.category,
        expires_at=row.expires_at,
    )


def _enrolled(enrolment: Enrolment, course: Course) -> Piece:
    """An enrolment as the engine sees it; it is no evidence, so its id is below those of evidence."""
    seen = enrolment.first_seen_at
    return Piece(-enrolment.id, "enrolled", enrolment.source, course.object, seen, seen, course=course.object)


# What changed ---------------------------------------------------------------------------------------------------------


@dataclass
class _Stored:
    """What the store holds about some persons, by person and certification."""

    awards: dict[tuple[int, str], dict[int, StoredAward]]
    holdings: dict[tuple[int, str], Holding]

    def has(self, person_id: int, code: str) -> bool:
        return (person_id, code) in self.holdings or (person_id, code) in self.awards


def _stored(session: Session, person_ids: Sequence[int]) -> _Stored:
    stored = _Stored({}, {})
    for ids in chunks(person_ids):
        for award in session.scalars(select(StoredAward).where(StoredAward.person_id.in_(ids))):
            stored.awards.setdefault((award.person_id, award.certification), {})[award.number] = award
        for holding in session.scalars(select(Holding).where(Holding.person_id.in_(ids))):
            stored.holdings[holding.person_id, holding.certification] = holding
    return stored


@dataclass
class _Changes:
    """Collects what differs from the store, to write it in a few statements."""

    session: Session
    now: datetime
    terms: Terms
    events: list[EventDraft] = field(default_factory=list)
    new_awards: list[dict[str, Any]] = field(default_factory=list)
    award_updates: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    holdings: list[dict[str, Any]] = field(default_factory=list)

    def note(self, case: PersonCase, code: str, stored: _Stored) -> None:
        """Compare one certification of one person with the store."""
        if code not in case.standings:
            return
        now_standing = case.standings[code]
        before = stored.holdings.get((case.person_id, code))
        award_ids, changes = self._awards(case, code, stored.awards.get((case.person_id, code), {}))
        holding = self._holding(case, code, now_standing, award_ids)
        if before is None or any(getattr(before, name) != value for name, value in holding.items()):
            self.holdings.append(holding)
        for type_, reason in _news(now_standing, before, changes, award_ids):
            self.events.append(self._event(case, code, holding, type_, reason))

    def write(self) -> None:
        """Store everything noted."""
        if self.new_awards:
            self.session.execute(insert(StoredAward), self.new_awards)
        if self.award_updates:
            self.session.execute(update(StoredAward), self.award_updates)
        if self.history:
            self.session.execute(insert(AwardChange), self.history)
        upsert(self.session, Holding, self.holdings, ["person_id", "certification"])

    def _awards(
        self, case: PersonCase, code: str, known: dict[int, StoredAward]
    ) -> tuple[dict[int, str], dict[int, tuple[str, str]]]:
        """The ids of the awards by number, and what was done, and why, to those that changed."""
        ids = {number: award.id for number, award in known.items()}
        changes: dict[int, tuple[str, str]] = {}
        for award in case.awards[code]:
            row = {
                "achieved_at": award.achieved_at,
                "valid_from": award.valid_from,
                "valid_until": award.valid_until,
                "basis": award.basis,
                "rule_version": award.rule_version,
                "evidence": list(award.used),
                "revoked_at": award.revoked_at,
            }
            old = known.get(award.number)
            before = {name: getattr(old, name) for name in row} if old is not None else None
            if before == row:
                continue
            changes[award.number] = self._what_and_why(case, code, award, old)
            if old is None:
                ids[award.number] = str(ULID.from_datetime(self.now))
                identity = {"person_id": case.person_id, "certification": code, "number": award.number}
                self.new_awards.append({"id": ids[award.number], **identity, **row, "recorded_at": self.now})
            else:
                self.award_updates.append({"id": old.id, **row})
            self.history.append(
                {
                    "at": self.now,
                    "person_id": case.person_id,
                    "certification": code,
                    "award_id": ids[award.number],
                    "change": changes[award.number][0],
                    "reason": changes[award.number][1],
                    "before": _as_json(before, self.terms.zone) if before else None,
                    "after": _as_json(row, self.terms.zone),
                }
            )
        return ids, changes

    def _what_and_why(self, case: PersonCase, code: str, award: Award, old: StoredAward | None) -> tuple[str, str]:
        """What happened to an award that is not in the store as it is now, and for which reason."""
        decided = case.decided.get(code, ())
        if award.revoked_at is not None and (old is None or old.revoked_at is None):
            by_decision = decisions.revoked_at(decided, award.revoked_at) is not None
            return "revoked", "decided" if by_decision else "evidence voided"
        if old is None and _is_granted_again(case, code, award, self.now):
            return "reinstated", "decided"
        if old is not None:
            voided = {piece.id for piece in case.pieces if piece.voided_at is not None}
            return "amended", "evidence voided" if voided.intersection(old.evidence) else "late evidence"
        change = "renewed" if _renews(case.awards[code], award) else "awarded"
        if award.basis == "imported":
            return change, "imported"
        if not self._is_live(award.achieved_at):
            return change, "late evidence"
        return change, "earned" if change == "awarded" else "renewed"

    def _holding(self, case: PersonCase, code: str, where: Standing, award_ids: dict[int, str]) -> dict[str, Any]:
        duties = case.duties.get(code, [])
        moments = [where.next_change_at, *(duty.changes_at for duty in duties)]
        return {
            "person_id": case.person_id,
            "certification": code,
            "status": str(where.status),
            "since": where.since,
            "achieved_at": where.achieved_at,
            "valid_from": where.award.valid_from if where.award else None,
            "valid_until": where.award.valid_until if where.award else None,
            "award_id": award_ids[where.award.number] if where.award else None,
            "rule_version": where.award.rule_version if where.award else None,
            "required": any(duty.holds for duty in duties),
            "next_change_at": min((moment for moment in moments if moment is not None), default=None),
        }

    def _event(self, case: PersonCase, code: str, holding: dict[str, Any], type_: str, reason: str) -> EventDraft:
        """The event with the whole state of its subject (the contract with HR, docs/webhooks.md)."""
        took_effect = holding["since"] if type_.rpartition(".")[2] in BY_CLOCK else holding["achieved_at"]
        backfill = took_effect is not None and not self._is_live(took_effect)
        link = f"{self.terms.public_url.rstrip('/')}/people/{case.number}/certifications/{code}"
        data = {
            "employee_number": case.number,
            "certification": code,
            "status": holding["status"],
            "valid_from": _moment(holding["valid_from"], self.terms.zone),
            "valid_until": _moment(holding["valid_until"], self.terms.zone),
            "award_id": holding["award_id"],
            "rule_version": holding["rule_version"],
            "reason": reason,
            "backfill": backfill,
            "links": {"explanation": link},
        }
        return EventDraft(case.person_id, type_, f"certification:{case.number}:{code}", data, backfill)

    def _is_live(self, moment: datetime) -> bool:
        return moment >= subtract(self.now, self.terms.live_within, self.terms.zone)


def _renews(awards: Sequence[Award], award: Award) -> bool:
    """Whether an earlier award, not revoked, was still held when this one was achieved (basis says so except for achieved)."""
    earlier = [
        each
        for each in awards
        if each.number != award.number and each.achieved_at < award.achieved_at and not each.revoked_at
    ]
    if not earlier:
        return False
    last = max(earlier, key=lambda each: each.achieved_at)
    return last.valid_until is None or award.achieved_at < last.valid_until


def _is_granted_again(case: PersonCase, code: str, award: Award, now: datetime) -> bool:
    """Whether the award is one that a decision had revoked and another one reinstated."""
    if decisions.reinstated(case.decided.get(code, ()), award.achieved_at, now) is None:
        return False
    return any(
        each.revoked_at is not None and each.achieved_at == award.achieved_at and each.number < award.number
        for each in case.awards[code]
    )


def _news(
    where: Standing,
    before: Holding | None,
    changes: dict[int, tuple[str, str]],
    award_ids: dict[int, str],
) -> list[tuple[str, str]]:
    """The types of event that HR hears about this certification, with their reasons: first the award, then the clock.

    What was already over when it was first derived is history, not news: only the award that decides the status counts.
    """
    news: list[tuple[str, str]] = []
    award = where.award
    change = changes.get(award.number) if award is not None else None
    if change is not None:
        news.append((f"certification.{change[0]}", change[1]))
    elif award is not None and before is not None and before.award_id not in {None, award_ids[award.number]}:
        # Another award decides again, without having changed itself.
        news.append(("certification.amended", "evidence voided"))
    moved = (
        before is None or before.status != where.status or (change is not None and change[0] in {"awarded", "renewed"})
    )
    if moved and where.status in BY_CLOCK:
        news.append((f"certification.{where.status}", "time"))
    if moved and where.status is Status.EXEMPT:
        news.append(("certification.exempted", "decided"))
    if before is not None and before.status == Status.EXEMPT and moved and not news:
        news.append(("certification.amended", "exemption ended"))
    return news


def _moment(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return in_zone_iso(moment, zone) if moment is not None else None


def _as_json(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    return {name: _moment(value, zone) if isinstance(value, datetime) else value for name, value in row.items()}
