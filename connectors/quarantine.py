"""Quarantine: where a record that could not be used waits, whole, with the reason, until it can be.

A record that is read well later, or a request that succeeds later, resolves what was quarantined under its key.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from connectors.models import Quarantined
from connectors.parse import storable
from plugin.store import chunks


@dataclass(frozen=True)
class Refused:
    """A raw item, or a request, that could not be used, and why."""

    key: str
    record: Mapping[str, Any]
    reason: str
    is_request: bool = False


def put(session: Session, source: str, stream: str, refused: Sequence[Refused], now: datetime) -> None:
    """Quarantine `refused`; one that waits already is counted again with its newest record and reason."""
    newest: dict[str, Refused] = {}
    for item in refused:
        key, number = item.key[:300], 1
        while key in newest:  # records without a key of their own: each waits for itself
            number += 1
            key = f"{item.key[:290]}#{number}"
        newest[key] = item
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
            .values(resolved_at=now, resolution="read again"),
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
        update(Quarantined)
        .where(Quarantined.id.in_(gone))
        .values(resolved_at=now, resolution="not in the source any more"),
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
