"""`certbridge endpoint`, `certbridge deliveries` and `certbridge deliver`."""

import getpass
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from plugin.cli import Context, pass_context
from plugin.errors import RefusedError
from webhooks import deliveries as messages
from webhooks import endpoints
from webhooks.delivery import Tally
from webhooks.demo.tour import demo
from webhooks.models import STATES, Endpoint
from webhooks.target import DELIVERED, kinds
from webhooks.tasks import courier, deliver_now

FORMATS = click.Choice(["table", "json"])
ONCE_SECONDS = 300.0


def actor() -> str:
    """Who acts on the command line, for the audit trail: the user of this machine."""
    return f"command line ({getpass.getuser()})"


def register(cli: click.Group) -> None:
    """Add this addon's subcommands."""
    cli.add_command(endpoint)
    cli.add_command(deliveries)
    cli.add_command(deliver)
    cli.add_command(demo)


@click.group()
def endpoint() -> None:
    """Where events are sent."""


@endpoint.command("add")
@click.argument("name")
@click.argument("url")
@click.option(
    "--types", default="", help="Types of events, separated by commas; certification.* is allowed (default: all)."
)
@click.option("--kind", default=endpoints.STANDARD, show_default=True, help="The addon that sends there.")
@click.option(
    "--full", is_flag=True, help="Send the person's name, department, position and what satisfied the criteria."
)
@click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the signing secret from this file; where there is no such file, one is made with a new secret.",
)
@click.option("--show-secret", is_flag=True, help="Print the new signing secret, this once.")
@pass_context
def add(
    context: Context,
    name: str,
    url: str,
    types: str,
    kind: str,
    full: bool,
    secret_file: Path | None,
    show_secret: bool,
) -> None:
    """Send events to URL from now on, as the endpoint NAME."""
    if (secret_file is None) == (not show_secret):
        raise click.UsageError("Say with either --secret-file or --show-secret where the signing secret is to be.")
    home = context.installation
    given = _read(secret_file) if secret_file is not None and secret_file.exists() else None
    with home.store.write() as session:
        secret = endpoints.add_endpoint(
            session, endpoints.Kinds(kinds(home), home.settings, home.keys), name=name, url=url, kind=kind,
            types=[part.strip() for part in types.split(",") if part.strip()], secret=given, full=full,
            actor=actor(), now=home.clock(),
        )  # fmt: skip
        if secret_file is not None and given is None and secret is not None:
            _write(secret_file, secret)
    context.say(f"Added the endpoint {name}. It gets the events from now on; try it: certbridge endpoint test {name}")
    if show_secret and secret is not None:
        context.say("Its signing secret, shown this once:")
        click.echo(secret)
    elif secret_file is not None:
        context.say(f"Its signing secret is in {secret_file}; give it to the receiver.")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read ({type(error).__name__}); give another file.") from None


def _write(file: Path, secret: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written ({error.strerror}); nothing was added.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(secret + "\n")


@endpoint.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_endpoints(context: Context, form: str) -> None:
    """Every endpoint and how it stands."""
    with context.installation.store.read() as session:
        found, waiting = endpoints.every(session), endpoints.waiting_counts(session)
    if form == "json":
        context.say_json([_as_json(one, waiting.get(one.id, 0)) for one in found])
        return
    for one in found:
        state = f"disabled: {one.disabled_reason}" if one.disabled_at else "in use"
        context.say(f"{one.name:20} {one.url:50} {waiting.get(one.id, 0):>7} waiting  {state}")
        if one.last_failure and (
            one.last_success_at is None or (one.last_failure_at or one.created_at) > one.last_success_at
        ):
            context.say(f"{'':20} last failure: {one.last_failure}")


def _as_json(one: Endpoint, waiting: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "url": one.url,
        "types": one.types,
        "full": one.full,
        "waiting": waiting,
        "disabled_at": one.disabled_at,
        "disabled_reason": one.disabled_reason,
        "last_success_at": one.last_success_at,
        "last_failure_at": one.last_failure_at,
        "last_failure": one.last_failure,
    }


@endpoint.command("disable")
@click.argument("name")
@click.option("--reason", default="Disabled by hand.", show_default=True, help="Why; it stands in the audit trail.")
@pass_context
def disable(context: Context, name: str, reason: str) -> None:
    """Send nothing more to the endpoint NAME; its messages wait."""
    with context.installation.store.write() as session:
        endpoints.disable(session, name, reason, actor(), context.installation.clock())
    context.say(f"Disabled the endpoint {name}; its messages wait until it is enabled again.")


@endpoint.command("enable")
@click.argument("name")
@pass_context
def enable(context: Context, name: str) -> None:
    """Send to the endpoint NAME again, beginning with what waited."""
    with context.installation.store.write() as session:
        waiting = endpoints.enable(session, name, actor(), context.installation.clock())
    context.installation.wake("events_appended")
    context.say(f"Enabled the endpoint {name}; {waiting} messages are due.")


@endpoint.command("test")
@click.argument("name")
@pass_context
def test(context: Context, name: str) -> None:
    """Send a test message to the endpoint NAME and say how it went."""
    answer, took = endpoints.test(courier(context.installation), name, actor())
    context.say(f"{answer.reason} It took {took.total_seconds() * 1000:.0f} ms.")
    if answer.excerpt:
        context.say(f"It answered: {answer.excerpt}")
    if answer.outcome != DELIVERED:
        raise SystemExit(1)


@click.group()
def deliveries() -> None:
    """What was sent, what waits, what was given up."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only messages in this state.")
@click.option("--endpoint", "name", help="Only those of this endpoint.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_messages(context: Context, state: str | None, name: str | None, limit: int, form: str) -> None:
    """Messages, the newest first."""
    with context.installation.store.read() as session:
        found = messages.listing(session, state=state, endpoint=name, limit=limit)
    if form == "json":
        context.say_json([delivery.as_json() for delivery in found])
        return
    for delivery in found:
        message = delivery.message
        context.say(
            f"{message.id:>8} {message.state:10} {delivery.endpoint:15} {delivery.type:26} {message.subject:40} "
            f"#{message.sequence} tries {message.tries}  {message.reason or ''}".rstrip()
        )


@deliveries.command("show")
@click.argument("message_id", metavar="ID", type=int)
@pass_context
def show(context: Context, message_id: int) -> None:
    """The message ID with all its attempts, as JSON."""
    with context.installation.store.read() as session:
        delivery, attempts = messages.one(session, message_id)
    names = ("number", "started_at", "duration_ms", "status", "outcome", "reason", "excerpt")
    tried = [{name: getattr(attempt, name) for name in names} for attempt in attempts]
    context.say_json({**delivery.as_json(), "attempts": tried})


@deliveries.command("retry")
@click.argument("message_id", metavar="ID", type=int)
@pass_context
def retry(context: Context, message_id: int) -> None:
    """Send the message ID again."""
    with context.installation.store.write() as session:
        messages.retry(session, message_id, actor(), context.installation.clock())
    context.installation.wake("events_appended")
    context.say(f"Message {message_id} is due now.")


@deliveries.command("replay")
@click.option("--endpoint", "name", help="Only what was given up at this endpoint.")
@click.option("--since", help="Only what was given up since this moment, for instance 2026-11-23T10:00+08:00.")
@pass_context
def replay(context: Context, name: str | None, since: str | None) -> None:
    """Send again what was given up, except what a newer delivered event has overtaken."""
    home = context.installation
    with home.store.write() as session:
        done = messages.replay(session, actor(), home.clock(), endpoint=name, since=_moment(since, context))
    home.wake("events_appended")
    context.say(f"{done.again} messages are due again; {done.left_out} left out, as newer ones have been delivered.")


def _moment(text: str | None, context: Context) -> datetime | None:
    """A moment that a person typed; without an offset it is in the organisation's time zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(f"{text!r} is no moment; write for instance 2026-11-23T10:00+08:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=context.installation.settings.organisation.zone)


@click.command()
@click.option("--once", is_flag=True, help="Stop when nothing is due any more (default: go on until interrupted).")
@pass_context
def deliver(context: Context, once: bool) -> None:
    """Fan out events and deliver what is due, here and now, beside any workers."""
    while True:
        events, tally = deliver_now(context.installation, ONCE_SECONDS)
        if once or events or tally != Tally():
            context.say(
                f"Events: {events} fanned out. Messages: {tally.delivered} delivered, {tally.failed} to be tried again, "
                f"{tally.dead} given up."
            )
        if once:
            return
        time.sleep(1)
