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


def line(code: str, status: str, missing: list[str]) -> dict[str, Any]:
    """A line of a promotion's answer."""
    return {"certification": code, "status": status, "held_until": None, "missing": missing, "earliest": None}


def promotion(lines: list[dict[str, Any]], note: str | None = None) -> Content:
    """A promotion's event."""
    data = {"promotion_id": "PR/7", "employee_number": "E1001", "requirements": lines, "note": note}
    return Content("promotion.blocked", OCCURRED, 42, "promotion:PR/7", False, data)


def test_a_promotion_that_is_too_large_is_shortened_and_sent() -> None:
    """What is not held comes first, texts are cut, the number and a link stand for the rest; the state is sent after all."""
    lines = [line(f"C{at:03}", "certified" if at % 2 else "expired", ["证" * 300] * 5) for at in range(200)]
    made = build(promotion(lines, "长" * 3000), full=False, public_url="https://certbridge.example/")
    assert made is not None
    assert LARGEST - 3000 < len(made) < LARGEST, "as much as fits"
    data = body(made)["data"]
    assert (data["requirements_total"], data["shortened"]) == (200, ["note", "requirements"])
    assert data["links"] == {"record": "https://certbridge.example/api/v1/promotions/PR%2F7"}
    assert {each["status"] for each in data["requirements"]} == {"expired"}
    assert {(len(each["missing"]), len(each["missing"][0])) for each in data["requirements"]} == {(3, 200)}
    assert len(data["note"]) == 500


def test_a_promotion_that_fits_is_left_as_it_is() -> None:
    """Nothing is cut, and nothing says so, where there is room."""
    data = body(build(promotion([line("FIRE", "expired", ["x" * 300] * 5)], "n" * 600), full=False))["data"]
    assert (len(data["note"]), len(data["requirements"][0]["missing"])) == (600, 5)
    assert not {"shortened", "requirements_total", "links"} & set(data)


def test_a_full_body_loses_what_explains_it_first() -> None:
    """Criteria go before requirements, these before the person, and only as far as needed; the body says what is missing."""
    large = ["x" * 15_000]
    cases = [
        ({"criteria": large * 2, "requirements": [1]}, ["criteria"]),
        ({"criteria": large, "requirements": large * 2}, ["criteria", "requirements"]),
        ({"criteria": large, "requirements": [1]}, None),
    ]
    for given, shortened in cases:
        data = body(build(content(status="certified", **given), full=True))["data"]
        assert data.get("shortened") == shortened
        assert data["person"]["name"] == "张伟"
    assert "person" not in body(build(content("person.erased"), full=True))["data"]
