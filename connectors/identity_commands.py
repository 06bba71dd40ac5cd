"""`certbridge identity`: whose the accounts of sources are, and saying so by hand."""

from typing import Any

import click
from sqlalchemy.orm import Session

from connectors import linking
from connectors.account_lists import WAITING, WHICH, accounts, every, history
from connectors.linking import LINK, MOVE, REJECT, UNDO, UNLINK, Decision, decide, find_account
from connectors.models import Identity, LinkingAct, SourceUser
from connectors.previewing import Preview, preview
from connectors.suggestions import Suggestion, suggest
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.models import Person
from plugin.moments import in_zone_iso, parse_moment
from plugin.standings import Standing

FORMATS = click.Choice(["table", "json"])
reason_option = click.option("--reason", required=True, help="Why; it stands in the audit trail.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would change.")
DAY = "YYYY-MM-DD"


def register(cli: click.Group) -> None:
    """Add `certbridge identity`."""
    cli.add_command(identity)


@click.group()
def identity() -> None:
    """Whose the accounts of the sources are. SOURCE and ACCOUNT are the source's name and its own key of the account."""


@identity.command("list")
@click.option(
    "--which", type=click.Choice(WHICH), default=WAITING, help="Those that wait (default), linked ones, or all."
)
@click.option("--source", default="", help="Only of this source.")
@click.option("--search", default="", help="Only with this in a name, a number or an e-mail address.")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_accounts(context: Context, which: str, source: str, search: str, form: str) -> None:
    """The accounts that wait for somebody to say whose they are, and why; or those that are linked."""
    with context.installation.store.read() as session:
        rows = [
            {**_account(row.user), "employee_number": row.person.employee_number if row.person else None}
            for row in every(session, accounts(which, source, search=search))
        ]
    if form == "json":
        context.say_json(rows)
        return
    for row in rows:
        whose = row["employee_number"] or row["unbound_reason"] or "-"
        context.say(f"{row['source']:12} {row['account']:12} {row['name'] or row['username'] or '-':28} {whose}")


@identity.command("show")
@click.argument("source")
@click.argument("account")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def show(context: Context, source: str, account: str, form: str) -> None:
    """One account: whose it is, whose it might be and why, and what was decided about it."""
    home = context.installation
    zone = home.settings.organisation.zone
    with home.store.read() as session:
        user = find_account(session, source, account)
        known = history(session, user)
        said = {
            **_account(user),
            "completions": known.completions,
            "results": known.results,
            "bindings": [_binding(each, person, zone) for each, person in known.bindings],
            "decided": [_decided(act, away, towards, zone) for act, away, towards in known.acts],
            "suggestions": [_suggestion(each) for each in suggest(session, user)],
        }
    if form == "json":
        context.say_json(said)
        return
    for name in ("source", "account", "username", "name", "idnumber", "email", "department", "unbound_reason"):
        context.say(f"{name}: {said[name] or '-'}")
    context.say(f"completions: {known.completions}, results: {known.results}")
    for title in ("bindings", "decided", "suggestions"):
        for row in said[title]:
            context.say(f"{title}: " + ", ".join(f"{name} {_text(value)}" for name, value in row.items() if value))


@identity.command("link")
@click.argument("source")
@click.argument("account")
@click.argument("employee_number", metavar="EMPLOYEE")
@reason_option
@click.option("--since", metavar=DAY, help="Only what was achieved from this day on counts.")
@dry_run_option
@pass_context
def link(
    context: Context, source: str, account: str, employee_number: str, reason: str, since: str | None, dry_run: bool
) -> None:
    """Say that ACCOUNT of SOURCE is EMPLOYEE's; a person may have several accounts of one source."""
    _act(context, Decision(LINK, source, account, reason, employee_number), since, dry_run)


@identity.command("unlink")
@click.argument("source")
@click.argument("account")
@reason_option
@click.option("--never", is_flag=True, help="It never was theirs: what it proved about them is void.")
@click.option(
    "--since", metavar=DAY, help="It is theirs no more since this day: what was achieved before goes on counting."
)
@dry_run_option
@pass_context
def unlink(
    context: Context, source: str, account: str, reason: str, never: bool, since: str | None, dry_run: bool
) -> None:
    """Say that ACCOUNT of SOURCE is not, or not any more, the person's whose it is; the rules never bind it so again."""
    if never == (since is not None):
        raise RefusedError("Say either --never, where it was wrong from the start, or --since with a day.")
    _act(context, Decision(UNLINK, source, account, reason), since, dry_run)


@identity.command("move")
@click.argument("source")
@click.argument("account")
@click.argument("employee_number", metavar="EMPLOYEE")
@reason_option
@click.option("--since", metavar=DAY, help="It was handed over on this day; without, it never was the first one's.")
@dry_run_option
@pass_context
def move(
    context: Context, source: str, account: str, employee_number: str, reason: str, since: str | None, dry_run: bool
) -> None:
    """Say that ACCOUNT of SOURCE is EMPLOYEE's and not the person's whose it is."""
    _act(context, Decision(MOVE, source, account, reason, employee_number), since, dry_run)


@identity.command("reject")
@click.argument("source")
@click.argument("account")
@click.argument("employee_number", metavar="EMPLOYEE")
@reason_option
@dry_run_option
@pass_context
def reject(context: Context, source: str, account: str, employee_number: str, reason: str, dry_run: bool) -> None:
    """Say that ACCOUNT of SOURCE is not EMPLOYEE's; neither the rules nor the suggestions come to them again."""
    _act(context, Decision(REJECT, source, account, reason, employee_number), None, dry_run)


@identity.command("undo")
@click.argument("source")
@click.argument("account")
@reason_option
@dry_run_option
@pass_context
def undo(context: Context, source: str, account: str, reason: str, dry_run: bool) -> None:
    """Take back what was decided last about ACCOUNT of SOURCE; again, what was decided before that."""
    _act(context, Decision(UNDO, source, account, reason), None, dry_run)


def _act(context: Context, decision: Decision, since: str | None, dry_run: bool) -> None:
    home = context.installation
    zone = home.settings.organisation.zone
    if since is not None:
        try:
            moment = parse_moment(since, zone)
        except ValueError as error:
            raise RefusedError(f"--since: {error}.") from None
        decision = Decision(decision.act, decision.source, decision.user_key, decision.reason, decision.number, moment)
    if dry_run:
        _tell(context, preview(home, decision))
        return
    with home.store.write() as session:
        outcome = decide(session, decision, actor(), home.clock(), zone)
        said = _said(session, decision)
    home.wake("people_touched")
    context.say(said)
    if outcome.bound:
        context.say(f"The rules have bound {len(outcome.bound)} more accounts because of it.")


def _said(session: Session, decision: Decision) -> str:
    user = find_account(session, decision.source, decision.user_key)
    standing = linking.binding(session, user)
    if standing is None:
        return f"{linking.named(user)} is linked with nobody."
    number = session.get_one(Person, standing.person_id).employee_number
    return f"{linking.named(user)} is linked with the employee {number}."


def _tell(context: Context, found: Preview) -> None:
    for title, pieces in (("would count", found.appears), ("would be void", found.voided)):
        context.say(f"{len(pieces)} pieces of evidence {title}")
        for piece in pieces:
            context.say(f"  {piece.number}: {piece.kind} {piece.object}, {piece.achieved_at:%Y-%m-%d}")
    for account, number in found.bound:
        context.say(f"The rules would bind {account} to {number}.")
    for moved in found.moves:
        context.say(f"{moved.number}, {moved.name}: {_standing(moved.before)} -> {_standing(moved.after)}")
    if not found.moves:
        context.say("No status would change.")


def _standing(standing: Standing | None) -> str:
    if standing is None:
        return "nothing"
    return standing.status + (f" until {standing.until:%Y-%m-%d}" if standing.until else "")


def _account(user: SourceUser) -> dict[str, Any]:
    names = ("username", "name", "idnumber", "email", "department", "unbound_reason")
    return {"source": user.source, "account": user.user_key, **{name: getattr(user, name) for name in names}}


def _binding(identity: Identity, person: Person, zone: Any) -> dict[str, Any]:
    moments = ("bound_at", "unbound_at", "valid_from", "valid_until")
    return {
        "employee_number": person.employee_number,
        "rule": identity.rule,
        **{name: _when(getattr(identity, name), zone) for name in moments},
    }


def _decided(act: LinkingAct, away: str | None, towards: str | None, zone: Any) -> dict[str, Any]:
    return {
        "at": _when(act.at, zone),
        "by": act.actor,
        "act": act.act,
        "from": away,
        "to": towards,
        "since": _when(act.since, zone),
        "reason": act.reason,
        "undone_at": _when(act.undone_at, zone),
        "undone_by": act.undone_by,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "employee_number": suggestion.number,
        "name": suggestion.name,
        "department": suggestion.department,
        "reasons": list(suggestion.reasons),
        "accounts": list(suggestion.accounts),
    }


def _when(moment: Any, zone: Any) -> str | None:
    return in_zone_iso(moment, zone) if moment is not None else None


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
