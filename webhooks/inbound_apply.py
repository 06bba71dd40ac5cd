"""What an event of HR changes: people as the roster does, promotion records as the API does. Nothing is guessed."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from connectors.evidence import BINDING
from connectors.records import EmployeeRecord
from connectors.storing import Moment, store_records
from metrics import promotion_acts
from metrics.certification.promotion import Proposal
from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.models import Assignment, Department, Grade, Person, Position
from plugin.people import Employee
from plugin.store import hold
from webhooks.inbound_models import DONE, InboundEvent, InboundSender
from webhooks.inbound_types import Closed, Data, Hired, Left, Moved, Proposed

UNITS: dict[str, Any] = {"department": Department, "position": Position, "grade": Grade}
PLACE = ("department", "position", "grade", "manager")
PEOPLE = ("employee.hired", "employee.moved", "employee.left")
OVERTAKEN_BY = {
    "employee.hired": PEOPLE,
    "employee.moved": ("employee.hired", "employee.moved"),
    "employee.left": ("employee.hired", "employee.left"),
    "promotion.proposed": ("promotion.proposed",),
    "promotion.closed": (),
}


def apply(home: Installation, session: Session, event: InboundEvent, data: Data, now: datetime) -> str:
    """Apply an event in the caller's transaction; what came of it in a word. Raises RefusedError that says why it cannot be."""
    _check_newest(session, event)
    if isinstance(data, Proposed):
        proposal = Proposal(**data.model_dump())
        [outcome] = promotion_acts.propose_in(session, home, [proposal], f"inbound {event.sender}")
        if isinstance(outcome, RefusedError):
            raise outcome
        return outcome
    if isinstance(data, Closed):
        raise TypeError("a record is closed in transactions of its own")  # inbound_work does it
    hold(session, BINDING)  # before any row, as whoever stores people does
    sender = session.scalars(select(InboundSender).where(InboundSender.name == event.sender)).one_or_none()
    employee, today = _employee(session, data, now.date())
    if employee is None:
        return "unchanged"
    if sender is None or not sender.creates_units:
        _check_units(session, employee)
    record = EmployeeRecord(employee)
    counts = store_records(session, f"inbound:{event.sender}", [record], None, Moment(now, today))
    return "created" if counts.created else "updated" if counts.updated else "unchanged"


def _employee(session: Session, data: Data, today: date) -> tuple[Employee | None, date]:
    """The employee as the event leaves them (None: as they are), and the day from which on their place holds."""
    assert isinstance(data, Hired | Moved | Left)
    number = data.employee_number
    person = session.scalars(
        select(Person).where(Person.employee_number == number, Person.erased_at.is_(None)).with_for_update()
    ).one_or_none()
    if isinstance(data, Hired):
        return _hired(session, person, data, today)
    if person is None:
        raise RefusedError(
            f"There is no employee with the number {number}. As soon as they are known (by employee.hired or the roster) this is "
            "tried again."
        )
    standing = _standing(session, person)
    known = _as_they_are(session, person, standing)
    if isinstance(data, Left):
        if person.joined_on is not None and data.effective_date < person.joined_on:
            raise RefusedError(f"They cannot have left on {data.effective_date}: they join on {person.joined_on}.")
        if person.left_on is not None and person.left_on <= today and person.left_on != data.effective_date:
            raise RefusedError(
                f"They left on {person.left_on} already; if {data.effective_date} is right, correct the roster."
            )
        left = replace(known, left_on=data.effective_date)
        return (None if left == known else left), today
    moved = _moved(person, standing, known, data)
    if moved is not None and moved.manager != known.manager:
        _check_manager(session, moved)
    return moved, max(data.effective_date, _begun(standing))


def _hired(session: Session, person: Person | None, data: Hired, today: date) -> tuple[Employee | None, date]:
    employee = Employee(
        employee_number=data.employee_number,
        name=data.name,
        email=data.email,
        department=data.department,
        position=data.position,
        grade=data.grade,
        manager=data.manager,
        joined_on=data.effective_date,
    )
    _check_manager(session, employee)
    if person is None:
        return employee, today
    standing = _standing(session, person)
    if _as_they_are(session, person, standing) == employee:
        return None, today
    if person.left_on is None or person.left_on > data.effective_date:
        raise RefusedError(
            f"The employee {data.employee_number} is with the organisation already; what changed is told by employee.moved."
        )
    return employee, max(min(data.effective_date, today), _begun(standing))


def _moved(person: Person, standing: Assignment | None, known: Employee, data: Moved) -> Employee | None:
    if person.left_on is not None and person.left_on <= data.effective_date:
        raise RefusedError(
            f"They left on {person.left_on}, so that they cannot be moved from {data.effective_date} on."
        )
    if person.joined_on is not None and data.effective_date < person.joined_on:
        raise RefusedError(
            f"They join on {person.joined_on}, so that they cannot be moved from {data.effective_date} on."
        )
    said = data.model_dump(exclude={"employee_number", "effective_date"}, exclude_unset=True)
    moved = replace(known, **said)
    if moved == known:
        return None
    places = any(getattr(moved, name) != getattr(known, name) for name in PLACE)
    if places and standing is not None and data.effective_date < standing.valid_from:
        raise RefusedError(
            f"Since {standing.valid_from} they stand where they stand; what was before that day is history and is not rewritten "
            "by an event. If it is wrong, correct it in the roster."
        )
    return moved


def _begun(standing: Assignment | None) -> date:
    return standing.valid_from if standing is not None else date.min


def _standing(session: Session, person: Person) -> Assignment | None:
    query = select(Assignment).where(Assignment.person_id == person.id, Assignment.valid_until.is_(None))
    return session.scalars(query).one_or_none()


def _as_they_are(session: Session, person: Person, standing: Assignment | None) -> Employee:
    codes: dict[str, str | None] = {"department": None, "position": None, "grade": None}
    if standing is not None:
        for name, model in UNITS.items():
            unit = getattr(standing, f"{name}_id")
            codes[name] = session.scalar(select(model.code).where(model.id == unit)) if unit is not None else None
    return Employee(
        employee_number=person.employee_number,
        name=person.name,
        email=person.email,
        manager=standing.manager_number if standing is not None else None,
        joined_on=person.joined_on,
        left_on=person.left_on,
        department=codes["department"],
        position=codes["position"],
        grade=codes["grade"],
    )


def _check_units(session: Session, employee: Employee) -> None:
    for name, model in UNITS.items():
        code = getattr(employee, name)
        if code is not None and session.scalar(select(model.id).where(model.code == code)) is None:
            raise RefusedError(
                f"There is no {name} {code!r}. When it is known, run 'certbridge inbound retry'; a sender that may make new ones "
                "is added with --new-units."
            )


def _check_manager(session: Session, employee: Employee) -> None:
    if employee.manager is None:
        return
    known = select(Person.id).where(Person.employee_number == employee.manager, Person.erased_at.is_(None))
    if session.scalar(known) is None:
        raise RefusedError(f"There is no employee {employee.manager}, who is to be the manager.")


def _check_newest(session: Session, event: InboundEvent) -> None:
    """Refuse what a newer event about the same has overtaken: events are applied in their order, whichever way they came."""
    later = InboundEvent.occurred_at > event.occurred_at
    about: ColumnElement[bool] = InboundEvent.employee_number == event.employee_number
    if event.type == "employee.moved":  # of moves that which holds later counts, told earlier or not
        same_day = InboundEvent.effective_on == event.effective_on
        later = (InboundEvent.effective_on > event.effective_on) | (same_day & later)
    elif event.type not in PEOPLE:
        about = InboundEvent.subject == event.subject
    newer = session.scalar(
        select(InboundEvent.id)
        .where(about, InboundEvent.state == DONE, InboundEvent.type.in_(OVERTAKEN_BY[event.type]), later)
        .order_by(InboundEvent.id.desc())
        .limit(1)
    )
    if newer is not None:
        raise RefusedError(
            f"A newer event about the same ({newer}) has been applied already, so that this one would lead backwards."
        )
