"""The JSON Schemas of what is sent: a file per family of types below the schema number, and the schema of each type.

Within a number a field is only ever added, and never a required one; anything else is a new number, sent beside the old
one for at least a year. A test compares the files with a frozen copy.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, cast

from webhooks.payload import SCHEMA

NUMBERS = (SCHEMA,)


def types(number: str = SCHEMA) -> list[str]:
    """Every type of event that has a schema of this number."""
    return sorted(name for family in _families(number) for name in family["properties"]["type"]["enum"])


def schema(type_: str, number: str = SCHEMA, public_url: str = "") -> dict[str, Any] | None:
    """The JSON Schema of one type of event; None where there is none of this number."""
    for family in _families(number):
        if type_ in family["properties"]["type"]["enum"]:
            made = {"$schema": family["$schema"], "$id": f"{public_url.rstrip('/')}{path(type_, number)}", **family}
            return made | {"properties": {**family["properties"], "type": {"const": type_}}}
    return None


def path(type_: str, number: str = SCHEMA) -> str:
    """Where the application publishes the schema."""
    return f"/api/v1/schemas/{number}/{type_}.json"


@cache
def _families(number: str) -> tuple[dict[str, Any], ...]:
    if number not in NUMBERS:
        return ()
    found = sorted(
        (each for each in files(__name__).joinpath(number).iterdir() if each.name.endswith(".json")),
        key=lambda each: each.name,
    )
    return tuple(cast(dict[str, Any], json.loads(each.read_text(encoding="utf-8"))) for each in found)
