"""Inputs from spreadsheets: what is stored, changed, known, refused, and how it was known at a moment."""

import csv
import json
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
import xlsxwriter
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from metrics.inputs import commands, models
from metrics.inputs.kinds import KINDS, kind
from metrics.inputs.listing import listed
from plugin.cli import Command, Context
from plugin.installation import Installation
from plugin.models import AuditEntry
from tests.metrics.figures.test_registry import assert_in_both
from tests.metrics.figures.world import World

PROGRAMME = {
    "programme": "P1", "name": "Safe lifting", "plan": "2026Q2", "objective": "Fewer accidents", "measure": "accidents",
    "target": "3", "target_on": "2026-12-31", "starts_on": "2026-04-01", "planned_end_on": "2026-05-31",
}  # fmt: skip


@pytest.fixture
def home(installation: Installation) -> Installation:
    """Two people in a department, and a course."""
    with installation.store.write() as session:
        world = World(session)
        world.course("1", "SAFETY")
        world.person("E1", "D", "OP", "G1")
        world.person("E2", "D", "OP", "G1")
    return installation


def run(home: Installation, *arguments: str) -> Result:
    """What `certbridge inputs` prints."""

    @click.group(cls=Command)
    def cli() -> None:
        """The root."""

    cli.add_command(commands.inputs)
    context = Context(Path("unread"))
    context.__dict__["installation"] = home
    return CliRunner().invoke(cli, ["inputs", *arguments], obj=context)


def sheet(folder: Path, rows: Iterable[dict[str, Any]], name: str = "in.csv") -> Path:
    """The rows as a CSV file."""
    rows = list(rows)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def bring(home: Installation, folder: Path, name: str, *rows: dict[str, Any], code: int = 0) -> dict[str, Any]:
    """Import the rows and answer what the command says of them."""
    answer = run(home, "import", name, str(sheet(folder, rows)), "--format", "json")
    assert answer.exit_code == code, answer.output
    said: dict[str, Any] = json.loads(answer.output)
    return said


# One good row of each kind, in an order in which each refers to what came before.
GOOD: dict[str, dict[str, Any]] = {
    "lecturers": {"lecturer": "L1", "name": "Anna", "kind": "internal", "employee_number": "E1", "fee": "100"},
    "venues": {"venue": "V1", "name": "Hall", "places": "20"},
    "performance_measures": {"measure": "M1", "name": "Scrap", "better": "lower", "unit": "kg"},
    "programmes": {**PROGRAMME, "courses": "SAFETY", "department": "D", "lecturer": "L1", "performance": "M1"},
    "programme_people": {"programme": "P1", "employee_number": "E2", "group": "comparison"},
    "sessions": {"programme": "P1", "held_on": "2026-04-02", "begins": "09:00", "ends": "12:30", "venue": "V1"},
    "courses": {"course": "SAFETY", "hours": "1.5", "lecturer": "L1"},
    "budget": {"line": "B1", "quarter": "2026Q2", "programme": "P1", "amount": "1000.50"},
    "costs": {"document": "C1", "spent_on": "2026-04-03", "line": "B1", "amount": "12.3456", "currency": "usd"},
    "currency_rates": {"currency": "USD", "from_on": "2026-01-01", "rate": "0.91234567"},
    "ratings": {
        "programme": "P1", "employee_number": "E1", "moment": "after", "rated_on": "2026-09-01", "score": "4", "rater": "E2",
    },
    "performance": {"measure": "M1", "employee_number": "E1", "month": "2026-03", "value": "-2.5"},
    "benefits": {"statement": "S1", "programme": "P1", "stated_on": "2026-06-30", "amount": "5000", "isolation": "60%"},
    "survey_answers": {
        "survey": "S", "respondent": "1", "question": "Q1", "dimension": "content", "course": "SAFETY", "score": "4",
    },
    "competencies": {"competency": "K1", "name": "Lifting", "dimension": "professional", "courses": "SAFETY"},
    "competency_levels": {"competency": "K1", "level": "1", "name": "Beginner", "behaviour": "Lifts with help"},
    "positions": {"position": "OP", "criticality": "1.5"},
    "required_competencies": {"position": "OP", "competency": "K1", "level": "3"},
    "competency_assessments": {"employee_number": "E1", "competency": "K1", "assessed_on": "2026-05-01", "level": "2"},
    "interviews": {"note": "N1", "held_on": "2026-05-01", "said": "More practice."},
    "external_training": {"employee_number": "E1", "title": "Fair", "ended_on": "2026-05-02", "hours": "6"},
}  # fmt: skip


def test_every_kind_is_taken_once(home: Installation, tmp_path: Path) -> None:
    """A row of each kind is stored; the same file again changes nothing; a dry run beforehand stores nothing."""
    assert [each.name for each in KINDS] == list(GOOD)
    for name, row in GOOD.items():
        tried = json.loads(
            run(home, "import", name, str(sheet(tmp_path, [row])), "--dry-run", "--format", "json").output
        )
        assert (tried["created"], tried["refused"]) == (1, [])
        with home.store.read() as session:
            assert not listed(session, kind(name), home.clock())
        assert bring(home, tmp_path, name, row)["created"] == 1
        again = bring(home, tmp_path, name, row)
        assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 1)
    counts = {row["kind"]: row["rows"] for row in json.loads(run(home, "list", "--format", "json").output)}
    assert counts == dict.fromkeys(GOOD, 1)
    assert '"currency": "CNY"' in run(home, "list", "budget", "--format", "json").output
    assert "USD" in run(home, "list", "costs").output


def test_what_is_said_anew_takes_the_place_of_what_stood(home: Installation, tmp_path: Path, clock_moves: Any) -> None:
    """A row that says otherwise ends the one that stood, which is still what was known before; a row taken back ends."""
    first = home.clock()
    bring(home, tmp_path, "programmes", PROGRAMME)
    clock_moves(timedelta(hours=1))
    said = bring(home, tmp_path, "programmes", {**PROGRAMME, "name": "Lifting", "courses": "SAFETY"})
    assert (said["created"], said["updated"]) == (0, 1)
    with home.store.read() as session:
        (now,) = listed(session, kind("programmes"), home.clock())
        (then,) = listed(session, kind("programmes"), first)
    assert (now["name"], now["courses"], then["name"], then["courses"]) == ("Lifting", ["SAFETY"], "Safe lifting", [])
    clock_moves(timedelta(hours=1))
    assert run(home, "end", "programmes", str(now["number"])).exit_code == 0
    assert run(home, "end", "programmes", str(now["number"])).exit_code == 1
    with home.store.read() as session:
        assert not listed(session, kind("programmes"), home.clock())
        assert session.scalar(select(func.count()).select_from(models.Programme)) == 2
        acts = session.scalars(
            select(AuditEntry.action).where(AuditEntry.action.like("inputs.%")).order_by(AuditEntry.id)
        )
        assert list(acts) == ["inputs.import", "inputs.import", "inputs.end"]
    assert bring(home, tmp_path, "programmes", PROGRAMME)["created"] == 1


@pytest.mark.parametrize(
    ("name", "changes", "columns"),
    [
        ("programmes", {"objective": ""}, ["objective"]),
        ("programmes", {"measure": "", "target": "", "target_on": ""}, ["measure", "target", "target_on"]),
        ("programmes", {"target": "many", "plan": "2026-04", "courses": "SAFETY; NONE"}, ["plan", "target", "courses"]),
        ("programmes", {"planned_end_on": "2026-03-01"}, ["planned_end_on"]),
        ("programmes", {"status": "completed"}, ["actual_end_on"]),
        ("programmes", {"actual_end_on": "2026-05-30"}, ["actual_end_on"]),
        ("programmes", {"everybody": "yes", "department": "D"}, ["everybody"]),
        ("programmes", {"complete_at": "120%"}, ["complete_at"]),
        ("programme_people", {"employee_number": "E9", "programme": "P9"}, ["programme", "employee_number"]),
        ("sessions", {"ends": "08:00"}, ["ends"]),
        ("sessions", {"begins": "early"}, ["begins"]),
        ("budget", {"amount": "1,000.50", "quarter": "2026"}, ["quarter", "amount"]),
        ("costs", {"amount": "0.00001", "kind": "other", "currency": "Euro"}, ["kind", "amount", "currency"]),
        ("currency_rates", {"rate": "0"}, ["rate"]),
        ("ratings", {"score": "6"}, ["score"]),
        ("ratings", {"lowest": "5"}, ["highest"]),
        ("performance", {"month": "March"}, ["month"]),
        ("benefits", {"isolation": "1.2"}, ["isolation"]),
        ("survey_answers", {"score": "", "answer": ""}, ["score"]),
        ("survey_answers", {"dimension": ""}, ["dimension"]),
        ("positions", {"criticality": "-1"}, ["criticality"]),
        ("competency_levels", {"level": "1.5"}, ["level"]),
        ("external_training", {"began_on": "2026-05-03"}, ["ended_on"]),
        ("venues", {"places": "1" * 20, "name": "x" * 301}, ["name", "places"]),
    ],
)
def test_refusals(home: Installation, tmp_path: Path, name: str, changes: dict[str, str], columns: list[str]) -> None:
    """A row that cannot be used is refused by its line and every column to blame; the row beside it is stored."""
    for before, row in GOOD.items():
        if before == name:
            break
        bring(home, tmp_path, before, row)
    said = bring(home, tmp_path, name, {**GOOD[name], **changes}, GOOD[name], code=3)
    assert [(found["line"], found["column"]) for found in said["refused"]] == [(2, column) for column in columns]
    assert all(found["reason"] for found in said["refused"])
    assert said["created"] == 1


def test_a_file_that_contradicts_itself(home: Installation, tmp_path: Path) -> None:
    """Of two rows about the same that differ the later is refused; a column that the template has not is warned of."""
    rows = [PROGRAMME, PROGRAMME, {**PROGRAMME, "name": "Other"}]
    said = bring(home, tmp_path, "programmes", *({**row, "colour": "red"} for row in rows), code=3)
    assert (said["created"], said["unchanged"]) == (1, 1)
    assert [(found["line"], found["column"]) for found in said["refused"]] == [(4, "programme")]
    assert "colour" in said["warnings"][0]["reason"]
    short = sheet(tmp_path, [{"programme": "P1"}])
    assert run(home, "import", "programmes", str(short)).exit_code == 1


def test_months_after_is_for_after(home: Installation, tmp_path: Path) -> None:
    """A rating from before is no months after, and one from after is three unless it says otherwise."""
    for name in ("performance_measures", "lecturers", "programmes"):
        bring(home, tmp_path, name, GOOD[name])
    for moment in ("before", "after"):
        bring(home, tmp_path, "ratings", {**GOOD["ratings"], "moment": moment})
    with home.store.read() as session:
        rows = session.execute(select(models.SupervisorRating.moment, models.SupervisorRating.months_after)).all()
    assert sorted((moment, months) for moment, months in rows) == [("after", 3), ("before", 0)]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_templates(home: Installation, tmp_path: Path, ending: str) -> None:
    """Every kind has a template with its columns, which is taken back as a file without rows; it overwrites nothing."""
    for each in KINDS:
        path = tmp_path / f"{each.name}{ending}"
        assert run(home, "template", each.name, str(path)).exit_code == 0
        answer = run(home, "import", each.name, str(path), "--format", "json")
        said = json.loads(answer.output)
        assert [said[key] for key in ("created", "updated", "unchanged", "refused")] == [0, 0, 0, []]
        assert run(home, "template", each.name, str(path)).exit_code == 1
    assert "objective" in run(home, "template", "programmes").output


def test_workbook(home: Installation, tmp_path: Path) -> None:
    """A workbook is read as it is typed in: a month that became a date, a percentage that became a number."""
    path = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        rows = book.add_worksheet()
        rows.write_row(0, 0, ["measure", "employee_number", "month", "value"])
        rows.write_row(1, 0, ["M1", "E1"])
        rows.write_datetime(1, 2, date(2026, 3, 1), book.add_format({"num_format": "yyyy-mm"}))
        rows.write_number(1, 3, 0.1)
    bring(home, tmp_path, "performance_measures", GOOD["performance_measures"])
    assert run(home, "import", "performance", str(path)).exit_code == 0
    with home.store.read() as session:
        row = session.scalars(select(models.PerformanceValue)).one()
    assert (row.month, row.value) == (date(2026, 3, 1), Decimal("0.1"))


def test_words() -> None:
    """Every kind and every column says what it is, in both languages, and is kept by its table."""
    for each in KINDS:
        assert_in_both(each.title)
        for column in each.columns:
            assert column.what.en.strip()
            assert column.what.zh_Hans_CN.strip()
            assert column.kept_as in each.model.__table__.c
        assert {column.kept_as for column in each.columns} | {"id", "recorded_at", "ended_at"} == set(
            each.model.__table__.c.keys()
        )
