"""Forgetting a person: what sealed rows say about them goes, and with their salt the way back to it.

The digests stay, so the chain stays whole; nobody can find out any more what they were made of.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from plugin.audit.acts import record_act
from plugin.audit.chains import lock_chain
from plugin.audit.tables import INSTALLATION, SealedTable
from plugin.models import AuditMark, AuditSalt
from plugin.store import chunks

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


def forget_rows(session: Session, table: SealedTable, ids: Sequence[int], now: datetime, actor: str) -> int:
    """Blank rows about nobody that mention somebody who is being forgotten, and record that; the number of rows.

    They share the installation's salt, which stays: their digests stand alone from now on. Raises nothing for ids of rows
    that are about a person; those are passed over.
    """
    lock_chain(session, table.name)
    rows = 0
    for chunk in chunks(ids):
        about_nobody: ColumnElement[bool] = table.table.c.id.in_(chunk)
        if table.is_about_persons:
            about_nobody = about_nobody & table.table.c.person_id.is_(None)
        blanked = update(table.table).where(about_nobody).values(table.blank()).returning(table.table.c.id)
        done = list(session.scalars(blanked))
        rows += len(done)
        marked = (AuditMark.table_name == table.name) & AuditMark.row_id.in_(done) & AuditMark.erased_at.is_(None)
        session.execute(update(AuditMark).where(marked).values(erased_at=now))
    if rows:
        record_act(session, actor, FORGET, subject_of(INSTALLATION), now, after={"rows": rows})
    return rows
