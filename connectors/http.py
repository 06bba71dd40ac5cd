"""HTTP manners, the same for every connector: time-outs, bounded retries, few connections, bounded answers.

A request is tried again after a failure that may pass (no connection, time-out, 429, 5xx, an answer that cannot
be read), waiting longer each time or as long as `Retry-After` asks, within bounds. Redirects are not followed:
they would turn a POST into a GET and carry the token elsewhere. Exceptions hold neither addresses' queries nor bodies.
"""

import email.utils
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import requests
from requests.adapters import HTTPAdapter

from plugin.errors import SourceUnavailableError

LONGEST_WAIT = 60.0
LARGEST_ANSWER = 512 * 1024 * 1024

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class TryAgainError(SourceUnavailableError):
    """A failure that may pass; `after` is how many seconds the server asked to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


class HttpClient:
    """Sends requests with good manners; one connection per thread, at most `connections` threads at a time."""

    def __init__(
        self,
        *,
        timeout: float = 120,
        tries: int = 4,
        connections: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.timeout = timeout
        self.tries = tries
        self.connections = connections
        self._sleep = sleep
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def post_form(self, url: str, fields: Mapping[str, str]) -> Answer:
        """POST `fields` once. Raises TryAgainError when there is no whole answer, or it is 429 or 5xx."""
        try:
            with self._session().post(
                url, data=fields, timeout=(10, self.timeout), allow_redirects=False, stream=True
            ) as response:
                body = self._read(response)
                if response.status_code == 429 or response.status_code >= 500:
                    raise TryAgainError(
                        f"the server answered HTTP {response.status_code}",
                        _seconds(response.headers.get("Retry-After")),
                    )
                return Answer(response.status_code, response.headers.get("Content-Type", ""), body)
        except requests.Timeout:
            raise TryAgainError(f"no answer within {self.timeout:g} seconds") from None
        except requests.RequestException as error:
            raise TryAgainError(f"no connection ({_kind(error)})") from None

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
        with ThreadPoolExecutor(self.connections, thread_name_prefix="pull") as pool:
            return list(pool.map(function, items))

    def close(self) -> None:
        """Give every connection back."""
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

    def _read(self, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(1024 * 1024):
            size += len(part)
            if size > LARGEST_ANSWER:
                raise TryAgainError(f"the answer is larger than {LARGEST_ANSWER // 1024 // 1024} MiB")
            parts.append(part)
        return b"".join(parts)


def _kind(error: requests.RequestException) -> str:
    """What went wrong, in a word: the text of these exceptions may hold addresses."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate was not accepted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "it broke off in the middle of the answer"
    return "refused or broken off" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _seconds(retry_after: str | None) -> float | None:
    """The value of a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date; None when it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        date = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
