"""Nothing lost, nothing out of order: a receiver that fails at random, and workers that are killed throughout."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from webhooks.models import WAITING, Attempt, Message

ROOT = Path(__file__).parents[2]
RECEIVER = Path(__file__).with_name("soak_receiver.py")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WORKERS = 3
PATIENCE = 1500  # seconds, after which it is taken to hang

# A worker: it fans out and delivers until it is killed, by the machine's clock.
WORKER = """
import json, random, sys, time
from datetime import UTC, datetime
from pathlib import Path
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.settings import Settings
from plugin.store import Store
from webhooks.delivery import Courier, deliver_due
from webhooks.fanout import fan_out
from webhooks.target import kinds

url, folder, settings = sys.argv[1:]
addons = discover([], PACKAGES)
load_models(addons)
read = Settings.model_validate(json.loads(settings))
read._folder = Path(folder)
home = Installation(read, addons, Store(url), lambda: datetime.now(UTC))
courier = Courier(home.store, home.keys, kinds(home), home.settings, home.clock, random.Random())
print("ready", flush=True)
while True:
    fan_out(home.store, home.clock())
    deliver_due(courier, 5)
    time.sleep(0.2)
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end, if it was not before."""
    child = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def line_of(child: subprocess.Popen[bytes]) -> str:
    """The next line that it says."""
    assert child.stdout is not None
    return child.stdout.readline().decode().strip()


def soak(desk: Any, run: Any, count: int, every: float) -> Counter[str]:
    """Send `count` messages while a worker is killed every so many seconds; damage the receiver's data, and mend it."""
    chance = random.Random(count)
    people = desk.people(count // 10)
    desk.home.clock.moment = datetime.now(UTC)
    desk.settings(
        retry_seconds=[0, *[1] * 60], timeout_seconds=1, lease_seconds=4, chunk=max(20, min(200, count // 10))
    )
    home = desk.home
    worker = [
        "-c", WORKER, home.store.engine.url.render_as_string(hide_password=False), str(home.settings.folder),
        home.settings.model_dump_json(),
    ]  # fmt: skip
    told: Counter[str] = Counter()
    with process(str(RECEIVER), SECRET, str(max(0.0002, 2 / count))) as receiver:
        url = line_of(receiver)
        desk.endpoint(f"{url}/hooks")
        for number in range(5):
            desk.events(people, f"C{number % 3}", status=f"s{number}")
        started = time.monotonic()
        workers = [
            subprocess.Popen([sys.executable, *worker], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(WORKERS)
        ]
        try:
            for child in workers:
                assert line_of(child) == "ready"
            for number in range(5, 10):  # the second half comes to be while the first is sent
                desk.events(people, f"C{number % 3}", status=f"s{number}")
            killed_at = time.monotonic()
            while unfinished(desk, count) and time.monotonic() - started < PATIENCE:
                time.sleep(0.2)
                if time.monotonic() - killed_at > every:
                    place = chance.randrange(WORKERS)
                    end(workers[place])
                    told["killed"] += 1
                    workers[place] = subprocess.Popen([sys.executable, *worker], cwd=ROOT, stdout=subprocess.PIPE)
                    killed_at = time.monotonic()
        finally:
            for child in workers:
                end(child)
        told["seconds"] = round(time.monotonic() - started)
        requests.post(f"{url}/calm", timeout=10)
        before = requests.get(f"{url}/report", timeout=60).json()
        messages = desk.messages()
        assert {message.state for message in messages} == {"delivered"}
        assert set(before["ids"]) == {message.event_id for message in messages}
        assert len(messages) == count
        assert before["wrong"] == {"signature": 0, "order": 0, "inner": 0}
        told["duplicates"] = sum(before["ids"].values()) - count
        told.update(before["faults"])
        with desk.store.read() as session:
            outcomes = dict(session.execute(select(Attempt.outcome, func.count()).group_by(Attempt.outcome)).all())
        told.update({f"attempts {name}": number for name, number in outcomes.items()})

        damaged = requests.post(f"{url}/damage", timeout=60).json()
        desk.home.clock.moment = datetime.now(UTC)
        found = json.loads(run("reconcile", "hr", "--repair", "--format", "json").output)
        kinds = found["counts"]
        assert (kinds["missing"], kinds["different"], kinds["stale"], kinds["unknown"]) == (
            damaged["deleted"], damaged["altered"], damaged["set_back"], 1,
        )  # fmt: skip
        assert found["sent_again"] == sum(damaged.values())
        assert desk.deliver(300).delivered == sum(damaged.values())
        again = json.loads(run("reconcile", "hr", "--format", "json").output)
        assert [one["subject"] for one in again["differences"]] == ["certification:nobody:X"]
        after = requests.get(f"{url}/report", timeout=60).json()
        del after["states"]["certification:nobody:X"]
        assert after["states"] == before["states"]
        assert after["wrong"] == before["wrong"]
    return told


def unfinished(desk: Any, count: int) -> bool:
    """Whether not all of the messages are there and done with."""
    with desk.store.read() as session:
        done = session.scalar(select(func.count()).select_from(Message).where(Message.state != WAITING)) or 0
    return bool(done < count)


def end(child: subprocess.Popen[bytes]) -> None:
    """SIGKILL."""
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_nothing_is_lost_or_out_of_order(desk: Any, run: Any) -> None:
    """300 messages through faults and kills all arrive in order, doubly verified; damage there is found and mended."""
    told = soak(desk, run, 300, 1.5)
    assert told["killed"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_fifty_thousand(desk: Any, run: Any) -> None:
    """The same with 50,000 messages on PostgreSQL: some hundred kills and thousands of faults."""
    told = soak(desk, run, 50_000, 4)
    print("\n" + "\n".join(f"{name:24} {number:>8}" for name, number in sorted(told.items())))  # noqa: T201 - the figures
    assert told["killed"] > 10
    assert told["attempts lost"] > 0
