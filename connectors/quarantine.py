"""Quarantine: where a record that could not be used waits, whole, with the reason, until it can be.

A record that is read well later, or a request that succeeds later, resolves what was quarantined under its key. One that
somebody discarded stays out, and is as if the source did not have it, for as long as the source gives it unchanged.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from connectors.models import Quarantined
from connectors.parse import storable
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.store import chunks

READ_AGAIN, RETRIED, DISCARDED, GONE = "read again", "retried", "discarded", "not in the source any more"


@dataclass(frozen=True)
class Refused:
    """A raw item, or a request, that could not be used, and why."""

    key: str
    record: Mapping[str, Any]
    reason: str
    is_request: bool = False


def put(session: Session, source: str, stream: str, refused: Sequence[Refused], now: datetime) -> None:
    """Quarantine `refused`; one that waits already is counted again with its newest record and reason."""
    newest = _by_key(refused)
    waiting: dict[str, Quarantined] = {}
    for keys in chunks(newest):
        waiting.update(
            {
                row.record_key: row
                for row in session.scalars(_open(source, stream).where(Quarantined.record_key.in_(keys)))
            }
        )
    for key, item in newest.items():
        row = waiting.get(key)
        if row is None:
            session.add(
                Quarantined(
                    source=source,
                    stream=stream,
                    record_key=key,
                    record=_storable(dict(item.record)),
                    reason=storable(item.reason),
                    is_request=item.is_request,
                    first_at=now,
                    last_at=now,
                )
            )
        else:
            row.record, row.reason = _storable(dict(item.record)), storable(item.reason)
            row.last_at, row.times = now, row.times + 1
    session.flush()


def without_discarded(session: Session, source: str, stream: str, refused: Sequence[Refused]) -> list[Refused]:
    """`refused` without the records that somebody has discarded as they still are."""
    discarded: set[tuple[str, str]] = set()
    for keys in chunks(sorted({item.key[:300] for item in refused if not item.is_request})):
        rows = select(Quarantined.record_key, Quarantined.record).where(
            Quarantined.source == source,
            Quarantined.stream == stream,
            Quarantined.resolution == DISCARDED,
            Quarantined.record_key.in_(keys),
        )
        discarded.update((key, digest(record)) for key, record in session.execute(rows))
    if not discarded:
        return list(refused)
    return [item for item in refused if item.is_request or (item.key[:300], digest(item.record)) not in discarded]


def discard(session: Session, id_: int, actor: str, reason: str, now: datetime) -> None:
    """Take the record out for good, as it is; who did it and why goes into the audit trail.

    Raises NotFoundError, and RefusedError for a request that failed or without a reason.
    """
    if not reason.strip():
        raise RefusedError("Say why the record is discarded: the reason stands in the audit trail.")
    row = session.get(Quarantined, id_)
    if row is None or row.resolved_at is not None:
        raise NotFoundError(f"Nothing waits in quarantine under {id_}; 'certbridge quarantine list' shows what does.")
    if row.is_request:
        raise RefusedError(
            f"{id_} is no record but a request that failed; it leaves by itself when the next pull succeeds with it."
        )
    row.resolved_at, row.resolution = now, DISCARDED
    record_act(
        session,
        actor,
        "quarantine.discard",
        f"{row.source}:{row.stream}:{row.record_key}",
        now,
        before={"quarantined": row.id, "why": row.reason},
        after={"resolution": DISCARDED, "reason": reason.strip()},
    )


def digest(record: Mapping[str, Any]) -> str:
    """The same for the same record, whichever way it has been stored meanwhile."""
    return hashlib.sha256(json.dumps(_storable(record), sort_keys=True, default=str).encode()).hexdigest()


def resolve(session: Session, source: str, stream: str, keys: Iterable[str], now: datetime) -> None:
    """Take the records under `keys` out of quarantine: they were read well now."""
    waiting = set(
        session.scalars(
            select(Quarantined.record_key).where(
                Quarantined.id.in_(_open(source, stream).with_only_columns(Quarantined.id))
            )
        )
    )
    for chunk in chunks(sorted(waiting.intersection(keys)) if waiting else []):
        session.execute(
            update(Quarantined)
            .where(
                Quarantined.source == source,
                Quarantined.stream == stream,
                Quarantined.resolved_at.is_(None),
                Quarantined.record_key.in_(chunk),
            )
            .values(resolved_at=now, resolution=READ_AGAIN),
            execution_options={"synchronize_session": False},
        )


def resolve_vanished(session: Session, source: str, stream: str, since: datetime, now: datetime) -> None:
    """After a pass over everything that began at `since`: what it did not meet again is not in the source any more.

    Nothing is resolved when a request of the pass failed, for the record may stand in what it would have brought.
    """
    rows = _open(source, stream)
    if session.scalars(rows.where(Quarantined.is_request, Quarantined.last_at >= since).limit(1)).first() is not None:
        return
    gone = rows.where(Quarantined.last_at < since).with_only_columns(Quarantined.id)
    session.execute(
        update(Quarantined).where(Quarantined.id.in_(gone)).values(resolved_at=now, resolution=GONE),
        execution_options={"synchronize_session": False},
    )


def waiting(session: Session, source: str, stream: str) -> list[Quarantined]:
    """The records (not the failed requests) that wait, oldest first."""
    rows = session.scalars(_open(source, stream).where(Quarantined.is_request.is_(False)).order_by(Quarantined.id))
    return list(rows)


def waiting_count(session: Session, source: str | None = None) -> int:
    """How many records wait in quarantine, of one source or of all."""
    query = select(func.count()).select_from(Quarantined).where(Quarantined.resolved_at.is_(None))
    return session.scalar(query.where(Quarantined.source == source) if source else query) or 0


def _by_key(refused: Sequence[Refused]) -> dict[str, Refused]:
    newest: dict[str, Refused] = {}
    for item in refused:
        key, number = item.key[:300], 1
        while key in newest:  # records without a key of their own: each waits for itself
            number += 1
            key = f"{item.key[:290]}#{number}"
        newest[key] = item
    return newest


def _storable(value: Any) -> Any:
    """The record with what the store's JSON cannot hold as text: numbers that are none, unreadable characters."""
    if isinstance(value, Mapping):
        return {storable(str(key)): _storable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return storable(value) if isinstance(value, str) else value


def _open(source: str, stream: str) -> Any:
    return select(Quarantined).where(
        Quarantined.source == source, Quarantined.stream == stream, Quarantined.resolved_at.is_(None)
    )
