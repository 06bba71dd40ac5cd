"""What HR proposes: promotion and pay records, one or many at a time, each accepted or refused."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import record_refusals as why
from metrics.certification.models import Promotion
from metrics.certification.refusals import RefusedInWordsError
from plugin import people
from plugin.errors import RefusedError
from plugin.events import lock_people
from plugin.models import Person
from plugin.store import chunks

PROMOTION_KINDS = ("promotion", "pay")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}")
LONGEST_CODE = 200
TERMS = ("kind", "from_position", "to_position", "from_grade", "to_grade")


@dataclass(frozen=True)
class Proposal:
    """What HR proposes: a promotion or a pay step of one person, by HR's own id of the record."""

    promotion_id: str
    employee_number: str
    kind: str
    effective_date: date
    from_position: str | None = None
    to_position: str | None = None
    from_grade: str | None = None
    to_grade: str | None = None


def propose(session: Session, proposal: Proposal, now: datetime) -> str:
    """Store a proposal: 'created', 'updated' or 'unchanged'; the answer is derived next. `now` is on the organisation's clock.

    Raises RefusedError for an unknown employee, one who has left or not joined by the effective date, an unknown kind, a
    malformed id, a closed record, and a record that was another employee's.
    """
    [outcome] = propose_all(session, [proposal], now)
    if isinstance(outcome, RefusedError):
        raise outcome
    return outcome


def propose_all(session: Session, proposals: Sequence[Proposal], now: datetime) -> list[str | RefusedError]:
    """Store proposals under different ids: for each what `propose` answers or raises. It asks once for all of them."""
    persons = _persons(session, {proposal.employee_number for proposal in proposals})
    lock_people(session, [person.id for person in persons.values()])  # two calls about one record: the second finds it
    records = _records(session, [proposal.promotion_id for proposal in proposals])
    outcomes: list[str | RefusedError] = []
    concerned: list[int] = []
    for proposal in proposals:
        try:
            person = _check(persons.get(proposal.employee_number), proposal, now.date())
            record = _usable(records.get(proposal.promotion_id), person)
        except RefusedError as refused:
            outcomes.append(refused)
            continue
        outcomes.append(_store(session, record, person, proposal, now))
        if outcomes[-1] != "unchanged":
            concerned.append(person.id)
    people.touch(session, concerned)
    return outcomes


def _store(session: Session, record: Promotion | None, person: Person, proposal: Proposal, now: datetime) -> str:
    terms = {name: getattr(proposal, name) for name in TERMS} | {"effective_on": proposal.effective_date}
    if record is None:
        session.add(
            Promotion(
                promotion_id=proposal.promotion_id, person_id=person.id, proposed_at=now, requirements=[], **terms
            )
        )
        return "created"
    if all(getattr(record, name) == value for name, value in terms.items()):
        return "unchanged"
    for name, value in terms.items():
        setattr(record, name, value)
    return "updated"


def _persons(session: Session, numbers: Iterable[str]) -> dict[str, Person]:
    found: dict[str, Person] = {}
    for chunk in chunks(sorted(numbers)):
        query = select(Person).where(Person.employee_number.in_(chunk), Person.erased_at.is_(None))
        found.update((person.employee_number, person) for person in session.scalars(query))
    return found


def _records(session: Session, ids: Iterable[str]) -> dict[str, Promotion]:
    found: dict[str, Promotion] = {}
    for chunk in chunks(ids):
        for record in session.scalars(select(Promotion).where(Promotion.promotion_id.in_(chunk))):
            found[record.promotion_id] = record
    return found


def _check(person: Person | None, proposal: Proposal, today: date) -> Person:
    """The employee, where the proposal can be accepted. Raises RefusedError."""
    _check_form(proposal)
    if person is None:
        raise RefusedInWordsError(why.NO_EMPLOYEE, column="employee_number", number=proposal.employee_number)
    _check_employed(person, proposal, today)
    return person


def _usable(record: Promotion | None, person: Person) -> Promotion | None:
    """The record, where it may still be changed. Raises RefusedError."""
    if record is not None and record.closed_at is not None:
        raise RefusedInWordsError(
            why.CLOSED, column="promotion_id", id=record.promotion_id, day=f"{record.closed_at:%Y-%m-%d}"
        )
    if record is not None and record.person_id != person.id:
        raise RefusedInWordsError(why.ANOTHERS, column="promotion_id", id=record.promotion_id)
    return record


def _check_form(proposal: Proposal) -> None:
    if proposal.kind not in PROMOTION_KINDS:
        raise RefusedInWordsError(why.NO_SUCH_KIND, column="kind", kind=proposal.kind)
    if not ID.fullmatch(proposal.promotion_id):
        raise RefusedInWordsError(why.NO_ID, column="promotion_id", id=proposal.promotion_id[:100])
    for name in ("from_position", "to_position", "from_grade", "to_grade"):
        text = getattr(proposal, name)
        if text is not None and not text:
            raise RefusedInWordsError(why.EMPTY, field=name)
        if text is not None and len(text) > LONGEST_CODE:
            raise RefusedInWordsError(why.TOO_LONG, field=name, most=LONGEST_CODE)


def _check_employed(person: Person, proposal: Proposal, today: date) -> None:
    """Refuse somebody who is not with the organisation on the effective date, or has left by today."""
    about = {"number": person.employee_number, "effective": proposal.effective_date}
    if person.left_on is not None and person.left_on <= max(today, proposal.effective_date):
        raise RefusedInWordsError(
            why.HAS_LEFT if person.left_on <= today else why.LEAVES,
            column="employee_number" if person.left_on <= today else "effective_date",
            left=person.left_on,
            **about,
        )
    if person.joined_on is not None and proposal.effective_date < person.joined_on:
        raise RefusedInWordsError(why.NOT_JOINED, column="effective_date", joined=person.joined_on, **about)
