"""What a digest and a hash are over: one text for one value, the same from SQLite and PostgreSQL."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

GENESIS = "0" * 64  # what the first seal of a chain follows


def canonical(values: Mapping[str, Any]) -> bytes:
    """`values` as bytes: sorted by name, empty ones left out, numbers and moments written in one way only."""
    filled = {name: _plain(value) for name, value in values.items() if value is not None}
    return json.dumps(filled, sort_keys=True, separators=(",", ":")).encode("ascii")


def entry_digest(table: str, row: Mapping[str, Any], salt: str) -> str:
    """The digest of one row. Without `salt` nobody can find out what the row said by trying."""
    return hmac.new(str(salt).encode(), f"{table}\n".encode() + canonical(row), hashlib.sha256).hexdigest()


def batch_digest(marks: Iterable[tuple[int, int, str]]) -> str:
    """The digest over the marks of a seal: the rows' ids, whom they are about, their digests."""
    lines = (f"{row_id} {person_id} {digest}\n" for row_id, person_id, digest in sorted(marks))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def seal_hash(seal: Mapping[str, Any]) -> str:
    """The hash of a seal: over all of its columns but the hash itself."""
    return hashlib.sha256(canonical({name: value for name, value in seal.items() if name != "hash"})).hexdigest()


def _plain(value: Any) -> Any:
    plain = value
    if isinstance(value, datetime):
        plain = value.astimezone(UTC).isoformat(timespec="microseconds")
    elif isinstance(value, date):
        plain = value.isoformat()
    elif isinstance(value, Decimal):
        plain = f"{value.normalize():f}"
    elif isinstance(value, bytes):
        plain = value.hex()
    elif isinstance(value, float) and value.is_integer():
        plain = int(value)  # PostgreSQL gives 1e22 back as a whole number
    elif isinstance(value, dict):
        plain = {str(name): _plain(item) for name, item in value.items()}
    elif isinstance(value, list):
        plain = [_plain(item) for item in value]
    return plain
