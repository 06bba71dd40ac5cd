"""Endpoints that answer as no endpoint should: too much, too slowly, not at all, or somewhere else."""

import gzip
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from plugin.settings import Settings
from webhooks.standard.signing import new_secret
from webhooks.standard.target import DRAINED, EXCERPT, StandardTarget
from webhooks.target import DELIVERED, REDIRECT, TIMEOUT, UNREACHABLE, Answer, Destination, Parcel

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LIMIT = 1.0  # seconds that an endpoint has here
OK = b"HTTP/1.1 200 OK\r\n"

Speech = Callable[[socket.socket], None]


class Counted:
    """A connection that counts what was written until the other side had enough."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.bytes = connection, 0

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError when nobody listens any more."""
        self.connection.sendall(data)
        self.bytes += len(data)


@contextmanager
def speaking(speech: Callable[[Counted], None]) -> Iterator[tuple[int, list[Counted]]]:
    """A server that reads a request and answers each with what `speech` writes, until the block ends."""
    said: list[Counted] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            counted = Counted(connection)
            said.append(counted)
            with connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
                try:
                    connection.settimeout(10)
                    connection.recv(65_536)
                    speech(counted)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], said
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def send(port: int, host: str = "127.0.0.1", lookup: Any = None, **own: Any) -> Answer:
    """Send one message to that port."""
    base = {"allow_networks": ["127.0.0.0/8"], "allow_ports": "any", "timeout_seconds": LIMIT}
    settings = Settings.model_validate({"webhooks": {**base, **own}})
    target = StandardTarget(
        Destination("hr", f"http://{host}:{port}/hooks", new_secret()), settings, lookup or (lambda *_: ["127.0.0.1"])
    )
    try:
        return target.send(Parcel("m", b"{}"), NOW)
    finally:
        target.close()


def endless(head: bytes, piece: bytes, pause: float = 0) -> Callable[[Counted], None]:
    """Say the head, and then the piece again and again."""

    def speech(connection: Counted) -> None:
        connection.write(head)
        while True:
            connection.write(piece)
            time.sleep(pause)

    return speech


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
        (OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 0x4000),
        (OK + b"Connection: close\r\n\r\n", b"x" * 0x4000),
    ],
    ids=["chunked", "long", "without length"],
)
def test_an_answer_without_end_is_read_to_a_bound(head: bytes, piece: bytes) -> None:
    """An endless body with a good status counts as delivered; little of it is read, and the connection is closed."""
    with speaking(endless(head, piece)) as (port, said):
        answer = send(port)
        assert (answer.outcome, len(answer.excerpt or "x" * EXCERPT)) == (DELIVERED, EXCERPT)
    assert said[0].bytes < 100 * DRAINED


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A small body that unpacks to a gigabyte stays small: nothing asks for it to be packed, nothing unpacks it."""
    packed = gzip.compress(b"\0" * 200_000_000, 9)
    bomb = gzip.compress(packed, 9)
    head = OK + f"Content-Encoding: gzip, gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with speaking(lambda connection: connection.write(head + bomb)) as (port, _):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = send(port)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert answer.outcome == DELIVERED
    assert len(answer.excerpt or "") <= EXCERPT
    assert grown < 20_000  # kilobytes


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"H"),
        (OK, b"X-Slow: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "100 Continue"],
)
def test_an_answer_that_drips_ends_in_time(head: bytes, piece: bytes) -> None:
    """A byte or a header every now and then, for ever, is no answer once the time is over."""
    began = time.monotonic()
    with speaking(endless(head, piece, pause=0.1)) as (port, _):
        answer = send(port)
    assert answer.outcome in (TIMEOUT, UNREACHABLE)
    assert time.monotonic() - began < LIMIT + 2


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK + b"Content-Length: 100000\r\n\r\n", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 0x2000 + b"\r\nx\r\n"),
    ],
    ids=["bytes", "chunk extensions"],
)
def test_a_body_that_drips_does_not_hold_the_sender(head: bytes, piece: bytes) -> None:
    """When the status has come the message counts as delivered; the rest of the answer is cut off in time."""
    began = time.monotonic()
    with speaking(endless(head, piece, pause=0.1)) as (port, _):
        answer = send(port, timeout_seconds=20)
    assert (answer.outcome, answer.status) == (DELIVERED, 200)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "head",
    [
        OK + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
        OK + b"X-Long: " + b"y" * 10_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 " + b"2" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"O" * 1_000_000 + b"\r\n\r\n",
        b"\x16\x03\x01 this is no HTTP \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=["many headers", "a long header", "a long status", "a long phrase", "not HTTP", "bad chunk", "nothing"],
)
def test_what_is_no_answer_is_a_failure_or_the_status_that_came(head: bytes) -> None:
    """Floods of headers, nonsense and silence end as an outcome with a reason, never as an exception."""
    with speaking(lambda connection: connection.write(head)) as (port, _):
        answer = send(port)
    assert answer.outcome == (DELIVERED if head.endswith(b"zz\r\n") else UNREACHABLE)
    assert answer.reason.endswith(".")


def test_a_reset_after_the_request_is_a_failure() -> None:
    """An endpoint that cuts the connection when it has everything has not said that it accepts it."""

    def reset(connection: Counted) -> None:
        connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with speaking(reset) as (port, _):
        assert send(port).outcome == UNREACHABLE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:{inner}/", "http://169.254.169.254/latest/", "//127.0.0.1:{inner}/x"]
)
def test_redirects_are_not_followed_to_inner_addresses_either(status: int, place: str) -> None:
    """An endpoint that sends a message elsewhere is a failure, and nothing arrives elsewhere."""
    with speaking(lambda connection: connection.write(OK + b"Content-Length: 0\r\n\r\n")) as (inner, visited):
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {place.format(inner=inner)}\r\nContent-Length: 0\r\n\r\n"
        with speaking(lambda connection: connection.write(head.encode())) as (port, _):
            answer = send(port)
        assert (answer.outcome, answer.status, visited) == (REDIRECT, status, [])


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the variables that name a proxy is looked at: it would connect where nobody has checked."""
    with speaking(lambda connection: connection.write(OK + b"Content-Length: 0\r\n\r\n")) as (proxy, visited):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        with speaking(lambda connection: connection.write(OK + b"Content-Length: 0\r\n\r\n")) as (port, arrived):
            assert send(port).outcome == DELIVERED
            assert (visited, len(arrived)) == ([], 1)


def test_cookies_are_neither_kept_nor_sent(receiver: Any) -> None:
    """What an endpoint sets as a cookie comes back to nobody."""
    receiver.answer = lambda _got: (200, {"Set-Cookie": "a=b"}, b"")
    settings = Settings.model_validate({"webhooks": {"allow_networks": ["127.0.0.0/8"], "allow_ports": "any"}})
    target = StandardTarget(Destination("hr", receiver.url, new_secret()), settings)
    for _ in range(2):
        assert target.send(Parcel("m", b"{}"), NOW).outcome == DELIVERED
    target.close()
    assert [("cookie" in got.headers, got.headers["webhook-id"]) for got in receiver.got] == [(False, "m")] * 2
