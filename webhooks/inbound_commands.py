"""`certbridge inbound`: who may send events, what they sent, and what could not be applied."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, select

from connectors import doors
from plugin.cli import Context, actor, pass_context
from webhooks import inbound_senders as senders
from webhooks import inbound_work
from webhooks.inbound_models import DISCARDED, DONE, HELD, INBOUND_STATES, InboundEvent, InboundSender
from webhooks.secret_files import read_secret, write_secret

FORMATS = click.Choice(["table", "json"])
EVENT = (
    "id", "sender", "message_id", "type", "subject", "state", "reason", "occurred_at", "effective_on", "due_on",
    "received_at", "worked_at", "tries",
)  # fmt: skip

_secret_file = click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the signing secret from this file; where there is no such file, one is made with a new secret.",
)
_show_secret = click.option("--show-secret", is_flag=True, help="Print the new signing secret, this once.")


@click.group()
def inbound() -> None:
    """What HR sends: senders, and events that wait, were applied, or are held."""


@inbound.command("add")
@click.argument("name")
@_secret_file
@_show_secret
@click.option("--types", default="", help="Types of events, separated by commas; employee.* is allowed (default: all).")
@click.option(
    "--new-units", is_flag=True, help="Make departments, positions and grades that an event names and nobody knows yet."
)
@pass_context
def add(context: Context, name: str, secret_file: Path | None, show_secret: bool, types: str, new_units: bool) -> None:
    """Let NAME send events, signed with a secret of its own."""
    _say_where(secret_file, show_secret)
    home = context.installation
    given = read_secret(secret_file) if secret_file is not None and secret_file.exists() else None
    with home.store.write() as session:
        secret = senders.add_sender(
            session, home.keys, name, secret=given, types=[part.strip() for part in types.split(",") if part.strip()],
            creates_units=new_units, actor=actor(), now=home.clock(),
        )  # fmt: skip
        if secret_file is not None and given is None:
            write_secret(secret_file, secret)
    context.say(f"{name} may send events to {home.settings.web.public_url.rstrip('/')}/api/v1/inbound/{name}")
    _tell(context, secret, secret_file, show_secret)


@inbound.command("rotate")
@click.argument("name")
@_secret_file
@_show_secret
@pass_context
def rotate(context: Context, name: str, secret_file: Path | None, show_secret: bool) -> None:
    """Give the sender NAME a new secret; the present one is good for 24 hours more."""
    _say_where(secret_file, show_secret)
    home = context.installation
    given = read_secret(secret_file) if secret_file is not None and secret_file.exists() else None
    with home.store.write() as session:
        secret = senders.rotate(session, home.keys, name, secret=given, actor=actor(), now=home.clock())
        if secret_file is not None and given is None:
            write_secret(secret_file, secret)
    context.say(f"{name} has a new secret; the one before is good for 24 hours more.")
    _tell(context, secret, secret_file, show_secret)


def _say_where(secret_file: Path | None, show_secret: bool) -> None:
    if (secret_file is None) == (not show_secret):
        raise click.UsageError("Say with either --secret-file or --show-secret where the signing secret is to be.")


def _tell(context: Context, secret: str, secret_file: Path | None, show_secret: bool) -> None:
    if show_secret:
        context.say("The signing secret, shown this once:")
        click.echo(secret)
    else:
        context.say(f"The signing secret is in {secret_file}; give it to the sender.")


@inbound.command("disable")
@click.argument("name")
@pass_context
def disable(context: Context, name: str) -> None:
    """Take nothing more from the sender NAME; what it has sent is worked on."""
    home = context.installation
    with home.store.write() as session:
        senders.switch(session, name, actor(), home.clock(), on=False)
    context.say(f"Nothing is taken from {name} any more.")


@inbound.command("enable")
@click.argument("name")
@pass_context
def enable(context: Context, name: str) -> None:
    """Take events from the sender NAME again."""
    home = context.installation
    with home.store.write() as session:
        senders.switch(session, name, actor(), home.clock(), on=True)
    context.say(f"Events are taken from {name} again.")


@inbound.command("list")
@click.option(
    "--state", type=click.Choice(INBOUND_STATES), help="Only events in this state (default: waiting and held)."
)
@click.option("--sender", "name", help="Only those of this sender.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many events.")
@click.option("--format", "form", type=FORMATS, default="table", help="A table (the default), or JSON.")
@pass_context
def list_inbound(context: Context, state: str | None, name: str | None, limit: int, form: str) -> None:
    """The senders, what was counted at each, and the events that wait or are held, the newest first."""
    home = context.installation
    with home.store.read() as session:
        found = session.scalars(select(InboundSender).order_by(InboundSender.name)).all()
        counted = doors.counts(session)
        query = select(InboundEvent).order_by(InboundEvent.id.desc()).limit(limit)
        query = query.where(
            InboundEvent.state == state if state else InboundEvent.state.not_in([DONE, DISCARDED]),
            *([InboundEvent.sender == name] if name else []),
        )
        events = session.scalars(query).all()
        states = session.execute(
            select(InboundEvent.sender, InboundEvent.state, func.count()).group_by(
                InboundEvent.sender, InboundEvent.state
            )
        ).all()
    by_sender: dict[str, dict[str, int]] = {}
    for sender, its_state, count in states:
        by_sender.setdefault(sender, {})[its_state] = count
    if form == "json":
        context.say_json(
            {
                "senders": [_sender(one, by_sender.get(one.name, {})) for one in found],
                "counts": [_count(one) for one in counted],
                "events": [_event(one) for one in events],
            }
        )
        return
    for one in found:
        stands = "disabled" if one.disabled_at else "in use"
        held = ", ".join(f"{count} {its_state}" for its_state, count in sorted(by_sender.get(one.name, {}).items()))
        context.say(f"{one.name:20} {stands:10} {held or 'nothing sent yet'}")
    for counts in counted:
        said = f": {counts.last_reason}" if counts.last_reason else ""
        who = f"{counts.door}/{counts.name or 'somebody unknown'}"
        context.say(f"  {who:30} {counts.outcome:14} {counts.times:>8}  last {counts.last_at:%Y-%m-%d %H:%M}Z{said}")
    for event in events:
        due = f" (from {event.due_on} on)" if event.due_on and event.state != HELD else ""
        context.say(
            f"{event.id:>8} {event.state:8}{due} {event.type:20} {event.subject:30} {event.reason or ''}".rstrip()
        )


def _sender(one: InboundSender, states: dict[str, int]) -> dict[str, Any]:
    return {
        "name": one.name,
        "types": one.types,
        "new_units": one.creates_units,
        "disabled_at": one.disabled_at,
        "old_secret_until": one.old_secret_until,
        "events": states,
    }


def _count(one: Any) -> dict[str, Any]:
    names = ("door", "name", "outcome", "times", "first_at", "last_at", "in_a_row", "last_reason")
    return {name: getattr(one, name) for name in names}


def _event(one: InboundEvent) -> dict[str, Any]:
    return {name: getattr(one, name) for name in EVENT}


@inbound.command("show")
@click.argument("event_id", metavar="ID", type=int)
@pass_context
def show(context: Context, event_id: int) -> None:
    """The event ID as it was sent, and what became of it, as JSON."""
    with context.installation.store.read() as session:
        event = session.get(InboundEvent, event_id)
    if event is None:
        raise click.UsageError(f"There is no event {event_id}; 'certbridge inbound list' shows those there are.")
    context.say_json({**_event(event), "body": event.body})


@inbound.command("retry")
@click.argument("event_ids", metavar="[ID]...", type=int, nargs=-1)
@pass_context
def retry(context: Context, event_ids: tuple[int, ...]) -> None:
    """Try held events again here and now: those with these IDs, or all."""
    home = context.installation
    with home.store.write() as session:
        ids = inbound_work.retry(session, list(event_ids) or None, actor(), home.clock())
    inbound_work.work(home)
    with home.store.read() as session:
        events = session.scalars(select(InboundEvent).where(InboundEvent.id.in_(ids)).order_by(InboundEvent.id)).all()
    for event in events:
        context.say(f"{event.id} {event.state}: {event.reason or ''}".rstrip(": "))
    if any(event.state == HELD for event in events):
        raise SystemExit(3)


@inbound.command("discard")
@click.argument("event_id", metavar="ID", type=int)
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
@pass_context
def discard(context: Context, event_id: int, reason: str) -> None:
    """Take the event ID out for good: it is not to be applied."""
    home = context.installation
    with home.store.write() as session:
        inbound_work.discard(session, event_id, reason, actor(), home.clock())
    context.say(f"The event {event_id} is discarded.")
