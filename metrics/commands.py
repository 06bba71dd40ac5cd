"""`certbridge certification`, `requirement`, `promotion`, `derive`, `explain` and `metrics`."""

import sys
from typing import Any

import click

from connectors.sync import is_settled
from metrics.certification import decision_commands, rule_commands
from metrics.certification.assessment_commands import assessment
from metrics.certification.commands import certification
from metrics.certification.explain import explain
from metrics.certification.history_commands import import_history_command
from metrics.certification.promotion_commands import promotion
from metrics.certification.requirement_commands import requirement
from metrics.certification.telling import in_words
from metrics.figures.commands import metrics
from metrics.inputs.commands import inputs
from metrics.reminder_commands import reminders_command
from metrics.tasks import derive_now
from plugin.cli import Context, pass_context
from plugin.errors import RefusedError
from plugin.moments import parse_moment


def register(cli: click.Group) -> None:
    """Add the subcommands of `metrics`."""
    rule_commands.register(certification)
    decision_commands.register(certification)
    certification.add_command(import_history_command)
    for command in (
        certification,
        requirement,
        promotion,
        assessment,
        derive_command,
        explain_command,
        metrics,
        inputs,
        reminders_command,
    ):
        cli.add_command(command)


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
    events = derive_now(home)
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
        answer: dict[str, Any] = explain(session, employee_number, certification_code, moment, zone)
    if form == "json":
        context.say_json(answer)
    else:
        context.say(in_words(answer))
