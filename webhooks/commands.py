"""`certbridge endpoint`, `certbridge deliveries` and `certbridge deliver`."""

import time
from datetime import datetime

import click

from plugin.cli import Context, pass_context
from plugin.errors import RefusedError
from webhooks import deliveries as messages
from webhooks.delivery import Tally
from webhooks.demo.tour import demo
from webhooks.endpoint_commands import FORMATS, actor, endpoint
from webhooks.inbound_commands import inbound
from webhooks.models import STATES
from webhooks.reconcile_commands import reconcile
from webhooks.schema_commands import events
from webhooks.tasks import deliver_now

ONCE_SECONDS = 300.0


def register(cli: click.Group) -> None:
    """Add this addon's subcommands."""
    cli.add_command(endpoint)
    cli.add_command(deliveries)
    cli.add_command(deliver)
    cli.add_command(demo)
    cli.add_command(reconcile)
    cli.add_command(inbound)
    cli.add_command(events)


@click.group()
def deliveries() -> None:
    """What was sent, what waits, what was given up."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only messages in this state.")
@click.option("--endpoint", "name", help="Only those of this endpoint.")
@click.option("--person", help="Only those about the person with this employee number.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_messages(
    context: Context, state: str | None, name: str | None, person: str | None, limit: int, form: str
) -> None:
    """Messages, the newest first."""
    with context.installation.store.read() as session:
        found = messages.listing(session, state=state, endpoint=name, person=person, limit=limit)
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
@click.option("--endpoint", "name", help="Only messages to this endpoint.")
@click.option(
    "--since", help="Only what was given up (or arrived) since this moment, for instance 2026-11-23T10:00+08:00."
)
@click.option("--until", help="Only what was given up (or arrived) before this moment.")
@click.option("--ids", metavar="FIRST-LAST", help="Only messages with these ids, for instance 120-180, or 120.")
@click.option("--delivered", is_flag=True, help="Also what arrived; then a range or an endpoint must be named.")
@pass_context
def replay(
    context: Context, name: str | None, since: str | None, until: str | None, ids: str | None, delivered: bool
) -> None:
    """Send again what was given up, except what a newer delivered event has overtaken."""
    home = context.installation
    if delivered and not (name or since or until or ids):
        raise click.UsageError("With --delivered, say which: --endpoint, --since, --until or --ids.")
    first, last = _ids(ids)
    chosen = messages.Range(name, _moment(since, context), _moment(until, context), first, last, delivered)
    with home.store.write() as session:
        done = messages.replay_range(session, chosen, actor(), home.clock())
    home.wake("events_appended")
    context.say(f"{done.again} messages are due again; {done.left_out} left out, as newer ones have been delivered.")


def _ids(text: str | None) -> tuple[int | None, int | None]:
    """The first and the last id of `120-180` or `120`."""
    if text is None:
        return None, None
    first, dash, last = text.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise RefusedError(f"{text!r} are no ids; write for instance 120-180.")
    return int(first), int(last if dash else first)


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
        fanned_out, tally = deliver_now(context.installation, ONCE_SECONDS)
        if once or fanned_out or tally != Tally():
            context.say(
                f"Events: {fanned_out} fanned out. Messages: {tally.delivered} delivered, {tally.failed} to be tried again, "
                f"{tally.dead} given up."
            )
        if once:
            return
        time.sleep(1)
