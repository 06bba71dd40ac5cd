"""Pulling a source: every stream from its cursor to its end, each page committed with its cursor.

A pull is a run, with a row that says how far it has come (connectors.runs). One that was killed is still `running`; the
next pull of the source takes it up where its last committed page ended, and leaves out the streams that were at their end.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from connectors import quarantine
from connectors.models import StreamRun
from connectors.pulls import Progress, Pull, Wanted
from connectors.records import Record
from connectors.runs import DONE, FAILED, HIDDEN, PARTIAL, RUNNING, SILENT_FOR, SYNC, is_settled
from connectors.storing import Counts, Moment, store_records
from connectors.streams import Connector, Occasion, Stream
from plugin.errors import NotFoundError, RecordRefusedError, SourceError
from plugin.schedules import Clock
from plugin.store import Store

__all__ = [
    "DONE",
    "FAILED",
    "HIDDEN",
    "PARTIAL",
    "RUNNING",
    "SILENT_FOR",
    "SYNC",
    "Progress",
    "SyncResult",
    "Wanted",
    "is_settled",
    "retry_quarantined",
    "sync",
]

log = logging.getLogger(__name__)


@dataclass
class SyncResult:
    """How a pull ended: `done`, `partial` (something is in quarantine, or a stream failed) or `failed`.

    `runs` are the rows of its streams; in a dry run nothing of them is stored.
    """

    source: str
    status: str
    messages: list[str] = field(default_factory=list)
    quarantined: int = 0
    streams: dict[str, Counts] = field(default_factory=dict)
    runs: dict[str, StreamRun] = field(default_factory=dict)


def sync(
    store: Store,
    connector: Connector,
    clock: Clock,
    zone: ZoneInfo,
    progress: Progress = lambda *_: None,
    wanted: Wanted = Wanted(),  # noqa: B008 - it never changes
) -> SyncResult:
    """Pull what is `wanted` of the connector's source; the caller holds the source's lease.

    Raises NotFoundError when a stream is wanted that the source does not have.
    """
    now = clock()
    connector.occasion = Occasion(store, now, now.astimezone(zone).date(), wanted.full, wanted.dry)
    pull = Pull(store, connector, clock, zone, progress, wanted)
    try:
        return _run(pull)
    finally:
        pull.close()


def _run(pull: Pull) -> SyncResult:
    result = SyncResult(pull.source, RUNNING)
    streams: list[Stream] = []
    failures, failed = 0, False
    finished: set[str] = set()
    try:
        streams, hidden = _chosen(pull)
    except SourceError as error:  # which way is best cannot be told before the source answers
        pull.begin()
        result.messages.append(str(error))
        failed = True
    else:
        finished = pull.begin()
        if hidden:
            pull.hide(hidden)
    streams = [stream for stream in streams if stream.name not in finished]
    for number, stream in enumerate(streams):
        try:
            pull.stream(stream)
        except SourceError as error:
            log.warning("%s, %s: %s", pull.source, stream.name, error)
            hit = streams[number:] if error.whole_source else [stream]
            pull.mark(hit, FAILED, str(error))
            failures += len(hit)
            result.messages.append(str(error))
            if error.whole_source:
                break
    failed = failed or (bool(streams) and failures == len(streams) and not finished)
    result.quarantined = pull.waiting()
    result.status = FAILED if failed else PARTIAL if failures or result.quarantined else DONE
    result.runs = {row.stream: row for row in pull.end(result.status, result.messages)}
    result.streams = {
        name: Counts(row.created, row.updated, row.closed) for name, row in result.runs.items() if row.status != HIDDEN
    }
    return result


def retry_quarantined(
    store: Store, connector: Connector, clock: Clock, zone: ZoneInfo, ids: Sequence[int] | None = None
) -> tuple[int, int]:
    """Parse and store again what waits in quarantine for this source: how many records could be used now, and how many not.

    Only those under `ids`, if any are given. Failed requests are not tried here; the next pull asks again.
    """
    used = refused = 0
    for stream in connector.streams():
        with store.write() as session:
            now = clock()
            rows = quarantine.waiting(session, connector.source, stream.name)
            usable: list[Record] = []
            for row in rows:
                if ids is not None and row.id not in ids:
                    continue
                try:
                    usable.append(stream.parse(row.record))
                except RecordRefusedError as error:
                    row.reason, row.last_at, row.times = str(error), now, row.times + 1
                    refused += 1
                else:
                    row.resolved_at, row.resolution = now, quarantine.RETRIED
                    used += 1
            session.flush()
            store_records(session, connector.source, usable, None, Moment(now, now.astimezone(zone).date()))
    return used, refused


def _chosen(pull: Pull) -> tuple[list[Stream], list[str]]:
    """The streams to pull, and the names of those that no way of reading the source shows."""
    connector, wanted = pull.connector, pull.wanted
    streams = list(pull.ask(connector.streams))
    pull.choices = pull.ask(connector.choices)
    shown = {stream.name for stream in streams}
    hidden = [name for name, one in pull.choices.items() if not one.way and name not in shown]
    if unknown := sorted({*wanted.streams} - shown - {*hidden}):
        raise NotFoundError(
            f"The source {connector.source!r} has no stream {unknown[0]!r}; it has {', '.join(sorted(shown))}."
        )
    if wanted.changes_only:
        return [stream for stream in streams if stream.incremental], []
    if wanted.streams:
        streams = [stream for stream in streams if stream.name in wanted.streams]
        hidden = [name for name in hidden if name in wanted.streams]
    return streams, hidden
