"""What people decide about certifications: exempting, revoking, reinstating; proposed by one, done by another.

A decision is kept for good and known from the moment at which it was made. A revocation ends what is held: everything
achieved until then stops counting for that certification, so that only what is achieved afterwards earns it again.
A reinstatement takes a revocation back from its own moment on: the former award is granted again, with its own dates.
An exemption holds from its beginning until its end, or until it is withdrawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification import refusals
from metrics.certification.acting import By
from metrics.certification.evidence import Piece
from metrics.certification.models import Award, CertificationRule, Decision, Holding
from metrics.certification.refusals import NotThereError, RefusedInWordsError
from plugin import people
from plugin.audit import record_act
from plugin.events import lock_people
from plugin.models import Person
from plugin.store import chunks

EXEMPT, REVOKE, REINSTATE = "exempt", "revoke", "reinstate"
PROPOSED, DONE, DECLINED = STATES = ("proposed", "done", "declined")
NO_EVIDENCE = frozenset({"enrolled", "certification"})  # kinds of pieces that say a state, and earn nothing themselves


@dataclass(frozen=True)
class Wish:
    """What somebody wants decided about one person's certification. An exemption needs its end."""

    kind: str
    employee_number: str
    certification: str
    reason: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Exemption:
    """From when until when a person is exempt."""

    starts_at: datetime
    ends_at: datetime


def decide(session: Session, wish: Wish, by: By, now: datetime) -> Decision:
    """Make the decision; the person is derived next. Raises NotFoundError, RefusedError."""
    row = _row(session, wish, now)
    _check_decides(row, by)
    row.proposed_by, row.proposed_role, row.proposed_at = by.login, by.role, now
    session.add(row)
    _do(session, row, by, now)
    return row


def propose(session: Session, wish: Wish, by: By, now: datetime) -> Decision:
    """Keep the wish for somebody who may decide. Raises NotFoundError, RefusedError."""
    row = _row(session, wish, now)
    row.state, row.proposed_by, row.proposed_role, row.proposed_at = PROPOSED, by.login, by.role, now
    same = select(Decision.id).where(
        Decision.person_id == row.person_id,
        Decision.certification == row.certification,
        Decision.kind == row.kind,
        Decision.state == PROPOSED,
    )
    if (other := session.scalars(same).first()) is not None:
        raise RefusedInWordsError(refusals.PROPOSED, id=other)
    session.add(row)
    session.flush()
    _act(session, row, f"award.propose_{row.kind}", by, now, row.reason)
    return row


def accept(session: Session, decision_id: int, by: By, now: datetime) -> Decision:
    """Do what was proposed. Raises NotFoundError; RefusedError when it is settled already or fits no more."""
    row = _proposal(session, decision_id)
    _check_decides(row, by)
    _check(session, row, now)
    _do(session, row, by, now)
    return row


def decline(session: Session, decision_id: int, reason: str, by: By, now: datetime) -> None:
    """Turn a proposal down. Raises NotFoundError, RefusedError."""
    row = _proposal(session, decision_id)
    _check_reason(reason)
    row.state, row.decided_by, row.decided_role, row.decided_at = DECLINED, by.login, by.role, now
    row.answer = reason.strip()
    _act(session, row, f"award.decline_{row.kind}", by, now, reason.strip())


def withdraw(session: Session, decision_id: int, reason: str, by: By, now: datetime) -> None:
    """End an exemption before its time. Raises NotFoundError, RefusedError."""
    row = session.get(Decision, decision_id)
    if row is None or row.kind != EXEMPT or row.state != DONE:
        raise NotThereError(refusals.NO_EXEMPTION, id=decision_id)
    lock_people(session, [row.person_id])
    session.refresh(row)
    _check_reason(reason)
    _check_decides(row, by)
    if row.withdrawn_at is not None or (row.ends_at is not None and row.ends_at <= now):
        raise RefusedInWordsError(refusals.EXEMPTION_OVER)
    row.withdrawn_at, row.withdrawn_by, row.answer = now, by.login, reason.strip()
    _act(session, row, "award.withdraw_exemption", by, now, reason.strip())
    people.touch(session, [row.person_id])


def of_people(session: Session, person_ids: Iterable[int]) -> dict[tuple[int, str], list[Decision]]:
    """What was decided, by person and certification, oldest first."""
    found: dict[tuple[int, str], list[Decision]] = {}
    for ids in chunks(person_ids):
        query = select(Decision).where(Decision.person_id.in_(ids), Decision.state == DONE).order_by(Decision.id)
        for row in session.scalars(query):
            found.setdefault((row.person_id, row.certification), []).append(row)
    return found


def counted(pieces: Sequence[Piece], decisions: Sequence[Decision], at: datetime) -> list[Piece]:
    """The pieces as they count for a certification at `at`: without what revocations have ended.

    A piece that counts again after a reinstatement stands twice: as it was known before, and as it is known since.
    """
    found = list(pieces)
    for revoked_at, reinstated_at in _revocations(decisions, at):
        found = [part for piece in found for part in _cut(piece, revoked_at, reinstated_at)]
    return found


def exemption(decisions: Sequence[Decision], at: datetime) -> Exemption | None:
    """The exemption that holds at `at`, else the next one to begin, as known then; those that meet are one."""
    spans = sorted(
        (row.starts_at, row.withdrawn_at if row.withdrawn_at is not None and row.withdrawn_at <= at else row.ends_at)
        for row in decisions
        if row.kind == EXEMPT and row.decided_at is not None and row.decided_at <= at
        if row.starts_at is not None and row.ends_at is not None
    )
    merged: list[Exemption] = []
    for starts_at, ends_at in spans:
        if ends_at is None or ends_at <= starts_at:
            continue  # withdrawn before it began
        if merged and starts_at <= merged[-1].ends_at:
            merged[-1] = Exemption(merged[-1].starts_at, max(merged[-1].ends_at, ends_at))
        else:
            merged.append(Exemption(starts_at, ends_at))
    return next((span for span in merged if span.ends_at > at), merged[-1] if merged else None)


def revoked_at(decisions: Sequence[Decision], moment: datetime) -> Decision | None:
    """The decision that revoked an award at just this moment."""
    return next((row for row in decisions if row.kind == REVOKE and row.decided_at == moment), None)


def reinstated(decisions: Sequence[Decision], achieved_at: datetime, at: datetime) -> Decision | None:
    """The reinstatement, at `at` or before, by which what was achieved at `achieved_at` counts again."""
    return next(
        (
            row
            for row in reversed(decisions)
            if row.kind == REINSTATE and row.decided_at is not None and achieved_at <= row.decided_at <= at
        ),
        None,
    )


def _revocations(decisions: Sequence[Decision], at: datetime) -> list[tuple[datetime, datetime | None]]:
    """When something was revoked, and reinstated again, as known at `at`."""
    again = {row.undoes_id: row.decided_at for row in decisions if row.kind == REINSTATE}
    found = []
    for row in decisions:
        if row.kind == REVOKE and row.decided_at is not None and row.decided_at <= at:
            back = again.get(row.id)
            found.append((row.decided_at, back if back is not None and back <= at else None))
    return found


def _cut(piece: Piece, revoked: datetime, back: datetime | None) -> list[Piece]:
    """A piece without the time from `revoked` until `back`, if it was achieved by then."""
    if piece.kind in NO_EVIDENCE or piece.achieved_at > revoked:
        return [piece]
    parts = []
    if piece.recorded_at < revoked:
        ends = revoked if piece.voided_at is None else min(piece.voided_at, revoked)
        parts.append(replace(piece, voided_at=ends))
    if back is not None and (piece.voided_at is None or piece.voided_at > back):
        parts.append(replace(piece, recorded_at=max(piece.recorded_at, back)))
    return parts


# Deciding -------------------------------------------------------------------------------------------------------------


def _row(session: Session, wish: Wish, now: datetime) -> Decision:
    query = select(Person.id).where(Person.employee_number == wish.employee_number, Person.erased_at.is_(None))
    person_id = session.scalar(query)
    if person_id is None:
        raise NotThereError(refusals.NO_EMPLOYEE, number=wish.employee_number)
    known = select(CertificationRule.id).where(CertificationRule.code == wish.certification).limit(1)
    if session.scalars(known).first() is None:
        raise NotThereError(refusals.NO_CERTIFICATION, code=wish.certification)
    _check_reason(wish.reason)
    if wish.kind not in {EXEMPT, REVOKE, REINSTATE}:
        raise RefusedInWordsError(refusals.NO_SUCH_KIND, kind=wish.kind)
    row = Decision(
        person_id=person_id,
        certification=wish.certification,
        kind=wish.kind,
        reason=wish.reason.strip(),
        starts_at=wish.starts_at if wish.kind == EXEMPT else None,
        ends_at=wish.ends_at if wish.kind == EXEMPT else None,
    )
    _check(session, row, now)
    return row


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise RefusedInWordsError(refusals.NO_REASON)


def _check_decides(row: Decision, by: By) -> None:
    """Nobody decides about themselves, whatever their roles; proposing it is allowed."""
    if by.person_id is not None and by.person_id == row.person_id:
        raise RefusedInWordsError(refusals.ABOUT_ONESELF)


def _check(session: Session, row: Decision, now: datetime) -> None:
    """Refuse what cannot be decided as things stand; note what a reinstatement takes back."""
    lock_people(session, [row.person_id])
    if row.kind == EXEMPT:
        if row.ends_at is None:
            raise RefusedInWordsError(refusals.NO_END)
        if row.ends_at <= max(row.starts_at or now, now):
            raise RefusedInWordsError(refusals.ENDS_TOO_EARLY)
        return
    revocation = _standing_revocation(session, row)
    if row.kind == REINSTATE:
        if revocation is None:
            raise RefusedInWordsError(refusals.NOTHING_REVOKED, code=row.certification)
        row.undoes_id = revocation.id
    elif _granted_at(session, row, now) is None:
        raise RefusedInWordsError(refusals.NOTHING_HELD, code=row.certification)


def _standing_revocation(session: Session, row: Decision) -> Decision | None:
    """The newest revocation of the person's certification that nothing has taken back."""
    rows = of_people(session, [row.person_id]).get((row.person_id, row.certification), [])
    undone = {other.undoes_id for other in rows if other.kind == REINSTATE}
    return next((other for other in reversed(rows) if other.kind == REVOKE and other.id not in undone), None)


def _granted_at(session: Session, row: Decision, now: datetime) -> datetime | None:
    """When the newest award that stands, or ended and is in its grace, was written down; None where none does."""
    in_grace = (
        select(Holding.person_id)
        .where(Holding.person_id == Award.person_id, Holding.certification == Award.certification)
        .where(Holding.award_id == Award.id, Holding.status == "grace", Holding.next_change_at > now)
    )
    query = select(func.max(Award.recorded_at)).where(
        Award.person_id == row.person_id,
        Award.certification == row.certification,
        Award.revoked_at.is_(None),
        Award.valid_until.is_(None) | (Award.valid_until > now) | in_grace.exists(),
    )
    return session.scalar(query)


def _do(session: Session, row: Decision, by: By, now: datetime) -> None:
    row.state, row.decided_by, row.decided_role, row.decided_at = DONE, by.login, by.role, now
    if row.kind == EXEMPT:
        row.starts_at = row.starts_at or now
    if row.kind == REVOKE and (granted := _granted_at(session, row, now)) is not None:
        row.decided_at = max(now, granted + timedelta.resolution)  # what is revoked was granted before, if only just
    session.flush()
    _act(session, row, f"award.{row.kind}", by, now, row.reason)
    people.touch(session, [row.person_id])


def _proposal(session: Session, decision_id: int) -> Decision:
    row = session.get(Decision, decision_id)
    if row is None:
        raise NotThereError(refusals.NO_PROPOSAL, id=decision_id)
    lock_people(session, [row.person_id])
    session.refresh(row)  # somebody else may have settled it while we waited
    if row.state != PROPOSED:
        raise RefusedInWordsError(refusals.SETTLED, id=decision_id, login=row.decided_by)
    return row


def _act(session: Session, row: Decision, action: str, by: By, now: datetime, reason: str) -> None:
    """Write the act down: before it where the person stood, after it what was decided; what follows is the engine's."""
    after: dict[str, Any] = {**by.as_said(), "decision": row.id, "state": row.state}
    if row.kind == EXEMPT and row.ends_at is not None:
        after |= {"from": row.starts_at.isoformat() if row.starts_at else None, "until": row.ends_at.isoformat()}
    if row.withdrawn_at is not None:
        after |= {"until": row.withdrawn_at.isoformat()}
    held = session.get(Holding, (row.person_id, row.certification))
    before = {"status": held.status if held is not None else None}
    if held is not None and held.valid_until is not None:
        before["valid_until"] = held.valid_until.isoformat()
    record_act(
        session, by.actor, action, _subject(session, row), now,
        reason=reason, before=before, after=after, person_id=row.person_id,
    )  # fmt: skip


def _subject(session: Session, row: Decision) -> str:
    number = session.scalar(select(Person.employee_number).where(Person.id == row.person_id))
    return f"certification:{number}:{row.certification}"
