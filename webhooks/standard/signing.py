"""Signatures of the Standard Webhooks specification, version v1: HMAC-SHA256 over `id.timestamp.body`.

The library signs. Around it stands what it leaves to its user: it signs a moment that is not UTC wrongly, and its
own verification raises other exceptions than its own on a malformed header or a body that is not UTF-8, and reads
the machine's clock.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from plugin.errors import CertBridgeError, RefusedError

PREFIX = "whsec_"
SHORTEST, LONGEST, USUAL = 24, 64, 32  # bytes of a secret
TOLERANCE = timedelta(minutes=5)

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class HeadersError(CertBridgeError):
    """A received message lacks a header, has a malformed one, or is older or newer than TOLERANCE."""


class SignatureError(CertBridgeError):
    """None of a received message's signatures fits the bytes of its body."""


def new_secret() -> str:
    """A new secret, `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(USUAL)).decode()


def check_secret(secret: str) -> None:
    """Raise RefusedError, without the secret, when it is not `whsec_` and 24 to 64 bytes in base64."""
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) if secret.startswith(PREFIX) else 0
    except (binascii.Error, ValueError):
        size = 0
    if not SHORTEST <= size <= LONGEST:
        raise RefusedError(
            f"The secret is not {PREFIX} followed by {SHORTEST} to {LONGEST} bytes in base64; copy it whole, or let "
            "CertBridge make one."
        )


class Signer:
    """Signs messages with one secret, which its repr leaves out. Raises RefusedError for a malformed secret."""

    def __init__(self, secret: str) -> None:
        check_secret(secret)
        self._webhook = Webhook(secret)

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The three headers of a message that is sent at `now`."""
        moment = now.astimezone(UTC)
        return {
            ID: message_id,
            TIMESTAMP: str(int(moment.timestamp())),
            SIGNATURE: self._webhook.sign(message_id, moment, body.decode()),
        }


def verify(secrets_in_use: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of the message that arrived with `headers` and exactly these bytes at `now`.

    Several secrets are valid while one replaces another. Raises HeadersError or SignatureError, nothing else,
    whatever was sent.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = given.get(ID, ""), given.get(TIMESTAMP, ""), given.get(SIGNATURE, "")
    if not message_id or not timestamp or not signatures:
        raise HeadersError(f"A signed message has the headers {ID}, {TIMESTAMP} and {SIGNATURE}.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise HeadersError(f"{TIMESTAMP} is not a whole number of seconds.")
    moment = datetime.fromtimestamp(int(timestamp), UTC) if len(timestamp) <= 11 else None
    if moment is None or abs(now - moment) > TOLERANCE:
        raise HeadersError(f"{TIMESTAMP} is more than five minutes away from now; check the clocks.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise SignatureError("The body is not UTF-8, so nothing signed it.") from None
    expected = [Webhook(secret).sign(message_id, moment, text).encode() for secret in secrets_in_use]
    for signature in signatures.split():
        if any(hmac.compare_digest(signature.encode(errors="replace"), fitting) for fitting in expected):
            return message_id
    raise SignatureError("No signature fits; check the secret, and that the bytes are verified as they arrived.")
