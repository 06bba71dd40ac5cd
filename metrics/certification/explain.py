"""Why a person stands with a certification as they do, from the store: derived anew by the code that decides."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import decisions
from metrics.certification.chain import Rulebook
from metrics.certification.engine import PersonCase, decide, load_cases
from metrics.certification.explanation import explain_standing
from metrics.certification.models import AwardChange, Decision
from metrics.certification.regrades import regrades_of
from metrics.certification.rules import load_books
from metrics.certification.status import Status
from plugin.errors import NotFoundError
from plugin.models import Person
from plugin.moments import in_zone_iso


def explain(session: Session, employee_number: str, code: str, as_of: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The explanation as of `as_of`, as what was known then gives it; the shape is that of `explain_standing`.

    Beside it: the employee number, the requirements that held then, and every change until `as_of`: those that the engine
    made to the awards, and what people decided. Raises NotFoundError for an unknown employee or certification.
    """
    books = load_books(session, zone)
    person_id = _person_id(session, employee_number)
    if code not in books:
        known = ", ".join(sorted(books)) or "none yet"
        raise NotFoundError(f"There is no certification {code!r}; there are: {known}.")
    case = _case(session, person_id, books, as_of, zone, code)
    return _explained(session, case, books, code, as_of, zone)


def explain_all(session: Session, employee_number: str, as_of: datetime, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """The explanation of every certification that the person began, held or must hold, by code.

    Raises NotFoundError for an unknown employee.
    """
    books = load_books(session, zone)
    case = _case(session, _person_id(session, employee_number), books, as_of, zone)
    for code in sorted(case.standings):
        required = any(duty.holds for duty in case.duties.get(code, []))
        if required or case.standings[code].status is not Status.NOT_STARTED:
            yield _explained(session, case, books, code, as_of, zone)


def _person_id(session: Session, employee_number: str) -> int:
    person_id = session.scalar(select(Person.id).where(Person.employee_number == employee_number))
    if person_id is None:
        raise NotFoundError(f"There is no employee {employee_number!r}.")
    return person_id


def _case(
    session: Session, person_id: int, books: dict[str, Rulebook], as_of: datetime, zone: ZoneInfo, wanted: str = ""
) -> PersonCase:
    case = load_cases(session, [person_id], books, as_of, zone)[person_id]
    for code, book in books.items():
        decide(case, code, book, as_of, known=code == wanted)
    return case


def _explained(
    session: Session, case: PersonCase, books: dict[str, Rulebook], code: str, as_of: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    history = [
        *_history(session, case.person_id, code, as_of, zone),
        *_decided(case.decided.get(code, ()), as_of, zone),
        *_regraded(session, code, as_of, zone),
    ]
    return {
        "employee_number": case.number,
        **explain_case(case, books, code, as_of),
        "required_by": [
            {
                "kind": "duty",
                "requirement": duty.requirement_id,
                "population": dict(zip(("kind", "value"), duty.population, strict=True)),
                "due_at": in_zone_iso(duty.due_at, zone) if duty.due_at else None,
            }
            for duty in case.duties.get(code, [])
            if duty.holds
        ],
        "history": sorted(history, key=lambda line: datetime.fromisoformat(line["at"])),
    }


def _regraded(session: Session, code: str, as_of: datetime, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """When a version was applied to awards granted under older ones."""
    for row in regrades_of(session, code):
        if row.applied_at <= as_of:
            yield {
                "at": in_zone_iso(row.applied_at, zone),
                "change": "regrade",
                "reason": "decided",
                "by": row.applied_by,
                "note": row.reason,
                "version": row.version,
                "before": None,
                "after": None,
            }


def explain_case(case: PersonCase, books: Mapping[str, Rulebook], code: str, as_of: datetime) -> dict[str, Any]:
    """What `explain_standing` says of one certification of a person for whom it was decided."""
    exemption = case.exemption(code, as_of)
    duties = case.duties.get(code, [])
    overdue = [duty.overdue_from for duty in duties if duty.overdue_from is not None]
    due = [duty.due_at for duty in duties if duty.holds and duty.due_at is not None]
    said = explain_standing(
        books[code].known(as_of),
        case.awards[code],
        case.counted(code, as_of),
        as_of,
        holdings=case.holdings(code),
        exempt_from=exemption.starts_at if exemption else None,
        exempt_until=exemption.ends_at if exemption else None,
        required_due_at=min(overdue, default=None),
    )
    # That of the duties that hold: somebody who came after it is overdue only since then.
    return {**said, "required_due_at": _iso(min(due, default=None), books[code].zone)}


def _history(session: Session, person_id: int, code: str, as_of: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(AwardChange)
        .where(AwardChange.person_id == person_id, AwardChange.certification == code, AwardChange.at <= as_of)
        .order_by(AwardChange.id)
    )
    return [
        {
            "at": in_zone_iso(row.at, zone),
            "change": row.change,
            "reason": row.reason,
            "by": "engine",
            "before": row.before,
            "after": row.after,
        }
        for row in rows
    ]


def _decided(rows: Iterable[Decision], as_of: datetime, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """What people decided until `as_of`, in the shape of the engine's changes; `note` is the reason that they gave."""
    for row in rows:
        if row.decided_at is None or row.decided_at > as_of:
            continue
        begins = row.starts_at if row.kind == decisions.EXEMPT else None
        span = {"valid_from": in_zone_iso(begins, zone), "valid_until": _iso(row.ends_at, zone)} if begins else None
        by = {"by": row.decided_by, "role": row.decided_role, "reason": "decided", "note": row.reason, "before": None}
        yield {"at": in_zone_iso(row.decided_at, zone), "change": row.kind, **by, "after": span}
        if row.withdrawn_at is not None and row.withdrawn_at <= as_of:
            ended = {"at": in_zone_iso(row.withdrawn_at, zone), "change": "exemption_withdrawn"}
            yield {**ended, "by": row.withdrawn_by, "reason": "decided", "before": span, "after": None}


def _iso(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return in_zone_iso(moment, zone) if moment is not None else None
