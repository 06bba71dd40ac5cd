"""Signing in at the OpenID provider: going there, and coming back."""

import secrets
from dataclasses import asdict
from datetime import timedelta

from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from plugin.accounts import enter, set_roles
from plugin.audit import record_act
from plugin.openid import DECLINED, NOT_BEGUN, Attempt, OpenIdError, Provider, account_of, name_of, roles_of
from plugin.web import begin_session, installation, same_origin_path

ATTEMPT_LASTS = timedelta(minutes=10)

blueprint = Blueprint("openid", __name__)


def _provider() -> Provider:
    """The provider that config.toml names; 404 when it names none."""
    home = installation()
    if not home.settings.sign_in.issuer:
        abort(404)
    found: Provider = current_app.extensions.setdefault(
        "certbridge_openid", Provider(home.settings.sign_in, home.settings.folder)
    )
    return found


def _redirect_uri() -> str:
    return installation().settings.web.public_url.rstrip("/") + url_for("openid.callback")


@blueprint.route("/sign-in/openid")
def begin() -> ResponseReturnValue:
    """Send the browser to the provider."""
    now = installation().clock()
    url, attempt = _provider().begin(_redirect_uri(), now)
    session["openid"] = {
        "attempt": asdict(attempt),
        "at": int(now.timestamp()),
        "next": same_origin_path(request.args.get("next")),
    }
    return redirect(url)


@blueprint.route("/sign-in/openid/callback")
def callback() -> ResponseReturnValue:
    """The browser comes back: check what it brings, find the account, begin a session."""
    home = installation()
    now, settings = home.clock(), home.settings.sign_in
    provider = _provider()
    begun = session.pop("openid", None)
    if (
        begun is None
        or not secrets.compare_digest(begun["attempt"]["state"], request.args.get("state", ""))
        or now.timestamp() - begun["at"] > ATTEMPT_LASTS.total_seconds()
        or request.args.get("iss", settings.issuer) != settings.issuer
    ):
        raise OpenIdError(NOT_BEGUN)
    code = request.args.get("code")
    if not code:
        raise OpenIdError(DECLINED)
    claims = provider.finish(code, Attempt(**begun["attempt"]), _redirect_uri(), now)
    name, roles = name_of(claims, settings), roles_of(claims, settings)
    with home.store.write() as unit:
        account = account_of(unit, claims, settings, now)
        why = (
            "unknown"
            if account is None
            else "disabled"
            if account.disabled_at is not None
            else "no role"
            if settings.roles and not roles
            else None
        )
        if account is None or why is not None:
            about = {"issuer": settings.issuer, "subject": claims["sub"], "why": why}
            subject = f"account:{account.login}" if account else f"user:{name}"
            person_id = account.person_id if account else None
            record_act(unit, f"user:{name}", "sign_in.refused", subject, now, after=about, person_id=person_id)
        else:
            if settings.roles:
                set_roles(unit, account, roles, f"provider:{settings.issuer}", now, keep_one=False)
            enter(account, now)
    if account is None or why is not None:
        return render_template("unknown_user.html", name=name, subject=claims["sub"], why=why), 403
    begin_session(account, now, by_provider=True)
    return redirect(begun["next"] or url_for("plugin.home"))
