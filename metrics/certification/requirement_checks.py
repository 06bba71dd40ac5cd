"""What is wrong with a requirement that somebody wants to add: its population, its dates, one that is there already."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from metrics.certification import record_refusals as why
from metrics.certification.models import Requirement, RequirementPerson
from metrics.certification.populations import PEOPLE, population_of
from metrics.certification.refusals import NotThereError, RefusedInWordsError
from plugin.models import Person
from plugin.moments import Duration, add, start_of_day
from plugin.store import chunks

DUTY, PROMOTION = "duty", "promotion"
LONGEST = {"position_code": 200, "grade_code": 200, "department_code": 200, "tag": 100, "due_within": 30}


def check_population(requirement: Requirement, listed: Collection[str]) -> None:
    """Raise RefusedError unless exactly one population is named, in texts for which there is room."""
    named = [
        value
        for value in (
            requirement.position_code,
            requirement.grade_code,
            requirement.department_code,
            requirement.tag,
            ", ".join(listed) or None,
        )
        if value is not None
    ]
    if len(named) != 1 or not named[0].strip():
        raise RefusedInWordsError(why.ONE_POPULATION)
    for name, longest in LONGEST.items():
        if len(getattr(requirement, name) or "") > longest:
            raise RefusedInWordsError(why.TOO_LONG, field=name.removesuffix("_code"), most=longest)
    if requirement.with_children and requirement.department_code is None:
        raise RefusedInWordsError(why.ONLY_DEPARTMENTS, column="with_children")


def check_terms(requirement: Requirement) -> None:
    """Raise RefusedError for a wrong kind, an end before the beginning, or due dates that cannot be."""
    if requirement.kind not in {DUTY, PROMOTION}:
        raise RefusedInWordsError(why.WRONG_KIND, column="kind", kind=requirement.kind)
    if requirement.ends_on is not None and requirement.ends_on <= requirement.starts_on:
        raise RefusedInWordsError(why.ENDS_TOO_EARLY, column="ends_on")
    if requirement.due_on is None and requirement.due_within is None:
        return
    if requirement.kind == PROMOTION:
        raise RefusedInWordsError(why.ONLY_DUTIES, column="kind")
    if requirement.due_on is not None and requirement.due_within is not None:
        raise RefusedInWordsError(why.DUE_TWICE, column="due_within")
    if requirement.due_on is not None and requirement.due_on < requirement.starts_on:
        raise RefusedInWordsError(
            why.DUE_TOO_EARLY, column="due_on", due=requirement.due_on, starts=requirement.starts_on
        )
    if requirement.due_within is not None:
        try:
            duration = Duration.parse(requirement.due_within)
            add(start_of_day(requirement.starts_on, ZoneInfo("UTC")), duration, ZoneInfo("UTC"))
        except (ValueError, OverflowError):
            raise RefusedInWordsError(why.DUE_UNREADABLE, column="due_within", text=requirement.due_within) from None


def listed_persons(session: Session, numbers: Collection[str]) -> list[int]:
    """The ids of the employees of these numbers, in that order. Raises NotFoundError that names the unknown ones."""
    found: dict[str, int] = {}
    wanted = list(dict.fromkeys(numbers))
    for chunk in chunks(wanted):
        query = select(Person.employee_number, Person.id)
        query = query.where(Person.employee_number.in_(chunk), Person.erased_at.is_(None))
        found.update((row.employee_number, row.id) for row in session.execute(query))
    missing = [number for number in wanted if number not in found]
    if missing:
        named = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise NotThereError(why.UNKNOWN_PEOPLE, column="people", numbers=named)
    return [found[number] for number in wanted]


def same_requirement(session: Session, wanted: Requirement, person_ids: set[int]) -> Requirement | None:
    """A stored requirement that asks the same of the same population on a day on which the wanted one does."""
    query = select(Requirement).where(
        Requirement.certification == wanted.certification,
        Requirement.kind == wanted.kind,
        or_(Requirement.ends_on.is_(None), Requirement.ends_on > wanted.starts_on),
        or_(Requirement.ends_on.is_(None), Requirement.ends_on > Requirement.starts_on),
    )
    if wanted.ends_on is not None:
        query = query.where(Requirement.starts_on < wanted.ends_on)
    with session.no_autoflush:
        rows = [row for row in session.scalars(query.order_by(Requirement.id)) if row is not wanted]
    if not person_ids:
        return next((row for row in rows if population_of(row) == population_of(wanted)), None)
    lists: dict[int, set[int]] = {row.id: set() for row in rows if population_of(row)[0] == PEOPLE}
    for chunk in chunks(lists):
        for listed in session.scalars(select(RequirementPerson).where(RequirementPerson.requirement_id.in_(chunk))):
            lists[listed.requirement_id].add(listed.person_id)
    return next((row for row in rows if lists.get(row.id) == person_ids), None)
