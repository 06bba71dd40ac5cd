"""Deriving a large backlog by several processes at once, on PostgreSQL.

The others are started here and told on their standard input where the store is; each takes touched persons whom nobody
else has. What one had in hand that was killed is on the list again, and whoever is left takes it.
"""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from metrics.certification.engine import Terms, derive_due
from plugin.models import Touched
from plugin.moments import Duration
from plugin.schedules import Clock
from plugin.store import Store

log = logging.getLogger(__name__)

LARGE = 5_000  # persons; a process more takes a second or two to start


def derive_all(store: Store, clock: Clock, terms: Terms, processes: int = 1) -> int:
    """Derive everybody who is touched or due, a large backlog by so many processes; the number of events that HR is told."""
    with _helpers(store, clock, terms, processes - 1 if _is_large(store) else 0) as helpers:
        events = derive_due(store, clock, terms)
        for helper in helpers:
            told, _ = helper.communicate()
            if helper.returncode == 0:
                events += int(told)
            else:
                log.warning(
                    "A process that helped deriving ended with status %s; what it left undone is done here.",
                    helper.returncode,
                )
                events += derive_due(store, clock, terms)
    return events


def _is_large(store: Store) -> bool:
    if store.is_sqlite:  # only one process at a time may write there
        return False
    with store.read() as session:
        waiting = select(Touched.person_id).limit(LARGE).subquery()
        return (session.scalar(select(func.count()).select_from(waiting)) or 0) >= LARGE


@contextmanager
def _helpers(store: Store, clock: Clock, terms: Terms, count: int) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes that help; at the end none of them is left."""
    told = json.dumps(
        {
            "url": store.engine.url.render_as_string(hide_password=False),
            "now": clock().isoformat(),
            "zone": terms.zone.key,
            "live_within": str(terms.live_within),
            "public_url": terms.public_url,
        }
    )
    helpers: list[subprocess.Popen[str]] = []
    try:
        for _ in range(count):
            helper = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            helpers.append(helper)
            assert helper.stdin is not None
            with suppress(BrokenPipeError):  # that it ended is seen from its status
                helper.stdin.write(told + "\n")  # not as an argument: there may be a password in it
                helper.stdin.flush()
        yield helpers
    finally:
        for helper in helpers:
            with helper:
                helper.kill()


def main() -> None:
    """Help another process: derive whoever is touched or due in the store that it names, and say how many events that made."""
    told = json.loads(sys.stdin.readline())
    begun, now = time.monotonic(), datetime.fromisoformat(told["now"])
    store = Store(told["url"])
    try:
        terms = Terms(ZoneInfo(told["zone"]), Duration.parse(told["live_within"]), told["public_url"])
        sys.stdout.write(str(derive_due(store, lambda: now + timedelta(seconds=time.monotonic() - begun), terms)))
    finally:
        store.close()


if __name__ == "__main__":
    main()
