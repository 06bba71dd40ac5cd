"""Alerts about sources: pulls that fail again and again, streams that cannot be read, and a source that stays silent."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.alerts import troubles
from connectors.models import StreamRun, SyncRun
from connectors.runs import CHANGES, DONE, FAILED, PARTIAL, RUNNING, WHOLE
from plugin.alerts import Trouble, look
from plugin.installation import Installation
from plugin.models import Alert
from plugin.settings import SourceSettings

HOUR = timedelta(hours=1)
DOWN = "https://lms.example did not answer within 120 seconds; check that it runs.\nTried 4 times."


@pytest.fixture
def home(installation: Installation) -> Installation:
    """An installation with one source, which has not been pulled."""
    return with_source(installation)


def with_source(installation: Installation, **keys: object) -> Installation:
    """The installation with the source lms and these keys of its own."""
    sources = {"lms": SourceSettings.model_validate({"connector": "connectors.moodle", **keys})}
    installation.settings = installation.settings.model_copy(update={"sources": sources})
    return installation


def pull(
    home: Installation,
    status: str,
    *,
    source: str = "lms",
    kind: str = WHOLE,
    took: timedelta = timedelta(),
    **streams: str,
) -> None:
    """A run of the source that ends so, with its streams; an hour passes."""
    now = home.clock()
    message = DOWN if FAILED in (status, *streams.values()) else None
    with home.store.write() as session:
        run = SyncRun(
            source=source, status=status, kind=kind, started_at=now - took, heartbeat_at=now, message=message,
            finished_at=None if status == RUNNING else now,
        )  # fmt: skip
        session.add(run)
        session.flush()
        for name, ended in streams.items():
            said = DOWN if ended == FAILED else None
            session.add(
                StreamRun(
                    run_id=run.id, stream=name, status=ended, message=said,
                    read=0, created=0, updated=0, closed=0, quarantined=0,
                )
            )  # fmt: skip
    home.clock.moment += HOUR  # type: ignore[attr-defined]


def found(home: Installation) -> list[Trouble]:
    """What is reported now."""
    return list(troubles(home))


def test_nothing_is_reported_of_a_source_that_is_new_or_well(home: Installation) -> None:
    """Neither one that was never pulled, nor one that is read, with something in quarantine or not, is a trouble."""
    assert found(home) == []
    for status in (DONE, PARTIAL, DONE):
        pull(home, status, users=DONE, grades=DONE)
    assert found(home) == []


def test_third_failed_pull_in_a_row_is_reported(home: Installation) -> None:
    """Two failures may be a maintenance; the third is reported, since the first of them and with what the last one said."""
    pull(home, DONE)
    began = home.clock()
    for number in (1, 2):
        pull(home, FAILED, users=FAILED)
        assert found(home) == [], number
    pull(home, FAILED, users=FAILED)
    reason = "https://lms.example did not answer within 120 seconds; check that it runs."
    assert found(home) == [Trouble("source", "lms", reason, began, "/sync", "sync.see", 3)]
    pull(home, RUNNING)
    assert [one.count for one in found(home)] == [3]
    pull(home, DONE)
    assert found(home) == []


def test_pulls_of_other_sources_do_not_count(home: Installation) -> None:
    """What fails elsewhere, or under a name that is configured no more, is not this source's trouble."""
    for _ in range(5):
        pull(home, FAILED, source="former")
    assert found(home) == []


def test_patience_is_a_setting(installation: Installation) -> None:
    """alert_failures says how many failures in a row are one too many."""
    home = with_source(installation, alert_failures=1)
    pull(home, FAILED)
    assert [one.count for one in found(home)] == [1]


def test_source_without_a_good_pull_for_a_day_is_reported(home: Installation) -> None:
    """Where pulls are rare, or do not end, time counts: after a day without a good one it is a trouble since that one."""
    began = home.clock()
    pull(home, DONE)
    home.clock.moment = began + timedelta(days=1) - timedelta(seconds=1)  # type: ignore[attr-defined]
    assert found(home) == []
    home.clock.moment += timedelta(seconds=1)  # type: ignore[attr-defined]
    assert found(home) == [Trouble("source", "lms", "", began, "/sync", "sync.see")]


def test_source_pulled_once_a_day_has_two_days(installation: Installation) -> None:
    """A pull that comes back after a day is not late after a day and a minute."""
    home = with_source(installation, every="P1D")
    began = home.clock()
    pull(home, DONE)
    home.clock.moment = began + timedelta(days=2) - timedelta(seconds=1)  # type: ignore[attr-defined]
    assert found(home) == []
    home.clock.moment += timedelta(seconds=1)  # type: ignore[attr-defined]
    assert [one.name for one in found(home)] == ["lms"]


def test_first_pull_of_a_large_site_may_take_days(home: Installation) -> None:
    """A pull that goes on for three days and says so is not a failure; one that says nothing any more is."""
    pull(home, RUNNING, took=timedelta(days=3))
    home.clock.moment -= HOUR  # type: ignore[attr-defined]
    assert found(home) == []
    home.clock.moment += HOUR  # type: ignore[attr-defined]
    assert [one.kind for one in found(home)] == ["source"]


def test_stream_that_fails_each_time_is_reported_by_its_name(home: Installation) -> None:
    """While the others are read, a stream that has failed in every one of the last three runs is a trouble of its own."""
    pull(home, DONE, users=DONE, grades=DONE, badges=DONE)
    began = home.clock()
    pull(home, PARTIAL, users=DONE, grades=FAILED, badges=FAILED)
    pull(home, PARTIAL, users=DONE, grades=FAILED, badges=DONE)
    assert found(home) == []
    pull(home, PARTIAL, users=DONE, grades=FAILED, badges=FAILED)
    assert [(one.kind, one.name, one.since) for one in found(home)] == [("stream", "lms, grades", began)]
    pull(home, DONE, users=DONE, grades=DONE, badges=DONE)
    assert found(home) == []


def test_look_opens_and_closes_the_alert(home: Installation) -> None:
    """The addon's manifest names the check, so the look of the worker finds it."""
    for _ in range(3):
        pull(home, FAILED)
    look(home)
    with home.store.read() as session:
        (alert,) = session.query(Alert).all()
        assert (alert.addon, alert.kind, alert.name, alert.closed_at) == ("connectors", "source", "lms", None)
    pull(home, DONE)
    look(home)
    with home.store.read() as session:
        assert session.get_one(Alert, alert.id).closed_at == home.clock()


def test_pulls_of_changes_hide_no_failing_stream(home: Installation) -> None:
    """A stream that fails in each whole pull is reported, however many pulls of changes went well in between."""
    for _ in range(3):
        pull(home, PARTIAL, users=DONE, grades=FAILED)
        for _ in range(4):
            pull(home, DONE, kind=CHANGES, users=DONE)
    assert [(trouble.kind, trouble.name) for trouble in found(home)] == [("stream", "lms, grades")]


@pytest.mark.parametrize(("days", "alerts"), [(15, 0), (14, 1), (3, 1), (-1, 1)])
def test_a_token_that_ends_soon(home: Installation, days: int, alerts: int) -> None:
    """Fourteen days before a source's token ends there is an alert; the newest pull that was told counts."""
    now = home.clock()
    pull(home, DONE)
    pull(home, DONE)
    pull(home, DONE)
    with home.store.write() as session:
        first, second, _ = session.scalars(select(SyncRun).order_by(SyncRun.id))
        first.token_until, second.token_until = now - 100 * HOUR, now + timedelta(days=days) + 3 * HOUR
    found = list(troubles(home))
    assert [(one.kind, one.name) for one in found] == [("token", "lms")] * alerts
    assert not alerts or f"{(now + timedelta(days=days)).year}" in found[0].reason
