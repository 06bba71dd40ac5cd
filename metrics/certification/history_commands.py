"""`certbridge certification import-history`: awards of the past from a spreadsheet."""

from pathlib import Path

import click

from metrics.certification.history import import_history
from plugin.cli import Context, actor, pass_context
from plugin.import_commands import import_and_report, imports_file


@click.command("import-history")
@imports_file
@pass_context
def import_history_command(context: Context, file: Path, dry_run: bool, form: str) -> None:
    """Store past awards from FILE (CSV or XLSX: employee_number, certification, valid_from, valid_until).

    Accepted ones keep their own dates. Exit status 3 when a row was refused; the others are stored all the same.
    """
    home = context.installation
    zone = home.settings.organisation.zone
    import_and_report(
        context,
        file,
        lambda session, path: import_history(session, path, zone, actor(), home.clock()),
        dry_run=dry_run,
        form=form,
    )
