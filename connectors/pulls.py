"""One run over a source: where each stream begins, and what is committed with each page of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors import quarantine, runs
from connectors.models import StreamRun, StreamState, SyncRun
from connectors.quarantine import Refused
from connectors.records import Record
from connectors.runs import CHANGES, DONE, HIDDEN, PART, WHOLE
from connectors.storing import Counts, Moment, store_records
from connectors.streams import Choice, Connector, Cursor, Page, Scope, Stream, Usage, pass_number
from plugin.errors import RecordRefusedError
from plugin.moments import parse_moment
from plugin.schedules import Clock
from plugin.store import Store, upsert

Answer = TypeVar("Answer")

NEVER = "never"
COMPARE_AT = "02:00"

# The stream, what its newest page is called, how many items it brought, and what storing them changed.
Progress = Callable[[str, str | None, int, Counts], None]


@dataclass(frozen=True)
class Wanted:
    """What of a source is to be pulled: all or some `streams`, all anew (`full`), or only what it gave notice of.

    `compare_at` is the wall-clock time (`02:00`) from which a stream that reads changes is compared whole once a day, or
    `never`. A `dry` pull reads and compares, and stores nothing.
    """

    streams: tuple[str, ...] = ()
    full: bool = False
    changes_only: bool = False
    dry: bool = False
    compare_at: str = COMPARE_AT

    def at(self, compare_at: str) -> "Wanted":
        """The same, with the source's own setting."""
        return replace(self, compare_at=compare_at)

    @property
    def kind(self) -> str:
        """The kind of the run."""
        return CHANGES if self.changes_only else PART if self.streams else WHOLE


def compare_due(full_at: datetime, now: datetime, zone: ZoneInfo, compare_at: str) -> bool:
    """Whether a stream that was last compared whole at `full_at` is to be compared again: the time of day has come since."""
    if compare_at == NEVER:
        return False
    today = now.astimezone(zone).date()
    latest = parse_moment(f"{today}T{compare_at}", zone)
    if latest > now:
        latest = parse_moment(f"{today - timedelta(days=1)}T{compare_at}", zone)
    return full_at < latest


def _beside(refused: Iterable[Refused], stream: Stream, scope: Scope | None) -> Scope | None:
    """What a page shows whole beside refused records.

    One of them may be the newest word on a row that stands: no row of its account counts as vanished, and none at all
    where the account cannot be told.
    """
    accounts = [None if one.is_request else stream.account_of(one.record) for one in refused]
    if scope is None or None in accounts:
        return None
    return replace(scope, spared=frozenset(account for account in accounts if account is not None))


@dataclass
class Pull:
    """One run of one source, and what every page of it needs."""

    store: Store
    connector: Connector
    clock: Clock
    zone: ZoneInfo
    progress: Progress
    wanted: Wanted
    run_id: int = 0
    started_at: datetime = field(init=False)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    dry_rows: dict[str, StreamRun] = field(default_factory=dict)
    used: Usage = field(default_factory=Usage)
    last: datetime = field(init=False)
    states: dict[str, StreamState] = field(default_factory=dict)
    whole: dict[str, bool] = field(default_factory=dict)  # of the streams begun, whether everything of them is read
    asker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "ask"))

    @property
    def source(self) -> str:
        """The source's name."""
        return self.connector.source

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """What the source answers, asked in the one thread, and over the one connection, that all of this run is asked by."""
        return self.asker.submit(question).result()

    def close(self) -> None:
        """Ask no more; an answer that is still awaited is let go."""
        self.asker.shutdown(wait=False, cancel_futures=True)

    def begin(self) -> set[str]:
        """Begin or carry on; the streams that are at their end already."""
        self.started_at = self.last = self.clock()
        with self._unit() as session:
            states = session.scalars(select(StreamState).where(StreamState.source == self.source))
            self.states = {state.stream: state for state in states}
            if self.wanted.dry:
                return set()
            run, finished = runs.begin(session, self.source, self.wanted.kind, self.started_at, anew=self.wanted.full)
        self.run_id, self.started_at = run.id, run.started_at
        return finished

    def stream(self, stream: Stream) -> None:
        """Pull one stream from its cursor, or from the beginning of a new pass, to its end; nothing if it has no place yet."""
        state = self.states.get(stream.name)
        cursor, whole = self._start(stream, state)
        if cursor is None and not whole:
            return  # everything of it is still to be read, and the next whole run does that
        full_at = None if whole and stream.incremental else state.full_at if state else None
        self.whole[stream.name] = whole
        from_the_start, ended = cursor is None or len(cursor) == 1, False
        pages = stream.pull(cursor)
        coming = self._next(pages)
        while page := coming.result():
            coming = self._next(pages)  # while this page is stored, the next one is asked for
            if page.ends_pass and whole:
                full_at = self.clock()
            with self._unit() as session:
                counts, read = self._store_page(session, stream, page, pass_number(cursor), full_at)
                # Otherwise an earlier run has read the beginning of this pass.
                if page.ends_pass and whole and from_the_start:
                    quarantine.resolve_vanished(session, self.source, stream.name, self.started_at, self.clock())
                ended = coming.done() and coming.exception() is None and coming.result() is None
                if ended:
                    self._row(session, stream).status = DONE
            cursor = page.cursor
            self.progress(stream.name, page.key, read, counts)
        if not ended:
            self.mark([stream], DONE, None)

    def _start(self, stream: Stream, state: StreamState | None) -> tuple[Cursor | None, bool]:
        """Where to begin, and whether everything is read then; (None, False) when this run is not to touch the stream."""
        if state is None:
            return None, not self.wanted.changes_only
        cursor: Cursor = tuple(state.cursor)
        another_way = (state.way or "") != stream.way
        if stream.incremental and state.full_at is not None and not another_way and not self._compares(state.full_at):
            return cursor, False
        if self.wanted.changes_only:
            return None, False
        begins = self.wanted.full or another_way or (stream.incremental and state.full_at is not None)
        return (pass_number(cursor) + 1,) if begins and len(cursor) > 1 else cursor, True

    def _compares(self, full_at: datetime) -> bool:
        """Whether everything of a stream is to be read that was read to its end at `full_at`."""
        if self.wanted.changes_only:
            return False
        return self.wanted.full or compare_due(full_at, self.clock(), self.zone, self.wanted.compare_at)

    def hide(self, names: Iterable[str]) -> None:
        """Write down which streams cannot be seen, and why."""
        with self._unit() as session:
            for name in names:
                row = self._stored_row(session, name)
                row.status, row.way, row.whole, row.choice = HIDDEN, "", False, asdict(self.choices[name])

    def mark(self, streams: Iterable[Stream], status: str, message: str | None) -> None:
        """Write down how streams ended."""
        with self._unit() as session:
            for stream in streams:
                row = self._row(session, stream)
                row.status, row.message = status, message
                self._count(row)

    def waiting(self) -> int:
        """How many records wait in quarantine; in a dry run, how many were refused in it."""
        if self.wanted.dry:
            return sum(row.quarantined for row in self.dry_rows.values())
        with self.store.read() as session:
            return quarantine.waiting_count(session, self.source)

    def end(self, status: str, messages: Sequence[str]) -> list[StreamRun]:
        """Close the run; the rows of its streams."""
        if self.wanted.dry:
            return [self.dry_rows[name] for name in sorted(self.dry_rows)]
        with self.store.write() as session:
            return runs.finish(session, self.run_id, status, messages, self.clock(), self.connector.token_until())

    @contextmanager
    def _unit(self) -> Iterator[Session]:
        """A unit of work that is stored, or in a dry run taken back."""
        with self.store.write() as session:
            yield session
            if self.wanted.dry:
                session.expunge_all()  # what was read in it can still be looked at
                session.rollback()

    def _next(self, pages: Iterator[Page]) -> Future[Page | None]:
        """The next page, None at the end, as soon as the source has given it."""
        return self.asker.submit(next, pages, None)

    def _row(self, session: Session, stream: Stream) -> StreamRun:
        """The stream's row, which says how it is read."""
        row = self._stored_row(session, stream.name)
        if stream.name in self.whole:
            choice = self.choices.get(stream.name)
            row.way, row.whole, row.choice = stream.way, self.whole[stream.name], asdict(choice) if choice else None
        return row

    def _stored_row(self, session: Session, stream: str) -> StreamRun:
        if not self.wanted.dry:
            return runs.stream_run(session, self.run_id, stream)
        return self.dry_rows.setdefault(stream, runs.new_stream_run(0, stream))

    def _count(self, row: StreamRun) -> None:
        """Put down what was asked and how long it took since this was last done."""
        now, usage = self.clock(), self.connector.usage()
        row.calls += usage.calls - self.used.calls
        row.bytes += usage.bytes - self.used.bytes
        row.seconds += (now - self.last).total_seconds()
        self.used, self.last = usage, now

    def _store_page(
        self, session: Session, stream: Stream, page: Page, pass_: int, full_at: datetime | None
    ) -> tuple[Counts, int]:
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
        refused = quarantine.without_discarded(session, self.source, stream.name, refused)
        scope = _beside(refused, stream, page.scope)
        moment = Moment(now, now.astimezone(self.zone).date(), pass_)
        counts = store_records(session, self.source, records, scope, moment)
        quarantine.put(session, self.source, stream.name, refused, now)
        quarantine.resolve(session, self.source, stream.name, keys, now)
        state = {
            "source": self.source,
            "stream": stream.name,
            "cursor": list(page.cursor),
            "changed_at": now,
            "way": stream.way,
            "full_at": full_at,
        }
        upsert(session, StreamState, [state], ["source", "stream"])
        row = self._row(session, stream)
        row.read += len(page.raws)
        row.created += counts.created
        row.updated += counts.updated
        row.closed += counts.closed
        row.quarantined += len(refused)
        self._count(row)
        if page.then is not None:
            page.then(session)
        session.execute(update(SyncRun).where(SyncRun.id == self.run_id).values(heartbeat_at=now))
        return counts, len(page.raws)
