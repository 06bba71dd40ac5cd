"""Fixtures of the connectors' tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.conformance import make_store
from plugin.store import Store
from tests.connectors.book import Book, Little, Site, little_server, running_site


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every addon's tables, made once."""
    folder = tmp_path_factory.mktemp("empty")
    make_store(folder, "empty").close()
    return folder / "empty.db"


@pytest.fixture
def book(empty_database: Path, tmp_path: Path) -> Iterator[Book]:
    """A book on SQLite."""
    shutil.copy(empty_database, tmp_path / "book.db")
    made = Book(Store(f"sqlite:///{tmp_path}/book.db"))
    yield made
    made.store.close()


@pytest.fixture
def either(store: Store) -> Book:
    """A book on SQLite and, in a run of its own, on PostgreSQL."""
    return Book(store)


@pytest.fixture
def little() -> Iterator[Little]:
    """A server that answers what it is told."""
    with little_server() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A sandbox Moodle of 60 people; nobody waits between tries."""
    monkeypatch.setattr("connectors.http.LONGEST_WAIT", 0.0)
    with running_site(tmp_path) as running:
        yield running
