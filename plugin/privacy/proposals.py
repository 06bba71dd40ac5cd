"""Proposals to erase somebody: HR proposes, an administrator erases the person or declines, with a reason.

Erasing takes the proposal along; the act in the audit trail stays.
"""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.models import ErasureProposal, Person
from plugin.privacy.refusals import (
    DECIDED,
    NO_PROPOSAL,
    NO_REASON,
    PROPOSED,
    NobodyThereError,
    PrivacyRefusedError,
)
from plugin.privacy.subject import find_person


def propose(session: Session, number: str, actor: str, reason: str, now: datetime) -> None:
    """Propose to erase the employee `number`. Raises NobodyThereError; PrivacyRefusedError for a second one, or without a reason."""
    person = find_person(session, number)
    _check_reason(reason)
    session.execute(
        select(Person.id).where(Person.id == person.id).with_for_update()
    )  # two at once: the second is refused
    open_ = ErasureProposal.decided_at.is_(None)
    if (
        session.scalars(select(ErasureProposal).where(ErasureProposal.person_id == person.id, open_)).first()
        is not None
    ):
        raise PrivacyRefusedError(PROPOSED, number=number)
    session.add(ErasureProposal(person_id=person.id, reason=reason, proposed_by=actor, proposed_at=now))
    record_act(session, actor, "erasure.propose", f"person:{number}", now, reason=reason, person_id=person.id)


def decline(session: Session, proposal_id: int, actor: str, reason: str, now: datetime) -> None:
    """Decline a proposal. Raises NobodyThereError; PrivacyRefusedError for one that is decided, or without a reason."""
    proposal = session.get(ErasureProposal, proposal_id, with_for_update=True)
    if proposal is None:
        raise NobodyThereError(NO_PROPOSAL, id=proposal_id)
    if proposal.decided_at is not None:
        raise PrivacyRefusedError(DECIDED, id=proposal_id, login=proposal.decided_by)
    _check_reason(reason)
    proposal.decided_by, proposal.decided_at, proposal.decision = actor, now, reason
    number = session.get_one(Person, proposal.person_id).employee_number
    record_act(session, actor, "erasure.decline", f"person:{number}", now, reason=reason, person_id=proposal.person_id)


def listed() -> Select[ErasureProposal, Person]:
    """Proposals with the persons whom they are about, the open ones first, then the newest."""
    return (
        select(ErasureProposal, Person)
        .join(Person, Person.id == ErasureProposal.person_id)
        .order_by(ErasureProposal.decided_at.is_not(None), ErasureProposal.id.desc())
    )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise PrivacyRefusedError(NO_REASON)
