"""Alerts: the operators are told once when something fails.

Those are the addresses that `[mail] operators` names; while it names none, the accounts in use that have the role
operator or administrator and a mail address, each in its own language.
"""

import hashlib
from datetime import datetime

from sqlalchemy import String, cast, func, or_, select
from sqlalchemy.orm import Session

from plugin.mail.queue import Draft, queue_mails
from plugin.models import Account, Person
from plugin.settings import Settings

ROLES = ("operator", "administrator")


def recipients(session: Session, settings: Settings) -> dict[str, str | None]:
    """Who is told: addresses, each with the language that is known of it."""
    if settings.mail.operators:
        return dict.fromkeys(settings.mail.operators)
    address = func.coalesce(func.nullif(Account.email, ""), Person.email)
    has_role = or_(*(cast(Account.roles, String).contains(f'"{role}"') for role in ROLES))
    query = (
        select(address, Account.language)
        .outerjoin(Person, Person.id == Account.person_id)
        .where(Account.disabled_at.is_(None), address.is_not(None), address != "", has_role)
        .order_by(Account.id)
    )
    return {str(found): language for found, language in session.execute(query)}


def queue_alert(
    session: Session,
    settings: Settings,
    kind: str,
    name: str,
    reason: str,
    since: datetime,
    path: str,
    now: datetime,
    *,
    count: int | None = None,
) -> int:
    """Tell every operator that what kind and name say has failed since then, so often; how many are told.

    The same failure, that is one since the same moment, is told once, however often this is called. `path` is the page
    that shows it.
    """
    parameters = {"kind": kind, "name": name, "reason": reason, "since": since, "path": path, "count": count}
    drafts = [
        Draft(
            key=f"alert:{kind}:{name[:100]}:{since.isoformat()}:{hashlib.sha256(address.encode()).hexdigest()[:16]}",
            recipient=address,
            template="alert",
            parameters=parameters,
            language=language,
        )
        for address, language in recipients(session, settings).items()
    ]
    return queue_mails(session, drafts, now)
