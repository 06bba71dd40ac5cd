"""The line of `certbridge status` and of the start page: the messages by state."""

from datetime import datetime

from sqlalchemy.orm import Session

from plugin.summaries import Summary
from webhooks.deliveries import counts


def summaries(session: Session, now: datetime) -> list[Summary]:
    """How many messages were delivered, and how the others stand."""
    parts = counts(session)
    return [
        Summary("Events delivered", parts["delivered"], {k: v for k, v in parts.items() if v}, "webhooks.deliveries")
    ]
