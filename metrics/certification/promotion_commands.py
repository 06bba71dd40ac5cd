"""`certbridge promotion import|list|show|close`: HR's promotion and pay records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from metrics import promotion_acts
from metrics.certification import promotion as records
from metrics.certification.models import Promotion
from metrics.certification.promotion_import import import_promotions
from plugin.cli import Context, actor, pass_context
from plugin.import_commands import PROPOSED, import_and_report, imports_file
from plugin.models import Person


@click.group()
def promotion() -> None:
    """HR's promotion and pay records."""


@promotion.command("import")
@imports_file
@pass_context
def import_command(context: Context, file: Path, dry_run: bool, form: str) -> None:
    """Propose the records in FILE (CSV or XLSX), a row each; exit status 3 when a row was refused.

    Columns: promotion_id, employee_number, effective_date; kind (promotion or pay), from_position, to_position,
    from_grade, to_grade.
    """
    home = context.installation
    import_and_report(
        context,
        file,
        lambda session, path: import_promotions(
            path, lambda proposals: promotion_acts.propose_in(session, home, proposals, actor())
        ),
        dry_run=dry_run,
        form=form,
        counted=PROPOSED,
    )


@promotion.command("list")
@click.option("--closed", is_flag=True, help="Closed records as well.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def list_command(context: Context, closed: bool, form: str) -> None:
    """The records that HR has not closed, with the answer to each."""
    query = select(Promotion, Person.employee_number).join(Person, Person.id == Promotion.person_id)
    if not closed:
        query = query.where(Promotion.closed_at.is_(None))
    with context.installation.store.read() as session:
        rows = session.execute(query.order_by(Promotion.effective_on, Promotion.promotion_id)).all()
    lines: list[dict[str, Any]] = [
        {
            "promotion_id": row.promotion_id,
            "employee_number": number,
            "kind": row.kind,
            "to": {"position": row.to_position, "grade": row.to_grade},
            "effective_date": row.effective_on,
            "eligibility": row.eligibility,
            "closed": row.closed_at is not None,
        }
        for row, number in rows
    ]
    if form == "json":
        context.say_json(lines)
        return
    for line in lines:
        end = ", closed" if line["closed"] else ""
        context.say(
            f"{line['promotion_id']:12} {line['employee_number']:12} {_to(line['to'])}, effective {line['effective_date']}: "
            f"{line['eligibility'] or 'not answered yet'}{end}"
        )


@promotion.command("show")
@click.argument("promotion_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def show_command(context: Context, promotion_id: str, form: str) -> None:
    """One record: the answer, and what is behind it where it is closed."""
    home = context.installation
    with home.store.read() as session:
        said = records.answer(session, promotion_id)
    if not said["closed"]:
        zone = home.settings.organisation.zone
        said["requirements"] = records.from_now_on(said["requirements"], home.clock(), zone)
    if form == "json":
        context.say_json(said)
        return
    context.say(f"{promotion_id} ({said['kind']}): {said['employee_number']} to {_to(said['to'])}")
    context.say(f"Effective {said['effective_date']}: {said['eligibility'] or 'not answered yet'}")
    for text in (said["note"], f"Closed on {said['decided']['at']}." if said.get("decided") else None):
        if text:
            context.say(text)
    for line in (said.get("decided") or said)["requirements"]:
        _say_line(context, line)


@promotion.command("close")
@click.argument("promotion_id", metavar="ID")
@pass_context
def close_command(context: Context, promotion_id: str) -> None:
    """End a record: HR has decided. Its answer stays as it is now, with the evidence behind it."""
    promotion_acts.close(context.installation, promotion_id, actor())
    context.say(f"{promotion_id} is closed.")


def _to(target: Mapping[str, str | None]) -> str:
    return ", ".join(f"{kind} {code}" for kind, code in target.items() if code) or "nothing named"


def _say_line(context: Context, line: Mapping[str, Any]) -> None:
    until = f", until {line['held_until']}" if line["held_until"] else ""
    context.say(f"  {line['certification']}: {line['status']}{until}")
    for what in line["missing"]:
        context.say(f"    missing: {what}")
    if line["earliest"]:
        context.say(f"    could be met from {line['earliest']}")
    for piece in line.get("evidence", ()):
        context.say(f"    by {piece['kind']} {piece['object']} from {piece['source']} at {piece['achieved_at']}")
