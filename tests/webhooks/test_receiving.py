"""docs/receiving.md: its receiver, as it stands on the page, takes what CertBridge really sends, and nothing else."""

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.webhooks.conftest import SECRET, Desk

PAGE = Path(__file__).parents[2] / "docs" / "receiving.md"
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two byte").decode()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[str]:
    """The page's receiver in a process of its own, with two secrets; yields its URL."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = tmp_path / "receiver.py"
    program.write_text(source, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "WEBHOOK_SECRETS": f"{OTHER} {SECRET}", "WEBHOOK_STORE": str(tmp_path / "hr.db"), "PORT": str(port),
    }  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(program)], env=environment, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/hooks"
    finally:
        process.terminate()
        process.wait(timeout=10)


def held(folder: Path) -> dict[str, tuple[int, str, str]]:
    """What the receiver holds: sequence, type and status by subject."""
    store = sqlite3.connect(folder / "hr.db")
    rows = store.execute("SELECT subject, sequence, type, data FROM state").fetchall()
    store.close()
    return {subject: (sequence, kind, json.loads(data).get("status", "")) for subject, sequence, kind, data in rows}


def headers(body: bytes, secret: str = SECRET, age: int = 0, kind: str = "v1", **more: str) -> dict[str, str]:
    """The headers of a message as a sender makes them, without our code."""
    moment = str(int(time.time()) - age)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, f"msg_1.{moment}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": moment, "webhook-signature": f"{kind},{digest}", **more}


def body_of(sequence: int, status: str = "certified", **more: Any) -> bytes:
    """A message about one certification."""
    data = {"sequence": sequence, "subject": "certification:E9:FIRE", "status": status, "name": "王芳", **more}
    return json.dumps({"type": "certification.awarded", "data": data}, ensure_ascii=False).encode()


def test_it_takes_what_is_really_sent(desk: Desk, receiver: str, tmp_path: Path) -> None:
    """Deliveries arrive, are answered 204 and stored; sent again after all, they change nothing; a test is forgotten."""
    desk.home.clock = desk_now  # type: ignore[method-assign, assignment]
    people = desk.people(3)
    desk.endpoint(receiver)
    desk.events(people, status="certified", note="消防员")
    desk.events(people[:1], kind="certification.revoked", status="revoked")
    assert desk.deliver().delivered == 4
    first, *others = people
    expected = {f"certification:{person}:FORKLIFT": (1, "certification.awarded", "certified") for person in others}
    expected[f"certification:{first}:FORKLIFT"] = (2, "certification.revoked", "revoked")
    assert held(tmp_path) == expected
    with desk.store.write() as session:
        for message in desk.messages():
            found = session.merge(message)
            found.state, found.due_at, found.finished_at = "waiting", desk.home.clock(), None
    assert desk.deliver().delivered == 4
    assert held(tmp_path) == expected


def desk_now() -> Any:
    """The time as it is: the receiver looks at its own clock."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.now(UTC)


def test_duplicates_and_stale_ones_change_nothing(receiver: str, tmp_path: Path) -> None:
    """What is not above the sequence that is held is acknowledged and dropped."""
    for sequence, status in ((2, "certified"), (2, "expired"), (1, "expired"), (3, "grace"), (2, "certified")):
        body = body_of(sequence, status)
        assert requests.post(receiver, body, headers=headers(body), timeout=10).status_code == 204
    assert held(tmp_path) == {"certification:E9:FIRE": (3, "certification.awarded", "grace")}


def test_what_is_wrong_is_refused_and_not_stored(receiver: str, tmp_path: Path) -> None:
    """A wrong or missing signature, another kind, JSON written anew, an old or malformed time, and too much are refused."""
    body = body_of(1)
    rewritten = json.dumps(json.loads(body)).encode()
    good = headers(body)
    foreign = "whsec_" + base64.b64encode(b"x" * 32).decode()
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (body, headers(body, foreign), 401),
        (body, headers(body, kind="v1a"), 401),
        (rewritten, good, 401),
        (body, good | {"webhook-id": "msg_2"}, 401),
        (body, good | {"webhook-signature": ""}, 401),
        (body, good | {"webhook-signature": "v1"}, 401),
        (body, headers(body, age=301), 400),
        (body, headers(body, age=-400), 400),
        (body, good | {"webhook-timestamp": "now"}, 400),
        (body, {name: value for name, value in good.items() if name != "webhook-id"}, 400),
        (b" " * 70_000, headers(b" " * 70_000), 413),
    ]
    for given, said, status in cases:
        assert requests.post(receiver, given, headers=said, timeout=10).status_code == status, said
    assert not (tmp_path / "hr.db").exists()


def test_both_secrets_of_a_rotation_are_good(receiver: str, tmp_path: Path) -> None:
    """A signature of either secret is enough, also as one of several and beside kinds that are unknown."""
    body = body_of(1)
    wrong, right = headers(body, "whsec_" + base64.b64encode(b"y" * 24).decode()), headers(body, OTHER)
    many = f"v9,abc {wrong['webhook-signature']} {right['webhook-signature']}"
    assert requests.post(receiver, body, headers=right | {"webhook-signature": many}, timeout=10).status_code == 204
    newer = body_of(2)
    assert requests.post(receiver, newer, headers=headers(newer, SECRET), timeout=10).status_code == 204
    assert held(tmp_path)["certification:E9:FIRE"][0] == 2


def test_a_test_message_is_forgotten(receiver: str, tmp_path: Path) -> None:
    """It is acknowledged, and no state is kept of it; the same holds for what else is about the connection."""
    for kind in ("endpoint.test", "endpoint.read_back"):
        body = json.dumps({"type": kind, "data": {"sequence": 0, "subject": "endpoint:hr"}}).encode()
        assert requests.post(receiver, body, headers=headers(body), timeout=10).status_code == 204
    assert not (tmp_path / "hr.db").exists()


def test_the_receiver_is_as_short_as_promised() -> None:
    """About thirty lines, with everything."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) <= 32
