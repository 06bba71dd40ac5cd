"""The kernel's pages: signing in and out, the language, the start page, and the health check."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from plugin.accounts import sign_in as check_sign_in
from plugin.summaries import summarise
from plugin.web import LANGUAGES, MenuEntry, installation, needs, same_origin_path

blueprint = Blueprint("plugin", __name__, template_folder="templates")

BLUEPRINTS = [blueprint]
MENU = [MenuEntry("Overview", "plugin.home", None)]


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for login and password; afterwards go where the reader wanted to go."""
    target = same_origin_path(request.args.get("next"))
    if request.method == "POST":
        home = installation()
        with home.store.write() as unit:
            account = check_sign_in(unit, request.form.get("login", ""), request.form.get("password", ""), home.clock())
        if account is not None:
            language = session.get("language")
            session.clear()
            session.permanent = True
            session["account"] = account.id
            if language:
                session["language"] = language
            return redirect(target or url_for("plugin.home"))
        flash(gettext("Login and password do not fit, or the account is locked for some minutes. Please try again."))
    return render_template("sign_in.html"), 422 if request.method == "POST" else 200


@blueprint.route("/sign-out", methods=["POST"])
@needs(None)
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.pop("account", None)
    return redirect(url_for("plugin.sign_in"))


@blueprint.route("/language", methods=["POST"])
def language() -> ResponseReturnValue:
    """Change the reader's language and go back to the page."""
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
    return redirect(same_origin_path(request.form.get("next")) or url_for("plugin.home"))


@blueprint.route("/")
@needs(None)
def home() -> ResponseReturnValue:
    """What there is: a few counts of every addon."""
    return render_template("home.html", summaries=summarise(installation()), account=g.account)


@blueprint.route("/health")
def health() -> Response:
    """For a load balancer: 200 when the store answers."""
    installation().store.check()
    return Response("ok\n", mimetype="text/plain")
