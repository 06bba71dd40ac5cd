"""Schedules: claimed once, leased while they are done, and never lost with the process that held them."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, text
from sqlalchemy.exc import OperationalError

from plugin import schedules
from plugin.errors import LeaseHeldError, NotFoundError, RefusedError
from plugin.installation import Installation
from plugin.models import Schedule
from plugin.schedules import LEASE, QUEUED, claim_due, ensure, holder_name, lease, seconds_of, wait_after


@pytest.fixture(autouse=True)
def _no_other_schedules(request: pytest.FixtureRequest) -> None:
    """Take out the kernel's own schedules: what a test plans is all that there is."""
    for name in ("kernel", "postgresql_kernel"):
        if name in request.fixturenames:
            with request.getfixturevalue(name).store.write() as session:
                session.execute(delete(Schedule))


def plan(home: Installation, *names: str, every: str = "PT5M") -> None:
    """Put schedules into the store, due now."""
    with home.store.write() as session:
        for name in names:
            ensure(session, name, "a.task", f"of {name}", every, home.clock())


def row(home: Installation, name: str = "one") -> Schedule:
    """The schedule as it stands."""
    with home.store.read() as session:
        return session.get_one(Schedule, name)


def claim(home: Installation) -> list[str]:
    """The names of what can be claimed now."""
    with home.store.write() as session:
        return [schedule.name for schedule in claim_due(session, home.clock())]


def later(home: Installation, by: timedelta) -> None:
    """Move the clock."""
    home.clock.moment += by  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "seconds"), [("PT30S", 30), ("PT5M", 300), ("PT1H", 3600), ("P1D", 86400)])
def test_interval_is_read(text: str, seconds: int) -> None:
    """Seconds, minutes, hours and days are read as ISO 8601 writes them."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["P5M", "P1H", "PT1D", "PT0S", "P1Y", "PT-1S", "PT1.5H", "1H", "", "PT5M "])
def test_what_is_no_interval_is_refused(text: str) -> None:
    """Months that look like minutes, an interval of nothing, and everything else are refused with examples."""
    with pytest.raises(ValueError, match="is no interval; write for instance PT30S"):
        seconds_of(text)


def test_schedule_is_created_due_and_changed_in_place(kernel: Installation) -> None:
    """A new schedule is due at once; ensuring it again changes its interval and task, and leaves when it is due."""
    plan(kernel, "one")
    made = row(kernel)
    assert (made.task, made.argument, made.every_seconds, made.due_at) == ("a.task", "of one", 300, kernel.clock())
    due = made.due_at
    later(kernel, timedelta(hours=1))
    with kernel.store.write() as session:
        ensure(session, "one", "b.task", None, "PT1H", kernel.clock())
    changed = row(kernel)
    assert (changed.task, changed.argument, changed.every_seconds, changed.due_at) == ("b.task", None, 3600, due)


def test_what_is_due_is_claimed_once_in_order(kernel: Installation) -> None:
    """Everything that is due is handed out once, the longest due first; what is not due yet is not."""
    plan(kernel, "b")
    later(kernel, timedelta(minutes=1))
    plan(kernel, "a", "c")
    with kernel.store.write() as session:
        session.get_one(Schedule, "c").due_at = kernel.clock() + timedelta(seconds=1)
    assert claim(kernel) == ["b", "a"]
    assert claim(kernel) == []
    assert row(kernel, "a").holder == QUEUED
    later(kernel, timedelta(seconds=1))
    assert claim(kernel) == ["c"]


def test_claim_whose_message_is_lost_is_due_again_after_the_lease(kernel: Installation) -> None:
    """When no worker ever hears of a claim, the work is claimed again as soon as the lease has run out."""
    plan(kernel, "one")
    assert claim(kernel) == ["one"]
    later(kernel, LEASE - timedelta(seconds=1))
    assert claim(kernel) == []
    later(kernel, timedelta(seconds=1))
    assert claim(kernel) == ["one"]


def test_concurrent_claimers_share_what_is_due(kernel: Installation) -> None:
    """Of eight claimers at a time each schedule goes to exactly one."""
    names = [f"s{number:02d}" for number in range(20)]
    plan(kernel, *names)
    start = threading.Barrier(8)
    claimed: list[str] = []
    failures: list[Exception] = []

    def work() -> None:
        start.wait()
        try:
            claimed.extend(claim(kernel))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(claimed) == names


def test_finished_work_is_due_again_after_its_interval(kernel: Installation) -> None:
    """While the block runs the lease is held; afterwards it is free, and due one interval after the end."""
    plan(kernel, "one")
    with lease(kernel.store, "one", kernel.clock):
        held = row(kernel)
        assert (held.holder, held.leased_until) == (holder_name(), kernel.clock() + LEASE)
        assert claim(kernel) == []
        later(kernel, timedelta(seconds=20))
    done = row(kernel)
    assert (done.holder, done.leased_until) == (None, None)
    assert done.due_at == kernel.clock() + timedelta(minutes=5)
    assert claim(kernel) == []
    later(kernel, timedelta(minutes=5))
    assert claim(kernel) == ["one"]


def fail(home: Installation, error: BaseException, name: str = "one") -> None:
    """Do the schedule's work, which raises this."""
    with pytest.raises(type(error)), lease(home.store, name, home.clock):
        raise error


@pytest.mark.parametrize(
    ("every", "waits"),
    [
        ("PT2S", [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]),
        ("PT5M", [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]),
        ("PT1H", [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]),
    ],
)
def test_failed_work_waits_twice_as_long_each_time(kernel: Installation, every: str, waits: list[int]) -> None:
    """Five seconds, then doubled, up to a quarter of an hour or the own interval; until then nobody can claim it."""
    plan(kernel, "one", every=every)
    for number, seconds in enumerate(waits, 1):
        fail(kernel, RuntimeError("failed"))
        failed = row(kernel)
        assert (failed.holder, failed.leased_until, failed.failures) == (None, None, number)
        assert failed.due_at == kernel.clock() + timedelta(seconds=seconds)
        later(kernel, timedelta(seconds=seconds - 1))
        assert claim(kernel) == []
        later(kernel, timedelta(seconds=1))
        assert claim(kernel) == ["one"]


def test_waiting_never_overflows() -> None:
    """After any number of failures the wait is the longest one."""
    assert wait_after(10**9, 86_400) == timedelta(days=1)
    assert wait_after(10**9, 1) == timedelta(minutes=15)


def test_success_forgets_the_failures(kernel: Installation) -> None:
    """When the work is done at last, it is due after its interval, as if it had never failed; a new row of failures
    begins at its own moment."""
    plan(kernel, "one", "two")
    began = kernel.clock()
    fail(kernel, RefusedError("The file is not there; put it back."))
    later(kernel, timedelta(minutes=1))
    fail(kernel, RefusedError("The file is empty; fill it."))
    failed = row(kernel)
    assert (failed.failing_since, failed.last_error) == (began, "The file is empty; fill it.")
    assert (row(kernel, "two").failures, row(kernel, "two").last_error) == (0, None)
    with lease(kernel.store, "one", kernel.clock):
        pass
    done = row(kernel)
    assert (done.failures, done.failing_since, done.last_error) == (0, None, None)
    assert done.due_at == kernel.clock() + timedelta(minutes=5)
    later(kernel, timedelta(minutes=1))
    fail(kernel, RefusedError("The file is gone again."))
    assert (row(kernel).failures, row(kernel).failing_since) == (1, kernel.clock())


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RefusedError("What was foreseen, with its mend."), "What was foreseen, with its mend."),
        (RefusedError("A record with \x00 in it."), "A record with  in it."),
        (RefusedError("x" * 5000), "x" * 1000),
        (ValueError("token=s3cret"), "ValueError; the log of the worker says more."),
        (OSError(28, "No space left on device", "/s3cret"), "OSError: No space left on device"),
        (OSError("s3cret"), "OSError; the log of the worker says more."),
        (
            OperationalError("SELECT 's3cret'", {}, Exception("s3cret")),
            "OperationalError; the log of the worker says more.",
        ),
    ],
)
def test_kept_error_holds_only_what_was_foreseen(kernel: Installation, error: Exception, kept: str) -> None:
    """The message of an exception of ours is kept; of any other only its kind, for its text may hold a secret."""
    plan(kernel, "one")
    fail(kernel, error)
    assert row(kernel).last_error == kept


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_work_that_somebody_stops_has_not_failed(kernel: Installation, stop: type[BaseException]) -> None:
    """Ctrl-C and the end of a worker leave the work due as it was, and are counted by nobody."""
    plan(kernel, "one")
    due = row(kernel).due_at
    fail(kernel, stop())
    stopped = row(kernel)
    assert (stopped.holder, stopped.leased_until, stopped.due_at, stopped.failures) == (None, None, due, 0)
    assert claim(kernel) == ["one"]


def test_held_lease_is_refused_with_who_holds_it(kernel: Installation) -> None:
    """A second holder is refused and told who is at work, in the same thread too; the first one goes on."""
    plan(kernel, "one", "two")
    with lease(kernel.store, "one", kernel.clock):
        refusal = f"one is being done by {holder_name()} until 2026-11-23 02:01:00Z"
        with pytest.raises(LeaseHeldError, match=refusal), lease(kernel.store, "one", kernel.clock):
            raise AssertionError("two hold it")
        with lease(kernel.store, "two", kernel.clock):
            pass
        assert row(kernel).holder == holder_name()


def test_lease_of_another_machine_is_taken_when_it_has_expired(kernel: Installation) -> None:
    """Whether a holder on another machine is alive cannot be seen, so its lease counts until it runs out."""
    plan(kernel, "one")
    with kernel.store.write() as session:
        standing = session.get_one(Schedule, "one")
        standing.holder, standing.leased_until = "elsewhere:1:1", kernel.clock() + LEASE
    with pytest.raises(LeaseHeldError, match="being done by elsewhere:1:1"), lease(kernel.store, "one", kernel.clock):
        pass
    later(kernel, LEASE)
    with lease(kernel.store, "one", kernel.clock):
        assert row(kernel).holder == holder_name()


def test_lost_lease_is_not_given_back_by_its_old_holder(kernel: Installation) -> None:
    """A holder whose lease was taken over meanwhile leaves the new holder's lease and due moment alone."""
    plan(kernel, "one")
    due = row(kernel).due_at
    with lease(kernel.store, "one", kernel.clock), kernel.store.write() as session:
        session.get_one(Schedule, "one").holder = "elsewhere:1:1"
    assert (row(kernel).holder, row(kernel).due_at) == ("elsewhere:1:1", due)
    assert row(kernel).leased_until is not None


def test_message_takes_up_the_claim_that_it_was_sent_for(kernel: Installation) -> None:
    """A worker that is handed a claimed schedule takes its lease; one that is handed it late, when it is done, does not."""
    plan(kernel, "one")
    assert claim(kernel) == ["one"]
    with lease(kernel.store, "one", kernel.clock, only_if_due=True):
        pass
    late = lease(kernel.store, "one", kernel.clock, only_if_due=True)
    with pytest.raises(LeaseHeldError, match="one is not due before 2026-11-23 02:05:00Z"), late:
        raise AssertionError("done twice")
    with lease(kernel.store, "one", kernel.clock):  # somebody asks for it on the command line
        pass


def test_schedule_that_is_not_there_is_named(kernel: Installation) -> None:
    """Taking the lease of an unknown schedule names it and the command that creates it."""
    unknown = lease(kernel.store, "gone", kernel.clock)
    with pytest.raises(NotFoundError, match="There is no schedule gone; run 'certbridge addons install'"), unknown:
        pass


def test_lease_is_renewed_while_the_work_goes_on(kernel: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The holder moves the end of the lease on, so that long work is not taken over."""
    monkeypatch.setattr(schedules, "RENEW_EVERY", 0.02)
    plan(kernel, "one")
    with lease(kernel.store, "one", kernel.clock):
        later(kernel, timedelta(minutes=30))
        for _ in range(250):
            if row(kernel).leased_until == kernel.clock() + LEASE:
                break
            time.sleep(0.02)
        assert row(kernel).leased_until == kernel.clock() + LEASE
    assert not [thread for thread in threading.enumerate() if thread.name == "lease one"]


def test_lease_is_renewed_again_when_the_store_was_away(
    postgresql_kernel: Installation, postgresql_server: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A store that does not answer for a while does not end the renewing: the lease goes on when it is back."""
    monkeypatch.setattr(schedules, "RENEW_EVERY", 0.02)
    plan(postgresql_kernel, "one")
    admin = create_engine(postgresql_server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with lease(postgresql_kernel.store, "one", postgresql_kernel.clock), admin.connect() as connection:
        connection.execute(text("ALTER DATABASE kernel ALLOW_CONNECTIONS false"))
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kernel'"))
        for _ in range(250):
            if "could not be renewed" in caplog.text:
                break
            time.sleep(0.02)
        connection.execute(text("ALTER DATABASE kernel ALLOW_CONNECTIONS true"))
        later(postgresql_kernel, timedelta(minutes=30))
        for _ in range(250):
            if row(postgresql_kernel).leased_until == postgresql_kernel.clock() + LEASE:
                break
            time.sleep(0.02)
        assert row(postgresql_kernel).leased_until == postgresql_kernel.clock() + LEASE
    admin.dispose()
    assert "The lease of one could not be renewed (OperationalError); trying again." in caplog.text


HOLDER = """
import sys, time
from datetime import datetime
from plugin.schedules import lease
from plugin.store import Store
with lease(Store(sys.argv[1]), "one", lambda: datetime.fromisoformat(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lease_of_a_killed_process_is_taken_over_at_once(
    kernel: Installation, child: Callable[..., subprocess.Popen[str]]
) -> None:
    """While a process of this machine works its lease is refused; once it has been killed the lease is free at once."""
    plan(kernel, "one")
    url = kernel.store.engine.url.render_as_string(hide_password=False)
    process = child("-c", HOLDER, url, kernel.clock().isoformat())
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert row(kernel).holder.startswith(f"{socket.gethostname()}:{process.pid}:")
    with pytest.raises(LeaseHeldError, match=f":{process.pid}:"), lease(kernel.store, "one", kernel.clock):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert row(kernel).failures == 0
    with lease(kernel.store, "one", kernel.clock, only_if_due=True):
        assert row(kernel).holder == holder_name()
    assert row(kernel).due_at == kernel.clock() + timedelta(minutes=5)
