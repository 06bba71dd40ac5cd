"""The body of a message, built from its event: docs/webhooks.md and the JSON Schemas beside this file are the contract."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

SCHEMA = "1"
LARGEST = 20_000  # bytes; the Standard Webhooks specification asks for less than 20 kB

# What only an endpoint with full payloads is told. A promotion's requirements are its answer, so they always go.
FULL_ONLY = ("person", "criteria")
FULL_ONLY_OF_CERTIFICATIONS = (*FULL_ONLY, "requirements")

# How a body that is too large is shortened; `shortened` in it names what was left out or cut.
LONGEST_NOTE = 500  # characters
MOST_MISSING = 3  # of each requirement
LONGEST_MISSING = 200  # characters
HELD = ("certified", "exempt", "renewal_due")  # said last, and so left out first


@dataclass(frozen=True)
class Content:
    """What of an event goes into a message. `person` is {"name", "department", "position"} for full payloads."""

    type: str
    occurred_at: datetime
    sequence: int
    subject: str
    backfill: bool
    data: dict[str, Any]
    person: dict[str, Any] | None = None


def build(content: Content, *, full: bool, public_url: str = "") -> bytes | None:
    """The body as UTF-8 JSON; None when it does not fit into LARGEST bytes even shortened.

    A full one loses what makes it full, first what satisfied the criteria: the state itself matters more than what explains
    it. A promotion's requirements are cut from the end, those not held standing first, with their number and a link
    (below `public_url`) to the whole answer.
    """
    made = message(content, full=full)
    if _fits(made):
        return encode(made)
    _leave_out(made, ("criteria", "requirements", "person") if content.type.startswith("certification.") else FULL_ONLY)
    if not _fits(made) and content.type.startswith("promotion."):
        _cut_promotion(made, public_url)
    return encode(made) if _fits(made) else None


def message(content: Content, *, full: bool) -> dict[str, Any]:
    """The body as an object, of whatever size."""
    data: dict[str, Any] = {"sequence": content.sequence, "subject": content.subject}
    left_out = () if full else FULL_ONLY_OF_CERTIFICATIONS if content.type.startswith("certification.") else FULL_ONLY
    data |= {name: value for name, value in content.data.items() if name not in data and name not in left_out}
    data.setdefault("backfill", content.backfill)
    if full and content.person is not None and content.type.startswith(("certification.", "promotion.")):
        data["person"] = content.person
    return {"type": content.type, "timestamp": _moment(content.occurred_at), "schema": SCHEMA, "data": data}


def encode(made: Mapping[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


def _fits(made: Mapping[str, Any]) -> bool:
    return len(encode(made)) < LARGEST


def _leave_out(made: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Take these out of a body's data, one after another, until it fits."""
    data = made["data"]
    for name in names:
        if name in data and not _fits(made):
            del data[name]
            data.setdefault("shortened", []).append(name)


def _cut_promotion(made: Mapping[str, Any], public_url: str) -> None:
    """Shorten note and requirements of a promotion's body until it fits."""
    data = made["data"]
    if data.get("note") and len(data["note"]) > LONGEST_NOTE:
        data["note"] = data["note"][: LONGEST_NOTE - 1] + "…"
        data.setdefault("shortened", []).append("note")
    lines = data.get("requirements") or []
    data.setdefault("shortened", []).append("requirements")
    data["requirements"], data["requirements_total"] = [], len(lines)
    record = f"{public_url.rstrip('/')}/api/v1/promotions/{quote(str(data.get('promotion_id', '')), safe='')}"
    data["links"] = {**data.get("links", {}), "record": record}
    room = LARGEST - 1 - len(encode(made))
    for line in sorted(lines, key=lambda line: line.get("status") in HELD):
        short = {**line, "missing": [_cut(words) for words in line.get("missing", [])[:MOST_MISSING]]}
        room -= len(encode(short)) + 1
        if room < 0:
            break
        data["requirements"].append(short)


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_MISSING else words[: LONGEST_MISSING - 1] + "…"


def _moment(moment: datetime) -> str:
    """UTC with a Z, to the second: the form that the contract shows."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
