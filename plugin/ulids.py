"""ULIDs by the thousand: sortable ids, of the time in milliseconds and 80 random bits, in Crockford's base 32.

Source: the ULID specification (github.com/ulid/spec), its section on monotonicity too; one at a time is what the library
`ulid` is for.
"""

from base64 import b32encode
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from os import urandom

from ulid import ULID

_TIME, _BYTES = 10, 10  # letters of the time, bytes of the rest
_LAST = 2  # letters that are counted up one by one; those before them change once in a thousand
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_ENDS = [first + second for first, second in product("0123456789ABCDEFGHJKMNPQRSTVWXYZ", repeat=_LAST)]


def ulids(moment: datetime) -> Iterator[str]:
    """As many ids of `moment` as are asked for, each above the one before."""
    time = str(ULID.from_datetime(moment))[:_TIME]
    number = int.from_bytes(urandom(_BYTES)) >> 1  # half of what fits is left for counting up
    first = number % len(_ENDS)
    while True:
        start = time + b32encode(number.to_bytes(_BYTES)).translate(_CROCKFORD).decode()[:-_LAST]
        for end in _ENDS[first:]:
            yield start + end
        number, first = number - number % len(_ENDS) + len(_ENDS), 0
