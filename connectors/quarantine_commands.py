"""`certbridge quarantine`: what could not be used."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click
from sqlalchemy import select

from connectors import quarantine as waiting
from connectors.models import Quarantined
from connectors.sources import connector_of, ensure_schedules, in_pulling_order, schedule_name
from connectors.sync import retry_quarantined
from plugin import schedules
from plugin.cli import Context, actor, pass_context
from plugin.errors import NotFoundError

FIELDS = ("id", "source", "stream", "record_key", "reason", "is_request", "first_at", "last_at", "times", "record")


def register(cli: click.Group) -> None:
    """Add the subcommands."""
    cli.add_command(quarantine)


@click.group()
def quarantine() -> None:
    """Records that could not be used."""


@quarantine.command("list")
@click.option("--source", help="Only of this source.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def list_quarantined(context: Context, source: str | None, form: str) -> None:
    """What waits, and why."""
    with context.installation.store.read() as session:
        query = select(Quarantined).where(Quarantined.resolved_at.is_(None)).order_by(Quarantined.id)
        rows: Iterable[Quarantined] = session.scalars(
            query.where(Quarantined.source == source) if source else query
        ).all()
    if form == "json":
        context.say_json([_as_json(row) for row in rows])
        return
    for row in rows:
        context.say(
            f"{row.id}: {row.source}, {row.stream}, {row.record_key} (since {row.first_at:%Y-%m-%d %H:%M}Z, {row.times} times)"
        )
        context.say(f"  {row.reason}")


@quarantine.command("retry")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@pass_context
def retry(context: Context, names: tuple[str, ...]) -> None:
    """Try again to use what waits, without asking the source. Exit status 3 when something still cannot be used."""
    home = context.installation
    left = 0
    for source in names or tuple(in_pulling_order(home)):
        connector = connector_of(home, source)
        ensure_schedules(home, [source])
        with schedules.lease(home.store, schedule_name(source), home.clock):
            used, refused = retry_quarantined(home.store, connector, home.clock, home.settings.organisation.zone)
        connector.close()
        left += refused
        context.say(f"{source}: {used} could be used now, {refused} could not")
    home.wake("people_touched")
    sys.exit(3 if left else 0)


@quarantine.command("show")
@click.argument("id_", metavar="ID", type=int)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def show(context: Context, id_: int, form: str) -> None:
    """The record ID whole, with the reason."""
    with context.installation.store.read() as session:
        row = session.get(Quarantined, id_)
    if row is None:
        raise NotFoundError(
            f"There is nothing in quarantine under {id_}; 'certbridge quarantine list' shows what waits."
        )
    if form == "json":
        context.say_json({**_as_json(row), "resolved_at": row.resolved_at, "resolution": row.resolution})
        return
    state = f"{row.resolution} at {row.resolved_at:%Y-%m-%d %H:%M}Z" if row.resolved_at else "waits"
    context.say(f"{row.id}: {row.source}, {row.stream}, {row.record_key}: {state}")
    context.say(f"first {row.first_at:%Y-%m-%d %H:%M}Z, last {row.last_at:%Y-%m-%d %H:%M}Z, {row.times} times")
    context.say(row.reason)
    context.say(json.dumps(row.record, ensure_ascii=False, indent=2))


@quarantine.command("discard")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=int)
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
@pass_context
def discard(context: Context, ids: tuple[int, ...], reason: str) -> None:
    """Take the records out for good: as long as the source gives them unchanged, they count as not there."""
    home = context.installation
    with home.store.write() as session:
        for id_ in ids:
            waiting.discard(session, id_, actor(), reason, home.clock())
    context.say(f"{len(ids)} discarded")


def _as_json(row: Quarantined) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}
