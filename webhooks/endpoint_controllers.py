"""The pages of endpoints: how each stands, adding one, changing it, trying it, new keys, switching it off and on."""

from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from plugin.errors import CertBridgeError, DeliveryError, NotFoundError, RefusedError, RefusedInWordsError
from plugin.web import installation, needs
from webhooks import deliveries as messages
from webhooks import endpoints, keys
from webhooks import wording as words
from webhooks.alerts import usual_silence
from webhooks.models import DEAD
from webhooks.settings import WebhooksSettings
from webhooks.target import DELIVERED, kinds
from webhooks.tasks import courier

blueprint = Blueprint("endpoints", __name__, template_folder="templates")


@blueprint.route("/endpoints")
@needs("deliveries.see")
def listing() -> ResponseReturnValue:
    """Every endpoint and how it stands; who may add one finds the form."""
    return _listing_page(200)


def _listing_page(status: int) -> ResponseReturnValue:
    home = installation()
    now = home.clock()
    with home.store.read() as session:
        found = endpoints.every(session)
        waiting = endpoints.waiting_counts(session)
    return (
        render_template(
            "webhooks/endpoints.html",
            endpoints=[(endpoint, endpoints.state_of(endpoint, now)) for endpoint in found],
            waiting=waiting,
            choices=_choices(),
        ),
        status,
    )


def _choices() -> dict[str, Any]:
    """What the forms offer."""
    return {"types": endpoints.TYPES, "schemes": keys.SCHEMES, "kinds": list(kinds(installation()))}


@blueprint.route("/endpoints", methods=["POST"])
@needs("endpoints.do")
def add() -> ResponseReturnValue:
    """Add an endpoint; the secret that its receiver needs is shown this once."""
    form, home = request.form, installation()
    name = form.get("name", "").strip()
    try:
        with home.store.write() as session:
            secret = endpoints.add_endpoint(
                session,
                _kinds(),
                name=name,
                url=form.get("url", "").strip(),
                kind=form.get("kind") or endpoints.STANDARD,
                types=_types(),
                scheme=form.get("scheme") or keys.V1,
                full="full" in form,
                rate=_rate(),
                backfill=endpoints.SKIP if "skip" in form else endpoints.SEND,
                actor=g.account.login,
                now=home.clock(),
            )
    except (RefusedError, DeliveryError) as error:
        flash(_said(error), "bad")
        return _listing_page(422)
    if secret is None:
        flash(gettext("The endpoint %(name)s is added. Try it with a test message.", name=name), "ok")
        return redirect(url_for("endpoints.one", name=name))
    return _shown_once(gettext("The endpoint %(name)s is added", name=name), name, secret)


def _shown_once(title: str, name: str, secret: str) -> str:
    return render_template(
        "shown_once.html",
        title=title,
        text=gettext("With this secret the receiver verifies what is signed. Hand it over; it is not shown again."),
        secret=secret,
        back=url_for("endpoints.one", name=name),
    )


def _kinds() -> endpoints.Kinds:
    home = installation()
    return endpoints.Kinds(kinds(home), home.settings, home.keys)


def _types() -> list[str]:
    """The types that the form names; every one, or none, means all there are and will be."""
    chosen = [name for name in endpoints.TYPES if name in request.form.getlist("type")]
    return [] if len(chosen) == len(endpoints.TYPES) else chosen


def _rate() -> float:
    """The rate that the form names; 0 where it names none. Raises RefusedInWordsError."""
    text = request.form.get("rate", "").strip()
    try:
        return float(text or 0)
    except ValueError:
        return float("nan")  # which is refused like any other rate that makes no sense


def _said(error: CertBridgeError) -> str:
    if isinstance(error, RefusedInWordsError):
        return str(gettext(error.sentence, **error.values))
    return str(error)


@blueprint.route("/endpoints/<name>")
@needs("deliveries.see")
def one(name: str) -> ResponseReturnValue:
    """One endpoint: what it gets, how it stands, and what can be done with it."""
    return _page_of(name, 200)


def _page_of(name: str, status: int) -> ResponseReturnValue:
    home = installation()
    now = home.clock()
    with home.store.read() as session:
        endpoint = endpoints.find(session, name)
        waiting = endpoints.waiting_counts(session).get(endpoint.id, 0)
        dead = messages.total(session, state=DEAD, endpoint=name)
    own = home.settings.section("webhooks", WebhooksSettings)
    return (
        render_template(
            "webhooks/endpoint.html",
            endpoint=endpoint,
            state=endpoints.state_of(endpoint, now),
            waiting=waiting,
            dead=dead,
            now=now,
            disables_at=endpoint.failing_since + own.patience if endpoint.failing_since else None,
            usual=usual_silence(endpoint, now),
            hours=round(own.both_keys.total_seconds() / 3600),
            choices=_choices(),
        ),
        status,
    )


@blueprint.route("/endpoints/<name>/<act>", methods=["POST"])
@needs("endpoints.do")
def act(name: str, act: str) -> ResponseReturnValue:
    """Do one thing with an endpoint: test, disable, enable, change or rotate."""
    if act not in _ACTS:
        abort(404)
    try:
        return _ACTS[act](name)
    except NotFoundError:
        raise
    except CertBridgeError as error:
        flash(_said(error), "bad")
        return _page_of(name, 422)


def _test(name: str) -> ResponseReturnValue:
    answer, took = endpoints.test(courier(installation()), name, g.account.login)
    said = f"{words.reason(answer.reason)} ({took.total_seconds() * 1000:.0f} ms)"
    flash(said, "ok" if answer.outcome == DELIVERED else "bad")
    return redirect(url_for("endpoints.one", name=name))


def _disable(name: str) -> ResponseReturnValue:
    home = installation()
    why = request.form.get("reason", "").strip()
    if not why:
        raise RefusedInWordsError(endpoints.SAY_WHY)
    with home.store.write() as session:
        endpoints.disable(session, name, why[:1000], g.account.login, home.clock())
    flash(gettext("The endpoint is disabled; its messages wait until it is enabled again."), "ok")
    return redirect(url_for("endpoints.one", name=name))


def _enable(name: str) -> ResponseReturnValue:
    home = installation()
    with home.store.write() as session:
        endpoints.enable(session, name, g.account.login, home.clock())
    home.wake("events_appended")
    flash(gettext("The endpoint is enabled; what waited is sent within moments."), "ok")
    return redirect(url_for("endpoints.one", name=name))


def _change(name: str) -> ResponseReturnValue:
    home = installation()
    form = request.form
    changes = endpoints.Changes(
        url=form.get("url", "").strip(),
        types=_types(),
        full="full" in form,
        rate=_rate(),
        backfill=endpoints.SKIP if "skip" in form else endpoints.SEND,
    )
    with home.store.write() as session:
        done = endpoints.change(session, _kinds(), name, changes, g.account.login, home.clock())
    flash(gettext("The endpoint is changed.") if done else gettext("The endpoint is so already."), "ok")
    return redirect(url_for("endpoints.one", name=name))


def _rotate(name: str) -> ResponseReturnValue:
    home = installation()
    with home.store.write() as session:
        secret = endpoints.rotate(
            session,
            _kinds(),
            name,
            scheme=request.form.get("scheme") or None,
            at_once="at_once" in request.form,
            actor=g.account.login,
            now=home.clock(),
        )
    if secret is None:
        flash(gettext("The endpoint has a new key; the public one stands below."), "ok")
        return redirect(url_for("endpoints.one", name=name))
    return _shown_once(gettext("A new secret for the endpoint %(name)s", name=name), name, secret)


_ACTS = {"test": _test, "disable": _disable, "enable": _enable, "change": _change, "rotate": _rotate}
