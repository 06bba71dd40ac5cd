"""`certbridge demo`: the whole way once, from a sandbox Moodle to the promotion records of a sandbox HR system.

Both sandboxes and `certbridge run` are processes of their own on loopback, with generated people; everything they
write stands in one folder, which is made anew each time.
"""

import base64
import csv
import json
import secrets
import shutil
import signal
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
from webhooks.demo.app import HOOK
from webhooks.models import Message
from webhooks.target import kinds

PATIENCE = 120
SEED = 1
MOODLE_TOKEN = "sandbox-plugin"  # the sandbox site's own, good for generated people only
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
webhook_secrets = [{{ file = "moodle.secret" }}]
"""


@dataclass(frozen=True)
class Places:
    """Where everything of a demonstration is, and how each of its processes is started."""

    folder: Path
    certbridge: str
    moodle: str
    hr: str
    password: str
    commands: dict[str, list[str]]


@click.command("demo")
@click.option("--serve", is_flag=True, help="Leave everything running for the browser, until Ctrl-C.")
@click.option(
    "--people", type=click.IntRange(60, 100_000), default=300, show_default=True, help="How many to generate."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Where everything of it stands.",
)
def demo(serve: bool, people: int, folder: Path) -> None:
    """Show the whole way: a sandbox Moodle, CertBridge, a sandbox HR system, on this machine."""
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the processes below are ended with this one
    with ExitStack() as stack:
        _say("Installing the addons, writing rules and requirements")
        places, home = prepare(folder, people, datetime.now(UTC))
        for name in ("moodle", "hr", "certbridge"):
            _say(f"Starting {name}")
            stack.enter_context(running(places, name))
        walk(home, places)
        _tell(home, places, time.monotonic() - begun)
        if serve:
            _say("\nRunning until Ctrl-C.")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                _say("Stopping.")
        home.store.close()


def prepare(folder: Path, people: int, now: datetime, settings: str = "") -> tuple[Places, Installation]:
    """Make the folder with everything that the three processes need; none of them is started yet.

    `now` is the generated organisation's present; `settings` are tables put before the rest of config.toml.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "var").mkdir(parents=True)
    organisation = Organisation(people=people, seed=SEED, anchor=now)
    roster.write_file(organisation, folder / "roster.csv")
    _private(folder / "moodle.token", MOODLE_TOKEN)
    _private(folder / "moodle.secret", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    (folder / "proposals.json").write_text(json.dumps([_proposal(one) for one in roster.proposals(organisation)]))

    ports = {name: _free_port() for name in ("certbridge", "moodle", "hr")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    config = folder / "config.toml"
    config.write_text(settings + CONFIG.format(port=ports["certbridge"], moodle=urls["moodle"]), encoding="utf-8")
    home = Installation.open(config)
    create_key_file(home.key_file)
    lifecycle.install(home)
    password = secrets.token_urlsafe(12)
    _set_up(home, folder, password, urls["hr"] + HOOK)
    commands = {
        "moodle": [
            "-m", "connectors.moodle.demo", "--port", str(ports["moodle"]), "--people", str(people),
            "--seed", str(SEED), "--anchor", now.isoformat(),
            "--notices", urls["certbridge"] + "/api/v1/sources/moodle/events",
            "--notices-secret-file", str(folder / "moodle.secret"),
        ],
        "hr": [
            "-m", "webhooks.demo", "--port", str(ports["hr"]), "--database", str(folder / "hr.db"),
            "--secret-file", str(folder / "hr.secret"), "--certbridge", urls["certbridge"],
            "--token-file", str(folder / "hr.token"), "--proposals", str(folder / "proposals.json"),
        ],
        "certbridge": ["-m", "plugin", "--config", str(config), "run"],
    }  # fmt: skip
    return Places(folder, urls["certbridge"], urls["moodle"], urls["hr"], password, commands), home


def _set_up(home: Installation, folder: Path, password: str, hook: str) -> None:
    """The first administrator, the rules and requirements, HR's token, and its endpoint with a signing secret."""
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
        known = endpoints.Kinds(kinds(home), home.settings, home.keys)
        secret = endpoints.add_endpoint(session, known, name="hr", url=hook, actor="command:demo", now=now)
        assert secret is not None
        _private(folder / "hr.secret", secret)


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
def running(places: Places, name: str, command: list[str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run one of the processes (or another command of CertBridge) during the block, once it has said where it listens.

    What it says on standard error is added to a log in the folder. At the end it is told to stop. Raises CertBridgeError.
    """
    log_file = places.folder / f"{name}.log"
    with log_file.open("a", encoding="utf-8") as log:
        arguments = [sys.executable, *(command or places.commands[name])]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise CertBridgeError(f"{name} did not start; {log_file} says why.")
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
