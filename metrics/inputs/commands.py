"""`certbridge inputs`: what the evaluation needs beside the LMS, from spreadsheets."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, select

from metrics.inputs.importing import end_input, import_inputs
from metrics.inputs.kinds import KINDS, Kind, kind
from metrics.inputs.listing import listed
from metrics.inputs.models import known_at
from metrics.inputs.templates import described, write_template
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.import_commands import PROPOSED, import_and_report, imports_file
from plugin.moments import parse_moment

FORMATS = click.Choice(["text", "json"])
KIND = click.argument("name", metavar="KIND", type=click.Choice([each.name for each in KINDS]))


@click.group()
def inputs() -> None:
    """Plan, budget, costs, ratings, surveys, competencies: what no LMS has."""


@inputs.command("template")
@KIND
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
@pass_context
def template(context: Context, name: str, file: Path | None) -> None:
    """Write the template of KIND to FILE (.csv or .xlsx); without FILE, say its columns."""
    chosen, language = kind(name), context.installation.settings.organisation.language
    if file is not None:
        write_template(chosen, file, language)
        context.say(f"{file}: {len(chosen.columns)} columns. Fill it and run 'certbridge inputs import {name} {file}'.")
        return
    for column, required, what in described(chosen, language):
        context.say(f"{column:20} {'required' if required else '':9} {what}".rstrip())


@inputs.command("import")
@KIND
@imports_file
@pass_context
def import_command(context: Context, name: str, file: Path, dry_run: bool, form: str) -> None:
    """Store the rows of FILE (CSV or XLSX); exit status 3 when one was refused. The same file again changes nothing."""
    home, chosen = context.installation, kind(name)
    currency, who, now = home.settings.organisation.currency, actor(), home.clock()
    import_and_report(
        context,
        file,
        lambda session, path: import_inputs(session, chosen, path, currency, who, now),
        dry_run=dry_run,
        form=form,
        counted=PROPOSED,
    )


@inputs.command("list")
@click.argument("name", metavar="[KIND]", type=click.Choice([each.name for each in KINDS]), required=False)
@click.option("--as-of", help="What was known at this moment (default: now).")
@click.option("--format", "form", type=FORMATS, default="text")
@pass_context
def list_command(context: Context, name: str | None, as_of: str | None, form: str) -> None:
    """The rows of KIND; without KIND, every kind with the number of its rows."""
    home = context.installation
    try:
        moment = parse_moment(as_of, home.settings.organisation.zone) if as_of else home.clock()
    except ValueError as error:
        raise RefusedError(f"--as-of: {error}.") from None
    if name is None:
        _say_kinds(context, moment, form)
        return
    with home.store.read() as session:
        rows = listed(session, kind(name), moment)
    if form == "json":
        context.say_json([{key: _plain(value) for key, value in row.items()} for row in rows])
        return
    for row in rows:
        said = ", ".join(
            f"{key} {_plain(value)}" for key, value in row.items() if key != "number" and value not in (None, "", [])
        )
        context.say(f"{row['number']:>6} {said}")


@inputs.command("end")
@KIND
@click.argument("number", metavar="NUMBER", type=click.IntRange(min=1, max=2**63 - 1))
@pass_context
def end(context: Context, name: str, number: int) -> None:
    """Take the row NUMBER of 'inputs list KIND' back: it does not count from now on, and stays on record."""
    home = context.installation
    with home.store.write() as session:
        end_input(session, kind(name), number, actor(), home.clock())
    context.say(f"No. {number} of {name} has ended.")


def _say_kinds(context: Context, moment: datetime, form: str) -> None:
    language = context.installation.settings.organisation.language
    with context.installation.store.read() as session:
        rows = [
            {"kind": each.name, "title": each.title.in_language(language), "rows": _count(session, each, moment)}
            for each in KINDS
        ]
    if form == "json":
        context.say_json(rows)
        return
    for row in rows:
        context.say(f"{row['kind']:24} {row['rows']:>8}  {row['title']}")


def _count(session: Any, each: Kind, moment: datetime) -> int:
    return session.scalar(select(func.count()).select_from(each.model).where(known_at(each.model, moment))) or 0


def _plain(value: Any) -> Any:
    """A value as it is shown; numbers without needless zeros."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value
