"""HTTP manners, the same for every connector: time-outs, bounded retries, few connections, bounded answers.

A request is tried again after a failure that may pass (no connection, time-out, 429, 5xx, an answer that cannot
be read), waiting longer each time or as long as `Retry-After` asks, within bounds. Redirects are not followed:
they would turn a POST into a GET and carry the token elsewhere. Exceptions hold neither addresses' queries nor bodies.
"""

import email.utils
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter

from plugin.errors import SourceRefusedError, SourceUnavailableError

LONGEST_WAIT = 60.0
LARGEST_ANSWER = 512 * 1024 * 1024

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class TryAgainError(SourceUnavailableError):
    """A failure that may pass; `after` is how many seconds the server asked to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class AnswerTooLargeError(SourceRefusedError):
    """An answer is larger than `largest` bytes: asking again would not make it smaller."""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


class HttpClient:
    """Sends requests with good manners; one connection per thread, at most `connections` threads at a time.

    At most `calls_per_second` requests are sent, by all threads together; 0 is no limit. `calls` counts the requests that
    were sent, `bytes` what was read of their answers, unpacked; `ahead` is by how many seconds the server's clock was ahead
    of the one here when it answered last (RFC 9110, section 6.6.1), None where it did not say.
    """

    def __init__(
        self,
        *,
        timeout: float = 120,
        tries: int = 4,
        connections: int = 3,
        calls_per_second: float = 0,
        largest: int = LARGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout = timeout
        self.tries = tries
        self.connections = connections
        self.largest = largest
        self.calls = 0
        self.bytes = 0
        self.ahead: float | None = None
        self._pause = 1 / calls_per_second if calls_per_second else 0.0
        self._next = 0.0
        self._sleep = sleep
        self._monotonic = monotonic
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def post_form(self, url: str, fields: Mapping[str, str]) -> Answer:
        """POST `fields` once. Raises TryAgainError when there is no whole answer in time, or it is 429 or 5xx."""
        self._take_turn()
        until = time.monotonic() + self.timeout
        try:
            with self._session().post(
                url, data=fields, timeout=(min(10, self.timeout), self.timeout), allow_redirects=False, stream=True
            ) as response:
                self.ahead = _until(response.headers.get("Date"))
                body = b"" if response.is_redirect else self._read(response, until)
                status, headers = response.status_code, response.headers
        except (TryAgainError, AnswerTooLargeError):
            raise
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            failure = self._late()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failure = TryAgainError(f"no connection ({_kind(error)})")
        else:
            if status == 429 or status >= 500:
                raise TryAgainError(f"the server answered HTTP {status}", _seconds(headers.get("Retry-After")))
            return Answer(status, headers.get("Content-Type", ""), body)
        raise failure  # out here it has no context: what failed within holds the request, and with it the token

    def _take_turn(self) -> None:
        """Count a request, and wait until it may be sent."""
        with self._lock:
            self.calls += 1
            now = self._monotonic()
            turn = max(now, self._next)
            self._next = turn + self._pause
        if turn > now:
            self._sleep(turn - now)

    def retrying(self, attempt: Callable[[], Outcome]) -> Outcome:
        """What `attempt` returns, trying again while it raises TryAgainError; the last one is raised."""
        for number in range(1, self.tries + 1):
            try:
                return attempt()
            except TryAgainError as error:
                if number == self.tries:
                    raise
                self._sleep(min(error.after if error.after is not None else 2.0 ** (number - 1), LONGEST_WAIT))
        raise AssertionError("unreachable")

    def map(self, function: Callable[[Item], Outcome], items: list[Item]) -> list[Outcome]:
        """`function` of each item, a few at a time, in the order of the items."""
        if len(items) <= 1 or self.connections == 1:
            return [function(item) for item in items]
        # One pool for as long as the client lives: each of its threads keeps a connection.
        self._pool = self._pool or ThreadPoolExecutor(self.connections, thread_name_prefix="pull")
        outcomes = [self._pool.submit(function, item) for item in items]
        try:
            return [outcome.result() for outcome in outcomes]
        finally:
            for outcome in outcomes:
                outcome.cancel()
            wait(outcomes)

    def close(self) -> None:
        """Give every connection back."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for session in self._sessions:
            session.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
            session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
            session.headers["User-Agent"] = "CertBridge"
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _read(self, response: requests.Response, until: float) -> bytes:
        """The body; as it comes in, so that a server that sends it in drops is not waited for beyond `until`."""
        parts: list[bytes] = []
        size = 0
        while part := response.raw.read1(1024 * 1024, decode_content=True):
            size += len(part)
            with self._lock:
                self.bytes += len(part)
            if size > self.largest:
                raise AnswerTooLargeError(
                    f"An answer is larger than {self.largest // 1024 // 1024} MiB and was not read to its end. If the site is "
                    "that large, raise largest_answer_mib of the source in config.toml."
                )
            if time.monotonic() > until:
                raise self._late()
            parts.append(part)
        return b"".join(parts)

    def _late(self) -> TryAgainError:
        return TryAgainError(f"no answer within {self.timeout:g} seconds")


def _kind(error: Exception) -> str:
    """What went wrong, in a word: the text of these exceptions may hold addresses."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate was not accepted"
    if isinstance(error, urllib3.exceptions.HTTPError):
        return "it broke off in the middle of the answer"
    return "refused or broken off" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _seconds(retry_after: str | None) -> float | None:
    """The value of a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date; None when it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    seconds = _until(retry_after)
    return None if seconds is None else max(0.0, seconds)


def _until(date: str | None) -> float | None:
    """How many seconds from now an HTTP date lies, before now a negative number; None when it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if moment.tzinfo is None:  # it says -0000
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
