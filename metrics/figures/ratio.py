"""A figure that is a share of people, or of people in courses: how every such figure is measured from its facts.

A figure's `facts` are a query with a row for each slice and person (and course, when the question is broken down by
course or the figure counts enrolments) and these columns: slice, person_id, course, numerator, denominator, and one
for each code of `exclusions`, `not_visible` and `beside`. All but the first three are numbers that are summed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from metrics.figures.figure import Figure, Member, Number, Population
from metrics.figures.inputs import last_readings, provisional
from metrics.figures.narrowing import narrowed
from metrics.figures.periods import Period
from metrics.figures.question import Question
from metrics.figures.scope import EXEMPT, IN, LEFT, NARROWED, OF_COURSES, USUAL, WITHOUT, Scope
from metrics.figures.words import COURSE, Words
from plugin.errors import RefusedError
from plugin.models import Person

NOT_BEGUN = Words("The period has not begun at the as-of time.", "截至所问时刻，该期间尚未开始。")
SIDES = ("numerator", "denominator", "gap")

Sums = dict[tuple[str, str], dict[str, Number]]  # by slice and label
Standings = dict[tuple[str, str], dict[str, int]]


@dataclass(frozen=True)
class Ratio:
    """The definition of a figure. `nothing` is why it has no value when its denominator is zero.

    `unit` is how the value is shown (metrics.figures.units). The sums of the facts' numerators are divided by `per`.
    `looks_ahead`: periods that have not begun are measured as well.
    """

    name: str
    title: Words
    definition: Words
    nothing: Words
    streams: tuple[str, ...]
    facts: Callable[[Scope], Select[Any]]
    unbound: Callable[[Scope], Select[Any]] | None = None
    exclusions: Mapping[str, Words] = field(default_factory=dict)
    not_visible: Mapping[str, Words] = field(default_factory=dict)
    beside: Mapping[str, Words] = field(default_factory=dict)
    of_population: bool = False  # the denominator is the whole population, whether there are facts about them or not
    exempt_out: bool = False
    counts_enrolments: bool = False  # a person counts once for each course
    breakdowns: tuple[str, ...] = USUAL
    unit: str = "share"
    per: Decimal = Decimal(1)
    looks_ahead: bool = False
    lists: str = "employee_number"
    about_people: bool = True
    has_people: bool = True
    each: Words = COURSE  # what a person counts once for, beside their name
    falls_short: bool = True  # who is in the denominator and not in the numerator is missing

    @property
    def words(self) -> dict[str, Words]:
        """What the codes of the figure's exclusions, of what is not visible and of what stands beside it mean."""
        return {**COMMON, **self.exclusions, **self.not_visible, **self.beside}

    def measure(self, session: Session, question: Question, by: str | None = None) -> list[tuple[str, Figure]]:
        """The figure by label; with no break-down, one figure under the period's name."""
        if by is not None and by not in self.breakdowns:
            raise RefusedError(
                f"{self.name} does not break down by {by!r}; choose one of {', '.join(self.breakdowns)}."
            )
        if by in NARROWED:
            parts = ((label, self.measure(session, asked)) for label, asked in narrowed(session, question, by))
            return [(label, part[0][1]) for label, part in parts]
        scope = Scope(session, question, by, exempt_out=self.exempt_out, looks_ahead=self.looks_ahead)
        periods = {period.name: period for period in scope.periods}
        if not periods:
            return [] if by else [(question.period.name, self._not_begun(question))]
        standings = self._standings(scope)
        sums = self._sums(scope)
        unbound: dict[str, int] = {}
        if self.unbound is not None and by in (
            None,
            "month",
        ):  # an account that belongs to nobody belongs to no department either
            unbound = {row[0]: row[1] for row in session.execute(self.unbound(scope))}
        readings = last_readings(session, self.streams, question.as_of)
        answers = []
        for slice_, label in _keys(sums if by in OF_COURSES else {**standings, **sums}, periods, by):
            standing = standings.get((slice_, slice_ if by in OF_COURSES else label), {})
            summed = sums.get((slice_, label), {})
            period = periods[slice_]
            answers.append(
                (
                    label,
                    Figure(
                        **self._value(standing, summed),
                        name=self.name,
                        population=self._population(question, period, standing.get(IN, 0)),
                        period=period,
                        as_of=question.as_of,
                        exclusions=_counted({**summed, **standing}, (LEFT, EXEMPT, *self.exclusions)),
                        not_visible=_counted(
                            {**summed, "unbound": unbound.get(slice_, 0)}, (*self.not_visible, "unbound")
                        ),
                        beside={code: summed.get(code, 0) for code in self.beside},
                        provisional=provisional(readings, period, question.as_of),
                    ),
                )
            )
        return answers

    def people(self, session: Session, question: Question, side: str) -> list[Member]:
        """Those behind the figure's numerator, its denominator, or the gap between them; by employee number."""
        if side not in SIDES:
            raise RefusedError(f"{side!r} is no side of a figure; choose one of {', '.join(SIDES)}.")
        by = "course" if self.counts_enrolments else None
        scope = Scope(session, question, by, exempt_out=self.exempt_out, looks_ahead=self.looks_ahead)
        if not scope.periods:
            return []
        facts = self.facts(scope).subquery()
        if self.of_population:
            people = scope.people
            query = select(Person.employee_number, Person.name).join(people, people.c.person_id == Person.id)
            in_numerator = select(facts.c.person_id).where(facts.c.numerator > 0)
            if side == "numerator":
                query = query.where(Person.id.in_(in_numerator))
            elif side == "gap":
                query = query.where(Person.id.not_in(in_numerator))
        else:
            query = select(Person.employee_number, Person.name, facts.c.course).join(
                facts, facts.c.person_id == Person.id
            )
            query = query.where(facts.c.denominator > 0)
            if side != "denominator":
                query = query.where(facts.c.numerator > 0 if side == "numerator" else facts.c.numerator == 0)
        rows = (Member(*row) for row in session.execute(query))
        return sorted(rows, key=lambda member: (member.employee_number, member.course or ""))

    def _standings(self, scope: Scope) -> Standings:
        """How many are in, have left, are exempt. A break-down by course has them under the slice's own name."""
        candidates = scope.candidates
        query, label = scope.labelled(select(candidates.c.slice).select_from(candidates), candidates)
        query = query.add_columns(label.label("label"), candidates.c.standing, func.count())
        found: Standings = {}
        for slice_, name, standing, count in scope.session.execute(
            query.group_by(candidates.c.slice, label, candidates.c.standing)
        ):
            found.setdefault((slice_, name), {})[standing] = count
        return found

    def _sums(self, scope: Scope) -> Sums:
        """The sums of the facts."""
        facts, people = self.facts(scope).subquery(), scope.people
        names = ("numerator", "denominator", *self.exclusions, *self.not_visible, *self.beside)
        query = select(facts.c.slice).select_from(facts)
        label: ColumnElement[str] = facts.c.slice
        if scope.by_courses:
            label = facts.c.course
            query = query.where(label.is_not(None))
        elif scope.by not in (None, "month"):
            query = query.join(people, (people.c.slice == facts.c.slice) & (people.c.person_id == facts.c.person_id))
            query, label = scope.labelled(query, people)
        query = query.add_columns(label.label("label"), *(func.sum(facts.c[name]).label(name) for name in names))
        rows = scope.session.execute(query.group_by(facts.c.slice, label)).mappings()
        return {(row["slice"], row["label"]): {name: self._number(name, row[name]) for name in names} for row in rows}

    def _number(self, name: str, number: Any) -> Number:
        """A sum as a whole number, unless it was made of others."""
        if name == "numerator" and self.per != 1:
            return Decimal(number) / self.per
        return number if isinstance(number, Decimal) and number != int(number) else int(number)

    def _value(self, standing: Mapping[str, int], summed: Mapping[str, Number]) -> dict[str, Any]:
        numerator = summed.get("numerator", 0)
        denominator = standing.get(IN, 0) if self.of_population else summed.get("denominator", 0)
        return {
            "numerator": numerator,
            "denominator": denominator,
            "value": Decimal(numerator) / Decimal(denominator) if denominator else None,
            "reason": None if denominator else self.nothing,
        }

    def _population(self, question: Question, period: Period, size: int) -> Population:
        day = period.day_at(question.as_of)
        return Population(size, day, question.rule(day, self.exempt_out))

    def _not_begun(self, question: Question) -> Figure:
        return Figure(
            name=self.name,
            value=None,
            numerator=0,
            denominator=0,
            population=self._population(question, question.period, 0),
            period=question.period,
            as_of=question.as_of,
            reason=NOT_BEGUN,
            provisional=provisional([], question.period, question.as_of),
        )


COMMON: dict[str, Words] = {
    LEFT: Words("left before the population date", "在人数统计日之前离职"),
    EXEMPT: Words("exempt", "豁免"),
    "unbound": Words("records of accounts that belong to no employee", "无法对应到员工的账号的记录"),
}


def _counted(counts: Mapping[str, Number], codes: Iterable[str]) -> dict[str, int]:
    """The counts under these codes that are not zero."""
    return {code: int(counts[code]) for code in codes if counts.get(code)}


def _keys(counted: Iterable[tuple[str, str]], periods: Mapping[str, Period], by: str | None) -> list[tuple[str, str]]:
    """The slices and labels to answer for: every slice of its own, and labels in order, those without one last."""
    if by in (None, "month"):
        return [(name, name) for name in periods]
    return sorted(counted, key=lambda key: (key[1] == WITHOUT, key[1]))
