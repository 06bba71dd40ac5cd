"""The pages of deliveries: messages by state, the attempts at each, sending one or many again."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from plugin.errors import N_, RefusedInWordsError
from plugin.paging import Paging
from plugin.web import MenuEntry, installation, needs
from webhooks import deliveries as messages
from webhooks import endpoints, wording
from webhooks.endpoint_controllers import blueprint as endpoint_pages
from webhooks.events_api import blueprint as events_api
from webhooks.inbound_api import blueprint as inbound_api
from webhooks.models import STATES
from webhooks.promotions_api import blueprint as promotions_api
from webhooks.schemas_api import blueprint as schemas_api

SAY_WHICH = N_("Say of which endpoint or of which time what arrived is to be sent again.")
NO_MOMENT = N_("%(text)s is no moment; write for instance 2026-11-23T10:00.")

blueprint = Blueprint("webhooks", __name__, template_folder="templates")

BLUEPRINTS = [blueprint, endpoint_pages, promotions_api, inbound_api, events_api, schemas_api]
MENU = [
    MenuEntry("Endpoints", "endpoints.listing", "deliveries.see"),
    MenuEntry("Deliveries", "webhooks.deliveries", "deliveries.see"),
]


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"delivery_words": wording}


@blueprint.route("/deliveries")
@needs("deliveries.see")
def deliveries() -> ResponseReturnValue:
    """The messages by state, endpoint and person; who may send them again finds the form for many."""
    return _deliveries_page(200)


def _deliveries_page(status: int) -> ResponseReturnValue:
    state = request.args.get("state")
    state = state if state in STATES else None
    person = request.args.get("person", "").strip() or None
    with installation().store.read() as session:
        names = [endpoint.name for endpoint in endpoints.every(session)]
        name = request.args.get("endpoint")
        name = name if name in names else None
        paging = Paging.of(messages.total(session, state=state, endpoint=name, person=person))
        shown = messages.listing(
            session, state=state, endpoint=name, person=person, offset=paging.offset, limit=paging.size
        )
        counts = messages.counts(session)
    page = render_template(
        "webhooks/deliveries.html",
        names=names,
        counts=counts,
        deliveries=shown,
        paging=paging,
        chosen={"state": state, "endpoint": name, "person": person or ""},
    )
    return page, status


@blueprint.route("/deliveries/replay", methods=["POST"])
@needs("deliveries.replay")
def replay() -> ResponseReturnValue:
    """Send many messages again: those of an endpoint, of a stretch of time, what was given up or what arrived too."""
    home, form = installation(), request.form
    zone = home.settings.organisation.zone
    try:
        since, until = (_moment(form.get(name, ""), zone) for name in ("since", "until"))
        chosen = messages.Range(form.get("endpoint") or None, since, until, delivered="delivered" in form)
        if chosen.delivered and not (chosen.endpoint or since or until):
            raise RefusedInWordsError(SAY_WHICH)
        with home.store.write() as session:
            done = messages.replay_range(session, chosen, g.account.login, home.clock())
    except RefusedInWordsError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return _deliveries_page(422)
    home.wake("events_appended")
    flash(
        gettext(
            "Messages due again: %(again)s. Left out, as newer ones have been delivered: %(left_out)s.",
            again=done.again,
            left_out=done.left_out,
        ),
        "ok",
    )
    return redirect(url_for("webhooks.deliveries"))


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """What a field for a date and a time holds, in the organisation's time zone; None for an empty one."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise RefusedInWordsError(NO_MOMENT, text=text.strip()) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


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
