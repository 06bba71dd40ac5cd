"""The signatures of heads and checkpoints: HMAC-SHA256 with keys derived from those of the key file.

The first key of the file signs, each of them opens, so that a key can be changed (`plugin.audit.rekeying`).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin.audit.digests import canonical
from plugin.secrets import KeyRing


class SealingKeys:
    """Signs, and tells whether something was signed here."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        """`secrets` are the keys of the key file, the one that signs first."""
        self._keys = [
            HKDF(algorithm=SHA256(), length=32, salt=None, info=b"certbridge audit trail").derive(secret)
            for secret in secrets
        ]

    @classmethod
    def from_file(cls, path: Path) -> "SealingKeys":
        """The sealing keys of the key file `path`. Raises SecretError when it is missing, empty or open to others."""
        KeyRing.from_file(path)  # the checks, with the messages that say what to do
        return cls([line.strip().encode() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])

    def sign(self, kind: str, values: Mapping[str, Any]) -> str:
        """The signature of `values`, with the first key; one `kind` cannot stand for another."""
        return _signed(self._keys[0], kind, values)

    def opens(self, kind: str, values: Mapping[str, Any]) -> bool:
        """Whether `values["signature"]` was made here, with any of the keys."""
        given = str(values["signature"]).encode()
        return any(hmac.compare_digest(_signed(key, kind, values).encode(), given) for key in self._keys)


def _signed(key: bytes, kind: str, values: Mapping[str, Any]) -> str:
    signed = {name: value for name, value in values.items() if name != "signature"}
    return hmac.new(key, f"{kind}\n".encode() + canonical(signed), hashlib.sha256).hexdigest()
