"""`certbridge certification import-history`: awards of the past from a spreadsheet."""

import sys
from pathlib import Path

import click

from metrics.certification.history import Outcome, import_history
from plugin.cli import Context, actor, pass_context


class _OnlyTriedError(Exception):
    """Ends the transaction of a dry run, so that nothing of it stays."""


@click.command("import-history")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would be accepted and refused; store nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def import_history_command(context: Context, file: Path, dry_run: bool, form: str) -> None:
    """Store past awards from FILE (CSV or XLSX: employee_number, certification, valid_from, valid_until).

    Accepted ones keep their own dates. Exit status 3 when a row was refused; the others are stored all the same.
    """
    home = context.installation
    outcome = Outcome()
    try:
        with home.store.write() as session:
            outcome = import_history(session, file, home.settings.organisation.zone, actor(), home.clock())
            if dry_run:
                raise _OnlyTriedError
    except _OnlyTriedError:
        pass
    if not dry_run:
        home.wake("people_touched")
    if form == "json":
        refused = [{"line": line, "reason": reason} for line, reason in outcome.refused]
        context.say_json({"accepted": outcome.accepted, "known": outcome.known, "refused": refused, "dry_run": dry_run})
    else:
        verb = "would be accepted" if dry_run else "accepted"
        context.say(
            f"{file.name}: {outcome.accepted} {verb}, {outcome.known} known already, {len(outcome.refused)} refused"
        )
        for line, reason in outcome.refused:
            context.say(f"  line {line}: {reason}")
    sys.exit(3 if outcome.refused else 0)
