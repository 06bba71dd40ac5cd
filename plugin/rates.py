"""How often a token may ask: so many calls within each minute of the clock, `[web] requests_a_minute`.

On PostgreSQL the calls are counted in the store, for all processes together. On SQLite one process serves HTTP, and it
counts by itself: a call that only reads must not wait there for somebody who writes.
"""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, text

from plugin.models import Throttle
from plugin.store import Store, inserting

WINDOW = 60  # seconds
PREFIX = "api:"


@dataclass(frozen=True)
class Rate:
    """How a token stands: calls that it may make in a window, how many are left, seconds until the next window."""

    limit: int
    left: int
    resets_in: int
    exceeded: bool

    @property
    def headers(self) -> dict[str, str]:
        """What every answer to a token says about it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.resets_in),
        }


class Rates:
    """The calls of each token in the present window."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[int, int] = {}

    def count(self, token_id: int, now: datetime) -> Rate | None:
        """Count a call; None where calls are not limited."""
        if not self._limit:
            return None
        window, into = divmod(int(now.timestamp()), WINDOW)
        made = self._in_memory(token_id, window) if self._store.is_sqlite else self._in_store(token_id, window, now)
        return Rate(self._limit, max(0, self._limit - made), WINDOW - into, made > self._limit)

    def _in_memory(self, token_id: int, window: int) -> int:
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            self._counts[token_id] = self._counts.get(token_id, 0) + 1
            return self._counts[token_id]

    def _in_store(self, token_id: int, window: int, now: datetime) -> int:
        begins = datetime.fromtimestamp(window * WINDOW, UTC)
        row = {"key": f"{PREFIX}{token_id}:{window}", "count": 1, "since": begins}
        with self._store.write() as session:
            session.execute(text("SET LOCAL synchronous_commit = off"))  # a crash may forget some calls
            counting = inserting(session, Throttle).values(row)
            counted = counting.on_conflict_do_update(
                index_elements=["key"], set_={"count": Throttle.count + 1}
            ).returning(Throttle.count)
            made: int = session.execute(counted).scalar_one()
            if made == 1:
                old = Throttle.key.startswith(PREFIX), Throttle.since < now - timedelta(seconds=2 * WINDOW)
                session.execute(delete(Throttle).where(*old), execution_options={"synchronize_session": False})
        return made
