"""Reading rows that somebody may have broken: one that does not fit its columns' types is named, and stops nothing.

SQLite keeps whatever is written into a column; a moment that is none would otherwise end the reading of the whole table.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Table, and_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

Row = dict[str, Any]
Key = tuple[Any, ...]

BROKEN = (ValueError, TypeError, OperationalError)  # no moment, no JSON; of another type; no UTF-8


def read_rows(session: Session, table: Table, condition: ColumnElement[bool]) -> tuple[list[Row], list[Key]]:
    """The rows of `table` that meet `condition`, and the keys of those among them that cannot be read."""
    try:
        rows = [dict(row) for row in session.execute(select(table).where(condition)).mappings()]
    except BROKEN:
        rows = []
    else:
        if all(_fits(table, row) for row in rows):
            return rows, []
    return _one_by_one(session, table, condition)


def _one_by_one(session: Session, table: Table, condition: ColumnElement[bool]) -> tuple[list[Row], list[Key]]:
    rows: list[Row] = []
    broken: list[Key] = []
    columns = list(table.primary_key.columns)
    for key in session.execute(select(*columns).where(condition)).all():
        this = and_(*(column == value for column, value in zip(columns, key, strict=True)))
        try:
            row = dict(session.execute(select(table).where(this)).mappings().one())
        except BROKEN:
            broken.append(tuple(key))
        else:
            (rows.append(row) if _fits(table, row) else broken.append(tuple(key)))
    return rows, broken


def _fits(table: Table, row: Row) -> bool:
    """Whether whole numbers are such: SQLite would keep a text there."""
    return all(
        row[column.name] is None or isinstance(row[column.name], int)
        for column in table.columns
        if isinstance(column.type, Integer)
    )
