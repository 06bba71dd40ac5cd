"""The pages of the own account, of a lost password, and of the one-time link that sets a new one."""

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from plugin.accounts import (
    LINK_IS_SPENT,
    MINIMUM_PASSWORD,
    NOT_REPEATED,
    RESET_LASTS,
    AccountRefusedError,
    address_of,
    begin_reset,
    change_password,
    end_sessions,
    find_reset,
    has_password,
    may_ask_for_reset,
    may_go_on,
    use_reset,
)
from plugin.audit import record_act
from plugin.mail.queue import Draft, queue_mail
from plugin.models import Account, Person
from plugin.web import begin_session, end_session, installation, needs

ASKED_AN_HOUR = 10  # how often one network address may ask for a new password

blueprint = Blueprint("account", __name__)


@blueprint.route("/account")
@needs(None)
def own() -> ResponseReturnValue:
    """The reader's own account: roles, employee, language, password, sessions."""
    with installation().store.read() as unit:
        person = unit.get(Person, g.account.person_id) if g.account.person_id is not None else None
    return render_template("account.html", person=person, has_password=has_password(g.account))


@blueprint.route("/account/password", methods=["GET", "POST"])
@needs(None)
def password() -> ResponseReturnValue:
    """Change the own password; every other session of the account ends."""
    home = installation()
    refused = None
    if request.method == "POST":
        form, now = request.form, home.clock()
        try:
            with home.store.write() as unit:
                account = unit.get_one(Account, g.account.id, with_for_update=True)
                _check_repeated(form.get("new", ""), form.get("repeated", ""))
                changed = change_password(unit, account, form.get("old", ""), form.get("new", ""), now)
        except AccountRefusedError as error:
            refused = gettext(error.sentence, **error.values)
        else:
            if changed:
                begin_session(account, now)
                flash(gettext("Your password is changed. Wherever else you were signed in, you are signed out."), "ok")
                return redirect(url_for("account.own"))
            refused = gettext("The present password is not right, or the account is locked for some minutes.")
        flash(refused, "bad")
    return (
        render_template("password.html", least=MINIMUM_PASSWORD, first=g.account.must_change_password),
        422 if refused else 200,
    )


def _check_repeated(new: str, repeated: str) -> None:
    if new != repeated:
        raise AccountRefusedError(NOT_REPEATED)


@blueprint.route("/account/sign-out-everywhere", methods=["POST"])
@needs(None)
def sign_out_everywhere() -> ResponseReturnValue:
    """End every session of the own account, this one too."""
    home = installation()
    with home.store.write() as unit:
        account = unit.get_one(Account, g.account.id, with_for_update=True)
        end_sessions(account)
        record_act(
            unit,
            account.login,
            "account.end_sessions",
            f"account:{account.login}",
            home.clock(),
            person_id=account.person_id,
        )
    end_session()
    flash(gettext("You are signed out everywhere."), "ok")
    return redirect(url_for("plugin.sign_in"))


@blueprint.route("/forgot-password", methods=["GET", "POST"])
def forgot() -> ResponseReturnValue:
    """Send a one-time link to the account's address; the answer is the same whether or not there is such an account."""
    home = installation()
    if request.method == "POST" and home.settings.mail.enabled:
        now = home.clock()
        with home.store.write() as unit:
            allowed = may_go_on(unit, f"forgot:{request.remote_addr}", ASKED_AN_HOUR, RESET_LASTS, now)
            account = _account_called(unit, request.form.get("login", "").strip()) if allowed else None
            if account is not None and may_ask_for_reset(unit, account, now):
                send_link(unit, account, begin_reset(unit, account, "sign-in page", now))
        if not allowed:
            raise TooManyRequests
        return render_template("forgot.html", sent=True, mail=True)
    return render_template("forgot.html", sent=False, mail=home.settings.mail.enabled)


def _account_called(unit: Session, text: str) -> Account | None:
    """The one account of this login or address that has a password and an address for mail."""
    if not text:
        return None
    address = func.lower(func.coalesce(Account.email, Person.email))
    query = (
        select(Account)
        .outerjoin(Person, Person.id == Account.person_id)
        .where(or_(Account.login == text, address == text.lower()), Account.disabled_at.is_(None))
        .limit(2)
        .with_for_update(of=Account)
    )
    found = [account for account in unit.scalars(query) if has_password(account) and address_of(unit, account)]
    return found[0] if len(found) == 1 else None


def link_to(token: str) -> str:
    """The address of the page that a one-time link opens."""
    return installation().settings.web.public_url.rstrip("/") + url_for("account.reset_link", token=token)


def send_link(unit: Session, account: Account, token: str) -> None:
    """Queue the mail with the one-time link to the account's address."""
    home = installation()
    now = home.clock()
    draft = Draft(
        key=f"password_reset:{account.id}:{now.isoformat()}",
        recipient=address_of(unit, account) or "",
        template="password_reset",
        parameters={"login": account.login, "expires_at": now + RESET_LASTS},
        language=account.language,
        secrets={"link": link_to(token)},
        until=now + RESET_LASTS,
    )
    queue_mail(unit, draft, now, home.keys)


@blueprint.route("/reset-password/<token>")
def reset_link(token: str) -> ResponseReturnValue:
    """Take the one-time token out of the address, so that it stands in no history, and go on."""
    session["reset"] = token
    return redirect(url_for("account.reset"))


@blueprint.route("/reset-password", methods=["GET", "POST"])
def reset() -> ResponseReturnValue:
    """Set a new password by a one-time link."""
    home = installation()
    now, token, refused = home.clock(), session.get("reset", ""), False
    with home.store.read() as unit:
        login = find_reset(unit, token, now).login
    if request.method == "POST":
        try:
            with home.store.write() as unit:
                _check_repeated(request.form.get("new", ""), request.form.get("repeated", ""))
                use_reset(unit, token, request.form.get("new", ""), now)
        except AccountRefusedError as error:
            if error.sentence == LINK_IS_SPENT:
                raise
            refused = True
            flash(gettext(error.sentence, **error.values), "bad")
        else:
            end_session()
            flash(gettext("Your password is set. Please sign in with it."), "ok")
            return redirect(url_for("plugin.sign_in"))
    return render_template("reset.html", login=login, least=MINIMUM_PASSWORD), 422 if refused else 200
