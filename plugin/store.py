"""The database: one engine, units of work that read or write, and the few things that differ between
SQLite and PostgreSQL.

On SQLite a unit that writes begins with BEGIN IMMEDIATE: a deferred transaction that reads and then writes
fails with 'database is locked' as soon as another one writes, an immediate one waits its turn.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    cast,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import Numeric, TypeDecorator, TypeEngine

from plugin.errors import StoreError

WRITES = "certbridge_writes"

# SQLite takes at most 32,766 parameters a statement; we stay far below on both.
CHUNK = 500

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up an INTEGER PRIMARY KEY only
Json = JSON().with_variant(postgresql.JSONB(), "postgresql")

Item = TypeVar("Item")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware and in UTC in Python, whatever the database keeps. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way in; SQLite has no time zones, so it keeps UTC without saying so."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone must not reach the store")
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A decimal number with a fixed number of places. SQLite, which has none, keeps it as a whole number of the last."""

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale
        self.unit = Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """NUMERIC on PostgreSQL, BIGINT on SQLite."""
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else self.impl_instance)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | int | None:
        """On the way in, rounded half even to the places that are kept."""
        if value is None:
            return None
        exact = Decimal(value).quantize(self.unit)
        return int(exact / self.unit) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """On the way out."""
        if value is None:
            return None
        return Decimal(value) * self.unit if dialect.name == "sqlite" else Decimal(value)


class Base(DeclarativeBase):
    """The base of every table of every addon."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012 - SQLAlchemy reads it so


class Store:
    """The database of one installation."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # The URL itself must not be repeated: it may hold a password.
            raise StoreError(
                "[store] url is no URL of a database; write sqlite:///… or postgresql://…, and in a password %40 for @, "
                "%3A for :, %2F for /."
            ) from None
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if not self.is_sqlite and parsed.get_backend_name() != "postgresql":
            raise StoreError(
                f"[store] url: {parsed.get_backend_name()} is not served; use sqlite:///… or postgresql://…"
            )
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
        self.engine: Engine = create_engine(parsed, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(**{WRITES: True})

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One unit of work that may write: all of it is committed at the end, or none of it."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One unit of work that only reads."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def check(self) -> None:
        """Raise StoreError, without the password, when the database cannot be reached."""
        try:
            with self.engine.connect():
                pass
        except DatabaseError as error:
            reason = str(error.orig)
        else:
            return
        # Out here it has no context: what failed within holds the connection's parameters, and with them the password.
        raise StoreError(
            f"The database {shown_url(self.engine.url)} cannot be reached: {reason}. Check [store] url and that it runs."
        )

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def holds_password(url: URL) -> bool:
    """Whether a password stands in the URL, before the host or among the parameters."""
    return url.password is not None or any("pass" in name.lower() for name in url.query)


def shown_url(url: URL) -> str:
    """The URL as people may see it: without passwords, and of the parameters only where the server is."""
    query = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(query=query).render_as_string(hide_password=True)


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=30000", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """`items` in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def hold(session: Session, lock: str, *, shared: bool = False) -> None:
    """Hold the lock of this name until the transaction ends, alone or `shared` with others that share it.

    For units that must see what the other has written: whoever waits here sees, afterwards, what the holder committed.
    On SQLite there is nothing to do, for units that write come one after another.
    """
    if session.get_bind().dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        session.execute(select(take(func.hashtext(lock))))


def among(session: Session, columns: Sequence[Any], values: Collection[tuple[Any, ...]]) -> ColumnElement[bool]:
    """The condition that `columns` together hold one of `values`, none of which is NULL.

    However many they are, they are one parameter, so that the database has one short statement to read.
    """
    dialect = session.get_bind().dialect
    parts: list[Any]
    if dialect.name == "sqlite":
        processors = [_processor(column.type, dialect) for column in columns]
        rows = [[as_stored(part) for as_stored, part in zip(processors, row, strict=True)] for row in values]
        listed = func.json_each(literal(json.dumps(rows))).table_valued("value")
        parts = [func.json_extract(listed.c.value, f"$[{place}]") for place in range(len(columns))]
    else:
        text = json.dumps(list(values), default=str)
        listed = func.json_array_elements(cast(literal(text), JSON)).table_valued("value").render_derived()
        parts = [
            cast(listed.c.value.op("->>")(literal_column(str(place))), column.type)
            for place, column in enumerate(columns)
        ]
    return (columns[0] if len(columns) == 1 else tuple_(*columns)).in_(select(*parts))


def insert_rows(session: Session, model: type[Base], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert many rows, each with the values of `columns` in their order, in the quickest way that the database has.

    That is COPY on PostgreSQL. Columns that are left out get what the table itself says.
    """
    session.flush()
    table = model.__table__
    assert isinstance(table, Table)
    connection = session.connection()
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    if connection.dialect.name == "sqlite":
        moment = _Once(_sqlite_moment).__getitem__
        written = [_on_sqlite(table.c[name].type, connection.dialect, moment) for name in columns]
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({places})"  # noqa: S608 - names of ours
        for part in chunks(rows):
            connection.exec_driver_sql(statement, list(_by_columns(part, written)))
        return
    moment = _Once(_copy_moment).__getitem__
    written = [_by_copy(table.c[name].type, connection.dialect, moment) for name in columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN") as copy:
        for part in chunks(rows):
            copy.write("\n".join(map("\t".join, _by_columns(part, written))) + "\n")


def _by_columns(rows: Sequence[Sequence[Any]], written: Sequence[Callable[[Any], Any]]) -> Iterator[tuple[Any, ...]]:
    """The rows as they are written, column by column, which is quicker than row by row."""
    columns = zip(*rows, strict=True)
    return zip(*map(map, written, columns), strict=True)


class _Once(dict[Any, Any]):
    """Makes of each value what is written, once for all rows that have it."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, value: Any) -> Any:
        self[value] = made = self.make(value)
        return made


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """What makes of a value what the driver takes for a column of this type."""
    return type_.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _on_sqlite(type_: TypeEngine[Any], dialect: Dialect, moment: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same for a row that is inserted with many others; `moment` is for moments."""
    if isinstance(type_.dialect_impl(dialect), JSON):
        return _json_text
    return moment if isinstance(type_, UtcDateTime) else _processor(type_, dialect)


def _by_copy(type_: TypeEngine[Any], dialect: Dialect, moment: Callable[[Any], str]) -> Callable[[Any], str]:
    """What makes of a value its text as PostgreSQL's COPY reads it (its manual, COPY, 'Text Format')."""
    if isinstance(type_.dialect_impl(dialect), JSON):
        return _copy_json
    if isinstance(type_, UtcDateTime):
        return moment
    if isinstance(type_, LargeBinary):
        return _copy_text
    processor = _processor(type_, dialect)
    if processor is _as_it_is or isinstance(type_, Boolean):
        return _Once(_copy_text).__getitem__
    return lambda value: _copy_text(processor(value))


def _sqlite_moment(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it: in UTC, without saying so."""
    return None if value is None else _in_utc(value).isoformat(" ", "microseconds")[:-6]


def _copy_moment(value: datetime | None) -> str:
    return "\\N" if value is None else _in_utc(value).isoformat()


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone must not reach the store")
    return value.astimezone(UTC)


def _copy_json(value: Any) -> str:
    """JSON is written without line ends and tabs, and in ASCII."""
    return _json_text(value).replace("\\", "\\\\")


def _copy_text(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, (bytes, memoryview)):
        return f"\\\\x{bytes(value).hex()}"
    text = str(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


_as_json = json.JSONEncoder(separators=(",", ":")).encode


def _json_text(value: Any) -> str:
    return "null" if value is None else _as_json(value)


def _as_it_is(value: Any) -> Any:
    return value


def insert_new(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`; one that a unique index already has is passed over."""
    _insert(session, model.__table__, rows, None, ())


def upsert(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Insert `rows`, or set their columns where the unique columns `key` are there already. All rows have the same keys.

    Of rows with the same `key` the last one counts.
    """
    if rows:
        changed = [name for name in rows[0] if name not in key]
        newest = {tuple(row[name] for name in key): row for row in rows}  # PostgreSQL sets a row once a statement
        _insert(session, model.__table__, list(newest.values()), key, changed)


def inserting(session: Session, table: Any) -> Any:
    """An INSERT of this database's own kind, which may say what happens where a row is there already."""
    return (sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert)(table)


def _insert(
    session: Session,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str] | None,
    changed: Sequence[str],
) -> None:
    assert isinstance(table, Table)
    if not rows:
        return
    session.flush()
    statement = inserting(session, table)
    if key is not None and changed:
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={name: statement.excluded[name] for name in changed}
        )
    else:
        statement = statement.on_conflict_do_nothing()
    session.connection().execute(statement, [dict(row) for row in rows])
