"""The keys that messages are signed with, written as the Standard Webhooks specification writes them.

`whsec_` and 24 to 64 bytes in base64 is a secret that sender and receiver share (scheme v1, HMAC-SHA256). `whsk_` and
an ed25519 private key in base64 stays with the sender (scheme v1a); the receiver verifies with `whpk_` and the public
key. What an endpoint signs with is one text: its keys with a space between them.
"""

import base64
import binascii
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.errors import RefusedError

V1, V1A, BOTH = "v1", "v1a", "both"
SCHEMES = (V1, V1A, BOTH)

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SHORTEST, LONGEST, USUAL = 24, 64, 32  # bytes of a secret
SEED, PAIR = 32, 64  # bytes of an ed25519 private key, without and with the public one behind it

# What each scheme signs with, in the order of the signatures.
NEEDED = {V1: (SECRET,), V1A: (PRIVATE,), BOTH: (SECRET, PRIVATE)}


def new_secret() -> str:
    """A new shared secret, `whsec_` and 32 random bytes in base64."""
    return SECRET + base64.b64encode(secrets.token_bytes(USUAL)).decode()


def new_private_key() -> str:
    """A new ed25519 private key, `whsk_` and its 32 bytes in base64."""
    return PRIVATE + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def decoded(key: str, prefix: str) -> bytes:
    """The bytes of a key that begins with `prefix`; none for anything else."""
    if not key.startswith(prefix):
        return b""
    try:
        return base64.b64decode(key.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        return b""


def check_secret(secret: str) -> None:
    """Raise RefusedError, without the secret, when it is not `whsec_` and 24 to 64 bytes in base64."""
    if not SHORTEST <= len(decoded(secret, SECRET)) <= LONGEST:
        raise RefusedError(
            f"The secret is not {SECRET} followed by {SHORTEST} to {LONGEST} bytes in base64; copy it whole, or let "
            "CertBridge make one."
        )


def private_key(key: str) -> Ed25519PrivateKey:
    """The key in `whsk_…`: 32 bytes, or 64 with the public key behind them. Raises RefusedError, without the key."""
    raw = decoded(key, PRIVATE)
    found = Ed25519PrivateKey.from_private_bytes(raw[:SEED]) if len(raw) in (SEED, PAIR) else None
    if found is None or (len(raw) == PAIR and found.public_key().public_bytes_raw() != raw[SEED:]):
        raise RefusedError(
            f"The signing key is not {PRIVATE} followed by an ed25519 private key in base64; copy it whole, or let "
            "CertBridge make one."
        )
    return found


def check_key(key: str) -> None:
    """Raise RefusedError, without the key, when nothing can be signed with it."""
    if key.startswith(PRIVATE):
        private_key(key)
    else:
        check_secret(key)


def complete(scheme: str, given: Iterable[str] = ()) -> str:
    """What an endpoint of this scheme signs with: the keys that are given, and new ones for those that are not.

    Raises RefusedError for an unknown scheme, a key that is malformed, that the scheme has no use for, or a second one.
    """
    if scheme not in SCHEMES:
        raise RefusedError(f"There is no scheme {scheme!r} of signatures; there are: {', '.join(SCHEMES)}.")
    by_prefix: dict[str, str] = {}
    for key in given:
        if key.startswith(PUBLIC):
            continue  # it follows from the private key
        check_key(key)
        prefix = PRIVATE if key.startswith(PRIVATE) else SECRET
        if prefix not in NEEDED[scheme] or prefix in by_prefix:
            raise RefusedError(
                f"The scheme {scheme} signs with {' and '.join(NEEDED[scheme])}…, one of each; other keys were given. "
                "Leave them out, or choose another scheme."
            )
        by_prefix[prefix] = key
    made = {SECRET: new_secret, PRIVATE: new_private_key}
    return " ".join(by_prefix.get(prefix) or made[prefix]() for prefix in NEEDED[scheme])


def scheme_of(keys: str) -> str:
    """Which scheme these keys, with spaces between them, sign by."""
    private = any(key.startswith(PRIVATE) for key in keys.split())
    shared = any(not key.startswith(PRIVATE) for key in keys.split())
    return BOTH if private and shared else V1A if private else V1


def public_key(keys: str) -> str | None:
    """What verifies the v1a signatures made with these keys, `whpk_…`; None when they make none."""
    for key in keys.split():
        if key.startswith(PRIVATE):
            return PUBLIC + base64.b64encode(private_key(key).public_key().public_bytes_raw()).decode()
    return None


def shared(keys: str) -> str | None:
    """The secret among these keys that the receiver has to know, `whsec_…`; None when there is none."""
    return next((key for key in keys.split() if not key.startswith(PRIVATE)), None)
