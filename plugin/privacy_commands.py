"""`certbridge privacy`: handing out what is held about a person, erasing it, and keeping nothing for too long."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.privacy.declarations import KEEP, declarations
from plugin.privacy.erasing import Plan, erase, plan
from plugin.privacy.exporting import FORMATS, export, packed
from plugin.privacy.inventory import inventory
from plugin.privacy.retention import State, retain, survey

table_or_json = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")


def register(cli: click.Group) -> None:
    """Add the group `privacy`."""
    cli.add_command(privacy)


@click.group()
def privacy() -> None:
    """What is held about people: handing it out, erasing it, letting it go."""


@privacy.command("export")
@click.argument("employee")
@click.option("--format", "form", type=click.Choice(FORMATS), default="json", help="zip: a CSV file for each table.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
    help="Write a new file that only you can read; standard output without it.",
)  # fmt: skip
@pass_context
def export_person(context: Context, employee: str, form: str, output: Path | None) -> None:
    """Everything that is held about the employee EMPLOYEE, each table with what it is and why it is kept."""
    if output is None and form == "zip" and sys.stdout.isatty():
        raise RefusedError("A ZIP file is nothing for a terminal; name a file with -o.")
    document = export(context.installation, employee, actor())
    content = packed(document, form)
    if output is None:
        click.echo(content, nl=False)
        return
    _write(output, content)
    rows = sum(len(table["rows"]) for table in document["tables"])
    context.say(f"Wrote {rows} rows of {len(document['tables'])} tables to {output}.")


def _write(output: Path, content: bytes) -> None:
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RefusedError(f"{output} cannot be written ({error.strerror}); name another file.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


@privacy.command("erase")
@click.argument("employee")
@click.option("--reason", help="Why; it stays in the audit trail, so it must not name the person.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted, blanked and kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--although-present", is_flag=True, help="Erase them although a source still has them, and brings them back."
)
@table_or_json
@pass_context
def erase_person(
    context: Context, employee: str, reason: str | None, dry_run: bool, yes: bool, although_present: bool, form: str
) -> None:
    """Erase the employee EMPLOYEE: say what goes and what stays, ask, and do it. HR is told."""
    home = context.installation
    if not dry_run and not (reason or "").strip():
        raise RefusedError("Say why with --reason: it goes to the audit trail. Use --dry-run to only look.")
    planned = plan(home, employee)
    if form == "json" and dry_run:
        context.say_json(planned.as_json())
        return
    if form == "table":
        _say_plan(context, planned)
    if dry_run:
        context.say("Nothing has been changed.")
        return
    if not yes:
        click.confirm(f"Erase the employee {employee}? This cannot be undone", abort=True, err=True)
    done = erase(home, employee, actor(), str(reason), although_present=although_present)
    if form == "json":
        context.say_json(done.as_json())
    else:
        context.say(f"The employee {employee} is erased. HR is told; copies in backups have to age out.")


def _say_plan(context: Context, planned: Plan) -> None:
    for line in planned.lines:
        if line.rows:
            why = f" {line.because}" if line.act == KEEP else ""
            context.say(f"{line.act:8} {line.rows:>7}  {line.name:24} {line.what}{why}")
    if planned.present:
        context.say(f"Still in {', '.join(planned.present)}: the next pull would bring them back.")


@privacy.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@table_or_json
@pass_context
def retention(context: Context, dry_run: bool, form: str) -> None:
    """Let go what is older than its kind is kept; the scheduler does it daily."""
    home = context.installation
    states = survey(home) if dry_run else retain(home, actor())
    if form == "json":
        context.say_json([state.as_json() for state in states])
        return
    for state in states:
        context.say(_state_line(state, dry_run))


def _state_line(state: State, dry_run: bool) -> str:
    said: dict[str, Any] = state.as_json()
    oldest = f", the oldest of {said['oldest'][:10]}" if said["oldest"] else ""
    went = f"{state.held.due} would go" if dry_run else f"{state.gone} are gone"
    return f"{state.kind.name:14} kept {state.keep:8} {state.held.rows:>7} rows{oldest}; {went}"


@privacy.command("inventory")
@pass_context
def say_inventory(context: Context) -> None:
    """What is held about people, why, how long, and who sees it, as Markdown."""
    home = context.installation
    click.echo(inventory(declarations(home.installed), home.settings), nl=False)
