"""The conformance kit: what every connector must do, ours or another's, as tests to inherit.

    from connectors.conformance import ConnectorConformance

    class TestMine(ConnectorConformance):
        def connector(self): return MyConnector("mine", …)
        def malformed(self): …   # a context in which the source gives one malformed record among good ones
        def broken(self): …      # a context in which the source refuses or fails
        secrets = ("the token",)

Run with pytest. Each test says in one sentence what it proves.
"""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, get_args
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import models
from connectors.models import Quarantined, StreamState
from connectors.records import Record
from connectors.streams import Connector, Cursor
from connectors.sync import PARTIAL, SyncResult, sync
from plugin import lifecycle
from plugin.errors import CertBridgeError
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.models import Assignment, Person
from plugin.settings import Settings
from plugin.store import Base, Store

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

PULLED: tuple[type[Base], ...] = (
    models.SourceUser,
    models.Identity,
    models.Course,
    models.Enrolment,
    models.Completion,
    models.Activity,
    models.Result,
    models.Category,
    models.ActivityCompletion,
    models.LearningAttempt,
    models.Cohort,
    models.CohortMember,
    models.Badge,
    models.Competency,
    models.CompetencyRating,
    models.LearningPlan,
    models.Survey,
    models.SurveyAnswer,
    models.Evidence,
    models.Quarantined,
    Person,
    Assignment,
)

# When we came to know something, and the numbers that rows happen to get, differ from run to run.
OURS = frozenset(
    {
        "id",
        "person_id",
        "origin",
        "first_seen_at",
        "recorded_at",
        "bound_at",
        "first_at",
        "last_at",
        "times",
        "missing_pass",
    }
)
OURS_OF_PEOPLE = frozenset({"created_at", "changed_at", "department_id", "position_id", "grade_id"})


def make_store(folder: Path, name: str = "kit") -> Store:
    """An empty SQLite store with every addon's tables."""
    addons = discover([], PACKAGES)
    load_models(addons)
    home = Installation(Settings(), addons, Store(f"sqlite:///{folder}/{name}.db"), lambda: NOW)
    lifecycle.install(home)
    return home.store


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What was pulled into the store, but for ids and the times at which we recorded it."""
    found = {}
    with store.read() as session:
        for model in PULLED:
            columns = [column for column in model.__table__.columns if column.name not in OURS | OURS_OF_PEOPLE]
            rows = session.execute(select(*columns))
            found[str(model.__tablename__)] = sorted((tuple(row) for row in rows), key=str)
    return found


class ConnectorConformance:
    """The tests; a connector's own test class inherits them and says how to make the connector."""

    secrets: ClassVar[tuple[str, ...]] = ()

    def connector(self) -> Connector:
        """A fresh connector to a source that holds at least a few records of every stream."""
        raise NotImplementedError

    def malformed(self) -> AbstractContextManager[None]:
        """A context in which the source gives one record that cannot be used, among good ones."""
        raise NotImplementedError

    def broken(self) -> AbstractContextManager[None]:
        """A context in which the source refuses or fails."""
        raise NotImplementedError

    def test_it_finds_its_streams(self) -> None:
        """The connector has streams with names of their own and record types that the store knows."""
        with _made(self.connector) as connector:
            names = [stream.name for stream in connector.streams()]
            types = {kind for stream in connector.streams() for kind in stream.records}
        assert names
        assert len(names) == len(set(names))
        assert types <= set(get_args(Record))

    def test_records_are_of_the_declared_types(self) -> None:
        """Every record that a stream brings is of a type that it declares, and each stream brings some."""
        with _made(self.connector) as connector:
            for stream in connector.streams():
                found = {type(stream.parse(raw.value)) for page in stream.pull(None) for raw in page.raws}
                assert found, stream.name
                assert found <= set(stream.records), stream.name

    def test_keys_are_unique(self) -> None:
        """Within one pass of a stream no two records have the same key."""
        with _made(self.connector) as connector:
            for stream in connector.streams():
                keys = [raw.key for page in stream.pull(None) for raw in page.raws]
                assert len(keys) == len(set(keys)), stream.name

    def test_the_cursor_only_moves_forward(self) -> None:
        """From page to page, and from one pull to the next, the cursor of a stream only grows."""
        with _made(self.connector) as connector:
            for stream in connector.streams():
                cursors: list[Cursor] = []
                for _ in range(2):
                    cursors += [page.cursor for page in stream.pull(cursors[-1] if cursors else None)]
                assert cursors == sorted(cursors), stream.name

    def test_a_second_pull_brings_nothing_old(self, tmp_path: Path) -> None:
        """Pulling again when nothing has changed creates, changes and closes nothing, and makes no evidence anew."""
        store = make_store(tmp_path)
        self._sync(store)
        before = contents(store)
        again = self._sync(store, NOW + timedelta(hours=1))
        assert {name: vars(counts) for name, counts in again.streams.items()} == {
            name: {"created": 0, "updated": 0, "closed": 0} for name in again.streams
        }
        assert contents(store) == before
        store.close()

    @pytest.mark.parametrize("after", [1, 2, 5])
    def test_killed_in_the_middle_and_resumed(self, tmp_path: Path, after: int) -> None:
        """A pull killed after some page and started again leaves what an undisturbed one leaves: nothing lost or twice."""
        undisturbed, disturbed = make_store(tmp_path, "undisturbed"), make_store(tmp_path, "disturbed")
        self._sync(undisturbed)
        url = str(disturbed.engine.url)
        disturbed.close()
        process = multiprocessing.get_context("fork").Process(target=self._sync_and_die, args=(url, after))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        resumed = Store(url)
        with resumed.read() as session:
            assert _runs(session) == ["running"]
        self._sync(resumed)
        with resumed.read() as session:
            assert "running" not in _runs(session)
        assert contents(resumed) == contents(undisturbed)
        undisturbed.close()
        resumed.close()

    def test_a_malformed_record_is_quarantined_and_the_rest_goes_on(self, tmp_path: Path) -> None:
        """One malformed record waits in quarantine with a reason; the rest is stored, and a good one later resolves it."""
        store = make_store(tmp_path)
        with self.malformed():
            result = self._sync(store)
        assert result.status == PARTIAL
        assert result.quarantined >= 1
        with store.read() as session:
            rows = session.scalars(select(Quarantined)).all()
            assert all(row.record and row.reason for row in rows)
            states = session.scalars(select(StreamState.stream)).all()
        with _made(self.connector) as connector:
            assert set(states) == {stream.name for stream in connector.streams()}
        healed = self._sync(store, NOW + timedelta(days=1))  # what changes is read by then, and everything compared
        assert healed.quarantined == 0
        fresh = make_store(tmp_path, "fresh")
        self._sync(fresh)
        ours, theirs = contents(store), contents(fresh)
        del ours["quarantined"], theirs["quarantined"]
        assert ours == theirs
        store.close()
        fresh.close()

    def test_credentials_appear_nowhere(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """No log line, exception or stored row of a good, a malformed and a broken pull holds a credential."""
        caplog.set_level(logging.DEBUG)
        store = make_store(tmp_path)
        said = [str(self._sync(store))]
        with self.malformed():
            said.append(str(self._sync(store)))
        with self.broken():
            said.append(str(self._sync(store)))
            with _made(self.connector) as connector:
                said += [repr(connector), str(vars(connector).keys())]
                try:
                    for stream in connector.streams():
                        list(stream.pull(None))
                except CertBridgeError as error:
                    said += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
        said += [record.getMessage() for record in caplog.records]
        store.close()
        said.append((tmp_path / "kit.db").read_bytes().decode("latin-1"))
        for secret in self.secrets:
            assert not any(secret in text for text in said)

    def _sync(self, store: Store, now: datetime = NOW) -> SyncResult:
        with _made(self.connector) as connector:
            return sync(store, connector, lambda: now, ZONE)

    def _sync_and_die(self, url: str, after: int) -> None:
        """In a process of its own: pull, and be killed after `after` pages, one of them not committed."""
        pages = 0

        def count(*_: object) -> None:
            nonlocal pages
            pages += 1
            if pages >= after:
                os.kill(os.getpid(), signal.SIGKILL)

        sync(Store(url), self.connector(), lambda: NOW, ZONE, count)


@contextmanager
def _made(make: Callable[[], Connector]) -> Iterator[Connector]:
    connector = make()
    try:
        yield connector
    finally:
        connector.close()


def _runs(session: Session) -> list[str]:
    return sorted(session.scalars(select(models.SyncRun.status)))
