"""People and the organisation: persons by employee number, and where each stood from when until when.

Only the source that is the authority for people calls `record_employees`; everybody else reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, insert, literal, null, or_, select, update
from sqlalchemy.orm import Session, aliased

from plugin import tags
from plugin.models import Assignment, Department, Grade, Person, Position, Touched
from plugin.store import among, chunks, insert_rows, inserting


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
    unsaid: frozenset[str] = frozenset()  # fields about which the authority says nothing: what is known stays


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


@dataclass(frozen=True, slots=True)
class Known:
    """An employee as they stand in the store, and where they are now, in the words of `Employee`."""

    person_id: int
    name: str
    email: str | None
    joined_on: date | None
    left_on: date | None
    assignment_id: int | None
    since: date | None
    department: str | None
    position: str | None
    grade: str | None
    manager: str | None


OF_PERSON = ("name", "email", "joined_on", "left_on")
OF_PLACE = ("department", "position", "grade", "manager")
_of_person, _of_place = attrgetter(*OF_PERSON), attrgetter(*OF_PLACE)


def standing(session: Session, numbers: Iterable[str]) -> dict[str, Known]:
    """The employees of these numbers as they stand now, in few statements."""
    columns = (
        Person.employee_number, Person.id, Person.name, Person.email, Person.joined_on, Person.left_on,
        Assignment.id, Assignment.valid_from, Department.code, Position.code, Grade.code, Assignment.manager_number,
    )  # fmt: skip
    query = (
        select(*columns)
        .outerjoin(Assignment, (Assignment.person_id == Person.id) & Assignment.valid_until.is_(None))
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
        .outerjoin(Grade, Grade.id == Assignment.grade_id)
    )
    found: dict[str, Known] = {}
    session.flush()
    for chunk in chunks(numbers, 5_000):
        named = among(session, (Person.employee_number,), [(number,) for number in chunk])
        for row in session.connection().execute(query.where(named)):
            found[row[0]] = Known(*tuple(row)[1:])
    return found


def heard(employee: Employee, known: Known | None, today: date) -> Employee:
    """The employee with what is known where the authority says nothing.

    Who is reported without a word about leaving has not left: a last day that has come is taken back, a later one stays.
    """
    if not employee.unsaid or known is None:
        return employee
    kept: dict[str, Any] = {name: getattr(known, name) for name in employee.unsaid if name != "left_on"}
    if "left_on" in employee.unsaid and known.left_on is not None and known.left_on > today:
        kept["left_on"] = known.left_on
    return replace(employee, **kept)


def differences(known: Known, employee: Employee) -> dict[str, tuple[Any, Any]]:
    """What storing the employee would change, by field: before and after. Tags are not among it."""
    return {
        name: (getattr(known, name), getattr(employee, name))
        for name in (*OF_PERSON, *OF_PLACE)
        if getattr(known, name) != getattr(employee, name)
    }


def record_employees(session: Session, employees: Sequence[Employee], today: date, now: datetime) -> Changes:
    """Create and change persons and their assignments as `employees` say. `today` is the organisation's day.

    A changed department, position, grade or manager ends the standing assignment today and begins another one.
    Employee numbers within `employees` must be unique. Cost follows what changed: unchanged rows are only read.
    """
    known = standing(session, [employee.employee_number for employee in employees])
    new: list[Employee] = []
    changed: list[tuple[Known, Employee]] = []
    moved: list[tuple[Known, Employee]] = []
    for employee in employees:
        found = known.get(employee.employee_number)
        if found is None:
            new.append(employee)
            continue
        wanted = heard(employee, found, today)
        if _of_person(found) != _of_person(wanted):
            changed.append((found, wanted))
        if found.assignment_id is None or _of_place(found) != _of_place(wanted):
            moved.append((found, wanted))
    units = _units_of(session, [*new, *(employee for _, employee in moved)])
    _change(session, changed, now)
    _move(session, moved, units, today)
    touched = {found.person_id for found, _ in (*changed, *moved)}
    updated = len(touched)
    created = _create(session, new, units, today, now)
    retagged = tags.set_tags(
        session, {employee.employee_number: employee.tags for employee in employees if employee.tags is not None}, today
    )
    updated += len(retagged - touched - created)
    touch(session, touched | created | retagged)
    return Changes(created=len(new), updated=updated, unchanged=len(employees) - len(new) - updated)


def end_employees(session: Session, ends: Mapping[str, date | None], today: date, now: datetime) -> int:
    """Give employees their last day, today where none is named; how many that changed. Unknown numbers are passed over.

    Somebody who has left by the day that is named, or by today where none is, stays as they are.
    """
    changed: list[dict[str, Any]] = []
    for number, found in standing(session, ends).items():
        day = ends[number]
        if (day is None and (found.left_on is None or found.left_on > today)) or (
            day is not None and found.left_on != day
        ):
            changed.append({"key": found.person_id, "day": day or today, "now": now})
    if changed:
        table = Person.__table__
        assert isinstance(table, Table)
        statement = update(table).where(table.c.id == bindparam("key"))
        session.connection().execute(statement.values(left_on=bindparam("day"), changed_at=bindparam("now")), changed)
        touch(session, [int(row["key"]) for row in changed])
    return len(changed)


def set_managers(session: Session, managers: Mapping[str, str], today: date) -> int:
    """Give employees another manager from today on; how many that changed. Unknown numbers are passed over."""
    moved = [
        (found, Employee(number, found.name, None, found.department, found.position, found.grade, managers[number]))
        for number, found in standing(session, managers).items()
        if found.manager != managers[number]
    ]
    _move(session, moved, _units_of(session, [employee for _, employee in moved]), today)
    touch(session, [found.person_id for found, _ in moved])
    return len(moved)


@dataclass(frozen=True)
class Unit:
    """A department, position or grade. `parent` is the code of the department that one belongs to."""

    code: str
    name: str
    parent: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None


UNITS: Mapping[str, type[Department] | type[Position] | type[Grade]] = {
    "departments": Department,
    "positions": Position,
    "grades": Grade,
}


def known_units(session: Session, kind: str, codes: Iterable[str]) -> dict[str, Unit]:
    """The departments, positions or grades of these codes."""
    model = UNITS[kind]
    found: dict[str, Unit] = {}
    above = aliased(Department)
    for chunk in chunks(codes):
        query = select(model.code, model.name, model.valid_from, model.valid_until).where(model.code.in_(chunk))
        if model is Department:
            rows = session.execute(
                query.add_columns(above.code.label("parent")).outerjoin(above, above.id == Department.parent_id)
            )
        else:
            rows = session.execute(query.add_columns(null().label("parent")))
        found.update({row.code: Unit(row.code, row.name, row.parent, row.valid_from, row.valid_until) for row in rows})
    return found


def record_units(session: Session, kind: str, units: Sequence[Unit]) -> Changes:
    """Create and change departments, positions or grades. Codes are unique. A change of a department touches everybody in it.

    A department that is named as above another and not known yet is made.
    """
    model = UNITS[kind]
    known = known_units(session, kind, [unit.code for unit in units])
    changed = [unit for unit in units if known.get(unit.code) != unit]
    if changed:
        ids = _units(session, model, [*(unit.code for unit in changed), *(unit.parent for unit in changed)])
        rows = []
        for unit in changed:
            row: dict[str, Any] = {
                "key": ids[unit.code],
                "name_": unit.name,
                "first": unit.valid_from,
                "end": unit.valid_until,
            }
            rows.append(row | {"above": ids[unit.parent] if unit.parent else None} if model is Department else row)
        table = model.__table__
        assert isinstance(table, Table)
        values: dict[str, Any] = {
            "name": bindparam("name_"),
            "valid_from": bindparam("first"),
            "valid_until": bindparam("end"),
        }
        if model is Department:
            values["parent_id"] = bindparam("above")
        session.connection().execute(update(table).where(table.c.id == bindparam("key")).values(values), rows)
        column = {Department: Assignment.department_id, Position: Assignment.position_id, Grade: Assignment.grade_id}[
            model
        ]
        for chunk in chunks([ids[unit.code] for unit in changed]):
            touch(session, session.scalars(select(Assignment.person_id).where(column.in_(chunk))))
    created = sum(unit.code not in known for unit in changed)
    return Changes(created, len(changed) - created, len(units) - len(changed))


def _units_of(session: Session, employees: Sequence[Employee]) -> dict[str, dict[str, int]]:
    return {
        "department_id": _units(session, Department, (employee.department for employee in employees)),
        "position_id": _units(session, Position, (employee.position for employee in employees)),
        "grade_id": _units(session, Grade, (employee.grade for employee in employees)),
    }


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


def _change(session: Session, changed: Sequence[tuple[Known, Employee]], now: datetime) -> None:
    if changed:
        table = Person.__table__
        assert isinstance(table, Table)
        values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in OF_PERSON}
        rows = [
            {"key": found.person_id, "now": now, **{f"to_{name}": getattr(wanted, name) for name in OF_PERSON}}
            for found, wanted in changed
        ]
        statement = update(table).where(table.c.id == bindparam("key"))
        session.connection().execute(statement.values(**values, changed_at=bindparam("now")), rows)


def _move(
    session: Session, moved: Sequence[tuple[Known, Employee]], units: dict[str, dict[str, int]], today: date
) -> None:
    """End the standing assignments and begin others; one that began today is changed: of two moves in a day the later counts."""
    ended: list[dict[str, Any]] = []
    mended: list[dict[str, Any]] = []
    begun: list[tuple[Any, ...]] = []
    for found, wanted in moved:
        place = _place(wanted, units)
        if found.assignment_id is not None and found.since is not None and found.since >= today:
            mended.append({"key": found.assignment_id, **{f"to_{name}": value for name, value in place.items()}})
            continue
        if found.assignment_id is not None:
            ended.append({"key": found.assignment_id, "today": today})
        begun.append((found.person_id, today, *place.values()))
    table = Assignment.__table__
    assert isinstance(table, Table)
    one = update(table).where(table.c.id == bindparam("key"))
    connection = session.connection()
    if ended:  # the index allows one standing assignment: the old ones end before the new ones begin
        connection.execute(one.values(valid_until=bindparam("today")), ended)
    if mended:
        connection.execute(one.values({name: bindparam(f"to_{name}") for name in PLACE}), mended)
    if begun:
        insert_rows(session, Assignment, ("person_id", "valid_from", *PLACE), begun)


PLACE = ("department_id", "position_id", "grade_id", "manager_number")


def _create(
    session: Session, employees: list[Employee], units: dict[str, dict[str, int]], today: date, now: datetime
) -> set[int]:
    if not employees:
        return set()
    columns = ("employee_number", *OF_PERSON, "created_at", "changed_at")
    insert_rows(session, Person, columns, [(each.employee_number, *_of_person(each), now, now) for each in employees])
    ids: dict[str, int] = {}
    query = select(Person.employee_number, Person.id)
    for chunk in chunks(employees, 5_000):
        named = among(session, (Person.employee_number,), [(employee.employee_number,) for employee in chunk])
        ids.update(session.execute(query.where(named)).all())
    rows = [
        (ids[each.employee_number], min(each.joined_on or today, today), *_place(each, units).values())
        for each in employees
    ]
    insert_rows(session, Assignment, ("person_id", "valid_from", *PLACE), rows)
    return set(ids.values())


def touch_all(session: Session) -> None:
    """Mark everybody, after a change that may concern anybody."""
    for person_ids in session.scalars(select(Person.id).order_by(Person.id)).partitions(5000):
        touch(session, person_ids)
