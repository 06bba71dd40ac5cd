"""The body of a message."""

import json
from datetime import UTC, datetime
from typing import Any

from webhooks.payload import LARGEST, Content, build

OCCURRED = datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC)


def content(kind: str = "certification.awarded", **data: Any) -> Content:
    """An event's content."""
    person = {"name": "张伟", "department": "Production", "position": None}
    return Content(kind, OCCURRED, 42, "certification:E1001:FORKLIFT", False, data, person)


def body(made: bytes | None) -> dict[str, Any]:
    """A body, read back."""
    assert made is not None
    read: dict[str, Any] = json.loads(made)
    return read


def test_the_body_is_the_contract() -> None:
    """A body has type, timestamp, schema and data with sequence and subject first, as UTF-8 JSON."""
    made = build(content(employee_number="E1001", status="certified", valid_until=None), full=False)
    assert body(made) == {
        "type": "certification.awarded",
        "timestamp": "2026-11-23T02:00:00Z",
        "schema": "1",
        "data": {
            "sequence": 42,
            "subject": "certification:E1001:FORKLIFT",
            "employee_number": "E1001",
            "status": "certified",
            "valid_until": None,
            "backfill": False,
        },
    }
    assert list(body(made)["data"])[:2] == ["sequence", "subject"]


def test_a_thin_body_holds_no_more_than_it_needs() -> None:
    """Names, criteria and a certification's requirements go to full endpoints only; a promotion's answer always goes."""
    thin = body(build(content(criteria=[1], requirements=[2]), full=False))["data"]
    assert not {"person", "criteria", "requirements"} & set(thin)
    full = body(build(content(criteria=[1], requirements=[2]), full=True))["data"]
    assert full["person"]["name"] == "张伟"
    assert (full["criteria"], full["requirements"]) == ([1], [2])
    promotion = body(build(content("promotion.blocked", requirements=[2]), full=False))["data"]
    assert promotion["requirements"] == [2]


def test_the_event_cannot_overwrite_its_number() -> None:
    """Sequence and subject come from the event itself, whatever its data holds."""
    data = body(build(content(sequence=1, subject="x"), full=False))["data"]
    assert (data["sequence"], data["subject"]) == (42, "certification:E1001:FORKLIFT")


def test_a_body_stays_below_twenty_kilobytes() -> None:
    """A full body that is too large is sent thin; a thin one that is too large is not made."""
    made = build(content(status="certified", criteria=["x" * LARGEST]), full=True)
    assert made is not None
    assert len(made) < LARGEST
    assert "criteria" not in body(made)["data"]
    assert build(content(note="证" * 7000), full=False) is None
