"""Signing anew with the first key of the key file what an older one has signed, so that the older one can be taken out."""

from sqlalchemy import select

from plugin.audit.chains import CHECKPOINT, HEAD, lock_chain, sign, values_of
from plugin.audit.keys import SealingKeys
from plugin.audit.tables import sealed_tables
from plugin.installation import Installation
from plugin.models import AuditCheckpoint, AuditHead


def rekey(home: Installation) -> int:
    """Sign heads and checkpoints anew where another key than the first has signed them; how many they were.

    What no key of the file has signed stays as it is: verification names it. Raises SecretError.
    """
    keys = SealingKeys.from_file(home.key_file)
    renewed = 0
    for table in sealed_tables(home.installed):
        with home.store.write() as session:
            renewed += _renew(lock_chain(session, table.name), HEAD, keys)
            own = AuditCheckpoint.table_name == table.name
            renewed += sum(
                _renew(each, CHECKPOINT, keys) for each in session.scalars(select(AuditCheckpoint).where(own))
            )
    return renewed


def _renew(row: AuditHead | AuditCheckpoint, kind: str, keys: SealingKeys) -> bool:
    before = row.signature
    if keys.opens(kind, values_of(row)):
        sign(row, kind, keys)
    return row.signature != before
