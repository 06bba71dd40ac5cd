"""Where people stand with the certifications that they must hold, at the end of each slice: what those figures count.

What stands now is taken from the holdings. As of a moment that is past it is derived anew from what was known then, in
batches, by the code that decides; the holdings say nothing of the past.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, String, func, literal, select, union_all
from sqlalchemy.orm import Session

from metrics.certification.cases import load_sorted
from metrics.certification.chain import Rulebook
from metrics.certification.engine import decide
from metrics.certification.models import Holding
from metrics.certification.rules import load_books
from metrics.figures.periods import Period
from metrics.figures.scope import Scope, flag
from plugin.store import chunks

SOON = timedelta(days=30)
BATCH = 1000
COLUMNS = (
    ("slice", String), ("person_id", BigInteger), ("certification", String), ("status", String), ("required", Integer),
    ("soon", Integer), ("ends", Integer),
)  # fmt: skip
ENDING = ("certified", "renewal_due", "grace")
BEGINNING = ("in_progress", "not_started")


def standings(scope: Scope) -> Any:
    """A row for each slice, person and certification: COLUMNS.

    `soon`: the award ends, its grace ends, or the duty is due within 30 days. `ends`: a held award ends in the slice.
    """
    arms: list[Any] = [_now(scope, one) for one in scope.periods if _is_now(scope, one)]
    past = [row for one in scope.periods if not _is_now(scope, one) for row in _then(scope, one)]
    if past:
        rows = scope.rows(COLUMNS, past)
        arms.append(select(*(rows.c[name] for name, _ in COLUMNS)))
    if not arms:
        return scope.rows(COLUMNS, [])
    return union_all(*arms).subquery() if len(arms) > 1 else arms[0].subquery()


def _moment(scope: Scope, period: Period) -> datetime:
    """The moment at which people's standings are looked at: the period's last, or the as-of time."""
    return min(period.end - timedelta(microseconds=1), scope.question.as_of)


def _is_now(scope: Scope, period: Period) -> bool:
    """Whether the moment is one of which the holdings tell: nothing has been derived or has changed after it."""
    moment = _moment(scope, period)
    if moment < scope.question.as_of:
        return False
    later = scope.session.scalar(select(func.max(Holding.derived_at)))
    return later is None or later <= moment


def _now(scope: Scope, period: Period) -> Any:
    moment = _moment(scope, period)
    soon = moment + SOON
    ends = (Holding.valid_until.is_not(None)) & (Holding.valid_until > moment) & (Holding.valid_until <= soon)
    due = (Holding.next_change_at.is_not(None)) & (Holding.next_change_at <= soon)
    held = Holding.status.in_(ENDING)
    near = (held & ends) | (Holding.status == "grace") | (Holding.status.in_(BEGINNING) & due)
    in_slice = held & (Holding.valid_until >= period.start) & (Holding.valid_until < period.end)
    query = select(
        literal(period.name).label("slice"),
        Holding.person_id,
        Holding.certification,
        Holding.status,
        flag(Holding.required.is_(True)).label("required"),
        flag(near).label("soon"),
        flag(in_slice).label("ends"),
    )
    if scope.question.certification is not None:
        query = query.where(Holding.certification == scope.question.certification)
    return query


def _then(scope: Scope, period: Period) -> Iterator[tuple[Any, ...]]:
    """The same, derived anew as of the moment, for the people of the slice."""
    moment, zone = _moment(scope, period), scope.question.zone
    people = scope.people
    books = load_books(scope.session, zone)
    if not books:
        return
    ids = scope.session.scalars(select(people.c.person_id).where(people.c.slice == period.name)).all()
    for part in chunks(ids, BATCH):
        yield from _derived(scope.session, part, books, moment, scope.question.certification, period)


def _derived(
    session: Session, ids: list[int], books: dict[str, Rulebook], moment: datetime, wanted: str | None, period: Period
) -> Iterator[tuple[Any, ...]]:
    soon = moment + SOON
    for case in load_sorted(session, ids, books, moment, period.zone).values():
        for code, book in books.items():
            decide(case, code, book, moment, known=False)
        for code, where in case.standings.items():
            if wanted not in (None, code):
                continue
            status = where.status.value
            until = where.award.valid_until if where.award is not None else None
            ends = until is not None and moment < until <= soon
            due = where.next_change_at is not None and where.next_change_at <= soon
            near = (status in ENDING and ends) or status == "grace" or (status in BEGINNING and due)
            in_slice = status in ENDING and until is not None and period.start <= until < period.end
            required = any(duty.holds for duty in case.duties.get(code, []))
            yield period.name, case.person_id, code, status, int(required), int(near), int(in_slice)
