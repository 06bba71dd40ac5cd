"""`certbridge sync`, `certbridge sources` and `certbridge quarantine`."""

import sys
from collections import Counter
from collections.abc import Iterable

import click
from sqlalchemy import select

from connectors.models import Quarantined
from connectors.sources import connector_of, ensure_schedules, in_pulling_order, schedule_name
from connectors.storing import Counts
from connectors.sync import DONE, FAILED, SyncResult, retry_quarantined, sync
from plugin import schedules
from plugin.cli import Context, pass_context
from plugin.installation import Installation

# What a script reads: everything was used, something was not, nothing could be pulled.
EXIT_STATUS = {DONE: 0, "partial": 3, FAILED: 1}


def register(cli: click.Group) -> None:
    """Add the connectors' subcommands."""
    cli.add_command(sync_command)
    cli.add_command(sources)
    cli.add_command(quarantine)


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def sync_command(context: Context, names: tuple[str, ...], form: str) -> None:
    """Pull the sources (all by default), the authority for people first.

    Exit status 0 when all was used, 3 when something waits in quarantine or a stream failed, 1 when a source failed.
    """
    home = context.installation
    wanted = names or tuple(in_pulling_order(home))
    results = [_pull(context, home, source, quiet=form == "json") for source in wanted]
    home.wake("people_touched")
    if form == "json":
        context.say_json([_as_json(result) for result in results])
    else:
        for result in results:
            _tell(context, result)
    sys.exit(max((EXIT_STATUS[result.status] for result in results), key=_severity, default=0))


def _severity(status: int) -> int:
    return {0: 0, 3: 1, 1: 2}[status]


def _pull(context: Context, home: Installation, source: str, *, quiet: bool) -> SyncResult:
    totals: Counter[str] = Counter()

    def progress(stream: str, page: str | None, read: int, _counts: Counts) -> None:
        totals[stream] += read
        if not quiet and read:
            click.echo(f"{source}, {stream}, {page or 'page'}: {read} read, {totals[stream]} in all", err=True)

    connector = connector_of(home, source)
    ensure_schedules(home, [source])
    try:
        with schedules.lease(home.store, schedule_name(source), home.clock):
            return sync(home.store, connector, home.clock, home.settings.organisation.zone, progress)
    finally:
        connector.close()


def _tell(context: Context, result: SyncResult) -> None:
    context.say(f"{result.source}: {result.status}")
    for name, counts in result.streams.items():
        context.say(f"  {name:12} {counts.created} new, {counts.updated} changed, {counts.closed} closed")
    for message in result.messages:
        context.say(f"  {message}")
    if result.quarantined:
        context.say(f"  {result.quarantined} in quarantine: see 'certbridge quarantine list'.")


def _as_json(result: SyncResult) -> dict[str, object]:
    streams = {name: vars(counts) for name, counts in result.streams.items()}
    return {
        "source": result.source,
        "status": result.status,
        "streams": streams,
        "messages": result.messages,
        "quarantined": result.quarantined,
    }


@click.group()
def sources() -> None:
    """The configured sources."""


@sources.command("check")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@pass_context
def check_sources(context: Context, names: tuple[str, ...]) -> None:
    """Whether the sources answer, and what stands in the way. Exit status 1 when one cannot be pulled."""
    home = context.installation
    broken = False
    for source in names or tuple(in_pulling_order(home)):
        connector = connector_of(home, source)
        findings = connector.check()
        connector.close()
        broken = broken or any(finding.level == "error" for finding in findings)
        context.say(f"{source}: {'nothing stands in the way' if not findings else f'{len(findings)} findings'}")
        for finding in findings:
            context.say(f"  {finding.level}: {finding.what}")
            context.say(f"    breaks: {finding.breaks}")
            context.say(f"    mend: {finding.mend}")
    sys.exit(1 if broken else 0)


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
        fields = ("source", "stream", "record_key", "reason", "first_at", "last_at", "times", "record")
        context.say_json([{name: getattr(row, name) for name in fields} for row in rows])
        return
    for row in rows:
        context.say(
            f"{row.source}, {row.stream}, {row.record_key} (since {row.first_at:%Y-%m-%d %H:%M}Z, {row.times} times)"
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
