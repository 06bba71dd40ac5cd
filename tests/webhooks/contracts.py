"""Comparing a schema with the one that was promised: within a number an optional field may be added, and words may change."""

from collections.abc import Iterator
from typing import Any

WORDS = {"title", "description", "examples", "$comment"}


def broken(promised: Any, published: Any, place: str = "") -> Iterator[str]:
    """Where the published schema is not what was promised, but for added optional fields and words."""
    if not (isinstance(promised, dict) and isinstance(published, dict)):
        if promised != published:
            yield f"{place or '/'}: {promised!r} became {published!r}"
        return
    for key in sorted((promised.keys() | published.keys()) - WORDS):
        here = f"{place}/{key}"
        if key == "properties":
            before, after = promised.get(key, {}), published.get(key, {})
            for name, schema in before.items():
                if name not in after:
                    yield f"{here}/{name}: it was removed"
                else:
                    yield from broken(schema, after[name], f"{here}/{name}")
        elif key == "required" and key in promised and key in published:
            if set(promised[key]) != set(published[key]):
                yield f"{here}: {sorted(promised[key])} became {sorted(published[key])}"
        elif key not in promised or key not in published:
            yield f"{here}: {'it is new' if key not in promised else 'it was removed'}"
        else:
            yield from broken(promised[key], published[key], here)


def closed(schema: Any) -> Any:
    """The same schema without room for fields that it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    return made | {"additionalProperties": False} if "properties" in schema else made
