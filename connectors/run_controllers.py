"""The page of a source's last pulls, and what somebody who may does with a record in quarantine."""

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select

from connectors import quarantine
from connectors.models import Quarantined, StreamRun, SyncRun
from connectors.sources import connector_of, schedule_name
from connectors.sync import retry_quarantined
from connectors.words import KINDS_OF_RUNS, RUN_STATUSES, STREAMS, WAYS
from plugin import schedules
from plugin.audit import record_act
from plugin.errors import CertBridgeError
from plugin.paging import Paging
from plugin.web import installation, needs

blueprint = Blueprint("runs", __name__, template_folder="templates")


@blueprint.route("/sync/<source>/history")
@needs("sync.see")
def history(source: str) -> ResponseReturnValue:
    """The pulls of a source, the newest first, each with its streams."""
    query = select(SyncRun).where(SyncRun.source == source)
    with installation().store.read() as session:
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        runs = session.scalars(query.order_by(SyncRun.id.desc()).offset(paging.offset).limit(paging.size)).all()
        rows = session.scalars(
            select(StreamRun).where(StreamRun.run_id.in_([run.id for run in runs])).order_by(StreamRun.stream)
        ).all()
    if not paging.total and source not in installation().settings.sources:
        abort(404)
    streams: dict[int, list[StreamRun]] = {}
    for row in rows:
        streams.setdefault(row.run_id, []).append(row)
    return render_template(
        "connectors/history.html",
        source=source,
        runs=[(run, streams.get(run.id, [])) for run in runs],
        paging=paging,
        kinds=KINDS_OF_RUNS,
        run_statuses=RUN_STATUSES,
        stream_names=STREAMS,
        ways=WAYS,
    )


@blueprint.route("/quarantine/<int:id_>/retry", methods=["POST"])
@needs("sync.do")
def retry(id_: int) -> ResponseReturnValue:
    """Try again to use a record, without asking the source."""
    home = installation()
    with home.store.read() as session:
        row = session.get(Quarantined, id_)
    if row is None or row.resolved_at is not None:
        abort(404)
    try:
        connector = connector_of(home, row.source)
        try:
            with schedules.lease(home.store, schedule_name(row.source), home.clock, beside=True):
                zone = home.settings.organisation.zone
                used, _ = retry_quarantined(home.store, connector, home.clock, zone, [id_])
        finally:
            connector.close()
    except CertBridgeError as error:
        flash(str(error), "bad")
        return redirect(_back())
    with home.store.write() as session:
        subject = f"{row.source}:{row.stream}:{row.record_key}"
        record_act(session, g.account.login, "quarantine.retry", subject, home.clock(), after={"used": bool(used)})
    home.wake("people_touched")
    if used:
        flash(gettext("The record could be used now."), "ok")
    else:
        flash(gettext("The record still cannot be used; the reason stands beside it."), "warn")
    return redirect(_back())


@blueprint.route("/quarantine/<int:id_>/discard", methods=["POST"])
@needs("sync.do")
def discard(id_: int) -> ResponseReturnValue:
    """Take a record out for good, with a reason."""
    home = installation()
    try:
        with home.store.write() as session:
            quarantine.discard(session, id_, g.account.login, request.form.get("reason", ""), home.clock())
    except CertBridgeError as error:
        flash(str(error), "bad")
    else:
        flash(gettext("The record was discarded. It comes back when the source changes it."), "ok")
    return redirect(_back())


def _back() -> str:
    source, stream = request.form.get("source"), request.form.get("stream")
    return url_for("connectors.quarantine", source=source or None, stream=stream or None)
