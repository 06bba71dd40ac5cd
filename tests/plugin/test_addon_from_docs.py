"""The addon of docs/extending.md, built from the page as it stands, with its commands, and used, upgraded, taken out."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import inspect, select, text

from plugin.models import Assignment, Person, Position
from plugin.store import Store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8").partition("\n## The manifest\n")[0]
BLOCK = re.compile(r"(?:^`([\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PASSWORD = "correct horse battery staple"
OPERATOR = "safety@acme.example"


class Reader:
    """Somebody who follows the page in a folder of their own: writes its files, types its commands."""

    def __init__(self, folder: Path, url: str, site: Path | None = None) -> None:
        self.folder = folder
        self.said: dict[str, str] = {}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "COLUMNS": "200", **({"PYTHONPATH": str(site)} if site else {})}
        (folder / "config.toml").write_text(
            f'[store]\nurl = "{url}"\n\n[web]\nport = 0\n\n[mail]\noperators = ["{OPERATOR}"]\n\n', encoding="utf-8"
        )

    def follow(self, part: str) -> None:
        """Do what stands under the heading `## part`, from its first line to its last."""
        section = PAGE.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
        assert section, f"the page has no part {part}"
        for place, kind, content in BLOCK.findall(section):
            if place:
                path = self.folder / place
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a" if place == "config.toml" else "w", encoding="utf-8") as file:
                    file.write(content)
            else:
                assert kind == "sh", f"what is this block for? {content}"
                for line in content.splitlines():
                    self.said[line] = self.type(line)

    def type(self, line: str, given: str = "") -> str:
        """What a command says; it must succeed."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, input=given, text=True, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path, store_url: str) -> Reader:
    """A reader in an empty folder, with an empty database."""
    return Reader(tmp_path, store_url)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """The reader's database."""
    opened = Store(store_url)
    yield opened
    opened.close()


def rows(store: Store, query: str) -> list[Any]:
    """What the query finds."""
    with store.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def hire_a_delegate(store: Store) -> None:
    """Put somebody into the position that the addon's data file has brought."""
    at = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
    with store.write() as session:
        place = session.scalars(select(Position.id).where(Position.code == "SAFETY-DELEGATE")).one()
        person = Person(employee_number="N1", name="Ada Sample", created_at=at, changed_at=at)
        session.add(person)
        session.flush()
        session.add(Assignment(person_id=person.id, valid_from=at.date(), position_id=place))


def signed_in(address: str) -> requests.Session:
    """A browser of the administrator."""
    browser = requests.Session()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(f"{address}/sign-in", timeout=30).text)
    assert token
    form = {"login": "boss", "password": PASSWORD, "csrf_token": token[1]}
    assert browser.post(f"{address}/sign-in", data=form, timeout=30).ok
    return browser


def test_addon_of_the_page_lives_its_whole_life(
    reader: Reader, store: Store, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """It is built, installed, used by command, page, task and mail in both languages, upgraded, and taken out again."""
    reader.follow("Build one")
    assert "talks: installed (migrations 0001)" in reader.said["certbridge addons install talks --demo"]
    assert re.search(r"^talks +1\.0 +installed +Topics, planned", reader.said["certbridge addons list"], re.MULTILINE)
    listed = reader.said["certbridge talks list"].splitlines()
    assert listed[0] == "2026-02-02  Working on ladders, held 2026-02-03"  # the demo data
    assert [line.partition("  ")[2] for line in listed[1:]] == [
        "Protecting your eyes",
        "Working on ladders",
    ]  # the hook
    assert "The talk about LADDERS was held on " in reader.said["certbridge talks held LADDERS"]
    assert "SAFETY-DELEGATE: SAFETY-DELEGATE (duty) from 2026-01-01" in reader.said["certbridge requirement list"]
    assert "SAFETY-DELEGATE" in reader.type("certbridge certification list")
    assert "by addon:talks" in reader.type("certbridge certification list")

    reader.type("certbridge keys create")
    reader.type("certbridge account create boss --password-file -", PASSWORD)
    hire_a_delegate(store)
    running = child(
        "-m", "plugin", "--config", str(reader.folder / "config.toml"), "run", CERTBRIDGE_LOG__LEVEL="WARNING"
    )
    assert running.stdout is not None
    address = re.search(r"http://\S+", running.stdout.readline())
    assert address
    browser = signed_in(address[0])
    english = browser.get(f"{address[0]}/talks", timeout=30)
    assert english.status_code == 200
    for words in ("Safety talks", "Planned for", "Protecting your eyes", "Ada Sample"):
        assert words in english.text
    chinese = browser.get(f"{address[0]}/talks", headers={"Accept-Language": "zh-CN"}, timeout=30).text
    for words in ("安全讲话", "计划日期", "代表"):
        assert words in chinese
    mails: list[Any] = []
    for _ in range(150):
        mails = rows(store, "SELECT recipient, template FROM mail WHERE template = 'talk_due'")
        if mails:
            break
        time.sleep(0.2)
    assert mails == [(OPERATOR, "talk_due")]  # the schedule's task ran: one of the talks is due, and was not held
    running.terminate()
    running.wait(timeout=60)

    with store.write() as session:
        session.execute(text("UPDATE safety_topic SET name = 'ours'"))
    reader.follow("Change it")
    assert "talks: upgraded (migrations 0002)" in reader.said["certbridge addons upgrade talks"]
    assert rows(store, "SELECT code, name, minutes FROM safety_topic ORDER BY code") == [
        ("EYES", "ours", None),
        ("LADDERS", "Ladders and scaffolds", 15),
        ("NOISE", "Noise", 10),
    ]
    assert len(rows(store, "SELECT id FROM safety_talk")) == 3

    reader.follow("Take it out again")
    said = reader.said["certbridge addons uninstall talks --dry-run"]
    assert "drops the tables: safety_talk (3 rows), safety_topic (3 rows)" in said
    assert "leaves what was made of its data files: certification (data/certification-safety-delegate.toml)" in said
    assert "removes the schedules: talks.remind" in said
    done = reader.said["certbridge addons uninstall talks --yes"]
    assert "position delegate stays: rows of assignment refer to it" in done
    assert "Uninstalled talks." in done
    with store.read() as session:
        left = set(inspect(session.connection()).get_table_names())
    assert not {"safety_talk", "safety_topic", "talks_version"} & left
    assert rows(store, "SELECT code FROM certification_rule") == [("SAFETY-DELEGATE",)]
    assert (
        rows(store, "SELECT id FROM requirement")
        == rows(store, "SELECT name FROM schedule WHERE name = 'talks.remind'")
        == []
    )
    assert re.search(r"^talks +1\.1 +not installed", reader.type("certbridge addons list"), re.MULTILINE)


def test_addon_of_the_page_is_a_distribution(tmp_path: Path) -> None:
    """Packed as the page says and put into an environment by pip, its entry point brings it without any folder."""
    (tmp_path / "made").mkdir()
    builder = Reader(tmp_path / "made", f"sqlite:///{tmp_path}/unused.db")
    builder.follow("Build one")
    builder.follow("Hand it on")
    site = tmp_path / "site"
    builder.type(f"python -m pip install --no-index --no-deps --no-build-isolation --quiet --target {site} .")
    (tmp_path / "used").mkdir()
    user = Reader(tmp_path / "used", f"sqlite:///{tmp_path}/used.db", site)
    assert "talks: installed (migrations 0001)" in user.type("certbridge addons install talks")
    found = {one["name"]: one for one in json.loads(user.type("certbridge addons list --format json"))}
    assert found["talks"]["state"] == "installed"
    assert "Protecting your eyes" in user.type("certbridge talks list")
    assert (site / "talks" / "i18n" / "zh_Hans_CN" / "LC_MESSAGES" / "messages.mo").is_file()
    user.environment.pop("PYTHONPATH")
    found = {one["name"]: one for one in json.loads(user.type("certbridge addons list --format json"))}
    assert found["talks"]["state"] == "vanished"
    assert "Uninstalled talks." in user.type("certbridge addons uninstall talks --yes")
