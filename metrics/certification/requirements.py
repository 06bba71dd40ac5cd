"""Requirements: who must hold what, by position; as a duty, or for a promotion to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from metrics.certification.models import CertificationRule, Requirement
from plugin import people
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Assignment, Person, Position
from plugin.moments import Duration, add, start_of_day
from plugin.store import chunks

DUTY, PROMOTION = "duty", "promotion"


@dataclass(frozen=True)
class Duty:
    """A certification that a person must hold, now or from a later day on; `due_at` is when at the latest, if ever."""

    certification: str
    holds: bool
    due_at: datetime | None
    changes_at: datetime | None


def add_requirement(session: Session, requirement: Requirement, actor: str, now: datetime) -> None:
    """Store a requirement. Raises NotFoundError for an unknown certification, RefusedError for a wrong kind or date.

    Everybody is derived again; the position need not be known yet.
    """
    known = select(CertificationRule.id).where(CertificationRule.code == requirement.certification).limit(1)
    if session.scalars(known).first() is None:
        raise NotFoundError(f"There is no certification {requirement.certification!r}; import its rule first.")
    if requirement.kind not in {DUTY, PROMOTION}:
        raise RefusedError(f"A requirement is a duty or for a promotion, not {requirement.kind!r}.")
    if requirement.ends_on is not None and requirement.ends_on <= requirement.starts_on:
        raise RefusedError("The requirement ends before it starts; give a later end.")
    same = select(Requirement).where(
        Requirement.certification == requirement.certification,
        Requirement.kind == requirement.kind,
        Requirement.position_code == requirement.position_code,
        Requirement.starts_on == requirement.starts_on,
    )
    if session.scalars(same).first() is not None:
        raise RefusedError(
            f"{requirement.certification} is required as a {requirement.kind} of {requirement.position_code} "
            f"from {requirement.starts_on} on already."
        )
    session.add(requirement)
    subject = f"{requirement.kind}:{requirement.position_code}:{requirement.certification}"
    record_act(session, actor, "requirement.add", subject, now, after={"starts_on": str(requirement.starts_on)})
    people.touch_all(session)


def duties(session: Session, person_ids: Sequence[int], today: date, zone: ZoneInfo) -> dict[int, list[Duty]]:
    """The duties of these persons that hold or will hold, by person; leavers have none from the day they leave."""
    found: dict[int, list[Duty]] = {}
    for ids in chunks(person_ids):
        query = (
            select(Person.id, Person.joined_on, Person.left_on, Assignment.valid_from, Requirement)
            .join(Assignment, (Assignment.person_id == Person.id) & people.standing_on(today))
            .join(Position, Position.id == Assignment.position_id)
            .join(Requirement, Requirement.position_code == Position.code)
            .where(
                Person.id.in_(ids),
                people.employed_on(today),
                Requirement.kind == DUTY,
                or_(Requirement.ends_on.is_(None), Requirement.ends_on > today),
            )
            .order_by(Requirement.id)
        )
        for person_id, joined_on, left_on, moved_on, requirement in session.execute(query):
            duty = _duty(requirement, joined_on, left_on, moved_on, today, zone)
            found.setdefault(person_id, []).append(duty)
    return found


def for_promotions(session: Session, wanted: Iterable[tuple[str, date]]) -> dict[tuple[str, date], list[str]]:
    """The certifications that a promotion to a position asks for on a day, by position and day."""
    pairs = set(wanted)
    rows: list[Requirement] = []
    for codes in chunks(sorted({position for position, _ in pairs})):
        query = select(Requirement).where(Requirement.kind == PROMOTION, Requirement.position_code.in_(codes))
        rows += session.scalars(query)
    return {
        (position, day): sorted(
            {
                row.certification
                for row in rows
                if row.position_code == position and row.starts_on <= day and (row.ends_on is None or row.ends_on > day)
            }
        )
        for position, day in pairs
    }


def _duty(
    requirement: Requirement, joined_on: date | None, left_on: date | None, moved_on: date, today: date, zone: ZoneInfo
) -> Duty:
    """One person's duty; a due date after joining, moving and the requirement's start counts from the latest of them."""
    due_at = None
    if requirement.due_on is not None:
        due_at = start_of_day(requirement.due_on, zone)
    elif requirement.due_within is not None:
        begins = max(day for day in (joined_on, moved_on, requirement.starts_on) if day is not None)
        due_at = add(start_of_day(begins, zone), Duration.parse(requirement.due_within), zone)
    days = [day for day in (requirement.starts_on, requirement.ends_on, left_on) if day is not None and day > today]
    changes_at = start_of_day(min(days), zone) if days else None
    return Duty(requirement.certification, requirement.starts_on <= today, due_at, changes_at)
