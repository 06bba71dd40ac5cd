"""How fast a Moodle site is pulled by the companion plugin, beside one completion per call, in the same run.

    python -m benchmarks.moodle                                  # the sandbox site with 1,000 people
    MOODLE_URL=… MOODLE_TOKEN=… MOODLE_PEER_TOKEN=… python -m benchmarks.moodle --store postgresql://…

MOODLE_TOKEN is one of the plugin's service, MOODLE_PEER_TOKEN one that may call the plain functions. The peer asks what
every client of Moodle's functions asks, core_completion_get_course_completion_status for each user of each course on
one connection: by moodlepy where that is installed beside this program, else by requests. It is timed on a sample and
projected to all enrolments.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from sqlalchemy import func, select

from connectors.conformance import make_store
from connectors.models import Enrolment
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import PASS_MARKS, PLUGIN
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from connectors.moodle.settings import MoodleSettings
from connectors.sync import Wanted, sync
from plugin.installation import Installation
from plugin.lifecycle import install
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.settings import Settings
from plugin.store import Store

SAMPLE = 200
STATUS = "core_completion_get_course_completion_status"


def store_at(url: str) -> Store:
    """An installed store."""
    addons = discover([], ("plugin", "connectors", "metrics", "webhooks"))
    load_models(addons)
    install(Installation(Settings(), addons, Store(url), lambda: datetime.now(UTC)))
    return Store(url)


def pull(store: Store, url: str, *, full: bool = False) -> tuple[int, int, float]:
    """One pull by the plugin: rows read, calls, seconds."""
    settings = MoodleSettings.model_validate({"url": url, "token": {"env": "MOODLE_TOKEN"}, "ways": ["plugin"]})
    connector = MoodleConnector("moodle", settings, Settings())
    begun = time.perf_counter()
    wanted = Wanted(full=full, compare_at="never")
    result = sync(store, connector, lambda: datetime.now(UTC), ZoneInfo("UTC"), wanted=wanted)
    seconds = time.perf_counter() - begun
    connector.close()
    return sum(row.read for row in result.runs.values()), connector.usage().calls, seconds


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


def measure(store: Store, url: str, peer_token: str, change: Callable[[], None] | None) -> None:
    """Print what a full pull, one after changes and one without any cost, and the peer's figures."""
    rows, calls, seconds = pull(store, url)
    print(f"full pull           {rows:8,} rows  {calls:4} calls  {seconds:8.2f} s  {rows / seconds:8,.0f} rows/s")
    whole = seconds
    rows, calls, seconds = pull(store, url, full=True)
    print(f"compared whole      {rows:8,} rows  {calls:4} calls  {seconds:8.2f} s  {rows / seconds:8,.0f} rows/s")
    if change is not None:
        change()
        rows, calls, seconds = pull(store, url)
        print(f"1 % changed         {rows:8,} rows  {calls:4} calls  {seconds:8.2f} s")
    pull(store, url)
    rows, calls, seconds = pull(store, url)
    print(f"nothing changed     {rows:8,} rows  {calls:4} calls  {seconds:8.2f} s")

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
        f"peer ({name}), {len(sample)} calls of {total:,}: {1 / each:,.0f}/s, completions alone would take "
        f"{each * total:,.0f} s; the plugin brought everything, stored, {each * total / whole:,.0f} times as fast"
    )


def main() -> None:
    """Measure a real site, or the sandbox."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=1000)
    arguments.add_argument("--store", default="")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = store_at(given.store) if given.store else make_store(Path(folder))
        if "MOODLE_URL" in os.environ:
            measure(store, os.environ["MOODLE_URL"], os.environ["MOODLE_PEER_TOKEN"], None)
        else:
            organisation = Organisation(people=given.people, seed=1, anchor=datetime.now(UTC))

            def change() -> None:
                places = [(user, course) for course, users in organisation.enrolments.items() for user in users]
                for user, course in places[::100]:
                    organisation.suspend_enrolment(user, course)

            os.environ["MOODLE_TOKEN"] = PLUGIN.token
            with serve(create_app(organisation)) as server:
                measure(store, server.url, PASS_MARKS.token, change)
        store.close()


if __name__ == "__main__":
    main()
