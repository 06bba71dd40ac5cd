"""`certbridge sync`, `sources check` and `quarantine`, as a shell or a script meets them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connectors.commands import register
from connectors.records import Record
from connectors.roster.connector import Rows
from plugin import cli as kernel
from tests.connectors.book import Site

GRADES = "gradereport_user_get_grade_items"


class Shell:
    """An installation in a folder, with a roster and a site, and its command."""

    def __init__(self, folder: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.site = folder, site
        monkeypatch.setenv("MOODLE_TOKEN", "sandbox-passmarks")
        (folder / "config.toml").write_text(
            '[store]\nurl = "sqlite:///book.db"\n[sources.moodle]\nconnector = "connectors.moodle"\n'
            f'url = "{site.url}"\ntoken = {{ env = "MOODLE_TOKEN" }}\ntries = 1\n'
            '[sources.roster]\nconnector = "connectors.roster"\npath = "roster.csv"\n'
        )
        self.roster("E1001,Ann")

    def roster(self, *lines: str) -> None:
        """Write the roster."""
        (self.folder / "roster.csv").write_text("\n".join(("employee_number,name", *lines)) + "\n")

    def run(self, *arguments: str) -> Result:
        """Run the command."""
        return CliRunner().invoke(kernel.cli, ["--config", str(self.folder / "config.toml"), *arguments])

    def read(self, *arguments: str) -> Any:
        """What the command says for a program."""
        return json.loads(self.run(*arguments, "--format", "json").stdout)


@pytest.fixture
def shell(tmp_path: Path, empty_database: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell."""
    register(kernel.cli)
    (tmp_path / "book.db").write_bytes(empty_database.read_bytes())
    yield Shell(tmp_path, site, monkeypatch)


def test_sync_of_everything(shell: Shell) -> None:
    """Without names all sources are pulled, the authority for people first, and the exit status is 0 when all was used."""
    result = shell.run("sync")
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert [line for line in said if not line.startswith(" ")] == ["roster: done", "moodle: done"]
    assert any(line.startswith("  employees    1 new, 0 changed, 0 closed (1 read, ") for line in said)
    assert "  users        " in result.stdout
    assert "plain functions" in result.stdout
    assert "moodle, users, users: " in result.stderr


def test_sync_for_a_program(shell: Shell) -> None:
    """As JSON there are source, status, streams, messages and what waits, on standard output alone."""
    result = shell.run("sync", "roster", "--format", "json")
    (found,) = json.loads(result.stdout)
    counts = found["streams"]["employees"]
    assert counts.pop("seconds") >= 0
    assert found == {
        "source": "roster",
        "status": "done",
        "streams": {
            "employees": {
                "status": "done", "way": "", "whole": True, "read": 1, "created": 1, "updated": 0, "closed": 0,
                "quarantined": 0, "calls": 0, "bytes": 0,
            }
        },
        "messages": [],
        "quarantined": 0,
    }  # fmt: skip
    assert result.stderr == ""


def test_a_dry_run_stores_nothing(shell: Shell) -> None:
    """A dry run says what would be new and what could not be used, and the next pull finds all of it still new."""
    shell.roster("E1001,Ann", "E1002,")
    result = shell.run("sync", "roster", "--dry-run")
    assert result.exit_code == 3
    assert "roster: partial (dry run: nothing was stored)" in result.stdout
    assert "1 could not be used." in result.stdout
    assert shell.read("quarantine", "list") == []
    assert shell.read("sync", "roster")[0]["streams"]["employees"]["created"] == 1


def test_one_stream(shell: Shell) -> None:
    """With --stream nothing else is pulled; it needs one source, and a stream of it."""
    shell.run("sync", "roster")
    assert set(shell.read("sync", "moodle", "--stream", "courses")[0]["streams"]) == {"courses"}
    assert "needs exactly one SOURCE" in shell.run("sync", "--stream", "courses").stderr
    assert "no stream 'cuorses'" in shell.run("sync", "moodle", "--stream", "cuorses").stderr


def test_exit_status_3_when_something_waits(shell: Shell) -> None:
    """A record in quarantine makes the exit status 3, and the command says where to look."""
    shell.roster("E1001,Ann", "E1002,")
    result = shell.run("sync", "roster")
    assert result.exit_code == 3
    assert "1 in quarantine: see 'certbridge quarantine list'" in result.stdout


def test_exit_status_3_when_a_stream_failed(shell: Shell) -> None:
    """A stream that fails beside others that do not makes the exit status 3, with its reason."""
    shell.site.faults.add("html", function=GRADES, times=None)
    result = shell.run("sync", "moodle")
    assert result.exit_code == 3
    assert "moodle: partial" in result.stdout
    assert GRADES in result.stdout


def test_exit_status_1_when_a_source_failed(shell: Shell) -> None:
    """A source of which nothing could be read makes the exit status 1, also beside others that were read or wait."""
    shell.site.faults.add("maintenance", times=None)
    shell.roster("E1001,")
    result = shell.run("sync")
    assert result.exit_code == 1
    assert "moodle: failed" in result.stdout
    assert "Maintenance mode" in result.stdout
    assert "sandbox-passmarks" not in result.output


def test_an_unknown_source_is_named(shell: Shell) -> None:
    """A misspelt source says which there are."""
    result = shell.run("sync", "moodel")
    assert result.exit_code == 1
    assert "'moodel'" in result.stderr
    assert "moodle, roster" in result.stderr


def test_a_missing_token_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the token is not where config.toml says, the message names the place."""
    monkeypatch.delenv("MOODLE_TOKEN")
    result = shell.run("sources", "check", "moodle")
    assert result.exit_code == 1
    assert "MOODLE_TOKEN" in result.stderr


def test_sources_check(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the way is told with what it breaks and how to mend it; only errors make the exit status 1."""
    result = shell.run("sources", "check")
    assert result.exit_code == 0
    said = result.stdout.splitlines()
    assert [line for line in said if not line.startswith(" ")] == [
        "roster: nothing stands in the way", "moodle: nothing stands in the way",
    ]  # fmt: skip
    (courses,) = [line for line in said if line.startswith("  courses: ")]
    assert "by plain functions" in courses
    monkeypatch.setenv("MOODLE_TOKEN", "sandbox-connector")
    result = shell.run("sources", "check", "moodle")
    assert result.exit_code == 0
    assert "warning: The token's service lacks mod_quiz_get_user_best_grade" in result.stdout
    assert "breaks: pass marks are unknown" in result.stdout
    assert "mend: Add mod_quiz_get_user_best_grade on Site administration" in result.stdout
    monkeypatch.setenv("MOODLE_TOKEN", "wrong")
    result = shell.run("sources", "check")
    assert result.exit_code == 1
    assert "error: core_webservice_get_site_info: the token is not valid" in result.stdout
    assert "wrong'" not in result.output


def test_quarantine_list(shell: Shell) -> None:
    """What waits is listed with source, stream, key and reason; as JSON with the whole record; of one source if asked."""
    assert shell.run("quarantine", "list").stdout == ""
    shell.roster("E1001,Ann", "E1002,")
    shell.run("sync", "roster")
    said = shell.run("quarantine", "list").stdout
    assert said.startswith("1: roster, employees, employee:E1002 (since 20")
    assert "Line 3 of roster.csv, column B (name): It is empty." in said
    (row,) = shell.read("quarantine", "list")
    assert (row["record"]["employee_number"], row["record"]["name"], row["record"]["line"]) == ("E1002", "", 3)
    assert (row["source"], row["stream"], row["times"]) == ("roster", "employees", 1)
    assert shell.read("quarantine", "list", "--source", "moodle") == []
    assert len(shell.read("quarantine", "list", "--source", "roster")) == 1


def test_quarantine_retry(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What still cannot be used makes the exit status 3; what can is used without asking the source, and then it is 0."""
    shell.roster("E1001,Ann", "E1002,")
    shell.run("sync", "roster")
    result = shell.run("quarantine", "retry", "roster")
    assert (result.exit_code, result.stdout) == (3, "roster: 0 could be used now, 1 could not\n")
    assert shell.read("quarantine", "list")[0]["times"] == 2
    (shell.folder / "roster.csv").unlink()
    strict = Rows.parse

    def generous(self: Rows, raw: Mapping[str, Any]) -> Record:
        return strict(self, {**{name: value for name, value in raw.items() if name != "refused"}, "name": "Unnamed"})

    monkeypatch.setattr(Rows, "parse", generous)
    result = shell.run("quarantine", "retry", "roster")
    assert (result.exit_code, result.stdout) == (0, "roster: 1 could be used now, 0 could not\n")
    assert shell.read("quarantine", "list") == []


def test_quarantine_show_and_discard(shell: Shell) -> None:
    """A record is shown whole; discarded with a reason it stays out until the source changes it."""
    shell.roster("E1001,Ann", "E1002,")
    shell.run("sync", "roster")
    (row,) = shell.read("quarantine", "list")
    shown = shell.run("quarantine", "show", str(row["id"]))
    assert "column B (name): It is empty." in shown.stdout
    assert '"employee_number": "E1002"' in shown.stdout
    assert shell.run("quarantine", "discard", str(row["id"])).exit_code == 2
    assert "Say why" in shell.run("quarantine", "discard", str(row["id"]), "--reason", " ").stderr
    assert shell.run("quarantine", "discard", str(row["id"]), "--reason", "left long ago").exit_code == 0
    assert shell.run("sync", "roster").exit_code == 0
    assert shell.read("quarantine", "list") == []
    assert shell.read("quarantine", "show", str(row["id"]))["resolution"] == "discarded"
    (shell.folder / "roster.csv").write_text("employee_number,name,email\nE1001,Ann,\nE1002,,new@example.org\n")
    assert shell.run("sync", "roster").exit_code == 3
    assert "Nothing waits" in shell.run("quarantine", "discard", "99", "--reason", "x").stderr
