"""The body of a message, built from its event: docs/webhooks.md is the contract."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SCHEMA = "1"
LARGEST = 20_000  # bytes; the Standard Webhooks specification asks for less than 20 kB

# What only an endpoint with full payloads is told. A promotion's requirements are its answer, so they always go.
FULL_ONLY = ("person", "criteria")
FULL_ONLY_OF_CERTIFICATIONS = (*FULL_ONLY, "requirements")


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


def build(content: Content, *, full: bool) -> bytes | None:
    """The body as UTF-8 JSON; None when it does not fit into LARGEST bytes.

    A full one that does not fit is sent thin: the state itself matters more than what explains it.
    """
    body = _encode(content, full=full)
    if len(body) >= LARGEST and full:
        body = _encode(content, full=False)
    return body if len(body) < LARGEST else None


def _encode(content: Content, *, full: bool) -> bytes:
    data: dict[str, Any] = {"sequence": content.sequence, "subject": content.subject}
    left_out = () if full else FULL_ONLY_OF_CERTIFICATIONS if content.type.startswith("certification.") else FULL_ONLY
    data |= {name: value for name, value in content.data.items() if name not in data and name not in left_out}
    data.setdefault("backfill", content.backfill)
    if full and content.person is not None:
        data["person"] = content.person
    body = {"type": content.type, "timestamp": _moment(content.occurred_at), "schema": SCHEMA, "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(moment: datetime) -> str:
    """UTC with a Z, to the second: the form that the contract shows."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
