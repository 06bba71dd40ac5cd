"""Going on from a chain whose head was not left so by the sealer: somebody says why, and the next seals follow on.

It mends nothing: what verification finds in the rows and seals it goes on finding.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin.audit.acts import record_act
from plugin.audit.chains import CHECKPOINT, HEAD, lock_chain, sign, trusted_head
from plugin.audit.digests import GENESIS
from plugin.audit.keys import SealingKeys
from plugin.audit.tables import SealedTable
from plugin.errors import SecretError
from plugin.models import AuditCheckpoint, AuditHead, AuditSeal


def accept_chains(
    session: Session, actor: str, reason: str, now: datetime, keys: SealingKeys, tables: Iterable[SealedTable]
) -> list[str]:
    """Sign the chains that the sealer refuses as they stand now, and record who said so and why; the chains' names."""
    accepted = []
    for table in sorted(tables, key=lambda each: each.name):
        try:
            trusted_head(session, table.name, keys)
        except SecretError:
            before, head = _moved(session, table.name, keys)
            record_act(
                session, actor, "audit.accept", f"chain:{table.name}", now, reason=reason, before=before, after=head
            )
            accepted.append(table.name)
    return accepted


def _moved(session: Session, table: str, keys: SealingKeys) -> tuple[dict[str, object], dict[str, object]]:
    """Set the head to the newest seal that there is and sign it, and the checkpoints; the head before and after."""
    head = lock_chain(session, table)
    before = _said(head)
    own_seals, own_checkpoints = AuditSeal.table_name == table, AuditCheckpoint.table_name == table
    checkpoints = session.scalars(select(AuditCheckpoint).where(own_checkpoints).order_by(AuditCheckpoint.number)).all()
    seal = session.scalars(select(AuditSeal).where(own_seals).order_by(AuditSeal.number.desc()).limit(1)).first()
    newest = seal or (checkpoints[-1] if checkpoints else None)
    head.number, head.hash = (newest.number, newest.hash) if newest else (0, GENESIS)
    sign(head, HEAD, keys)
    for checkpoint in checkpoints:
        sign(checkpoint, CHECKPOINT, keys)
    return before, _said(head)


def _said(head: AuditHead) -> dict[str, object]:
    return {"number": head.number, "hash": head.hash}
