"""The acts of people, for a person to read."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from plugin.models import AuditEntry

COLUMNS = ("at", "actor", "action", "subject", "reason", "before", "after")


def chosen(
    subject: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    *,
    action: str | None = None,
    until: datetime | None = None,
    area: Collection[str] | None = None,
) -> Select[AuditEntry]:
    """The acts whose subject, actor and action begin so, from `since` on and before `until`, in no order.

    `area` are beginnings of actions (`plugin.audit.areas`) of which each act must have one; None: every act.
    """
    query = select(AuditEntry)
    for column, beginning in ((AuditEntry.subject, subject), (AuditEntry.actor, actor), (AuditEntry.action, action)):
        if beginning:
            query = query.where(column.startswith(beginning, autoescape=True))
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    if area is not None:
        query = query.where(or_(*(AuditEntry.action.startswith(one, autoescape=True) for one in sorted(area))))
    return query


def acts(subject: str | None = None, actor: str | None = None, since: datetime | None = None) -> Select[AuditEntry]:
    """The acts whose subject and actor begin so, from `since` on; oldest first."""
    return chosen(subject, actor, since).order_by(AuditEntry.at, AuditEntry.id)


def listed(session: Session, query: Select[AuditEntry]) -> Iterator[dict[str, Any]]:
    """What `query` finds, one dict an act, without holding all of them at once."""
    for entry in session.scalars(query, execution_options={"yield_per": 500}):
        yield {"id": entry.id, **{name: getattr(entry, name) for name in COLUMNS}}


def as_cell(value: Any) -> str:
    """A value as a cell that a spreadsheet takes for text, not for a formula."""
    text = as_text(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_text(value: Any) -> str:
    """A value on one line."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
