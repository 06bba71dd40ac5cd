"""Odd input through the command, the page and the API: each way refuses or accepts it alike, and says why."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import select

from metrics.certification.engine import derive_due
from metrics.certification.models import CertificationRule, Promotion
from metrics.tasks import terms_of
from plugin.accounts import create_account, create_token
from plugin.cli import Context, cli, main
from plugin.installation import Installation
from plugin.models import Person
from plugin.people import Employee, record_employees
from plugin.web import create_app, session_of

RULE = 'code = "FIRE"\neffective_from = 2026-01-01\n[earn]\nassessed = { assessment = "DRILL" }\n[validity]\nlasts = "P1Y"\n'


class Ways:
    """An installation with employees of every kind, and the three ways to tell it something."""

    def __init__(self, home: Installation, folder: Path) -> None:
        self.home, self.folder = home, folder
        with home.store.write() as session:
            employees = [
                Employee("E1", "Anna", position="Clerk", joined_on=date(2026, 6, 1)),
                Employee("E2", "Bo", position="Leader", joined_on=date(2020, 1, 1), left_on=date(2026, 10, 1)),
                Employee("E3", "Cy", position="Clerk", joined_on=date(2020, 1, 1), left_on=date(2026, 12, 15)),
            ]
            record_employees(session, employees, date(2026, 6, 1), home.clock())
            token = create_token(session, "hr", ["promotions:write", "certifications:read"], home.clock())
            account = create_account(session, "vera", None, ["coordinator", "hr"], home.clock())
            session.flush()
        app = create_app(home)
        app.config["WTF_CSRF_ENABLED"] = False
        self.browser: FlaskClient = app.test_client()
        with self.browser.session_transaction() as cookie:
            cookie.update({**session_of(account, home.clock()), "language": "en"})
        self.api: FlaskClient = app.test_client()
        self.api.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def run(self, *arguments: str) -> Result:
        """A command; what it refuses is its output."""
        context = Context(self.folder / "config.toml")
        context.__dict__["installation"] = self.home
        return CliRunner().invoke(cli.commands[arguments[0]], arguments[1:], obj=context)

    def file(self, text: str, name: str = "file.csv") -> str:
        """A file with this text."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def derive(self) -> None:
        """Derive whoever is touched."""
        derive_due(self.home.store, self.home.clock, terms_of(self.home))

    def explained(self, number: str, code: str = "FIRE") -> dict[str, Any]:
        """What the API says of one certification."""
        answer: dict[str, Any] = self.api.get(f"/api/v1/people/{number}/certifications/{code}").json
        return answer


def said(result: Result) -> str:
    """What a command said, or why it refused."""
    return f"{result.output}{result.exception or ''}"


def shown(page: Any) -> str:
    """A page's words."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page.text)))


@pytest.fixture
def ways(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ways:
    """The ways on each database; every addon's commands are there."""
    monkeypatch.setattr("sys.argv", ["certbridge", "--help"])
    with pytest.raises(SystemExit):
        main()
    return Ways(installation, tmp_path)


@pytest.mark.parametrize(
    ("number", "effective", "to", "reason"),
    [
        ("E2", "2027-01-01", "Leader", "left on 2026-10-01"),
        ("E3", "2027-01-01", "Leader", "leaves on 2026-12-15"),
        ("E1", "2026-05-31", "Leader", "joined on 2026-06-01"),
        ("E9", "2027-01-01", "Leader", "no employee 'E9'"),
    ],
)
def test_who_cannot_be_promoted_is_refused_by_each_way(
    ways: Ways, number: str, effective: str, to: str, reason: str
) -> None:
    """Whoever has left, leaves by then, has not joined by then or is unknown: refused with the same reason, nothing stored."""
    given = {"promotion_id": "P1", "employee_number": number, "effective_date": effective, "to_position": to}
    file = ways.file(",".join(given) + "\n" + ",".join(given.values()) + "\n")
    result = ways.run("promotion", "import", file)
    assert (result.exit_code, reason in result.output) == (3, True)
    page = ways.browser.post("/promotions/new", data=given)
    assert (page.status_code, reason in shown(page)) == (422, True)
    answer = ways.api.post("/api/v1/promotions", json=given)
    assert 400 <= answer.status_code < 500
    assert reason in answer.text
    with ways.home.store.read() as session:
        assert session.scalars(select(Promotion)).all() == []


@pytest.mark.parametrize(
    ("to", "note"),
    [("Leader", "No certification is required"), ("Leadr", "There is no position 'Leadr' here"), ("", "neither")],
)
def test_a_post_without_requirements_is_eligible_with_a_note(ways: Ways, to: str, note: str) -> None:
    """To a position that asks for nothing, one that does not exist, or to none: eligible, and each way tells the note."""
    given = {
        "promotion_id": "P1",
        "employee_number": "E1",
        "effective_date": "2027-01-01",
        **({"to_position": to} if to else {}),
    }
    assert ways.api.post("/api/v1/promotions", json=given).status_code == 201
    ways.derive()
    assert "eligible" in ways.run("promotion", "show", "P1").output
    assert note in ways.run("promotion", "show", "P1").output
    answer = ways.api.get("/api/v1/promotions/P1").json
    assert (answer["eligibility"], note in answer["note"]) == ("eligible", True)
    page = shown(ways.browser.get("/promotions/P1"))
    assert note in page


def test_two_versions_of_one_day_are_told_apart_by_each_way(ways: Ways) -> None:
    """The list and the page say which version was replaced by which; the API explains by the newer one."""
    ways.run("certification", "import", ways.file(RULE, "one.toml"))
    ways.run("certification", "import", ways.file(RULE.replace("P1Y", "P2Y"), "two.toml"))
    first, second = ways.run("certification", "list").output.splitlines()
    assert "replaced by version 2, which decides from 2026-01-01 too" in first
    assert "replaced" not in second
    assert "replaced by version 2 of the same day" in shown(ways.browser.get("/rules/of/FIRE"))
    ways.run("assessment", "enter", "E1", "DRILL", "--achieved", "2026-11-01", "--note", "seen", "--by", "vera")
    ways.derive()
    [award] = ways.explained("E1")["awards"]
    assert (award["version"], award["valid_until"]) == (2, "2028-11-01T00:00:00+08:00")


def test_what_does_not_exist_is_refused_by_each_way(ways: Ways) -> None:
    """A rule about an unknown course or certification, a duty and a question about an unknown certification."""
    unknown = RULE.replace('assessed = { assessment = "DRILL" }', 'completed = { course = "NOWHERE" }')
    assert "line 4: the course 'NOWHERE' is not known" in said(
        ways.run("certification", "import", ways.file(unknown, "r.toml"))
    )
    page = ways.browser.post("/rules/compose", data={"mode": "text", "text": unknown, "do": "read"})
    assert "the course 'NOWHERE' is not known" in shown(page)
    assert "no certification 'NOPE'" in said(ways.run("requirement", "add", "NOPE", "--position", "Clerk"))
    form = {"certification": "NOPE", "kind": "duty", "population": "position", "value": "Clerk"}
    assert "no certification 'NOPE'" in shown(ways.browser.post("/requirements/new", data=form))
    assert "no certification 'NOPE'" in said(ways.run("explain", "E1", "NOPE"))
    assert ways.api.get("/api/v1/people/E1/certifications/NOPE").status_code == 404
    with ways.home.store.read() as session:
        assert session.scalars(select(CertificationRule)).all() == []


def test_a_rule_that_nobody_can_satisfy_is_explained_by_each_way(ways: Ways) -> None:
    """It is stored; whoever must hold it is overdue, and command, page and API name what is missing."""
    never = RULE.replace('assessed = { assessment = "DRILL" }', 'hours = { courses = ["C"], at_least = 100000 }')
    ways.run("certification", "import", ways.file(never, "never.toml"), "--allow-unknown")
    ways.run("requirement", "add", "FIRE", "--position", "Clerk", "--from", "2026-01-01", "--due-on", "2026-11-01")
    ways.derive()
    answer = ways.explained("E1")
    assert answer["status"] == "overdue"
    assert answer["next"]["sections"][0]["criteria"]["missing"] == "hours C of at least 100000"
    assert "hours (at_least 100000, courses C): not met" in ways.run("explain", "E1", "FIRE").output
    assert "100000 hours" in shown(ways.browser.get("/people/E1/certifications/FIRE")).replace(",", "")


def test_evidence_from_the_future_or_before_joining_by_each_way(ways: Ways) -> None:
    """What lies ahead is refused where people enter it; what was achieved before joining counts and is marked on the page."""
    ways.run("certification", "import", ways.file(RULE, "rule.toml"))
    ahead = "2026-12-24"
    entered = ("assessment", "enter", "E1", "DRILL", "--note", "seen", "--by", "vera", "--achieved")
    assert "in the future" in said(ways.run(*entered, ahead))
    form = {"person": "E1", "assessment": "DRILL", "achieved": ahead, "note": "seen", "passed": "yes"}
    page = ways.browser.post("/assessments/enter", data=form)
    assert (page.status_code, "in the future" in shown(page)) == (422, True)
    rows = ways.file(f"employee_number,certification,valid_from\nE1,FIRE,{ahead}\n")
    assert "lies in the future" in ways.run("certification", "import-history", rows).output
    assert ways.run(*entered, "2026-01-15").exit_code == 0
    ways.derive()
    assert ways.explained("E1")["status"] == "certified"
    assert "before joining" in shown(ways.browser.get("/assessments"))


def test_overlapping_imported_awards_by_each_way(ways: Ways) -> None:
    """The command and the page refuse the second of two that overlap, by line and with the dates of the first."""
    ways.run("certification", "import", ways.file(RULE, "rule.toml"))
    text = "employee_number,certification,valid_from,valid_until\nE1,FIRE,2025-01-01,2026-01-01\nE1,FIRE,2025-12-31,\n"
    path = ways.file(text, "past.csv")
    reason = "overlaps the imported award of the same person and certification from 2025-01-01 until 2026-01-01"
    with Path(path).open("rb") as file:
        page = ways.browser.post("/rules/import-history", data={"file": (file, "past.csv")})
    assert (reason in shown(page), "refused 1" in shown(page)) == (True, True)
    result = ways.run("certification", "import-history", path)
    assert (result.exit_code, reason in result.output) == (3, True)
    assert "line 3, valid_from:" in result.output
    ways.derive()
    assert [award["basis"] for award in ways.explained("E1")["awards"]] == ["imported"]


def test_who_was_erased_gets_no_past_award(ways: Ways) -> None:
    """A file that still names an employee who was erased is refused for that row."""
    ways.run("certification", "import", ways.file(RULE, "rule.toml"))
    with ways.home.store.write() as session:
        person = session.scalars(select(Person).where(Person.employee_number == "E1")).one()
        person.erased_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=1)
    rows = ways.file("employee_number,certification,valid_from\nE1,FIRE,2025-01-01\n")
    assert "no employee 'E1'" in ways.run("certification", "import-history", rows).output
