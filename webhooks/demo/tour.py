"""`certbridge demo`: the whole way once, from a sandbox Moodle to the promotion records of a sandbox HR system.

Both sandboxes and `certbridge run` are processes of their own on loopback, with generated people; everything they
write stands in one folder, which is made anew each time.
"""

import csv
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import requests
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import metrics
from connectors.models import SyncRun
from connectors.moodle.demo import roster
from connectors.moodle.demo.organisation import Organisation
from connectors.sync import is_settled
from metrics.certification.models import Promotion, Requirement
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from plugin import lifecycle
from plugin.accounts import create_account, create_token
from plugin.errors import CertBridgeError
from plugin.installation import Installation
from plugin.models import Event, Touched
from plugin.secrets import create_key_file
from plugin.summaries import summarise
from webhooks import endpoints
from webhooks.models import Message
from webhooks.standard.signing import new_secret
from webhooks.target import kinds

PATIENCE = 120
SEED = 1
MOODLE_TOKEN = "sandbox-passmarks"  # the sandbox site's own, good for generated people only
RULES = Path(metrics.__file__).parent / "demo"

CONFIG = """\
[organisation]
name = "Acme (demonstration)"
timezone = "Asia/Shanghai"
currency = "CNY"

[web]
port = {port}
public_url = "http://127.0.0.1:{port}"

[webhooks]
allow_networks = ["127.0.0.0/8"]        # the sandbox HR system runs on this machine
allow_ports = "any"

[sources.roster]
connector = "connectors.roster"
path = "roster.csv"

[sources.moodle]
connector = "connectors.moodle"
url = "{moodle}"
token = {{ file = "moodle.token" }}
"""


@dataclass(frozen=True)
class Places:
    """Where everything of a running demonstration is."""

    folder: Path
    certbridge: str
    moodle: str
    hr: str
    password: str


@click.command("demo")
@click.option("--serve", is_flag=True, help="Leave everything running for the browser, until Ctrl-C.")
@click.option(
    "--people", type=click.IntRange(60, 100_000), default=300, show_default=True, help="How many employees to generate."
)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("var/demo"), show_default=True)
def demo(serve: bool, people: int, folder: Path) -> None:
    """Show the whole way: a sandbox Moodle, CertBridge, a sandbox HR system, on this machine."""
    started = time.monotonic()
    with ExitStack() as stack:
        places, home = prepare(stack, folder, people, datetime.now(UTC))
        _say("Starting certbridge run")
        stack.enter_context(
            running(folder, "certbridge", ["-m", "plugin", "--config", str(folder / "config.toml"), "run"])
        )
        walk(home, places)
        _tell(home, places, time.monotonic() - started)
        if serve:
            click.echo("\nRunning until Ctrl-C.")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                click.echo("Stopping.")
        home.store.close()


def prepare(stack: ExitStack, folder: Path, people: int, now: datetime) -> tuple[Places, Installation]:
    """Set everything up and start both sandboxes, which end with `stack`; `now` is the generated organisation's present."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "var").mkdir(parents=True)
    organisation = Organisation(people=people, seed=SEED, anchor=now)
    roster.write_file(organisation, folder / "roster.csv")
    _private(folder / "moodle.token", MOODLE_TOKEN)
    (folder / "proposals.json").write_text(json.dumps([_proposal(one) for one in roster.proposals(organisation)]))

    _say(f"Starting a sandbox Moodle with {people} people")
    anchor = now.isoformat()
    arguments = [
        "-m",
        "connectors.moodle.demo",
        "--port",
        "0",
        "--people",
        str(people),
        "--seed",
        str(SEED),
        "--anchor",
        anchor,
    ]
    moodle = _started(stack, folder, "moodle", arguments)["url"]

    port = _free_port()
    (folder / "config.toml").write_text(CONFIG.format(port=port, moodle=moodle), encoding="utf-8")
    home = Installation.open(folder / "config.toml")
    create_key_file(home.key_file)
    _say("Installing the addons")
    for done in lifecycle.install(home):
        _say(f"  {done.addon}: {done.outcome}")
    password = secrets.token_urlsafe(12)
    _set_up(home, folder, password)

    _say("Starting a sandbox HR system")
    base = f"http://127.0.0.1:{port}"
    arguments = [
        "-m",
        "webhooks.demo",
        "--port",
        "0",
        "--database",
        str(folder / "hr.db"),
        "--secret-file",
        str(folder / "hr.secret"),
    ]
    arguments += [
        "--certbridge",
        base,
        "--token-file",
        str(folder / "hr.token"),
        "--proposals",
        str(folder / "proposals.json"),
    ]
    hr = _started(stack, folder, "hr", arguments)
    with home.store.write() as session:
        known = endpoints.Kinds(kinds(home), home.settings, home.keys)
        secret = (folder / "hr.secret").read_text().strip()
        endpoints.add_endpoint(
            session, known, name="hr", url=hr["webhook_url"], secret=secret, actor="command:demo", now=home.clock()
        )

    return Places(folder, base, moodle, hr["url"], password), home


def _set_up(home: Installation, folder: Path, password: str) -> None:
    """The first administrator, the rules and requirements, HR's token and signing secret."""
    now = home.clock()
    today = now.astimezone(home.settings.organisation.zone).date()
    with home.store.write() as session:
        create_account(session, "demo", password, ["administrator", "coordinator", "hr"], now)
        _private(folder / "hr.token", create_token(session, "hr", ["promotions:write"], now))
        for rule in sorted(RULES.glob("*.toml")):
            import_rule(session, rule.read_text(encoding="utf-8"), "command:demo", now)
        with (RULES / "requirements.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                wanted = Requirement(
                    certification=row["certification"],
                    kind=row["kind"],
                    position_code=row["position"],
                    starts_on=today - timedelta(days=365),
                    due_within=row["due_within"] or None,
                )
                add_requirement(session, wanted, "command:demo", now)
    _private(folder / "hr.secret", new_secret())


def walk(home: Installation, places: Places) -> None:
    """Wait for each step of the way, saying what happens."""
    sources = list(home.settings.sources)
    _wait_until("CertBridge answers", lambda: _answers(f"{places.certbridge}/health"))
    _say("Pulling the roster and Moodle")
    _wait_until(
        "the sources are pulled", lambda: _read(home, lambda session: is_settled(session, sources, home.clock()))
    )
    with home.store.read() as session:
        for source, status in session.execute(select(SyncRun.source, SyncRun.status).order_by(SyncRun.id)):
            _say(f"  {source}: {status}")
    _say("Deriving certifications")
    _wait_until("everybody is derived", lambda: _read(home, lambda session: not _count(session, Touched)))
    _say("HR proposes promotions")
    answer = requests.post(f"{places.hr}/sandbox/propose", json=[], timeout=60)
    _say(f"  {answer.json()}")
    _say("Answering HR and delivering the events")
    _wait_until("all events are delivered", lambda: _read(home, _is_over))


def _is_over(session: Session) -> bool:
    """Whether nothing is left to derive, to fan out or to deliver, and every open promotion record is answered."""
    unanswered = session.scalar(select(func.count()).select_from(Promotion).where(Promotion.eligibility.is_(None)))
    waiting = session.scalar(select(func.count()).select_from(Event).where(Event.fanned_out.is_(False)))
    sending = session.scalar(select(func.count()).select_from(Message).where(Message.state == "waiting"))
    return not (_count(session, Touched) or unanswered or waiting or sending)


def _tell(home: Installation, places: Places, seconds: float) -> None:
    """What happened, and where to look."""
    click.echo(f"\nWhat happened, in {seconds:.0f} seconds:\n")
    for line in summarise(home):
        parts = ", ".join(f"{name} {count}" for name, count in line.parts.items())
        click.echo(f"  {line.title:20} {line.count:>6}  {parts}")
    click.echo(
        f"\nWhere to look (with --serve):\n\n  CertBridge   {places.certbridge}   login demo, password {places.password}"
    )
    click.echo(f"  HR           {places.hr}\n  Moodle       {places.moodle} (web services only)")
    click.echo(f"  files        {places.folder}   (logs, settings, databases)")


# Processes ------------------------------------------------------------------------------------------------------------


@contextmanager
def running(folder: Path, name: str, arguments: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run Python with `arguments` during the block; what it says on standard error goes to a log in the folder."""
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _started(stack: ExitStack, folder: Path, name: str, arguments: list[str]) -> dict[str, str]:
    """Start a sandbox; the JSON line in which it says where it listens."""
    process = stack.enter_context(running(folder, name, arguments))
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise CertBridgeError(f"The sandbox {name} did not start; {folder / f'{name}.log'} says why.")
    said: dict[str, str] = json.loads(line)
    return said


def _wait_until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise CertBridgeError(
                f"After {PATIENCE} seconds it is still not so that {what}; the logs in the demo's folder say why."
            )
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _read(home: Installation, ask: Callable[[Session], bool]) -> bool:
    with home.store.read() as session:
        return ask(session)


def _count(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def _proposal(proposal: roster.Proposal) -> dict[str, str]:
    return {
        "promotion_id": proposal.hr_id,
        "employee_number": proposal.employee_number,
        "kind": proposal.kind,
        "from_position": proposal.from_position,
        "to_position": proposal.to_position,
        "from_grade": proposal.from_grade,
        "to_grade": proposal.to_grade,
        "effective_date": proposal.effective.isoformat(),
    }


def _private(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(secret + "\n", encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
