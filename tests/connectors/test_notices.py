"""Notices of a source: the pull of its changes that they bring about, and what waits when it cannot be read."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connectors import tasks
from connectors.models import SourceNotice, SyncRun
from connectors.sources import ensure_schedules
from connectors.tasks import sync_source, work_on_notices
from plugin import schedules
from plugin.errors import SourceUnavailableError
from plugin.installation import Installation
from plugin.models import Schedule
from plugin.settings import SourceSettings
from tests.connectors.test_ways import Log, Site


@pytest.fixture
def lms(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A source that reads changes, pulled once, with its schedule due in an hour."""
    site = Site()
    sources = {"moodle": SourceSettings(connector="connectors.moodle")}
    installation.settings = installation.settings.model_copy(update={"sources": sources})
    monkeypatch.setattr(tasks, "connector_of", lambda *_: site)
    ensure_schedules(installation)
    with schedules.lease(installation.store, "connectors.sync:moodle", installation.clock):
        sync_source(installation, "moodle")
    site.asked.clear()
    yield site


def notice(home: Installation, number: int = 1, source: str = "moodle", later: int = 0) -> None:
    """The source says that something has changed."""
    received = home.clock() + timedelta(seconds=later)
    with home.store.write() as session:
        session.add(SourceNotice(source=source, message_id=str(number), type="changed", received_at=received))


def kinds(home: Installation) -> list[str]:
    """The kinds of the runs so far."""
    with home.store.read() as session:
        return list(session.scalars(select(SyncRun.kind).order_by(SyncRun.id)))


def waiting(home: Installation) -> int:
    """How many notices wait."""
    with home.store.read() as session:
        return len(session.scalars(select(SourceNotice).where(SourceNotice.worked_at.is_(None))).all())


def schedule(home: Installation) -> Any:
    """The source's schedule."""
    with home.store.read() as session:
        return session.get_one(Schedule, "connectors.sync:moodle")


def test_a_notice_brings_a_pull_of_changes(installation: Installation, lms: Site) -> None:
    """It is worked on at once, once, and the pull of everything stays due when it was."""
    due = schedule(installation).due_at
    work_on_notices(installation)
    assert kinds(installation) == ["whole"]
    notice(installation)
    woken: list[str] = []
    installation.wake = woken.append
    work_on_notices(installation)
    work_on_notices(installation)
    assert (kinds(installation), waiting(installation), woken) == (["whole", "changes"], 0, ["people_touched"])
    assert (schedule(installation).due_at, schedule(installation).holder) == (due, None)


def test_a_notice_waits_beside_a_whole_pull(
    installation: Installation, lms: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a whole pull is due or under way nothing is pulled beside it; what comes in meanwhile follows right after it."""
    notice(installation)
    with schedules.lease(installation.store, "connectors.sync:moodle", installation.clock):
        work_on_notices(installation)
    assert kinds(installation) == ["whole"]
    with installation.store.write() as session:
        session.get_one(Schedule, "connectors.sync:moodle").due_at = installation.clock()
    work_on_notices(installation)
    assert kinds(installation) == ["whole"]
    clock: Any = installation.clock
    pull = Log.pull

    def meanwhile(stream: Log, cursor: Any) -> Any:
        if stream.name == "whole":
            clock.moment += timedelta(seconds=5)
            notice(installation, 2)
            clock.moment += timedelta(seconds=5)
        return pull(stream, cursor)

    monkeypatch.setattr(Log, "pull", meanwhile)
    sync_source(installation, "moodle")
    assert (kinds(installation), waiting(installation)) == (["whole", "whole", "changes"], 0)


def test_a_notice_waits_while_its_source_cannot_be_read(
    installation: Installation, lms: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the changes cannot be read the notice waits, and the task fails, so that it is tried again later."""

    def broken(*_: Any) -> Any:
        raise SourceUnavailableError("the site is down")

    monkeypatch.setattr(Log, "pull", broken)
    notice(installation)
    with pytest.raises(SourceUnavailableError, match="the site is down"):
        work_on_notices(installation)
    assert waiting(installation) == 1
    assert schedule(installation).failures == 0
    monkeypatch.undo()


def test_notices_of_a_source_that_is_not_configured_wait(installation: Installation, lms: Site) -> None:
    """A source that was taken out of config.toml is not pulled, and a notice from the future waits for its time."""
    notice(installation, 1, "elsewhere")
    notice(installation, 2, "moodle", later=60)
    work_on_notices(installation)
    assert (kinds(installation), waiting(installation)) == (["whole"], 2)
