"""The `certbridge` command as people and supervisors run it: as processes, with exit statuses and messages."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import select, text

from plugin import addon_commands
from plugin.cli import cli
from plugin.installation import Installation
from plugin.models import Account, ApiToken, AuditEntry, Department
from plugin.secrets import create_key_file
from plugin.store import Store

Start = Callable[..., subprocess.Popen[str]]

TASKS = """
import logging

from plugin.models import Department

def leave_a_trace(installation, argument):
    logging.getLogger("tracer").info("tracing %s", argument)
    logging.getLogger("tracer").debug("every detail of it")
    with installation.store.write() as session:
        session.add(Department(code=f"{argument} {installation.clock().timestamp()}", name="trace"))

TASKS = {"tracer.trace": leave_a_trace}
"""
COMMANDS = """
import click
from plugin.cli import pass_context

def register(cli):
    cli.add_command(trace)

@click.command()
@pass_context
def trace(context):
    \"\"\"Say what is traced.\"\"\"
    context.say(f"{len(context.installation.installed)} addons are traced")
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config.toml of an installation in a folder of its own."""
    path = tmp_path / "config.toml"
    path.write_text('[web]\nport = 0\n[addons]\npath = ["own"]\n[log]\nlevel = "WARNING"\n', encoding="utf-8")
    (tmp_path / "own").mkdir(exist_ok=True)
    return path


@pytest.fixture
def certbridge(config: Path, child: Start) -> Callable[..., tuple[int, str, str]]:
    """Runs the command as a process: exit status, what it said, and its messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        process = child("-m", "plugin", "--config", str(config), *arguments)
        said, wrong = process.communicate(timeout=60)
        return process.returncode, said, wrong

    return run


@pytest.fixture
def invoke(config: Path) -> Callable[..., Result]:
    """Runs the command in this process, which is faster."""
    addon_commands.register(cli)

    def run(*arguments: str, **options: Any) -> Result:
        result = CliRunner().invoke(cli, ["--config", str(config), *arguments], **options)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store of the command's installation."""
    opened = Store(f"sqlite:///{tmp_path}/var/certbridge.db")
    yield opened
    opened.close()


def test_first_steps(certbridge: Callable[..., tuple[int, str, str]]) -> None:
    """Install, make keys, see the status: each as a process that says what it did and exits with 0."""
    status, said, wrong = certbridge("addons", "install")
    assert (status, wrong) == (0, "")
    assert re.search(r"^plugin: installed \(migrations 0001", said, re.MULTILINE)
    assert re.search(r"^webhooks\.standard: installed$", said, re.MULTILINE)
    status, said, wrong = certbridge("keys", "create")
    assert (status, wrong) == (0, "")
    [path] = re.findall(r"^Created (.*)\. Back it up", said)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    status, said, wrong = certbridge("status", "--format", "json")
    assert (status, wrong) == (0, "")
    assert json.loads(said)[0] == {"title": "People", "count": 0, "parts": {}}


def test_refusal_is_a_message_and_a_status(certbridge: Callable[..., tuple[int, str, str]], config: Path) -> None:
    """What cannot be done is one message on standard error without a traceback; wrong settings exit with 2, others with 1."""
    create_key_file(config.parent / "var" / "secret.key")
    status, said, wrong = certbridge("keys", "create")
    assert (status, said) == (1, "")
    assert re.fullmatch(
        r"certbridge: .*secret\.key exists already; what it encrypted .* Nothing was changed\.\n", wrong
    )
    config.write_text("[web]\nprot = 1\n", encoding="utf-8")
    status, said, wrong = certbridge("status")
    assert (status, said) == (2, "")
    assert re.fullmatch(r"certbridge: .*config\.toml web\.prot: Extra inputs are not permitted\. .*\n", wrong)


@pytest.mark.parametrize(
    ("arguments", "lines", "status", "says"),
    [
        (["status"], "", 1, "The store is empty; run 'certbridge addons install' first."),
        (["account", "create", "boss"], "", 1, "The store is empty; run 'certbridge addons install' first."),
        (["serve"], "", 1, "The store is empty; run 'certbridge addons install' first."),
        (["addons", "install", "colour"], "", 1, "The addon colour is not there"),
        (["status"], '[store]\nurl = "sqlite:///config.toml"', 1, "cannot be reached: file is not a database"),
        (["status"], '[store]\nurl = "postgresql://u:hunter2@/d?host=/nowhere"', 1, "cannot be reached"),
        (["addons", "list"], "[colour]\n", 2, "the table [colour] belongs to nothing that is installed here"),
    ],
)
def test_failures_that_were_foreseen_are_messages(
    invoke: Callable[..., Result], config: Path, arguments: list[str], lines: str, status: int, says: str
) -> None:
    """An empty store, a database that is not there, a missing addon and wrong settings say what to do next."""
    if lines:
        config.write_text(lines, encoding="utf-8")
    result = invoke(*arguments)
    assert result.exit_code == status
    assert result.stderr.startswith("certbridge: ")
    assert says in result.stderr
    assert "hunter2" not in result.output
    assert result.stdout == ""


def test_missing_settings_are_named(tmp_path: Path) -> None:
    """Without a config.toml the command says where it looked, and exits with 2."""
    result = CliRunner().invoke(cli, ["--config", str(tmp_path / "none.toml"), "status"])
    assert result.exit_code == 2
    assert f"certbridge: {tmp_path}/none.toml cannot be read (No such file or directory)" in result.stderr


def test_tables_that_lag_behind_are_named(invoke: Callable[..., Result], store: Store) -> None:
    """When the tables are older than the program, the failing command names the addons and the command that helps."""
    assert invoke("addons", "install").exit_code == 0
    with store.write() as session:
        session.execute(text("DROP TABLE account"))
        session.execute(text("UPDATE plugin_version SET version_num = '0000'"))
    result = invoke("account", "create", "boss")
    assert result.exit_code == 1
    assert "The tables of plugin are not those of this version; run 'certbridge addons upgrade'." in result.stderr


def test_addons_are_listed_with_how_they_stand(
    invoke: Callable[..., Result], make_addon: Callable[..., Path], tmp_path: Path
) -> None:
    """Every addon is listed in the order of dependencies: not installed, installed, to be upgraded, or unable to run."""
    make_addon("tracer", {"commands.py": COMMANDS}, depends=["plugin"], summary="Traces")
    make_addon("lonely", depends=["gone"])

    def listed() -> dict[str, str]:
        result = invoke("addons", "list")
        assert result.exit_code == 0
        return {line.split()[0]: line for line in result.stdout.splitlines()}

    before = listed()
    assert next(iter(before)) == "plugin"
    assert re.match(r"tracer +1\.0 +not installed +Traces", before["tracer"])
    assert re.match(r"lonely +1\.0 +cannot run: it needs gone", before["lonely"])
    assert invoke("addons", "install", "tracer").exit_code == 0
    (tmp_path / "own" / "tracer" / "migrations").mkdir()
    (tmp_path / "own" / "tracer" / "migrations" / "0001_x.py").write_text(
        'revision = "0001"\ndown_revision = None\n\ndef upgrade() -> None:\n    pass\n'
    )
    after = listed()
    assert " installed " in after["plugin"]
    assert " to upgrade" in after["tracer"]
    assert " not installed " in after["metrics"]


def test_own_addon_brings_its_commands(invoke: Callable[..., Result], make_addon: Callable[..., Path]) -> None:
    """An addon in a folder of [addons] path adds commands like any other; they stand in the help too."""
    make_addon("tracer", {"commands.py": COMMANDS}, depends=["plugin"])
    assert invoke("addons", "install", "tracer").exit_code == 0
    assert invoke("trace").stdout == "2 addons are traced\n"
    assert re.search(r"^  trace +Say what is traced\.$", invoke("--help").stdout, re.MULTILINE)
    unknown = invoke("no-such-command")
    assert unknown.exit_code == 2
    assert "No such command 'no-such-command'" in unknown.stderr


def test_account_and_token_are_created_and_written_down(
    invoke: Callable[..., Result], store: Store, tmp_path: Path
) -> None:
    """An account and a token can be made once each; who made them is in the audit trail, their secrets are not."""
    assert invoke("addons", "install").exit_code == 0
    (tmp_path / "password").write_text("correct horse battery\n", encoding="utf-8")
    made = invoke(
        "account", "create", "boss", "--role", "hr", "--role", "auditor", "--password-file", str(tmp_path / "password")
    )
    assert made.stdout == "Created the account boss with the roles hr, auditor.\n"
    again = invoke("account", "create", "boss")
    assert again.exit_code == 1
    assert re.match(r"certbridge: There is an account .*boss.* already", again.stderr)
    shown = invoke("account", "create", "other")
    password = re.fullmatch(r"Created .* administrator\. Its password, shown this once: (\S{16,})\n", shown.stdout)
    token = invoke("token", "create", "hr", "--scope", "promotions:write", "--days", "30").stdout.strip()
    assert re.fullmatch(r"cb_\S{43}", token)
    assert invoke("token", "create", "hr", "--scope", "a").exit_code == 1
    with store.read() as session:
        assert dict(session.execute(select(Account.login, Account.roles)).all()) == {
            "boss": ["hr", "auditor"], "other": ["administrator"],
        }  # fmt: skip
        lasts = session.execute(select(ApiToken.expires_at, ApiToken.created_at)).one()
        own = ~AuditEntry.action.startswith("addon.")  # those of the installation above
        entries = session.scalars(select(AuditEntry).where(own).order_by(AuditEntry.id)).all()
    assert (lasts[0] - lasts[1]).days == 30
    acts = [(entry.action, entry.subject, entry.actor.partition(":")[0]) for entry in entries]
    assert acts == [
        ("account.create", "account:boss", "command"),
        ("account.create", "account:other", "command"),
        ("token.create", "token:hr", "command"),
    ]
    written = " ".join(str(entry.after) for entry in entries)
    assert password is not None
    assert not [secret for secret in (password[1], token, "correct horse") if secret in written]


def serving(process: subprocess.Popen[str]) -> str:
    """The address that the process says it serves on."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"Serving on (http://\S+)", line):
            return found[1]
    raise AssertionError(f"it ended: {process.stderr.read() if process.stderr else ''}")


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """The exit status and the messages of a process that is asked to end, within seconds."""
    process.send_signal(number)
    _, wrong = process.communicate(timeout=30)
    return process.returncode, wrong


def set_up(invoke: Callable[..., Result]) -> None:
    """Install everything and make the keys."""
    assert invoke("addons", "install").exit_code == 0
    assert invoke("keys", "create").exit_code == 0


def traces(store: Store) -> int:
    """How often the task ran."""
    with store.read() as session:
        return len(session.scalars(select(Department.code)).all())


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def test_run_serves_works_and_ends(
    config: Path, invoke: Callable[..., Result], child: Start, store: Store, make_addon: Callable[..., Path]
) -> None:
    """`run` answers /health, does what is due again and again, and ends within seconds of SIGTERM, with nothing to complain of."""
    every = {"tracer": {"task": "tracer.trace", "every": "PT1S", "argument": "run"}}
    make_addon("tracer", {"tasks.py": TASKS}, depends=["plugin"], schedules=every)
    set_up(invoke)
    process = child("-m", "plugin", "--config", str(config), "run")
    address = serving(process)
    with requests.Session() as browser:
        health = browser.get(f"{address}/health", timeout=10)
        assert (health.status_code, health.text) == (200, "ok\n")
        wait_for(lambda: traces(store) >= 2)
        assert ended(process) == (0, "")


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_work_is_logged_as_far_as_the_settings_say(
    config: Path, invoke: Callable[..., Result], child: Start, store: Store, make_addon: Callable[..., Path], level: str
) -> None:
    """What a task logs in a worker, at `[log] level` or above, arrives on standard error; Celery keeps none of it back."""
    every = {"tracer": {"task": "tracer.trace", "every": "PT1S", "argument": "run"}}
    make_addon("tracer", {"tasks.py": TASKS}, depends=["plugin"], schedules=every)
    set_up(invoke)
    config.write_text(config.read_text(encoding="utf-8").replace("WARNING", level), encoding="utf-8")
    process = child("-m", "plugin", "--config", str(config), "run")
    serving(process)
    wait_for(lambda: traces(store) >= 1)
    status, wrong = ended(process)
    assert status == 0
    assert ("tracing run" in wrong) == (level == "INFO")
    assert "every detail of it" not in wrong


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_though_a_browser_is_connected(
    config: Path, invoke: Callable[..., Result], child: Start, number: int
) -> None:
    """`serve` ends within seconds of a signal, whatever connections are open."""
    set_up(invoke)
    process = child("-m", "plugin", "--config", str(config), "serve")
    address = serving(process)
    with requests.Session() as browser:
        assert browser.get(f"{address}/health", timeout=10).status_code == 200
        assert ended(process, number) == (0, "")


def test_port_that_is_taken_is_named(
    config: Path, invoke: Callable[..., Result], certbridge: Callable[..., tuple[int, str, str]]
) -> None:
    """A port that something else listens on is wrong settings, with the port in the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(f"[web]\nport = {port}\n", encoding="utf-8")
        set_up(invoke)
        status, _, wrong = certbridge("serve")
    assert status == 2
    assert wrong.startswith(
        f"certbridge: [web] host and port: 127.0.0.1:{port} cannot be listened on (Address already in use)"
    )


def test_three_processes_share_the_work(
    config: Path,
    invoke: Callable[..., Result],
    child: Start,
    make_addon: Callable[..., Path],
    postgresql_url: str,
    valkey_url: str,
) -> None:
    """`serve`, `worker` and `scheduler` do a scheduled task through PostgreSQL and Valkey; another worker goes on when one is killed."""
    every = {"tracer": {"task": "tracer.trace", "every": "PT1S", "argument": "three"}}
    make_addon("tracer", {"tasks.py": TASKS}, depends=["plugin"], schedules=every)
    with config.open("a", encoding="utf-8") as file:
        file.write(f'[store]\nurl = "{postgresql_url}"\n[broker]\nurl = "{valkey_url}"\n')
    set_up(invoke)
    store = Store(postgresql_url)
    start = ["-m", "plugin", "--config", str(config)]
    serve = child(*start, "serve")
    forked = child(*start, "worker", "--pool", "prefork", "--threads", "1")
    scheduler = child(*start, "scheduler")
    assert requests.get(f"{serving(serve)}/health", timeout=10).text == "ok\n"
    wait_for(lambda: traces(store) >= 2)
    assert ended(forked) == (0, "")
    threaded = child(*start, "worker")
    before = traces(store)
    wait_for(lambda: traces(store) > before)
    os.kill(threaded.pid, signal.SIGKILL)
    assert [ended(process) for process in (scheduler, serve)] == [(0, ""), (0, "")]
    store.close()


def test_command_opens_the_installation_that_the_file_describes(config: Path) -> None:
    """The command and `Installation.open` find the same store and key file."""
    home = Installation.open(config)
    assert home.key_file == config.parent / "var" / "secret.key"
    home.store.close()
