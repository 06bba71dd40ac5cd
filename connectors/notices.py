"""Notices: signed messages by which a source says that something has changed, so that it is pulled at once.

They follow Standard Webhooks. A notice is a hint, not a record: what has changed is read from the source itself, so a
lost or repeated one does no harm. It is stored before it is answered; a worker that was asleep finds it later.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from connectors.models import SourceNotice
from plugin.errors import NotFoundError, RefusedError, SecretError
from plugin.secrets import SecretReference
from plugin.settings import Settings
from plugin.store import insert_new

TOPIC = "source_notices"
LARGEST = 1024 * 1024  # bytes
KEPT = timedelta(days=30)
SECRETS = "webhook_secrets"  # the key of [sources.NAME]


class NotSignedError(RefusedError):
    """The signature is not that of the source."""


class BadHeadersError(RefusedError):
    """The headers of Standard Webhooks are missing, cannot be read, or are from another time."""


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


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """The id of the notice, when its signature is made with one of `secrets` and it is less than five minutes old.

    Raises BadHeadersError, NotSignedError.
    """
    name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signature = headers.get("webhook-signature", "")
    if not (name and moment and signature) or len(name) > 200 or not (moment.isascii() and moment.isdigit()):
        raise BadHeadersError(
            "The headers webhook-id, webhook-timestamp and webhook-signature are needed, as in Standard Webhooks."
        )
    for secret in secrets:
        try:
            Webhook(secret).verify(
                body,
                {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": signature},
                json_parse=False,
            )
        except WebhookVerificationError as error:
            if "timestamp" in str(error) or "Headers" in str(error):
                raise BadHeadersError(
                    "The webhook-timestamp is more than five minutes away from the time here; check both clocks."
                ) from None
        except (ValueError, RuntimeError):  # a signature, a secret or a body that cannot even be decoded
            continue
        else:
            return name
    raise NotSignedError("The signature is not made with this source's secret; compare the secrets on both sides.")


def take(session: Session, source: str, message_id: str, body: bytes, now: datetime) -> bool:
    """Store a verified notice; False when it is here already. Raises RefusedError when it is no notice."""
    try:
        notice = json.loads(body)
        kind, changes = notice["type"], notice.get("data", {}).get("changes", [])
        if not isinstance(kind, str) or not 0 < len(kind) <= 100 or not isinstance(changes, list):
            raise TypeError
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise RefusedError(
            "A notice is a JSON object with type, timestamp and data, whose changes are a list."
        ) from None
    known = select(SourceNotice.id).where(SourceNotice.source == source, SourceNotice.message_id == message_id)
    if session.scalar(known) is not None:
        return False
    row = {
        "source": source,
        "message_id": message_id,
        "type": kind.replace("\x00", "\ufffd"),
        "received_at": now,
        "changes": len(changes),
    }
    insert_new(session, SourceNotice, [row])
    old = SourceNotice.source == source, SourceNotice.worked_at < now - KEPT
    session.execute(delete(SourceNotice).where(*old), execution_options={"synchronize_session": False})
    return True
