"""Signatures of the Standard Webhooks specification, over `id.timestamp.body`: v1 is HMAC-SHA256, v1a is ed25519.

The library signs v1. Around it stands what it leaves to its user: it signs a moment that is not UTC wrongly, and its
own verification raises other exceptions than its own on a malformed header or a body that is not UTF-8, and reads
the machine's clock.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook

from plugin.errors import CertBridgeError
from webhooks.keys import PRIVATE, PUBLIC, SECRET, check_secret, decoded, new_secret, private_key

__all__ = [
    "ID", "PREFIX", "SIGNATURE", "TIMESTAMP", "TOLERANCE", "HeadersError", "SignatureError", "Signer", "check_secret",
    "new_secret", "verify",
]  # fmt: skip

PREFIX = SECRET
TOLERANCE = timedelta(minutes=5)

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class HeadersError(CertBridgeError):
    """A received message lacks a header, has a malformed one, or is older or newer than TOLERANCE."""


class SignatureError(CertBridgeError):
    """None of a received message's signatures fits the bytes of its body."""


class Signer:
    """Signs messages with every key that is given, which its repr leaves out. Raises RefusedError for a malformed one."""

    def __init__(self, *keys: str) -> None:
        self._keys: list[Webhook | Ed25519PrivateKey] = []
        for key in keys:
            if key.startswith(PRIVATE):
                self._keys.append(private_key(key))
            else:
                check_secret(key)
                self._keys.append(Webhook(key))

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The three headers of a message that is sent at `now`; one signature for each key, in the keys' order."""
        moment = now.astimezone(UTC)
        return {
            ID: message_id,
            TIMESTAMP: str(int(moment.timestamp())),
            SIGNATURE: " ".join(_sign(key, message_id, moment, body) for key in self._keys),
        }


def _sign(key: Webhook | Ed25519PrivateKey, message_id: str, moment: datetime, body: bytes) -> str:
    if isinstance(key, Webhook):
        return key.sign(message_id, moment, body.decode())
    return "v1a," + base64.b64encode(key.sign(_signed(message_id, moment, body))).decode()


def _signed(message_id: str, moment: datetime, body: bytes) -> bytes:
    return f"{message_id}.{int(moment.timestamp())}.".encode(errors="replace") + body


def verify(secrets_in_use: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of the message that arrived with `headers` and exactly these bytes at `now`.

    Several secrets (`whsec_…`) and public keys (`whpk_…`) are valid while one replaces another. Raises HeadersError or
    SignatureError, nothing else, whatever was sent.
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
    shared = [secret for secret in secrets_in_use if not secret.startswith(PUBLIC)]
    public = [Ed25519PublicKey.from_public_bytes(decoded(k, PUBLIC)) for k in secrets_in_use if k.startswith(PUBLIC)]
    expected = [Webhook(secret).sign(message_id, moment, text).encode() for secret in shared]
    for signature in signatures.split():
        if any(hmac.compare_digest(signature.encode(errors="replace"), fitting) for fitting in expected):
            return message_id
        if signature.startswith("v1a,") and _fits(public, signature, _signed(message_id, moment, body)):
            return message_id
    raise SignatureError("No signature fits; check the secret, and that the bytes are verified as they arrived.")


def _fits(keys: Sequence[Ed25519PublicKey], signature: str, signed: bytes) -> bool:
    """Whether one of the keys verifies this v1a signature."""
    try:
        raw = base64.b64decode(signature.removeprefix("v1a,"), validate=True)
    except (binascii.Error, ValueError):
        return False
    for key in keys:
        try:
            key.verify(raw, signed)
        except InvalidSignature:
            continue
        return True
    return False
