"""`certbridge sync` and `certbridge sources`; `certbridge quarantine` is registered with them."""

import sys
from collections.abc import Mapping

import click

from connectors import identity_commands, quarantine_commands, words
from connectors.models import StreamRun
from connectors.progress import progress_to
from connectors.sources import connector_of, ensure_schedules, in_pulling_order, schedule_name
from connectors.streams import Choice, Connector
from connectors.sync import DONE, FAILED, HIDDEN, SyncResult, Wanted, sync
from plugin import schedules
from plugin.cli import Context, pass_context
from plugin.errors import RefusedError, SourceError
from plugin.installation import Installation

# What a script reads: everything was used, something was not, nothing could be pulled.
EXIT_STATUS = {DONE: 0, "partial": 3, FAILED: 1}


def register(cli: click.Group) -> None:
    """Add the connectors' subcommands."""
    cli.add_command(sync_command)
    cli.add_command(sources)
    quarantine_commands.register(cli)
    identity_commands.register(cli)


@click.command("sync")
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--stream", "streams", multiple=True, help="Only this stream; may be given several times, with one SOURCE."
)
@click.option("--full", is_flag=True, help="Compare everything, also where only changes would be read.")
@click.option("--dry-run", "dry", is_flag=True, help="Read and compare, and say what would change; nothing is stored.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def sync_command(
    context: Context, names: tuple[str, ...], streams: tuple[str, ...], full: bool, dry: bool, form: str
) -> None:
    """Pull the sources (all by default), the authority for people first.

    Exit status 0 when all was used, 3 when something waits in quarantine or a stream failed, 1 when a source failed.
    """
    home = context.installation
    names = names or tuple(in_pulling_order(home))
    if streams and len(names) != 1:
        raise RefusedError("--stream needs exactly one SOURCE, for streams are named by their source.")
    wanted = Wanted(streams=streams, full=full, dry=dry)
    results = [_pull(home, source, wanted, quiet=form == "json") for source in names]
    if not dry:
        home.wake("people_touched")
    if form == "json":
        context.say_json([_as_json(result) for result in results])
    else:
        for result in results:
            _tell(context, result, dry=dry)
    sys.exit(max((EXIT_STATUS[result.status] for result in results), key=_severity, default=0))


def _severity(status: int) -> int:
    return {0: 0, 3: 1, 1: 2}[status]


def _pull(home: Installation, source: str, wanted: Wanted, *, quiet: bool) -> SyncResult:
    connector = connector_of(home, source)
    ensure_schedules(home, [source])
    wanted = wanted.at(home.settings.sources[source].compare_at)
    # A part of a source, or a rehearsal, is not the pull that is due.
    beside = wanted.dry or bool(wanted.streams)
    try:
        with (
            progress_to(source, quiet=quiet) as progress,
            schedules.lease(home.store, schedule_name(source), home.clock, beside=beside),
        ):
            return sync(
                home.store, connector, home.clock, home.settings.organisation.zone, progress=progress, wanted=wanted
            )
    finally:
        connector.close()


def _tell(context: Context, result: SyncResult, *, dry: bool) -> None:
    context.say(f"{result.source}: {result.status}{' (dry run: nothing was stored)' if dry else ''}")
    for name, row in result.runs.items():
        context.say(f"  {name:12} {_in_words(row)}")
    for message in result.messages:
        context.say(f"  {message}")
    if result.quarantined:
        waiting = "could not be used" if dry else "in quarantine: see 'certbridge quarantine list'"
        context.say(f"  {result.quarantined} {waiting}.")


def _in_words(row: StreamRun) -> str:
    if row.status == HIDDEN:
        return "not visible this way"
    said = f"{row.created} new, {row.updated} changed, {row.closed} closed"
    if row.quarantined:
        said += f", {row.quarantined} not usable"
    by = f", {words.WAYS.get(row.way, row.way)}" if row.way else ""
    cost = f", {row.calls} calls, {row.bytes / 1e6:.1f} MB" if row.calls else ""
    return f"{said} ({row.read} read{'' if row.whole else ', changes only'}{by}{cost}, {row.seconds:.1f} s)"


def _as_json(result: SyncResult) -> dict[str, object]:
    fields = (
        "status", "way", "whole", "read", "created", "updated", "closed", "quarantined", "calls", "bytes", "seconds",
    )  # fmt: skip
    return {
        "source": result.source,
        "status": result.status,
        "streams": {name: {field: getattr(row, field) for field in fields} for name, row in result.runs.items()},
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
        try:
            findings = connector.check()
            choices = _choices(connector)
        finally:
            connector.close()
        broken = broken or any(finding.level == "error" for finding in findings)
        context.say(f"{source}: {'nothing stands in the way' if not findings else f'{len(findings)} findings'}")
        for finding in findings:
            context.say(f"  {finding.level}: {finding.what}")
            context.say(f"    breaks: {finding.breaks}")
            context.say(f"    mend: {finding.mend}")
        for name, choice in choices.items():
            context.say(f"  {name}: {_way(choice)}")
    sys.exit(1 if broken else 0)


def _choices(connector: Connector) -> Mapping[str, Choice]:
    try:
        return connector.choices()
    except SourceError:  # the findings say why it does not answer
        return {}


def _way(choice: Choice) -> str:
    """By which way a stream is read, why by no better one, and what that one would show."""
    said = f"by {words.WAYS.get(choice.way, choice.way)}" if choice.way else "not visible this way"
    if choice.way and choice.fresh:
        said += f", fresh {words.FRESH.get(choice.fresh, choice.fresh)}"
    for way, why in choice.lacking.items():
        said += f"; not by {words.WAYS.get(way, way)}: {words.LACKING.get(why, why)}"
    if choice.hidden:
        said += "; not shown: " + ", ".join(words.UNSEEN.get(code, code) for code in choice.hidden)
    return said
