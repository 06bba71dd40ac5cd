"""Moments known to the minute beside moments known to the second, where the moment is part of what a row is.

Some ways of reading show a moment to the minute only. Two completions of one course by one account, or two issues of
one badge, within one minute are one: the moment known to the second is kept, or learnt.
"""

from collections.abc import Iterable
from typing import Any

Key = tuple[Any, ...]


def minute_of(key: Key, place: int) -> Key:
    """The key with the moment at `place` at the beginning of its minute."""
    return (*key[:place], key[place].replace(second=0, microsecond=0), *key[place + 1 :])


def align(place: int, wanted: dict[Key, Any], standing: Iterable[Key]) -> list[tuple[Key, Key]]:
    """Give what is `wanted` the moments by which it is known; the standing keys whose moments `wanted` knows better.

    `place` is where the moment stands in the keys. What is wanted at the beginning of a minute, while a row stands within
    that minute, takes the row's key. For a row that stands at the beginning of a minute, while it is wanted within
    that minute, (known, better) is returned: its moment is to be set.
    """
    known = set(standing)
    missing = [key for key in wanted if key not in known]
    if not missing:
        return []
    free: dict[Key, Key] = {}
    for key in known:
        if key not in wanted:
            free.setdefault(minute_of(key, place), key)
    better: list[tuple[Key, Key]] = []
    for key in missing:
        minute = minute_of(key, place)
        found = free.pop(minute, None)
        if found is None:
            continue
        if key == minute:
            wanted[found] = wanted.pop(key)
        elif found == minute:
            better.append((found, key))
    return better
