"""`certbridge certification`, `requirement`, `derive`, `explain` and `metrics`."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from connectors.sync import is_settled
from metrics.certification import decision_commands
from metrics.certification.commands import certification
from metrics.certification.engine import derive_due
from metrics.certification.explain import explain
from metrics.certification.history_commands import import_history_command
from metrics.certification.models import CertificationRule, Requirement
from metrics.certification.requirements import DUTY, PROMOTION, add_requirement
from metrics.certification.rules import import_rule
from metrics.certification.telling import in_words
from metrics.figures.commands import metrics
from metrics.tasks import terms_of
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.moments import parse_moment


def register(cli: click.Group) -> None:
    """Add the subcommands of `metrics`."""
    decision_commands.register(certification)
    certification.add_command(import_history_command)
    for command in (certification, requirement, derive_command, explain_command, metrics):
        cli.add_command(command)


@certification.command("import")
@click.argument(
    "files",
    metavar="RULE.toml...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@pass_context
def import_rules(context: Context, files: tuple[Path, ...]) -> None:
    """Store rules, each as a new version if it says something new. A refused file leaves nothing half saved."""
    home = context.installation
    with home.store.write() as session:
        for file in files:
            try:
                done = import_rule(session, file.read_text(encoding="utf-8"), actor(), home.clock())
            except (RefusedError, UnicodeDecodeError) as error:
                raise RefusedError(f"{file}: {error}") from None
            context.say(f"{done.code}: version {done.version} {done.outcome}")
    home.wake("people_touched")


@certification.command("list")
@pass_context
def list_rules(context: Context) -> None:
    """The certifications, and the versions of their rules."""
    with context.installation.store.read() as session:
        for row in session.scalars(
            select(CertificationRule).order_by(CertificationRule.code, CertificationRule.version)
        ):
            since = f"decides from {row.effective_from}" if row.effective_from else "decides from the beginning"
            context.say(
                f"{row.code:20} version {row.version}, {since}, imported {row.created_at:%Y-%m-%d} by {row.created_by}"
            )


@click.group()
def requirement() -> None:
    """Who must hold what."""


@requirement.command("add")
@click.argument("certification_code", metavar="CERTIFICATION")
@click.option("--position", required=True, help="Everybody in this position, by its code.")
@click.option(
    "--kind",
    type=click.Choice([DUTY, PROMOTION]),
    default=DUTY,
    show_default=True,
    help="A duty, or asked for when promoted to it.",
)
@click.option("--from", "starts_on", type=click.DateTime(["%Y-%m-%d"]), help="From this day on (default: today).")
@click.option("--until", "ends_on", type=click.DateTime(["%Y-%m-%d"]), help="Until this day (default: no end).")
@click.option("--due-within", help="A duty is due this long after joining, moving or its start, for instance P90D.")
@click.option("--due-on", type=click.DateTime(["%Y-%m-%d"]), help="A duty is due on this day.")
@pass_context
def add(
    context: Context,
    certification_code: str,
    position: str,
    kind: str,
    starts_on: datetime | None,
    ends_on: datetime | None,
    due_within: str | None,
    due_on: datetime | None,
) -> None:
    """Require CERTIFICATION of everybody in a position."""
    home = context.installation
    now = home.clock()
    today = now.astimezone(home.settings.organisation.zone).date()
    wanted = Requirement(
        certification=certification_code,
        kind=kind,
        position_code=position,
        starts_on=_day(starts_on) or today,
        ends_on=_day(ends_on),
        due_within=due_within,
        due_on=_day(due_on),
    )
    with home.store.write() as session:
        add_requirement(session, wanted, actor(), now)
    home.wake("people_touched")
    context.say(f"{certification_code} is required as a {kind} of {position} from {wanted.starts_on} on.")


@requirement.command("list")
@pass_context
def list_requirements(context: Context) -> None:
    """All requirements."""
    with context.installation.store.read() as session:
        for row in session.scalars(select(Requirement).order_by(Requirement.position_code, Requirement.certification)):
            due = f", due {row.due_on or row.due_within}" if row.due_on or row.due_within else ""
            end = f" until {row.ends_on}" if row.ends_on else ""
            context.say(f"{row.position_code}: {row.certification} ({row.kind}) from {row.starts_on}{end}{due}")


@click.command("derive")
@pass_context
def derive_command(context: Context) -> None:
    """Derive whoever is touched or due, now. Exit status 3 when a source must be pulled first."""
    home = context.installation
    with home.store.read() as session:
        if not is_settled(session, home.settings.sources, home.clock()):
            context.say(
                "Nothing was derived: a source is being pulled, or has never been pulled to its end. Run 'certbridge sync' first."
            )
            sys.exit(3)
    events = derive_due(home.store, home.clock, terms_of(home))
    home.wake("events_appended")
    context.say(f"Derived; {events} events for HR.")


@click.command("explain")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification_code", metavar="CERTIFICATION")
@click.option("--as-of", help="What was known at this moment, such as 2026-03-01 (default: now).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def explain_command(
    context: Context, employee_number: str, certification_code: str, as_of: str | None, form: str
) -> None:
    """Why EMPLOYEE stands with CERTIFICATION as they do: rule, evidence, dates, what happens next."""
    home = context.installation
    zone = home.settings.organisation.zone
    now = home.clock()
    try:
        moment = parse_moment(as_of, zone) if as_of else now
    except ValueError as error:
        raise RefusedError(f"--as-of: {error}") from None
    with home.store.read() as session:
        answer: dict[str, Any] = explain(session, employee_number, certification_code, moment, zone, now)
    if form == "json":
        context.say_json(answer)
    else:
        context.say(in_words(answer))


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
