"""`certbridge endpoint`, `certbridge deliveries` and `certbridge deliver`."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from plugin.models import AuditEntry


def test_an_endpoint_from_adding_to_delivering(desk: Any, receiver: Any, run: Any, tmp_path: Path) -> None:
    """Adding with a secret file, testing, delivering, listing, showing: each command says what it did."""
    file = tmp_path / "secret"
    added = run("endpoint", "add", "hr", receiver.url, "--types", "certification.*", "--secret-file", str(file))
    assert (added.exit_code, "Added the endpoint hr" in added.output) == (0, True)
    assert file.read_text().startswith("whsec_")
    assert file.read_text().strip() not in added.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tested = run("endpoint", "test", "hr")
    assert (tested.exit_code, "accepted it (201 Created)" in tested.output) == (0, True)
    assert json.loads(receiver.got[0].body)["type"] == "endpoint.test"
    desk.events(desk.people(2))
    assert "2 delivered" in run("deliver", "--once").output
    [listed] = json.loads(run("endpoint", "list", "--format", "json").output)
    assert (listed["name"], listed["waiting"], "secret" in listed) == ("hr", 0, False)
    rows = json.loads(run("deliveries", "list", "--state", "delivered", "--format", "json").output)
    assert [row["employee_number"] for row in rows] == ["E0002", "E0001"]
    shown = json.loads(run("deliveries", "show", str(rows[0]["id"])).output)
    assert [(attempt["status"], attempt["outcome"]) for attempt in shown["attempts"]] == [(201, "delivered")]
    assert run("deliveries", "retry", str(rows[0]["id"])).exit_code == 0
    assert "1 delivered" in run("deliver", "--once").output


def test_switching_off_and_on(desk: Any, receiver: Any, run: Any) -> None:
    """A disabled endpoint gets nothing; enabled again it gets what waited; both are in the audit trail with who."""
    desk.endpoint(receiver.url)
    desk.events(desk.people(1))
    assert run("endpoint", "disable", "hr", "--reason", "They move.").exit_code == 0
    assert "0 delivered" in run("deliver", "--once").output
    assert "disabled: They move." in run("endpoint", "list").output
    assert "1 messages are due" in run("endpoint", "enable", "hr").output
    assert "1 delivered" in run("deliver", "--once").output
    with desk.store.read() as session:
        acts = [(act.action, act.actor.startswith("command line")) for act in session.query(AuditEntry)]
    assert ("endpoint.disable", True) in acts
    assert ("endpoint.enable", True) in acts


def test_replaying(desk: Any, receiver: Any, run: Any) -> None:
    """A replay says how many messages are due again, and refuses a moment that it cannot read."""
    desk.settings(retry_seconds=[0])
    desk.endpoint(receiver.url)
    desk.events(desk.people(2))
    receiver.answer = lambda _got: (500, {}, b"")
    assert "2 given up" in run("deliver", "--once").output
    assert "2 messages are due again; 0 left out" in run("deliveries", "replay", "--since", "2026-11-23T09:00").output
    refused = run("deliveries", "replay", "--since", "yesterday")
    assert (refused.exit_code, "no moment" in refused.output) == (1, True)


def test_a_secret_is_shown_only_when_asked(run: Any, receiver: Any) -> None:
    """Adding without saying where the secret is to be is refused; with --show-secret it is printed this once."""
    assert run("endpoint", "add", "hr", receiver.url).exit_code == 2
    assert "whsec_" in run("endpoint", "add", "hr", receiver.url, "--show-secret").output
    assert "whsec_" not in run("endpoint", "list").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bad name!", "https://93.184.215.14/"], "no name"),
        (["hr", "https://10.0.0.1/"], "private"),
        (["hr", "https://93.184.215.14/", "--types", "nothing.*"], "no type"),
        (["hr", "https://93.184.215.14/", "--kind", "webhooks.pigeon"], "kind"),
    ],
)
def test_what_cannot_be_added_is_said(run: Any, words: list[str], said: str) -> None:
    """A bad name, a denied address, an unknown type or kind: exit status 1, the reason, and nothing is added."""
    result = run("endpoint", "add", *words, "--show-secret")
    assert (result.exit_code, said in result.output) == (1, True)
    assert json.loads(run("endpoint", "list", "--format", "json").output) == []


def test_testing_an_endpoint_that_fails(desk: Any, run: Any) -> None:
    """A test that does not get through ends with status 1 and the reason."""
    desk.endpoint("http://127.0.0.1:1/")
    result = run("endpoint", "test", "hr")
    assert (result.exit_code, "No connection came about" in result.output) == (1, True)
