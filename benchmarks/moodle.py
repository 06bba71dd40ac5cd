"""How fast a Moodle site is pulled by its companion plugin or its reports, beside one completion per call, in the same run.

    python -m benchmarks.moodle                                  # the sandbox site with 1,000 people
    MOODLE_URL=… MOODLE_TOKEN=… MOODLE_PEER_TOKEN=… python -m benchmarks.moodle --store postgresql://… [--way report]

MOODLE_TOKEN is one of the way's service, MOODLE_PEER_TOKEN one that may call the plain functions. The peer asks what
every client of Moodle's functions asks, core_completion_get_course_completion_status for each user of each course on
one connection: by moodlepy where that is installed beside this program, else by requests. It is timed on a sample and
projected to all enrolments. What it brings is in our streams enrolments and completions, so it is compared with
these, and with the whole pull, which brings everything else too.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from sqlalchemy import func, select

from connectors.conformance import make_store
from connectors.models import Enrolment
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import PASS_MARKS
from connectors.moodle.demo.access import PLUGIN as PLUGIN_TOKEN
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.ways import FUNCTIONS, PLUGIN, REPORT, WAYS
from connectors.sync import Wanted, sync
from plugin.installation import Installation
from plugin.lifecycle import install
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.settings import Settings
from plugin.store import Store

SAMPLE = 200
# What of a pull brings what the peer brings; one report shows people, courses, enrolments and completions together.
SAME = {
    PLUGIN: ("enrolments", "completions"),
    REPORT: ("users", "courses", "enrolments", "completions"),
    FUNCTIONS: ("enrolments", "completions"),
}
STATUS = "core_completion_get_course_completion_status"


def store_at(url: str) -> Store:
    """An installed store."""
    addons = discover([], ("plugin", "connectors", "metrics", "webhooks"))
    load_models(addons)
    install(Installation(Settings(), addons, Store(url), lambda: datetime.now(UTC)))
    return Store(url)


@dataclass(frozen=True)
class Pulled:
    """One pull: rows read, calls and seconds; `same` are the seconds of what the peer brings."""

    rows: int
    calls: int
    seconds: float
    same: float

    def say(self, what: str) -> None:
        """Print it."""
        speed = f"{self.rows / self.seconds:8,.0f} rows/s" if self.rows else ""
        print(f"{what:19} {self.rows:8,} rows  {self.calls:4} calls  {self.seconds:8.2f} s  {speed}")


def pull(store: Store, url: str, way: str, *, full: bool = False) -> Pulled:
    """One pull by `way`."""
    settings = MoodleSettings.model_validate({"url": url, "token": {"env": "MOODLE_TOKEN"}, "ways": [way]})
    connector = MoodleConnector("moodle", settings, Settings())
    begun = time.perf_counter()
    wanted = Wanted(full=full, compare_at="never")
    result = sync(store, connector, lambda: datetime.now(UTC), ZoneInfo("UTC"), wanted=wanted)
    seconds = time.perf_counter() - begun
    connector.close()
    rows = sum(row.read for row in result.runs.values())
    same = sum(row.seconds for name, row in result.runs.items() if name in SAME[way])
    return Pulled(rows, connector.usage().calls, seconds, same)


def peer(url: str, token: str) -> tuple[str, Callable[[int, int], Any]]:
    """The name of a usual client, and how it asks for one completion."""
    try:
        from moodle import Moodle  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - it may be absent
    except ImportError:
        session = requests.Session()

        def ask(course: int, user: int) -> Any:
            fields = {"wstoken": token, "wsfunction": STATUS, "moodlewsrestformat": "json"}
            return session.post(
                f"{url}/webservice/rest/server.php", data={**fields, "courseid": course, "userid": user}, timeout=60
            ).json()

        return "requests", ask
    client = Moodle(f"{url}/webservice/rest/server.php", token)

    def ask_by_moodlepy(course: int, user: int) -> Any:
        try:
            return client(STATUS, courseid=course, userid=user)
        except Exception as error:  # a course without completion is one there
            return error

    return "moodlepy", ask_by_moodlepy


def measure(store: Store, url: str, way: str, peer_token: str, change: Callable[[], None] | None) -> None:
    """Print what a full pull, one after changes and one without any cost, and the peer's figures."""
    first = pull(store, url, way)
    first.say("full pull")
    pull(store, url, way, full=True).say("compared whole")
    if change is not None:
        change()
        pull(store, url, way).say("1 % changed")
    pull(store, url, way)
    pull(store, url, way).say("nothing changed")

    with store.read() as session:
        total = session.scalar(select(func.count()).select_from(Enrolment)) or 0
        every = max(1, total // SAMPLE)
        query = select(Enrolment.course_key, Enrolment.user_key).where(Enrolment.id % every == 0).limit(SAMPLE)
        sample = session.execute(query).all()
    name, ask = peer(url, peer_token)
    begun = time.perf_counter()
    for course, user in sample:
        ask(int(course), int(user))
    each = (time.perf_counter() - begun) / len(sample)
    print(
        f"peer ({name}), {len(sample)} calls of {total:,}: {1 / each:,.0f}/s, all would take {each * total:,.0f} s. "
        f"By {way}, enrolments and completions were stored {each * total / first.same:,.0f} times as fast "
        f"({first.same:.2f} s), everything {each * total / first.seconds:,.0f} times"
    )


def main() -> None:
    """Measure a real site, or the sandbox."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=1000)
    arguments.add_argument("--store", default="")
    arguments.add_argument("--way", choices=WAYS, default=PLUGIN)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = store_at(given.store) if given.store else make_store(Path(folder))
        if "MOODLE_URL" in os.environ:
            measure(store, os.environ["MOODLE_URL"], given.way, os.environ["MOODLE_PEER_TOKEN"], None)
        else:
            organisation = Organisation(people=given.people, seed=1, anchor=datetime.now(UTC))

            def change() -> None:
                places = [(user, course) for course, users in organisation.enrolments.items() for user in users]
                for user, course in places[::100]:
                    organisation.suspend_enrolment(user, course)

            os.environ["MOODLE_TOKEN"] = PLUGIN_TOKEN.token
            with serve(create_app(organisation)) as server:
                measure(store, server.url, PLUGIN, PASS_MARKS.token, change)
        store.close()


if __name__ == "__main__":
    main()
