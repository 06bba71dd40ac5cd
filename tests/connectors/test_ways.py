"""Pulls of streams that can be read in several ways: passes, comparisons, changes only, dry runs, and what is written down."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.models import SourceNotice, SourceUser, StreamRun, StreamState, SyncRun
from connectors.pulls import compare_due
from connectors.records import Record, UserRecord
from connectors.runs import is_settled
from connectors.streams import (
    Between,
    Choice,
    Connector,
    Cursor,
    Finding,
    In,
    Page,
    Raw,
    Scope,
    Stream,
    Usage,
    pass_number,
)
from connectors.sync import SyncResult, Wanted, sync
from plugin.errors import NotFoundError, RecordRefusedError, SourceUnavailableError
from tests.connectors.book import ZONE, Book

USERS = (UserRecord,)


class Log(Stream):
    """Reads all of `site` when its cursor is a number, page by page, and else what was logged since."""

    records = USERS

    def __init__(self, site: "Site", name: str, way: str, incremental: bool) -> None:
        self.name, self.way, self.incremental = name, way, incremental  # type: ignore[misc]
        self.site = site

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """Everything in pages of one, or the changes."""
        self.site.asked.append((self.name, cursor))
        number = pass_number(cursor)
        if not self.incremental or cursor is None or len(cursor) == 1 or cursor[1] == "all":
            done = int(cursor[2]) if cursor and len(cursor) > 2 else 0
            for place in range(done, len(self.site.users)):
                if place == self.site.breaks_at:
                    raise SourceUnavailableError("it broke off")
                yield Page((number, "all", place + 1), [Raw(str(place), {"key": self.site.users[place]})])
            end: Cursor = (number, "log", len(self.site.log)) if self.incremental else (number + 1,)
            yield Page(end, ends_pass=True)
            return
        new = self.site.log[int(cursor[2]) :]
        self.site.calls += 1
        yield Page(
            (number, "log", len(self.site.log)),
            [Raw(key, {"key": key}) for key in new],
            Scope(USERS, In(("user_key",), frozenset((key,) for key in (*new, *self.site.gone))), certain=True),
        )

    def parse(self, raw: Mapping[str, Any]) -> Record:
        """A user; one called bad is refused."""
        if raw["key"] == "bad":
            raise RecordRefusedError("it is bad")
        return UserRecord(raw["key"])


class Site(Connector):
    """A source with a stream that reads changes and one that does not."""

    def __init__(self, way: str = "plugin") -> None:
        super().__init__("moodle")
        self.way = way
        self.users = ["1", "2", "3"]
        self.log: list[str] = []
        self.gone: list[str] = []
        self.asked: list[tuple[str, Cursor | None]] = []
        self.calls = 0
        self.breaks_at = -1

    def streams(self) -> Sequence[Stream]:
        """Two."""
        return [Log(self, "log", self.way, self.way == "plugin"), Log(self, "whole", "functions", incremental=False)]

    def choices(self) -> Mapping[str, Choice]:
        """One stream is hidden."""
        return {
            "log": Choice(self.way, "at_once", ("seconds",), {"report": "older"}),
            "attempts": Choice("", "", (), {"plugin": "not_installed"}),
        }

    def usage(self) -> Usage:
        """What was asked."""
        return Usage(self.calls, self.calls * 10)

    def check(self) -> list[Finding]:
        """Nothing."""
        return []


def pull(book: Book, site: Site, **wanted: Any) -> SyncResult:
    """Pull the site, and forget what it was asked before."""
    site.asked.clear()
    return sync(book.store, site, lambda: book.now, ZONE, wanted=Wanted(**wanted))


def state(book: Book, stream: str = "log") -> Any:
    """How far the stream has come."""
    return book.one(StreamState, stream=stream)


def test_a_stream_that_reads_changes_goes_on_from_its_cursor(either: Book) -> None:
    """After everything was read once, a pull asks for what changed, and says that it did not read the whole."""
    site = Site()
    result = pull(either, site)
    assert (result.runs["log"].whole, result.runs["log"].way, result.runs["log"].read) == (True, "plugin", 3)
    assert (state(either).full_at, state(either).way) == (either.now, "plugin")
    site.log = ["4"]
    either.later(minutes=5)
    result = pull(either, site)
    assert site.asked == [("log", (1, "log", 0)), ("whole", (2,))]
    row = result.runs["log"]
    assert (row.whole, row.read, row.created, row.calls, row.bytes) == (False, 1, 1, 1, 10)
    assert state(either).full_at == either.now - timedelta(minutes=5)


def test_a_certain_page_closes_at_once(either: Book) -> None:
    """What the source itself tells is gone is closed by the same pull."""
    site = Site()
    pull(either, site)
    site.users, site.gone, site.log = ["1", "3"], ["2"], []
    assert pull(either, site).runs["log"].closed == 1
    assert either.one(SourceUser, user_key="2").closed_at == either.now


def test_everything_is_compared_once_a_day(book: Book) -> None:
    """The first pull after the time of day reads everything again, in a new pass; and so does any pull that is told to."""
    site = Site()
    pull(book, site)
    book.later(hours=8)  # 18:00 in Shanghai
    assert pull(book, site).runs["log"].whole is False
    book.later(hours=9)  # 03:00
    assert pull(book, site, compare_at="never").runs["log"].whole is False
    assert pull(book, site).runs["log"].whole is True
    assert site.asked[0] == ("log", (2,))
    assert pull(book, site).runs["log"].whole is False
    assert pull(book, site, full=True).runs["log"].whole is True
    assert site.asked[0] == ("log", (3,))


def test_a_comparison_that_broke_off_is_taken_up(book: Book) -> None:
    """A pass over everything that a failure ends goes on where it stood, and does not count as read before its end."""
    site = Site()
    site.breaks_at = 2
    assert pull(book, site).status == "failed"
    assert state(book).full_at is None
    book.later(hours=30)
    site.breaks_at = -1
    assert pull(book, site).status == "done"
    assert site.asked[0] == ("log", (1, "all", 2))
    assert state(book).full_at == book.now


def test_another_way_begins_anew(either: Book) -> None:
    """A stream that is read another way than last time is read from its beginning, as a new pass."""
    site = Site()
    pull(either, site)
    site.way = "functions"
    pull(either, site)
    assert site.asked[0] == ("log", (2,))
    assert state(either).way == "functions"


def test_what_no_way_shows_is_hidden(either: Book) -> None:
    """A stream that no way shows is written down as hidden with the reasons, and a chosen way with what it hides."""
    result = pull(either, Site())
    hidden = either.one(StreamRun, stream="attempts")
    assert (hidden.status, hidden.choice["lacking"]) == ("hidden", {"plugin": "not_installed"})
    assert either.one(StreamRun, stream="log").choice == {
        "way": "plugin", "fresh": "at_once", "hidden": ["seconds"], "lacking": {"report": "older"},
    }  # fmt: skip
    assert result.status == "done"
    assert "attempts" not in result.streams


def test_changes_only(either: Book) -> None:
    """A pull for a notice asks the streams that read changes for them, compares nothing, and works the notices off."""
    site = Site()
    pull(either, site)
    either.later(hours=30)
    with either.store.write() as session:
        for number, late in ((1, 0), (2, 60)):
            received = either.now + timedelta(seconds=late)
            session.add(SourceNotice(source="moodle", message_id=str(number), type="changed", received_at=received))
    result = pull(either, site, changes_only=True)
    assert (site.asked, set(result.runs)) == ([("log", (1, "log", 0))], {"log"})
    assert [row.kind for row in either.all(SyncRun)] == ["whole", "changes"]
    assert [bool(row.worked_at) for row in either.all(SourceNotice)] == [True, False]


def test_changes_only_leaves_alone_what_was_not_read_to_its_end(book: Book) -> None:
    """A stream in the middle of its first pass is not touched by a pull for a notice."""
    site = Site()
    site.breaks_at = 2
    pull(book, site)
    before = state(book).cursor
    result = pull(book, site, changes_only=True)
    assert (site.asked, result.runs, result.status) == ([], {}, "done")
    assert state(book).cursor == before


def test_one_stream(book: Book) -> None:
    """A pull of chosen streams asks no other, settles nothing, and refuses a stream that there is not."""
    site = Site()
    pull(book, site, streams=("whole",))
    assert [name for name, _ in site.asked] == ["whole"]
    assert book.one(SyncRun).kind == "part"
    with book.store.read() as session:
        assert not is_settled(session, ["moodle"], book.now)
    with pytest.raises(NotFoundError, match="has no stream 'wohle'; it has log, whole"):
        pull(book, site, streams=("wohle",))
    assert len(book.all(SyncRun)) == 1


def test_a_dry_run_stores_nothing(either: Book) -> None:
    """A dry run counts what would be new and refused, and leaves every table as it is."""
    site = Site()
    site.users = ["1", "bad"]
    result = pull(either, site, dry=True)
    assert (result.status, result.quarantined, result.runs["log"].created) == ("partial", 2, 1)
    for table in (SourceUser, SyncRun, StreamRun, StreamState):
        assert either.all(table) == []
    assert either.waiting() == []


def test_a_broken_off_pull_of_changes_is_given_up(book: Book) -> None:
    """One that was killed unsettles for as long as a lease lasts, and the next pull closes its row."""
    site = Site()
    pull(book, site)
    with book.store.write() as session:
        session.add(
            SyncRun(source="moodle", status="running", kind="changes", started_at=book.now, heartbeat_at=book.now)
        )

    def settled() -> bool:
        with book.store.read() as session:
            return is_settled(session, ["moodle"], book.now)

    assert not settled()
    book.later(seconds=61)
    assert settled()
    pull(book, site)
    assert [row.status for row in book.all(SyncRun)] == ["done", "failed", "done"]


@pytest.mark.parametrize("scope", [In(("user_key",), frozenset({("2",), ("bad",)})), Between("user_key", 1, 3)])
def test_beside_a_refused_record_nothing_closes(book: Book, scope: In | Between) -> None:
    """A page with a refused record closes nothing of its scope, however certain it is."""
    site = Site()
    pull(book, site)

    class Bad(Log):
        def pull(self, cursor: Cursor | None) -> Iterator[Page]:
            yield Page((1, "log", 0), [Raw("bad", {"key": "bad"})], Scope(USERS, scope, certain=True))

    site.streams = lambda: [Bad(site, "log", "plugin", True)]  # type: ignore[method-assign]
    assert pull(book, site).quarantined == 1
    assert all(row.closed_at is None for row in book.all(SourceUser))


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("full_at", "now", "zone", "compare_at", "due"),
    [
        ("2026-11-22 18:01", "2026-11-23 17:59", "Asia/Shanghai", "02:00", False),
        ("2026-11-22 18:01", "2026-11-23 18:00", "Asia/Shanghai", "02:00", True),
        ("2026-11-22 17:59", "2026-11-22 18:00", "Asia/Shanghai", "02:00", True),
        ("2026-11-22 18:00", "2026-11-22 18:00", "Asia/Shanghai", "02:00", False),
        ("2026-11-20 18:00", "2026-11-22 10:00", "Asia/Shanghai", "02:00", True),
        ("2026-11-20 18:00", "2026-11-22 10:00", "Asia/Shanghai", "never", False),
        ("2026-03-29 00:30", "2026-03-29 00:59", "Europe/Berlin", "02:30", False),  # 02:30 is moved on to 03:30 there
        ("2026-03-29 00:30", "2026-03-29 01:30", "Europe/Berlin", "02:30", True),
    ],
)
def test_when_everything_is_due(full_at: str, now: str, zone: str, compare_at: str, due: bool) -> None:
    """Everything is compared again once the wall clock has passed the time of day since it last was."""
    assert compare_due(at(full_at), at(now), ZoneInfo(zone), compare_at) is due
