"""The page of reminders: who was told when that a certification ends or is due, and whom no mail could reach."""

from datetime import timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from sqlalchemy import func, select

from metrics import reminder_listing
from metrics.explained import duration
from metrics.reminder_moments import DUTY
from metrics.reminders import NO_ADDRESS, OUTCOMES, QUEUED
from metrics.words import certification_names
from plugin.paging import Paging
from plugin.web import about, installation, language, needs

blueprint = Blueprint("reminders", __name__, template_folder="templates")

LATELY = timedelta(days=30)
WORDS = {QUEUED: lazy_gettext("by mail"), NO_ADDRESS: lazy_gettext("no address")}


@blueprint.route("/reminders")
@needs("awards.see")
def reminders() -> ResponseReturnValue:
    """The reminders, the newest first."""
    home = installation()
    filters = {name: request.args.get(name, "").strip() for name in ("search", "certification", "outcome")}
    if filters["outcome"] not in OUTCOMES:
        filters["outcome"] = ""
    seen = about("awards.see")
    with home.store.read() as session:
        query = reminder_listing.listed(filters, seen)
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0)
        rows = session.execute(query.offset(paging.offset).limit(paging.size)).all()
        return render_template(
            "metrics/reminders.html",
            rows=rows,
            paging=paging,
            chosen=filters,
            words=WORDS,
            names=certification_names(session, language()),
            unreached=reminder_listing.unreached(session, home.clock() - LATELY, seen),
            enabled=home.settings.mail.enabled,
            duration=duration,
            duty=DUTY,
        )
