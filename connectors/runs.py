"""The rows that say how pulls went: a run of a source, what it did with each stream, whether all is settled."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors.models import SourceNotice, StreamRun, SyncRun
from plugin.models import Schedule
from plugin.schedules import LEASE

SYNC = "connectors.sync"  # the task that pulls a source, in its schedule

RUNNING, DONE, PARTIAL, FAILED, HIDDEN = "running", "done", "partial", "failed", "hidden"
WHOLE, CHANGES, PART = "whole", "changes", "part"
SILENT_FOR = timedelta(minutes=10)
BROKEN_OFF = "broken off; the next run took up what was left"


def begin(session: Session, source: str, kind: str, now: datetime, *, anew: bool) -> tuple[SyncRun, set[str]]:
    """The whole run to carry on, unless `anew`, or a new run; and the streams that it has finished already.

    A run of another kind that was broken off is closed: its cursors stand, and the next whole run goes on from them.
    """
    carried_on: SyncRun | None = None
    for run in session.scalars(select(SyncRun).where(SyncRun.source == source, SyncRun.status == RUNNING)):
        if run.kind == WHOLE and kind == WHOLE and not anew:
            carried_on = run
        elif run.kind != WHOLE or anew:
            run.status, run.message, run.finished_at = FAILED, BROKEN_OFF, now
    if carried_on is None:
        carried_on = SyncRun(source=source, status=RUNNING, kind=kind, started_at=now, heartbeat_at=now)
        session.add(carried_on)
    carried_on.heartbeat_at = now
    session.flush()
    ended = select(StreamRun.stream).where(StreamRun.run_id == carried_on.id, StreamRun.status.in_((DONE, HIDDEN)))
    return carried_on, set(session.scalars(ended))


def stream_run(session: Session, run_id: int, stream: str) -> StreamRun:
    """The row of a stream in a run, made when it is not there."""
    row = session.get(StreamRun, (run_id, stream))
    if row is None:
        row = new_stream_run(run_id, stream)
        session.add(row)
    return row


def new_stream_run(run_id: int, stream: str) -> StreamRun:
    """A row with nothing counted."""
    counts = dict.fromkeys(("read", "created", "updated", "closed", "quarantined", "calls", "bytes", "seconds"), 0)
    return StreamRun(run_id=run_id, stream=stream, status=RUNNING, whole=True, **counts)


def finish(
    session: Session,
    run_id: int,
    status: str,
    messages: Iterable[str],
    now: datetime,
    token_until: datetime | None = None,
) -> list[StreamRun]:
    """Close the run; the rows of its streams. What the source gave notice of before it began is worked on now."""
    run = session.get_one(SyncRun, run_id)
    run.status, run.finished_at, run.heartbeat_at = status, now, now
    run.message = "\n".join(messages) or None
    run.token_until = token_until
    if status != FAILED and run.kind != PART:
        session.execute(
            update(SourceNotice)
            .where(
                SourceNotice.source == run.source,
                SourceNotice.worked_at.is_(None),
                SourceNotice.received_at <= run.started_at,
            )
            .values(worked_at=now),
            execution_options={"synchronize_session": False},
        )
    rows = select(StreamRun).where(StreamRun.run_id == run_id).order_by(StreamRun.stream)
    return list(session.scalars(rows))


def given_notice(session: Session, now: datetime) -> set[str]:
    """The sources that have given notice of changes by `now` that no run has worked on."""
    waiting = SourceNotice.worked_at.is_(None), SourceNotice.received_at <= now
    return set(session.scalars(select(SourceNotice.source).where(*waiting).distinct()))


def is_due(session: Session, schedule: str, now: datetime) -> bool:
    """Whether the schedule waits for somebody to do it."""
    return session.scalar(select(Schedule.due_at).where(Schedule.name == schedule, Schedule.due_at <= now)) is not None


def is_settled(session: Session, sources: Iterable[str], now: datetime) -> bool:
    """Whether every source has been pulled whole at least once, not in vain, and none is being pulled now.

    What is derived from half of the facts would be wrong, and HR would be told. A pull that nobody holds the lease of and
    that has said nothing for ten minutes counts as given up; one that is not whole, after as long as a lease lasts.
    """
    leased = select(Schedule.name).where(Schedule.task == SYNC, Schedule.leased_until > now).exists()
    silent = (SyncRun.heartbeat_at <= now - SILENT_FOR) | (
        (SyncRun.kind != WHOLE) & (SyncRun.heartbeat_at <= now - LEASE)
    )
    pulling = select(SyncRun.id).where(SyncRun.status == RUNNING, ~silent | leased)
    if session.scalars(pulling.limit(1)).first() is not None:
        return False
    whole = select(SyncRun.source).where(SyncRun.kind == WHOLE, SyncRun.status.in_((DONE, PARTIAL)))
    return set(session.scalars(whole.distinct())).issuperset(sources)
