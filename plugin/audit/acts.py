"""Writing down acts of people. What the engine changes by itself has a history of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from plugin.models import AuditEntry


def record_act(
    session: Session,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    *,
    reason: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    person_id: int | None = None,
) -> None:
    """Write down that `actor` did `action` to `subject`, in the transaction of the act itself.

    `person_id` is the person whom the act is about: forgetting that person blanks what the entry says about them.
    """
    session.add(
        AuditEntry(
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            reason=reason,
            before=before,
            after=after,
            person_id=person_id,
        )
    )
