"""Erasing a person: first what would be deleted, blanked and kept; then all of it in one transaction.

An empty row of the person stays, under a number that says nothing, so that numbers and foreign keys hold. HR is told by
the event person.erased; everything else of theirs that waits to be told is cancelled.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, String, Table, cast, delete, func, literal, null, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from ulid import ULID

from plugin import accounts
from plugin.audit import record_act, sealed_tables
from plugin.audit.tables import ERASED
from plugin.events import EventDraft, append_events, lock_people
from plugin.installation import Installation, load_object
from plugin.models import Account, Person
from plugin.privacy import mails, trail
from plugin.privacy.declarations import BLANK, DELETE, KEEP, SEALED, Declarations, Rule, declarations
from plugin.privacy.finding import condition, key_of
from plugin.privacy.refusals import NAMED, OWN, PRESENT, PrivacyRefusedError
from plugin.privacy.subject import ERASED_EVENT, Subject, find_person, subject_of
from plugin.privacy.words import mentions
from plugin.store import Base

ACTION = "person.erase"
TRIES = 20
GIVES_WAY = "800ms"  # PostgreSQL looks for deadlocks after a second: it is we who begin again, never a pull


@dataclass(frozen=True)
class Line:
    """What erasing does with one aspect of a table: how many rows, what with them, and why where they are kept."""

    name: str
    what: str
    act: str
    rows: int
    because: str

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {"table": self.name, "what": self.what, "act": self.act, "rows": self.rows, "because": self.because}


@dataclass(frozen=True)
class Plan:
    """What erasing the person does, and the sources that would bring them back."""

    number: str
    person_id: int
    lines: tuple[Line, ...]
    present: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        lines = [line.as_json() for line in self.lines]
        return {"employee_number": self.number, "present_in": list(self.present), "tables": lines}


class BeforeErasing(Protocol):
    """What a manifest names as `before_erasing`: takes locks, stops what is under way; may raise RefusedError."""

    def __call__(self, session: Session, subject: Subject, now: datetime) -> None:
        """Make ready for erasing this person, in the transaction that does it."""
        ...


class FindPresent(Protocol):
    """What a manifest names as `present`: which sources still have the persons, whose next pull would bring them back."""

    def __call__(self, installation: Installation, people: Mapping[int, str]) -> Mapping[int, Sequence[str]]:
        """The sources' names by person id, for those of `people` (numbers by id) whom a source still has."""
        ...


def present_in(home: Installation, declared: Declarations, people: Mapping[int, str]) -> dict[int, list[str]]:
    """The sources that still have these persons, by person id."""
    found: dict[int, list[str]] = {}
    for place in declared.hooks.get("present", ()):
        ask: FindPresent = load_object(place)
        for person_id, sources in ask(home, people).items():
            found.setdefault(person_id, []).extend(sources)
    return found


def plan(home: Installation, number: str) -> Plan:
    """What erasing the employee `number` would do; nothing is changed. Raises PrivacyRefusedError, also for nobody."""
    declared = declarations(home.installed)
    with home.store.read() as session:
        person = find_person(session, number)
        subject = subject_of(session, person, declared.hooks.get("identities", ()))
        lines = tuple(
            Line(rule.name, rule.what, rule.erase, _count(session, rule, where), rule.because)
            for rule, where in _concerned(session, declared, subject)
        )
    present = present_in(home, declared, {person.id: number}).get(person.id, [])
    return Plan(number, person.id, lines, tuple(present))


def erase(home: Installation, number: str, actor: str, reason: str, *, although_present: bool = False) -> Plan:
    """Erase the employee `number`; what was done.

    Raises PrivacyRefusedError when there is nobody of that number, when they have been erased already, when a source still has them (unless
    `although_present`), while something of theirs is being sent, and for a reason that names them.
    """
    planned = plan(home, number)
    if planned.present and not although_present:
        raise PrivacyRefusedError(PRESENT, number=number, sources=", ".join(planned.present))
    for _ in range(TRIES - 1):
        try:
            return _erase(home, planned, actor, reason)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in {"55P03", "40P01"}:  # a lock not to be had, a deadlock
                raise
            time.sleep(0.2)
    return _erase(home, planned, actor, reason)


def _erase(home: Installation, planned: Plan, actor: str, reason: str) -> Plan:
    declared = declarations(home.installed)
    now = home.clock()
    with home.store.write() as session:
        if not home.store.is_sqlite:
            session.execute(text(f"SET LOCAL lock_timeout = '{GIVES_WAY}'"))
        subject = _locked(session, declared, planned.number, now)
        if subject.logins & {actor}:
            raise PrivacyRefusedError(OWN)
        if mentions(reason, subject.words | {subject.name}):
            raise PrivacyRefusedError(NAMED)
        lines = _clear(session, home, declared, subject, actor, now)
        draft = EventDraft(
            subject.person_id, ERASED_EVENT, f"person:{subject.number}", {"employee_number": subject.number}
        )
        append_events(session, [draft], now)
        done = {line.name: line.rows for line in lines if line.act != KEEP and line.rows}
        record_act(session, actor, ACTION, f"person-id:{subject.person_id}", now, reason=reason, after={"rows": done})
    home.wake("events_appended")
    return Plan(planned.number, subject.person_id, lines, planned.present)


def _locked(session: Session, declared: Declarations, number: str, now: datetime) -> Subject:
    """The person with everything that they are known by, locked against whoever would add to it meanwhile."""
    places = declared.hooks.get("identities", ())
    person = find_person(session, number)
    for place in declared.hooks.get("before_erasing", ()):
        prepare: BeforeErasing = load_object(place)
        prepare(session, subject_of(session, person, places), now)
    lock_people(session, [person.id])
    session.refresh(person)
    find_person(session, person.employee_number)  # somebody else may have been faster
    return subject_of(session, person, places)


def _clear(
    session: Session, home: Installation, declared: Declarations, subject: Subject, actor: str, now: datetime
) -> tuple[Line, ...]:
    left = f"erased-{ULID.from_datetime(now)}".lower()
    for account in session.scalars(select(Account).where(Account.id.in_(subject.account_ids)).with_for_update()):
        accounts.disable(session, account, actor, now)  # refuses for the last administrator
    session.flush()
    concerned = _concerned(session, declared, subject)
    for name in ("mail", "mail.about"):
        mails.stop(session, next(where for rule, where in concerned if rule.name == name), now)
    lines = tuple(
        Line(rule.name, rule.what, rule.erase, _count(session, rule, where), rule.because) for rule, where in concerned
    )
    order = {table.name: position for position, table in enumerate(Base.metadata.sorted_tables)}
    blanks = [(rule, where) for rule, where in concerned if rule.erase == BLANK]
    deletes = [(rule, where) for rule, where in concerned if rule.erase == DELETE]
    # The tables that refer to others first: they are often found through them.
    for rule, where in sorted(blanks, key=lambda each: -order[each[0].table.name]):
        values = {name: blank_value(rule.table, name, what, left) for name, what in rule.blank.items()}
        session.execute(update(rule.table).where(where).values(values))
    for rule, where in sorted(deletes, key=lambda each: -order[each[0].table.name]):
        session.execute(delete(rule.table).where(where))
    trail.forget(session, subject, sealed_tables(home.installed), actor, left, now)
    _empty(session, subject, left, now, home)
    session.expire_all()
    return lines


def _empty(session: Session, subject: Subject, left: str, now: datetime, home: Installation) -> None:
    """Leave an empty row of the person, who counts on no day."""
    today = now.astimezone(home.settings.organisation.zone).date()
    session.execute(
        update(Person)
        .where(Person.id == subject.person_id)
        .values(
            employee_number=left, name=ERASED, email=None, joined_on=today, left_on=today,
            created_at=now, changed_at=now, erased_at=now,
        ),
        execution_options={"synchronize_session": False},
    )  # fmt: skip


def _concerned(session: Session, declared: Declarations, subject: Subject) -> list[tuple[Rule, ColumnElement[bool]]]:
    """Every rule by which rows are found, with its condition."""
    return [(rule, condition(session, declared, rule, subject)) for rule in declared.rules if rule.found]


def _count(session: Session, rule: Rule, where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(rule.table).where(where)) or 0


def blank_value(table: Table, column: str, what: str, left: str = "") -> Any:
    """What a blanked column holds: nothing, an empty text or JSON object, the number that is left, or one per row."""
    if what == "null":
        return null()  # not the null of JSON
    if what == "empty":
        return "" if isinstance(table.c[column].type, String) else {}
    return left if what == "number" else literal(f"{left}:") + cast(key_of(table), String)


__all__ = ["ACTION", "SEALED", "Line", "Plan", "blank_value", "erase", "plan", "present_in"]
