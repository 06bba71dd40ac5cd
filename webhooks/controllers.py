"""The page of deliveries: endpoints and how they stand, messages by state, the attempts at each, sending again."""

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from plugin.paging import Paging
from plugin.web import MenuEntry, installation, needs
from webhooks import deliveries as messages
from webhooks import endpoints, wording
from webhooks.models import STATES
from webhooks.promotions_api import blueprint as promotions_api

blueprint = Blueprint("webhooks", __name__, template_folder="templates")

BLUEPRINTS = [blueprint, promotions_api]
MENU = [MenuEntry("Deliveries", "webhooks.deliveries", "deliveries.see")]


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"delivery_words": wording}


@blueprint.route("/deliveries")
@needs("deliveries.see")
def deliveries() -> ResponseReturnValue:
    """Every endpoint, and the messages by state and endpoint."""
    state = request.args.get("state")
    state = state if state in STATES else None
    with installation().store.read() as session:
        found = endpoints.every(session)
        name = request.args.get("endpoint")
        name = name if name in {endpoint.name for endpoint in found} else None
        paging = Paging.of(messages.total(session, state=state, endpoint=name))
        shown = messages.listing(session, state=state, endpoint=name, offset=paging.offset, limit=paging.size)
        waiting = endpoints.waiting_counts(session)
    return render_template(
        "webhooks/deliveries.html",
        endpoints=found,
        waiting=waiting,
        deliveries=shown,
        paging=paging,
        chosen={"state": state, "endpoint": name},
    )


@blueprint.route("/deliveries/<int:message_id>")
@needs("deliveries.see")
def delivery(message_id: int) -> ResponseReturnValue:
    """One message and every attempt at it."""
    with installation().store.read() as session:
        found, attempts = messages.one(session, message_id)
    return render_template("webhooks/delivery.html", delivery=found, attempts=attempts)


@blueprint.route("/deliveries/<int:message_id>/retry", methods=["POST"])
@needs("deliveries.replay")
def retry(message_id: int) -> ResponseReturnValue:
    """Send one message again."""
    home = installation()
    with home.store.write() as session:
        messages.retry(session, message_id, g.account.login, home.clock())
    home.wake("events_appended")
    flash(gettext("The message is due now and will be sent within moments."), "ok")
    return redirect(url_for("webhooks.delivery", message_id=message_id))
