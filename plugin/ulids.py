"""ULIDs by the thousand: sortable ids, of the time in milliseconds and 80 random bits, in Crockford's base 32.

Source: the ULID specification (github.com/ulid/spec); one at a time is what the library `ulid` is for.
"""

from base64 import b32encode
from collections.abc import Iterator
from datetime import datetime
from os import urandom

from ulid import ULID

_AT_ONCE, _BYTES, _LETTERS = 256, 10, 16  # ten random bytes are sixteen letters
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def ulids(moment: datetime) -> Iterator[str]:
    """As many ids of `moment` as are asked for; in no order among themselves."""
    time = str(ULID.from_datetime(moment))[:_BYTES]
    while True:
        letters = b32encode(urandom(_AT_ONCE * _BYTES)).translate(_CROCKFORD).decode()
        for start in range(0, _AT_ONCE * _LETTERS, _LETTERS):
            yield time + letters[start : start + _LETTERS]
