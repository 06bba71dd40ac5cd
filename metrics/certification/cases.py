"""Persons with everything that is derived about them: their evidence, what was decided, what is required of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from connectors.models import Course, Enrolment, Evidence, Identity
from metrics.certification import decisions, duties, promotion
from metrics.certification.chain import Award, Rulebook, held
from metrics.certification.criteria import Held
from metrics.certification.duties import Duty
from metrics.certification.evidence import Piece
from metrics.certification.models import Decision
from metrics.certification.rules import objects_of
from metrics.certification.status import Standing
from plugin.models import Person
from plugin.store import chunks

PIECE = (
    "id", "kind", "source", "object", "achieved_at", "recorded_at", "voided_at", "percent", "success", "verb", "level",
    "hours", "course", "category", "expires_at", "authority",
)  # fmt: skip
MANY_OBJECTS = 500  # above that the database is not asked to look for the objects of the rules


@dataclass
class PersonCase:
    """One person with everything that is derived about them.

    `by_code` are their pieces by the certification whose rule looks at them, where they were sorted so.
    """

    person_id: int
    number: str
    pieces: list[Piece] = field(default_factory=list)
    decided: dict[str, list[Decision]] = field(default_factory=dict)
    duties: dict[str, list[Duty]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    awards: dict[str, list[Award]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    by_code: dict[str, list[Piece]] | None = None
    derived: dict[str, tuple[Rulebook, datetime]] = field(default_factory=dict, init=False)
    _held: dict[str, list[Held]] = field(default_factory=dict, init=False)

    def counted(self, code: str, at: datetime) -> list[Piece]:
        """The pieces as they count for the certification at `at`: without what a revocation has ended."""
        pieces = self.pieces if self.by_code is None else self.by_code.get(code, [])
        decided = self.decided.get(code)
        return decisions.counted(pieces, decided, at) if decided else pieces

    def exemption(self, code: str, at: datetime) -> decisions.Exemption | None:
        """The exemption from the certification that holds at `at`, else the next."""
        decided = self.decided.get(code)
        return decisions.exemption(decided, at) if decided else None

    def holdings(self, besides: str) -> dict[str, list[Held]]:
        """When the person holds the certifications that this one's rule looks at, and since when that is known."""
        wanted = self.derived[besides][0].criteria.codes if besides in self.derived else self.awards.keys()
        return {code: self._when_held(code) for code in wanted if code != besides and code in self.awards}

    def _when_held(self, code: str) -> list[Held]:
        if code not in self._held:
            book, at = self.derived[code]
            self._held[code] = held(book, self.awards[code], self.counted(code, at), at, self.holdings(code))
        return self._held[code]


def load_cases(
    session: Session, person_ids: Sequence[int], books: dict[str, Rulebook], now: datetime, zone: ZoneInfo
) -> dict[int, PersonCase]:
    """These persons with their evidence, enrolments and duties, and what their promotion records ask for."""
    return _load(session, person_ids, books, now, zone, None)


def load_sorted(
    session: Session, person_ids: Sequence[int], books: dict[str, Rulebook], now: datetime, zone: ZoneInfo
) -> dict[int, PersonCase]:
    """The same with only those pieces that one of the rules looks at, sorted to the certifications."""
    looked_at: dict[tuple[str, str], list[str]] = {}
    for code, book in books.items():
        objects = objects_of(book)
        for key in objects | {("enrolled", name) for _, name in objects}:
            looked_at.setdefault(key, []).append(code)
    cases = _load(session, person_ids, books, now, zone, {name for _, name in looked_at})
    for case in cases.values():
        case.by_code = _sorted(case.pieces, looked_at)
    return cases


def _sorted(pieces: Iterable[Piece], looked_at: dict[tuple[str, str], list[str]]) -> dict[str, list[Piece]]:
    by_code: dict[str, list[Piece]] = {}
    for piece in pieces:
        codes: Iterable[str] = looked_at.get((piece.kind, piece.object), ())
        if piece.kind == "hours":
            names = (piece.object, piece.course or "", piece.category or "")
            codes = {code for name in names for code in looked_at.get(("hours", name), ())}
        for code in codes:
            by_code.setdefault(code, []).append(piece)
    return by_code


def _load(
    session: Session,
    person_ids: Sequence[int],
    books: dict[str, Rulebook],
    now: datetime,
    zone: ZoneInfo,
    objects: Collection[str] | None,
) -> dict[int, PersonCase]:
    cases: dict[int, PersonCase] = {}
    for ids in chunks(sorted(person_ids)):
        for person_id, number in session.execute(select(Person.id, Person.employee_number).where(Person.id.in_(ids))):
            cases[person_id] = PersonCase(person_id, number)
    for person_id, piece in _evidence(session, list(cases), objects):
        cases[person_id].pieces.append(piece)
    for ids in chunks(cases):
        for person_id, enrolment, source, course, seen in session.execute(_enrolments(ids)):
            enrolled = Piece(
                -enrolment, "enrolled", source, course, seen, seen, course=course
            )  # no evidence: below its ids
            cases[person_id].pieces.append(enrolled)
    for (person_id, code), rows in decisions.of_people(session, list(cases)).items():
        cases[person_id].decided[code] = rows
    today = now.astimezone(zone).date()
    for person_id, owed in duties.duties(session, list(cases), today, zone, known_at=now).items():
        for duty in owed:
            cases[person_id].duties.setdefault(duty.certification, []).append(duty)
    for person_id, codes in promotion.asked_for(session, list(cases)).items():
        cases[person_id].wanted |= codes & books.keys()
    return dict(sorted(cases.items()))


def _evidence(
    session: Session, person_ids: Sequence[int], objects: Collection[str] | None
) -> Iterable[tuple[int, Piece]]:
    """These persons' pieces in the order of arrival; with `objects` only those about one of them, and all hours."""
    query = select(Evidence.person_id, *(getattr(Evidence, name) for name in PIECE)).order_by(Evidence.id)
    if objects is not None and len(objects) <= MANY_OBJECTS:
        query = query.where(or_(Evidence.object.in_(objects), Evidence.kind == "hours"))
    connection = session.connection()
    for ids in chunks(person_ids):
        for person_id, *values in connection.execute(query.where(Evidence.person_id.in_(ids))).all():
            yield person_id, Piece(*values)


def _enrolments(person_ids: list[int]) -> Any:
    """The standing enrolments of these persons, with their courses."""
    return (
        select(Identity.person_id, Enrolment.id, Enrolment.source, Course.object, Enrolment.first_seen_at)
        .join(Enrolment, (Enrolment.source == Identity.source) & (Enrolment.user_key == Identity.user_key))
        .join(Course, (Course.source == Enrolment.source) & (Course.course_key == Enrolment.course_key))
        .where(Identity.person_id.in_(person_ids), Identity.unbound_at.is_(None))
        .where(Enrolment.active, Enrolment.closed_at.is_(None))
        .order_by(Enrolment.id)
    )
