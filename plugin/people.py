"""People and the organisation: persons by employee number, and where each stood from when until when.

Only the source that is the authority for people calls `record_employees`; everybody else reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, insert, literal, or_, select
from sqlalchemy.orm import Session

from plugin import tags
from plugin.models import Assignment, Department, Grade, Person, Position, Touched
from plugin.store import among, chunks, inserting


@dataclass(frozen=True)
class Employee:
    """One employee as the authority for people reports them; texts are names or codes of the organisation's units."""

    employee_number: str
    name: str
    email: str | None = None
    department: str | None = None
    position: str | None = None
    grade: str | None = None
    manager: str | None = None
    joined_on: date | None = None
    left_on: date | None = None
    tags: frozenset[str] | None = None  # None: the authority says nothing about tags


@dataclass(frozen=True)
class Changes:
    """What storing a batch did, in records."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


def touch(session: Session, person_ids: Iterable[int]) -> None:
    """Mark persons about whom something changed, so that what depends on it is derived again."""
    ids = [(person_id,) for person_id in set(person_ids)]
    if not ids:
        return
    in_order = select(Person.id, literal(1)).where(among(session, (Person.id,), ids)).order_by(Person.id)
    statement = inserting(session, Touched).from_select(["person_id", "times"], in_order)
    again = statement.on_conflict_do_update(index_elements=["person_id"], set_={"times": statement.excluded.times})
    session.execute(again, execution_options={"synchronize_session": False})


def untouch(session: Session, limit: int) -> list[int]:
    """Take at most `limit` marked persons off the list, for deriving them in this transaction.

    Two workers never get the same person; a person marked again meanwhile is on the list again afterwards.
    """
    waiting = select(Touched.person_id).order_by(Touched.person_id).limit(limit).with_for_update(skip_locked=True)
    taken = list(session.scalars(waiting))
    for chunk in chunks(taken):  # by their ids: PostgreSQL may run a limited subquery again for every row
        session.execute(delete(Touched).where(Touched.person_id.in_(chunk)))
    return taken


def employed_on(day: date) -> ColumnElement[bool]:
    """The condition that a person is with the organisation on `day`: leavers stop counting on the day they leave."""
    return (or_(Person.joined_on.is_(None), Person.joined_on <= day)) & (
        or_(Person.left_on.is_(None), Person.left_on > day)
    )


def standing_on(day: date) -> ColumnElement[bool]:
    """The condition that an assignment holds on `day`."""
    return (Assignment.valid_from <= day) & (or_(Assignment.valid_until.is_(None), Assignment.valid_until > day))


def population(day: date) -> Select[int]:
    """The ids of the persons with the organisation on `day`, joined with where they stood then."""
    return (
        select(Person.id)
        .outerjoin(Assignment, (Assignment.person_id == Person.id) & standing_on(day))
        .where(employed_on(day))
    )


def record_employees(session: Session, employees: Sequence[Employee], today: date, now: datetime) -> Changes:
    """Create and change persons and their assignments as `employees` say. `today` is the organisation's day.

    A changed department, position, grade or manager ends the standing assignment today and begins another one.
    Employee numbers within `employees` must be unique. Cost follows what changed: unchanged rows are only read.
    """
    units = {
        "department_id": _units(session, Department, (employee.department for employee in employees)),
        "position_id": _units(session, Position, (employee.position for employee in employees)),
        "grade_id": _units(session, Grade, (employee.grade for employee in employees)),
    }
    known: dict[str, Person] = {}
    standing: dict[int, Assignment] = {}
    for chunk in chunks([employee.employee_number for employee in employees]):
        for person in session.scalars(select(Person).where(Person.employee_number.in_(chunk))):
            known[person.employee_number] = person
    for person_ids in chunks([person.id for person in known.values()]):
        query = select(Assignment).where(Assignment.person_id.in_(person_ids), Assignment.valid_until.is_(None))
        standing.update({assignment.person_id: assignment for assignment in session.scalars(query)})

    touched: set[int] = set()
    begun: list[dict[str, Any]] = []
    new = [employee for employee in employees if employee.employee_number not in known]
    updated = 0
    for employee in employees:
        if employee.employee_number not in known:
            continue
        person = known[employee.employee_number]
        changed = _change_person(person, employee, now)
        place = _place(employee, units)
        current = standing.get(person.id)
        if current is None or {name: getattr(current, name) for name in place} != place:
            begun += _move(person, current, place, today)
            changed = True
        if changed:
            updated += 1
            touched.add(person.id)
    session.flush()  # the index allows one standing assignment: end the old ones before the new ones begin
    if begun:
        session.execute(insert(Assignment), begun)
    touched |= _create(session, new, units, today, now)
    session.flush()
    retagged = tags.set_tags(
        session, {employee.employee_number: employee.tags for employee in employees if employee.tags is not None}, today
    )
    updated += len(retagged - touched)
    touch(session, touched | retagged)
    return Changes(created=len(new), updated=updated, unchanged=len(employees) - len(new) - updated)


def _units(
    session: Session, model: type[Department] | type[Position] | type[Grade], names: Iterable[str | None]
) -> dict[str, int]:
    """The ids of the departments, positions or grades of these names; those not known yet are created."""
    wanted = sorted({name for name in names if name})
    found: dict[str, int] = {}
    for chunk in chunks(wanted):
        found.update(session.execute(select(model.code, model.id).where(model.code.in_(chunk))).all())
    missing = [{"code": name, "name": name} for name in wanted if name not in found]
    if missing:
        session.execute(insert(model), missing)
        for chunk in chunks(row["code"] for row in missing):
            found.update(session.execute(select(model.code, model.id).where(model.code.in_(chunk))).all())
    return found


def _place(employee: Employee, units: dict[str, dict[str, int]]) -> dict[str, Any]:
    return {
        "department_id": units["department_id"].get(employee.department or ""),
        "position_id": units["position_id"].get(employee.position or ""),
        "grade_id": units["grade_id"].get(employee.grade or ""),
        "manager_number": employee.manager,
    }


def _change_person(person: Person, employee: Employee, now: datetime) -> bool:
    changed = False
    for name in ("name", "email", "joined_on", "left_on"):
        if getattr(person, name) != getattr(employee, name):
            setattr(person, name, getattr(employee, name))
            changed = True
    if changed:
        person.changed_at = now
    return changed


def _move(person: Person, current: Assignment | None, place: dict[str, Any], today: date) -> list[dict[str, Any]]:
    """End the standing assignment; the one that begins then, if any."""
    if current is not None and current.valid_from >= today:
        for name, value in place.items():  # moved twice in a day: the later word counts
            setattr(current, name, value)
        return []
    if current is not None:
        current.valid_until = today
    return [{"person_id": person.id, "valid_from": today, **place}]


def _create(
    session: Session, employees: list[Employee], units: dict[str, dict[str, int]], today: date, now: datetime
) -> set[int]:
    if not employees:
        return set()
    session.execute(
        insert(Person),
        [
            {
                "employee_number": employee.employee_number,
                "name": employee.name,
                "email": employee.email,
                "joined_on": employee.joined_on,
                "left_on": employee.left_on,
                "created_at": now,
                "changed_at": now,
            }
            for employee in employees
        ],
    )
    ids: dict[str, int] = {}
    for chunk in chunks(employee.employee_number for employee in employees):
        ids.update(
            session.execute(select(Person.employee_number, Person.id).where(Person.employee_number.in_(chunk))).all()
        )
    session.execute(
        insert(Assignment),
        [
            {
                "person_id": ids[employee.employee_number],
                "valid_from": min(employee.joined_on or today, today),
                **_place(employee, units),
            }
            for employee in employees
        ],
    )
    return set(ids.values())


def touch_all(session: Session) -> None:
    """Mark everybody, after a change that may concern anybody."""
    for person_ids in session.scalars(select(Person.id).order_by(Person.id)).partitions(5000):
        touch(session, person_ids)
