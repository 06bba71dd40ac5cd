"""A pull as a whole: pages and cursors, what failed and what waits, and processes that are killed."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors import quarantine
from connectors.conformance import OURS, OURS_OF_PEOPLE, PULLED, make_store
from connectors.models import Quarantined, SourceUser, StreamRun, StreamState, SyncRun
from connectors.moodle.demo import roster
from connectors.records import UserRecord
from connectors.streams import Scope
from connectors.sync import is_settled, retry_quarantined
from plugin.errors import SourceRefusedError, SourceUnavailableError
from plugin.installation import Installation
from plugin.store import Store
from tests.connectors.book import ZONE, Book, ScriptedSource, ScriptedStream, Site, Step

ROOT = Path(__file__).parents[2]
USERS = Scope((UserRecord,))


def user(number: int, name: str = "A") -> UserRecord:
    """An account."""
    return UserRecord(str(number), name=name)


def test_a_run_is_written_down(either: Book) -> None:
    """A pull's status, counts, moments and cursor stand in the store when it is over."""
    source = ScriptedSource(Step("a", [user(1), user(2)]), Step("b", [user(3), "no good"]))
    result = either.pull(source)
    assert (result.status, result.quarantined, vars(result.streams["things"])) == (
        "partial", 1, {"created": 3, "updated": 0, "closed": 0},
    )  # fmt: skip
    run, stream = either.one(SyncRun), either.one(StreamRun)
    assert (run.status, run.started_at, run.finished_at, run.message) == ("partial", either.now, either.now, None)
    assert (stream.status, stream.read, stream.created, stream.quarantined) == ("done", 4, 3, 1)
    assert either.one(StreamState).cursor == [2]


def test_a_stream_that_fails_keeps_what_it_read_and_goes_on_from_there(book: Book) -> None:
    """Pages before a failure are stored with their cursor, and the next pull begins behind them."""
    source = ScriptedSource(Step("a", [user(1)]), SourceUnavailableError("gone for a moment"), Step("b", [user(2)]))
    result = book.pull(source)
    assert (result.status, result.messages) == ("failed", ["gone for a moment"])
    assert [row.user_key for row in book.all(SourceUser)] == ["1"]
    assert book.one(StreamState).cursor == [1, 1]
    source.script = [Step("a", [user(9)]), Step("b", [user(2)])]
    assert book.pull(source).status == "done"
    assert [row.user_key for row in book.all(SourceUser)] == ["1", "2"]
    assert [run.status for run in book.all(SyncRun)] == ["failed", "done"]


def test_a_refused_record_keeps_its_page_from_closing(book: Book) -> None:
    """Beside a record that cannot be used nothing counts as vanished: it may be the newest word on one that stands."""
    book.pull(ScriptedSource(Step("a", [user(1), user(2)], USERS)))
    for _ in range(3):
        book.later()
        book.pull(ScriptedSource(Step("a", [user(1), "unreadable"], USERS)))
    assert [row.closed_at for row in book.all(SourceUser)] == [None, None]
    for _ in range(2):
        book.later()
        book.pull(ScriptedSource(Step("a", [user(1)], USERS)))
    assert [bool(row.closed_at) for row in book.all(SourceUser)] == [False, True]


def test_a_refused_record_of_a_known_account_spares_only_its_rows(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it can be told whose a refused record is, everybody else's rows close as if it were not there."""
    monkeypatch.setattr(ScriptedStream, "account_of", lambda _self, _raw: "2")
    book.pull(ScriptedSource(Step("a", [user(1), user(2), user(3)], USERS)))
    for _ in range(2):
        book.later()
        book.pull(ScriptedSource(Step("a", [user(1), "unreadable"], USERS)))
    assert [bool(row.closed_at) for row in book.all(SourceUser)] == [False, False, True]


def test_a_failed_request_closes_nothing(book: Book) -> None:
    """A page that could not be read says nothing about what it would have shown."""
    book.pull(ScriptedSource(Step("a", [user(1)], USERS)))
    for _ in range(3):
        book.later()
        assert book.pull(ScriptedSource(Step("a", failure="time-out"))).status == "partial"
    assert book.one(SourceUser).closed_at is None


# Quarantine


def test_what_cannot_be_used_waits_whole(either: Book) -> None:
    """A refused record waits with all of it, its reason and how often it came; the newest word on it counts."""
    source = ScriptedSource(Step("a", [user(1), "first reason"]))
    either.pull(source)
    first = either.now
    either.later()
    source.script = [Step("a", [user(1), "second reason"])]
    assert either.pull(source).quarantined == 1
    (row,) = either.waiting()
    assert (row.source, row.stream, row.record_key) == ("moodle", "things", "a:1")
    assert (row.record, row.reason, row.times) == ({"refuse": "second reason"}, "second reason", 2)
    assert (row.first_at, row.last_at, row.is_request) == (first, either.now, False)


def test_a_record_that_is_read_well_is_resolved(book: Book) -> None:
    """A good record under the same key takes the bad one out, and the pull is done again."""
    book.pull(ScriptedSource(Step("a", ["bad"]), Step("b", ["bad"])))
    book.later()
    assert book.pull(ScriptedSource(Step("a", [user(1)]), Step("b", ["bad"]))).quarantined == 1
    row = book.one(Quarantined, record_key="a:0")
    assert (row.resolved_at, row.resolution) == (book.now, "read again")
    book.later()
    assert book.pull(ScriptedSource(Step("a", ["bad"]))).quarantined == 1
    assert len(book.all(Quarantined, record_key="a:0")) == 2  # what came back waits anew


def test_a_record_that_is_gone_is_resolved_after_a_whole_pass(book: Book) -> None:
    """What a pass over everything did not meet is not in the source any more, and says so."""
    book.pull(ScriptedSource(Step("a", ["bad", "bad too"])))
    book.later()
    result = book.pull(ScriptedSource(Step("a", ["bad"])))
    assert result.quarantined == 1
    row = book.one(Quarantined, record_key="a:1")
    assert (row.resolved_at, row.resolution) == (book.now, "not in the source any more")


def test_nothing_is_gone_after_a_pass_with_a_failed_request(book: Book) -> None:
    """As long as a request of the pass failed, what was not met may stand in what it would have brought."""
    book.pull(ScriptedSource(Step("a", ["bad"]), Step("b")))
    book.later()
    assert book.pull(ScriptedSource(Step("a", failure="time-out"), Step("b"))).quarantined == 2
    book.later()
    assert book.pull(ScriptedSource(Step("a"), Step("b"))).status == "done"
    assert {row.record_key: row.resolution for row in book.all(Quarantined)} == {
        "a": "read again", "a:0": "not in the source any more",
    }  # fmt: skip


def test_nothing_is_gone_after_the_rest_of_a_pass(book: Book) -> None:
    """A pull that takes up a pass in its middle has not met what stood before: only a whole pass tells what is gone."""
    book.pull(ScriptedSource(Step("a", ["bad"]), Step("b", failure="time-out"), SourceUnavailableError("down")))
    book.later()
    source = ScriptedSource(Step("a", ["bad"]), Step("b"), Step("c", [user(1)]))
    result = book.pull(source)
    assert (result.status, result.quarantined) == ("partial", 2)
    book.later()
    assert book.pull(source).quarantined == 1
    assert {row.record_key: row.resolution for row in book.all(Quarantined)} == {"a:0": None, "b": "read again"}


def test_records_without_a_key_of_their_own_wait_each(book: Book) -> None:
    """Two bad records that nothing tells apart are two in quarantine, not one."""
    for _ in range(2):
        with book.store.write() as session:
            bad = [quarantine.Refused("user:without id", {"n": n}, "no id") for n in range(3)]
            quarantine.put(session, "moodle", "users", bad, book.now)
    assert [(row.record_key, row.record, row.times) for row in book.waiting()] == [
        ("user:without id", {"n": 0}, 2), ("user:without id#2", {"n": 1}, 2), ("user:without id#3", {"n": 2}, 2),
    ]  # fmt: skip


def test_what_no_database_takes_can_wait_too(either: Book) -> None:
    """NUL, half a surrogate pair and NaN, which PostgreSQL refuses in text or JSON, do not stop a pull."""
    odd = "a\x00b\ud800"
    either.pull(ScriptedSource(Step("a", [user(1), odd])))
    with either.store.write() as session:
        record = {"x": float("nan"), "y": [float("inf"), {"z\x00": odd}]}
        quarantine.put(session, "moodle", "users", [quarantine.Refused("k", record, odd)], either.now)
    assert either.waiting()[0].reason == "a\ufffdb?"
    assert either.waiting()[1].record == {"x": "nan", "y": ["inf", {"z\ufffd": "a\ufffdb?"}]}


def test_retry_uses_what_can_be_used_now(either: Book) -> None:
    """Retrying parses what waits again without asking the source: the mended is stored and resolved, the rest counted."""
    source = ScriptedSource(Step("a", ["one", "two"]), Step("b", failure="time-out"))
    either.pull(source)
    either.later()
    source.mended = {"one": user(7)}
    source.script = [SourceRefusedError("must not be asked")]
    assert retry_quarantined(either.store, source, lambda: either.now, ZONE) == (1, 1)
    assert [row.user_key for row in either.all(SourceUser)] == ["7"]
    found = {row.record_key: (row.resolution, row.times) for row in either.all(Quarantined)}
    assert found == {"a:0": ("retried", 1), "a:1": (None, 2), "b": (None, 1)}


def test_what_is_settled(book: Book) -> None:
    """Only when every source was pulled to an end once, and none is being pulled, may anything be derived."""

    def settled(*sources: str) -> bool:
        with book.store.read() as session:
            return is_settled(session, sources, book.now)

    assert settled()
    assert not settled("moodle")
    book.pull(ScriptedSource(Step("a", [user(1)])))
    assert settled("moodle")
    assert not settled("moodle", "roster")
    with book.store.write() as session:
        session.add(SyncRun(source="moodle", status="running", started_at=book.now, heartbeat_at=book.now))
    assert not settled("moodle")
    book.later(minutes=11)
    assert settled("moodle")


# Killed


def test_a_killed_pull_of_the_real_command_leaves_nothing_lost_or_twice(
    installation: Installation, site: Site, tmp_path: Path
) -> None:
    """`certbridge sync`, killed with SIGKILL at random moments, time and again: in the end all is as if undisturbed."""
    roster.write_file(site.organisation, tmp_path / "roster.csv")
    undisturbed = make_store(tmp_path, "undisturbed")
    url = installation.store.engine.url.render_as_string(hide_password=False)
    disturbed = installation.store
    for name, store_url in (("calm", str(undisturbed.engine.url)), ("wild", url)):
        (tmp_path / f"{name}.toml").write_text(
            f'[store]\nurl = "{store_url}"\n[organisation]\ntimezone = "Asia/Shanghai"\n'
            '[sources.roster]\nconnector = "connectors.roster"\npath = "roster.csv"\n'
            f'[sources.moodle]\nconnector = "connectors.moodle"\nurl = "{site.url}"\ntoken = {{ env = "MOODLE_TOKEN" }}\n'
        )
    command = [sys.executable, "-m", "plugin", "--config"]
    environment = {**os.environ, "MOODLE_TOKEN": "sandbox-passmarks"}
    calm = subprocess.run(
        [*command, str(tmp_path / "calm.toml"), "sync", "--format", "json"], check=False, cwd=ROOT, env=environment, capture_output=True
    )  # fmt: skip
    assert calm.returncode == 0, calm.stderr
    assert [result["status"] for result in json.loads(calm.stdout)] == ["done", "done"]
    dice = random.Random(7)
    killed = 0
    wild = [*command, str(tmp_path / "wild.toml"), "sync"]
    for _ in range(5):
        process = subprocess.Popen(wild, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        for _ in range(dice.randrange(1, 14)):  # it tells each page as it is committed
            if not process.stderr.readline():
                break
        time.sleep(dice.random() * 0.05)
        process.kill()
        killed += process.wait() < 0
        process.stderr.close()
    assert killed >= 4
    last = subprocess.run(wild, check=False, cwd=ROOT, env=environment, capture_output=True)
    assert last.returncode == 0, last.stderr
    with disturbed.read() as session:
        assert "running" not in set(session.scalars(select(SyncRun.status)))
    ours, theirs = pulled(disturbed), pulled(undisturbed)
    undisturbed.close()
    assert ours == theirs
    assert sum(map(len, ours.values())) > 1000


def pulled(store: Store) -> dict[str, list[str]]:
    """What was pulled, as `conformance.contents` has it, but the same for both databases."""
    found = {}
    with store.read() as session:
        for model in PULLED:
            columns = [column for column in model.__table__.columns if column.name not in OURS | OURS_OF_PEOPLE]
            found[str(model.__tablename__)] = sorted(
                json.dumps(list(row), default=str, sort_keys=True) for row in session.execute(select(*columns))
            )
    return found
