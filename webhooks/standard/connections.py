"""HTTP connections of deliveries: only to checked addresses, and never for longer than they may last.

A time-out of a socket limits one read, so an endpoint that sends a byte every few seconds could hold a delivery
for ever. The watch limits the whole: it shuts the socket of whatever is over its time.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

# host, port, encrypted -> the addresses that may be connected to; raises DeliveryError, OSError
Gate = Callable[[str, int, bool], list[str]]

WATCH_EVERY = 0.2
MOST_ADDRESSES = 4


@dataclass
class Errand:
    """One request under way: until when it may last, on time.monotonic's scale, and the socket (`wire`) it uses."""

    until: float
    wire: socket.socket | None = None
    expired: bool = False

    @property
    def remaining(self) -> float:
        """Seconds left, at least a little, as a socket takes no time-out of zero."""
        return max(self.until - time.monotonic(), 0.05)


class Watch:
    """Ends the requests that are over their time, in a thread of its own from the first request to `close`."""

    def __init__(self) -> None:
        self._by_thread: dict[int, Errand] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def errand(self, seconds: float) -> Iterator[Errand]:
        """This thread's request, which may last `seconds`."""
        errand = Errand(time.monotonic() + seconds)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="delivery watch", daemon=True)
                self._thread.start()
            self._by_thread[threading.get_ident()] = errand
        try:
            yield errand
        finally:
            with self._lock:
                del self._by_thread[threading.get_ident()]
                errand.wire = None

    @property
    def current(self) -> Errand:
        """The errand that this thread is on."""
        return self._by_thread[threading.get_ident()]

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(WATCH_EVERY):
            now = time.monotonic()
            with self._lock:
                for errand in self._by_thread.values():
                    if now >= errand.until and not errand.expired:
                        errand.expired = True
                        if errand.wire is not None:
                            _shut(errand.wire)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended meanwhile


class _GuardedConnection(HTTPConnection):
    """Connects to an address that the gate has let through, and shows its socket to the watch."""

    gate: Gate
    watch: Watch
    encrypted = False

    def _new_conn(self) -> socket.socket:
        port = self.port or (443 if self.encrypted else 80)
        try:
            addresses = self.gate(self.host, port, self.encrypted)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        errand = self.watch.current
        failure: OSError = OSError("no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                errand.wire = create_connection(
                    (address, port), errand.remaining, self.source_address, self.socket_options
                )
            except OSError as error:
                failure = error
            else:
                return errand.wire
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connecting took too long") from failure
        raise NewConnectionError(self, "no address of it accepts connections") from failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request; a connection that is used again shows its socket first."""
        errand = self.watch.current
        errand.wire = self.sock
        super().request(*args, **kwargs)
        errand.wire = self.sock


class _GuardedHTTPSConnection(_GuardedConnection, HTTPSConnection):
    """The same with TLS; the certificate is checked for the name, not for the address."""

    encrypted = True


class GuardedAdapter(HTTPAdapter):
    """An adapter of requests whose connections pass `gate` and are under `watch`."""

    def __init__(self, gate: Gate, watch: Watch, connections: int) -> None:
        self._gate = gate
        self._watch = watch
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools with connections of our own."""
        super().init_poolmanager(*args, **kwargs)
        shared = {"gate": staticmethod(self._gate), "watch": self._watch}

        class Plain(HTTPConnectionPool):
            ConnectionCls = type("Connection", (_GuardedConnection,), shared)

        class Encrypted(HTTPSConnectionPool):
            ConnectionCls = type("Connection", (_GuardedHTTPSConnection,), shared)

        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": Plain, "https": Encrypted}
