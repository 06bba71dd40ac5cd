"""The registry of figures: every module of this folder that has a `FIGURE`."""

import importlib
import pkgutil
from functools import cache
from typing import Protocol

from sqlalchemy.orm import Session

import metrics.figures as folder
from metrics.figures.figure import Figure, Member
from metrics.figures.question import Question
from metrics.figures.words import Words
from plugin.errors import NotFoundError


class Definition(Protocol):
    """What a `FIGURE` is: it says what it means and how to break it down, measures itself and names those behind it."""

    @property
    def name(self) -> str:
        """The name by which the figure is asked for."""

    @property
    def title(self) -> Words:
        """What it is called."""

    @property
    def definition(self) -> Words:
        """What it means."""

    @property
    def nothing(self) -> Words:
        """Why it has no value where there is nothing to measure."""

    @property
    def unit(self) -> str:
        """How its value is shown: one of metrics.figures.units.UNITS."""

    @property
    def about_people(self) -> bool:
        """Whether it is about the question's people; else about money or programmes of the whole organisation."""

    @property
    def has_people(self) -> bool:
        """Whether somebody, or something, can be listed behind it."""

    @property
    def falls_short(self) -> bool:
        """Whether who is in its denominator and not in its numerator is missing there."""

    @property
    def each(self) -> Words:
        """What stands beside the names of those behind it: a course, a certification, a programme."""

    @property
    def lists(self) -> str:
        """What those behind it are known by: employee_number or programme."""

    @property
    def breakdowns(self) -> tuple[str, ...]:
        """By what it can be broken down."""

    @property
    def words(self) -> dict[str, Words]:
        """What the codes of its counts mean."""

    def measure(self, session: Session, question: Question, by: str | None = None) -> list[tuple[str, Figure]]:
        """The figure by label; without a break-down a single one."""

    def people(self, session: Session, question: Question, side: str) -> list[Member]:
        """Those behind one side of it: numerator, denominator or gap."""


@cache
def figures() -> dict[str, Definition]:
    """Every figure by its name."""
    modules = (
        importlib.import_module(f"{folder.__name__}.{found.name}") for found in pkgutil.iter_modules(folder.__path__)
    )
    found = [module.FIGURE for module in modules if hasattr(module, "FIGURE")]
    return {definition.name: definition for definition in sorted(found, key=lambda one: str(one.name))}


def definition(name: str) -> Definition:
    """The figure of this name. Raises NotFoundError."""
    if name not in figures():
        raise NotFoundError(f"There is no figure {name!r}; there are: {', '.join(figures())}.")
    return figures()[name]


def measure(session: Session, name: str, question: Question) -> Figure:
    """The figure, as the question asks for it."""
    ((_, answer),) = definition(name).measure(session, question)
    return answer


def measure_by(session: Session, name: str, question: Question, by: str) -> list[tuple[str, Figure]]:
    """The figure broken down, by label: the code of a department, position or grade, a course's object, a month."""
    return definition(name).measure(session, question, by)


def people(session: Session, name: str, question: Question, side: str) -> list[Member]:
    """Those behind the figure's 'numerator', its 'denominator' or the 'gap' between them. Whoever calls minds the role."""
    return definition(name).people(session, question, side)
