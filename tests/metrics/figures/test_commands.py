"""`certbridge metrics`."""

import csv
import io
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from metrics.figures import commands
from plugin.cli import Command, Context
from plugin.installation import Installation
from tests.metrics.figures.world import World


@pytest.fixture
def home(installation: Installation) -> Installation:
    """Two people in a department, one of whom opened the course."""
    with installation.store.write() as session:
        world = World(session)
        world.course("1")
        for number in "12":
            world.person(number, "D")
            world.enrol(number, opened="2026-05-01" if number == "1" else None)
        world.read("2026-07-01", streams=("enrolments", "completions"))
    return installation


def run(home: Installation, *arguments: str) -> Result:
    """What the command prints."""

    @click.group(cls=Command)
    def cli() -> None:
        """The root."""

    commands.register(cli)
    context = Context(Path("unread"))
    context.__dict__["installation"] = home
    return CliRunner().invoke(cli, ["metrics", *arguments], obj=context)


def test_show(home: Installation) -> None:
    """A figure is shown as a table, as JSON and as CSV, whole or broken down, with the people behind it on request."""
    table = run(home, "show", "coverage", "--period", "2026Q2").output
    assert "50.0%" in table
    assert "1/2" in table
    assert "Population: 2, employees on 2026-06-30." in table
    (answer,) = json.loads(run(home, "show", "coverage", "--period", "2026Q2", "--format", "json").output)
    assert (answer["value"], answer["numerator"], answer["denominator"]) == ("0.500000", 1, 2)
    assert answer["complete"] is True
    assert answer["period"]["start"] == "2026-04-01T00:00:00+08:00"
    assert answer["as_of"] == "2026-11-23T10:00:00+08:00"
    lines = run(home, "show", "coverage", "--period", "2026Q2", "--by", "department", "--format", "csv").output
    (row,) = csv.DictReader(io.StringIO(lines))
    assert (row["label"], row["numerator"], row["beside"]) == ("D", "1", "attendances=1")
    gap = run(home, "show", "coverage", "--period", "2026Q2", "--people", "gap", "--format", "json").output
    assert json.loads(gap) == [{"employee_number": "2", "name": "Name 2", "course": None}]
    early = run(home, "show", "coverage", "--period", "2026Q2", "--as-of", "2026-04-15", "--by", "month").output
    assert "provisional" in early
    assert "Provisional: the period is not over." in early


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "happiness", "--period", "2026"),
        ("show", "coverage", "--period", "someday"),
        ("show", "coverage", "--period", "2026", "--as-of", "someday"),
        ("show", "coverage", "--period", "2026", "--department", "X"),
        ("show", "coverage", "--period", "2026", "--by", "month", "--people", "gap"),
    ],
)
def test_refusals(home: Installation, arguments: tuple[str, ...]) -> None:
    """What cannot be answered ends with status 1 and one sentence."""
    answer = run(home, *arguments)
    assert answer.exit_code == 1
    assert "certbridge: " in answer.stderr


def test_list(home: Installation) -> None:
    """The list has every figure with its definition."""
    rows = json.loads(run(home, "list", "--format", "json").output)
    assert {"completion_rate", "coverage", "pass_rate", "roi", "satisfaction"} <= {row["name"] for row in rows}
    assert all(row["definition"] for row in rows)
    assert "Training coverage" in run(home, "list").output
