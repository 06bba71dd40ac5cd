"""The acts of people, for a person to read."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from plugin.models import AuditEntry

COLUMNS = ("at", "actor", "action", "subject", "reason", "before", "after")


def acts(subject: str | None = None, actor: str | None = None, since: datetime | None = None) -> Select[AuditEntry]:
    """The acts whose subject and actor begin so, from `since` on; oldest first."""
    query = select(AuditEntry).order_by(AuditEntry.at, AuditEntry.id)
    if subject is not None:
        query = query.where(AuditEntry.subject.startswith(subject, autoescape=True))
    if actor is not None:
        query = query.where(AuditEntry.actor.startswith(actor, autoescape=True))
    return query.where(AuditEntry.at >= since) if since is not None else query


def listed(session: Session, query: Select[AuditEntry]) -> Iterator[dict[str, Any]]:
    """What `query` finds, one dict an act, without holding all of them at once."""
    for entry in session.scalars(query, execution_options={"yield_per": 500}):
        yield {"id": entry.id, **{name: getattr(entry, name) for name in COLUMNS}}
