"""One entry about somebody, an assessor's or an external certificate: what it says, what is refused, how it is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Evidence
from metrics.certification import refusals
from metrics.certification.acting import By
from metrics.certification.assessment_models import Assessment
from metrics.certification.refusals import NotThereError, RefusedInWordsError
from metrics.certification.rule import leaves
from metrics.certification.rules import load_rules
from plugin import people
from plugin.models import Person
from plugin.store import chunks

KIND = "assessed"
HANDED_IN, RECORDED, DECLINED, ENDED, VOIDED = "handed_in", "recorded", "declined", "superseded", "voided"
STATES = (HANDED_IN, RECORDED, DECLINED, ENDED, VOIDED)
ASSESSOR, CERTIFICATE = "assessor", "certificate"  # the sources of the evidence, which a rule may name
LENGTHS = {"assessment": 300, "issuer": 300, "number": 200, "note": 4000}
COLUMNS = ("assessment", "success", "achieved_at", "expires_at", "issuer", "number", "note", "file_id")


@dataclass(frozen=True)
class Entry:
    """What is said about somebody: the assessment's code, whether it was passed (None: it does not say), when.

    With an issuer it is an external certificate, which may have a number and an end of its own.
    """

    assessment: str
    achieved_at: datetime
    success: bool | None = True
    note: str = ""
    expires_at: datetime | None = None
    issuer: str = ""
    number: str = ""


@dataclass
class Known:
    """What entries are checked against: the codes that rules ask for, and the entries that stand or wait."""

    codes: frozenset[str]
    entries: dict[tuple[int, str, datetime], Assessment] = field(default_factory=dict)


def find_person(session: Session, number: str) -> Person:
    """The person of this number. Raises NotThereError."""
    found = session.scalars(
        select(Person).where(Person.employee_number == number, Person.erased_at.is_(None))
    ).one_or_none()
    if found is None:
        raise NotThereError(refusals.NO_EMPLOYEE, number=number)
    return found


def codes(session: Session) -> list[str]:
    """The assessments that any version of a rule asks for."""
    found = set()
    for versions in load_rules(session).values():
        for rule in versions:
            for section in (rule.earn, rule.renew):
                found |= {leaf.object for leaf in leaves(section.criterion) if leaf.kind == KIND}
    return sorted(found)


def known(session: Session, person_ids: Iterable[int]) -> Known:
    """What entries about these persons are checked against."""
    found = Known(frozenset(codes(session)))
    for ids in chunks(person_ids):
        query = select(Assessment).where(Assessment.person_id.in_(ids), Assessment.state.in_([HANDED_IN, RECORDED]))
        for row in session.scalars(query):
            found.entries[row.person_id, row.assessment, row.achieved_at] = row
    return found


def check(
    row: Assessment,
    by: By | None,
    others: Known,
    now: datetime,
    *,
    has_file: bool = False,
    ended: datetime | None = None,
) -> None:
    """Refuse what cannot be entered, with the reason; `by` is the assessor, `ended` an end that was accepted before."""
    if by is not None:
        check_not_oneself(row, by)
    if not row.assessment:
        raise RefusedInWordsError(refusals.NO_CODE, column="assessment")
    for name, most in LENGTHS.items():
        if len(getattr(row, name) or "") > most:
            raise RefusedInWordsError(refusals.TOO_LONG, column=name, what=name, most=most)
    if row.assessment not in others.codes:
        listed = ", ".join(sorted(others.codes)) or "–"
        raise RefusedInWordsError(refusals.UNKNOWN_CODE, column="assessment", code=row.assessment, known=listed)
    if row.achieved_at > now:
        raise RefusedInWordsError(refusals.IN_THE_FUTURE, column="achieved_at")
    if row.issuer is None and (row.number is not None or row.expires_at is not None):
        raise RefusedInWordsError(refusals.NEEDS_ISSUER, column="issuer")
    if row.expires_at is not None and row.expires_at <= row.achieved_at:
        raise RefusedInWordsError(refusals.EXPIRES_TOO_EARLY, column="expires_at")
    if row.expires_at is not None and row.expires_at <= now and row.expires_at != ended:
        raise RefusedInWordsError(refusals.HAS_EXPIRED, column="expires_at")
    if not row.note and not has_file:
        raise RefusedInWordsError(refusals.NEEDS_PROOF, column="note")
    other = others.entries.get((row.person_id, row.assessment, row.achieved_at))
    if other is not None:
        raise RefusedInWordsError(refusals.WAITS if other.state == HANDED_IN else refusals.ENTERED, id=other.id)


def check_not_oneself(row: Assessment, by: By) -> None:
    """Refuse an assessor who is the person. Raises RefusedInWordsError."""
    if by.person_id is not None and by.person_id == row.person_id:
        raise RefusedInWordsError(refusals.ONESELF, column="employee_number")


def made(person_id: int, entry: Entry, by: By, now: datetime) -> Assessment:
    """The row of an entry; empty texts are none."""
    return Assessment(
        person_id=person_id,
        assessment=entry.assessment.strip(),
        state=RECORDED,
        success=entry.success,
        achieved_at=entry.achieved_at,
        expires_at=entry.expires_at,
        issuer=entry.issuer.strip() or None,
        number=entry.number.strip() or None,
        note=entry.note.strip() or None,
        entered_by=by.login,
        entered_name=by.name or by.login,
        entered_role=by.role,
        entered_at=now,
    )


def record(session: Session, rows: Sequence[Assessment], now: datetime, origin: str | None = None) -> None:
    """Store the entries with a piece of evidence each, and touch their persons; `origin` is that of a corrected piece."""
    for row in rows:
        row.state = RECORDED
    session.add_all(rows)
    session.flush()
    pieces = [
        Evidence(
            person_id=row.person_id,
            origin=origin or f"{KIND}:{row.id}",
            source=CERTIFICATE if row.is_external else ASSESSOR,
            user_key="",
            kind=KIND,
            object=row.assessment,
            achieved_at=row.achieved_at,
            success=row.success,
            expires_at=row.expires_at,
            recorded_at=now,
        )
        for row in rows
    ]
    session.add_all(pieces)
    session.flush()
    for row, piece in zip(rows, pieces, strict=True):
        row.evidence_id = piece.id
    session.flush()
    people.touch(session, {row.person_id for row in rows})


def said(row: Assessment) -> dict[str, Any]:
    """What an entry says, for the audit trail."""
    return {
        "entry": row.id,
        "state": row.state,
        "assessment": row.assessment,
        "success": row.success,
        "achieved_at": row.achieved_at.isoformat(),
        "expires_at": row.expires_at.isoformat() if row.expires_at is not None else None,
        "issuer": row.issuer,
        "number": row.number,
        "file": row.file_id,
    }
