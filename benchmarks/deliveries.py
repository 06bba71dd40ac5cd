"""How fast messages are delivered, by one worker to a receiver beside it, and what a claim costs before a long queue.

    python -m benchmarks.deliveries [--url postgresql://…] [--messages 10000] [--people 2000] [--waiting 1000000]

The receiver is a process of its own that answers 204 to whatever comes. First a bare loop of `requests` posts bodies of the
same size to it, one after another on one connection, for the ratio. Then one worker fans out and delivers the messages:
claimed, signed, sent, and every attempt recorded and committed. At last messages are made to wait, and claims as large as a worker's are
timed among them, spread over many people and then all of a few. Without --url, a SQLite file in a temporary folder.
"""

import argparse
import multiprocessing
import os
import random
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import insert, select, text, update

from plugin import lifecycle
from plugin.events import EventDraft, append_events
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.models import Event, Person
from plugin.secrets import create_key_file
from plugin.settings import Settings
from plugin.store import Store, chunks
from webhooks import endpoints
from webhooks.claims import claim
from webhooks.delivery import Courier, deliver_due
from webhooks.fanout import fan_out
from webhooks.models import WAITING, Endpoint, Message
from webhooks.settings import WebhooksSettings
from webhooks.target import kinds

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CHUNK = WebhooksSettings().chunk
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def receive(listener: socket.socket) -> None:
    """Answer every request on every connection."""

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as lines:
            while True:
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                if not line:
                    return
                lines.read(length)
                connection.sendall(ANSWER)

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


@contextmanager
def receiving() -> Iterator[str]:
    """The URL of a receiver, until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        process = multiprocessing.get_context("fork").Process(target=receive, args=(listener,), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hooks"
        finally:
            process.kill()
            process.join()


def installed(url: str, folder: Path) -> Installation:
    """An installation in an empty database."""
    addons = discover([], PACKAGES)
    load_models(addons)
    settings = Settings.model_validate(
        {
            "secrets": {"key_file": str(folder / "key")},
            "webhooks": {"allow_networks": ["127.0.0.0/8"], "allow_ports": "any"},
        }
    )
    create_key_file(folder / "key")
    home = Installation(settings, addons, Store(url), lambda: NOW)
    lifecycle.install(home)
    return home


def tell(home: Installation, people: list[int], count: int) -> None:
    """Append `count` events, round and round the people."""
    data = {"employee_number": "E1", "certification": "FORKLIFT", "status": "certified", "valid_from": NOW.isoformat()}
    for numbers in chunks(range(count), 10_000):
        drafts = [
            EventDraft(person, "certification.awarded", f"certification:E{person}:C{number // len(people)}", data)
            for number, person in ((number, people[number % len(people)]) for number in numbers)
        ]
        with home.store.write() as session:
            append_events(session, drafts, NOW)


def bare(url: str, seconds: float = 5) -> float:
    """Requests a second of a loop that does nothing but post."""
    body = os.urandom(200).hex().encode()
    with requests.Session() as session:
        session.trust_env = False
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=5)
            done += 1
        return done / (time.perf_counter() - start)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def claims(home: Installation, rounds: int) -> list[float]:
    """Milliseconds of `rounds` claims, each of which is delivered, as far as the line is concerned, before the next."""
    found = []
    with home.store.read() as session:
        endpoint = session.scalars(select(Endpoint)).one()
    for _ in range(rounds):
        with home.store.write() as session:
            start = time.perf_counter()
            claimed = claim(session, endpoint, "benchmark", NOW, CHUNK, 10)
            found.append((time.perf_counter() - start) * 1000)
            ids = [message.id for message in claimed]
            done = update(Message).where(Message.id.in_(ids)).values(state="delivered", finished_at=NOW, holder=None)
            session.execute(done, execution_options={"synchronize_session": False})
    return found


def queue(home: Installation, people: list[int], count: int) -> None:
    """Let `count` messages wait, of these people in turn."""
    with home.store.write() as session:
        session.execute(update(Message).values(state="delivered"))
    tell(home, people, count)
    seconds = timed(lambda: fan_out(home.store, NOW, most=10 * count))
    print(f"  fan-out: {count / seconds:,.0f} events/s")
    analyze = "ANALYZE"
    with home.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(analyze))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url")
    options.add_argument("--messages", type=int, default=10_000)
    options.add_argument("--people", type=int, default=2_000)
    options.add_argument("--waiting", type=int, default=1_000_000)
    options.add_argument("--few", type=int, default=100, help="people of the long lines")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name, receiving() as url:
        folder = Path(name)
        home = installed(given.url or f"sqlite:///{folder}/store.db", folder)
        with home.store.write() as session:
            rows = [
                {"employee_number": f"E{n}", "name": f"N{n}", "created_at": NOW, "changed_at": NOW}
                for n in range(1, max(given.people, given.waiting // 50) + 1)
            ]
            session.execute(insert(Person), rows)
            people = list(session.scalars(select(Person.id).order_by(Person.id)))
            known = endpoints.Kinds(kinds(home), home.settings, home.keys)
            endpoints.add_endpoint(session, known, name="hr", url=url, secret=SECRET, actor="benchmark", now=NOW)
        kind = home.store.engine.dialect.name
        loop = bare(url)
        print(f"a bare loop of requests: {loop:,.0f}/s")
        courier = Courier(home.store, home.keys, kinds(home), home.settings, home.clock, random.Random(1))
        tell(home, people[: given.people], given.messages)
        fan = timed(lambda: fan_out(home.store, NOW))
        tallies = []
        seconds = timed(lambda: tallies.append(deliver_due(courier, 3600)))
        assert tallies[0].delivered == given.messages, tallies
        speed = given.messages / seconds
        print(f"{kind}: {speed:,.0f} durable deliveries/s; ratio to the bare loop {speed / loop:.2f}")
        print(f"  with the fan-out: {given.messages / (seconds + fan):,.0f}/s; peak memory {peak():,.0f} MiB")
        if given.waiting:
            for words, among in (("spread over many people", people), ("all of a few people", people[: given.few])):
                print(f"{given.waiting:,} waiting, {words} ({len(among):,}):")
                queue(home, among, given.waiting)
                found = claims(home, 40)
                print(
                    f"  a claim of up to {CHUNK}: median {statistics.median(found):.1f} ms, slowest {max(found):.1f} ms; "
                    f"peak memory {peak():,.0f} MiB"
                )
        with home.store.read() as session:
            assert session.scalar(select(Event.id).limit(1)) is not None
            left = session.scalar(select(Message.id).where(Message.state == WAITING).limit(1))
            assert left is not None or not given.waiting
        home.store.close()


def peak() -> float:
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
