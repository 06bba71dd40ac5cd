"""What fails in the sources, for the alerts: sources that cannot be pulled, and streams of them that cannot be read.

The manifest names `troubles` under `alerts`. It looks at the finished runs only, so a pull that is being done, or was
killed, changes nothing. `[sources.NAME] alert_failures` and `alert_after` say how patient it is.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors import doors
from connectors.file_models import HELD, RosterFile
from connectors.models import StreamRun, SyncRun
from connectors.runs import FAILED, RUNNING, SILENT_FOR, WHOLE
from plugin.alerts import Trouble
from plugin.installation import Installation
from plugin.schedules import seconds_of
from plugin.settings import SourceSettings

PAGE, NEEDS = "/sync", "sync.see"
TOKEN_WARNING = timedelta(days=14)


def troubles(home: Installation) -> Iterator[Trouble]:
    """The configured sources, and streams of them, that have failed for longer than their settings allow."""
    yield from doors.troubles((doors.NOTICES, doors.XAPI))(home)
    for source, settings in sorted(home.settings.sources.items()):
        with home.store.read() as session:
            found = _whole(session, home, source, settings)
            yield from [found] if found else _parts(session, source, settings)
            yield from _token(session, home, source)
            yield from _held(session, source)


def _finished(session: Session, source: str, most: int) -> Sequence[SyncRun]:
    """The newest whole pulls that have ended: one of changes only looks at some of the streams."""
    query = select(SyncRun).where(SyncRun.source == source, SyncRun.kind == WHOLE, SyncRun.finished_at.is_not(None))
    return session.scalars(query.order_by(SyncRun.id.desc()).limit(most)).all()


def _whole(session: Session, home: Installation, source: str, settings: SourceSettings) -> Trouble | None:
    """The whole source: its last runs have all failed, or the last good one is too long ago."""
    own, quiet = (SyncRun.source == source) & (SyncRun.kind == WHOLE), home.clock() - SILENT_FOR
    good = session.execute(
        select(func.max(SyncRun.id), func.max(SyncRun.finished_at)).where(
            own, SyncRun.finished_at.is_not(None), SyncRun.status != FAILED
        )
    ).one()
    failed = own & (SyncRun.id > (good[0] or 0)) & (SyncRun.status == FAILED)
    count, first = session.execute(select(func.count(), func.min(SyncRun.finished_at)).where(failed)).one()
    if count >= settings.alert_failures and first is not None:
        newest = _finished(session, source, 1)[0]
        return Trouble("source", source, _first_line(newest.message), first, PAGE, NEEDS, count)
    if session.scalar(select(func.count()).where(own, SyncRun.status == RUNNING, SyncRun.heartbeat_at > quiet)):
        return None  # the first pull of a large site may take days
    since = good[1] or session.scalar(select(func.min(SyncRun.started_at)).where(own))
    patience = timedelta(seconds=max(seconds_of(settings.alert_after), 2 * seconds_of(settings.every)))
    if since is not None and since <= home.clock() - patience:
        runs = _finished(session, source, 1)
        return Trouble("source", source, _first_line(runs[0].message if runs else None), since, PAGE, NEEDS)
    return None


def _parts(session: Session, source: str, settings: SourceSettings) -> Iterator[Trouble]:
    """Streams that have failed in every one of the last runs, while others were read."""
    runs = _finished(session, source, settings.alert_failures)
    if len(runs) < settings.alert_failures:
        return
    rows = session.scalars(
        select(StreamRun)
        .where(StreamRun.run_id.in_([run.id for run in runs]), StreamRun.status == FAILED)
        .order_by(StreamRun.stream, StreamRun.run_id)
    ).all()
    by_stream: dict[str, list[StreamRun]] = {}
    for row in rows:
        by_stream.setdefault(row.stream, []).append(row)
    for stream, failed in by_stream.items():
        if len(failed) == len(runs):
            since = runs[-1].finished_at or runs[-1].started_at
            yield Trouble("stream", f"{source}, {stream}", _first_line(failed[-1].message), since, PAGE, NEEDS)


def _token(session: Session, home: Installation, source: str) -> Iterator[Trouble]:
    """The source's token ends soon, as far as a pull was told."""
    told = select(SyncRun.token_until).where(SyncRun.source == source, SyncRun.token_until.is_not(None))
    until = session.scalars(told.order_by(SyncRun.id.desc()).limit(1)).first()
    if until is not None and until - TOKEN_WARNING <= home.clock():
        day = until.astimezone(home.settings.organisation.zone)
        reason = f"The token of this source ends at {day:%Y-%m-%d %H:%M}; put a new one where the source's token is read from"
        yield Trouble("token", source, reason, until - TOKEN_WARNING, PAGE, NEEDS)


def _held(session: Session, source: str) -> Iterator[Trouble]:
    """A file waits because it would end many people."""
    held = select(RosterFile).where(RosterFile.source == source, RosterFile.state == HELD).order_by(RosterFile.id)
    for row in session.scalars(held):
        reason = (
            f"{row.name} would end {row.ending} of {row.people} people; nothing of it is used until that is confirmed"
        )
        yield Trouble("roster", f"{source}, {row.kind}", reason, row.received_at, "/roster", "roster.do")


def _first_line(message: str | None) -> str:
    return (message or "").partition("\n")[0]
