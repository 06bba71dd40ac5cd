"""The sealer: sets the rows that wait under seals, batch by batch, each batch in one transaction.

A row waits until it has a mark, whatever its id: a transaction that took its ids early and commits late loses nothing.
So that a run costs little when nothing is new, it looks only at rows that may be new: those written since nothing waited,
and an hour before. Once a day `plugin.seal_all` looks at all of them.

The lease of the schedule `plugin.seal` sees to it that one sealer works at a time; two at once would do no harm, as each
locks the chain's head for its batch and looks again at what still waits.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from plugin.audit.chains import HEAD, salts_for, sign, trusted_head
from plugin.audit.digests import batch_digest, entry_digest, seal_hash
from plugin.audit.keys import SealingKeys
from plugin.audit.reading import Row, read_rows
from plugin.audit.tables import SealedTable
from plugin.errors import SecretError
from plugin.models import AuditMark, AuditSeal
from plugin.schedules import Clock
from plugin.store import Store, chunks

log = logging.getLogger(__name__)

BATCH = 1_000
BACKLOG = 50_000  # ids that one look fetches
LATE = timedelta(hours=1)  # no unit of work takes so long: a row that claims to be older than that was put in


def seal_waiting(
    store: Store, clock: Clock, keys: SealingKeys, tables: Iterable[SealedTable], *, everything: bool = False
) -> int:
    """Seal every row that waits and may be new, or with `everything` whatever its date; their number.

    Raises SecretError at the end when a chain's head is not as the sealer left it; the other chains are sealed.
    """
    sealed = 0
    refusal: SecretError | None = None
    for table in tables:
        try:
            sealed += _seal_table(store, clock, keys, table, everything)
        except SecretError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return sealed


def _seal_table(store: Store, clock: Clock, keys: SealingKeys, table: SealedTable, everything: bool) -> int:
    sealed = 0
    while True:
        now = clock()
        with store.read() as session:
            query = waiting_ids(table, None if everything else _new_since(session, table))
            waiting = list(session.scalars(query.limit(BACKLOG)))
        batches = list(chunks(waiting, BATCH))
        done = 0
        for position, ids in enumerate(batches, 1):
            complete = position == len(batches) and len(waiting) < BACKLOG
            with store.write() as session:
                done += seal_batch(session, table, ids, keys, now, complete=complete)
        sealed += done
        if len(waiting) < BACKLOG or not done:
            return sealed


def _new_since(session: Session, table: SealedTable) -> datetime | None:
    """Since when a row that waits must have been written; None when the sealer has never come to an end yet."""
    ends = select(func.max(AuditSeal.sealed_at)).where(AuditSeal.table_name == table.name, AuditSeal.complete)
    end = session.scalar(ends)
    return end - LATE if end is not None else None


def waiting_ids(table: SealedTable, since: datetime | None = None) -> Select[int]:
    """The ids of the rows that have no mark and were written since then, oldest first."""
    columns = table.table.c
    marked = select(AuditMark.row_id).where(AuditMark.table_name == table.name, AuditMark.row_id == columns.id)
    query = select(columns.id).where(~marked.exists()).order_by(columns.at, columns.id)
    return query.where(columns.at >= since) if since is not None else query


def seal_batch(
    session: Session, table: SealedTable, ids: Sequence[int], keys: SealingKeys, now: datetime, *, complete: bool
) -> int:
    """Seal those of the rows `ids` that still wait, in one seal; their number.

    A row that cannot be read is left waiting, and named in the log.
    """
    head = trusted_head(session, table.name, keys)
    rows = _unmarked(session, table, ids)
    if not rows:
        return 0
    salts = salts_for(session, (table.person_of(row) for row in rows))
    marks = [
        {
            "table_name": table.name,
            "row_id": row["id"],
            "seal": head.number + 1,
            "person_id": table.person_of(row),
            "digest": entry_digest(table.name, row, salts[table.person_of(row)]),
        }
        for row in rows
    ]
    seal = {
        "table_name": table.name,
        "number": head.number + 1,
        "sealed_at": now,
        "complete": complete,
        "covers": as_ranges(row["id"] for row in rows),
        "newest_at": max(row["at"] for row in rows),
        "digest": batch_digest((mark["row_id"], mark["person_id"], mark["digest"]) for mark in marks),
        "previous": head.hash,
    }
    seal["hash"] = seal_hash(seal)
    session.execute(insert(AuditMark), marks)
    session.execute(insert(AuditSeal), [seal])
    head.number, head.hash = seal["number"], seal["hash"]
    sign(head, HEAD, keys)
    session.flush()
    log.info("Sealed %d rows of %s: seal %d, %s", len(rows), table.name, head.number, head.hash)
    return len(rows)


def _unmarked(session: Session, table: SealedTable, ids: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for chunk in chunks(ids):
        marked = select(AuditMark.row_id).where(AuditMark.table_name == table.name, AuditMark.row_id.in_(chunk))
        fresh = set(chunk) - set(session.scalars(marked))
        readable, broken = read_rows(session, table.table, table.table.c.id.in_(fresh))
        rows += readable
        for (row_id,) in broken:
            log.warning("The row %s of %s cannot be read and is not sealed; mend or remove it.", row_id, table.name)
    return rows


def as_ranges(ids: Iterable[int]) -> list[list[int]]:
    """`ids` as a list of [first, last], both included."""
    ranges: list[list[int]] = []
    for each in sorted(ids):
        if ranges and ranges[-1][1] == each - 1:
            ranges[-1][1] = each
        else:
            ranges.append([each, each])
    return ranges
