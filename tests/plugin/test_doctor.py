"""What doctor finds: every finding provoked once, none that holds a secret or a person, and no check that stops another."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from sqlalchemy import delete, select, text, update

from connectors import doctor as sources_doctor
from connectors.models import Quarantined, SourceUser, SyncRun
from connectors.moodle import check as moodle_check
from connectors.moodle.client import MoodleClient
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import CONNECTOR, DEFAULT_TOKENS, PASS_MARKS
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from connectors.moodle.settings import MoodleSettings
from plugin import doctor as kernel_doctor
from plugin.accounts import create_account
from plugin.doctor import doctor, examine
from plugin.findings import ERROR, HINT, LEVELS, OK, WARNING, Finding, tried
from plugin.installation import Installation
from plugin.models import AuditEntry, Event, InstalledAddon, Person, Schedule
from plugin.schedules import QUEUED
from plugin.secrets import KeyRing, add_key
from plugin.settings import Settings
from plugin.store import Store
from webhooks.doctor import doctor as endpoints_doctor
from webhooks.models import Endpoint, Message

ROOT = Path(__file__).parents[2]
PASSWORD = "hunter2-hunter2"
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

Check = Callable[..., list[Finding]]

# For what has nothing to do with the database: the fixture's other parameter is left out.
on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def with_settings(home: Installation, **tables: Any) -> Installation:
    """`home` with other settings in the tables named."""
    settings = Settings.model_validate({**home.settings.model_dump(), **tables})
    settings._folder = home.settings.folder
    return replace(home, settings=settings)


def problems(findings: Iterator[Finding] | list[Finding], area: str) -> list[Finding]:
    """What was found about an area, without what is well."""
    return [finding for finding in findings if finding.area == area and finding.level != OK]


def only(findings: Iterator[Finding] | list[Finding], area: str) -> Finding:
    """The one problem of an area; it says what it breaks and what mends it."""
    (finding,) = problems(findings, area)
    assert finding.breaks
    assert finding.mend
    return finding


def certbridge(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, as a process."""
    return subprocess.run(
        [sys.executable, "-m", "plugin", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120, start_new_session=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **options.pop("env", {})}, **options,
    )  # fmt: skip


@pytest.fixture
def well(installation: Installation) -> Installation:
    """An installation in which the kernel finds nothing: schedules are not due, and there is an administrator."""
    with installation.store.write() as session:
        session.execute(update(Schedule).values(due_at=START + timedelta(minutes=1)))
        create_account(session, "admin", PASSWORD, ["administrator"], START)
    return with_settings(installation, broker={"url": "memory://"})


# The whole ------------------------------------------------------------------------------------------------------------


def test_all_is_well(well: Installation) -> None:
    """Where nothing is wrong there are only findings that say so, and on PostgreSQL one about the broker and the clock."""
    found = [finding for finding in doctor(well) if finding.level != OK]
    expected = [] if well.store.is_sqlite else [("store", "clock"), ("broker", "memory")]
    shown = [(finding.area, finding.subject) for finding in found]
    assert [one for one in shown if one != ("store", "database file")] == expected


@on_sqlite
def test_one_failing_check_stops_no_other(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that breaks is a finding itself, without the text of its exception; the others are made."""

    def breaks(_home: Installation) -> Iterator[Finding]:
        raise ValueError(PASSWORD)
        yield

    monkeypatch.setattr(kernel_doctor, "_broker", breaks)
    found = list(doctor(well))
    finding = only(found, "broker")
    assert (finding.level, finding.what) == (ERROR, "The check itself failed (ValueError)")
    assert PASSWORD not in str(found)
    assert {"web", "accounts", "keys", "store"} <= {one.area for one in found}


def test_failing_system_calls_are_named() -> None:
    """A check that the system refuses something says what."""

    def breaks() -> list[Finding]:
        raise PermissionError(13, "Permission denied")

    assert only(list(tried("web", "", breaks)), "web").what == "The check itself failed (Permission denied)"


def test_addons_of_ones_own_contribute(tmp_path: Path) -> None:
    """An addon's doctor function is asked, and one that cannot be loaded is a finding."""
    for name, content in (("mine", "def doctor(home):\n    return []\n"), ("broken", "")):
        (tmp_path / "own" / name).mkdir(parents=True)
        (tmp_path / "own" / name / "__init__.py").write_text(content)
        manifest = {"name": name, "version": "1.0", "license": "MIT", "depends": [], "doctor": f"{name}:doctor"}
        (tmp_path / "own" / name / "__manifest__.py").write_text(repr(manifest))
    (tmp_path / "config.toml").write_text(f'[addons]\npath = ["{tmp_path}/own"]\n')
    done = certbridge(tmp_path, "doctor", "--format", "json")
    found = [Finding(**one) for one in json.loads(done.stdout)]
    assert [one.subject for one in found if "cannot be loaded" in one.what] == ["broken"]


def test_without_settings_there_is_one_finding(tmp_path: Path) -> None:
    """Where there is no config.toml, or one that cannot be read, that is the finding; the exit status is 1."""
    (missing,) = examine(tmp_path / "config.toml")
    assert (missing.level, missing.mend[:22]) == (ERROR, "Run 'certbridge init' ")
    (tmp_path / "config.toml").write_text(f'[store]\nurl = "postgresql://me:{PASSWORD}@[::1/x"\n')
    done = certbridge(tmp_path, "doctor")
    assert done.returncode == 1
    assert "error    settings config.toml: [store] url is no URL of a database" in done.stdout
    assert "1 error, 0 warnings, 0 hints." in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


def test_exit_status_and_json(tmp_path: Path) -> None:
    """The exit status is 1 with an error and 0 with hints alone; JSON is a list of findings."""
    (tmp_path / "roster.csv").write_text("employee_number,name\nE1001,Ann\n")
    (tmp_path / "config.toml").write_text('[sources.roster]\nconnector = "connectors.roster"\npath = "roster.csv"\n')
    empty = certbridge(tmp_path, "doctor", "--format", "json")
    assert empty.returncode == 1
    found = [Finding(**one) for one in json.loads(empty.stdout)]
    assert {finding.level for finding in found} <= set(LEVELS)
    assert [one.what for one in found if one.area == "addons" and one.level == ERROR] == ["Nothing is installed yet"]
    for command in (["keys", "create"], ["addons", "install"], ["account", "create", "admin"]):
        assert certbridge(tmp_path, *command).returncode == 0
    good = certbridge(tmp_path, "doctor", "--format", "json")
    assert good.returncode == 0, good.stdout
    assert {one["level"] for one in json.loads(good.stdout)} == {OK, HINT}


# Settings and store ---------------------------------------------------------------------------------------------------


def test_password_in_settings_is_named_and_not_shown(tmp_path: Path) -> None:
    """A password in config.toml is a warning; what comes from the environment is listed by name."""
    (tmp_path / "config.toml").write_text(f'[broker]\nurl = "redis://:{PASSWORD}@127.0.0.1:1/0"\n')
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:1/x"
    done = certbridge(tmp_path, "doctor", "--format", "json", env={"CERTBRIDGE_STORE__URL": url})
    assert done.returncode == 1
    found = [Finding(**one) for one in json.loads(done.stdout)]
    assert only(found, "settings").subject == "[broker] url"
    assert any("from the environment come CERTBRIDGE_STORE__URL" in one.what for one in found)
    assert "cannot be reached" in next(one.what for one in problems(found, "store"))
    assert (only(found, "broker").level, only(found, "broker").subject) == (ERROR, "redis")
    assert PASSWORD not in done.stdout + done.stderr


@on_sqlite
@pytest.mark.parametrize(("free", "level"), [(50, ERROR), (500, WARNING)])
def test_full_disk_is_named(well: Installation, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    """Little free space where a SQLite database stands is a warning, next to none an error."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free * 1024 * 1024))
    found = [one for one in problems(doctor(well), "store") if one.subject == "disk"]
    assert [one.level for one in found] == [level]


@on_sqlite
def test_old_sqlite_and_open_files_are_named(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite without RETURNING is an error, a database that others may read a hint."""
    file = Path(str(well.store.engine.url.database))
    file.chmod(0o644)
    file.parent.chmod(0o755)
    monkeypatch.setattr(kernel_doctor, "OLDEST_SQLITE", (99, 0))
    assert [(one.level, one.subject) for one in problems(doctor(well), "store")] == [
        (ERROR, "database"),
        (HINT, "database file"),
    ]


def test_clocks_that_differ_are_named(well: Installation) -> None:
    """A clock behind what was recorded is an error, and so is one that differs from the database's by half a lease."""
    with well.store.write() as session:
        session.add(AuditEntry(at=START + timedelta(days=1), actor="a", action="b", subject="c"))
    found = [one.what for one in problems(doctor(well), "store") if one.subject == "clock"]
    assert "stands before something that has been recorded" in found[0]
    assert len(found) == (1 if well.store.is_sqlite else 2)
    if not well.store.is_sqlite:
        with well.store.read() as session:
            now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(UTC)
        for off, level in ((0, None), (10, WARNING), (40, ERROR)):
            clock = replace(well, clock=lambda off=off: now + timedelta(seconds=off))
            found = [one.level for one in problems(doctor(clock), "store") if "differ" in one.what]
            assert found == ([level] if level else [])


# Addons ---------------------------------------------------------------------------------------------------------------


def test_addons_that_lag_vanished_or_are_not_installed(well: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vanished, lagging and lacking addons are errors, one that is not installed a hint."""
    with well.store.write() as session:
        session.add(InstalledAddon(name="gone", version="1.0", installed_at=START))
        session.execute(delete(InstalledAddon).where(InstalledAddon.name == "webhooks.standard"))
        session.execute(text("UPDATE metrics_version SET version_num = '0000'"))
    lacking = replace(
        well.addons["connectors.roster"],
        manifest={**well.addons["connectors.roster"].manifest, "external_dependencies": {"python": ["no_such_module"]}},
    )
    home = replace(well, addons={**well.addons, "connectors.roster": lacking})
    found = {one.subject: one for one in problems(doctor(home), "addons")}
    assert {name: one.level for name, one in found.items()} == {
        "gone": ERROR,
        "metrics": ERROR,
        "connectors.roster": ERROR,
        "webhooks.standard": HINT,
    }
    assert "no_such_module" in found["connectors.roster"].what


@on_sqlite
def test_empty_store_is_one_error(tmp_path: Path, well: Installation) -> None:
    """Where nothing is installed that is said once; what needs tables is left out."""
    home = replace(well, store=Store(f"sqlite:///{tmp_path}/empty.db"))
    found = [(one.area, one.what) for one in doctor(home) if one.level == ERROR]
    assert found == [("addons", "Nothing is installed yet")]
    home.store.close()


@on_sqlite
def test_unreachable_store_is_one_error(well: Installation) -> None:
    """Where the store does not answer that is the error; what needs it says that it was not looked at."""
    home = replace(well, store=Store(f"postgresql://me:{PASSWORD}@127.0.0.1:1/none"))
    found = list(doctor(home))
    assert [one.area for one in found if one.level == ERROR] == ["store"]
    assert "Not looked at" in only(found, "schedules").what
    assert PASSWORD not in str(found)
    home.store.close()


@on_sqlite
def test_module_brought_by_another_distribution(
    well: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another distribution with the import name of one that we use is an error, and so is a file that shadows it."""
    info = tmp_path / "path" / "other_tin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-tin\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("tincan\n")
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    finding = only(doctor(well), "addons")
    assert (finding.level, finding.subject) == (ERROR, "tincan")
    assert "brought by other-tin" in finding.what
    (info / "top_level.txt").write_text("elsewhere\n")
    (tmp_path / "path" / "tincan.py").write_text("")
    assert f"loaded from {tmp_path}/path/tincan.py" in only(doctor(well), "addons").what


# Keys -----------------------------------------------------------------------------------------------------------------


def endpoint(home: Installation, name: str = "hr", **columns: Any) -> Endpoint:
    """An endpoint put into the store as it is."""
    row = Endpoint(
        **{"name": name, "kind": "webhooks.standard", "url": "https://192.0.2.1/", "created_at": START, **columns}
    )
    with home.store.write() as session:
        session.add(row)
    return row


@on_sqlite
def test_key_file_is_looked_at(well: Installation) -> None:
    """A key file that is open to others, missing, or does not open what is stored is an error."""
    endpoint(well, secret=KeyRing([Fernet.generate_key().decode()]).encrypt(PASSWORD))
    finding = only(doctor(well), "keys")
    assert (finding.level, finding.subject) == (ERROR, "endpoint.secret")
    well.key_file.chmod(0o644)
    well.__dict__.pop("keys")
    assert "chmod 600" in only(doctor(well), "keys").what
    well.key_file.unlink()
    assert "cannot be read" in only(doctor(well), "keys").what


def test_keys_too_many_are_named(well: Installation) -> None:
    """An unfinished rotation and keys that nothing needs are hints, with the command that goes on."""
    row = endpoint(well, secret=well.keys.encrypt(PASSWORD))
    add_key(well.key_file)
    assert only(doctor(well), "keys").mend == "Run: certbridge keys rotate"
    with well.store.write() as session:
        session.execute(update(Endpoint).where(Endpoint.id == row.id).values(secret=well.keys.encrypt(PASSWORD)))
    assert only(doctor(well), "keys").mend == "Run: certbridge keys prune"


# Broker, schedules, pages, accounts -----------------------------------------------------------------------------------


@on_sqlite
def test_broker_that_answers(well: Installation, valkey_url: str) -> None:
    """A broker that answers is well."""
    home = with_settings(well, broker={"url": valkey_url})
    assert [one.level for one in doctor(home) if one.area == "broker"] == [OK]


def schedule(home: Installation, due: timedelta, **columns: Any) -> None:
    """All schedules as due and held."""
    with home.store.write() as session:
        session.execute(update(Schedule).values(due_at=START + due, **columns))


def test_overdue_schedules_are_named(well: Installation) -> None:
    """Work that nobody claims is a warning, after an hour an error."""
    schedule(well, timedelta(minutes=-10))
    finding = only(doctor(well), "schedules")
    assert finding.level == WARNING
    assert "nobody claims them" in finding.what
    schedule(well, timedelta(hours=-2))
    assert only(doctor(well), "schedules").level == ERROR


@on_sqlite
def test_work_that_no_worker_takes_is_named(well: Installation) -> None:
    """Work that is claimed and never done says which process is missing; memory:// between processes is an error."""
    schedule(well, timedelta(minutes=-10), holder=QUEUED, leased_until=START + timedelta(seconds=30))
    finding = only(doctor(well), "schedules")
    assert finding.level == ERROR
    assert "memory:// does not reach other processes" in finding.what
    home = with_settings(well, broker={"url": "redis://127.0.0.1:1/0"})
    assert "Start 'certbridge worker'" in only(doctor(home), "schedules").mend


@on_sqlite
def test_lease_held_by_nobody_is_a_hint(well: Installation, child: Callable[..., Any]) -> None:
    """A lease whose process is gone is a hint that says until when it is held."""
    gone = child("-c", "import plugin.schedules; print(plugin.schedules.holder_name())")
    holder = gone.communicate()[0].strip()
    with well.store.write() as session:
        name = session.scalars(select(Schedule.name).order_by(Schedule.name)).first()
        session.execute(
            update(Schedule)
            .where(Schedule.name == name)
            .values(holder=holder, leased_until=START + timedelta(seconds=30))
        )
    finding = only(doctor(well), "schedules")
    assert (finding.level, finding.subject) == (HINT, name)


@on_sqlite
@pytest.mark.parametrize(
    ("web", "level", "says"),
    [
        ({"public_url": "certbridge.example"}, ERROR, "is not the address of a site"),
        ({"public_url": "https://example.org/certbridge"}, ERROR, "is not the address of a site"),
        ({"public_url": "http://certbridge.example"}, WARNING, "the session's cookie"),
        ({"host": "0.0.0.0"}, WARNING, "names this machine only"),
        ({"port": 9000}, WARNING, "has the port 8800, but the pages are served on 9000"),
        ({"public_url": "https://certbridge.example", "host": "0.0.0.0"}, HINT, "around the proxy"),
        ({"public_url": "https://certbridge.example"}, None, ""),
    ],
)
def test_pages_address_is_looked_at(well: Installation, web: dict[str, Any], level: str | None, says: str) -> None:
    """An address of the pages that leads nowhere, or without encryption, is named."""
    found = problems(doctor(with_settings(well, web=web)), "web")
    assert [one.level for one in found] == ([level] if level else [])
    assert all(says in f"{one.what} {one.breaks}" for one in found)


@on_sqlite
def test_nobody_who_can_sign_in_is_a_warning(installation: Installation) -> None:
    """Without an administrator there is a warning with the command that makes one."""
    assert only(doctor(installation), "accounts").mend == "Run: certbridge account create NAME"


# Sources --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def roster(well: Installation, tmp_path: Path) -> Installation:
    """`well` with a roster as its only source."""
    (tmp_path / "roster.csv").write_text("employee_number,name\nE1001,Ann\n")
    return with_settings(well, sources={"roster": {"connector": "connectors.roster", "path": "roster.csv"}})


@on_sqlite
def test_sources_that_are_missing_or_wrong(well: Installation) -> None:
    """No source is a warning; an authority that is no source, and a connector that is none, are errors."""
    assert only(sources_doctor.doctor(well), "sources").what == "No source is configured"
    home = with_settings(
        well,
        sources={
            "hr": {"connector": "connectors.no_such"},
            "lms": {"connector": "connectors.moodle", "url": "http://127.0.0.1:1", "token": {"file": "no.token"}},
        },
    )
    found = {(one.subject, one.what) for one in sources_doctor.doctor(home) if one.level == ERROR}
    said = "; ".join(f"{subject}: {what}" for subject, what in sorted(found))
    assert "roster: The authority for people is 'roster', but there is no such source" in said
    assert "hr: [sources.hr] connector: 'connectors.no_such' is no addon" in said
    assert "lms: The secret's file" in said


def test_pulls_are_looked_at(roster: Installation) -> None:
    """No pull, a failed one, one that is silent, one that was not whole, and an old one are named."""
    assert only(sources_doctor.doctor(roster), "sources").what == "It has not been pulled yet"
    hour = timedelta(hours=1)
    for columns, level, says in (
        ({"status": "failed", "message": "roster: no\nmore"}, ERROR, "The last pull failed: roster: no"),
        ({"status": "running", "heartbeat_at": START - hour}, HINT, "has said nothing since 2026-11-23 01:00Z"),
        ({"status": "partial", "message": "half"}, WARNING, "The last pull was not whole: half"),
        ({"status": "done", "finished_at": START - 5 * hour}, WARNING, "last pulled with success on 2026-11-22 21:00Z"),
    ):
        with roster.store.write() as session:
            session.execute(delete(SyncRun))
            run = {"source": "roster", "started_at": START, "heartbeat_at": START, "finished_at": START, **columns}
            session.add(SyncRun(**run))
        finding = only(sources_doctor.doctor(roster), "sources")
        assert finding.level == level
        assert says in finding.what


def test_unbound_accounts_and_quarantine_are_counted(roster: Installation) -> None:
    """Accounts that are nobody's and records in quarantine are counted, and nothing of them is shown."""
    with roster.store.write() as session:
        session.add(SyncRun(source="roster", status="done", started_at=START, heartbeat_at=START, finished_at=START))
        session.add(SourceUser(source="roster", user_key="7", name="Mary Secret"))
        session.add(
            Quarantined(
                source="roster", stream="employees", record_key="line:2", record={"name": "Mary Secret"},
                reason="Mary Secret has no number", first_at=START, last_at=START,
            )
        )  # fmt: skip
    found = problems(sources_doctor.doctor(roster), "sources")
    assert [(one.level, one.what) for one in found] == [
        (WARNING, "1 of 1 accounts are not bound to an employee"),
        (HINT, "1 records wait in quarantine"),
    ]
    assert "Mary" not in str(found)


# Moodle ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A sandbox Moodle, with tokens that lack one capability each."""
    lacking = {
        "nodetails": "moodle/user:viewdetails",
        "noreview": "moodle/course:enrolreview",
        "nocompletion": "report/completion:view",
        "nogrades": "moodle/grade:viewall",
        "noview": "moodle/course:view",
    }
    tokens = [
        *DEFAULT_TOKENS,
        *(PASS_MARKS.without(f"sandbox-{name}", capability) for name, capability in lacking.items()),
        PASS_MARKS.without("sandbox-nopassmarks", "mod/quiz:viewreports"),
        replace(CONNECTOR, token="sandbox-few", functions=frozenset({"core_webservice_get_site_info"})),
    ]
    with serve(create_app(Organisation(people=60, seed=1, anchor=START), tokens=tokens)) as server:
        yield server.url


@pytest.fixture
def checked(site: str, tmp_path: Path) -> Iterator[Check]:
    """Checks the sandbox with a token, while a fault strikes; every finding says what breaks and what mends."""

    def check(token: str, fault: str | None = None, **settings: Any) -> list[Finding]:
        (tmp_path / "token").write_text(token)
        settings = {"url": site, "token": {"file": "token"}, "tries": 1, "timeout_seconds": 5, **settings}
        home = Settings()
        home._folder = tmp_path
        connector = MoodleConnector("moodle", MoodleSettings.model_validate(settings), home)
        if fault:
            requests.post(f"{site}/sandbox/faults", json={"kind": fault}, timeout=5).raise_for_status()
        try:
            found = [Finding(one.level, "", "", one.what, one.breaks, one.mend) for one in connector.check()]
        finally:
            connector.close()
        assert all(one.what and one.breaks and one.mend for one in found)
        assert token not in str(found)
        return found

    yield check
    requests.delete(f"{site}/sandbox/faults", timeout=5).raise_for_status()


def said(found: list[Finding]) -> list[tuple[str, str]]:
    """The findings' levels and sentences."""
    return [(one.level, one.what) for one in found]


def test_good_token_has_no_findings(checked: Check, site: str, tmp_path: Path) -> None:
    """A token that sees everything has no findings; about() names site, release and user."""
    assert checked("sandbox-passmarks") == []
    home = Settings()
    home._folder = tmp_path
    connector = MoodleConnector("m", MoodleSettings.model_validate({"url": site, "token": {"file": "token"}}), home)
    assert connector.about() == ""
    assert connector.check() == []
    assert connector.about().startswith("Moodle 4.4dev (Build: 20231124) answers")
    assert "the token is wsconnector's" in connector.about()
    connector.close()


@pytest.mark.parametrize(
    ("token", "findings"),
    [
        ("sandbox-connector", [("warning", "lacks mod_quiz_get_user_best_grade", "External services > Functions")]),
        ("sandbox-few", [("error", "lacks core_user_get_users", "Functions"), ("hint", "lacks tool_mobile", "")]),
        ("sandbox-nocaps", [("error", "Moodle refuses access", "webservice/rest:use")]),
        (
            "sandbox-noidentity",
            [
                ("warning", "accounts shows an ID number", "moodle/user:viewalldetails"),
                ("error", "accounts shows an e-mail address", "Show user identity"),
                ("warning", "accounts says whether it is suspended", "moodle/user:viewalldetails"),
            ],
        ),
        ("sandbox-noquiz", [("hint", "show no quiz", "mod/quiz:view")]),
        ("sandbox-nohidden", [("error", "core_course_get_courses: the role lacks", "moodle/course:viewhiddencourses")]),
        ("sandbox-noview", [("error", "core_course_get_courses: the role lacks", "moodle/course:view")]),
        ("sandbox-nodetails", [("warning", "courses shows an active user", "moodle/user:viewdetails")]),
        ("sandbox-noreview", [("error", "core_enrol_get_enrolled_users: the role lacks", "moodle/course:enrolreview")]),
        ("sandbox-nocompletion", [("error", "completions of courses that track them", "report/completion:view")]),
        ("sandbox-nogrades", [("error", "the role lacks a capability", "moodle/grade:viewall")]),
        ("sandbox-nopassmarks", [("warning", "pass marks of quizzes may not be seen", "mod/quiz:viewreports")]),
        ("sandbox-admin", [("warning", "belongs to a site administrator", "docs/moodle.md")]),
        ("sandbox-unknown", [("error", "the token is not valid", "Manage tokens")]),
    ],
)
def test_what_a_token_lacks_is_named_with_its_mend(
    checked: Check, token: str, findings: list[tuple[str, str, str]]
) -> None:
    """Each function and each capability that is missing is found, silent losses too, with the admin page that mends it."""
    found = checked(token)
    for level, what, mend in findings:
        assert [one for one in found if one.level == level and what in one.what and mend in one.mend], (
            what,
            said(found),
        )
    few = token == "sandbox-few"
    lacks_function = "lacks mod_quiz_get_user_best_grade"
    others = [one for one in found if not any(what in one.what for _, what, _ in findings)]
    assert few or all(lacks_function in one.what for one in others), said(others)


def test_token_for_reports_alone_lacks_nothing(checked: Check) -> None:
    """What the plain functions would lack is no finding where reports are read; it is, where reports are switched off."""
    assert said(checked("sandbox-report")) == []
    without = said(checked("sandbox-report", ways=["plugin", "functions"]))
    assert ("error", "The token's service lacks core_course_get_courses") in without


@pytest.mark.parametrize(
    ("fault", "says", "mend"),
    [
        ("rest_off", "web services are switched off", "Manage protocols"),
        ("expired_token", "Moodle refuses access", "valid until"),
        ("maintenance", "maintenance mode", "Maintenance mode"),
        ("redirect", "HTTP 303", "wwwroot"),
        ("html", "the answer was HTML", "Check that"),
    ],
)
def test_site_that_does_not_answer_is_named(checked: Check, fault: str, says: str, mend: str) -> None:
    """Each way of not answering is one error that says nothing is read, and what mends it."""
    (finding,) = checked("sandbox-passmarks", fault)
    assert finding.level == ERROR
    assert says in finding.what
    assert finding.breaks == "nothing is read from this source"
    assert mend in f"{finding.mend} {finding.what}"


def test_what_a_site_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name of its own, and completion switched off, are named; so is a site that is asked without encryption."""
    info = {
        "sitename": "S", "siteurl": "https://other.example", "release": "4.5", "username": "ws", "userissiteadmin": False,
        "functions": [{"name": name} for name in (*moodle_check.FUNCTIONS, "core_webservice_get_site_info")],
        "advancedfeatures": [{"name": "enablecompletion", "value": 0}],
    }  # fmt: skip
    client = MoodleClient("http://moodle.example", "t", SimpleNamespace())  # type: ignore[arg-type]  # never asked
    answers = {"core_webservice_get_site_info": info, "core_course_get_courses": []}
    monkeypatch.setattr(client, "_call", lambda function, _arguments: answers[function])
    found = moodle_check.check(client, pass_marks_given=False)
    assert [(one.level, one.what.partition(" (")[0]) for one in found] == [
        (ERROR, "Completion tracking is switched off for the whole site"),
        (WARNING, "The site is asked without encryption"),
        (WARNING, "The site calls itself https://other.example, the source's url is http://moodle.example"),
        (HINT, "The site has no course"),
    ]
    answers["core_course_get_courses"] = [{"id": 2}]
    answers["tool_mobile_call_external_functions"] = {}
    monkeypatch.setattr(client, "call_many", lambda _calls: [[{"nothing": 1}]])
    assert "something that no Moodle does (KeyError)" in str(moodle_check.check(client, pass_marks_given=False))


@on_sqlite
def test_source_of_moodle_with_an_open_token_file(well: Installation, site: str, tmp_path: Path) -> None:
    """A token's file that others may read is a warning; the site is named among what is well, people are not."""
    (tmp_path / "moodle.token").write_text("sandbox-passmarks")
    (tmp_path / "moodle.token").chmod(0o644)
    token = {"file": "moodle.token"}
    home = with_settings(well, sources={"roster": {"connector": "connectors.moodle", "url": site, "token": token}})
    found = list(sources_doctor.doctor(home))
    assert (WARNING, "The file of its token may be read by others (mode 644)") in said(found)
    assert any("Moodle 4.4dev" in one.what for one in found if one.level == OK)


# Endpoints ------------------------------------------------------------------------------------------------------------


@on_sqlite
def test_no_endpoint_is_a_hint(well: Installation) -> None:
    """Without an endpoint HR is told nothing: a hint."""
    assert only(endpoints_doctor(well), "endpoints").level == HINT


@on_sqlite
@pytest.mark.parametrize(
    ("columns", "level", "says"),
    [
        ({"kind": "webhooks.nothing"}, ERROR, "No installed addon sends to endpoints of the kind"),
        ({"url": "https://127.0.0.1/"}, ERROR, "which deliveries may not go to"),
        ({"secret": "nonsense"}, ERROR, "does not open with any key"),
        ({"disabled_at": START, "disabled_reason": "Gone."}, WARNING, "It is disabled since 2026-11-23 02:00Z: Gone."),
        ({"last_failure_at": START, "last_failure": "No."}, ERROR, "Sending failed on 2026-11-23 02:00Z: No."),
        ({"last_success_at": None}, HINT, "Nothing has been sent to it yet"),
    ],
)
def test_endpoints_are_looked_at(well: Installation, columns: dict[str, Any], level: str, says: str) -> None:
    """An endpoint of an unknown kind, a forbidden address, a lost key, a failure, one that is disabled or never tried."""
    home = with_settings(
        well, web={"public_url": "https://certbridge.example"}, webhooks={"allow_networks": ["192.0.2.0/24"]}
    )
    secret = home.keys.encrypt("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint(home, **{"secret": secret, "last_success_at": START - timedelta(days=1), **columns})
    finding = only(endpoints_doctor(home), "endpoints")
    assert finding.level == level
    assert says in finding.what
    assert "whsec_" not in str(finding)


def test_given_up_and_late_messages_are_counted(well: Installation) -> None:
    """Messages that were given up, and such as wait for more than a day, are warnings; local links are a hint."""
    home = with_settings(well, webhooks={"allow_networks": ["192.0.2.0/24"]})
    secret = home.keys.encrypt("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    to = endpoint(home, secret=secret, last_success_at=START)
    with home.store.write() as session:
        person = Person(employee_number="N1", name="Mary", created_at=START, changed_at=START)
        session.add(person)
        session.flush()
        for number, state in ((1, "dead"), (2, "waiting")):
            event = Event(
                id=f"E{number}", person_id=person.id, sequence=number, type="t", subject="s", occurred_at=START, data={}
            )
            session.add(event)
            session.flush()
            session.add(
                Message(
                    endpoint_id=to.id, event_id=event.id, person_id=person.id, sequence=number, subject="s", state=state,
                    due_at=START - timedelta(days=2),
                )
            )  # fmt: skip
    found = problems(endpoints_doctor(home), "endpoints")
    assert said(found) == [
        (WARNING, "1 messages were given up"),
        (WARNING, "1 messages are due for more than a day"),
        (HINT, "The links in messages to HR lead to http://127.0.0.1:8800"),
    ]
