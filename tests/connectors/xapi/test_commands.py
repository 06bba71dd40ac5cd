"""`certbridge xapi`: credentials, and verdicts about statements in a file."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.xapi.commands import xapi
from plugin.cli import Context
from tests.connectors.xapi.conftest import Lms, said


def run(lms: Lms, *arguments: str, given: bytes | None = None) -> Result:
    """`certbridge xapi` with these arguments."""
    context = Context(Path("config.toml"))
    context.__dict__["installation"] = lms.home
    return CliRunner().invoke(xapi, list(arguments), obj=context, input=given)


def test_credentials_are_made_listed_and_revoked(lms: Lms) -> None:
    """A password is shown once and opens; the list never shows it; revoked, it opens nothing."""
    made = run(lms, "credential", "add", "lrs", "app", "--show-password")
    lms.password = made.output.strip().splitlines()[-1]
    header = "Basic " + base64.b64encode(f"app:{lms.password}".encode()).decode()
    assert lms.ask("POST", said(), authorization=header).status_code == 200
    listed = run(lms, "credential", "list", "--format", "json")
    assert lms.password not in listed.output
    body = json.loads(listed.output)
    assert body["statements"] == {"lrs": {"waiting": 1}}
    assert [one["name"] for one in body["credentials"] if one["last_used_at"]] == ["app"]
    assert "app" in run(lms, "credential", "list").output
    assert run(lms, "credential", "revoke", "app").exit_code == 0
    assert lms.ask("POST", said(), authorization=header).status_code == 401


@pytest.mark.parametrize("where", [("lrs", "lms"), ("lrs", "a b"), ("nowhere", "x"), ("moodle", "x")])
def test_credentials_are_refused(lms: Lms, where: tuple[str, str]) -> None:
    """Names that are taken or malformed, and sources that are not there or are pulled."""
    assert run(lms, "credential", "add", *where, "--show-password").exit_code != 0


def test_every_line_has_its_verdict(lms: Lms) -> None:
    """One verdict a line, in the order of the lines, whatever stands in them; exit status 1 when one is not valid."""
    lines = [
        b"\xef\xbb\xbf" + json.dumps(said()).encode(),
        json.dumps(said(actor={})).encode(),
        b"no json",
        b'{"actor": 1, "actor": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
        b"[]",
        b"null",
        json.dumps(said(result={"extensions": {"http://x.example/": "x" * 10_000_000}})).encode(),
        json.dumps({**said(), "result": {"score": {"scaled": 2}}}).encode() + b"\r",
    ]
    done = run(lms, "check", "-", "--format", "json", given=b"\n".join(lines))
    verdicts = [json.loads(line) for line in done.output.splitlines()]
    assert done.exit_code == 1
    assert [verdict["valid"] for verdict in verdicts] == [True, *[False] * 7, True, False]
    assert verdicts[1] == {"valid": False, "errors": [{"path": "/actor", "code": "identifier"}]}
    assert verdicts[2]["errors"] == [{"path": "", "code": "json"}]
    assert verdicts[-1]["errors"] == [{"path": "/result/score/scaled", "code": "range"}]


def test_a_file_of_valid_statements_is_well(lms: Lms, tmp_path: Path) -> None:
    """Where all are valid the exit status is 0 and the counts are said."""
    file = tmp_path / "statements.jsonl"
    file.write_text("\n".join(json.dumps(said()) for _ in range(3)))
    done = run(lms, "check", str(file))
    assert (done.exit_code, "3 valid, 0 not valid" in done.output) == (0, True)
