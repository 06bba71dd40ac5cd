"""`certbridge assessment`, and for whom a command decides, on SQLite and on PostgreSQL."""

import json
from datetime import date
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from connectors.models import Evidence
from metrics import commands
from metrics.certification.assessment_models import Assessment
from metrics.certification.models import Decision
from metrics.certification.rules import import_rule
from plugin.accounts import create_account
from plugin.cli import Command, Context
from plugin.installation import Installation
from plugin.models import AuditEntry, Person
from plugin.people import Employee, record_employees

RULE = 'code = "CRANE"\n[earn]\nassessed = { assessment = "CRANE-PRACTICE" }\n[validity]\nlasts = "P1Y"\n'


@pytest.fixture
def home(installation: Installation) -> Installation:
    """Two employees, the first of whom is the assessor vera, HR's hana, and the rule CRANE."""
    now = installation.clock()
    with installation.store.write() as session:
        joined = date(2020, 1, 1)
        employees = [Employee("E1", "Vera Sommer", joined_on=joined), Employee("E2", "王芳", joined_on=joined)]
        record_employees(session, employees, now.date(), now)
        import_rule(session, RULE, "test", now)
        vera = create_account(session, "vera", None, ["assessor"], now)
        vera.person_id = session.scalar(select(Person.id).where(Person.employee_number == "E1"))
        create_account(session, "hana", None, ["hr", "employee"], now)
    return installation


def run(home: Installation, *arguments: str) -> Result:
    """What the command prints."""

    @click.group(cls=Command)
    def cli() -> None:
        """The root."""

    commands.register(cli)
    context = Context(Path("unread"))
    context.__dict__["installation"] = home
    return CliRunner().invoke(cli, arguments, obj=context)


def test_entering_correcting_voiding_and_listing(home: Installation, tmp_path: Path) -> None:
    """The commands do what the pages do, with the assessor named and whoever typed them in the audit trail."""
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7\n")
    by = ("--by", "vera")
    made = run(
        home, "assessment", "enter", "E2", "CRANE-PRACTICE", "--achieved", "2026-11-20", "--file", str(scan), *by
    )
    assert made.output == "Entry 1: E2, CRANE-PRACTICE.\n"
    changed = ("--achieved", "2026-11-20T09:30", "--passed", "no", "--note", "failed", "--reason", "mixed up")
    assert run(home, "assessment", "correct", "1", "CRANE-PRACTICE", *changed, *by).exit_code == 0
    assert run(home, "assessment", "void", "2", "--reason", "another day", *by).exit_code == 0
    listed = json.loads(run(home, "assessment", "list", "--employee", "E2", "--format", "json").output)
    assert [(line["state"], line["has_file"], line["assessor"]) for line in listed] == [
        ("superseded", True, "Vera Sommer"), ("voided", True, "Vera Sommer"),
    ]  # fmt: skip
    assert listed[1]["achieved_at"] == "2026-11-20T09:30:00+08:00"
    assert "2 E2: CRANE-PRACTICE, not passed" in run(home, "assessment", "list", "--state", "voided").output
    with home.store.read() as session:
        acts = list(session.scalars(select(AuditEntry).where(AuditEntry.action.startswith("assessment."))))
    assert all(act.actor.startswith("command:") and act.after["by"] == "vera" for act in acts)


def test_refusals_leave_nothing(home: Installation) -> None:
    """An account that may not, oneself, an unknown day, an option left out: each fails with what is wrong."""
    said = ("--achieved", "2026-11-20", "--note", "seen")
    for arguments, status, says in (
        (("E2", "CRANE-PRACTICE", *said, "--by", "hana"), 1, "'hana' may not do this"),
        (("E1", "CRANE-PRACTICE", *said, "--by", "vera"), 1, "Nobody assesses themselves"),
        (("E2", "CRANE-PRACTICE", "--achieved", "20/11/2026", "--by", "vera"), 1, "--achieved"),
        (("E2", "CRANE-PRACTICE", *said), 2, "--by"),
    ):
        answer = run(home, "assessment", "enter", *arguments)
        assert (answer.exit_code, says in answer.output) == (status, True), answer.output
    with home.store.read() as session:
        assert session.scalars(select(Assessment)).all() == []


def test_importing_a_file(home: Installation, tmp_path: Path) -> None:
    """A dry run stores nothing; the import stores the good rows and says the bad ones by line, with exit status 3."""
    path = tmp_path / "a.csv"
    path.write_text(
        "employee_number,assessment,achieved_at,note\nE2,CRANE-PRACTICE,2026-11-20,seen\nE9,CRANE-PRACTICE,2026-11-20,seen\n",
        "utf-8",
    )
    tried = run(home, "assessment", "import", str(path), "--by", "vera", "--dry-run")
    assert (tried.exit_code, "1 would be accepted" in tried.output) == (3, True)
    with home.store.read() as session:
        assert session.scalars(select(Evidence)).all() == []
    done = json.loads(run(home, "assessment", "import", str(path), "--by", "vera", "--format", "json").output)
    assert (done["accepted"], [row["line"] for row in done["refused"]]) == (1, [3])
    with home.store.read() as session:
        assert [piece.success for piece in session.scalars(select(Evidence))] == [True]


def test_proposals_are_settled_by_command(home: Installation) -> None:
    """Proposed for HR, listed, accepted, withdrawn; another one declined; each with its reason."""
    words = ("CRANE", "--until", "2027-03-31", "--reason", "leave", "--propose")
    assert "is proposed, as 1" in run(home, "certification", "exempt", "E2", *words).output
    assert "is proposed, as 2" in run(home, "certification", "exempt", "E1", *words).output
    assert run(home, "certification", "accept", "1", "--by", "hana").exit_code == 0
    assert run(home, "certification", "decline", "2", "--reason", "not yet", "--by", "hana").exit_code == 0
    assert run(home, "certification", "accept", "2", "--by", "hana").exit_code == 1
    assert run(home, "certification", "withdraw", "1", "--reason", "is back", "--by", "hana").exit_code == 0
    first, second = json.loads(run(home, "certification", "decisions", "--format", "json").output)
    assert (first["state"], first["decided_role"], first["answer"]) == ("done", "hr", "is back")
    assert first["withdrawn_at"] == "2026-11-23T10:00:00+08:00"
    assert (second["state"], second["answer"]) == ("declined", "not yet")
    assert (
        "2 E1, CRANE: exempt until 2027-03-31" in run(home, "certification", "decisions", "--state", "declined").output
    )


def test_a_decision_names_for_whom_it_was_typed(home: Installation) -> None:
    """With --by, the account's login and role; without it, whoever typed it, in the role 'command line'."""
    words = ("CRANE", "--until", "2027-03-31", "--reason", "leave")
    assert run(home, "certification", "exempt", "E2", *words, "--by", "hana").exit_code == 0
    assert run(home, "certification", "exempt", "E1", *words).exit_code == 0
    refused = run(home, "certification", "exempt", "E1", *words, "--by", "vera")
    assert (refused.exit_code, "needs one of the roles hr" in refused.output) == (1, True)
    with home.store.read() as session:
        first, second = session.scalars(select(Decision).order_by(Decision.id))
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action == "award.exempt")).all()
    assert (first.decided_by, first.decided_role) == ("hana", "hr")
    assert second.decided_role == "command line"
    assert second.decided_by.startswith("command:")
    assert [act.actor.startswith("command:") for act in acts] == [True, True]
    assert acts[0].after["by"] == "hana"
