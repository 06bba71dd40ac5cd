"""The kernel's pages: signing in and out, the language, the start page, the health check; the others are imported."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from plugin.account_controllers import blueprint as account_pages
from plugin.accounts import sign_in as check_sign_in
from plugin.api_controllers import blueprint as api_pages
from plugin.audit_controllers import blueprint as audit_pages
from plugin.mail_controllers import blueprint as mail_pages
from plugin.models import Account
from plugin.openid_controllers import blueprint as openid_pages
from plugin.operation_controllers import alerts_for_reader
from plugin.operation_controllers import blueprint as operation_pages
from plugin.privacy_controllers import blueprint as privacy_pages
from plugin.summaries import Summary, summarise
from plugin.user_controllers import blueprint as user_pages
from plugin.web import (
    LANGUAGES,
    MenuEntry,
    begin_session,
    end_session,
    installation,
    navigation,
    needs,
    right_of,
    same_origin_path,
    whole,
)

blueprint = Blueprint("plugin", __name__, template_folder="templates")

BLUEPRINTS = [
    blueprint,
    account_pages,
    user_pages,
    openid_pages,
    mail_pages,
    audit_pages,
    operation_pages,
    privacy_pages,
    api_pages,
]
MENU = [
    MenuEntry("Overview", "plugin.home", None),
    MenuEntry("My data", "privacy.own", "exports.do", personal=True, last=True),
    MenuEntry("Proposals to erase", "privacy.proposing", "erasures.propose", last=True),
    MenuEntry("Privacy", "privacy.overview", "erasures.see", last=True),
    MenuEntry("Operation", "operation.operation", "sync.see", last=True),
    MenuEntry("Mail", "mail.mails", "mail.see", last=True),
    MenuEntry("Users", "users.users", "users.see", last=True),
    MenuEntry("API tokens", "users.tokens", "users.see", last=True),
    MenuEntry("Audit trail", "audit.trail", "audit.see", last=True),
]

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
            begin_session(account, home.clock())
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
    end_session()
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
    """What there is: a few counts of every addon, for whoever may see everybody behind them; the others get links."""
    cards = [_card(summary) for summary in summarise(installation()) if _shown(summary)]
    links = [] if cards else [entry for entry in navigation() if entry.endpoint != "plugin.home"]
    return render_template("home.html", cards=cards, links=links, account=g.account, alerts=alerts_for_reader())


def _shown(summary: Summary) -> bool:
    """A count is about everybody: it is for whoever may see everybody on its page, or in the list of people."""
    right = "people.list" if summary.endpoint is None else right_of(summary.endpoint)
    return bool(right) and whole(str(right))


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
