"""`certbridge roster`: templates of files, what a file would change, using one by hand, letting a held one through."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from connectors.roster import files
from connectors.roster.compare import Change
from connectors.roster.fields import EMPLOYEES, KINDS, of_another
from connectors.roster.importing import Import, Report, apply, file_of, preview, roster_of
from connectors.roster.planning import HeldError, kind_of
from connectors.roster.reports import report_csv
from connectors.roster.templates_of_files import (
    CHINESE,
    ENGLISH,
    catalogue,
    columns_of,
    template_csv,
    write_template_xlsx,
)
from connectors.sources import ensure_schedules, schedule_name
from plugin import schedules
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError, RefusedInWordsError
from plugin.import_commands import PROPOSED, import_and_report
from plugin.imports import file_kinds

SHOWN = 50
REFUSED, HELD = 3, 4


def register(cli: click.Group) -> None:
    """Add this addon's subcommands."""
    cli.add_command(roster)


@click.group()
def roster() -> None:
    """Files of people and the organisation."""


@roster.command("template")
@click.argument("kind", metavar="KIND")
@click.option(
    "-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="KIND.xlsx if not given."
)
@click.option(
    "--language", type=click.Choice([ENGLISH, CHINESE]), help="Of headers and notes; the organisation's if not given."
)
@pass_context
def template(context: Context, kind: str, target: Path | None, language: str | None) -> None:
    """Write a file of KIND with its header and example rows: .xlsx, with notes on a second sheet, or .csv."""
    language = language or context.installation.settings.organisation.language
    others = file_kinds(context.installation)
    wanted = (
        of_another(others[kind]) if kind in others else kind_of(kind, {**KINDS, **dict.fromkeys(others, EMPLOYEES)})
    )
    target = target or Path(f"{kind}.xlsx")
    if target.suffix.lower() not in (".xlsx", ".csv"):
        raise RefusedError(f"{target}: name a file that ends in .xlsx or .csv.")
    columns = columns_of(
        wanted, language, catalogue(language, (addon.path for addon in context.installation.installed))
    )
    try:
        if target.suffix.lower() == ".csv":
            target.write_text(template_csv(wanted, columns), encoding="utf-8", newline="")
        else:
            write_template_xlsx(target, wanted, columns, language)
    except OSError as error:
        raise RefusedError(f"{target} cannot be written ({error.strerror}); name another file with -o.") from None
    context.say(f"{target}: take out the examples before you use it.")
    for column in columns:
        context.say(f"  {column.header}{' (needed)' if column.needed else ''}: {column.about}")


def _of_a_file(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--format", "form", type=click.Choice(["table", "json"]), default="table"),
        click.option(
            "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the refused rows there, as CSV."
        ),
        click.option("--all", "everything", is_flag=True, help=f"List every change, not only the first {SHOWN}."),
        click.option("--partial", is_flag=True, help="The file lists some only: who is not in it has not left."),
        click.option("--source", help="The roster source, where there are several."),
        click.option("--kind", default="employees", show_default=True, help="What the file lists."),
    ):
        command = option(command)
    return command


@roster.command("preview")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@_of_a_file
@pass_context
def preview_command(
    context: Context,
    file: Path | None,
    kind: str,
    source: str | None,
    partial: bool,
    everything: bool,
    report: Path | None,
    form: str,
) -> None:
    """What FILE, or the file that the settings name, would change: added, changed field by field, ended.

    Nothing is stored. Exit status 3 when a row would be refused, 4 when the file would be held.
    """
    home = context.installation
    if file is not None:
        _bring_other(context, file, kind, form, dry_run=True)
    name, settings = roster_of(home, source)
    path = file or file_of(home, name, settings, kind)
    most = None if everything or form == "json" else SHOWN
    wanted = Import(name, settings, kind, path, whole=not partial, alone=file is not None, most=most)
    found = preview(home, wanted)
    _tell(context, found, form, report, stored=False)
    sys.exit(HELD if found.held else REFUSED if found.refused else 0)


@roster.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_of_a_file
@click.option("--dry-run", is_flag=True, help="The same as 'roster preview': nothing is stored.")
@click.option("--confirm-ends", is_flag=True, help="Use the file also when it ends more people than hold_above.")
@pass_context
def import_command(
    context: Context,
    file: Path,
    kind: str,
    source: str | None,
    partial: bool,
    everything: bool,
    report: Path | None,
    form: str,
    dry_run: bool,
    confirm_ends: bool,
) -> None:
    """Use FILE once, all of it in one transaction; the refused rows are left out.

    Exit status 3 when a row was refused, 4 when the file is held because it would end too many.
    """
    home = context.installation
    _bring_other(context, file, kind, form, dry_run=dry_run)
    name, settings = roster_of(home, source)
    most = None if everything or form == "json" else SHOWN
    wanted = Import(name, settings, kind, file, whole=not partial, most=most)
    if dry_run:
        found = preview(home, wanted)
        _tell(context, found, form, report, stored=False)
        sys.exit(HELD if found.held else REFUSED if found.refused else 0)
    ensure_schedules(home, [name])
    try:
        with schedules.lease(home.store, schedule_name(name), home.clock, beside=True):
            found = apply(home, wanted, actor(), confirmed=confirm_ends)
    except HeldError as held:
        said = str(held).partition(" Look at")[0]
        click.echo(f"{said} See 'certbridge roster preview', then give --confirm-ends, or --partial.", err=True)
        sys.exit(HELD)
    _tell(context, found, form, report, stored=True)
    sys.exit(REFUSED if found.refused else 0)


@roster.command("held")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def held_command(context: Context, form: str) -> None:
    """The files that wait to be confirmed, because they would end too many people."""
    with context.installation.store.read() as session:
        rows = files.held(session)
    if form == "json":
        names = ("source", "kind", "name", "digest", "ending", "people", "received_at")
        context.say_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    for row in rows:
        context.say(
            f"{row.source}, {row.kind}: {row.name} would end {row.ending} of {row.people} people "
            f"(held since {row.received_at:%Y-%m-%d %H:%M}Z)"
        )


@roster.command("confirm")
@click.argument("source", required=False)
@click.option("--kind", type=click.Choice(sorted(KINDS)), default="employees", show_default=True, help="What it lists.")
@click.option("--reason", default="", help="Why; it stands in the audit trail.")
@pass_context
def confirm_command(context: Context, source: str | None, kind: str, reason: str) -> None:
    """Let the file of SOURCE that is held through, as it is; the next pull uses it."""
    home = context.installation
    name, _ = roster_of(home, source)
    with home.store.write() as session:
        found = [row for row in files.held(session, name) if row.kind == kind]
        if not found:
            raise RefusedInWordsError(files.NOTHING_HELD, source=name)
        files.confirm(session, found[0], actor(), reason, home.clock())
        row = found[0]
    context.say(
        f"{row.name} may end {row.ending} of {row.people} people; 'certbridge sync {name}' uses it now, as long as the file "
        "stays as it is."
    )


def _bring_other(context: Context, file: Path, kind: str, form: str, *, dry_run: bool) -> None:
    """Have the addon whose kind of file it is take it, and exit; nothing where it is a kind of the roster's own."""
    other = file_kinds(context.installation).get(kind)
    if other is None:
        return
    if not file.is_file():
        raise RefusedError(f"{file} cannot be read; check its name.")
    bring = partial(other.bring, context.installation, actor())
    import_and_report(context, file, bring, dry_run=dry_run, form=form, counted=PROPOSED)


def _tell(context: Context, found: Report, form: str, target: Path | None, *, stored: bool) -> None:
    if target is not None:
        try:
            target.write_text(report_csv(found), encoding="utf-8", newline="")
        except OSError as error:
            raise RefusedError(f"{target} cannot be written ({error.strerror}); name another file.") from None
    if form == "json":
        context.say_json({**found.as_json(), "stored": stored})
        return
    counts = found.counts
    sheet = f", sheet {found.sheet}" if found.sheet else ""
    context.say(
        f"{found.file} ({found.kind}), read as {found.read_as}{sheet}{'' if stored else ' (nothing was stored)'}"
    )
    if found.passed_over:
        context.say(f"  columns that are not used: {', '.join(found.passed_over)}")
    context.say(
        f"  {counts.added} added, {counts.changed} changed, {counts.ended} ended, {counts.unchanged} unchanged, "
        f"{counts.refused} refused"
    )
    if found.held:
        context.say(f"  held: it would end {found.ending} of {found.people} people; see 'certbridge roster confirm'")
    for change in found.changes:
        context.say(_in_words(change))
    left = counts.added + counts.changed + counts.ended - len(found.changes)
    if left > 0:
        context.say(f"  … and {left} more; --all lists them")
    for line, column, letters, fault in found.refused:
        at = f" ({letters}{line})" if letters else ""
        context.say(f"  refused: line {line}{f', {column}' if column else ''}{at}: {fault}")
    for number in found.spared:
        context.say(f"  not ended: {number} is not in the file, but a refused row may be about them")
    for note in found.notes:
        context.say(f"  note: line {note.line}, {found.columns.get(note.field, note.field)}: {note}")
    if found.more_notes:
        context.say(f"  … and {found.more_notes} more notes")


def _in_words(change: Change) -> str:
    where = f"line {change.line}" if change.line else "not in the file"
    fields = ", ".join(
        f"{name} {before or '(nothing)'} → {after or '(nothing)'}"
        if before or change.what != "added"
        else f"{name} {after}"
        for name, (before, after) in change.fields.items()
    )
    return f"  {change.what}: {change.key} {change.name} ({where}){f': {fields}' if fields else ''}"
