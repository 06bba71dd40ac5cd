"""A figure that is worked out for one question at a time: means of changes, sums of money, counts of programmes.

Its break-downs ask the same for each part in turn, so that a part says just what the figure asked for directly says.
That is for figures of few rows; a share of people is a `Ratio`, which measures all parts at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.figures.figure import Figure, Member, Number, Population
from metrics.figures.inputs import NEVER, last_readings, provisional
from metrics.figures.narrowing import narrowed
from metrics.figures.question import Question
from metrics.figures.ratio import COMMON, NOT_BEGUN, SIDES
from metrics.figures.scope import EXEMPT, IN, LEFT, Scope
from metrics.figures.words import COURSE, Words
from plugin.errors import RefusedError


@dataclass(frozen=True)
class Answer:
    """What was worked out. Without a `value` there is a `reason`; the counts are those of `Figure`."""

    numerator: Number = 0
    denominator: Number = 0
    value: Decimal | None = None
    reason: Words | None = None
    exclusions: Mapping[str, int] = field(default_factory=dict)
    not_visible: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, Number] = field(default_factory=dict)
    parts: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """The definition of a figure. `answer` works it out; `members` names those behind a side, where it counts people.

    `about_people`: its population is that of the question; otherwise the figure is about money or programmes.
    `lists` says what `members` are: employees, or programmes by their codes. `counts` are the words of all codes.
    """

    name: str
    title: Words
    definition: Words
    nothing: Words
    streams: tuple[str, ...]
    answer: Callable[[Scope], Answer]
    members: Callable[[Scope, str], list[Member]] | None
    breakdowns: tuple[str, ...]
    unit: str
    counts: Mapping[str, Words] = field(default_factory=dict)
    about_people: bool = True
    lists: str = "employee_number"
    each: Words = COURSE
    falls_short: bool = False

    @property
    def has_people(self) -> bool:
        """Whether somebody, or something, can be listed behind it."""
        return self.members is not None

    @property
    def words(self) -> dict[str, Words]:
        """What the codes of its counts mean."""
        return {**COMMON, **self.counts}

    def measure(self, session: Session, question: Question, by: str | None = None) -> list[tuple[str, Figure]]:
        """The figure by label; with no break-down, one figure under the period's name. Parts without anything are left out."""
        if by is None:
            return [(question.period.name, self._one(session, question))]
        if by not in self.breakdowns:
            raise RefusedError(
                f"{self.name} does not break down by {by!r}; choose one of {', '.join(self.breakdowns)}."
            )
        parts = [(label, self._one(session, asked)) for label, asked in narrowed(session, question, by)]
        return [(label, one) for label, one in parts if by in ("month", "quarter") or _says_something(one)]

    def people(self, session: Session, question: Question, side: str) -> list[Member]:
        """Those behind the figure's numerator, its denominator, or the gap between them."""
        if side not in SIDES:
            raise RefusedError(f"{side!r} is no side of a figure; choose one of {', '.join(SIDES)}.")
        if self.members is None:
            raise RefusedError(f"{self.name} is no count of people, so there is nobody to list behind it.")
        scope = Scope(session, question)
        return sorted(self.members(scope, side), key=lambda one: (one.employee_number, one.course or ""))

    def _one(self, session: Session, question: Question) -> Figure:
        scope = Scope(session, question)
        day = question.population_date
        begun = bool(scope.periods)
        answer = self.answer(scope) if begun else Answer(reason=NOT_BEGUN)
        standings = _standings(scope) if begun and self.about_people else {}
        readings = last_readings(session, self.streams, question.as_of) if self.streams else []
        open_ = provisional(readings, question.period, question.as_of)
        if not self.streams:  # it is made of inputs, which nobody reads from anywhere
            open_ = tuple(item for item in open_ if item.why is not NEVER)
        return Figure(
            name=self.name,
            value=answer.value,
            numerator=answer.numerator,
            denominator=answer.denominator,
            reason=answer.reason or (None if answer.value is not None else self.nothing),
            population=Population(standings.get(IN, 0), day, question.rule(day, exempt_out=False)),
            period=question.period,
            as_of=question.as_of,
            exclusions=_there({**{code: standings.get(code, 0) for code in (LEFT, EXEMPT)}, **answer.exclusions}),
            not_visible=_there(answer.not_visible),
            beside=answer.beside,
            provisional=open_,
            parts=answer.parts,
        )


def _says_something(figure: Figure) -> bool:
    return figure.value is not None or bool(figure.denominator or figure.numerator or figure.not_visible)


def _there(counts: Mapping[str, int]) -> dict[str, int]:
    return {code: count for code, count in counts.items() if count}


def _standings(scope: Scope) -> dict[str, int]:
    """How many are in and how many have left."""
    candidates = scope.candidates
    query = select(candidates.c.standing, func.count()).group_by(candidates.c.standing)
    return dict(scope.session.execute(query).all())
