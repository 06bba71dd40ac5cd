"""Promotion and pay records: HR proposes, the engine answers, and keeps the answer current until HR closes the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import requirements
from metrics.certification.chain import Rulebook
from metrics.certification.explanation import explain_standing
from metrics.certification.models import Promotion
from metrics.certification.status import Standing, Status
from plugin import people
from plugin.errors import NotFoundError, RefusedError
from plugin.events import EventDraft, lock_people
from plugin.models import Person
from plugin.moments import in_zone_iso
from plugin.store import chunks

if TYPE_CHECKING:
    from metrics.certification.engine import PersonCase  # the engine calls this module; only its type is needed here

ELIGIBLE, CONDITIONAL, BLOCKED = "eligible", "conditional", "blocked"
NO_REQUIREMENT = "No certification is required for this."
BLOCKING = {Status.EXPIRED, Status.REVOKED, Status.OVERDUE, Status.NOT_STARTED}
PENDING = {Status.IN_PROGRESS, Status.GRACE}
TERMS = ("kind", "from_position", "to_position", "from_grade", "to_grade", "effective_on")


@dataclass(frozen=True)
class Proposal:
    """What HR proposes: a promotion or a pay step of one person, by HR's own id of the record."""

    promotion_id: str
    employee_number: str
    kind: str
    effective_date: date
    from_position: str | None = None
    to_position: str | None = None
    from_grade: str | None = None
    to_grade: str | None = None


def propose(session: Session, proposal: Proposal, now: datetime) -> str:
    """Store a proposal: 'created', 'updated' or 'unchanged'; the answer is derived next.

    Raises RefusedError for an unknown employee, a closed record, and a record that was another employee's.
    """
    person_id = session.scalar(select(Person.id).where(Person.employee_number == proposal.employee_number))
    if person_id is None:
        raise RefusedError(
            f"There is no employee {proposal.employee_number!r} here. Check the number; new employees are known after the next "
            "pull of the source that is the authority for people."
        )
    terms = {name: getattr(proposal, name) for name in TERMS if name != "effective_on"}
    terms["effective_on"] = proposal.effective_date
    lock_people(session, [person_id])  # two calls at once about one record: the second waits and finds it
    record = session.get(Promotion, proposal.promotion_id)
    if record is None:
        session.add(
            Promotion(
                promotion_id=proposal.promotion_id, person_id=person_id, proposed_at=now, requirements=[], **terms
            )
        )
        people.touch(session, [person_id])
        return "created"
    if record.closed_at is not None:
        raise RefusedError(
            f"The record {proposal.promotion_id} was closed on {record.closed_at:%Y-%m-%d}; propose a new one."
        )
    if record.person_id != person_id:
        raise RefusedError(
            f"The record {proposal.promotion_id} belongs to another employee; propose under an id of its own."
        )
    if all(getattr(record, name) == value for name, value in terms.items()):
        return "unchanged"
    for name, value in terms.items():
        setattr(record, name, value)
    people.touch(session, [person_id])
    return "updated"


def close(session: Session, promotion_id: str, now: datetime) -> None:
    """End a record: it stays as it was answered last. Raises NotFoundError; closing twice changes nothing."""
    record = _record(session, promotion_id)
    record.closed_at = record.closed_at or now


def answer(session: Session, promotion_id: str) -> dict[str, Any]:
    """The record as it stands, for the API. Raises NotFoundError."""
    record = _record(session, promotion_id)
    number = session.scalar(select(Person.employee_number).where(Person.id == record.person_id))
    return {**_state(record, str(number)), "eligibility": record.eligibility, "closed": record.closed_at is not None}


def asked_for(session: Session, person_ids: Sequence[int]) -> dict[int, set[str]]:
    """The certifications that these persons' open records ask for, by person."""
    records = _open_records(session, person_ids)
    needed = _needed(session, records)
    found: dict[int, set[str]] = {}
    for record in records:
        found.setdefault(record.person_id, set()).update(needed.get(_target(record), []))
    return found


def answer_open(
    session: Session, cases: "Mapping[int, PersonCase]", books: Mapping[str, Rulebook], now: datetime, zone: ZoneInfo
) -> list[EventDraft]:
    """Answer these persons' open records anew; an event for each whose answer changed."""
    events = []
    records = _open_records(session, list(cases))
    needed = _needed(session, records)
    for record in records:
        case = cases[record.person_id]
        codes = [code for code in needed.get(_target(record), []) if code in case.standings]
        lines = [_line(case, code, books[code], record.effective_on, now, zone) for code in codes]
        eligibility = _eligibility([case.standings[code] for code in codes], record.effective_on, zone)
        note = None if codes else NO_REQUIREMENT
        if record.eligibility == eligibility and record.note == note and _same(record.requirements, lines):
            continue
        record.eligibility, record.requirements, record.note, record.answered_at = eligibility, lines, note, now
        data = {**_state(record, case.number), "backfill": False}
        events.append(EventDraft(case.person_id, f"promotion.{eligibility}", f"promotion:{record.promotion_id}", data))
    return events


def _eligibility(standings: Sequence[Standing], effective_on: date, zone: ZoneInfo) -> str:
    if any(where.status in BLOCKING for where in standings):
        return BLOCKED
    if any(where.status in PENDING or _ends_too_early(where, effective_on, zone) for where in standings):
        return CONDITIONAL
    return ELIGIBLE


def _ends_too_early(where: Standing, effective_on: date, zone: ZoneInfo) -> bool:
    """Whether what is held ends on or before the effective date."""
    return where.ends is not None and where.ends.astimezone(zone).date() <= effective_on


def _line(
    case: "PersonCase", code: str, book: Rulebook, effective_on: date, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """One required certification: where it stands, held until when, what is missing, and when it could be met."""
    where = case.standings[code]
    held = where.award is not None and where.status not in BLOCKING
    line: dict[str, Any] = {
        "certification": code,
        "status": str(where.status),
        "held_until": in_zone_iso(where.ends, zone) if held and where.ends is not None else None,
        "missing": [],
        "earliest": None,
    }
    if where.status in BLOCKING | PENDING or _ends_too_early(where, effective_on, zone):
        pieces = case.counted(code, now)
        following = explain_standing(book, case.awards[code], pieces, now, holdings=case.holdings(code))["next"]
        line["missing"] = missing_in(following["sections"][0]["criteria"]) if following else []
        opens = datetime.fromisoformat(following["counts_from"]) if following and following["counts_from"] else now
        line["earliest"] = in_zone_iso(max(now, opens).replace(microsecond=0), zone)
    return line


def missing_in(node: Mapping[str, Any]) -> list[str]:
    """What is missing below a node of an explanation's tree, in words; nothing where the node is satisfied.

    Of several ways one line says them all: any one of them is enough.
    """
    if node["satisfied"]:
        return []
    if "of" not in node:
        return [node["missing"]]
    parts = [" and ".join(words) for child in node["of"] if (words := missing_in(child))]
    if node["criterion"] == "all_of":
        return [words for child in node["of"] for words in missing_in(child)]
    return [" or ".join(parts)] if node["criterion"] == "any_of" else [f"{node['n']} of: {'; '.join(parts)}"]


def _same(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two answers say the same; 'from now on' is not another answer each time it is asked."""

    def plain(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in line.items() if name != "earliest"} for line in lines]

    return plain(old) == plain(new)


def _state(record: Promotion, number: str) -> dict[str, Any]:
    return {
        "promotion_id": record.promotion_id,
        "employee_number": number,
        "kind": record.kind,
        "to": {"position": record.to_position, "grade": record.to_grade},
        "effective_date": record.effective_on.isoformat(),
        "requirements": record.requirements,
        "note": record.note,
    }


def _open_records(session: Session, person_ids: Sequence[int]) -> list[Promotion]:
    records: list[Promotion] = []
    for ids in chunks(person_ids):
        query = select(Promotion).where(Promotion.person_id.in_(ids), Promotion.closed_at.is_(None))
        records += session.scalars(query.order_by(Promotion.promotion_id))
    return records


def _target(record: Promotion) -> tuple[str, date]:
    return record.to_position or "", record.effective_on


def _needed(session: Session, records: Sequence[Promotion]) -> dict[tuple[str, date], list[str]]:
    return requirements.for_promotions(session, (_target(record) for record in records if record.to_position))


def _record(session: Session, promotion_id: str) -> Promotion:
    record = session.get(Promotion, promotion_id)
    if record is None:
        raise NotFoundError(f"There is no promotion record {promotion_id!r}.")
    return record
