"""A kernel on its own, on both databases, and a maker of small addons."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, event, insert, select, text

from plugin import lifecycle
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import declared, load_models, tables_of, take_out
from plugin.models import InstalledAddon, Person
from plugin.settings import Settings
from plugin.store import Base, Store

ROOT = Path(__file__).parents[2]
MANIFEST = {"name": "An addon", "version": "1.0", "license": "MIT", "depends": []}


@dataclass
class Clock:
    """A clock that stands until a test moves it."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


def _kernel(url: str) -> Installation:
    addons = discover([], PACKAGES)
    load_models(addons)
    settings = Settings.model_validate({"organisation": {"name": "Acme", "timezone": "Asia/Shanghai"}})
    home = Installation(settings, addons, Store(url), Clock(datetime(2026, 11, 23, 2, 0, tzinfo=UTC)))
    lifecycle.install(home, ["plugin"])
    return home


@pytest.fixture(scope="session")
def _sqlite_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = _kernel(f"sqlite:///{tmp_path_factory.mktemp('kernel')}/store.db")
    yield home
    home.store.close()


@pytest.fixture(scope="session")
def _postgresql_kernel(postgresql_server: str) -> Iterator[Installation]:
    admin = create_engine(postgresql_server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE kernel"))
    admin.dispose()
    home = _kernel(postgresql_server.replace("/postgres?", "/kernel?"))
    yield home
    home.store.close()


def _emptied(home: Installation) -> Iterator[Installation]:
    """`home` with a clock of its own; afterwards its tables are empty again."""
    yield replace(home, clock=Clock(datetime(2026, 11, 23, 2, 0, tzinfo=UTC)))
    own = tables_of(home.addons["plugin"], home.addons) - {InstalledAddon.__tablename__}
    with home.store.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name in own:
                session.execute(delete(table))
        session.execute(delete(InstalledAddon).where(InstalledAddon.name != "plugin"))


@pytest.fixture(params=["sqlite", "postgresql"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """The kernel alone, with empty tables: a test that asks for it runs on SQLite and on PostgreSQL."""
    yield from _emptied(request.getfixturevalue(f"_{request.param}_kernel"))


@pytest.fixture
def sqlite_kernel(_sqlite_kernel: Installation) -> Iterator[Installation]:
    """The kernel alone on SQLite, for what only SQLite can get wrong."""
    yield from _emptied(_sqlite_kernel)


@pytest.fixture
def postgresql_kernel(_postgresql_kernel: Installation) -> Iterator[Installation]:
    """The kernel alone on PostgreSQL, for what only several writers at a time can show."""
    yield from _emptied(_postgresql_kernel)


@pytest.fixture
def hire() -> Callable[..., list[int]]:
    """Puts so many persons into a store; their ids."""

    def make(home: Installation, count: int, **columns: Any) -> list[int]:
        now = home.clock()
        base = {"name": "A person", "created_at": now, "changed_at": now, **columns}
        with home.store.write() as session:
            rows = [{**base, "employee_number": f"N{number:05d}"} for number in range(count)]
            session.execute(insert(Person), rows)
            return list(session.scalars(select(Person.id).order_by(Person.id)))

    return make


@pytest.fixture
def make_addon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes an addon into the folder `tmp_path / "own"`, which can be imported from: its name, manifest keys, files."""
    folder = tmp_path / "own"
    folder.mkdir(exist_ok=True)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def make(name: str, files: dict[str, str] | None = None, **keys: Any) -> Path:
        path = folder.joinpath(*name.split("."))
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").touch()
        (path / "__manifest__.py").write_text(repr({**MANIFEST, **keys}), encoding="utf-8")
        for place, content in (files or {}).items():
            (path / place).parent.mkdir(exist_ok=True)
            (path / place).write_text(content, encoding="utf-8")
        return folder

    yield make
    places = {name: str(getattr(sys.modules[name], "__file__", None)) for name in set(sys.modules) - before}
    modules = {name for name, place in places.items() if place.startswith(f"{folder}/")}
    made = {model for model in declared() if model.__module__ in modules}
    others = {model.__tablename__ for model in set(declared()) - made}
    take_out(made, {str(model.__tablename__) for model in made} & Base.metadata.tables.keys() - others)
    for name in modules:
        del sys.modules[name]


@pytest.fixture
def opened(store_url: str, make_addon: Callable[..., Path]) -> Any:
    """Opens an installation with this program's addons and those made so far, on one database that begins empty."""
    stores: list[Store] = []
    folder = make_addon("unused", installable=False)

    def open_again(**options: Any) -> Installation:
        stores.append(Store(store_url))
        addons = discover([folder], PACKAGES)
        load_models(addons)
        return Installation(Settings(), addons, stores[-1], Clock(datetime(2026, 11, 23, 2, 0, tzinfo=UTC)), **options)

    yield open_again
    for store in stores:
        store.close()


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python processes of this project, and kills those that are still there afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def counted() -> Callable[..., Any]:
    """Counts the statements that reach the database within a block."""

    @contextmanager
    def count(home: Installation) -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        event.listen(home.store.engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(home.store.engine, "before_cursor_execute", note)

    return count
