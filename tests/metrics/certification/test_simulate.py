"""Simulating: the shape of the answer, what is left out of a file, and what refuses a rule or a file."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from metrics.certification.commands import register
from metrics.certification.simulate import SimulationRefused, simulate
from tests.metrics.certification.kit import HEADER, rule

REQUIRED = "employee_number,kind,source,object,achieved_at,percent,success,recorded_at,voided_at"


def test_answer() -> None:
    """The answer has exactly the keys and the forms that are promised."""
    evidence = (
        f"{REQUIRED},colour\n"
        "E1,completed,m,C,2024-03-01,,true,,,red\n"
        "E2,completed,m,C,2024-03-01T10:00:00Z,,1,2024-03-02,2024-04-01T12:30,red\n"
        "E3,enrolled,m,C,2024-03-01,,,,,\n"
    )
    assert simulate(rule(), evidence, "2024-06-01", "Asia/Shanghai") == {
        "code": "X",
        "as_of": "2024-06-01T00:00:00+08:00",
        "timezone": "Asia/Shanghai",
        "people": {
            "E1": {
                "status": "certified",
                "achieved_at": "2024-03-01T00:00:00+08:00",
                "next_change_at": "2024-12-31T00:00:00+08:00",
                "awards": [
                    {
                        "valid_from": "2024-03-01T00:00:00+08:00",
                        "valid_until": "2025-03-01T00:00:00+08:00",
                        "basis": "achieved",
                    }
                ],
            },
            "E2": {
                "status": "revoked",
                "achieved_at": None,
                "next_change_at": None,
                "awards": [
                    {
                        "valid_from": "2024-03-01T18:00:00+08:00",
                        "valid_until": "2024-04-01T12:30:00+08:00",
                        "basis": "achieved",
                        "revoked_at": "2024-04-01T12:30:00+08:00",
                    }
                ],
            },
            "E3": {"status": "in_progress", "achieved_at": None, "next_change_at": None, "awards": []},
        },
        "refused_rows": [],
    }


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",completed,m,C,2024-03-01,,,,", "employee_number"),
        ("E1,completion,m,C,2024-03-01,,,,", "kind 'completion'"),
        ("E1,completed,m,,2024-03-01,,,,", "object"),
        ("E1,completed,m,C,,,,,", "achieved_at is empty"),
        ("E1,completed,m,C,1 March,,,,", "achieved_at: '1 March'"),
        ("E1,completed,m,C,2024-02-30,,,,", "achieved_at: '2024-02-30'"),
        ("E1,completed,m,C,2024-03-01,,,soon,", "recorded_at"),
        ("E1,completed,m,C,2024-03-01,,,,never", "voided_at"),
        ("E1,completed,m,C,2024-03-01,85%,,,", "percent '85%'"),
        ("E1,completed,m,C,2024-03-01,NaN,,,", "percent"),
        ("E1,completed,m,C,2024-03-01,,yes,,", "success 'yes'"),
        ("E1,completed,m,C,2024-03-01,,,,,,high,", "level"),
        ("E1,hours,m,C,2024-03-01,,,,,,,-2", "hours '-2' is negative"),
        ("E1,completed,m,C", "ends before achieved_at"),
        ("E1,completed,m,C,2024-03-01,,,,,,,,more", "13 cells"),
    ],
)
def test_unreadable_rows_are_listed(cells: str, reason: str) -> None:
    """A row that cannot be read is left out and listed with its line in the file and the reason."""
    lines = [HEADER, "", 'E0,completed,m,"C', 'D",2024-03-01,,,,', cells, "E1,completed,m,C,2024-04-01,,,,"]
    answer = simulate(rule(), "\r\n".join(lines), "2024-06-01", "UTC")
    (refused,) = answer["refused_rows"]
    assert refused["line"] == 5
    assert reason in refused["reason"]
    assert len(answer["people"]["E1"]["awards"]) == 1


@pytest.mark.parametrize("name", REQUIRED.split(","))
def test_a_missing_column_refuses_the_file(name: str) -> None:
    """Without a required column the whole file is refused, on its first line, and the column is named."""
    header = ",".join(column for column in REQUIRED.split(",") if column != name)
    with pytest.raises(SimulationRefused, match=name) as refused:
        simulate(rule(), f"{header}\n", "2024-06-01", "UTC")
    assert refused.value.line == 1


@pytest.mark.parametrize("text", ["", f"{REQUIRED},kind\n"])
def test_a_file_without_a_usable_header_is_refused(text: str) -> None:
    """An empty file and a column named twice are refused."""
    with pytest.raises(SimulationRefused) as refused:
        simulate(rule(), text, "2024-06-01", "UTC")
    assert refused.value.line == 1


def test_a_refused_rule() -> None:
    """A rule is refused with the line and the reason that reading it gives."""
    with pytest.raises(SimulationRefused) as refused:
        simulate(rule("any_of = []"), f"{REQUIRED}\n", "2024-06-01", "UTC")
    assert refused.value.line == 3


def test_effective_from_is_ignored() -> None:
    """A rule on trial decides everything, whatever day it would decide from."""
    text = "effective_from = 2030-01-01\n" + rule()
    answer = simulate(text, f"\ufeff{REQUIRED}\nE1,completed,m,C,2024-03-01,,,,\n", "2024-06-01", "UTC")
    assert answer["people"]["E1"]["status"] == "certified"


def run(*arguments: str) -> Result:
    """The command, run in a folder without settings."""
    cli = click.Group()
    register(cli)
    return CliRunner().invoke(cli, ["certification", "simulate", *arguments])


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A rule and a file of evidence."""
    (tmp_path / "rule.toml").write_text(rule(), encoding="utf-8")
    (tmp_path / "evidence.csv").write_text(f"\ufeff{REQUIRED}\nE1,completed,m,C,2024-03-01,,,,\n", encoding="utf-8")
    return str(tmp_path / "rule.toml"), str(tmp_path / "evidence.csv")


def test_command(files: tuple[str, str]) -> None:
    """The command prints the answer as JSON; without a time zone it is UTC."""
    result = run(*files, "--as-of", "2024-06-01", "--format", "json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["as_of"], answer["timezone"]) == (0, "2024-06-01T00:00:00+00:00", "UTC")


@pytest.mark.parametrize(("content", "line"), [(b"kind\n", 1), (REQUIRED.encode() + b"\nE1\xff\n", 2)])
def test_command_refuses(files: tuple[str, str], content: bytes, line: int) -> None:
    """A refusal is exit status 1 and a JSON object with the line and the reason."""
    Path(files[1]).write_bytes(content)
    result = run(*files, "--as-of", "2024-06-01")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["refused"], answer["line"]) == (1, True, line)
    assert set(answer) == {"refused", "line", "reason"}


@pytest.mark.parametrize("option", [("--as-of", "soon"), ("--as-of", "2024-06-01", "--timezone", "Mars/Olympus")])
def test_command_wants_usable_options(files: tuple[str, str], option: tuple[str, ...]) -> None:
    """An unreadable moment or an unknown time zone is a mistake in the command, not in the files."""
    assert run(*files, *option).exit_code == 2
