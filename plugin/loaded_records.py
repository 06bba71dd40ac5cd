"""Taking out what data files have brought: a record goes when nothing refers to it any more.

It looks at the database and not at models, so that it serves for addons whose code is gone as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    TableClause,
    and_,
    column,
    delete,
    exists,
    inspect,
    select,
    table,
    tuple_,
)
from sqlalchemy.orm import Session

from plugin.models import LoadedRecord
from plugin.store import chunks

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Reference:
    """A foreign key: these columns of the table `child` name those columns of another table."""

    child: str
    columns: tuple[str, ...]
    named: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A record that stays, because rows of the table `child` refer to it."""

    name: str
    table_name: str
    child: str

    def __str__(self) -> str:
        return f"{self.table_name} {self.name} stays: rows of {self.child} refer to it"


def references(connection: Connection) -> dict[str, list[Reference]]:
    """The foreign keys of the database, by the table that they refer to."""
    found: dict[str, list[Reference]] = {}
    for (_, child), keys in inspect(connection).get_multi_foreign_keys().items():
        for key in keys:
            reference = Reference(child, tuple(key["constrained_columns"]), tuple(key["referred_columns"]))
            found.setdefault(key["referred_table"], []).append(reference)
    return found


def remove_records(session: Session, addon: str, records: Iterable[LoadedRecord]) -> list[Kept]:
    """Delete the rows of the addon's records, and what is known of them; those that something refers to are kept.

    A kept record is tried again at the next upgrade, and taken up again when the addon is installed again.
    """
    waiting: dict[str, dict[Key, str]] = {}
    for record in records:
        if record.row_key:
            waiting.setdefault(record.table_name, {})[tuple(record.row_key)] = record.name
        else:
            _forget(session, addon, [record.name])  # a whole file: what was made of it stays
    if not waiting:
        return []
    connection = session.connection()
    referring = references(connection)
    there = set(inspect(connection).get_table_names())
    kept: list[Kept] = []
    progress = True
    while progress:  # what is free now may have been what held another one
        progress, kept = False, []
        for name, rows in waiting.items():
            held = _held(session, name, list(rows), referring.get(name, [])) if name in there else {}
            free = [key for key in rows if key not in held]
            if free:
                progress = True
                if name in there:
                    _delete(session, name, free)
                _forget(session, addon, [rows.pop(key) for key in free])
            kept += [Kept(rows[key], name, child) for key, child in held.items()]
    return kept


def _held(session: Session, name: str, keys: list[Key], referring: Sequence[Reference]) -> dict[Key, str]:
    """Which of the rows something refers to, and a table that does."""
    held: dict[Key, str] = {}
    for reference in referring:
        parent = _table(session, name, *reference.named)
        child = table(reference.child, *(column(each) for each in reference.columns)).alias("child")
        pairs = zip(reference.columns, reference.named, strict=True)
        same = and_(*(child.c[own] == parent.c[other] for own, other in pairs))
        for chunk in chunks(keys):
            query = select(*_key(session, parent)).where(_among(session, parent, chunk), exists().where(same))
            held |= dict.fromkeys((tuple(row) for row in session.execute(query)), reference.child)
    return held


def _delete(session: Session, name: str, keys: list[Key]) -> None:
    rows = _table(session, name)
    for chunk in chunks(keys):
        session.execute(delete(rows).where(_among(session, rows, chunk)))


def _forget(session: Session, addon: str, names: list[str]) -> None:
    for chunk in chunks(names):
        session.execute(delete(LoadedRecord).where(LoadedRecord.addon == addon, LoadedRecord.name.in_(chunk)))


def _key_names(session: Session, name: str) -> list[str]:
    return list(inspect(session.connection()).get_pk_constraint(name)["constrained_columns"])


def _table(session: Session, name: str, *columns: str) -> TableClause:
    return table(name, *(column(each) for each in dict.fromkeys([*_key_names(session, name), *columns])))


def _key(session: Session, rows: TableClause) -> list[ColumnElement[Any]]:
    return [rows.c[each] for each in _key_names(session, rows.name)]


def _among(session: Session, rows: TableClause, keys: list[Key]) -> ColumnElement[bool]:
    own = _key(session, rows)
    return own[0].in_([key[0] for key in keys]) if len(own) == 1 else tuple_(*own).in_(keys)
