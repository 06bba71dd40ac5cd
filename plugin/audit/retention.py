"""Retention: old seals and what they cover are deleted; a signed checkpoint says up to where, and how the chain goes on."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from plugin.audit.chains import CHECKPOINT, trusted_head
from plugin.audit.keys import SealingKeys
from plugin.audit.tables import SealedTable
from plugin.models import AuditCheckpoint, AuditMark, AuditSeal


def prune(session: Session, before: datetime, now: datetime, keys: SealingKeys, tables: Iterable[SealedTable]) -> int:
    """Delete the rows of these tables written before `before`, seal by seal from the oldest; the number of rows.

    A seal goes when all that it covers is older; a row that is not sealed yet stays. What has gone cannot be verified any
    more, so verify first. Raises SecretError when a chain's head is not as the sealer left it.
    """
    return sum(_prune(session, before, now, keys, table) for table in sorted(tables, key=lambda each: each.name))


def _prune(session: Session, before: datetime, now: datetime, keys: SealingKeys, table: SealedTable) -> int:
    head = trusted_head(session, table.name, keys)
    own = AuditSeal.table_name == table.name
    kept_from = session.scalar(select(func.min(AuditSeal.number)).where(own, AuditSeal.newest_at >= before))
    last = head.number if kept_from is None else kept_from - 1
    cut = session.scalars(select(AuditSeal).where(own, AuditSeal.number == last)).one_or_none()
    if cut is None:
        return 0
    marked = (AuditMark.table_name == table.name) & (AuditMark.seal <= last)
    entries = session.scalar(select(func.count()).select_from(AuditMark).where(marked)) or 0
    session.execute(delete(table.table).where(table.table.c.id.in_(select(AuditMark.row_id).where(marked))))
    session.execute(delete(AuditMark).where(marked))
    session.execute(delete(AuditSeal).where(own, AuditSeal.number <= last))
    checkpoint = {
        "table_name": table.name,
        "number": last,
        "hash": cut.hash,
        "entries": entries,
        "before": before,
        "pruned_at": now,
    }
    session.add(AuditCheckpoint(**checkpoint, signature=keys.sign(CHECKPOINT, checkpoint)))
    session.flush()
    return entries
