"""Money in the organisation's currency: every amount by the rate of its own day."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from metrics.figures.question import Question
from metrics.figures.scope import WITHOUT, Scope
from metrics.figures.words import Words
from metrics.inputs.models import BudgetLine, Cost, CurrencyRate, Programme, known_at
from plugin.models import Department

NO_RATE = Words(
    "There is no rate for the currency of an amount on its day; import currency_rates.",
    "有金额缺少其当日的汇率；请导入汇率表（currency_rates）。",
)
CENT = Decimal("0.0001")


@dataclass
class Rates:
    """What foreign currencies are worth; `lacking` counts the amounts of which that is not known."""

    own: str
    by_currency: dict[str, list[tuple[date, Decimal]]] = field(default_factory=dict)
    lacking: int = 0

    def converted(self, amount: Decimal, currency: str, day: date) -> Decimal | None:
        """The amount in the organisation's currency by the newest rate of that day; None where there is none."""
        if currency == self.own:
            return amount
        rates = self.by_currency.get(currency, [])
        place = bisect_right(rates, day, key=lambda rate: rate[0])
        if not place:
            self.lacking += 1
            return None
        return (amount * rates[place - 1][1]).quantize(CENT)

    def total(self, rows: Iterable[tuple[Decimal, str, date]]) -> Decimal:
        """The sum of the amounts that can be converted."""
        found = (self.converted(amount, currency, day) for amount, currency, day in rows)
        return sum((one for one in found if one is not None), Decimal(0))


def rates(session: Session, question: Question) -> Rates:
    """The rates as they were known then."""
    found = Rates(question.currency)
    query = select(CurrencyRate.currency, CurrencyRate.from_on, CurrencyRate.rate)
    query = query.where(known_at(CurrencyRate, question.as_of)).order_by(CurrencyRate.from_on)
    for currency, day, rate in session.execute(query):
        found.by_currency.setdefault(currency, []).append((day, rate))
    return found


def first_day_of(quarter: str) -> date:
    """The first day of a quarter such as 2026Q3."""
    return date(int(quarter[:4]), int(quarter[-1]) * 3 - 2, 1)


def costs(scope: Scope) -> Any:
    """The costs that the question asks for: kind, amount, currency, day, programme, department.

    A cost that names no programme or department is one of its budget line's.
    """
    as_of = scope.question.as_of
    programme = func.coalesce(Cost.programme, BudgetLine.programme).label("programme")
    department = func.coalesce(Cost.department, BudgetLine.department).label("department")
    query = (
        select(Cost.kind, Cost.amount, Cost.currency, Cost.spent_on, programme, department)
        .outerjoin(BudgetLine, and_(BudgetLine.line == Cost.line, known_at(BudgetLine, as_of)))
        .where(known_at(Cost, as_of))
    )
    return query.where(*_asked(scope, programme, department))


def budget(scope: Scope) -> Any:
    """The budget lines that the question asks for: kind, amount, currency, quarter, programme, department."""
    line = BudgetLine
    query = select(line.kind, line.amount, line.currency, line.quarter, line.programme, line.department)
    query = query.where(known_at(line, scope.question.as_of))
    return query.where(*_asked(scope, line.programme, line.department))


def _asked(scope: Scope, programme: Any, department: Any) -> Iterable[Any]:
    question = scope.question
    if question.programme is not None:
        yield programme == question.programme
    if question.category is not None:
        of_it = select(Programme.programme).where(
            func.coalesce(Programme.category, WITHOUT) == question.category, known_at(Programme, question.as_of)
        )
        yield programme.in_(of_it)
    if question.department == WITHOUT:
        yield department.is_(None)
    elif question.department is not None:
        below = scope.below
        codes = [question.department]
        asked = [department.in_(codes)]
        if question.with_children:
            roots = select(Department.id).where(Department.code == question.department)
            ids = select(below.c.id).where(below.c.root_id.in_(roots))
            asked.append(department.in_(select(Department.code).where(Department.id.in_(ids))))
        yield or_(*asked)
