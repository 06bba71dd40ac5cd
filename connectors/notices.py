"""Notices: signed messages by which a source says that something has changed, so that it is pulled at once.

They follow Standard Webhooks. A notice is a hint, not a record: what has changed is read from the source itself, so a
lost or repeated one does no harm. It is stored before it is answered; a worker that was asleep finds it later.
"""

from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from connectors.models import SourceNotice
from connectors.parse import storable
from connectors.signed import INVALID, Refusal, parse
from plugin.errors import NotFoundError, SecretError
from plugin.secrets import SecretReference
from plugin.settings import Settings
from plugin.store import insert_new

TOPIC = "source_notices"
LARGEST = 1024 * 1024  # bytes
KEPT = timedelta(days=30)
SECRETS = "webhook_secrets"  # the key of [sources.NAME]


def secrets_of(settings: Settings, source: str) -> list[str]:
    """What a source signs its notices with, the present secret first.

    Raises NotFoundError when there is no such source or it sends none, SecretError.
    """
    known = settings.sources.get(source)
    given = (known.model_extra or {}).get(SECRETS, []) if known else []
    try:
        references = [SecretReference.model_validate(one) for one in given]
    except (TypeError, ValidationError):
        raise SecretError(
            f"[sources.{source}] webhook_secrets: name where each secret is, as {{ env = … }} or {{ file = … }}."
        ) from None
    if not references:
        raise NotFoundError("There is no source of this name that sends notices; see webhook_secrets in config.toml.")
    return [reference.reveal(settings.folder) for reference in references]


def take(session: Session, source: str, message_id: str, body: bytes, now: datetime) -> bool:
    """Store a verified notice; False when it is here already. Raises Refusal when it is no notice."""
    notice = parse(body)
    try:
        kind, changes = notice["type"], notice.get("data", {}).get("changes", [])
        if not isinstance(kind, str) or not 0 < len(kind) <= 100 or not isinstance(changes, list):
            raise TypeError
    except (AttributeError, KeyError, TypeError):
        raise Refusal(
            INVALID, "A notice is a JSON object with type, timestamp and data, whose changes are a list."
        ) from None
    known = select(SourceNotice.id).where(SourceNotice.source == source, SourceNotice.message_id == message_id)
    if session.scalar(known) is not None:
        return False
    row = {
        "source": source,
        "message_id": message_id,
        "type": storable(kind),
        "received_at": now,
        "changes": len(changes),
    }
    insert_new(session, SourceNotice, [row])
    old = SourceNotice.source == source, SourceNotice.worked_at < now - KEPT
    session.execute(delete(SourceNotice).where(*old), execution_options={"synchronize_session": False})
    return True
