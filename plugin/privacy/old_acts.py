"""Old acts of the audit trail: deleted seal by seal, with a signed checkpoint (`plugin.audit.prune`)."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin.audit import SealedTable, SealingKeys, prune, sealed_tables
from plugin.installation import Installation
from plugin.models import AuditEntry, AuditMark, AuditSeal
from plugin.privacy.retention import Held

SEALS_AT_ONCE = 100


def survey(home: Installation, before: datetime | None) -> Held:
    """All acts, and how many stand under seals that are old as a whole."""
    with home.store.read() as session:
        rows, oldest = session.execute(select(func.count(), func.min(AuditEntry.at))).one()
        last = _last_old(session, before) if before is not None else None
        if last is None:
            return Held(rows, oldest)
        marks = select(func.count()).where(AuditMark.table_name == AuditEntry.__tablename__, AuditMark.seal <= last)
        return Held(rows, oldest, session.scalar(marks) or 0)


def _last_old(session: Session, before: datetime) -> int | None:
    """The number of the newest seal before which, itself included, everything is older."""
    own = AuditSeal.table_name == AuditEntry.__tablename__
    kept = session.scalar(select(func.min(AuditSeal.number)).where(own, AuditSeal.newest_at >= before))
    old = select(func.max(AuditSeal.number)).where(own)
    return session.scalar(old.where(AuditSeal.number < kept) if kept is not None else old)


def sweep(home: Installation, before: datetime, most: int) -> int:
    """Delete what is old, some seals at a time; how many acts."""
    keys = SealingKeys.from_file(home.key_file)
    (table,) = [each for each in sealed_tables(home.installed) if each.name == AuditEntry.__tablename__]
    done = 0
    while done < most:
        with home.store.write() as session:
            batch = prune(session, _step(session, table, before), home.clock(), keys, [table])
        if not batch:
            break
        done += batch
    return done


def _step(session: Session, table: SealedTable, before: datetime) -> datetime:
    """`before`, or as much earlier that only some seals go."""
    own = AuditSeal.table_name == table.name
    newest = session.scalars(
        select(AuditSeal.newest_at).where(own).order_by(AuditSeal.number).limit(1).offset(SEALS_AT_ONCE - 1)
    ).first()
    return before if newest is None else min(before, newest + timedelta(microseconds=1))
