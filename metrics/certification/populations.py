"""Populations: who is in a position, a grade, a department, under a tag or on a list, from which day until which.

A population is a kind and what it names: ("position", "Operator"), ("department", "Sales"), ("department_tree", "Sales")
for the department and those below it, ("tag", "first-aider"), ("people", the requirement's id). Spells are half open
days. All of it is read in a few queries for many persons at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from metrics.certification.models import Requirement, RequirementPerson
from plugin.models import Assignment, Department, Grade, Person, PersonTag, Position
from plugin.people import employed_on, standing_on
from plugin.store import chunks

Population = tuple[str, str]

POSITION, GRADE, DEPARTMENT, TREE, TAG, PEOPLE = "position", "grade", "department", "department_tree", "tag", "people"
UNITS: dict[str, tuple[type[Position] | type[Grade] | type[Department], Any]] = {
    POSITION: (Position, Assignment.position_id),
    GRADE: (Grade, Assignment.grade_id),
    DEPARTMENT: (Department, Assignment.department_id),
    TREE: (Department, Assignment.department_id),
}


WORDS = {DEPARTMENT: "the department", TREE: "the department and those below it,", PEOPLE: "listed people, no."}


def in_words(population: Population) -> str:
    """Whom a population means, as commands and explanations say it."""
    kind, value = population
    return f"{WORDS.get(kind, f'the {kind}')} {value}"


@dataclass(frozen=True)
class Spell:
    """From `begins` until just before `ends`; date.min and date.max stand for always."""

    begins: date
    ends: date

    def holds_on(self, day: date) -> bool:
        """Whether `day` lies in it."""
        return self.begins <= day < self.ends


@dataclass
class Whereabouts:
    """When a person is with the organisation, and in which populations, each from when until when, in order."""

    employed: Spell
    spells: dict[Population, list[Spell]] = field(default_factory=dict)

    def add(self, population: Population, begins: date, ends: date | None) -> None:
        """Note a spell; spells that touch or overlap become one."""
        new = Spell(begins, ends or date.max)
        if new.begins >= new.ends:
            return
        apart = []
        for each in self.spells.get(population, ()):
            if each.ends < new.begins or new.ends < each.begins:
                apart.append(each)
            else:
                new = Spell(min(each.begins, new.begins), max(each.ends, new.ends))
        self.spells[population] = sorted([*apart, new], key=lambda each: each.begins)


def population_of(requirement: Requirement) -> Population:
    """The population that a stored requirement is for."""
    if requirement.position_code is not None:
        return POSITION, requirement.position_code
    if requirement.grade_code is not None:
        return GRADE, requirement.grade_code
    if requirement.department_code is not None:
        return TREE if requirement.with_children else DEPARTMENT, requirement.department_code
    if requirement.tag is not None:
        return TAG, requirement.tag
    return PEOPLE, str(requirement.id)


def whereabouts(session: Session, person_ids: Sequence[int], kinds: Iterable[str]) -> dict[int, Whereabouts]:
    """Where these persons stood, stand and will stand, as far as populations of these kinds go."""
    wanted = set(kinds)
    found: dict[int, Whereabouts] = {}
    trees = _upwards(session) if wanted & {DEPARTMENT, TREE} else {}
    for ids in chunks(person_ids):
        rows = session.execute(select(Person.id, Person.joined_on, Person.left_on).where(Person.id.in_(ids)))
        for person_id, joined_on, left_on in rows:
            found[person_id] = Whereabouts(Spell(joined_on or date.min, left_on or date.max))
        if wanted & UNITS.keys():
            _add_assignments(session, ids, wanted, trees, found)
        if TAG in wanted:
            tags = select(PersonTag).where(PersonTag.person_id.in_(ids))
            for tag in session.scalars(tags):
                found[tag.person_id].add((TAG, tag.tag), tag.valid_from, tag.valid_until)
        if PEOPLE in wanted:
            listed = select(RequirementPerson).where(RequirementPerson.person_id.in_(ids))
            for row in session.scalars(listed):
                found[row.person_id].add((PEOPLE, str(row.requirement_id)), date.min, None)
    return found


def members(session: Session, population: Population, on: date | None = None) -> Select[int]:
    """The ids of the persons in a population: on a day, with the organisation then; without one, ever."""
    kind, value = population
    query = select(Person.id).distinct()
    if kind == PEOPLE:
        condition: ColumnElement[bool] = RequirementPerson.requirement_id == int(value)
        query = query.join(RequirementPerson, RequirementPerson.person_id == Person.id).where(condition)
    elif kind == TAG:
        query = query.join(PersonTag, PersonTag.person_id == Person.id).where(PersonTag.tag == value)
        if on is not None:
            holds = or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > on)
            query = query.where(PersonTag.valid_from <= on, holds)
    else:
        unit, column = UNITS[kind]
        query = query.join(Assignment, Assignment.person_id == Person.id).join(unit, unit.id == column)
        query = query.where(unit.code.in_(_below(session, value)) if kind == TREE else unit.code == value)
        if on is not None:
            query = query.where(standing_on(on))
    return query if on is None else query.where(employed_on(on))


def _add_assignments(
    session: Session,
    ids: list[int],
    wanted: set[str],
    trees: Mapping[str, list[str]],
    found: Mapping[int, Whereabouts],
) -> None:
    query = (
        select(
            Assignment.person_id,
            Assignment.valid_from,
            Assignment.valid_until,
            Position.code,
            Grade.code,
            Department.code,
        )
        .outerjoin(Position, Position.id == Assignment.position_id)
        .outerjoin(Grade, Grade.id == Assignment.grade_id)
        .outerjoin(Department, Department.id == Assignment.department_id)
        .where(Assignment.person_id.in_(ids))
    )
    for person_id, begins, ends, position, grade, department in session.execute(query):
        places = [(POSITION, position), (GRADE, grade), (DEPARTMENT, department)]
        places += [(TREE, above) for above in trees.get(department, ())]
        for kind, value in places:
            if kind in wanted and value is not None:
                found[person_id].add((kind, value), begins, ends)


def _upwards(session: Session) -> dict[str, list[str]]:
    """Every department's code with its own and those above it; a ring in the tree does no harm."""
    rows = session.execute(select(Department.id, Department.code, Department.parent_id)).all()
    codes = {row.id: row.code for row in rows}
    parents = {row.id: row.parent_id for row in rows}
    found: dict[str, list[str]] = {}
    for department_id, code in codes.items():
        above, at = [department_id], parents[department_id]
        while at is not None and at not in above:
            above.append(at)
            at = parents.get(at)
        found[code] = [codes[each] for each in above if each in codes]
    return found


def _below(session: Session, code: str) -> list[str]:
    """The codes of a department and of those below it."""
    return [each for each, above in _upwards(session).items() if code in above]
