"""`certbridge mail`: try whether mail can be sent, list mails, have one sent again."""

import time
from typing import Any

import click
from ulid import ULID

from plugin.cli import Context, actor, pass_context
from plugin.errors import LeaseHeldError, RefusedError
from plugin.installation import Installation
from plugin.mail import listing
from plugin.mail.addresses import checked_address
from plugin.mail.queue import Draft, queue_mail, retry_mail
from plugin.mail.rendering import LANGUAGES
from plugin.mail.sending import SCHEDULE, PostOffice, send_due
from plugin.mail.states import SENT, STATES, WAITING
from plugin.models import Mail
from plugin.schedules import lease

PATIENCE = 60  # seconds to wait for another process that is sending


def register(cli: click.Group) -> None:
    """Add the subcommand."""
    cli.add_command(mail)


@click.group()
def mail() -> None:
    """What is told to people by mail."""


@mail.command("test")
@click.argument("address")
@click.option("--language", type=click.Choice(LANGUAGES), help="Default: the organisation's.")
@pass_context
def test(context: Context, address: str, language: str | None) -> None:
    """Send a test mail to ADDRESS, now, and say how it went."""
    home = context.installation
    try:
        recipient = checked_address(address)
    except ValueError as error:
        raise RefusedError(f"{address!r}: {error}.") from None
    if not home.settings.mail.enabled:
        raise RefusedError("Sending mail is switched off: [mail] host names no mail server. docs/mail.md says how.")
    now, key = home.clock(), f"test:{ULID()}"
    draft = Draft(key, recipient, "test", {"by": actor(), "at": now}, language)
    with home.store.write() as session:
        queue_mail(session, draft, now)
    with home.store.read() as session:
        found = session.query(Mail).filter_by(key=key).one()
    _send(home, found.id)
    with home.store.read() as session:
        found = listing.one(session, found.id)
    if found.state != SENT:
        context.say(f"The mail {found.id} is {_words(found.state)}. {found.reason or ''}".rstrip())
        raise SystemExit(1)
    context.say(f"The mail server {home.settings.mail.host} has taken the mail {found.id} to {recipient}.")


def _send(home: Installation, mail_id: int) -> None:
    """Send this mail, or wait until the process that is sending has done so."""
    office = PostOffice.of(home)
    for _ in range(PATIENCE):
        try:
            with lease(home.store, SCHEDULE, home.clock):
                send_due(office, only=mail_id)
        except LeaseHeldError:
            time.sleep(1)
        else:
            return
        with home.store.read() as session:
            found = listing.one(session, mail_id)
            if found.state != WAITING or found.tries:
                return


@mail.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only mails in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@pass_context
def list_mails(context: Context, state: str | None, limit: int, form: str) -> None:
    """Mails, the newest first."""
    with context.installation.store.read() as session:
        found = listing.listed(session, state=state, limit=limit)
    if form == "json":
        context.say_json([_as_json(one) for one in found])
        return
    for one in found:
        context.say(
            f"{one.id:>8} {_words(one.state):10} {one.template:20} {one.recipient:40} tries {one.tries}  "
            f"{one.reason or ''}".rstrip()
        )


def _as_json(one: Mail) -> dict[str, Any]:
    names = (
        "id", "uid", "key", "recipient", "language", "template", "digest", "parent_id", "state", "reason", "tries",
        "created_at", "due_at", "begun_at", "finished_at",
    )  # fmt: skip
    return {name: getattr(one, name) for name in names}


def _words(state: str) -> str:
    return state.replace("_", " ")


@mail.command("retry")
@click.argument("mail_id", metavar="ID", type=int)
@pass_context
def retry(context: Context, mail_id: int) -> None:
    """Have the mail ID sent again: one that failed, was given up, or of which nobody knows whether it arrived."""
    with context.installation.store.write() as session:
        retry_mail(session, mail_id, actor(), context.installation.clock())
    context.say(f"The mail {mail_id} is due now.")
