"""`certbridge requirement add|list|end|import`: who must hold what."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import func, or_, select

from metrics.certification.models import Requirement, RequirementPerson
from metrics.certification.requirement_checks import DUTY, PROMOTION
from metrics.certification.requirement_import import import_requirements
from metrics.certification.requirements import add_requirement, end_requirement, in_words, is_for_nobody
from plugin.cli import Context, actor, pass_context
from plugin.import_commands import import_and_report, imports_file
from plugin.installation import Installation

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def requirement() -> None:
    """Who must hold what."""


@requirement.command("add")
@click.argument("certification_code", metavar="CERTIFICATION")
@click.option("--position", help="Everybody in this position, by its code.")
@click.option("--grade", help="Everybody in this grade, by its code.")
@click.option("--department", help="Everybody in this department, by its code.")
@click.option("--with-children", is_flag=True, help="In the departments below it as well.")
@click.option("--tag", help="Everybody with this tag ('certbridge people tag').")
@click.option("--person", "listed", multiple=True, help="This employee, by number; may be given more than once.")
@click.option(
    "--kind",
    type=click.Choice([DUTY, PROMOTION]),
    default=DUTY,
    show_default=True,
    help="A duty, or asked for by promotion and pay records.",
)
@click.option("--from", "starts_on", type=_DAY, help="From this day on (default: today).")
@click.option("--until", "ends_on", type=_DAY, help="Until just before this day (default: no end).")
@click.option("--due-within", help="A duty is due this long after joining, moving or its start, for instance P90D.")
@click.option("--due-on", type=_DAY, help="A duty is due on this day.")
@pass_context
def add(
    context: Context,
    certification_code: str,
    position: str | None,
    grade: str | None,
    department: str | None,
    with_children: bool,
    tag: str | None,
    listed: tuple[str, ...],
    kind: str,
    starts_on: datetime | None,
    ends_on: datetime | None,
    due_within: str | None,
    due_on: datetime | None,
) -> None:
    """Require CERTIFICATION of everybody in a position, grade or department, with a tag, or listed."""
    home = context.installation
    today = _today(home)
    wanted = Requirement(
        certification=certification_code,
        kind=kind,
        position_code=position,
        grade_code=grade,
        department_code=department,
        with_children=with_children,
        tag=tag,
        starts_on=_day(starts_on) or today,
        ends_on=_day(ends_on),
        due_within=due_within,
        due_on=_day(due_on),
    )
    with home.store.write() as session:
        add_requirement(session, wanted, actor(), home.clock(), listed)
        nobody = is_for_nobody(session, wanted, today)
        said = f"No. {wanted.id}: {certification_code} is required as a {kind} of {in_words(wanted)}"
    home.wake("people_touched")
    context.say(f"{said} from {wanted.starts_on} on.")
    if nobody:
        context.say(f"Nobody is in {in_words(wanted)} today; check the name.")


@requirement.command("list")
@click.option("--certification", "code", help="Only what asks for this certification.")
@click.option("--ended", is_flag=True, help="Those that have ended as well.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def list_requirements(context: Context, code: str | None, ended: bool, form: str) -> None:
    """All requirements that have not ended."""
    query = select(Requirement).order_by(Requirement.position_code, Requirement.certification, Requirement.id)
    if code:
        query = query.where(Requirement.certification == code)
    if not ended:
        query = query.where(or_(Requirement.ends_on.is_(None), Requirement.ends_on > _today(context.installation)))
    counting = select(RequirementPerson.requirement_id, func.count()).group_by(RequirementPerson.requirement_id)
    with context.installation.store.read() as session:
        listed: dict[int, int] = dict(session.execute(counting).all())
        rows = session.scalars(query).all()
    if form == "json":
        context.say_json([_as_json(row, listed.get(row.id, 0)) for row in rows])
        return
    for row in rows:
        due = f", due {row.due_on or row.due_within}" if row.due_on or row.due_within else ""
        end = f" until {row.ends_on}" if row.ends_on else ""
        people = f" ({listed[row.id]} people)" if row.id in listed else ""
        context.say(
            f"{row.id:>4} {in_words(row)}{people}: {row.certification} ({row.kind}) from {row.starts_on}{end}{due}"
        )


@requirement.command("end")
@click.argument("number", metavar="NUMBER", type=click.IntRange(min=1, max=2**63 - 1))
@click.option("--on", "last", type=_DAY, help="The first day on which it does not hold any more (default: today).")
@pass_context
def end(context: Context, number: int, last: datetime | None) -> None:
    """End the requirement NUMBER of 'requirement list'; what it asked until then stays on record."""
    home = context.installation
    with home.store.write() as session:
        ended = end_requirement(session, number, _day(last) or _today(home), actor(), home.clock())
    home.wake("people_touched")
    context.say(f"No. {number}: {ended.certification} is required of {in_words(ended)} until {ended.ends_on}.")


@requirement.command("import")
@imports_file
@pass_context
def import_command(context: Context, file: Path, dry_run: bool, form: str) -> None:
    """Store the requirements in FILE (CSV or XLSX), a row each; exit status 3 when a row was refused.

    Columns: certification; one of position, grade, department (and with_children), tag, people (numbers, separated by ;);
    kind, starts_on, ends_on, due_on, due_within.
    """
    home = context.installation
    import_and_report(
        context,
        file,
        lambda session, path: import_requirements(session, path, _today(home), actor(), home.clock()),
        dry_run=dry_run,
        form=form,
    )


def _as_json(row: Requirement, listed: int) -> dict[str, Any]:
    return {
        "number": row.id,
        "certification": row.certification,
        "kind": row.kind,
        "position": row.position_code,
        "grade": row.grade_code,
        "department": row.department_code,
        "with_children": row.with_children,
        "tag": row.tag,
        "listed": listed,
        "starts_on": row.starts_on,
        "ends_on": row.ends_on,
        "due_on": row.due_on,
        "due_within": row.due_within,
    }


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _today(home: Installation) -> date:
    return home.clock().astimezone(home.settings.organisation.zone).date()
