"""What the tests of connectors share: a store to put records into, a scripted source, a sandbox site, a scripted server."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from sqlalchemy import delete, event, select

from connectors.models import Evidence, Quarantined
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import DEFAULT_TOKENS, PASS_MARKS, Token
from connectors.moodle.demo.faults import Faults
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from connectors.moodle.settings import MoodleSettings
from connectors.records import CompletionRecord, CourseRecord, EmployeeRecord, Record, UserRecord
from connectors.storing import Counts, Moment, store_records
from connectors.streams import Connector, Cursor, Failure, Finding, Page, Raw, Scope, Stream, pass_number
from connectors.sync import SyncResult, sync
from plugin.errors import RecordRefusedError
from plugin.models import Person, Touched
from plugin.people import Employee
from plugin.settings import Settings
from plugin.store import Base, Store

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ANCHOR = datetime(2026, 11, 23, tzinfo=UTC)


def day(number: int) -> datetime:
    """Ten o'clock on a day of October 2026."""
    return datetime(2026, 10, number, 10, tzinfo=UTC)


def employee(number: str, email: str | None = None, **more: Any) -> EmployeeRecord:
    """An employee of the roster."""
    return EmployeeRecord(Employee(number, f"Name {number}", email, **more))


@dataclass
class Book:
    """A store, a clock that stands until told, and short ways to fill the one and to look into it."""

    store: Store
    now: datetime = NOW
    passes: int = 0

    def later(self, **by: float) -> None:
        """Let time pass: an hour if not told."""
        self.now += timedelta(**(by or {"hours": 1}))

    def pull(self, connector: Connector) -> SyncResult:
        """Pull the connector's source."""
        try:
            return sync(self.store, connector, lambda: self.now, ZONE)
        finally:
            connector.close()

    def put(self, *records: Record, scope: Scope | None = None, source: str = "moodle") -> Counts:
        """Store records as one page of a pass of its own."""
        self.passes += 1
        moment = Moment(self.now, self.now.astimezone(ZONE).date(), self.passes)
        with self.store.write() as session:
            return store_records(session, source, records, scope, moment)

    def all(self, model: type[Base], **where: Any) -> list[Any]:
        """The rows of a table whose columns have these values."""
        with self.store.read() as session:
            return list(session.scalars(select(model).filter_by(**where).order_by(*model.__table__.primary_key)))

    def one(self, model: type[Base], **where: Any) -> Any:
        """The one row of a table whose columns have these values."""
        (row,) = self.all(model, **where)
        return row

    def evidence(self, **where: Any) -> list[Any]:
        """The evidence that stands."""
        return self.all(Evidence, voided_at=None, **where)

    def waiting(self) -> list[Any]:
        """What waits in quarantine."""
        return self.all(Quarantined, resolved_at=None)

    def touched(self) -> set[str]:
        """The numbers of the persons touched since this was last asked."""
        with self.store.write() as session:
            query = select(Person.employee_number).join(Touched, Touched.person_id == Person.id)
            numbers = set(session.scalars(query))
            session.execute(delete(Touched))
        return numbers

    def bound_users(self, *numbers: int) -> None:
        """An employee E<n> with an account <n>, for each number."""
        self.put(*(employee(f"E{number}") for number in numbers), source="roster")
        self.put(*(UserRecord(str(number), idnumber=f"E{number}") for number in numbers))
        self.touched()

    def completed(self, user: int, on: datetime, course: str = "5") -> CompletionRecord:
        """A completion of account <user>, with its course in the store."""
        self.put(CourseRecord(course, f"Course {course}", idnumber=f"CRS-{course}"))
        record = CompletionRecord(course, str(user), on)
        self.put(record)
        return record

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The statements that the store is asked to run in the block."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, many: bool) -> None:
            # SQLite is told to begin; PostgreSQL to hold a lock and how to join, and it gets many rows by COPY.
            inserts = many and statement.startswith("INSERT")
            told = statement.startswith(("BEGIN", "SET LOCAL")) or "pg_advisory_xact_lock" in statement
            if not told and not inserts:
                seen.append(statement)

        event.listen(self.store.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.store.engine, "before_cursor_execute", note)


# A scripted source: every pull plays the pages that stand in `script`.


@dataclass
class Step:
    """One page: records, or texts for why one cannot be used; what it shows whole; or a failed request."""

    key: str
    items: Sequence[Record | str] = ()
    scope: Scope | None = None
    failure: str | None = None


class ScriptedStream(Stream):
    """Reads the script page by page; the cursor is (pass, pages read)."""

    name = "things"
    records = (UserRecord,)

    def __init__(self, source: "ScriptedSource") -> None:
        self._source = source

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """The steps after the cursor; an exception in the script is raised."""
        number = pass_number(cursor)
        done = int(cursor[1]) if cursor and len(cursor) > 1 else 0
        for place, step in enumerate(self._source.script[done:], start=done + 1):
            if isinstance(step, Exception):
                raise step
            if step.failure:
                yield Page((number, place), failure=Failure(step.key, {"asked": step.key}, step.failure))
                continue
            raws = [
                Raw(f"{step.key}:{at}", {"refuse": item} if isinstance(item, str) else {"place": [place - 1, at]})
                for at, item in enumerate(step.items)
            ]
            yield Page((number, place), raws, step.scope, key=step.key)
        yield Page((number + 1,), ends_pass=True)

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """The record of the script, or a refusal; one that is `mendable` can be used once the source says so."""
        if "refuse" in raw:
            if raw["refuse"] in self._source.mended:
                return self._source.mended[raw["refuse"]]
            raise RecordRefusedError(raw["refuse"])
        place, at = raw["place"]
        found: Record = self._source.script[place].items[at]
        return found


class ScriptedSource(Connector):
    """A source that gives what its script says."""

    def __init__(self, *script: Any) -> None:
        super().__init__("moodle")
        self.script: list[Any] = list(script)
        self.mended: dict[str, Record] = {}

    def streams(self) -> Sequence[Stream]:
        """The one stream."""
        return [ScriptedStream(self)]

    def check(self) -> list[Finding]:
        """Nothing."""
        return []


# A sandbox site.


@dataclass
class Site:
    """A running sandbox Moodle of 60 people."""

    organisation: Organisation
    faults: Faults
    url: str = ""

    def connector(self, token: str = PASS_MARKS.token, **settings: Any) -> MoodleConnector:
        """A connector to it; its token stands in the environment variable SITE_TOKEN_<token>."""
        given = {"url": self.url, "token": {"file": token}, "tries": 2, **settings}
        home = Settings()
        home._folder = self.folder
        (self.folder / token).write_text(token)
        return MoodleConnector("moodle", MoodleSettings.model_validate(given), home)

    folder: Path = field(default_factory=Path)


@contextmanager
def running_site(folder: Path, *tokens: Token) -> Iterator[Site]:
    """A site with the usual tokens and `tokens`."""
    site = Site(Organisation(people=60, seed=1, anchor=ANCHOR), Faults(), folder=folder)
    with serve(create_app(site.organisation, site.faults, (*DEFAULT_TOKENS, *tokens))) as server:
        site.url = server.url
        yield site


def lacking(token: str, *capabilities: str, functions: frozenset[str] = frozenset()) -> Token:
    """The connector's token without some capabilities and functions, called `token`."""
    made = PASS_MARKS.without(token, *capabilities)
    return Token(made.token, made.username, made.userid, made.functions - functions, made.capabilities)


# A server that answers what it is told.


@dataclass
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of the body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Reply:
    """What is answered; `body` may come in parts, each after its own wait; `cut` breaks off without an end."""

    body: bytes | Sequence[bytes] = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    between: float = 0.0
    claim: int | None = None


@dataclass
class Little:
    """The server: where it listens, what came, what it answers, and how many requests it held at a time."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Reply] = lambda _got: Reply()
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def little_server() -> Iterator[Little]:
    """A server until the block ends."""
    little = Little()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            with little.lock:
                little.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            got = Got(self.path, dict(self.headers), body)
            with little.lock:
                little.got.append(got)
                little.at_once += 1
                little.most_at_once = max(little.most_at_once, little.at_once)
            try:
                reply = little.answer(got)
                threading.Event().wait(reply.wait)
                self._write(reply)
            except (BrokenPipeError, ConnectionResetError):  # the client has gone, as some tests want
                self.close_connection = True
            finally:
                with little.lock:
                    little.at_once -= 1

        do_GET = do_POST  # noqa: N815 - http.server names it so

        def _write(self, reply: Reply) -> None:
            parts = [reply.body] if isinstance(reply.body, bytes) else reply.body
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            length = sum(map(len, parts)) if reply.claim is None else reply.claim
            self.send_header("Content-Length", str(length))
            self.end_headers()
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()
                threading.Event().wait(reply.between)
            if reply.claim is not None:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up, as some tests want
    little.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield little
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
