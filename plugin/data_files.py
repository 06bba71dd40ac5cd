"""What an addon brings along in files: CSV for the rows of tables, TOML for what an addon `loads`.

A CSV file is named after its table (`data/position.csv`, `data/position-sample.csv`). Its column `id` holds an external
id; `loaded_record` remembers which row that became, so that the next upgrade changes the row and does not make another.
A column `department_id:id` refers to a record by external id, another addon's as `addon.id`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Table, UniqueConstraint, bindparam, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from plugin import people
from plugin.csv_rows import LineRefused, Row, key_is_counted, read_rows, target_of
from plugin.errors import AddonError
from plugin.hooks import in_short
from plugin.installation import load_object
from plugin.loaded_records import Kept, remove_records
from plugin.manifests import Addon, in_order
from plugin.migrate import tables_of
from plugin.models import LoadedRecord
from plugin.store import Base, chunks, upsert

Loader = Callable[[Session, str, str, datetime], Any]
Key = tuple[Any, ...]


def files_of(addon: Addon, *, demo: bool) -> list[tuple[str, str]]:
    """The addon's data files in the order of its manifest, each with the manifest's key that lists it."""
    keys = ("data", "demo") if demo else ("data",)
    return [(key, file) for key in keys for file in addon.manifest.get(key, [])]


def check_files(addon: Addon) -> None:
    """Raise AddonError when a file that the manifest lists is not there, or is named after nothing."""
    for key, file in files_of(addon, demo=True):
        if not (addon.path / file).is_file():
            raise _refusal(addon, key, file, f"it is not in {addon.path}")


def digest_of(addon: Addon, *, demo: bool) -> str:
    """What tells whether the data files have changed; empty when there are none."""
    files = files_of(addon, demo=demo)
    digest = hashlib.sha256()
    for key, file in files:
        path = addon.path / file
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{key} {file} {len(content)}\n".encode() + content)
    return digest.hexdigest() if files else ""


def load_files(
    session: Session, addon: Addon, addons: Mapping[str, Addon], installed: Iterable[str], now: datetime, *, demo: bool
) -> list[Kept]:
    """Load the addon's data files, in the order of its manifest, and remove what they brought once and list no more.

    `installed` are the names of the addons whose `loads` can be used, beside its own. The records that could not be
    removed are returned. Raises AddonError that names file, line, column and reason; the caller's transaction is undone.
    """
    loading = _Loading(session, addon, addons, now)
    loaders = {name: place for other in (*installed, addon.name) for name, place in _loads(addons, other).items()}
    for key, file in files_of(addon, demo=demo):
        try:
            text = (addon.path / file).read_text(encoding="utf-8-sig")
            kind = file.rpartition("/")[2].rpartition(".")[0].partition("-")[0]
            if file.endswith(".csv"):
                loading.table(file, kind, text)
            else:
                loading.whole(file, kind, text, loaders)
        except UnicodeDecodeError as error:
            raise _refusal(addon, key, file, f"it is not UTF-8 ({error.reason} at byte {error.start})") from None
        except (DBAPIError, StatementError) as error:
            raise _refusal(addon, key, file, f"the database refuses it: {in_short(error)}") from error
        except LineRefused as error:
            raise _refusal(addon, key, file, str(error)) from None
        except Exception as error:
            said = str(error) if isinstance(error, AddonError | ValueError) else ""
            raise _refusal(addon, key, file, said or in_short(error)) from error
    gone = [record for name, record in loading.known.items() if name not in loading.given and not record.noupdate]
    kept = remove_records(session, addon.name, gone)
    if loading.given or gone:
        people.touch_all(session)
    return kept


def _loads(addons: Mapping[str, Addon], name: str) -> Mapping[str, str]:
    return addons[name].manifest.get("loads", {}) if name in addons else {}


def _refusal(addon: Addon, key: str, file: str, reason: str) -> AddonError:
    return AddonError(
        f"The addon {addon.name}: {key}: {file}: {reason}. Nothing of the addon was changed; mend the file or the manifest "
        "and try again."
    )


@dataclass
class _Loading:
    """One pass over an addon's files: what is known from before, and what they give."""

    session: Session
    addon: Addon
    addons: Mapping[str, Addon]
    now: datetime
    known: dict[str, LoadedRecord] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)  # external id -> file

    def __post_init__(self) -> None:
        query = select(LoadedRecord).where(LoadedRecord.addon == self.addon.name)
        self.known = {record.name: record for record in self.session.scalars(query)}

    def whole(self, file: str, kind: str, text: str, loaders: Mapping[str, str]) -> None:
        """Hand a TOML file to who loads its kind, unless it says what it said before."""
        if kind not in loaders:
            known = ", ".join(sorted(loaders)) or "none"
            raise AddonError(
                f"nothing that is installed loads files named {kind!r}; the names are: {known}. Name the addon that does in "
                "'depends'"
            )
        self.given[file] = file
        digest = hashlib.sha256(text.encode()).hexdigest()
        if file not in self.known or self.known[file].digest != digest:
            loader: Loader = load_object(loaders[kind])
            loader(self.session, text, f"addon:{self.addon.name}", self.now)
            self.session.flush()
            self._remember([(file, (), False)], kind, digest)

    def table(self, file: str, name: str, text: str) -> None:
        """Insert or update the rows of a CSV file."""
        table = self._table(name)
        rows = read_rows(text, table, self._closed(name))
        for row in rows:
            if row.name in self.given:
                raise LineRefused(row.line, "id", f"{row.name} stands in {self.given[row.name]} already")
            if row.name in self.known and self.known[row.name].table_name != name:
                was = self.known[row.name].table_name
                raise LineRefused(row.line, "id", f"{row.name} was a record of {was}; give this one another id")
            self.given[row.name] = file
        standing = self._standing(table, rows)
        place = _Places(self.session, self.addon.name, rows)
        fresh = [row for row in rows if row.name not in standing and not (row.noupdate and row.name in self.known)]
        for row in fresh:
            place.found.pop(f"{self.addon.name}.{row.name}", None)  # the row that it was is gone
        made: list[tuple[str, Key, bool]] = []
        while fresh:  # those that refer to rows of this file come after them
            ready = [row for row in fresh if place.is_ready(row)]
            if not ready:
                raise LineRefused(fresh[0].line, None, "it and others of the file refer to one another in a circle")
            keys = self._insert(table, ready, [place.filled(row, table) for row in ready])
            for row, key in zip(ready, keys, strict=True):
                place.found[f"{self.addon.name}.{row.name}"] = (name, key)
                made.append((row.name, key, row.noupdate))
            done = {row.name for row in ready}
            fresh = [row for row in fresh if row.name not in done]
        changed = [row for row in rows if row.name in standing and not row.noupdate]
        values = [place.filled(row, table) for row in changed]
        self._update(table, changed, [standing[row.name] for row in changed], values)
        seen = [(row.name, standing[row.name], row.noupdate) for row in rows if row.name in standing]
        self._remember([*made, *seen], name, None)

    def _table(self, name: str) -> Table:
        """The table that a file is named after: the addon's own, or one of what it depends on."""
        within = in_order(self.addons, [self.addon.name, "plugin"])
        table = Base.metadata.tables.get(name)
        owners = [other for other in within if name in tables_of(other, self.addons)]
        if table is None or not owners:
            raise AddonError(f"there is no table {name!r} in {self.addon.name} or in what it depends on")
        if any(name in other.manifest.get("sealed", {}) for other in within):
            raise AddonError(f"the table {name} is a sealed history; nothing is loaded into it")
        return table

    def _closed(self, table: str) -> frozenset[str]:
        """The table's encrypted columns."""
        places = (place for addon in self.addons.values() for place in addon.manifest.get("encrypted", []))
        return frozenset(place.partition(".")[2] for place in places if place.partition(".")[0] == table)

    def _standing(self, table: Table, rows: list[Row]) -> dict[str, Key]:
        """The keys of the rows that are known from before and still there, by external id."""
        keys = {tuple(self.known[row.name].row_key): row.name for row in rows if row.name in self.known}
        own = tuple_(*table.primary_key)
        found: dict[str, Key] = {}
        for chunk in chunks(keys):
            query = select(*table.primary_key).where(own.in_(chunk))
            found |= {keys[tuple(key)]: tuple(key) for key in self.session.execute(query)}
        return found

    def _insert(self, table: Table, rows: list[Row], values: list[dict[str, Any]]) -> list[Key]:
        """Insert the rows; their keys, in the same order."""
        self._check_unique(table, rows, values, set())
        own = list(table.primary_key)
        if not key_is_counted(table):
            self.session.execute(insert(table), values)
            return [tuple(row[key.name] for key in own) for row in values]
        statement = insert(table).returning(*own, sort_by_parameter_order=True)
        return [tuple(key) for key in self.session.execute(statement, values)]

    def _update(self, table: Table, rows: list[Row], keys: list[Key], values: list[dict[str, Any]]) -> None:
        own = [key.name for key in table.primary_key]
        if not rows or not values[0].keys() - set(own):
            return
        self._check_unique(table, rows, values, set(keys))
        where = [key == bindparam(f"key_{key.name}") for key in table.primary_key]
        named = {f"key_{name}": position for position, name in enumerate(own)}
        columns = {name: bindparam(f"to_{name}", type_=table.c[name].type) for name in values[0]}
        self.session.connection().execute(
            update(table).where(*where).values(columns),
            [
                {f"to_{name}": value for name, value in row.items()} | {name: key[at] for name, at in named.items()}
                for row, key in zip(values, keys, strict=True)
            ],
        )

    def _check_unique(self, table: Table, rows: list[Row], values: list[dict[str, Any]], own: set[Key]) -> None:
        """Refuse a row that repeats what must be unique, of another row of the file or of the table."""
        for names in _unique(table):
            if not values or not names <= values[0].keys():
                continue
            columns = sorted(names)
            lines: dict[Key, int] = {}
            for row, given in zip(rows, values, strict=True):
                key = tuple(given[name] for name in columns)
                if None not in key and lines.setdefault(key, row.line) != row.line:
                    raise LineRefused(row.line, ", ".join(columns), f"the same stands in line {lines[key]}")
            those = [table.c[name] for name in columns]
            for chunk in chunks(lines):
                query = select(*table.primary_key, *those).where(tuple_(*those).in_(chunk))
                for found in self.session.execute(query):
                    key, there = tuple(found[: -len(columns)]), tuple(found[-len(columns) :])
                    if key not in own:
                        reason = f"{table.name} has a row with this already, which no file of this addon has brought"
                        raise LineRefused(lines.get(there, 1), ", ".join(columns), reason)

    def _remember(self, records: list[tuple[str, Key, bool]], table_name: str, digest: str | None) -> None:
        rows = [
            {
                "addon": self.addon.name,
                "name": name,
                "table_name": table_name,
                "row_key": list(key),
                "noupdate": noupdate,
                "digest": digest,
            }
            for name, key, noupdate in records
        ]
        upsert(self.session, LoadedRecord, rows, ["addon", "name"])


class _Places:
    """What the references of a file's rows mean: table and key, by external id with the addon's name before it."""

    def __init__(self, session: Session, addon: str, rows: list[Row]) -> None:
        self.addon = addon
        self.coming = {f"{addon}.{row.name}" for row in rows}
        self.found: dict[str, tuple[str, Key]] = {}
        wanted = {self._full(name) for row in rows for name in row.references.values()}
        pair = tuple_(LoadedRecord.addon, LoadedRecord.name)
        for chunk in chunks((name.rpartition(".")[0], name.rpartition(".")[2]) for name in sorted(wanted)):
            for record in session.scalars(select(LoadedRecord).where(pair.in_(chunk))):
                self.found[f"{record.addon}.{record.name}"] = (record.table_name, tuple(record.row_key))

    def _full(self, name: str) -> str:
        return name if "." in name else f"{self.addon}.{name}"

    def is_ready(self, row: Row) -> bool:
        """Whether everything of this file that the row refers to has its key."""
        names = {self._full(name) for name in row.references.values()}
        return not (names & self.coming) - self.found.keys()

    def filled(self, row: Row, table: Table) -> dict[str, Any]:
        """The row's values with its references. Raises LineRefused for one that means nothing."""
        values = dict(row.values)
        for column, name in row.references.items():
            wanted, found = target_of(table, column), self.found.get(self._full(name))
            if found is None:
                reason = f"there is no record {self._full(name)}; the files of an addon are loaded in the listed order"
                raise LineRefused(row.line, f"{column}:id", reason)
            if found[0] != wanted or len(found[1]) != 1:
                raise LineRefused(
                    row.line, f"{column}:id", f"{self._full(name)} is a record of {found[0]}, not {wanted}"
                )
            values[column] = found[1][0]
        return {name: values.get(name) for name in sorted({*row.values, *row.references})}


def _unique(table: Table) -> list[set[str]]:
    """The sets of columns that are unique in the whole table."""
    found = [set(each.columns.keys()) for each in table.constraints if isinstance(each, UniqueConstraint)]
    whole = (each for each in table.indexes if isinstance(each, Index) and each.unique)
    partial = ("sqlite_where", "postgresql_where")
    found += [
        set(each.columns.keys()) for each in whole if not any(each.kwargs.get(name) is not None for name in partial)
    ]
    if not key_is_counted(table):
        found.append(set(table.primary_key.columns.keys()))
    return found
