"""`certbridge requirement …` and `certbridge promotion …`, with their files, and the API on the real engine."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import event, select, update

from connectors.models import SyncRun
from metrics.certification.engine import derive_due
from metrics.certification.models import Promotion, Requirement, RequirementPerson
from metrics.certification.promotion_commands import promotion
from metrics.certification.requirement_commands import requirement
from metrics.certification.rules import import_rule
from metrics.tasks import terms_of
from plugin.accounts import create_token
from plugin.cli import Command, Context
from plugin.installation import Installation
from plugin.models import AuditEntry, Event, Person
from plugin.people import Employee, record_employees
from plugin.web import create_app

RULE = 'code = "FIRE"\n[earn]\nall_of = [{ completed = { course = "C" } }]\n[validity]\nlasts = "P1Y"\n'
Run = Callable[..., Result]


@pytest.fixture
def run(installation: Installation) -> Run:
    """The command, on an installation with the certification FIRE and two employees."""
    now = installation.clock()
    with installation.store.write() as session:
        employees = [
            Employee("E1", "Anna", position="Clerk", grade="G1", department="Sales", joined_on=date(2020, 1, 1)),
            Employee("E2", "Bo", position="Leader", joined_on=date(2020, 1, 1), left_on=date(2026, 12, 31)),
        ]
        record_employees(session, employees, date(2026, 1, 1), now)
        import_rule(session, RULE, "test", now)

    def command(*arguments: str) -> Result:
        context = Context(Path("unread"))
        context.__dict__["installation"] = installation

        @click.group(cls=Command)
        def root() -> None:
            """The root."""

        root.add_command(requirement)
        root.add_command(promotion)
        return CliRunner().invoke(root, list(arguments), obj=context)

    return command


def derive(home: Installation) -> None:
    """Derive whoever is touched."""
    derive_due(home.store, home.clock, terms_of(home))


def test_adding_listing_and_ending(run: Run, installation: Installation) -> None:
    """Each population can be required, is listed with its terms, and ended by its number."""
    said = run(
        "requirement", "add", "FIRE", "--position", "Clerk", "--from", "2026-01-01", "--due-within", "P90D"
    ).output
    assert said == "No. 1: FIRE is required as a duty of the position Clerk from 2026-01-01 on.\n"
    run("requirement", "add", "FIRE", "--department", "Sales", "--with-children")
    run("requirement", "add", "FIRE", "--grade", "G9", "--kind", "promotion")
    assert "Nobody is in the tag night today" in run("requirement", "add", "FIRE", "--tag", "night").output
    run("requirement", "add", "FIRE", "--person", "E1", "--person", "E2", "--due-on", "2026-12-24")
    assert run("requirement", "end", "1", "--on", "2027-01-01").output.endswith("until 2027-01-01.\n")
    assert run("requirement", "end", "4").exit_code == 0
    listed = run("requirement", "list").output
    assert "   1 the position Clerk: FIRE (duty) from 2026-01-01 until 2027-01-01, due P90D" in listed
    assert "   2 the department and those below it, Sales: FIRE (duty) from 2026-11-23" in listed
    assert "   3 the grade G9: FIRE (promotion) from 2026-11-23" in listed
    assert "   5 listed people, no. 5 (2 people): FIRE (duty) from 2026-11-23, due 2026-12-24" in listed
    assert "night" not in listed
    ended = json.loads(run("requirement", "list", "--ended", "--format", "json").output)
    assert [(row["number"], row["tag"]) for row in ended if row["tag"]] == [(4, "night")]
    assert ended[0].keys() >= {"certification", "kind", "starts_on", "ends_on", "due_on", "due_within", "listed"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "FIRE"], "name one of these"),
        (["add", "FIRE", "--position", "Clerk", "--grade", "G1"], "name one of these"),
        (["add", "NONE", "--position", "Clerk"], "no certification 'NONE'"),
        (["add", "FIRE", "--person", "E9"], "no employee E9"),
        (["add", "FIRE", "--position", "Clerk", "--due-within", "-P1D"], "without a minus sign"),
        (["end", "77"], "no. 77"),
    ],
)
def test_a_refusal_is_said_in_one_line(run: Run, arguments: list[str], says: str) -> None:
    """A command that is refused exits with 1 and says why."""
    result = run("requirement", *arguments)
    assert result.exit_code == 1
    assert says in result.output


FILE = """certification,kind,position,grade,department,with_children,tag,people,starts_on,ends_on,due_on,due_within
FIRE,,Clerk,,,,,,2026-01-01,,,P90D
FIRE,promotion,,G2,,,,,,,,
FIRE,duty,,,Sales,yes,,,,2027-01-01,2026-12-01,
FIRE,duty,,,,,night,,,,,
FIRE,duty,,,,,,E1; E2,,,,
FIRE,duty,Clerk,,,,,,2026-06-01,,,
NONE,duty,Clerk,,,,,,,,,
FIRE,duty,,,,,,E1; E9,,,,
FIRE,duty,Leader,,,,,,2026-13-01,,,
FIRE,duty,Leader,,,maybe,,,,,,
,duty,Leader,,,,,,,,,
FIRE,duty,Leader,,,,,,,,2020-01-01,
"""


def test_a_file_of_requirements(run: Run, installation: Installation, tmp_path: Path) -> None:
    """Each row is accepted or refused by line and reason; the same rows again, on another day, change nothing."""
    path = tmp_path / "requirements.csv"
    path.write_text(FILE, encoding="utf-8")
    tried = json.loads(run("requirement", "import", str(path), "--dry-run", "--format", "json").output)
    with installation.store.read() as session:
        assert session.scalars(select(Requirement)).all() == []
    result = run("requirement", "import", str(path), "--format", "json")
    assert result.exit_code == 3
    said = json.loads(result.output)
    assert (tried["accepted"], len(tried["refused"]), tried["dry_run"]) == (5, 7, True)
    assert (said["accepted"], said["known"]) == (5, 0)
    refused = {row["line"]: row["reason"] for row in said["refused"]}
    wanted = {
        7: "already", 8: "no certification", 9: "no employee E9", 10: "not a day", 11: "neither yes nor no",
        12: "certification is empty", 13: "before it starts",
    }  # fmt: skip
    assert refused.keys() == wanted.keys()
    assert all(reason in refused[line] for line, reason in wanted.items()), refused
    assert [row["line"] for row in said["warnings"]] == [3, 5]
    with installation.store.read() as session:
        assert len(session.scalars(select(RequirementPerson)).all()) == 2
    installation.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    again = json.loads(run("requirement", "import", str(path), "--format", "json").output)
    assert (again["accepted"], again["known"], len(again["refused"])) == (0, 5, 7)


def test_a_file_that_is_no_table_is_refused(run: Run, tmp_path: Path) -> None:
    """Without its required column a file is refused as a whole."""
    path = tmp_path / "x.csv"
    path.write_text("position\nClerk\n")
    for group, column in (("requirement", "certification"), ("promotion", "promotion_id")):
        result = run(group, "import", str(path))
        assert result.exit_code == 1
        assert f"no column '{column}'" in result.output


PROPOSALS = """promotion_id,employee_number,effective_date,kind,to_position,to_grade
PR-1,E1,2027-01-01,,Leader,
PR-2,E1,2027-01-01,pay,,G2
PR-3,E9,2027-01-01,,Leader,
PR-4,E2,2027-01-01,,Leader,
PR-5,E1,2019-01-01,,Leader,
PR 6,E1,2027-01-01,,Leader,
PR-7,E1,2027-01-01,gift,Leader,
PR-8,E1,01.01.2027,,Leader,
PR-9,,2027-01-01,,Leader,
PR-1,E1,2027-02-01,,Leader,
"""


def test_a_file_of_proposals(run: Run, installation: Installation, tmp_path: Path) -> None:
    """Each row is new, changed, unchanged or refused by line and reason; accepted ones are answered like those of the API."""
    run("requirement", "add", "FIRE", "--position", "Leader", "--kind", "promotion")
    path = tmp_path / "proposals.csv"
    path.write_text(PROPOSALS, encoding="utf-8")
    tried = json.loads(run("promotion", "import", str(path), "--dry-run", "--format", "json").output)
    with installation.store.read() as session:
        assert session.scalars(select(Promotion)).all() == []
    result = run("promotion", "import", str(path), "--format", "json")
    assert result.exit_code == 3
    said = json.loads(result.output)
    assert tried == {**said, "dry_run": True}
    assert (said["created"], said["updated"], said["unchanged"]) == (2, 0, 0)
    refused = {row["line"]: row["reason"] for row in said["refused"]}
    wanted = {
        4: "no employee 'E9'", 5: "leaves on 2026-12-31", 6: "joined on 2020-01-01", 7: "no id of a record",
        8: "not 'gift'", 9: "not a day", 10: "employee_number is empty", 11: "stands in line 2 already",
    }  # fmt: skip
    assert refused.keys() == wanted.keys()
    assert all(reason in refused[line] for line, reason in wanted.items()), refused
    derive(installation)
    lines = json.loads(run("promotion", "list", "--format", "json").output)
    assert [(line["promotion_id"], line["kind"], line["eligibility"]) for line in lines] == [
        ("PR-1", "promotion", "blocked"), ("PR-2", "pay", "eligible"),
    ]  # fmt: skip
    path.write_text("\n".join(PROPOSALS.splitlines()[:2]).replace("Leader", "Head") + "\n")
    assert "0 new, 1 changed, 0 unchanged, 0 refused" in run("promotion", "import", str(path)).output
    assert run("promotion", "import", str(path)).output.startswith("proposals.csv: 0 new, 0 changed, 1 unchanged")
    with installation.store.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action == "promotion.propose")).all()
    assert [(act.after or {})["outcome"] for act in acts] == ["created", "created", "updated"]


def test_a_file_costs_no_query_for_each_row(run: Run, installation: Installation, tmp_path: Path) -> None:
    """Ten rows and a hundred are proposed with the same number of reading queries."""
    counted: list[str] = []
    event.listen(installation.store.engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    found = []
    for count in (10, 100):
        path = tmp_path / f"{count}.csv"
        rows = [f"P{count}-{at},E1,2027-01-01,Leader" for at in range(count)]
        path.write_text("promotion_id,employee_number,effective_date,to_position\n" + "\n".join(rows) + "\n")
        counted.clear()
        assert run("promotion", "import", str(path)).exit_code == 0
        found.append(len([text for text in counted if text.startswith("SELECT")]))
    assert found[0] == found[1]


def test_showing_and_closing_a_record(run: Run, installation: Installation, tmp_path: Path) -> None:
    """A record is shown with what is missing; closing answers it first, keeps that, and is an act in the audit trail."""
    run("requirement", "add", "FIRE", "--position", "Leader", "--kind", "promotion", "--from", "2026-01-01")
    path = tmp_path / "proposals.csv"
    path.write_text("promotion_id,employee_number,effective_date,to_position\nPR-1,E1,2027-01-01,Leader\n")
    run("promotion", "import", str(path))
    assert "not answered yet" in run("promotion", "show", "PR-1").output
    assert run("promotion", "close", "PR-1").output == "PR-1 is closed.\n"
    shown = run("promotion", "show", "PR-1").output
    assert "Effective 2027-01-01: blocked" in shown
    assert "Closed on 2026-11-23T10:00:00+08:00." in shown
    assert "missing: completed C" in shown
    assert "could be met from 2026-11-23T10:00:00+08:00" in shown
    assert (
        json.loads(run("promotion", "show", "PR-1", "--format", "json").output)["decided"]["eligibility"] == "blocked"
    )
    assert "PR-1" not in run("promotion", "list").output
    assert "blocked, closed" in run("promotion", "list", "--closed").output
    run("promotion", "close", "PR-1")
    with installation.store.read() as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action == "promotion.close")).all()
    assert len(acts) == 1
    assert "no promotion record 'NONE'" in run("promotion", "close", "NONE").output


def test_closing_while_a_source_is_pulled_keeps_the_last_answer(
    run: Run, installation: Installation, tmp_path: Path
) -> None:
    """Half of what a source says decides nothing: then the answer that HR has seen is kept."""
    path = tmp_path / "proposals.csv"
    path.write_text("promotion_id,employee_number,effective_date,to_position\nPR-1,E1,2027-01-01,Leader\n")
    run("promotion", "import", str(path))
    derive(installation)
    run("requirement", "add", "FIRE", "--position", "Leader", "--kind", "promotion", "--from", "2026-01-01")
    now = installation.clock()
    with installation.store.write() as session:
        session.add(SyncRun(source="moodle", status="running", started_at=now, heartbeat_at=now))
    run("promotion", "close", "PR-1")
    with installation.store.read() as session:
        assert session.get_one(Promotion, "PR-1").eligibility == "eligible"


def test_the_api_on_the_engine(run: Run, installation: Installation) -> None:
    """Both kinds are proposed, answered, told once, closed with the evidence, and refused with the reason."""
    run("requirement", "add", "FIRE", "--position", "Leader", "--kind", "promotion", "--from", "2026-01-01")
    with installation.store.write() as session:
        token = create_token(session, "hr", ["promotions:write"], installation.clock())
    client = create_app(installation).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    body = {"employee_number": "E1", "to_position": "Leader", "effective_date": "2027-01-01"}
    for kind in ("promotion", "pay"):
        answer = client.post("/api/v1/promotions", json={**body, "promotion_id": kind, "kind": kind})
        assert (answer.status_code, answer.json["outcome"]) == (201, "created")
    assert client.get("/api/v1/promotions/pay").json["eligibility"] is None
    derive(installation)
    said = client.get("/api/v1/promotions/pay").json
    assert (said["kind"], said["eligibility"], said["closed"], "decided" in said) == ("pay", "blocked", False, False)
    assert said["requirements"][0]["earliest"] == "2026-11-23T10:00:00+08:00"
    installation.clock.moment += timedelta(days=30)  # type: ignore[attr-defined]
    derive(installation)
    assert client.get("/api/v1/promotions/pay").json["requirements"][0]["earliest"] == "2026-12-23T10:00:00+08:00"
    with installation.store.read() as session:
        told = [row.subject for row in session.scalars(select(Event).order_by(Event.sequence))]
    assert told == ["promotion:pay", "promotion:promotion"]
    assert client.post("/api/v1/promotions/pay/close").json == {"promotion_id": "pay", "outcome": "closed"}
    assert client.post("/api/v1/promotions/pay/close").status_code == 200
    said = client.get("/api/v1/promotions/pay").json
    assert said["closed"] is True
    assert said["decided"]["eligibility"] == "blocked"
    assert said["decided"]["requirements"][0]["evidence"] == []
    for change, reason in (
        ({"promotion_id": "pay", "kind": "pay"}, "was closed on 2026-12-23"),
        ({"promotion_id": "promotion", "employee_number": "E2", "effective_date": "2026-12-30"}, "another employee"),
        ({"promotion_id": "new", "employee_number": "E2"}, "leaves on 2026-12-31"),
        ({"promotion_id": "new", "effective_date": "2019-12-31"}, "joined on 2020-01-01"),
    ):
        answer = client.post("/api/v1/promotions", json={**body, **change})
        assert answer.status_code == 409
        assert reason in answer.json["detail"]
    with installation.store.write() as session:
        session.execute(update(Person).values(erased_at=datetime(2026, 11, 23, tzinfo=UTC)))
    assert client.post("/api/v1/promotions", json={**body, "promotion_id": "new"}).status_code == 409
