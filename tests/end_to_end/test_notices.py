"""From something that happens in Moodle to our store, through a signed notice, as processes on this machine."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from connectors.models import Enrolment, SourceNotice, StreamRun, SyncRun
from connectors.sync import is_settled
from tests.end_to_end.harness import ANCHOR, PEOPLE
from webhooks.demo.tour import prepare, running


def wait_until(is_so: Callable[[], Any]) -> Any:
    """What `is_so` returns once it is something; it has a minute, though a second or two is what it needs."""
    deadline = time.monotonic() + 60
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_what_happens_in_moodle_lands_by_a_notice(tmp_path: Path) -> None:
    """A suspension in the sandbox Moodle comes as a signed notice, wakes a pull of the changes only, and stands in our store."""
    places, home = prepare(tmp_path / "demo", PEOPLE, ANCHOR)
    with ExitStack() as stack:
        stack.enter_context(running(places, "moodle"))
        stack.enter_context(running(places, "certbridge"))

        def settled() -> bool:
            with home.store.read() as session:
                return is_settled(session, ["moodle", "roster"], home.clock())

        def enrolment(**where: Any) -> Any:
            with home.store.read() as session:
                return session.scalars(select(Enrolment).filter_by(**where).limit(1)).first()

        wait_until(settled)
        row = enrolment(active=True)
        act = {"act": "suspend_enrolment", "user": int(row.user_key), "course": int(row.course_key)}
        done = requests.post(f"{places.moodle}/sandbox/act", json=act, timeout=30)
        assert done.json()["notices"] == [202]
        wait_until(lambda: enrolment(id=row.id, active=False))

        def worked() -> Any:
            with home.store.read() as session:
                return session.scalars(select(SourceNotice).where(SourceNotice.worked_at.is_not(None))).first()

        notice = wait_until(worked)
        assert (notice.source, notice.type, notice.changes) == ("moodle", "moodle.changes", 1)
        with home.store.read() as session:
            run = session.scalars(select(SyncRun).where(SyncRun.source == "moodle").order_by(SyncRun.id.desc())).first()
            assert run is not None
            read = {row.stream: row.read for row in session.scalars(select(StreamRun).filter_by(run_id=run.id))}
        assert run.kind == "changes"
        assert {name for name, count in read.items() if count} == {"enrolments"}
    home.store.close()
