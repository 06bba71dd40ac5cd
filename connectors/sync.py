"""Pulling a source: every stream from its cursor to its end, each page committed with its cursor.

A pull is a run, with a row that says how far it has come. One that was killed is still `running`; the next pull of
the source takes it up where its last committed page ended, and leaves out the streams that were at their end.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors import quarantine
from connectors.models import StreamRun, StreamState, SyncRun
from connectors.quarantine import Refused
from connectors.records import Record
from connectors.storing import Counts, Moment, store_records
from connectors.streams import Connector, Cursor, Page, Stream, pass_number
from plugin.errors import RecordRefusedError, SourceError
from plugin.models import Schedule
from plugin.schedules import Clock
from plugin.store import Store, upsert

log = logging.getLogger(__name__)

SYNC = "connectors.sync"  # the task that pulls a source, in its schedule

RUNNING, DONE, PARTIAL, FAILED = "running", "done", "partial", "failed"
SILENT_FOR = timedelta(minutes=10)

# The stream, what its newest page is called, how many items it brought, and what storing them changed.
Progress = Callable[[str, str | None, int, Counts], None]


@dataclass
class SyncResult:
    """How a pull ended: `done`, `partial` (something is in quarantine, or a stream failed) or `failed`."""

    source: str
    status: str
    messages: list[str] = field(default_factory=list)
    quarantined: int = 0
    streams: dict[str, Counts] = field(default_factory=dict)


def sync(
    store: Store, connector: Connector, clock: Clock, zone: ZoneInfo, progress: Progress = lambda *_: None
) -> SyncResult:
    """Pull everything that the connector's source has to give; the caller holds the source's lease."""
    result = SyncResult(connector.source, RUNNING)
    with store.write() as session:
        run, finished = _begin(session, connector.source, clock())
    pull = _Pull(store, connector.source, run.id, run.started_at, clock, zone, progress)
    streams = [stream for stream in connector.streams() if stream.name not in finished]
    failed = 0
    for number, stream in enumerate(streams):
        try:
            pull.stream(stream)
        except SourceError as error:
            log.warning("%s, %s: %s", connector.source, stream.name, error)
            hit = streams[number:] if error.whole_source else [stream]
            pull.mark(hit, FAILED, str(error))
            failed += len(hit)
            result.messages.append(str(error))
            if error.whole_source:
                break
        else:
            pull.mark([stream], DONE, None)
    with store.write() as session:
        result.quarantined = quarantine.waiting_count(session, connector.source)
        nothing_worked = bool(streams) and failed == len(streams) and not finished
        result.status = FAILED if nothing_worked else PARTIAL if failed or result.quarantined else DONE
        result.streams = _finish(session, run.id, result, clock())
    return result


def is_settled(session: Session, sources: Iterable[str], now: datetime) -> bool:
    """Whether every source has been pulled at least once, not in vain, and none is being pulled now.

    What is derived from half of the facts would be wrong, and HR would be told. A pull that nobody holds the lease of and
    that has said nothing for ten minutes counts as given up.
    """
    leased = select(Schedule.name).where(Schedule.task == SYNC, Schedule.leased_until > now).exists()
    pulling = select(SyncRun.id).where(SyncRun.status == RUNNING, (SyncRun.heartbeat_at > now - SILENT_FOR) | leased)
    if session.scalars(pulling.limit(1)).first() is not None:
        return False
    pulled = set(session.scalars(select(SyncRun.source).where(SyncRun.status.in_((DONE, PARTIAL))).distinct()))
    return pulled.issuperset(sources)


def retry_quarantined(store: Store, connector: Connector, clock: Clock, zone: ZoneInfo) -> tuple[int, int]:
    """Parse and store again what waits in quarantine for this source: how many records could be used now, and how many not.

    Failed requests are not tried here; the next pull asks again.
    """
    used = refused = 0
    for stream in connector.streams():
        with store.write() as session:
            now = clock()
            rows = quarantine.waiting(session, connector.source, stream.name)
            usable: list[Record] = []
            for row in rows:
                try:
                    usable.append(stream.parse(row.record))
                except RecordRefusedError as error:
                    row.reason, row.last_at, row.times = str(error), now, row.times + 1
                    refused += 1
                else:
                    row.resolved_at, row.resolution = now, "retried"
                    used += 1
            session.flush()
            store_records(session, connector.source, usable, None, Moment(now, now.astimezone(zone).date()))
    return used, refused


@dataclass
class _Pull:
    """One run of one source, and what every page of it needs."""

    store: Store
    source: str
    run_id: int
    started_at: datetime
    clock: Clock
    zone: ZoneInfo
    progress: Progress

    def stream(self, stream: Stream) -> None:
        """Pull one stream from its cursor to its end."""
        with self.store.read() as session:
            state = session.get(StreamState, (self.source, stream.name))
        cursor: Cursor | None = tuple(state.cursor) if state else None
        from_the_start = cursor is None or len(cursor) == 1
        for page in stream.pull(cursor):
            with self.store.write() as session:
                counts, read = self._store_page(session, stream, page, pass_number(cursor))
                if page.ends_pass and from_the_start:  # an earlier run did not read the beginning of this pass
                    quarantine.resolve_vanished(session, self.source, stream.name, self.started_at, self.clock())
            cursor = page.cursor
            self.progress(stream.name, page.key, read, counts)

    def mark(self, streams: Iterable[Stream], status: str, message: str | None) -> None:
        """Write down how streams ended."""
        with self.store.write() as session:
            for stream in streams:
                row = _stream_run(session, self.run_id, stream.name)
                row.status, row.message = status, message

    def _store_page(self, session: Session, stream: Stream, page: Page, pass_: int) -> tuple[Counts, int]:
        """Everything of one page, its cursor and its counts, in one transaction."""
        now = self.clock()
        records: list[Record] = []
        refused: list[Refused] = []
        keys: list[str] = [page.key] if page.key and not page.failure else []
        for raw in page.raws:
            try:
                records.append(stream.parse(raw.value))
                keys.append(raw.key)
            except RecordRefusedError as error:
                refused.append(Refused(raw.key, raw.value, str(error)))
        if page.failure is not None:
            refused.append(Refused(page.failure.key, page.failure.request, page.failure.reason, is_request=True))
        # A refused record may be the newest word on a row that stands: nothing counts as vanished beside one.
        scope = None if refused else page.scope
        moment = Moment(now, now.astimezone(self.zone).date(), pass_)
        counts = store_records(session, self.source, records, scope, moment)
        quarantine.put(session, self.source, stream.name, refused, now)
        quarantine.resolve(session, self.source, stream.name, keys, now)
        upsert(
            session,
            StreamState,
            [{"source": self.source, "stream": stream.name, "cursor": list(page.cursor), "changed_at": now}],
            ["source", "stream"],
        )
        row = _stream_run(session, self.run_id, stream.name)
        row.read += len(page.raws)
        row.created += counts.created
        row.updated += counts.updated
        row.closed += counts.closed
        row.quarantined += len(refused)
        session.execute(update(SyncRun).where(SyncRun.id == self.run_id).values(heartbeat_at=now))
        return counts, len(page.raws)


def _begin(session: Session, source: str, now: datetime) -> tuple[SyncRun, set[str]]:
    """The run to carry on, or a new one; and the streams that it has finished already."""
    run = session.scalars(select(SyncRun).where(SyncRun.source == source, SyncRun.status == RUNNING)).first()
    if run is None:
        run = SyncRun(source=source, status=RUNNING, started_at=now, heartbeat_at=now)
        session.add(run)
    run.heartbeat_at = now
    session.flush()
    finished = session.scalars(select(StreamRun.stream).where(StreamRun.run_id == run.id, StreamRun.status == DONE))
    return run, set(finished)


def _stream_run(session: Session, run_id: int, stream: str) -> StreamRun:
    row = session.get(StreamRun, (run_id, stream))
    if row is None:
        row = StreamRun(
            run_id=run_id, stream=stream, status=RUNNING, read=0, created=0, updated=0, closed=0, quarantined=0
        )
        session.add(row)
    return row


def _finish(session: Session, run_id: int, result: SyncResult, now: datetime) -> dict[str, Counts]:
    """Close the run; what it did, by stream."""
    run = session.get_one(SyncRun, run_id)
    run.status, run.finished_at, run.heartbeat_at = result.status, now, now
    run.message = "\n".join(result.messages) or None
    rows = session.scalars(select(StreamRun).where(StreamRun.run_id == run_id))
    return {row.stream: Counts(row.created, row.updated, row.closed) for row in rows}
