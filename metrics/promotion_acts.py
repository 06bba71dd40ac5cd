"""Proposing and closing promotion and pay records, in the name of whoever does it: for the API, the command and pages."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.sync import is_settled
from metrics.certification import promotion
from metrics.certification.engine import derive_people
from metrics.certification.models import Promotion
from metrics.certification.promotion import Proposal
from metrics.certification.promotion_proposals import propose_all
from metrics.tasks import terms_of
from plugin.audit import record_act
from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.store import chunks


def propose(home: Installation, proposal: Proposal, actor: str) -> str:
    """Store a proposal; what `promotion.propose` answers and raises."""
    now = home.clock().astimezone(home.settings.organisation.zone)
    with home.store.write() as session:
        outcome = promotion.propose(session, proposal, now)
        if outcome != "unchanged":
            _note(session, home, "promotion.propose", actor, {proposal.promotion_id: {"outcome": outcome}})
    if outcome != "unchanged":
        home.wake("people_touched")
    return outcome


def propose_in(
    session: Session, home: Installation, proposals: Sequence[Proposal], actor: str
) -> list[str | RefusedError]:
    """Store many proposals in the caller's transaction; for each the outcome or why it was refused."""
    outcomes = propose_all(session, proposals, home.clock().astimezone(home.settings.organisation.zone))
    stored = {
        proposal.promotion_id: {"outcome": str(outcome)}
        for proposal, outcome in zip(proposals, outcomes, strict=True)
        if outcome in ("created", "updated")
    }
    _note(session, home, "promotion.propose", actor, stored)
    return outcomes


def close(home: Installation, promotion_id: str, actor: str) -> None:
    """Close a record as it stands now: its person is derived first, unless a source is just being pulled.

    Raises NotFoundError. Closing twice changes nothing.
    """
    with home.store.write() as session:
        events = close_in(session, home, promotion_id, actor)
    if events:
        home.wake("events_appended")


def close_in(session: Session, home: Installation, promotion_id: str, actor: str) -> int:
    """As `close`, in the caller's transaction; how many events it brought."""
    now = home.clock().astimezone(home.settings.organisation.zone)
    events = 0
    record = session.get(Promotion, promotion_id)
    is_open = record is None or record.closed_at is None
    if record is not None and is_open and is_settled(session, home.settings.sources, now):
        events = derive_people(session, [record.person_id], now, terms_of(home))
    promotion.close(session, promotion_id, now)
    if is_open:
        _note(session, home, "promotion.close", actor, {promotion_id: None})
    return events


def _note(
    session: Session, home: Installation, action: str, actor: str, acts: Mapping[str, dict[str, str] | None]
) -> None:
    """Write the act on each record into the audit trail of its person."""
    session.flush()  # records proposed just now are looked up as those that were there before
    persons: dict[str, int] = {}
    for ids in chunks(acts):
        query = select(Promotion.promotion_id, Promotion.person_id).where(Promotion.promotion_id.in_(ids))
        persons.update((row.promotion_id, row.person_id) for row in session.execute(query))
    now = home.clock()
    for promotion_id, after in acts.items():
        subject, person_id = f"promotion:{promotion_id}", persons.get(promotion_id)
        record_act(session, actor, action, subject, now, after=after, person_id=person_id)
