"""`certbridge inbound`, and the example of docs/inbound.md against a running application."""

import json
import re
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from werkzeug.serving import make_server

from connectors.signed import STATUS
from plugin.cli import Context
from plugin.installation import Installation
from plugin.models import AuditEntry
from tests.webhooks.inbound_world import Hr
from webhooks import inbound_work
from webhooks.inbound_commands import inbound
from webhooks.inbound_senders import find_sender
from webhooks.inbound_types import TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "inbound.md").read_text(encoding="utf-8")


@pytest.fixture
def hr(installation: Installation) -> Hr:
    """An HR system that may send events."""
    return Hr(installation)


def run(hr: Hr, *arguments: str) -> Result:
    """`certbridge inbound` with these arguments."""
    context = Context(Path("config.toml"))
    context.__dict__["installation"] = hr.home
    return CliRunner().invoke(inbound, list(arguments), obj=context)


def test_a_sender_is_added_with_a_file_and_rotated(hr: Hr, tmp_path: Path) -> None:
    """A new secret is written into a file of ours alone; what stands in a file is taken; each is shown nowhere else."""
    file, other = tmp_path / "a.secret", tmp_path / "b.secret"
    done = run(hr, "add", "payroll", "--secret-file", str(file), "--types", "employee.*", "--new-units")
    secret = file.read_text().strip()
    assert (done.exit_code, file.stat().st_mode & 0o777, secret[:6], secret in done.output) == (
        0,
        0o600,
        "whsec_",
        False,
    )
    shown = run(hr, "rotate", "payroll", "--show-secret")
    assert shown.output.strip().splitlines()[-1].startswith("whsec_")
    other.write_text("whsec_" + "YWJj" * 8 + "\n")
    assert run(hr, "rotate", "payroll", "--secret-file", str(other)).exit_code == 0
    with hr.home.store.read() as session:
        row = find_sender(session, "payroll")
        acts = [entry.action for entry in session.scalars(select(AuditEntry)) if entry.subject == "inbound:payroll"]
    assert hr.home.keys.decrypt(row.secret) == other.read_text().strip()
    assert (row.creates_units, row.types) == (True, ["employee.hired", "employee.left", "employee.moved"])
    assert acts == ["inbound.add", "inbound.rotate", "inbound.rotate"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "hr", "--show-secret"),
        ("add", "a b", "--show-secret"),
        ("add", "x", "--show-secret", "--types", "employee.married"),
        ("add", "x"),
        ("rotate", "nobody", "--show-secret"),
        ("disable", "nobody"),
        ("retry", "404"),
        ("show", "404"),
        ("discard", "404", "--reason", "x"),
    ],
)
def test_what_cannot_be_done_is_refused(hr: Hr, arguments: tuple[str, ...]) -> None:
    """Taken and malformed names, unknown types, senders and events, and a secret that would go nowhere."""
    assert run(hr, *arguments).exit_code != 0


def test_what_is_held_is_listed_shown_retried_and_discarded(hr: Hr) -> None:
    """The list names what is held with its reason and counts; retry says what still is, by the exit status too."""
    hr.send(secret="whsec_" + "YWJj" * 8)
    hr.tell("employee.left", employee_number="E404", effective_date="2026-11-20")
    listed = json.loads(run(hr, "list", "--format", "json").output)
    assert [(one["id"], one["state"]) for one in listed["events"]] == [(1, "held")]
    assert listed["senders"][0]["events"] == {"held": 1}
    assert {one["outcome"]: one["times"] for one in listed["counts"]} == {"signature": 1, "taken": 1}
    table = run(hr, "list").output
    assert "no employee with the number E404" in table and "1 held" in table and "signature" in table
    assert json.loads(run(hr, "show", "1").output)["body"] == hr.events()[0].body
    again = run(hr, "retry")
    assert (again.exit_code, "1 held" in again.output) == (3, True)
    assert run(hr, "discard", "1", "--reason", "by mistake").exit_code == 0
    assert json.loads(run(hr, "list", "--format", "json").output)["events"] == []


def test_the_example_of_the_page_is_taken(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of docs/inbound.md sends an event over HTTP that is taken once, applied, and known the second time."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    hr.move_clock(datetime.fromtimestamp(int(time.time()), UTC))
    server = make_server("127.0.0.1", 0, hr.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/api/v1/inbound/hr"
        event = {
            "type": "employee.left",
            "timestamp": "2026-11-23T02:00:00Z",
            "data": {"employee_number": "E1", "effective_date": "2027-12-31"},
        }
        secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
        assert [names["send"](address, secret, "evt_1", event) for _ in range(2)] == [202, 200]
        assert names["send"](address, "whsec_" + "YWJj" * 8, "evt_2", event) == 401
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert inbound_work.work(hr.home).done == 1
    assert str(hr.person("E1").left_on) == "2027-12-31"  # type: ignore[union-attr]


def test_the_page_names_every_type_and_answer() -> None:
    """docs/inbound.md has a line for each type of event and each way to be refused."""
    assert all(f"| `{name}` |" in PAGE for name in TYPES)
    assert all(f"`{code}`" in PAGE and f"| {status} |" in PAGE for code, status in STATUS.items())
