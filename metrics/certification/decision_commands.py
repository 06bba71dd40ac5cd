"""`certbridge certification exempt|revoke|reinstate` and what settles proposals: what HR decides, from the command line."""

from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import select

from metrics.certification import decisions
from metrics.certification.acting import by_command
from metrics.certification.decisions import Wish
from metrics.certification.models import Decision
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.models import Person
from plugin.moments import in_zone_iso, parse_moment


def register(group: click.Group) -> None:
    """Add the commands to the group `certification`."""
    for command in (exempt, revoke, reinstate, list_decisions, accept, decline, withdraw):
        group.add_command(command)


_PROPOSE = click.option("--propose", "proposes", is_flag=True, help="Leave it to HR to decide.")
_BY = click.option(
    "--by", "login", help="The account that has decided, recorded with its role (default: you, role 'command line')."
)


@click.command("exempt")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@click.option(
    "--until", "ends", required=True, help="The day or moment on which the exemption ends, such as 2027-03-31."
)
@click.option("--from", "starts", help="The day or moment from which it holds (default: now).")
@_PROPOSE
@_BY
@pass_context
def exempt(
    context: Context,
    employee_number: str,
    certification: str,
    reason: str,
    ends: str,
    starts: str | None,
    login: str | None,
    proposes: bool,
) -> None:
    """EMPLOYEE need not hold CERTIFICATION for a while."""
    zone = context.installation.settings.organisation.zone
    try:
        begins, until = (parse_moment(text, zone) if text else None for text in (starts, ends))
    except ValueError as error:
        raise RefusedError(f"--from or --until: {error}") from None
    _decide(context, Wish(decisions.EXEMPT, employee_number, certification, reason, begins, until), login, proposes)


@click.command("revoke")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@_PROPOSE
@_BY
@pass_context
def revoke(
    context: Context, employee_number: str, certification: str, reason: str, login: str | None, proposes: bool
) -> None:
    """End what EMPLOYEE holds now; only what is achieved afterwards earns it again."""
    _decide(context, Wish(decisions.REVOKE, employee_number, certification, reason), login, proposes)


@click.command("reinstate")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@_PROPOSE
@_BY
@pass_context
def reinstate(
    context: Context, employee_number: str, certification: str, reason: str, login: str | None, proposes: bool
) -> None:
    """Take the last revocation back."""
    _decide(context, Wish(decisions.REINSTATE, employee_number, certification, reason), login, proposes)


@click.command("decisions")
@click.option("--employee", help="Those about this employee only.")
@click.option("--state", type=click.Choice(decisions.STATES), help="Those in this state only.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@pass_context
def list_decisions(context: Context, employee: str | None, state: str | None, form: str) -> None:
    """What was proposed and decided, newest last."""
    query = select(Decision, Person.employee_number).join(Person, Person.id == Decision.person_id)
    if employee is not None:
        query = query.where(Person.employee_number == employee)
    if state is not None:
        query = query.where(Decision.state == state)
    zone = context.installation.settings.organisation.zone
    with context.installation.store.read() as session:
        found = [_listed(row, number, zone) for row, number in session.execute(query.order_by(Decision.id))]
    if form == "json":
        context.say_json(found)
        return
    for line in found:
        until = f" until {line['ends_at']}" if line["ends_at"] else ""
        who = line["decided_by"] or line["proposed_by"]
        context.say(
            f"{line['id']:>6} {line['employee_number']}, {line['certification']}: {line['kind']}{until}, {line['state']}, "
            f"{who}: {line['reason']}"
        )


@click.command("accept")
@click.argument("number", metavar="PROPOSAL", type=int)
@_BY
@pass_context
def accept(context: Context, number: int, login: str | None) -> None:
    """Decide as PROPOSAL says; its number stands in 'certification decisions'."""
    home = context.installation
    with home.store.write() as session:
        decisions.accept(session, number, by_command(session, login, "awards.do", actor()), home.clock())
    home.wake("people_touched")
    context.say(f"Proposal {number} is accepted. 'certbridge derive' tells what follows.")


@click.command("decline")
@click.argument("number", metavar="PROPOSAL", type=int)
@click.option("--reason", required=True, help="Why; whoever proposed it sees it.")
@_BY
@pass_context
def decline(context: Context, number: int, reason: str, login: str | None) -> None:
    """Turn PROPOSAL down."""
    home = context.installation
    with home.store.write() as session:
        decisions.decline(session, number, reason, by_command(session, login, "awards.do", actor()), home.clock())
    context.say(f"Proposal {number} is declined.")


@click.command("withdraw")
@click.argument("number", metavar="EXEMPTION", type=int)
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@_BY
@pass_context
def withdraw(context: Context, number: int, reason: str, login: str | None) -> None:
    """End EXEMPTION now; its number stands in 'certification decisions'."""
    home = context.installation
    with home.store.write() as session:
        decisions.withdraw(session, number, reason, by_command(session, login, "awards.do", actor()), home.clock())
    home.wake("people_touched")
    context.say(f"Exemption {number} ends now.")


def _listed(row: Decision, number: str, zone: ZoneInfo) -> dict[str, Any]:
    moments = ("starts_at", "ends_at", "proposed_at", "decided_at", "withdrawn_at")
    said = {
        name: getattr(row, name) for name in ("proposed_by", "proposed_role", "decided_by", "decided_role", "answer")
    }
    return {
        "id": row.id,
        "employee_number": number,
        "certification": row.certification,
        "kind": row.kind,
        "state": row.state,
        "reason": row.reason,
        **said,
        **{name: in_zone_iso(at, zone) if (at := getattr(row, name)) is not None else None for name in moments},
    }


def _decide(context: Context, wish: Wish, login: str | None, proposes: bool) -> None:
    home = context.installation
    with home.store.write() as session:
        by = by_command(session, login, "awards.propose" if proposes else "awards.do", actor())
        act = decisions.propose if proposes else decisions.decide
        number = act(session, wish, by, home.clock()).id
    if proposes:
        context.say(f"{wish.employee_number}, {wish.certification}: {wish.kind} is proposed, as {number}.")
        return
    home.wake("people_touched")
    context.say(f"{wish.employee_number}, {wish.certification}: {wish.kind}. 'certbridge derive' tells what follows.")
