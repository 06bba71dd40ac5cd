"""Schedules: work that comes back, as rows of the store that any number of processes may try to claim.

A row is due, then leased, then due again. The holder renews the lease while it works; a holder that was killed
stops renewing, and the work is claimed again when the lease has run out, or at once by a process of the same
machine that sees that the holder is gone. A lost Celery message therefore costs a delay, never the work.

Work that fails is tried again after five seconds, then after twice as long each time, up to a quarter of an hour or its
own interval where that is longer. How often it has failed in a row, since when and why stands in its row.
"""

import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from plugin.errors import LeaseHeldError, NotFoundError, reason_of
from plugin.models import Schedule
from plugin.store import Store, insert_new

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_EVERY = 15.0
QUEUED = "queued"
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
LONGEST_ERROR = 1_000  # characters

Clock = Callable[[], datetime]


def holder_name() -> str:
    """Who this process is, for the lease: machine, process id and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


def seconds_of(every: str) -> int:
    """The seconds of a simple ISO 8601 duration such as PT30S, PT5M, PT1H or P1D."""
    match = re.fullmatch(r"P(?=\d+D|T\d+[HMS])T?([1-9]\d*)([HMSD])", every)
    if match is None:
        raise ValueError(f"{every!r} is no interval; write for instance PT30S, PT5M, PT1H or P1D")
    return int(match[1]) * {"S": 1, "M": 60, "H": 3600, "D": 86400}[match[2]]


def wait_after(failures: int, every_seconds: int) -> timedelta:
    """How long work that has failed so often in a row waits until it is tried again."""
    longest = max(LONGEST_WAIT, timedelta(seconds=every_seconds))
    return min(FIRST_WAIT * (1 << min(failures - 1, 20)), longest)


def ensure(session: Session, name: str, task: str, argument: str | None, every: str, now: datetime) -> None:
    """Create the schedule `name`, due at `now`, or change its task, argument and interval where it differs."""
    every_seconds = seconds_of(every)
    insert_new(
        session,
        Schedule,
        [{"name": name, "task": task, "argument": argument, "every_seconds": every_seconds, "due_at": now}],
    )
    session.execute(
        update(Schedule).where(Schedule.name == name).values(task=task, argument=argument, every_seconds=every_seconds)
    )


def claim_due(session: Session, now: datetime) -> list[Schedule]:
    """Claim the schedules that wait for somebody to do them, for handing them to a worker.

    The claim holds for one lease: if the message to the worker is lost, the work is due again after that.
    """
    waiting = (Schedule.due_at <= now) & or_(Schedule.leased_until.is_(None), Schedule.leased_until <= now)
    if session.scalars(select(Schedule.name).where(waiting).limit(1)).first() is None:
        return []
    claim = update(Schedule).where(waiting).values(leased_until=now + LEASE, holder=QUEUED).returning(Schedule)
    return sorted(session.scalars(claim), key=lambda schedule: (schedule.due_at, schedule.name))


@contextmanager
def lease(store: Store, name: str, clock: Clock, *, only_if_due: bool = False, beside: bool = False) -> Iterator[None]:
    """Hold the lease of the schedule `name` during the block; afterwards it is due again after its interval.

    Raises LeaseHeldError when another process holds it, or when it is not due and `only_if_due` is set. When the block
    raises, that is counted and the schedule is due again after `wait_after`; when the process is killed, or somebody
    stops it, the schedule stays due as it was, and so it does with `beside`: for work that is not the schedule's own.
    """
    holder = holder_name()
    _take(store, name, holder, clock(), only_if_due)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(RENEW_EVERY):
            try:
                with store.write() as session:
                    session.execute(
                        update(Schedule)
                        .where(Schedule.name == name, Schedule.holder == holder)
                        .values(leased_until=clock() + LEASE)
                    )
            except SQLAlchemyError as error:  # the store may answer again before the lease ends
                log.warning("The lease of %s could not be renewed (%s); trying again.", name, type(error).__name__)

    renewer = threading.Thread(target=renew, name=f"lease {name}", daemon=True)
    renewer.start()
    finished, failure = False, None
    try:
        yield
        finished = True
    except Exception as error:
        failure = reason_of(error)
        raise
    finally:
        stop.set()
        renewer.join()
        _give_back(store, name, holder, clock(), finished and not beside, None if beside else failure)


def _give_back(store: Store, name: str, holder: str, now: datetime, finished: bool, failure: str | None) -> None:
    """Free the schedule, unless somebody else has taken it over, and say when it is due again."""
    with store.write() as session:
        schedule = session.scalars(
            select(Schedule).where(Schedule.name == name, Schedule.holder == holder).with_for_update()
        ).one_or_none()
        if schedule is None:
            return
        schedule.holder = schedule.leased_until = None
        if finished:
            schedule.due_at = now + timedelta(seconds=schedule.every_seconds)
            schedule.failures, schedule.failing_since, schedule.last_error = 0, None, None
        elif failure is not None:
            schedule.failures += 1
            schedule.failing_since = schedule.failing_since or now
            schedule.last_error = failure[:LONGEST_ERROR]
            schedule.due_at = now + wait_after(schedule.failures, schedule.every_seconds)


def _take(store: Store, name: str, holder: str, now: datetime, only_if_due: bool) -> None:
    with store.write() as session:
        schedule = session.scalars(select(Schedule).where(Schedule.name == name).with_for_update()).one_or_none()
        if schedule is None:
            raise NotFoundError(f"There is no schedule {name}; run 'certbridge addons install' to create it.")
        if only_if_due and schedule.due_at > now:
            raise LeaseHeldError(f"{name} is not due before {schedule.due_at:%Y-%m-%d %H:%M:%S}Z.")
        held = schedule.leased_until is not None and schedule.leased_until > now
        if held and not _is_gone(schedule.holder or ""):
            raise LeaseHeldError(
                f"{name} is being done by {schedule.holder} until {schedule.leased_until:%Y-%m-%d %H:%M:%S}Z at the latest; "
                "wait for it to finish and try again."
            )
        schedule.holder = holder
        schedule.leased_until = now + LEASE


def _is_gone(holder: str) -> bool:
    """Whether `holder` is only a message on its way, or was a process of this machine that does not run any more."""
    if holder == QUEUED:
        return True
    host, _, rest = holder.partition(":")
    process_id = rest.partition(":")[0]
    if host != socket.gethostname() or not process_id.isdigit():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
