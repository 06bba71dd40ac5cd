"""A delivering process that is really killed."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from webhooks.claims import LEASE
from webhooks.delivery import Tally
from webhooks.fanout import fan_out
from webhooks.models import Attempt

ROOT = Path(__file__).parents[2]

# A process that delivers from the store and with the keys that it is given, by a clock that stands.
CHILD = """
import json, random, sys
from datetime import datetime
from pathlib import Path
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.settings import Settings
from plugin.store import Store
from webhooks.delivery import Courier, deliver_due
from webhooks.target import kinds

url, folder, now, settings = sys.argv[1:]
addons = discover([], PACKAGES)
load_models(addons)
read = Settings.model_validate(json.loads(settings))
read._folder = Path(folder)
home = Installation(read, addons, Store(url), lambda: datetime.fromisoformat(now))
print("ready", flush=True)
deliver_due(Courier(home.store, home.keys, kinds(home), home.settings, home.clock, random.Random(1)), 60)
"""


def test_messages_of_a_killed_process_go_on_within_a_minute(desk: Any, receiver: Any) -> None:
    """After SIGKILL in the middle of sending, nothing is lost: within a minute all is sent, what was under way again."""
    assert timedelta(minutes=1) > LEASE
    people = desk.people(20)
    desk.settings(chunk=10, threads=2, timeout_seconds=10)
    desk.endpoint(receiver.url)
    desk.events(people)
    fan_out(desk.store, desk.home.clock())
    holding, release = threading.Event(), threading.Event()

    def hold(_got: Any) -> Any:
        if len(receiver.got) >= 5:
            holding.set()
            release.wait(30)
        return 200, {}, b""

    receiver.answer = hold
    home = desk.home
    arguments = [
        home.store.engine.url.render_as_string(hide_password=False), str(home.settings.folder),
        home.clock().isoformat(), home.settings.model_dump_json(),
    ]  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert holding.wait(30)
        child.kill()
        child.wait()
        child.stdout.close()
    finally:
        child.kill()
        release.set()
    receiver.answer = lambda _got: (200, {}, b"")
    # What the dead process had claimed is leased; the other half goes at once.
    assert desk.deliver() == Tally(delivered=10)
    desk.home.clock.moment += LEASE
    assert desk.deliver() == Tally(delivered=10)
    assert {message.state for message in desk.messages()} == {"delivered"}
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(set(ids)) == 20
    assert len(ids) > 20
    with desk.store.read() as session:
        outcomes = session.scalars(select(Attempt.outcome)).all()
    assert (outcomes.count("lost"), outcomes.count("delivered")) == (10, 20)
