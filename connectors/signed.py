"""Messages that others sign and send us, after Standard Webhooks (v1): verified on the bytes that arrived.

The specification's own library is not asked: it raises other exceptions than its own on a malformed header, cannot verify
bytes that are not UTF-8, and reads the machine's clock. `Refusal` is everything that can be wrong with what somebody sends.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from plugin.errors import RefusedError, SecretError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = timedelta(minutes=5)
DEEPEST = 64  # levels of lists and objects in a body
# Nothing that the beginning of a JSON text could be taken for: the signed text has dots between its parts.
_ID = re.compile(r"[A-Za-z0-9._:@/+=~-]{1,200}")
_SECONDS = re.compile(r"[0-9]{1,11}")

# What can be wrong, and the status that answers it.
HEADERS, STALE, UNSIGNED, UNKNOWN, TOO_LARGE = "headers", "stale", "signature", "unknown", "too_large"
MEDIA_TYPE, MALFORMED, INVALID, UNKNOWN_TYPE, CONFLICT = (
    "media_type",
    "malformed",
    "invalid",
    "unknown_type",
    "conflict",
)
STATUS = {
    HEADERS: 400,
    STALE: 400,
    MALFORMED: 400,
    UNSIGNED: 401,
    UNKNOWN: 404,
    CONFLICT: 409,
    TOO_LARGE: 413,
    MEDIA_TYPE: 415,
    INVALID: 422,
    UNKNOWN_TYPE: 422,
}


class Refusal(RefusedError):  # noqa: N818 - it says what happened
    """What somebody sent is not taken: `code` is one of STATUS, `findings` say which fields are wrong."""

    def __init__(self, code: str, sentence: str, findings: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(sentence)
        self.code = code
        self.findings = [dict(one) for one in findings]

    @property
    def status(self) -> int:
        """The HTTP status that answers it."""
        return STATUS[self.code]


@dataclass(frozen=True)
class Signed:
    """A verified message: its id, and when its sender says that it was sent."""

    id: str
    sent_at: datetime


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """The message, when one of `secrets` signed exactly these bytes and it is less than five minutes away from `now`.

    Raises Refusal for whatever is wrong with the message, SecretError when none of the secrets can be used.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, moment, signatures = given.get(ID, ""), given.get(TIMESTAMP, ""), given.get(SIGNATURE, "")
    if not (message_id and moment and signatures):
        raise Refusal(HEADERS, f"The headers {ID}, {TIMESTAMP} and {SIGNATURE} are needed, as in Standard Webhooks.")
    if not _ID.fullmatch(message_id):
        raise Refusal(HEADERS, f"{ID} is 1 to 200 letters, digits and ._:@/+=~- characters.")
    if not _SECONDS.fullmatch(moment):
        raise Refusal(HEADERS, f"{TIMESTAMP} is a whole number of seconds since 1970.")
    sent_at = datetime.fromtimestamp(int(moment), UTC)
    if abs(now - sent_at) > TOLERANCE:
        raise Refusal(
            STALE,
            f"The {TIMESTAMP} is more than five minutes away from the time here; check both clocks, and sign each attempt anew.",
        )
    signed = f"{message_id}.{moment}.".encode() + body
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in _keys(secrets)]
    for one in signatures.split():
        version, _, value = one.partition(",")
        found = _decoded(value) if version == "v1" else None
        if found is not None and any(hmac.compare_digest(found, fitting) for fitting in expected):
            return Signed(message_id, sent_at)
    raise Refusal(
        UNSIGNED,
        "No signature is made with the secret agreed upon; compare the secrets on both sides, and sign the bytes as they are sent.",
    )


def _keys(secrets: Sequence[str]) -> list[bytes]:
    keys = [key for key in (_decoded(secret.removeprefix("whsec_")) for secret in secrets) if key]
    if not keys:
        raise SecretError("None of the secrets is whsec_ and Base64; make a new one and give it to the sender.")
    return keys


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def parse(body: bytes) -> Any:
    """The JSON in a body. Raises Refusal for what is not UTF-8 or not JSON, too deep, or names a key twice."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refusal(MALFORMED, "The body is not UTF-8.") from None
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise Refusal(MALFORMED, f"The body has more than {DEEPEST} levels.") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise Refusal(MALFORMED, f"The body is not JSON: {error.msg} at character {error.pos}.") from None
        raise Refusal(MALFORMED, "The body is not JSON that everybody reads alike: a number is too long.") from None
    if _depth(value) > DEEPEST:
        raise Refusal(MALFORMED, f"The body has more than {DEEPEST} levels.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(MALFORMED, "The body names a key twice in one object; which of them counts cannot be told.")
    return found


def _no_number(name: str) -> NoReturn:
    raise Refusal(MALFORMED, f"The body is not JSON: {name} is no number.")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text[:20])


def _depth(value: Any) -> int:
    """How many levels of lists and objects there are."""
    deepest, rows = 0, [value]
    while rows:
        below = [part for row in rows if isinstance(row, dict) for part in row.values()]
        below += [part for row in rows if isinstance(row, list) for part in row]
        if any(isinstance(row, (dict, list)) for row in rows):
            deepest += 1
        rows = [part for part in below if isinstance(part, (dict, list))]
    return deepest
