"""What every command that imports a file has in common: its options, its dry run, what it reports."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from plugin.cli import Context
from plugin.imports import CHANGED, KNOWN, NEW, Outcome, bring_in

ACCEPTED: dict[str, str] = {"accepted": NEW, "known": KNOWN}
PROPOSED: dict[str, str] = {"created": NEW, "updated": CHANGED, "unchanged": KNOWN}
SAID = {"accepted": "accepted", "known": "known already", "created": "new", "updated": "changed"}


def imports_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and the options of a command that imports a file: `file`, `dry_run` and `form`."""
    for option in (
        click.option("--format", "form", type=click.Choice(["text", "json"]), default="text"),
        click.option("--dry-run", is_flag=True, help="Say what would be accepted and refused; store nothing."),
        click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    ):
        command = option(command)
    return command


def import_and_report(
    context: Context,
    file: Path,
    bring: Callable[[Session, Path], Outcome],
    *,
    dry_run: bool,
    form: str,
    counted: Mapping[str, str] = ACCEPTED,
) -> None:
    """Import the file, say what became of its rows, and exit: with status 3 when one was refused, else 0."""
    outcome = bring_in(context.installation, file, bring, dry_run=dry_run)
    counts = {name: outcome.count(became) for name, became in counted.items()}
    told = {"refused": outcome.refused, "warnings": outcome.warnings}
    if form == "json":
        lines = {
            name: [{"line": each.line, "column": each.column, "reason": each.reason} for each in found]
            for name, found in told.items()
        }
        context.say_json({**counts, **lines, "dry_run": dry_run})
    else:
        said = ", ".join(f"{count} {_verb(name, dry_run=dry_run)}" for name, count in counts.items())
        ending = "; nothing was stored" if dry_run else ""
        context.say(f"{file.name}: {said}, {len(outcome.refused)} refused{ending}")
        for found in (*outcome.refused, *outcome.warnings):
            column = f", {found.column}" if found.column and not found.reason.startswith(found.column) else ""
            context.say(f"  line {found.line}{column}: {found.reason}")
    sys.exit(3 if outcome.refused else 0)


def _verb(name: str, *, dry_run: bool) -> str:
    said = SAID.get(name, name)
    return f"would be {said}" if dry_run and name == "accepted" else said
