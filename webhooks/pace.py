"""The rate of an endpoint: at most so many messages a second, whoever sends them.

Workers share the time out between them: whoever claims messages takes one slot for each, one after another, and writes
down up to when slots are taken (`slots_until`). Within a chunk a message begins no sooner than its slot, and no sooner
than a slot's length after the one before it really began.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhooks.models import Endpoint

WINDOW = timedelta(seconds=5)  # no slots are taken that lie further ahead, and no more than fit into it


class Pace:
    """When each message of a chunk may begin: the first at `begin` on time.monotonic's scale, then one per `step`."""

    def __init__(self, begin: float, step: float) -> None:
        self._next = begin
        self._step = step
        self._lock = threading.Lock()

    def wait(self, halt: threading.Event) -> None:
        """Wait for the next slot, or until `halt` is set."""
        with self._lock:
            ahead = self._next - time.monotonic()
            if ahead > 0:
                halt.wait(ahead)
            self._next = max(self._next, time.monotonic()) + self._step


@dataclass(frozen=True)
class Share:
    """The slots that a worker may take now, in the transaction that holds the endpoint's row: at most `most`."""

    endpoint: Endpoint
    rate: float
    begin: datetime
    now: datetime
    most: int

    def take(self, count: int) -> Pace:
        """Take slots for so many messages, which are to be sent from now on."""
        step = timedelta(seconds=1 / self.rate)
        if count:
            self.endpoint.slots_until = self.begin + count * step
        return Pace(time.monotonic() + (self.begin - self.now).total_seconds(), step.total_seconds())


def share(session: Session, endpoint_id: int, now: datetime, limit: int) -> Share | None:
    """The slots that are free at the endpoint, for at most `limit` messages; None when it has no rate."""
    query = select(Endpoint).where(Endpoint.id == endpoint_id).with_for_update(key_share=True)
    endpoint = session.scalars(query, execution_options={"populate_existing": True}).one()
    if endpoint.rate is None:
        return None
    begin = max(now, endpoint.slots_until or now)
    fitting = min(limit, max(1, int(endpoint.rate * WINDOW.total_seconds())))
    return Share(endpoint, endpoint.rate, begin, now, fitting if begin - now <= WINDOW else 0)
