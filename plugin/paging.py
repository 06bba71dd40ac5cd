"""Long lists in pages of fifty: with the page's number in the URL, or, where rows are added all the time or are very many,
with the row that the page follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from flask import request
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

SIZE = 50
LARGEST_ID = 2**63 - 1

Row = TypeVar("Row")


@dataclass(frozen=True)
class Paging:
    """Where the reader is in a list of `total` rows; `number` counts from 1."""

    number: int
    total: int
    size: int = SIZE

    @classmethod
    def of(cls, total: int) -> "Paging":
        """The page that the request asks for (`?page=2`), or the nearest one that there is."""
        asked = request.args.get("page", 1, type=int)
        last = max(1, -(-total // SIZE))
        return cls(min(max(1, asked), last), total)

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        """How many rows stand on the pages before."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """The number of the first row shown; 0 when there is none."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.offset + self.size, self.total)


@dataclass(frozen=True)
class Stretch(Generic[Row]):
    """A part of a list that is newest first; `older` and `newer` are the ids from which the parts beside it go on."""

    rows: Sequence[Row]
    older: int | None
    newer: int | None


def stretch(
    session: Session, query: Select[Row], at: InstrumentedAttribute[datetime], number: InstrumentedAttribute[int]
) -> "Stretch[Row]":
    """The part of `query` that the request asks for, newest first by moment and id: `?before=17` follows the row 17,
    `?after=17` stands before it.

    No row is counted or skipped, so every part costs the same, however long the list is.
    """
    forward = "before" not in request.args and "after" in request.args
    edge = request.args.get("after" if forward else "before", type=int)
    moment = None
    if edge is not None and 0 <= edge <= LARGEST_ID:
        moment = session.scalar(select(at).where(number == edge))
    if edge is not None and moment is None:
        return Stretch([], None, None)  # the row has been deleted, as everything older has been
    if moment is not None:
        beside = or_(at > moment, number > edge) if forward else or_(at < moment, number < edge)
        query = query.where(and_(at >= moment if forward else at <= moment, beside))
    order = (at.asc(), number.asc()) if forward else (at.desc(), number.desc())
    found: list[Any] = list(session.scalars(query.order_by(*order).limit(SIZE + 1)))
    goes_on, rows = len(found) > SIZE, found[:SIZE]
    if forward:
        rows.reverse()
    if not rows:
        return Stretch(rows, None, None)
    first, last = getattr(rows[0], number.key), getattr(rows[-1], number.key)
    return Stretch(
        rows,
        older=last if forward or goes_on else None,
        newer=first if (goes_on if forward else edge is not None) else None,
    )
