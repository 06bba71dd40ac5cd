"""What a person must hold, and how they stand with each requirement."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.duties import Duty
from metrics.certification.engine import PersonCase, decide, load_cases
from metrics.certification.explain import explain_case
from metrics.certification.promotion import missing_in
from metrics.certification.rules import load_books
from metrics.certification.status import Status
from plugin.errors import NotFoundError
from plugin.models import Person
from plugin.moments import in_zone_iso

MET = {Status.EXEMPT, Status.CERTIFIED, Status.RENEWAL_DUE, Status.GRACE}


def requirement_status(session: Session, employee_number: str, as_of: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The requirements that hold for the person as of `as_of`, by certification, each with where they stand.

    Raises NotFoundError for an unknown employee.
    """
    person_id = session.scalar(select(Person.id).where(Person.employee_number == employee_number))
    if person_id is None:
        raise NotFoundError(f"There is no employee {employee_number!r}.")
    books = load_books(session, zone)
    case = load_cases(session, [person_id], books, as_of, zone)[person_id]
    for code, book in books.items():
        decide(case, code, book, as_of, known=False)
    lines = []
    for code in sorted(case.duties):
        said = _standing(case, books, code, as_of, zone)
        for duty in case.duties[code]:
            if duty.holds:
                lines.append({"certification": code, **_about(duty, zone), **said})
    return lines


def _about(duty: Duty, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "kind": "duty",
        "requirement": duty.requirement_id,
        "population": dict(zip(("kind", "value"), duty.population, strict=True)),
        "due_at": in_zone_iso(duty.due_at, zone) if duty.due_at else None,
    }


def _standing(case: PersonCase, books: dict[str, Any], code: str, as_of: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Where the person stands with a certification; of one without a rule nobody can hold anything."""
    where = case.standings.get(code)
    if where is None:
        missing = [f"a rule for {code}: import it"]
        return {"status": str(Status.NOT_STARTED), "met": False, "held_until": None, "missing": missing}
    met, missing = where.status in MET, []
    if not met and (following := explain_case(case, books, code, as_of)["next"]):
        section = following["sections"][0]
        missing = missing_in(section["criteria"]) or ([section["note"]] if section["note"] else [])
    ends = where.ends if met else None
    exemption = case.exemption(code, as_of) if where.status is Status.EXEMPT else None
    if exemption is not None:
        ends = max(exemption.ends_at, ends or exemption.ends_at)
    return {
        "status": str(where.status),
        "met": met,
        "held_until": in_zone_iso(ends, zone) if ends is not None else None,
        "missing": missing,
    }
