"""What the tests of webhooks share: people, events, a receiver, an endpoint that leads to it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from plugin.cli import Command, Context
from plugin.events import EventDraft, append_events
from plugin.installation import Installation
from plugin.models import Person
from plugin.store import Store
from webhooks import endpoints
from webhooks.commands import register
from webhooks.delivery import Courier, Tally, deliver_due
from webhooks.fanout import fan_out
from webhooks.models import Message
from webhooks.target import kinds

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, dict[str, str], bytes]
OK: Reply = (201, {}, b"created")


@dataclass
class Receiver:
    """Where it listens, what arrived in which order, and what it answers (a function of the request)."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Reply] = lambda _got: OK
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            with receiver.lock:
                receiver.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with receiver.lock:
                receiver.got.append(got)
            status, headers, text = receiver.answer(got)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                self.wfile.flush()
            except OSError:
                self.close_connection = True  # the sender has gone

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Desk:
    """An installation at work: people, events, endpoints and deliveries in a few words each."""

    home: Installation

    @property
    def store(self) -> Store:
        """The store."""
        return self.home.store

    def people(self, count: int) -> list[int]:
        """Create persons E0001 … and return their ids."""
        now = self.home.clock()
        with self.store.write() as session:
            rows = [
                {"employee_number": f"E{n:04}", "name": f"Person {n}", "created_at": now, "changed_at": now}
                for n in range(1, count + 1)
            ]
            session.execute(insert(Person), rows)
            return list(session.scalars(select(Person.id).order_by(Person.id)))

    def event(self, person: int, code: str = "FORKLIFT", kind: str = "certification.awarded", **data: Any) -> None:
        """Append an event about a certification of this person."""
        self.events([person], code, kind, **data)

    def events(
        self, people: Sequence[int], code: str = "FORKLIFT", kind: str = "certification.awarded", **data: Any
    ) -> None:
        """Append one event for each of these persons."""
        with self.store.write() as session:
            drafts = [
                EventDraft(person, kind, f"certification:{person}:{code}", {"certification": code, **data})
                for person in people
            ]
            append_events(session, drafts, self.home.clock())

    def endpoint(self, url: str, name: str = "hr", **options: Any) -> None:
        """Add an endpoint with the secret SECRET."""
        home = self.home
        with self.store.write() as session:
            endpoints.add_endpoint(
                session, endpoints.Kinds(kinds(home), home.settings, home.keys), name=name, url=url,
                **{"secret": SECRET, "actor": "test", "now": home.clock(), **options},
            )  # fmt: skip

    def settings(self, **values: Any) -> None:
        """Set keys of `[webhooks]`."""
        extra = self.home.settings.model_extra
        assert extra is not None
        extra["webhooks"] = {**extra.get("webhooks", {}), **values}

    @property
    def courier(self) -> Courier:
        """What deliveries work with; chance is the same in every run."""
        home = self.home
        return Courier(home.store, home.keys, kinds(home), home.settings, home.clock, Random(1))

    def deliver(self, seconds: float = 30) -> Tally:
        """Fan out, and deliver what is due."""
        fan_out(self.store, self.home.clock())
        return deliver_due(self.courier, seconds)

    def messages(self) -> list[Message]:
        """Every message, by person and number."""
        with self.store.read() as session:
            return list(session.scalars(select(Message).order_by(Message.person_id, Message.sequence)))


@pytest.fixture
def desk(installation: Installation) -> Desk:
    """An installation whose endpoints may lie on loopback."""
    desk = Desk(installation)
    desk.settings(allow_networks=["127.0.0.0/8", "::1/128"], allow_ports="any", timeout_seconds=2)
    return desk


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def run(desk: Desk) -> Callable[..., Result]:
    """Run the command with these words; what it printed and how it ended."""

    @click.group(cls=Command)
    @click.pass_context
    def cli(ctx: click.Context) -> None:
        ctx.obj = Context(Path("config.toml"))
        ctx.obj.installation = desk.home

    register(cli)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, words)

    return run
