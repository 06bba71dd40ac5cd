"""docs/webhooks.md: what it shows works, and what there is stands in it."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import Babel

from webhooks import wording
from webhooks.endpoints import TEST_TYPE, TYPES
from webhooks.settings import WebhooksSettings
from webhooks.standard.signing import Signer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_the_receiver_of_the_page_receives() -> None:
    """The page's receiver accepts what we sign, drops duplicates and stale ones, and refuses what is forged or old."""
    [source] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    room: dict[str, Any] = {}
    exec(source, room)
    highest: dict[str, int] = {}

    def receive(sequence: int, signed: bytes = b"", age: int = 0) -> int:
        data = {"sequence": sequence, "subject": "certification:E1:FORKLIFT"}
        body = json.dumps({"type": "certification.awarded", "data": data}).encode()
        headers = Signer(SECRET).headers("m", signed or body, datetime.fromtimestamp(time.time() - age, UTC))
        status: int = room["receive"](headers, body, SECRET, highest)
        return status

    assert [receive(2), receive(2), receive(1), receive(3)] == [201, 200, 200, 201]
    assert receive(4, signed=b"{}") == 401
    assert receive(4, age=301) == 400
    assert highest == {"certification:E1:FORKLIFT": 3}


def test_everything_there_is_stands_on_the_page() -> None:
    """Every type of event and every key of the settings is explained."""
    for name in (*TYPES, TEST_TYPE, *WebhooksSettings.model_fields):
        assert name in TEXT


def test_every_reason_we_keep_can_be_translated() -> None:
    """The sentences that deliveries keep stand in the list of those that the pages translate."""
    sources = [
        ROOT / "webhooks" / name
        for name in (
            "claims.py",
            "delivery.py",
            "privacy.py",
            "standing.py",
            "standard/target.py",
            "standard/tls.py",
            "file/target.py",
        )
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for words in map(str, wording.REASONS):
        beginning = words.rstrip(".").partition("20,000")[0]
        assert beginning in text, f"nothing keeps the reason {words!r} any more"


def test_a_reason_of_somebody_else_is_shown_as_it_is() -> None:
    """What varies stays behind the sentence, and a sentence that is not ours is left alone."""
    app = Flask("test")
    Babel(app)
    with app.test_request_context():
        assert (
            wording.reason("The endpoint failed (500 Internal Server Error).")
            == "The endpoint failed. (500 Internal Server Error)"
        )
        assert (
            wording.reason("hr.example has the address 10.0.0.1 (private), which")
            == "hr.example has the address 10.0.0.1 (private), which"
        )
        assert wording.reason(None) == ""
