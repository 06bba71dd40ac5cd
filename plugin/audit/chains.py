"""The chain of one table: its head, which is locked by whoever changes the chain, and the salts."""

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin.audit.digests import GENESIS
from plugin.audit.keys import SealingKeys
from plugin.errors import SecretError
from plugin.models import AuditCheckpoint, AuditHead, AuditSalt, AuditSeal
from plugin.store import chunks, insert_new

HEAD, CHECKPOINT = "head", "checkpoint"  # kinds of signatures


def lock_chain(session: Session, table: str) -> AuditHead:
    """The head of the chain of `table`, locked until the transaction ends; a chain without seals gets one."""
    insert_new(session, AuditHead, [{"table_name": table, "number": 0, "hash": GENESIS, "signature": ""}])
    query = select(AuditHead).where(AuditHead.table_name == table)
    return session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one()


def trusted_head(session: Session, table: str, keys: SealingKeys) -> AuditHead:
    """The locked head, when it is as the sealer left it.

    Raises SecretError when it is not: a seal set upon it would make a forged chain look sound.
    """
    head = lock_chain(session, table)
    if head.number == 0:
        sound = not _has_any(session, AuditSeal, table) and not _has_any(session, AuditCheckpoint, table)
    else:
        sound = keys.opens(HEAD, values_of(head))
    if not sound:
        raise SecretError(
            f"The audit trail of {table} cannot be sealed: its head was not signed with a key of the key file. Run 'certbridge "
            "audit verify'; restore the key file or the database, or go on from here with 'certbridge audit accept'."
        )
    return head


def sign(row: AuditHead | AuditCheckpoint, kind: str, keys: SealingKeys) -> None:
    """Sign the row as it is now."""
    row.signature = keys.sign(kind, values_of(row))


def values_of(row: Any) -> dict[str, Any]:
    """The columns of a row, by name."""
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def salts_for(session: Session, person_ids: Iterable[int]) -> dict[int, str]:
    """The salts of these persons; whoever has none gets one."""
    wanted = sorted(set(person_ids))
    salts = _salts(session, wanted)
    lacking = [person_id for person_id in wanted if person_id not in salts]
    if lacking:
        insert_new(session, AuditSalt, [{"person_id": each, "salt": secrets.token_hex(32)} for each in lacking])
        salts |= _salts(session, lacking)  # read again: another process may have been faster
    return salts


def _salts(session: Session, person_ids: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in chunks(person_ids):
        query = select(AuditSalt.person_id, AuditSalt.salt).where(AuditSalt.person_id.in_(chunk))
        found.update(session.execute(query).all())
    return found


def _has_any(session: Session, model: type[AuditSeal] | type[AuditCheckpoint], table: str) -> bool:
    return session.scalars(select(model.number).where(model.table_name == table).limit(1)).first() is not None
