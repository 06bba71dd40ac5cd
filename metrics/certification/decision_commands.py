"""`certbridge certification exempt|revoke|reinstate`: what HR decides, from the command line."""

import click

from metrics.certification import decisions
from metrics.certification.decisions import By, Wish
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.moments import parse_moment


def register(group: click.Group) -> None:
    """Add the commands to the group `certification`."""
    for command in (exempt, revoke, reinstate):
        group.add_command(command)


@click.command("exempt")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@click.option(
    "--until", "ends", required=True, help="The day or moment on which the exemption ends, such as 2027-03-31."
)
@click.option("--from", "starts", help="The day or moment from which it holds (default: now).")
@pass_context
def exempt(
    context: Context, employee_number: str, certification: str, reason: str, ends: str, starts: str | None
) -> None:
    """EMPLOYEE need not hold CERTIFICATION for a while."""
    zone = context.installation.settings.organisation.zone
    try:
        begins, until = (parse_moment(text, zone) if text else None for text in (starts, ends))
    except ValueError as error:
        raise RefusedError(f"--from or --until: {error}") from None
    _decide(context, Wish(decisions.EXEMPT, employee_number, certification, reason, begins, until))


@click.command("revoke")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@pass_context
def revoke(context: Context, employee_number: str, certification: str, reason: str) -> None:
    """End what EMPLOYEE holds now; only what is achieved afterwards earns it again."""
    _decide(context, Wish(decisions.REVOKE, employee_number, certification, reason))


@click.command("reinstate")
@click.argument("employee_number", metavar="EMPLOYEE")
@click.argument("certification", metavar="CERTIFICATION")
@click.option("--reason", required=True, help="Why; it stands in the history for good.")
@pass_context
def reinstate(context: Context, employee_number: str, certification: str, reason: str) -> None:
    """Take the last revocation back."""
    _decide(context, Wish(decisions.REINSTATE, employee_number, certification, reason))


def _decide(context: Context, wish: Wish) -> None:
    home = context.installation
    with home.store.write() as session:
        decisions.decide(session, wish, By(actor(), "operator"), home.clock())
    home.wake("people_touched")
    context.say(f"{wish.employee_number}, {wish.certification}: {wish.kind}. 'certbridge derive' tells what follows.")
