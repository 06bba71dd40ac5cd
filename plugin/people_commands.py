"""`certbridge people tag|untag|tags`: words by which requirements pick people out."""

from datetime import date, datetime
from pathlib import Path

import click
from sqlalchemy import select

from plugin import people, tags
from plugin.cli import Context, actor, pass_context
from plugin.import_commands import import_and_report, imports_file
from plugin.installation import Installation
from plugin.models import PersonTag
from plugin.tag_import import import_tags

_DAY = click.DateTime(["%Y-%m-%d"])


def register(cli: click.Group) -> None:
    """Add the group `people` to the command."""
    cli.add_command(people_group)


@click.group("people")
def people_group() -> None:
    """Tags of employees, by which requirements pick them out."""


@people_group.command("tag")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("tag", metavar="TAG")
@click.option("--from", "begins", type=_DAY, help="From this day on (default: today).")
@click.option("--until", "ends", type=_DAY, help="Until just before this day (default: no end).")
@pass_context
def tag_command(
    context: Context, employee_number: str, tag: str, begins: datetime | None, ends: datetime | None
) -> None:
    """Put TAG on EMPLOYEE, such as first-aider."""
    home = context.installation
    with home.store.write() as session:
        begins_on = _day(begins) or _today(home)
        row = tags.add_tag(session, employee_number, tag, begins_on, _day(ends), actor(), home.clock())
        people.touch(session, [row.person_id])
        said = f"{employee_number} has the tag {row.tag} from {row.valid_from} on."
    home.wake("people_touched")
    context.say(said)


@people_group.command("untag")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("tag", metavar="TAG")
@click.option("--on", "last", type=_DAY, help="The first day without it (default: today).")
@pass_context
def untag_command(context: Context, employee_number: str, tag: str, last: datetime | None) -> None:
    """Take TAG off EMPLOYEE; that they had it stays on record."""
    home = context.installation
    last_on = _day(last) or _today(home)
    with home.store.write() as session:
        row = tags.end_tag(session, employee_number, tag, last_on, actor(), home.clock())
        people.touch(session, [row.person_id])
    home.wake("people_touched")
    context.say(f"{employee_number} has the tag {tag} until {last_on}.")


@people_group.command("import-tags")
@imports_file
@pass_context
def import_tags_command(context: Context, file: Path, dry_run: bool, form: str) -> None:
    """Put the tags in FILE (CSV or XLSX: employee_number, tag, from, until) on people; exit status 3 when a row was refused."""
    home = context.installation
    import_and_report(
        context,
        file,
        lambda session, path: import_tags(session, path, _today(home), actor(), home.clock()),
        dry_run=dry_run,
        form=form,
    )


@people_group.command("tags")
@click.argument("employee_number", metavar="[EMPLOYEE]", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def tags_command(context: Context, employee_number: str | None, form: str) -> None:
    """The tags that people have today, or those that EMPLOYEE has, had and will have."""
    home = context.installation
    with home.store.read() as session:
        if employee_number is None:
            counts = [{"tag": tag, "people": count} for tag, count in session.execute(tags.tags_on(_today(home)))]
            lines = [f"{row['tag']}: {row['people']}" for row in counts]
            found: list[dict[str, object]] = [dict(row) for row in counts]
        else:
            person_id = tags.person_id_of(session, employee_number)
            query = select(PersonTag).where(PersonTag.person_id == person_id)
            query = query.order_by(PersonTag.valid_from, PersonTag.tag)
            rows = session.scalars(query).all()
            found = [{"tag": row.tag, "from": row.valid_from, "until": row.valid_until} for row in rows]
            lines = [
                f"{row['tag']}: from {row['from']}" + (f" until {row['until']}" if row["until"] else "")
                for row in found
            ]
    if form == "json":
        context.say_json(found)
        return
    for line in lines:
        context.say(line)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _today(home: Installation) -> date:
    return home.clock().astimezone(home.settings.organisation.zone).date()
