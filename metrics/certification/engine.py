"""The engine on the store: derives where people stand, and writes down what changed, for the persons concerned only.

Persons are concerned when something about them was recorded (they are touched) or when time changes their status (a
holding's `next_change_at`). Each batch is one transaction: awards, their changes, holdings, promotion records and
events together. What a person's evidence says is derived from all of it, voided pieces included, so that the result
does not depend on how it came in; what differs from the store is a change.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import promotion
from metrics.certification.cases import PersonCase, load_cases, load_sorted
from metrics.certification.chain import Rulebook, derive
from metrics.certification.changes import Changes, Stored, Terms, load_awards, load_stored
from metrics.certification.evidence import Piece
from metrics.certification.models import Holding
from metrics.certification.regrades import RULES
from metrics.certification.rules import load_books, objects_of
from metrics.certification.status import Status, standing
from metrics.certification.unchanged import inputs_of, mark_of, to_derive
from plugin import people
from plugin.events import append_events, lock_people
from plugin.schedules import Clock
from plugin.store import Store, hold

__all__ = ["PersonCase", "Terms", "decide", "derive_due", "derive_people", "load_cases"]

BATCH = 1000


def derive_due(store: Store, clock: Clock, terms: Terms) -> int:
    """Derive everybody who is touched or due, batch by batch; the number of events that HR is told.

    Several processes may do so at once on PostgreSQL: each takes touched persons that no other has.
    """
    events = 0
    while True:
        with store.write() as session, _no_collecting():
            hold(session, RULES, shared=True)
            now = clock()
            if concerned := people.untouch(session, BATCH):
                events += derive_people(session, concerned, now, terms)
            elif due := _due(session, now):
                events += derive_people(session, sorted(due), now, terms, due)
            else:
                return events


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without looking for cycles of garbage: a batch makes many objects, all of which live until its end, and no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _due(session: Session, now: datetime) -> dict[int, set[str]]:
    """The certifications that time changes, by person; of as many as one batch takes, those longest due."""
    columns = select(Holding.person_id, Holding.certification)
    due: dict[int, set[str]] = {}
    for person_id, code in session.execute(
        columns.where(Holding.next_change_at <= now).order_by(Holding.next_change_at).limit(BATCH)
    ):
        due.setdefault(person_id, set()).add(code)
    return due


def derive_people(
    session: Session, person_ids: Sequence[int], now: datetime, terms: Terms, only: Mapping[int, set[str]] | None = None
) -> int:
    """Derive these persons as of `now` and store what changed; the number of events appended.

    `only` names certifications by person where nothing else about them can have changed; without it, what the store
    says of the others' inputs is compared. Who was derived later than now already, because the clock was put back since,
    is derived as of that moment again: what is known is not forgotten.
    """
    lock_people(session, person_ids)
    batch = _Batch(session, load_books(session, terms.zone), load_stored(session, person_ids, now), terms, only)
    events = sum(batch.derive([each], moment) for each, moment in batch.stored.ahead.items())
    return events + batch.derive([each for each in person_ids if each not in batch.stored.ahead], now)


class _Batch:
    """Persons who are derived in one transaction by the same rules."""

    def __init__(
        self,
        session: Session,
        books: dict[str, Rulebook],
        stored: Stored,
        terms: Terms,
        only: Mapping[int, set[str]] | None,
    ) -> None:
        self.session = session
        self.books = books
        self.stored = stored
        self.terms = terms
        self.only = only
        self.marks = {code: mark_of(book) for code, book in books.items()}
        self.together = {code: _together(code, books) for code in books}

    def derive(self, person_ids: Sequence[int], now: datetime) -> int:
        """Derive these of them as of `now` and store what changed; the number of events appended."""
        cases = load_sorted(self.session, person_ids, self.books, now, self.terms.zone)
        wanted = {each: self._wanted(case, now) for each, case in cases.items()}
        whole = [each for each, codes in wanted.items() if len(codes) == len(self.books)]
        some = [(each, code) for each, codes in wanted.items() if len(codes) < len(self.books) for code in codes]
        load_awards(self.session, self.stored, whole, some)
        changes = Changes(self.session, now, self.terms)
        for case in cases.values():
            codes = wanted[case.person_id]
            mine = {code: book for code, book in self.books.items() if code in codes}
            known = {code for code in mine if self.stored.has(case.person_id, code)}
            _decide_all(case, mine, now, known)
            foreseen = _foreseen(case, mine, now, known)
            for code in case.standings:
                inputs = inputs_of(case, code, self.marks[code])
                changes.note(case, code, self.stored, foreseen.get(code), inputs)
        changes.write()
        told = promotion.answer_open(self.session, cases, self.books, now, self.terms.zone)
        append_events(self.session, [*changes.events, *told], now)
        return len(changes.events) + len(told)

    def _wanted(self, case: PersonCase, now: datetime) -> set[str]:
        """The certifications of a person that are to be derived, with all that belong together with them."""
        if self.only is not None:
            codes = self.only[case.person_id] | case.wanted
        else:
            codes = to_derive(case, self.books, self.marks, self.stored.holdings, now)
        return {each for code in codes for each in self.together.get(code, ())}


def _together(code: str, books: Mapping[str, Rulebook]) -> set[str]:
    """The certification with those whose rules look at it, and with all that these look at, however far."""
    found = {code}
    while more := {other for other, book in books.items() if other not in found and book.criteria.codes & found}:
        found |= more
    while more := {other for each in found for other in books[each].criteria.codes & books.keys()} - found:
        found |= more
    return found


def _decide_all(case: PersonCase, books: Mapping[str, Rulebook], at: datetime, known: set[str]) -> None:
    for code, book in books.items():
        decide(case, code, book, at, code in known)


def decide(case: PersonCase, code: str, book: Rulebook, at: datetime, known: bool) -> None:
    """Derive one certification of one person as of `at`; nothing, where nothing concerns it."""
    duties = case.duties.get(code, [])
    if not (known or duties or code in case.wanted or code in case.decided or _has_something(case, code, book)):
        return
    case.derived[code] = book, at
    holdings, pieces, exemption = case.holdings(code), case.counted(code, at), case.exemption(code, at)
    awards = derive(book, pieces, at, holdings)
    due = min((duty.overdue_from for duty in duties if duty.holds and duty.overdue_from is not None), default=None)
    case.awards[code] = awards
    case.standings[code] = standing(
        book.known(at),
        awards,
        pieces,
        at,
        holdings=holdings,
        exempt_from=exemption.starts_at if exemption else None,
        exempt_until=exemption.ends_at if exemption else None,
        required_due_at=due,
    )


def _has_something(case: PersonCase, code: str, book: Rulebook) -> bool:
    if any(case.awards.get(other) for other in book.criteria.codes):
        return True  # by another certification alone, perhaps
    return concerns(book, case.pieces) if case.by_code is None else code in case.by_code


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


# What time will bring beside the dates of awards ----------------------------------------------------------------------


def _foreseen(case: PersonCase, books: Mapping[str, Rulebook], now: datetime, known: set[str]) -> dict[str, datetime]:
    """When what is recorded already, but counts only later, changes awards or status first, by certification.

    That is evidence dated later than now, a version of a rule whose day is to come, the end of another certification on
    which somebody is in progress, and the end of an award after which an older one still holds. Most people have none of
    these; for the others each such moment is looked at.
    """
    found: dict[str, datetime] = {}
    announced: dict[str, datetime] = {}  # what is then known to come
    for moment in sorted(_pending(case, books, now)):
        then = replace(case, awards={}, standings={})
        _decide_all(then, books, moment, known)
        for code in then.standings.keys() - found.keys():
            if code not in case.standings or _differs(case, then, code):
                found[code] = min(moment, announced.get(code, moment))
            elif (later := then.standings[code].next_change_at) is not None:
                announced[code] = min(later, announced.get(code, later))
    return announced | found


def _differs(case: PersonCase, then: PersonCase, code: str) -> bool:
    before, after = case.standings[code], then.standings[code]
    if case.awards[code] != then.awards[code]:
        return True
    return (before.status, before.since, before.award) != (after.status, after.since, after.award)


def _pending(case: PersonCase, books: Mapping[str, Rulebook], now: datetime) -> set[datetime]:
    """Moments to come at which something that is recorded begins or ceases to count."""
    moments = {
        moment
        for piece in case.pieces
        for moment in (piece.achieved_at, piece.recorded_at, piece.voided_at)
        if moment is not None and moment > now
    }
    for rows in case.decided.values():
        moments |= {moment for row in rows for moment in (row.decided_at, row.withdrawn_at) if moment and moment > now}
    for code, where in case.standings.items():
        book = books[code]
        moments |= {moment for moment in (*book.learnt, *book.turns) if moment > now}
        ends_at = where.award.valid_until if where.award is not None else None
        if ends_at is not None and ends_at > now and any(award.holds_at(ends_at) for award in case.awards[code]):
            moments.add(ends_at)
        if where.status is Status.IN_PROGRESS and book.criteria.codes:
            ends = (each.ends for found in case.holdings(code).values() for each in found)
            moments |= {moment for moment in ends if moment is not None and moment > now}
    return moments
