"""`certbridge audit`: verifying the audit trail, reading it, and going on from a broken one."""

import csv
import re
import sys
from typing import Any

import click

from plugin import mail_commands, people_commands, privacy_commands
from plugin.audit import Report, SealingKeys, accept_chains, sealed_tables, verify
from plugin.audit.listing import COLUMNS, acts, as_cell, as_text, listed
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.moments import in_zone_iso, parse_moment

HEAD = re.compile(r"\w+:\d{1,18}:[0-9a-f]{64}")


def register(cli: click.Group) -> None:
    """Add the subcommands of the kernel that stand in no other module."""
    cli.add_command(audit)
    mail_commands.register(cli)
    people_commands.register(cli)
    privacy_commands.register(cli)


@click.group()
def audit() -> None:
    """Who did what, and whether the record of it is whole."""


@audit.command("verify")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="TABLE:NUMBER:HASH",
    help="A head that an earlier run gave: shows whether newer seals were cut off since. May be given more than once.",
)
@pass_context
def verify_trail(context: Context, form: str, heads: tuple[str, ...]) -> None:
    """Look for rows that were changed, taken away or put in; exit status 1 when there are any."""
    for head in heads:
        if not HEAD.fullmatch(head):
            raise RefusedError(
                f"--head {head} is no head; give TABLE:NUMBER:HASH as 'certbridge audit verify' prints it."
            )
    home = context.installation
    report = verify(home.store, sealed_tables(home.installed), SealingKeys.from_file(home.key_file), heads)
    if form == "json":
        context.say_json(_as_json(report))
    else:
        _say_report(context, report)
    if not report.is_sound:
        sys.exit(1)


@audit.command("show")
@click.option("--subject", help="Only acts whose subject begins so, for instance endpoint: or account:mai.")
@click.option("--actor", "who", help="Only acts of actors whose name begins so.")
@click.option("--since", help="Only acts from this day or moment on, such as 2026-09-01.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@pass_context
def show_acts(context: Context, subject: str | None, who: str | None, since: str | None, form: str) -> None:
    """The acts of people, oldest first."""
    home = context.installation
    zone = home.settings.organisation.zone
    try:
        start = parse_moment(since, zone) if since else None
    except ValueError as error:
        raise RefusedError(f"--since: {error}.") from None
    with home.store.read() as session:
        found = ({**act, "at": in_zone_iso(act["at"], zone)} for act in listed(session, acts(subject, who, start)))
        if form == "json":
            context.say_json(list(found))
        elif form == "csv":
            writer = csv.DictWriter(sys.stdout, ("id", *COLUMNS), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: as_cell(value) for name, value in act.items()} for act in found)
        else:
            for act in found:
                context.say(_line(act))


@audit.command("accept")
@click.option("--reason", required=True, help="Why the chain is as it is; it goes to the audit trail.")
@pass_context
def accept(context: Context, reason: str) -> None:
    """Let the sealer go on where it refuses to, for instance after the key file was lost. It mends nothing."""
    home = context.installation
    keys = SealingKeys.from_file(home.key_file)
    with home.store.write() as session:
        accepted = accept_chains(session, actor(), reason, home.clock(), keys, sealed_tables(home.installed))
    context.say(
        f"Accepted as they are: {', '.join(accepted)}" if accepted else "Nothing to accept: every head is signed."
    )


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "sound": report.is_sound,
        "chains": [
            {
                "table": chain.table,
                "seals": chain.seals,
                "entries": chain.entries,
                "erased": chain.erased,
                "pruned": chain.pruned,
                "waiting": chain.waiting,
                "head": chain.head,
            }
            for chain in report.chains
        ],
        "findings": [
            {"table": finding.table, "id": finding.id, "what": finding.what, "why": finding.why}
            for finding in report.findings
        ],
    }


def _say_report(context: Context, report: Report) -> None:
    for chain in report.chains:
        context.say(
            f"{chain.table}: {chain.entries} rows under {chain.seals} seals; erased {chain.erased}, "
            f"pruned {chain.pruned}, waiting for the sealer {chain.waiting}"
        )
        context.say(f"    head {chain.head}")
    for finding in report.findings:
        context.say(f"{finding.table} {finding.id}: {finding.what}. {finding.why}")
    context.say("Nothing is wrong." if report.is_sound else f"Findings: {len(report.findings)}.")


def _line(act: dict[str, Any]) -> str:
    said = f"{act['at']}  {act['actor']}  {act['action']}  {act['subject']}"
    if act["reason"]:
        said += f"  ({act['reason']})"
    changes = [f"{name} {as_text(act[name])}" for name in ("before", "after") if act[name]]
    return "\n    ".join([said, *changes])
