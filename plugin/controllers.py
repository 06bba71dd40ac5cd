"""The kernel's pages: signing in and out, the language, the start page, and the health check."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from plugin.accounts import sign_in as check_sign_in
from plugin.models import Account
from plugin.roles import RIGHTS
from plugin.summaries import Summary, summarise
from plugin.web import LANGUAGES, MenuEntry, installation, may, needs, opens, same_origin_path

blueprint = Blueprint("plugin", __name__, template_folder="templates")

BLUEPRINTS = [blueprint]
MENU = [MenuEntry("Overview", "plugin.home", None)]

COUNTED = (lazy_gettext("employed"), lazy_gettext("left"))  # words of plugin.counts, for the catalogues


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for login and password; afterwards go where the reader wanted to go."""
    target = same_origin_path(request.args.get("next"))
    if request.method == "POST":
        home = installation()
        with home.store.write() as unit:
            account = check_sign_in(unit, request.form.get("login", ""), request.form.get("password", ""), home.clock())
        if account is not None:
            language = session.get("language") or account.language
            session.clear()
            session.permanent = True
            session["account"] = account.id
            if language:
                session["language"] = language
            return redirect(target or url_for("plugin.home"))
        flash(
            gettext("Login and password do not fit, or the account is locked for some minutes. Please try again."),
            "bad",
        )
    return render_template("sign_in.html"), 422 if request.method == "POST" else 200


@blueprint.route("/sign-out", methods=["POST"])
@needs(None)
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.pop("account", None)
    return redirect(url_for("plugin.sign_in"))


@blueprint.route("/language", methods=["POST"])
def language() -> ResponseReturnValue:
    """Change the reader's language and go back to the page; an account keeps it for the next time."""
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
        if g.account is not None:
            with installation().store.write() as unit:
                account = unit.get_one(Account, g.account.id)
                account.language = request.form["language"]
    return redirect(same_origin_path(request.form.get("next")) or url_for("plugin.home"))


@blueprint.route("/")
@needs(None)
def home() -> ResponseReturnValue:
    """What there is: a few counts of every addon, as far as the reader's roles open the pages behind them."""
    cards = [_card(summary) for summary in summarise(installation()) if _shown(summary)]
    return render_template("home.html", cards=cards, account=g.account)


def _shown(summary: Summary) -> bool:
    """A count is for whoever may open its page; one without a page is for everybody with a right to anything."""
    if summary.endpoint is None:
        return any(may(right) for right in RIGHTS)
    return opens(summary.endpoint)


def _card(summary: Summary) -> dict[str, object]:
    return {
        "title": gettext(summary.title),
        "count": summary.count,
        "parts": [(gettext(name), count) for name, count in summary.parts.items()],
        "url": url_for(summary.endpoint) if summary.endpoint else None,
    }


@blueprint.route("/health")
def health() -> Response:
    """For a load balancer: 200 when the store answers."""
    installation().store.check()
    return Response("ok\n", mimetype="text/plain")
