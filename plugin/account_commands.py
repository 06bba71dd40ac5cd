"""`certbridge account` and `certbridge token`: what administrators do on the pages of users and tokens."""

from typing import Any

import click
from sqlalchemy import select

from plugin import accounts
from plugin.cli import Context, actor, pass_context
from plugin.errors import RefusedError
from plugin.models import Account, ApiToken, Person
from plugin.roles import ROLES

FORMATS = click.Choice(["table", "json"])
reason_option = click.option("--reason", help="Why; it stands in the audit trail.")


def register(cli: click.Group) -> None:
    """Add to the groups `account` and `token`."""
    for name, commands in {
        "account": (list_accounts, set_roles, disable, enable, unlock, reset, link),
        "token": (list_tokens, revoke),
    }.items():
        group = cli.commands[name]
        assert isinstance(group, click.Group)
        for command in commands:
            group.add_command(command)


@click.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_accounts(context: Context, form: str) -> None:
    """Every account: roles, employee, state."""
    home = context.installation
    now = home.clock()
    with home.store.read() as session:
        query = select(Account, Person).outerjoin(Person, Person.id == Account.person_id).order_by(Account.login)
        rows: list[dict[str, Any]] = [
            {
                "login": account.login,
                "roles": account.roles,
                "employee_number": person.employee_number if person else None,
                "state": _state(account, accounts.is_locked(account, now)),
                "last_signed_in_at": account.last_signed_in_at.isoformat() if account.last_signed_in_at else None,
            }
            for account, person in session.execute(query)
        ]
    if form == "json":
        context.say_json(rows)
        return
    for row in rows:
        employee = row["employee_number"] or "-"
        context.say(f"{row['login']:24} {employee:12} {row['state']:16} {', '.join(row['roles'])}")


def _state(account: Account, locked: bool) -> str:
    if account.disabled_at is not None:
        return "disabled"
    if locked:
        return "locked"
    return "first password" if account.must_change_password else "in use"


@click.command("roles")
@click.argument("login")
@click.argument("roles", metavar="ROLE...", nargs=-1, required=True, type=click.Choice(ROLES))
@reason_option
@pass_context
def set_roles(context: Context, login: str, roles: tuple[str, ...], reason: str | None) -> None:
    """Give the account LOGIN these roles and no others."""
    home = context.installation
    with home.store.write() as session:
        accounts.set_roles(session, accounts.find_account(session, login), roles, actor(), home.clock(), reason)
    context.say(f"{login} has the roles {', '.join(roles)}.")


@click.command("disable")
@click.argument("login")
@reason_option
@pass_context
def disable(context: Context, login: str, reason: str | None) -> None:
    """Let the account LOGIN sign in no more, and end its sessions."""
    home = context.installation
    with home.store.write() as session:
        accounts.disable(session, accounts.find_account(session, login), actor(), home.clock(), reason)
    context.say(f"{login} is disabled, and signed out everywhere.")


@click.command("enable")
@click.argument("login")
@reason_option
@pass_context
def enable(context: Context, login: str, reason: str | None) -> None:
    """Let the account LOGIN sign in again."""
    home = context.installation
    with home.store.write() as session:
        accounts.enable(session, accounts.find_account(session, login), actor(), home.clock(), reason)
    context.say(f"{login} is enabled.")


@click.command("unlock")
@click.argument("login")
@reason_option
@pass_context
def unlock(context: Context, login: str, reason: str | None) -> None:
    """End the lock that wrong passwords have brought the account LOGIN."""
    home = context.installation
    with home.store.write() as session:
        accounts.unlock(session, accounts.find_account(session, login), actor(), home.clock(), reason)
    context.say(f"{login} is unlocked.")


@click.command("reset")
@click.argument("login")
@reason_option
@pass_context
def reset(context: Context, login: str, reason: str | None) -> None:
    """Print a link that sets a new password for the account LOGIN, once, within an hour."""
    home = context.installation
    with home.store.write() as session:
        account = accounts.find_account(session, login)
        token = accounts.begin_reset(session, account, actor(), home.clock(), reason)
    click.echo(f"{home.settings.web.public_url.rstrip('/')}/reset-password/{token}")


@click.command("link")
@click.argument("login")
@click.argument("employee_number", metavar="[EMPLOYEE]", required=False)
@click.option("--none", "nobody", is_flag=True, help="The account is no employee's.")
@reason_option
@pass_context
def link(context: Context, login: str, employee_number: str | None, nobody: bool, reason: str | None) -> None:
    """Say that the account LOGIN is the employee EMPLOYEE, or nobody."""
    if (employee_number is None) != nobody:
        raise RefusedError("Name the employee number, or --none.")
    home = context.installation
    with home.store.write() as session:
        account = accounts.find_account(session, login)
        accounts.set_person(session, account, employee_number, actor(), home.clock(), reason)
    context.say(f"{login} is {'no employee' if nobody else f'the employee {employee_number}'}.")


@click.command("list")
@click.option("--format", "form", type=FORMATS, default="table")
@pass_context
def list_tokens(context: Context, form: str) -> None:
    """Every token: scopes, expiry, last use. The tokens themselves are not kept."""
    home = context.installation
    now = home.clock()
    with home.store.read() as session:
        found = session.scalars(select(ApiToken).order_by(ApiToken.name)).all()
    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "scopes": row.scopes,
            "state": "in use" if accounts.stands(row, now) else "revoked" if row.revoked_at else "expired",
            "created_at": row.created_at.isoformat(),
            "created_by": row.created_by,
            "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            "last_used_at": row.last_used_at.isoformat() if row.last_used_at else None,
        }
        for row in found
    ]
    if form == "json":
        context.say_json(rows)
        return
    for row in rows:
        expires, used = row["expires_at"] or "never expires", row["last_used_at"] or "never used"
        context.say(f"{row['name']:24} {row['state']:8} {expires:26} {used:26} {', '.join(row['scopes'])}")


@click.command("revoke")
@click.argument("name")
@reason_option
@pass_context
def revoke(context: Context, name: str, reason: str | None) -> None:
    """Let the token NAME open nothing any more."""
    home = context.installation
    with home.store.write() as session:
        accounts.revoke_token(session, name, actor(), home.clock(), reason)
    context.say(f"The token {name} is revoked.")
