"""Compares the shapes of two answers: keys, JSON types, nulls, optional keys, JSON written into strings.

The elements of a list are laid over one another: a key that some element lacks is optional, and a value
may be of all the types that it has in any element. Numbers are one type, whole or not, as they are in PHP.
"""

import json
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Shape:
    """The shape of all values seen at one place."""

    types: set[str] = field(default_factory=set)
    objects: int = 0
    keys: dict[str, "Shape"] = field(default_factory=dict)
    seen: int = 0
    element: "Shape | None" = None
    written: "Shape | None" = None  # of JSON within strings

    def add(self, value: Any) -> None:
        """Lay one more value over this shape."""
        self.seen += 1
        kind = _type(value)
        if kind == "object":
            self.objects += 1
            for key, inner in value.items():
                self.keys.setdefault(key, Shape()).add(inner)
        elif kind == "list":
            for inner in value:
                self.element = self.element or Shape()
                self.element.add(inner)
        elif kind == "string" and (inner := _decoded(value)) is not None:
            kind = "JSON in a string"
            self.written = self.written or Shape()
            self.written.add(inner)
        self.types.add(kind)

    def optional(self, key: str) -> bool:
        """Say whether some object here lacks the key."""
        return self.keys[key].seen < self.objects


def difference(recorded: Any, twin: Any, explained: Container[str] = ()) -> str | None:
    """Return the first difference between two answers as 'path: what', or None.

    `explained` holds paths at which a difference has a reason that is written down elsewhere.
    """
    first, second = Shape(), Shape()
    first.add(recorded)
    second.add(twin)
    return _compare(first, second, "answer", explained)


def _compare(recorded: Shape, twin: Shape, path: str, explained: Container[str]) -> str | None:
    found = None if path in explained else _types_differ(recorded, twin, path)
    if found:
        return found
    for key in sorted(recorded.keys.keys() | twin.keys.keys()):
        place = f"{path}.{key}"
        found = None if place in explained else _key_differs(recorded, twin, key, place)
        if found:
            return found
        if key in recorded.keys and key in twin.keys:
            found = _compare(recorded.keys[key], twin.keys[key], place, explained)
            if found:
                return found
    if recorded.element and not twin.element and path not in explained:
        return f"{path}: recorded with elements, the twin's list is empty"
    if recorded.element and twin.element:
        found = _compare(recorded.element, twin.element, f"{path}[]", explained)
    if not found and recorded.written and twin.written:
        found = _compare(recorded.written, twin.written, f"{path}{{}}", explained)
    return found


def _types_differ(recorded: Shape, twin: Shape, path: str) -> str | None:
    if recorded.types == twin.types:
        return None
    return f"{path}: recorded as {_names(recorded.types)}, the twin has {_names(twin.types)}"


def _key_differs(recorded: Shape, twin: Shape, key: str, place: str) -> str | None:
    if not recorded.objects or not twin.objects:
        return None
    if key not in recorded.keys:
        return f"{place}: the twin has added this key"
    if recorded.optional(key):
        return None
    if key not in twin.keys:
        return f"{place}: the twin lacks this key"
    if twin.optional(key):
        return f"{place}: recorded always, the twin sometimes lacks it"
    return None


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def _decoded(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _names(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "nothing"
