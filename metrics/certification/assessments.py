"""What named assessors enter about people, and certificates that others issued: entered, handed in, approved, corrected.

An entry that counts has a piece of evidence of kind `assessed` with the same dates; the entry says who entered or approved
it, in which role, with which note and file. Nothing is changed afterwards: a correction voids the piece at the moment at
which the new one is recorded. What an employee hands in counts from the moment at which somebody approves it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Evidence
from connectors.proofs import SUPERSEDED
from metrics.certification import certificates, refusals
from metrics.certification.acting import By
from metrics.certification.assessment_entries import (
    COLUMNS,
    DECLINED,
    ENDED,
    HANDED_IN,
    RECORDED,
    VOIDED,
    Entry,
    check,
    check_not_oneself,
    find_person,
    known,
    made,
    record,
    said,
)
from metrics.certification.assessment_mails import tell_assessors, tell_employee
from metrics.certification.assessment_models import Assessment
from metrics.certification.certificates import Upload
from metrics.certification.refusals import NotThereError, RefusedInWordsError
from plugin import people
from plugin.audit import record_act
from plugin.events import lock_people
from plugin.models import Person


def enter(
    session: Session, number: str, entry: Entry, by: By, now: datetime, upload: Upload | None = None, most_mib: int = 5
) -> Assessment:
    """Record what an assessor says; the person is derived next. Raises NotThereError, RefusedInWordsError."""
    row = made(find_person(session, number).id, entry, by, now)
    lock_people(session, [row.person_id])
    check(row, by, known(session, [row.person_id]), now, has_file=upload is not None)
    _attach(session, row, upload, most_mib, now)
    record(session, [row], now)
    act(session, "assessment.enter", row, by, now, reason=row.note)
    return row


def hand_in(session: Session, entry: Entry, upload: Upload | None, by: By, now: datetime, most_mib: int) -> Assessment:
    """Keep the certificate of an employee until somebody approves it. Raises RefusedInWordsError."""
    if by.person_id is None:
        raise RefusedInWordsError(refusals.NOT_ONES_OWN)
    row = made(by.person_id, entry, by, now)
    row.state = HANDED_IN
    lock_people(session, [row.person_id])
    if row.issuer is None:
        raise RefusedInWordsError(refusals.NEEDS_ISSUER)
    if upload is None:
        raise RefusedInWordsError(refusals.NEEDS_FILE)
    check(row, None, known(session, [row.person_id]), now, has_file=True)
    _attach(session, row, upload, most_mib, now)
    session.add(row)
    session.flush()
    act(session, "assessment.hand_in", row, by, now)
    tell_assessors(session, row)
    return row


def approve(session: Session, entry_id: int, by: By, now: datetime, reason: str = "") -> Assessment:
    """Let what was handed in count. Raises NotThereError, RefusedInWordsError."""
    row = _waiting(session, entry_id)
    others = known(session, [row.person_id])
    others.entries.pop((row.person_id, row.assessment, row.achieved_at), None)
    check(row, by, others, now, has_file=row.file_id is not None)
    row.decided_by, row.decided_name, row.decided_role = by.login, by.name or by.login, by.role
    row.decided_at, row.decision = now, reason.strip() or None
    record(session, [row], now)
    act(session, "assessment.approve", row, by, now, reason=reason, before={"state": HANDED_IN})
    tell_employee(session, row)
    return row


def decline(session: Session, entry_id: int, reason: str, by: By, now: datetime) -> Assessment:
    """Turn down what was handed in. Raises NotThereError, RefusedInWordsError."""
    row = _waiting(session, entry_id)
    _check_reason(reason)
    check_not_oneself(row, by)
    row.state, row.decided_by, row.decided_name, row.decided_role = DECLINED, by.login, by.name or by.login, by.role
    row.decided_at, row.decision = now, reason.strip()
    act(session, "assessment.decline", row, by, now, reason=reason, before={"state": HANDED_IN})
    tell_employee(session, row)
    return row


def correct(
    session: Session,
    entry_id: int,
    entry: Entry,
    reason: str,
    by: By,
    now: datetime,
    upload: Upload | None = None,
    most_mib: int = 5,
) -> Assessment:
    """Put another entry in the place of one that stands; its file stays unless there is a new one.

    Raises NotThereError, RefusedInWordsError. An end that was accepted before may have passed since.
    """
    old = _standing(session, entry_id)
    _check_reason(reason)
    row = made(old.person_id, entry, by, now)
    row.corrects_id, row.file_id = old.id, old.file_id
    others = known(session, [row.person_id])
    others.entries.pop((old.person_id, old.assessment, old.achieved_at), None)
    check(row, by, others, now, has_file=upload is not None or row.file_id is not None, ended=old.expires_at)
    if upload is None and all(getattr(old, name) == getattr(row, name) for name in COLUMNS):
        raise RefusedInWordsError(refusals.NOTHING_CHANGES)
    _attach(session, row, upload, most_mib, now)
    origin = _end(session, old, ENDED, reason, by, now)
    record(session, [row], now, origin)
    act(session, "assessment.correct", row, by, now, reason=reason, before=said(old))
    return row


def void(session: Session, entry_id: int, reason: str, by: By, now: datetime) -> Assessment:
    """Take back an entry that stands. Raises NotThereError, RefusedInWordsError."""
    row = _standing(session, entry_id)
    _check_reason(reason)
    check_not_oneself(row, by)
    before = said(row)
    _end(session, row, VOIDED, reason, by, now)
    people.touch(session, [row.person_id])
    act(session, "assessment.void", row, by, now, reason=reason, before=before)
    return row


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise RefusedInWordsError(refusals.SAY_WHY)


def _end(session: Session, row: Assessment, state: str, reason: str, by: By, now: datetime) -> str:
    """End an entry and void its piece of evidence; the piece's origin."""
    row.state, row.ended_by, row.ended_role, row.ended_at, row.ended_because = (
        state,
        by.login,
        by.role,
        now,
        reason.strip(),
    )
    piece = session.get_one(Evidence, row.evidence_id)
    if piece.voided_at is None:
        piece.voided_at, piece.void_reason = now, SUPERSEDED if state == ENDED else VOIDED
    session.flush()
    return piece.origin


def _attach(session: Session, row: Assessment, upload: Upload | None, most_mib: int, now: datetime) -> None:
    if upload is not None:
        row.file_id = certificates.keep(session, row.person_id, upload, most_mib, now).id


def _locked(session: Session, entry_id: int) -> Assessment:
    row = session.get(Assessment, entry_id)
    if row is None:
        raise NotThereError(refusals.NO_ENTRY, id=entry_id)
    lock_people(session, [row.person_id])
    session.refresh(row)  # somebody else may have settled it while we waited
    return row


def _waiting(session: Session, entry_id: int) -> Assessment:
    row = _locked(session, entry_id)
    if row.state != HANDED_IN:
        raise RefusedInWordsError(refusals.NOT_WAITING, id=entry_id)
    return row


def _standing(session: Session, entry_id: int) -> Assessment:
    row = _locked(session, entry_id)
    if row.state != RECORDED:
        raise RefusedInWordsError(refusals.NOT_STANDING, id=entry_id)
    return row


def act(
    session: Session,
    action: str,
    row: Assessment,
    by: By,
    now: datetime,
    *,
    reason: str | None = None,
    before: dict[str, Any] | None = None,
) -> None:
    """Write what was done to an entry into the audit trail."""
    number = session.scalar(select(Person.employee_number).where(Person.id == row.person_id))
    subject = f"assessment:{number}:{row.assessment}"
    after = {**by.as_said(), **said(row)}
    why = (reason or "").strip() or None
    record_act(session, by.actor, action, subject, now, reason=why, before=before, after=after, person_id=row.person_id)
