"""The pages of what is pulled: how far each source has come, and quarantine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors import identity_controllers, notice_controllers, run_controllers
from connectors.models import Quarantined, SourceUser, StreamRun, StreamState, SyncRun
from connectors.sources import in_pulling_order, schedule_name
from connectors.words import FRESH, LACKING, NEVER_RUN, RUN_STATUSES, STREAMS, UNBOUND_REASONS, UNSEEN, WAYS
from plugin.audit import record_act
from plugin.errors import NotFoundError
from plugin.models import Schedule
from plugin.paging import Paging
from plugin.web import MenuEntry, installation, needs

blueprint = Blueprint("connectors", __name__, template_folder="templates")

BLUEPRINTS = [blueprint, identity_controllers.blueprint, notice_controllers.blueprint, run_controllers.blueprint]
MENU = [
    MenuEntry("Sync", "connectors.sync", "sync.see"),
    MenuEntry("Accounts", "identities.account_list", "identities.see"),
    MenuEntry("Quarantine", "connectors.quarantine", "sync.see"),
]


@dataclass
class SourceState:
    """What the sync page shows of one source."""

    name: str
    connector: str | None
    run: SyncRun | None = None
    streams: list[tuple[str, StreamRun | None, timedelta | None, StreamState | None]] = field(default_factory=list)
    unbound: list[tuple[str, int]] = field(default_factory=list)
    schedule: Schedule | None = None

    @property
    def status(self) -> tuple[Any, str]:
        """The latest pull's status in words, and its badge."""
        return RUN_STATUSES.get(self.run.status, (self.run.status, "mute")) if self.run else NEVER_RUN


@blueprint.route("/sync")
@needs("sync.see")
def sync() -> ResponseReturnValue:
    """The latest pull of every source, stream by stream."""
    home = installation()
    configured = in_pulling_order(home)
    with home.store.read() as session:
        sources = _source_states(session, configured, home.clock())
    return render_template(
        "connectors/sync.html",
        sources=sources,
        run_statuses=RUN_STATUSES,
        reasons=UNBOUND_REASONS,
        stream_names=STREAMS,
        words={"ways": WAYS, "fresh": FRESH, "lacking": LACKING, "unseen": UNSEEN},
        authority=home.settings.people.authority,
    )


@blueprint.route("/sync/<source>/now", methods=["POST"])
@needs("sync.do")
def sync_now(source: str) -> ResponseReturnValue:
    """Make the source's schedule due now; the scheduler finds it at its next look."""
    home = installation()
    now = home.clock()
    with home.store.write() as session:
        query = select(Schedule).where(Schedule.name == schedule_name(source)).with_for_update()
        schedule = session.scalars(query).one_or_none()
        if schedule is None:
            raise NotFoundError(
                gettext(
                    "There is no schedule for the source %(source)s. It is created when the worker starts; check that it runs.",
                    source=source,
                )
            )
        before, schedule.due_at = schedule.due_at, now
        record_act(
            session,
            g.account.login,
            "sync.now",
            f"source:{source}",
            now,
            before={"due_at": before.isoformat()},
            after={"due_at": now.isoformat()},
        )
    flash(gettext("The sync of %(source)s begins within seconds, as soon as a worker is free.", source=source), "ok")
    return redirect(url_for("connectors.sync"))


@blueprint.route("/quarantine")
@needs("sync.see")
def quarantine() -> ResponseReturnValue:
    """The records that could not be used and wait, each whole and with its reason."""
    source, stream = request.args.get("source", ""), request.args.get("stream", "")
    waiting = select(Quarantined).where(Quarantined.resolved_at.is_(None))
    query = waiting
    if source:
        query = query.where(Quarantined.source == source)
    if stream:
        query = query.where(Quarantined.stream == stream)
    with installation().store.read() as session:
        paging = Paging.of(session.scalar(select(func.count()).select_from(query.subquery())) or 0)
        records = session.scalars(
            query.order_by(Quarantined.last_at.desc(), Quarantined.id.desc()).offset(paging.offset).limit(paging.size)
        ).all()
        known = session.execute(waiting.with_only_columns(Quarantined.source, Quarantined.stream).distinct()).all()
    return render_template(
        "connectors/quarantine.html",
        records=[(record, json.dumps(record.record, ensure_ascii=False, indent=2)) for record in records],
        paging=paging,
        sources=sorted({row.source for row in known} | ({source} if source else set())),
        streams=sorted({row.stream for row in known} | ({stream} if stream else set())),
        stream_names=STREAMS,
        chosen={"source": source, "stream": stream},
    )


def _source_states(session: Session, configured: Sequence[str], now: datetime) -> list[SourceState]:
    """Every configured source, then those that were pulled once and are configured no more."""
    newest = select(func.max(SyncRun.id)).group_by(SyncRun.source)
    runs = {run.source: run for run in session.scalars(select(SyncRun).where(SyncRun.id.in_(newest)))}
    settings = installation().settings.sources
    states = {
        name: SourceState(name, settings[name].connector if name in settings else None, runs.get(name))
        for name in [*configured, *sorted(set(runs) - set(configured))]
    }
    newest_of = (
        select(SyncRun.source, StreamRun.stream, func.max(StreamRun.run_id).label("run_id"))
        .join(SyncRun, SyncRun.id == StreamRun.run_id)
        .group_by(SyncRun.source, StreamRun.stream)
        .subquery()
    )
    latest = select(newest_of.c.source, StreamRun).join(
        StreamRun, (StreamRun.run_id == newest_of.c.run_id) & (StreamRun.stream == newest_of.c.stream)
    )
    pulled: dict[str, dict[str, StreamRun]] = {}
    for source, row in session.execute(latest):
        pulled.setdefault(source, {})[row.stream] = row
    stood: dict[str, dict[str, StreamState]] = {}
    for stand in session.scalars(select(StreamState)):
        stood.setdefault(stand.source, {})[stand.stream] = stand
    counted = (
        select(SourceUser.source, SourceUser.unbound_reason, func.count())
        .where(SourceUser.unbound_reason.is_not(None), SourceUser.closed_at.is_(None))
        .group_by(SourceUser.source, SourceUser.unbound_reason)
        .order_by(SourceUser.unbound_reason)
    )
    for source, reason, count in session.execute(counted):
        if source in states:
            states[source].unbound.append((reason or "", count))
    due = {
        row.name: row
        for row in session.scalars(
            select(Schedule).where(Schedule.name.in_([schedule_name(source) for source in states]))
        )
    }
    for state in states.values():
        rows, stands = pulled.get(state.name, {}), stood.get(state.name, {})
        state.streams = [
            (name, rows.get(name), now - stands[name].changed_at if name in stands else None, stands.get(name))
            for name in sorted({*rows, *stands})
        ]
        state.schedule = due.get(schedule_name(state.name))
    return list(states.values())
