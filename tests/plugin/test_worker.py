"""The worker: what is due is done, what fails is tried again after a wait, and a message that is lost costs a delay."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from sqlalchemy import update

from plugin.installation import PACKAGES, Installation, sleep_on
from plugin.lifecycle import install
from plugin.manifests import discover
from plugin.models import Schedule
from plugin.schedules import LEASE, QUEUED
from plugin.settings import Settings
from plugin.worker import CLAIM_DUE, beat, celery_app, claim_due, start

TASKS = """
done = []
begun = []

def note(installation, argument):
    done.append((type(installation).__name__, argument))

def fail(installation, argument):
    if "mended" in done:
        return
    done.append("failed")
    raise RuntimeError("the task fails")

TASKS = {"jobs.note": note, "jobs.fail": fail}

def begin(installation):
    begun.append(installation)
"""
SCHEDULES = {
    "jobs.note": {"task": "jobs.note", "every": "PT5M", "argument": "an argument"},
    "jobs.fail": {"task": "jobs.fail", "every": "PT5M"},
}


def _wait(condition: Callable[[], Any], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


@contextmanager
def working(app: Celery) -> Iterator[None]:
    """A worker that does what is in the queue, in a thread of this process."""
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="WARNING"):
        yield


def do_what_waits(app: Celery) -> None:
    """Run the tasks of the messages that wait, here and now, without the seconds that a worker takes to end."""
    with app.connection_for_read() as connection, connection.SimpleQueue(app.conf.task_default_queue) as queue:
        while True:
            try:
                message = queue.get_nowait()
            except Empty:
                return
            message.ack()
            arguments, options, _ = message.payload
            with suppress(RuntimeError):
                app.tasks[message.headers["task"]](*arguments, **options)


@pytest.fixture
def jobs(request: pytest.FixtureRequest, sqlite_kernel: Installation, make_addon: Callable[..., Path]) -> Iterator[Any]:
    """The kernel with an addon of jobs, its Celery app with empty queues, and what the jobs did."""
    folder = make_addon(
        "jobs", {"tasks.py": TASKS}, depends=["plugin"], schedules=SCHEDULES,
        wakes={"people_touched": "jobs.note"}, on_start="jobs.tasks:begin",
    )  # fmt: skip
    broker = getattr(request, "param", "memory://")
    if broker == "valkey":
        broker = request.getfixturevalue("valkey_url")
    settings = Settings.model_validate({"broker": {"url": broker}})
    home = replace(sqlite_kernel, settings=settings, addons=discover([folder], PACKAGES))
    install(home, ["jobs"])
    app = celery_app(home)
    app.control.purge()
    room = home.room(home.addons["jobs"], "tasks")
    yield SimpleNamespace(home=home, app=app, room=room, done=room.done)
    app.control.purge()
    app.close()


def row(jobs: Any, name: str) -> Schedule:
    """The schedule as it stands."""
    with jobs.home.store.read() as session:
        found: Schedule = session.get_one(Schedule, name)
        return found


def only(jobs: Any, name: str) -> None:
    """Leave only this schedule due."""
    with jobs.home.store.write() as session:
        session.execute(
            update(Schedule).where(Schedule.name != name).values(due_at=jobs.home.clock() + timedelta(days=1))
        )


@pytest.mark.parametrize("jobs", ["memory://", "valkey"], indirect=True)
def test_due_schedule_runs_its_task_and_is_due_again(jobs: Any) -> None:
    """What is due is handed to a worker with its argument, done once, and due again after its interval."""
    only(jobs, "jobs.note")
    with working(jobs.app):
        claim_due(jobs.app, jobs.home)
        assert row(jobs, "jobs.note").leased_until is not None or jobs.done
        _wait(lambda: row(jobs, "jobs.note").due_at > jobs.home.clock())
        claim_due(jobs.app, jobs.home)
        time.sleep(0.1)
    assert jobs.done == [("Installation", "an argument")]
    assert row(jobs, "jobs.note").due_at == jobs.home.clock() + timedelta(minutes=5)
    assert row(jobs, "jobs.note").holder is None


def test_task_that_raises_is_tried_again_after_a_wait(jobs: Any) -> None:
    """A task that fails gives its lease back and is handed out again after five seconds, then after ten, not before."""
    only(jobs, "jobs.fail")
    for times, seconds in ((1, 5), (2, 10), (3, 20)):
        claim_due(jobs.app, jobs.home)
        do_what_waits(jobs.app)
        assert jobs.done == ["failed"] * times
        failed = row(jobs, "jobs.fail")
        assert (failed.holder, failed.failures) == (None, times)
        assert failed.due_at == jobs.home.clock() + timedelta(seconds=seconds)
        claim_due(jobs.app, jobs.home)
        do_what_waits(jobs.app)
        assert jobs.done == ["failed"] * times
        jobs.home.clock.moment += timedelta(seconds=seconds)


@pytest.mark.parametrize("jobs", ["memory://", "valkey"], indirect=True)
def test_failing_task_is_not_done_again_every_second(jobs: Any) -> None:
    """With scheduler and worker really running, a task that fails is done once until its wait has passed; one that
    succeeds again after that has no failures any more, and the other tasks are not kept from their work."""
    jobs.app.conf.beat_schedule[CLAIM_DUE]["schedule"] = 0.02
    with jobs.home.store.write() as session:
        others = Schedule.name.not_in(["jobs.fail", "jobs.note"])
        session.execute(update(Schedule).where(others).values(due_at=jobs.home.clock() + timedelta(days=1)))
    service = beat(jobs.app)
    with working(jobs.app):
        service.start()
        try:
            _wait(lambda: row(jobs, "jobs.fail").failures == 1 and ("Installation", "an argument") in jobs.done)
            time.sleep(0.5)  # some twenty looks of the scheduler
            assert jobs.done.count("failed") == 1
            jobs.home.clock.moment += timedelta(seconds=5)
            _wait(lambda: row(jobs, "jobs.fail").failures == 2)
            jobs.room.done.append("mended")
            jobs.home.clock.moment += timedelta(seconds=10)
            _wait(lambda: row(jobs, "jobs.fail").failures == 0)
        finally:
            service.stop()
    assert jobs.done.count("failed") == 2
    assert row(jobs, "jobs.fail").due_at == jobs.home.clock() + timedelta(minutes=5)


def test_waking_sends_to_those_who_care(jobs: Any) -> None:
    """A topic runs the tasks that manifests name for it, without a schedule; another topic runs nothing."""
    jobs.home.wake("nobody_cares")
    do_what_waits(jobs.app)
    assert jobs.done == []
    jobs.home.wake("people_touched")
    do_what_waits(jobs.app)
    assert jobs.done == [("Installation", None)]
    assert row(jobs, "jobs.note").due_at == jobs.home.clock()


def test_lost_message_costs_at_most_the_lease(jobs: Any) -> None:
    """When the broker forgets a claim, the work is handed out again after one lease, not before, and done."""
    only(jobs, "jobs.note")
    claim_due(jobs.app, jobs.home)
    assert jobs.app.control.purge() == 1
    assert row(jobs, "jobs.note").holder == QUEUED
    jobs.home.clock.moment += LEASE - timedelta(seconds=1)
    claim_due(jobs.app, jobs.home)
    do_what_waits(jobs.app)
    assert jobs.done == []
    jobs.home.clock.moment += timedelta(seconds=1)
    claim_due(jobs.app, jobs.home)
    do_what_waits(jobs.app)
    assert jobs.done == [("Installation", "an argument")]
    assert row(jobs, "jobs.note").due_at > jobs.home.clock()


def test_message_that_comes_twice_does_the_work_once(jobs: Any) -> None:
    """A broker that delivers a message again finds the work done: it is not due any more."""
    only(jobs, "jobs.note")
    claim_due(jobs.app, jobs.home)
    jobs.app.send_task("jobs.note", kwargs={"argument": "an argument", "schedule": "jobs.note"})
    jobs.app.send_task("jobs.note", kwargs={"argument": "the end"})
    do_what_waits(jobs.app)
    assert jobs.done == [("Installation", "an argument"), ("Installation", "the end")]


def test_two_installations_in_a_process_keep_their_own_tasks(jobs: Any) -> None:
    """The tasks of a second app of the same process run with its own installation."""
    second = replace(jobs.home, clock=jobs.home.clock)
    app = celery_app(second)
    assert app.tasks["jobs.note"].app is app
    seen = []
    jobs.room.TASKS["jobs.look"] = lambda installation, _argument: seen.append(installation)
    third = celery_app(replace(second))
    third.tasks["jobs.look"]()
    assert "jobs.look" not in app.tasks
    assert seen[0] is not second
    app.tasks["jobs.note"](argument="x")
    assert jobs.done == [("Installation", "x")]


@pytest.mark.parametrize("jobs", ["memory://", "valkey"], indirect=True)
def test_scheduler_claims_what_is_due_and_keeps_nothing_on_disk(
    jobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler's one entry hands out what is due by itself; it leaves no file where it runs."""
    only(jobs, "jobs.note")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    service = beat(jobs.app)
    service.start()
    _wait(lambda: row(jobs, "jobs.note").due_at > jobs.home.clock() or do_what_waits(jobs.app))
    service.stop()
    assert jobs.done == [("Installation", "an argument")]
    assert list((tmp_path / "here").iterdir()) == []


def test_broker_that_is_away_stops_nobody(
    sqlite_kernel: Installation, make_addon: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A wake-up call that no broker takes is a line in the log: whoever changed something goes on at once."""
    folder = make_addon("jobs", {"tasks.py": TASKS}, depends=["plugin"], wakes={"people_touched": "jobs.note"})
    settings = Settings.model_validate({"broker": {"url": f"redis+socket://{tmp_path}/nobody"}})
    home = replace(sqlite_kernel, settings=settings, addons=discover([folder], PACKAGES))
    install(home, ["jobs"])
    celery_app(home)
    assert home.wake is not sleep_on
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        home.wake("people_touched")
    assert time.monotonic() - begun < 20
    assert (
        "The broker did not take the message jobs.note (OperationalError); the next schedule will find the work."
        in caplog.text
    )


def test_start_runs_what_the_manifests_name(jobs: Any) -> None:
    """Before work begins each installed addon's `on_start` is called with the installation."""
    start(jobs.home)
    assert jobs.room.begun == [jobs.home]


def test_task_is_a_function_that_runs_without_celery(jobs: Any) -> None:
    """A task can be called as it stands in the addon."""
    jobs.room.TASKS["jobs.note"](jobs.home, "by hand")
    assert jobs.done == [("Installation", "by hand")]
