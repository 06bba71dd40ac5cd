"""What the sandbox HR system keeps: the inbox, certification lines per employee, promotion records."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS inbox (
    webhook_id TEXT PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL,
    outcome TEXT NOT NULL, received_at TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE IF NOT EXISTS subject (subject TEXT PRIMARY KEY, sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (reason TEXT PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS certification (
    employee_number TEXT NOT NULL, certification TEXT NOT NULL, status TEXT NOT NULL, valid_from TEXT, valid_until TEXT,
    reason TEXT, backfill INTEGER NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (employee_number, certification)
);
CREATE TABLE IF NOT EXISTS promotion (
    promotion_id TEXT PRIMARY KEY, employee_number TEXT NOT NULL, kind TEXT NOT NULL DEFAULT 'promotion',
    from_position TEXT, to_position TEXT, from_grade TEXT, to_grade TEXT, effective_date TEXT,
    proposed TEXT, refused_because TEXT,
    eligibility TEXT, requirements TEXT NOT NULL DEFAULT '[]', note TEXT, sequence INTEGER NOT NULL DEFAULT 0
);
"""

PROPOSAL = (
    "promotion_id", "employee_number", "kind", "from_position", "to_position", "from_grade", "to_grade", "effective_date",
)  # fmt: skip


class Records:
    """The SQLite file. Each unit of work has a connection of its own, so any number of threads may have one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self.unit() as database:
            for statement in TABLES.split(";"):
                database.execute(statement)

    @contextmanager
    def unit(self) -> Iterator[sqlite3.Connection]:
        """One unit of work: all of it is committed at the end, or none of it."""
        database = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        finally:
            database.close()

    def state(self) -> dict[str, Any]:
        """Everything, for comparing: certifications and promotions by their keys, and the inbox in counts."""
        with self.unit() as database:
            outcomes = {row["outcome"]: row["n"] for row in database.execute(
                "SELECT outcome, count(*) AS n FROM inbox GROUP BY outcome"
            )}  # fmt: skip
            repeated = database.execute("SELECT coalesce(sum(times - 1), 0) FROM inbox").fetchone()[0]
            return {
                "certifications": [_plain(row) for row in database.execute(
                    "SELECT * FROM certification ORDER BY employee_number, certification"
                )],
                "promotions": [_plain(row) for row in database.execute("SELECT * FROM promotion ORDER BY promotion_id")],
                "inbox": {
                    "new": outcomes.get("new", 0),
                    "stale": outcomes.get("stale", 0),
                    "test": outcomes.get("test", 0),
                    "duplicates": repeated,
                    "refused": {row["reason"]: row["times"] for row in database.execute("SELECT * FROM refusal")},
                },
            }  # fmt: skip

    def held(self, cursor: str | None, limit: int) -> dict[str, Any]:
        """What it holds, a page behind `cursor`, as docs/webhooks.md says: the answer to endpoint.read_back.

        The state is read from the records themselves, not from what once arrived, so that damage to them shows.
        """
        kind, first, second = (json.loads(cursor) if cursor else ["certification", "", ""])[:3]
        rows: list[dict[str, Any]] = []
        following: list[str] | None
        with self.unit() as database:
            if kind == "certification":
                for row in database.execute(
                    "SELECT * FROM certification WHERE (employee_number, certification) > (?, ?) "
                    "ORDER BY employee_number, certification LIMIT ?", (first, second, limit),
                ):  # fmt: skip
                    names = ("employee_number", "certification", "status", "valid_from", "valid_until", "reason")
                    rows.append({
                        "subject": f"certification:{row['employee_number']}:{row['certification']}",
                        "sequence": row["sequence"],
                        "type": row["event"],
                        "data": {name: row[name] for name in names} | {"backfill": bool(row["backfill"])},
                    })  # fmt: skip
                    first, second = row["employee_number"], row["certification"]
                following = [kind, first, second] if len(rows) == limit else ["promotion", "", ""]
            else:
                for row in database.execute(
                    "SELECT * FROM promotion WHERE promotion_id > ? AND eligibility IS NOT NULL "
                    "ORDER BY promotion_id LIMIT ?", (first, limit),
                ):  # fmt: skip
                    data = {name: row[name] for name in ("promotion_id", "employee_number", "note")}
                    data |= {"requirements": json.loads(row["requirements"])}
                    rows.append({
                        "subject": f"promotion:{row['promotion_id']}",
                        "sequence": row["sequence"],
                        "type": f"promotion.{row['eligibility']}",
                        "data": data,
                    })  # fmt: skip
                    first = row["promotion_id"]
                following = [kind, first, ""] if len(rows) == limit else None
        return {"held": rows, "next": json.dumps(following) if following else None}

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The newest messages of the inbox."""
        with self.unit() as database:
            rows = database.execute("SELECT * FROM inbox ORDER BY received_at DESC, rowid DESC LIMIT ?", (limit,))
            return [dict(row) for row in rows]

    def refuse(self, reason: str) -> None:
        """Count a message that was not accepted."""
        with self.unit() as database:
            database.execute(
                "INSERT INTO refusal VALUES (?, 1) ON CONFLICT (reason) DO UPDATE SET times = times + 1", (reason,)
            )

    def plan(self, proposals: list[dict[str, Any]]) -> None:
        """Keep proposals that are to be sent to CertBridge; one that is there already is changed and sent again."""
        with self.unit() as database:
            for proposal in proposals:
                values = {name: proposal.get(name) for name in PROPOSAL} | {"kind": proposal.get("kind") or "promotion"}
                columns = ", ".join(PROPOSAL)
                marks = ", ".join(f":{name}" for name in PROPOSAL)
                changes = ", ".join(f"{name} = excluded.{name}" for name in PROPOSAL[1:])
                database.execute(
                    f"INSERT INTO promotion ({columns}) VALUES ({marks}) "
                    f"ON CONFLICT (promotion_id) DO UPDATE SET {changes}, proposed = NULL, refused_because = NULL",
                    values,
                )

    def unsent(self) -> list[dict[str, Any]]:
        """The proposals that CertBridge has not been told, without their empty fields."""
        with self.unit() as database:
            rows = database.execute(
                f"SELECT {', '.join(PROPOSAL)} FROM promotion WHERE proposed IS NULL AND effective_date IS NOT NULL "
                "ORDER BY promotion_id"
            ).fetchall()
        return [{name: row[name] for name in PROPOSAL if row[name] is not None} for row in rows]

    def told(self, promotion_id: str, outcome: str | None, refused_because: str | None) -> None:
        """Keep what CertBridge answered to a proposal; an outcome of None leaves it to be sent again."""
        with self.unit() as database:
            database.execute(
                "UPDATE promotion SET proposed = ?, refused_because = ? WHERE promotion_id = ?",
                (outcome, refused_because, promotion_id),
            )


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    """A row with what is kept as JSON made plain."""
    values = dict(row)
    for name in ("data", "requirements"):
        if name in values:
            values[name] = json.loads(values[name])
    if "backfill" in values:
        values["backfill"] = bool(values["backfill"])
    return values
