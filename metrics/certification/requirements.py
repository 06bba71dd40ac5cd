"""Requirements: who must hold what; as a duty, or for a promotion. Populations say who is meant on which day."""

from collections.abc import Collection, Iterable
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import populations
from metrics.certification import record_refusals as why
from metrics.certification.duties import spell_of
from metrics.certification.models import (
    CertificationRule,
    Promotion,
    Requirement,
    RequirementEnd,
    RequirementPerson,
)
from metrics.certification.populations import (
    GRADE,
    POSITION,
    Population,
    members,
    population_of,
    whereabouts,
)
from metrics.certification.refusals import NO_CERTIFICATION, NotThereError, RefusedInWordsError
from metrics.certification.requirement_checks import (
    PROMOTION,
    check_population,
    check_terms,
    listed_persons,
    same_requirement,
)
from plugin import people
from plugin.audit import record_act


def add_requirement(
    session: Session, requirement: Requirement, actor: str, now: datetime, listed: Collection[str] = ()
) -> None:
    """Store a requirement; `listed` are the employee numbers where it is for people by name.

    Raises NotFoundError for an unknown certification or employee, RefusedError for a wrong kind, date or population, and
    for what is required already. Whomever it concerns is derived again; what the population names need not be known yet.
    """
    known = select(CertificationRule.id).where(CertificationRule.code == requirement.certification).limit(1)
    if session.scalars(known).first() is None:
        raise NotThereError(NO_CERTIFICATION, column="certification", code=requirement.certification)
    check_population(requirement, listed)
    check_terms(requirement)
    person_ids = listed_persons(session, listed)
    same = same_requirement(session, requirement, set(person_ids))
    if same is not None:
        terms = {"certification": requirement.certification, "kind": requirement.kind, "whom": in_words(same)}
        raise RefusedInWordsError(why.REQUIRED_ALREADY, **terms, starts=same.starts_on, id=same.id)
    requirement.recorded_at = now
    session.add(requirement)
    session.flush()
    session.add_all(RequirementPerson(requirement_id=requirement.id, person_id=each) for each in person_ids)
    session.flush()
    after = {
        "requirement": requirement.id,
        "starts_on": str(requirement.starts_on),
        "ends_on": _text(requirement.ends_on),
        "due_on": _text(requirement.due_on),
        "due_within": requirement.due_within,
        "listed": len(person_ids),
    }
    record_act(session, actor, "requirement.add", _subject(requirement), now, after=after)
    _touch(session, requirement)


def end_requirement(session: Session, requirement_id: int, last: date, actor: str, now: datetime) -> Requirement:
    """Let a requirement end: `last` is the first day on which it does not hold. One that has not begun never will.

    Raises NotFoundError, and RefusedError for one that has ended by then already.
    """
    requirement = session.get(Requirement, requirement_id)
    if requirement is None:
        raise NotThereError(why.NO_REQUIREMENT, id=requirement_id)
    if requirement.ends_on is not None and requirement.ends_on <= last:
        raise RefusedInWordsError(why.ENDS_ALREADY, id=requirement_id, day=requirement.ends_on)
    before = {"requirement": requirement_id, "ends_on": _text(requirement.ends_on)}
    session.add(RequirementEnd(requirement_id=requirement_id, former=requirement.ends_on, recorded_at=now))
    requirement.ends_on = max(last, requirement.starts_on)
    after = {"requirement": requirement_id, "ends_on": _text(requirement.ends_on)}
    record_act(session, actor, "requirement.end", _subject(requirement), now, before=before, after=after)
    _touch(session, requirement)
    return requirement


def in_words(requirement: Requirement) -> str:
    """Whom a requirement is for, as commands say it."""
    return populations.in_words(population_of(requirement))


def is_for_nobody(session: Session, requirement: Requirement, today: date) -> bool:
    """Whether nobody with the organisation is in its population today: perhaps a slip of the keyboard.

    For a promotion to a position or grade that is no slip, as long as there is such a position or grade.
    """
    kind, value = population_of(requirement)
    on = None if requirement.kind == PROMOTION and kind in {POSITION, GRADE} else today
    return session.scalars(members(session, (kind, value), on).limit(1)).first() is None


def for_promotions(session: Session, records: Iterable[Promotion]) -> dict[str, list[str]]:
    """The certifications that promotion and pay records ask for on their effective days, by the record's id.

    Asked for are what is required of the position and the grade that a record leads to, and what is required for
    promoting anybody in the department, under the tag or on the list in which the person is on that day.
    """
    records = list(records)
    if not records:
        return {}
    wanted: dict[Population, list[Requirement]] = {}
    for row in session.scalars(select(Requirement).where(Requirement.kind == PROMOTION)):
        wanted.setdefault(population_of(row), []).append(row)
    kinds = {kind for kind, _ in wanted} - {POSITION, GRADE}
    person_ids = sorted({record.person_id for record in records})
    places = whereabouts(session, person_ids, kinds) if kinds else {}
    found: dict[str, list[str]] = {}
    for record in records:
        day = record.effective_on
        where = places.get(record.person_id)
        keys = {(POSITION, record.to_position or ""), (GRADE, record.to_grade or "")}
        if where is not None:
            keys |= {key for key, spells in where.spells.items() if any(spell.holds_on(day) for spell in spells)}
        rows = (row for key in keys for row in wanted.get(key, ()))
        found[record.promotion_id] = sorted({row.certification for row in rows if spell_of(row).holds_on(day)})
    return found


def _touch(session: Session, requirement: Requirement) -> None:
    """Mark those whom it may concern on some day: the population, or everybody about whom HR has an open record."""
    concerned = members(session, population_of(requirement))
    if requirement.kind == PROMOTION:
        concerned = select(Promotion.person_id).where(Promotion.closed_at.is_(None)).distinct()
    for person_ids in session.scalars(concerned).partitions(5000):
        people.touch(session, person_ids)


def _subject(requirement: Requirement) -> str:
    _, value = population_of(requirement)
    return f"{requirement.kind}:{value}:{requirement.certification}"


def _text(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
