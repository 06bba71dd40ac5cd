"""Alerts: the operators that `[mail] operators` names are told once when something fails."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from plugin.mail.queue import Draft, queue_mails
from plugin.settings import Settings


def queue_alert(
    session: Session, settings: Settings, kind: str, name: str, reason: str, since: datetime, path: str, now: datetime
) -> int:
    """Tell every operator that the `source` or `endpoint` of this name has failed since then; how many are told.

    The same failure, that is one since the same moment, is told once, however often this is called. `path` is the page
    that shows it.
    """
    parameters = {"kind": kind, "name": name, "reason": reason, "since": since, "path": path}
    drafts = [
        Draft(
            key=f"alert:{kind}:{name[:100]}:{since.isoformat()}:{hashlib.sha256(address.encode()).hexdigest()[:16]}",
            recipient=address,
            template="alert",
            parameters=parameters,
        )
        for address in settings.mail.operators
    ]
    return queue_mails(session, drafts, now)
