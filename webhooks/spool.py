"""What a receiver said that it holds, kept in a temporary file so that memory does not grow with it."""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from webhooks.target import Held


class Spool:
    """Rows by subject; `seen` marks those that we know. Of a subject that is named twice the highest sequence counts."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("PRAGMA synchronous=OFF")
        database.execute(
            "CREATE TABLE held (subject TEXT PRIMARY KEY, sequence INTEGER, data TEXT, digest TEXT, type TEXT, "
            "seen INTEGER DEFAULT 0)"
        )

    def put(self, rows: Iterable[Held]) -> int:
        """Keep these; how many they were."""
        given = [
            (row.subject, row.sequence, None if row.data is None else json.dumps(dict(row.data)), row.digest, row.type)
            for row in rows
        ]
        self._database.executemany(
            "INSERT INTO held (subject, sequence, data, digest, type) VALUES (?, ?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET "
            "sequence = excluded.sequence, data = excluded.data, digest = excluded.digest, "
            "type = excluded.type "
            "WHERE excluded.sequence >= sequence",
            given,
        )
        return len(given)

    def take(self, subjects: Sequence[str]) -> dict[str, Held]:
        """What is held of these, which are known then."""
        listed = json.dumps(list(subjects))
        self._database.execute("UPDATE held SET seen = 1 WHERE subject IN (SELECT value FROM json_each(?))", (listed,))
        rows = self._database.execute(
            "SELECT subject, sequence, data, digest, type FROM held WHERE subject IN (SELECT value FROM json_each(?))",
            (listed,),
        )
        return {
            subject: Held(subject, sequence, json.loads(data) if data is not None else None, digest, type_)
            for subject, sequence, data, digest, type_ in rows
        }

    def unknown(self) -> Iterator[Held]:
        """What is held and was never taken, by subject."""
        for subject, sequence in self._database.execute(
            "SELECT subject, sequence FROM held WHERE NOT seen ORDER BY subject"
        ):
            yield Held(subject, sequence)


@contextmanager
def spool() -> Iterator[Spool]:
    """An empty spool, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="certbridge-") as folder:
        database = sqlite3.connect(Path(folder) / "held.db", isolation_level=None)
        try:
            yield Spool(database)
        finally:
            database.close()
