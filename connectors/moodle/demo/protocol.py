"""The REST protocol: how PHP reads nested parameters and how Moodle writes JSON and XML."""

import json
import re
from collections.abc import Iterable
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from connectors.moodle.demo.errors import MoodleError

_NAME = re.compile(r"^([^\[]+)((?:\[[^\]]*\])*)$")
_XML = '<?xml version="1.0" encoding="UTF-8" ?>\n'


def pairs(encoded: str, limit: int) -> list[tuple[str, str]]:
    """Split an encoded form or query; like PHP, silently forget what exceeds `limit` variables."""
    return list(islice(parse_qsl(encoded, keep_blank_values=True), limit))


def nest(flat: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Build the nested parameters that names such as `options[0][name]` stand for."""
    root: dict[str, Any] = {}
    for name, value in flat:
        match = _NAME.match(name)
        if match is None:
            root[name] = value
            continue
        path = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
        place = root
        for step in path[:-1]:
            inner = place.setdefault(step or str(len(place)), {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        place[path[-1] or str(len(place))] = value
    return root


def to_json(answer: Any) -> str:
    """Write an answer as PHP does: ASCII only, slashes escaped."""
    return json.dumps(answer, separators=(",", ":")).replace("/", "\\/")


def to_xml(answer: Any) -> str:
    """Write an answer in the format that Moodle uses unless asked for JSON."""
    return f"{_XML}<RESPONSE>\n{_element(answer)}</RESPONSE>"


def error_to_xml(error: MoodleError) -> str:
    """Write an error in the format that Moodle uses unless asked for JSON."""
    code = "" if error.errorcode is None else f"<ERRORCODE>{escape(error.errorcode)}</ERRORCODE>\n"
    return (
        f'{_XML}<EXCEPTION class="{escape(error.exception)}">\n{code}'
        f"<MESSAGE>{escape(error.message)}</MESSAGE>\n</EXCEPTION>"
    )


def _element(value: Any) -> str:
    if isinstance(value, list):
        return "<MULTIPLE>\n" + "".join(map(_element, value)) + "</MULTIPLE>\n"
    if isinstance(value, dict):
        keys = (f'<KEY name="{escape(key)}">{_element(inner)}</KEY>\n' for key, inner in value.items())
        return "<SINGLE>\n" + "".join(keys) + "</SINGLE>\n"
    if value is None:
        return '<VALUE null="null"/>\n'
    if isinstance(value, bool):
        return f"<VALUE>{int(value)}</VALUE>\n"
    return f"<VALUE>{escape(str(value))}</VALUE>\n"
