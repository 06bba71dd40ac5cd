"""Promotion and pay records: HR proposes, the engine answers, and keeps the answer current until HR closes the record."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import requirements
from metrics.certification.chain import Rulebook
from metrics.certification.explanation import explain_standing
from metrics.certification.models import Promotion
from metrics.certification.promotion_decided import as_decided
from metrics.certification.promotion_notes import NO_REQUIREMENT, notes_on
from metrics.certification.promotion_proposals import Proposal, propose
from metrics.certification.record_refusals import NO_RECORD
from metrics.certification.refusals import NotThereError
from metrics.certification.status import Status
from plugin.events import EventDraft, lock_people
from plugin.models import Person
from plugin.moments import in_zone_iso
from plugin.store import chunks

if TYPE_CHECKING:
    from metrics.certification.engine import PersonCase  # the engine calls this module; only its type is needed here

__all__ = ["NO_REQUIREMENT", "Proposal", "answer", "answer_open", "asked_for", "close", "from_now_on", "propose"]

ELIGIBLE, CONDITIONAL, BLOCKED = "eligible", "conditional", "blocked"
BLOCKING = {Status.EXPIRED, Status.REVOKED, Status.OVERDUE, Status.NOT_STARTED}
PENDING = {Status.IN_PROGRESS, Status.GRACE}


def close(session: Session, promotion_id: str, now: datetime) -> None:
    """End a record: it stays as it was answered last, with the evidence of that moment. `now` is on the organisation's clock.

    Raises NotFoundError; closing twice changes nothing.
    """
    record = promotion_record(session, promotion_id)
    lock_people(session, [record.person_id])  # nobody answers it anew, or closes it as well, meanwhile
    session.refresh(record)
    if record.closed_at is None:
        record.closed_at = now
        record.decided = as_decided(session, record, now)


def answer(session: Session, promotion_id: str) -> dict[str, Any]:
    """The record as it stands, for the API. Raises NotFoundError."""
    record = promotion_record(session, promotion_id)
    number = session.scalar(select(Person.employee_number).where(Person.id == record.person_id))
    return shown(record, str(number))


def shown(record: Promotion, number: str) -> dict[str, Any]:
    """A record of the employee `number` as it stands, for the API."""
    said = {**_state(record, number), "eligibility": record.eligibility, "closed": record.closed_at is not None}
    return said if record.closed_at is None else {**said, "decided": record.decided}


def promotion_record(session: Session, promotion_id: str) -> Promotion:
    """The record of this id. Raises NotFoundError."""
    record = session.get(Promotion, promotion_id)
    if record is None:
        raise NotThereError(NO_RECORD, id=promotion_id)
    return record


def from_now_on(lines: Sequence[dict[str, Any]], now: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    """An open record's lines as they are read at `now`: an earliest day that has passed is now."""
    shown = in_zone_iso(now.replace(microsecond=0), zone)
    return [
        {**line, "earliest": shown} if line.get("earliest") and datetime.fromisoformat(line["earliest"]) < now else line
        for line in lines
    ]


def asked_for(session: Session, person_ids: Sequence[int]) -> dict[int, set[str]]:
    """The certifications that these persons' open records ask for, by person."""
    records = _open_records(session, person_ids)
    needed = requirements.for_promotions(session, records)
    found: dict[int, set[str]] = {}
    for record in records:
        found.setdefault(record.person_id, set()).update(needed[record.promotion_id])
    return found


def answer_open(
    session: Session, cases: "Mapping[int, PersonCase]", books: Mapping[str, Rulebook], now: datetime, zone: ZoneInfo
) -> list[EventDraft]:
    """Answer these persons' open records anew; an event for each whose answer changed."""
    events = []
    records = _open_records(session, list(cases))
    needed = requirements.for_promotions(session, records)
    notes = notes_on(session, records, needed)
    for record in records:
        case = cases[record.person_id]
        codes, note = needed[record.promotion_id], notes[record.promotion_id]
        known = [code for code in codes if code in case.standings]
        lines = [
            _line(case, code, books[code], record.effective_on, now, zone) if code in known else _without_rule(code)
            for code in codes
        ]
        eligibility = BLOCKED if known != codes else _eligibility(case, codes, record.effective_on, now, zone)
        same = record.eligibility == eligibility and record.note == note
        if same and _same(record.requirements, lines, now):
            continue
        record.eligibility, record.requirements, record.note, record.answered_at = eligibility, lines, note, now
        data = {**_state(record, case.number), "backfill": False}
        events.append(EventDraft(case.person_id, f"promotion.{eligibility}", f"promotion:{record.promotion_id}", data))
    return events


def _eligibility(case: "PersonCase", codes: Sequence[str], effective_on: date, now: datetime, zone: ZoneInfo) -> str:
    standings = [case.standings[code] for code in codes]
    if any(where.status in BLOCKING for where in standings):
        return BLOCKED
    if any(where.status in PENDING for where in standings):
        return CONDITIONAL
    if any(_is_too_early(_ends(case, code, now), effective_on, zone) for code in codes):
        return CONDITIONAL
    return ELIGIBLE


def _is_too_early(ends: datetime | None, effective_on: date, zone: ZoneInfo) -> bool:
    """Whether what is held ends on or before the effective date, by the calendar days of the organisation."""
    return ends is not None and ends.astimezone(zone).date() <= effective_on


def _ends(case: "PersonCase", code: str, now: datetime) -> datetime | None:
    """When what counts as held ends: the award, or the exemption and an award that goes on when it is over."""
    where = case.standings[code]
    exemption = case.exemption(code, now)
    if where.status is not Status.EXEMPT or exemption is None:
        return where.ends
    ends = exemption.ends_at
    for award in sorted(case.awards[code], key=lambda award: award.valid_from):
        if award.revoked_at is None and award.valid_from <= ends:
            if award.valid_until is None:
                return None
            ends = max(ends, award.valid_until)
    return ends


def _line(
    case: "PersonCase", code: str, book: Rulebook, effective_on: date, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """One required certification: where it stands, held until when, what is missing, and when it could be met."""
    where = case.standings[code]
    ends = _ends(case, code, now)
    held = where.status not in BLOCKING
    line: dict[str, Any] = {
        "certification": code,
        "status": str(where.status),
        "held_until": in_zone_iso(ends, zone) if held and ends is not None else None,
        "missing": [],
        "earliest": None,
    }
    if where.status in BLOCKING | PENDING or _is_too_early(ends, effective_on, zone):
        pieces = case.counted(code, now)
        following = explain_standing(book, case.awards[code], pieces, now, holdings=case.holdings(code))["next"]
        line["missing"] = _missing_of(following["sections"][0]) if following else []
        opens = datetime.fromisoformat(following["counts_from"]) if following and following["counts_from"] else now
        line["earliest"] = in_zone_iso(max(now, opens).replace(microsecond=0), zone)
    return line


def _without_rule(code: str) -> dict[str, Any]:
    """The line of a certification that is required and has no rule: nobody can hold it."""
    missing = [f"a rule for {code}: import it"]
    return {"certification": code, "status": "not_started", "held_until": None, "missing": missing, "earliest": None}


def _missing_of(section: Mapping[str, Any]) -> list[str]:
    """What a section of a rule still asks; where every criterion is met, why that is not enough."""
    lacking = missing_in(section["criteria"])
    return lacking or ([section["note"]] if section["note"] else [])


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


def _same(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Whether two answers say the same at `now`; 'from now on' is not another answer each time it is asked."""

    def plain(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**line, "earliest": _from_when(line.get("earliest"), now)} for line in lines]

    return plain(old) == plain(new)


def _from_when(earliest: str | None, now: datetime) -> datetime | None:
    return max(datetime.fromisoformat(earliest), now) if earliest else None


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
