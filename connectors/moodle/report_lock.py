"""One reader of reports at a time for each web service user: the filters of a report are that user's preference."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from plugin.store import Store


@contextmanager
def alone(store: Store | None, site: str, user: str) -> Iterator[None]:
    """Wait until no other process that uses this store reads reports of the site as this user; then keep others waiting.

    A process that dies lets go. On PostgreSQL the lock is the server's; beside an SQLite file it is a file, for the
    processes of one machine. Without a store, or with one in memory, there is nobody to wait for.
    """
    name = f"reports {site} {user}"
    if store is None:
        yield
    elif store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(select(func.pg_advisory_lock(func.hashtext(name))))
            try:
                yield
            finally:
                connection.execute(select(func.pg_advisory_unlock(func.hashtext(name))))
    elif store.engine.url.database:
        path = Path(store.engine.url.database)
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        with path.with_name(f"{path.name}.{digest}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    else:
        yield
