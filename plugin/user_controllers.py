"""The pages of users and API tokens: who may sign in, with which roles; which programs may call the API."""

from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from plugin import accounts
from plugin.account_controllers import link_to, send_link
from plugin.accounts import AccountRefusedError
from plugin.audit import record_act
from plugin.models import Account, ApiToken, Person, SignInLink
from plugin.paging import Paging
from plugin.roles import ROLES
from plugin.web import installation, known_scopes, needs

ROLE_NAMES = {
    "administrator": lazy_gettext("administrator"),
    "operator": lazy_gettext("operator"),
    "coordinator": lazy_gettext("coordinator"),
    "assessor": lazy_gettext("assessor"),
    "hr": lazy_gettext("HR"),
    "manager": lazy_gettext("manager"),
    "employee": lazy_gettext("employee"),
    "auditor": lazy_gettext("auditor"),
}
LONGEST_DAYS = 3650

blueprint = Blueprint("users", __name__)


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"role_names": ROLE_NAMES}


@blueprint.route("/users")
@needs("users.see")
def users() -> ResponseReturnValue:
    """Every account, with its roles, the employee that it is, and how it stands."""
    search = request.args.get("search", "").strip()
    query = select(Account, Person).outerjoin(Person, Person.id == Account.person_id)
    if search:
        fields = (Account.login, Person.name, Person.employee_number)
        query = query.where(or_(*(field.icontains(search, autoescape=True) for field in fields)))
    home = installation()
    with home.store.read() as unit:
        counted = query.with_only_columns(Account.id).subquery()
        paging = Paging.of(unit.scalar(select(func.count()).select_from(counted)) or 0)
        rows = unit.execute(query.order_by(Account.login).offset(paging.offset).limit(paging.size)).all()
    return render_template(
        "users.html", rows=rows, paging=paging, search=search, now=home.clock(), has_password=accounts.has_password
    )


@blueprint.route("/users/new", methods=["GET", "POST"])
@needs("users.do")
def new_user() -> ResponseReturnValue:
    """Create an account; its first password is shown once and must be changed at the first sign-in."""
    form, home = request.form, installation()
    if request.method == "GET":
        return render_template("new_user.html", roles=ROLES, chosen=[])
    login, now, made = form.get("login", "").strip(), home.clock(), accounts.first_password()
    by_provider = bool(home.settings.sign_in.issuer) and form.get("password") == "none"
    try:
        with home.store.write() as unit:
            password = None if by_provider else made
            account = accounts.create_account(unit, login, password, _chosen_roles(), now)
            account.must_change_password = not by_provider
            account.email = form.get("email", "").strip() or None
            unit.flush()
            number, act = form.get("number", "").strip(), {"roles": account.roles}
            whose = accounts.person_of(unit, number)
            person_id = whose.id if whose is not None else None
            record_act(unit, g.account.login, "account.create", f"account:{login}", now, after=act, person_id=person_id)
            accounts.set_person(unit, account, number, g.account.login, now)
    except AccountRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return render_template("new_user.html", roles=ROLES, chosen=_chosen_roles()), 422
    back = url_for("users.user", account_id=account.id)
    if by_provider:
        flash(gettext("The account is created."), "ok")
        return redirect(back)
    return render_template(
        "shown_once.html",
        title=gettext("The account %(login)s is created", login=login),
        text=gettext("This is its first password. Hand it over; it must be changed at the first sign-in."),
        secret=made,
        back=back,
    )


def _chosen_roles() -> list[str]:
    return [role for role in ROLES if role in request.form.getlist("role")]


@blueprint.route("/users/<int:account_id>")
@needs("users.see")
def user(account_id: int) -> ResponseReturnValue:
    """One account, and what can be done with it."""
    home = installation()
    with home.store.read() as unit:
        account = _account(unit, account_id, lock=False)
        person = unit.get(Person, account.person_id) if account.person_id is not None else None
        links = unit.scalars(select(SignInLink).where(SignInLink.account_id == account_id)).all()
    return render_template(
        "user.html",
        account=account,
        person=person,
        links=links,
        roles=ROLES,
        locked=accounts.is_locked(account, home.clock()),
        has_password=accounts.has_password(account),
        by_groups=bool(home.settings.sign_in.issuer and home.settings.sign_in.roles),
    )


def _account(unit: Session, account_id: int, *, lock: bool = True) -> Account:
    return unit.get(Account, account_id, with_for_update=lock) or abort(404)


def _set_roles(unit: Session, account: Account) -> str:
    accounts.set_roles(unit, account, _chosen_roles(), g.account.login, installation().clock(), _reason())
    return str(gettext("The roles are saved."))


def _link(unit: Session, account: Account) -> str:
    actor, now = g.account.login, installation().clock()
    accounts.set_person(unit, account, request.form.get("number", "").strip(), actor, now, _reason())
    accounts.set_email(unit, account, request.form.get("email", "").strip(), actor, now, _reason())
    return str(gettext("The employee and the address are saved."))


def _disable(unit: Session, account: Account) -> str:
    accounts.disable(unit, account, g.account.login, installation().clock(), _reason())
    return str(gettext("The account is disabled, and signed out everywhere."))


def _enable(unit: Session, account: Account) -> str:
    accounts.enable(unit, account, g.account.login, installation().clock(), _reason())
    return str(gettext("The account is enabled."))


def _unlock(unit: Session, account: Account) -> str:
    accounts.unlock(unit, account, g.account.login, installation().clock(), _reason())
    return str(gettext("The account is unlocked."))


def _reason() -> str | None:
    return request.form.get("reason", "").strip()[:1000] or None


ACTS: dict[str, Callable[[Session, Account], str]] = {
    "roles": _set_roles,
    "link": _link,
    "disable": _disable,
    "enable": _enable,
    "unlock": _unlock,
}


@blueprint.route("/users/<int:account_id>/<any(roles, link, disable, enable, unlock):act>", methods=["POST"])
@needs("users.do")
def change_user(account_id: int, act: str) -> ResponseReturnValue:
    """Do one of ACTS to the account."""
    try:
        with installation().store.write() as unit:
            done = ACTS[act](unit, _account(unit, account_id))
    except AccountRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
    else:
        flash(done, "ok")
    return redirect(url_for("users.user", account_id=account_id))


@blueprint.route("/users/<int:account_id>/reset", methods=["POST"])
@needs("users.do")
def reset_user(account_id: int) -> ResponseReturnValue:
    """Make a one-time link that sets a new password: mailed where that can be done, else shown this once."""
    home = installation()
    back = url_for("users.user", account_id=account_id)
    try:
        with home.store.write() as unit:
            account = _account(unit, account_id)
            token = accounts.begin_reset(unit, account, g.account.login, home.clock(), _reason())
            address = accounts.address_of(unit, account) if home.settings.mail.enabled else None
            if address:
                send_link(unit, account, token)
    except AccountRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return redirect(back)
    if address:
        flash(gettext("A link that sets a new password is on its way to %(address)s.", address=address), "ok")
        return redirect(back)
    return render_template(
        "shown_once.html",
        title=gettext("A new password for %(login)s", login=account.login),
        text=gettext("With this link a new password is set. Hand it over; it works once, and for an hour."),
        secret=link_to(token),
        back=back,
    )


@blueprint.route("/tokens")
@needs("users.see")
def tokens() -> ResponseReturnValue:
    """Every API token: what it opens, until when, and when it was last used."""
    return _tokens_page(200)


def _tokens_page(status: int) -> ResponseReturnValue:
    home = installation()
    now = home.clock()
    with home.store.read() as unit:
        found = unit.scalars(select(ApiToken).order_by(ApiToken.revoked_at.is_not(None), ApiToken.name)).all()
    return (
        render_template(
            "tokens.html",
            tokens=[(token, accounts.stands(token, now)) for token in found],
            scopes=known_scopes(),
            chosen=request.form.getlist("scope"),
            longest=LONGEST_DAYS,
        ),
        status,
    )


@blueprint.route("/tokens", methods=["POST"])
@needs("users.do")
def new_token() -> ResponseReturnValue:
    """Create a token; it is shown this once."""
    form, home = request.form, installation()
    name, now = form.get("name", "").strip(), home.clock()
    scopes = [scope for scope in known_scopes() if scope in form.getlist("scope")]
    days = form.get("days", type=int)
    lasts = timedelta(days=days) if days and 0 < days <= LONGEST_DAYS else None
    try:
        with home.store.write() as unit:
            made = accounts.create_token(unit, name, scopes, now, lasts, g.account.login)
            act = {"scopes": scopes, "days": lasts.days if lasts else None}
            record_act(unit, g.account.login, "token.create", f"token:{name}", now, after=act)
    except AccountRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return _tokens_page(422)
    return render_template(
        "shown_once.html",
        title=gettext("The token %(name)s is created", name=name),
        text=gettext("This is the token. Give it to the program that calls the API; it is not kept here."),
        secret=made,
        back=url_for("users.tokens"),
    )


@blueprint.route("/tokens/<int:token_id>/revoke", methods=["POST"])
@needs("users.do")
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Let a token open nothing any more."""
    home = installation()
    with home.store.write() as unit:
        found = unit.get(ApiToken, token_id) or abort(404)
        accounts.revoke_token(unit, found.name, g.account.login, home.clock(), _reason())
    flash(gettext("The token %(name)s is revoked.", name=found.name), "ok")
    return redirect(url_for("users.tokens"))
