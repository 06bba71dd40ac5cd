"""Finding a person in free text and JSON: by whole words, never by a part of somebody else's.

A word of letters alone (a login such as anna) may be anybody's within a sentence: it counts as a whole value, or as what
stands behind a colon or slash, as in account:anna.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, func, or_

SHORT = 3  # a shorter word counts only as a whole value too
PARTS = re.compile(r"[:/]")


def mentions(value: Any, words: Collection[str]) -> bool:
    """Whether one of the words stands in a text, or in a text or number anywhere in a JSON value; case does not matter."""
    wanted = {word.casefold() for word in words}
    pattern = _pattern(wanted)
    return any(
        text in wanted or not wanted.isdisjoint(PARTS.split(text)) or (pattern is not None and pattern.search(text))
        for text in _texts(value)
    )


def _pattern(words: Collection[str]) -> re.Pattern[str] | None:
    parts = []
    for word in sorted(words):
        if not word.isascii():  # Chinese is written without spaces
            parts += [re.escape(word)] if len(word) > 1 else []
        elif len(word) >= SHORT and not word.isalpha():
            parts.append(rf"(?<![\w.@-]){re.escape(word)}(?![\w@-])")
    return re.compile("|".join(parts)) if parts else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name).casefold()
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value).strip().casefold()


def may_mention(column: ColumnElement[Any], words: Collection[str]) -> ColumnElement[bool]:
    """The condition that a text or JSON column holds one of the words somewhere: what `mentions` is to look at."""
    text = func.lower(cast(column, Text))
    # JSON is kept as text on SQLite, with anything but ASCII escaped.
    spelt = {
        variant for word in words for plain in (word, word.lower()) for variant in (plain, json.dumps(plain)[1:-1])
    }
    # What SQLite's lower() leaves alone stays as it is written; the rest is lower case.
    variants = {part for word in spelt for part in (word, word.lower())}
    return or_(false(), *(text.contains(variant, autoescape=True) for variant in sorted(variants)))
