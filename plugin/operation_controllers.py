"""The page of operation: what stands badly now, the scheduled work and how it goes, and what stood badly lately."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from plugin.alerts import open_alerts
from plugin.models import Alert, Schedule
from plugin.roles import RIGHTS
from plugin.schedules import QUEUED
from plugin.web import installation, may, needs

LATELY = 20  # alerts that are closed

blueprint = Blueprint("operation", __name__)


@blueprint.route("/operation")
@needs("sync.see")
def operation() -> ResponseReturnValue:
    """Alerts and schedules."""
    home = installation()
    with home.store.read() as session:
        standing = open_alerts(session)
        closed = session.scalars(
            select(Alert).where(Alert.closed_at.is_not(None)).order_by(Alert.closed_at.desc()).limit(LATELY)
        ).all()
        schedules = session.scalars(select(Schedule).order_by(Schedule.failures == 0, Schedule.name)).all()
    return render_template(
        "operation.html",
        alerts=[alert for alert in standing if is_for_reader(alert)],
        closed=[alert for alert in closed if is_for_reader(alert)],
        schedules=schedules,
        now=home.clock(),
        queued=QUEUED,
    )


def alerts_for_reader() -> list[Alert]:
    """The open alerts that the reader may see, for the start page."""
    with installation().store.read() as session:
        return [alert for alert in open_alerts(session) if is_for_reader(alert)]


def is_for_reader(alert: Alert) -> bool:
    """Whether the reader has the right that the alert needs."""
    return alert.needs in RIGHTS and may(alert.needs)
