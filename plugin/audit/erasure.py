"""Forgetting a person: what sealed rows say about them goes, and with their salt the way back to it.

The digests stay, so the chain stays whole; nobody can find out any more what they were made of.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from plugin.audit.acts import record_act
from plugin.audit.chains import lock_chain
from plugin.audit.tables import SealedTable
from plugin.models import AuditMark, AuditSalt

FORGET = "audit.forget"  # the act that verification looks for behind every erased row


def forget_person(
    session: Session, person_id: int, now: datetime, tables: Sequence[SealedTable], actor: str = "system"
) -> int:
    """Blank the personal columns of every row about this person, delete their salt, and record that; the number of rows.

    The act is about nobody (its subject is the bare number), so that it outlives the next erasure. A row written about
    the person afterwards is sealed with a new salt.
    """
    for table in sorted(tables, key=lambda each: each.name):
        lock_chain(session, table.name)  # or the sealer would seal what it has read before the blanks
    rows = 0
    for table in tables:
        if table.is_about_persons:
            column = table.table.c.person_id
            rows += session.scalar(select(func.count()).select_from(table.table).where(column == person_id)) or 0
            session.execute(update(table.table).where(column == person_id).values(table.blank()))
    standing = (AuditMark.person_id == person_id) & AuditMark.erased_at.is_(None)
    session.execute(update(AuditMark).where(standing).values(erased_at=now))
    session.execute(delete(AuditSalt).where(AuditSalt.person_id == person_id))
    record_act(session, actor, FORGET, subject_of(person_id), now, after={"rows": rows})
    return rows


def subject_of(person_id: int) -> str:
    """The subject of the act by which a person was forgotten."""
    return f"person-id:{person_id}"
