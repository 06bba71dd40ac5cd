"""The other kinds of files, and the commands, on files as people have them."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connectors.commands import register
from connectors.roster import commands
from connectors.roster.connector import RosterConnector, RosterSettings
from connectors.roster.fields import KINDS
from connectors.sync import SyncResult
from plugin import cli as kernel
from plugin.models import Assignment, Department, Grade, Person, Position
from plugin.settings import Settings
from tests.connectors.book import ZONE, Book
from tests.connectors.roster.sheets import workbook

FILES = {
    "departments": "code,name,parent,valid_from\nHQ,Head office,,\nPLANT,Plant,HQ,2020-01-01\nLINE-1,Line 1,PLANT,\n",
    "positions": "code,name\nCLERK,Clerk\nCHIEF,Chief\n",
    "grades": "code,name\nG1,Grade one\n",
    "employees": "employee_number,name,department,position,grade\nE1,Anna,HQ,CHIEF,G1\nE2,Bo,PLANT,CLERK,G1\nE3,Cem,PLANT,CLERK,\n",
    "managers": "employee_number,manager\nE2,E1\nE3,E1\n",
    "leavers": "employee_number,left\nE3,2026-12-31\n",
}


def pull(book: Book, folder: Path, **texts: str) -> SyncResult:
    """Write the files, and pull them all an hour later."""
    for kind, text in {**FILES, **texts}.items():
        (folder / f"{kind}.csv").write_text(text)
    paths: dict[str, Any] = {kind: folder / f"{kind}.csv" for kind in FILES if kind != "employees"}
    settings = RosterSettings(path=folder / "employees.csv", hold_above=50, **paths)
    book.later()
    return book.pull(RosterConnector("roster", settings, Settings()))


def changed(result: SyncResult) -> dict[str, tuple[int, int, int]]:
    """The streams that changed something: created, updated, closed."""
    found = {name: (each.created, each.updated, each.closed) for name, each in result.streams.items()}
    return {name: each for name, each in found.items() if any(each)}


def test_every_kind_has_its_place(either: Book, tmp_path: Path) -> None:
    """Units get names and a tree, employees their place, manager and last day; and the same files again change nothing."""
    result = pull(either, tmp_path)
    assert result.status == "done", result.messages
    line, plant = either.one(Department, code="LINE-1"), either.one(Department, code="PLANT")
    assert (line.parent_id, plant.name, plant.valid_from) == (plant.id, "Plant", date(2020, 1, 1))
    assert either.one(Position, code="CHIEF").name == "Chief"
    assert either.one(Grade, code="G1").name == "Grade one"
    cem = either.one(Person, employee_number="E3")
    assert cem.left_on == date(2026, 12, 31)
    assert either.one(Assignment, person_id=cem.id).manager_number == "E1"
    either.touched()
    assert changed(pull(either, tmp_path, employees=FILES["employees"] + "E4,Di,HQ,CLERK,G1\n")) == {
        "employees": (1, 0, 0)
    }
    assert either.touched() == {"E4"}


def test_units_and_managers_change(either: Book, tmp_path: Path) -> None:
    """A moved department touches its people; another manager begins a standing today; nobody else is touched."""
    pull(either, tmp_path)
    either.touched()
    either.later(days=2)
    result = pull(
        either,
        tmp_path,
        departments=FILES["departments"].replace("PLANT,Plant,HQ", "PLANT,Works,"),
        managers="employee_number,manager\nE2,E3\nE3,E1\n",
    )
    assert changed(result) == {"departments": (0, 1, 0), "employees": (0, 1, 0)}
    assert either.touched() == {"E2", "E3"}
    assert either.one(Department, code="PLANT").parent_id is None
    bo = either.one(Person, employee_number="E2")
    stands = either.one(Assignment, person_id=bo.id, valid_until=None)
    assert (stands.manager_number, stands.valid_from) == ("E3", either.now.astimezone(ZONE).date())


def test_leavers_who_are_not_in_the_file_any_more_keep_their_day(book: Book, tmp_path: Path) -> None:
    """Whoever stands in the leavers' file leaves on the day there, though the employees' file has left them out already."""
    pull(book, tmp_path)
    pull(book, tmp_path, employees=FILES["employees"].replace("E3,Cem,PLANT,CLERK,\n", ""))
    assert book.one(Person, employee_number="E3").left_on == date(2026, 12, 31)


# Commands


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Path:
    """The folder of an installation whose roster is roster.csv, and is the authority."""
    register(kernel.cli)
    (tmp_path / "book.db").write_bytes(empty_database.read_bytes())
    (tmp_path / "config.toml").write_text(
        '[store]\nurl = "sqlite:///book.db"\n[sources.roster]\nconnector = "connectors.roster"\npath = "roster.csv"\n'
    )
    return tmp_path


@pytest.fixture
def certbridge(home: Path) -> Callable[..., Result]:
    """The command."""
    import_command, config = kernel.cli, str(home / "config.toml")
    commands.register(import_command)
    return lambda *arguments: CliRunner().invoke(import_command, ["--config", config, *arguments])


def read(folder: Path, name: str) -> list[list[str]]:
    """A CSV file's rows."""
    return list(csv.reader(io.StringIO((folder / name).read_text(encoding="utf-8-sig"))))


EMPLOYEES = "工号,姓名,部门,直属上级,备注\n001,王一,生产,,x\n002,李二,销售,001,\n003,=1+1,销售,001,\n"


def test_preview_import_and_confirm(home: Path, certbridge: Any) -> None:
    """The preview says what the import then does; refused rows go into a report; a shorter file is held until confirmed."""
    file = home / "hr.csv"
    file.write_bytes(EMPLOYEES.encode("gbk"))
    found = certbridge("roster", "preview", str(file), "--format", "json", "--report", str(home / "refused.csv"))
    said = json.loads(found.stdout)
    assert found.exit_code == 3
    assert (said["added"], said["refused"], said["stored"], said["columns_not_used"]) == (2, 1, False, ["备注"])
    assert said["read_as"] == "CSV, GB 18030 (GBK), most likely, commas"
    assert said["changes"][1]["fields"]["manager"] == {"before": None, "after": "001"}
    rows = read(home, "refused.csv")
    assert rows[1][:6] == ["hr.csv", "4", "", "姓名", "name", "refused"]
    done = certbridge("roster", "import", str(file), "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)["added"]) == (3, 2)
    again = json.loads(certbridge("roster", "import", str(file), "--format", "json").stdout)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 2)
    file.write_text("工号,姓名,部门\n002,李二,生产\n")
    held = certbridge("roster", "import", str(file))
    assert (held.exit_code, "would end 1 of 2 people" in held.output) == (4, True)
    told = certbridge("roster", "preview", str(file)).output
    assert "changed: 002 李二 (line 2): department 销售 → 生产" in told
    assert "ended: 001 王一 (not in the file): left (nothing) →" in told
    assert certbridge("roster", "import", str(file), "--partial").exit_code == 0
    assert certbridge("roster", "import", str(file), "--confirm-ends").exit_code == 0
    assert "1 unchanged" in certbridge("roster", "preview", str(file)).output


def test_confirming_what_a_pull_holds(home: Path, certbridge: Any) -> None:
    """A held file is listed, confirmed with a reason, and used by the next pull."""
    roster = home / "roster.csv"
    roster.write_text("employee_number,name\nE1,Anna\nE2,Bo\n")
    assert certbridge("sync", "roster").exit_code == 0
    roster.write_text("employee_number,name\nE1,Anna\n")
    assert certbridge("sync", "roster").exit_code == 1
    assert certbridge("roster", "preview").exit_code == 4
    assert "roster.csv would end 1 of 2 people" in certbridge("roster", "held").output
    assert certbridge("roster", "confirm", "--reason", "Bo has left").exit_code == 0
    assert certbridge("roster", "held").output.strip() == ""
    assert certbridge("sync", "roster").exit_code == 0
    assert certbridge("roster", "confirm").exit_code == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("language", ["en", "zh_Hans_CN"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_templates_can_be_used_as_they_are(home: Path, certbridge: Any, kind: str, language: str, form: str) -> None:
    """The example rows of every template, in either language and form, are read without a fault."""
    employees, target = home / "all.csv", home / f"t.{form}"
    certbridge("roster", "template", "employees", "-o", str(employees))
    certbridge("roster", "import", str(employees))
    assert certbridge("roster", "template", kind, "-o", str(target), "--language", language).exit_code == 0
    found = certbridge("roster", "preview", str(target), "--kind", kind, "--format", "json")
    said = json.loads(found.stdout)
    assert (said["refusals"], said["notes"], said["columns_not_used"]) == ([], [], [])
    assert said["added"] + said["changed"] + said["unchanged"] == len(KINDS[kind].samples)


def test_what_people_wrote_is_never_calculated(home: Path, certbridge: Any) -> None:
    """In the report of refused rows, a text that begins like a formula has an apostrophe before it."""
    file = home / "=cmd.xlsx"
    workbook(file, ("E1", "Anna", "x"), head=("employee_number", "name", "=email"))
    certbridge("roster", "preview", str(file), "--report", str(home / "refused.csv"))
    file.write_text("employee_number,name,+E-mail\nE1,Anna,x\n")
    found = certbridge("roster", "preview", str(file), "--report", str(home / "refused.csv"))
    assert found.exit_code == 0
    file.write_text("employee_number,name\nE1,\n")
    certbridge("roster", "preview", str(file), "--report", str(home / "refused.csv"))
    assert read(home, "refused.csv")[1][0] == "'=cmd.xlsx"


def test_promotions_are_a_kind_of_file_too(home: Path, certbridge: Any) -> None:
    """The template of another addon's kind is read by preview and import as that addon reads it."""
    target = home / "promotions.xlsx"
    assert certbridge("roster", "template", "promotions", "-o", str(target)).exit_code == 0
    found = certbridge("roster", "preview", str(target), "--kind", "promotions", "--format", "json")
    said = json.loads(found.stdout)
    assert [each["line"] for each in said["refused"]] == [2, 3]
    assert "001002" in said["refused"][0]["reason"]
    certbridge("roster", "template", "employees", "-o", str(home / "all.csv"))
    certbridge("roster", "import", str(home / "all.csv"))
    done = json.loads(certbridge("roster", "import", str(target), "--kind", "promotions", "--format", "json").stdout)
    assert (done["created"], done["refused"]) == (2, [])
    again = json.loads(certbridge("roster", "import", str(target), "--kind", "promotions", "--format", "json").stdout)
    assert (again["created"], again["unchanged"]) == (0, 2)
    assert "There is no kind of file 'nonsense'" in certbridge("roster", "template", "nonsense").output
