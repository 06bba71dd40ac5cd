"""Answers to satisfaction surveys as they are counted, wherever they come from."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from metrics.figures.scope import Scope


@dataclass
class Scores:
    """What was answered: by dimension and scaled score, how often; and how many sheets of answers there are.

    `sheets` are by dimension; `anonymous` are the dimensions with an anonymous sheet.
    """

    counts: dict[tuple[str, Decimal], int] = field(default_factory=dict)
    sheets: dict[str, int] = field(default_factory=dict)
    anonymous: set[str] = field(default_factory=set)
    respondents: int = 0
    has_anonymous: bool = False
    undated: int = 0
    dated_by_course: int = 0
    unscaled: int = 0
    unplaced: int = 0
    courses: set[tuple[str, str]] = field(default_factory=set)  # source and key of each course that answers are about

    def add(self, dimension: str, score: Decimal, count: int) -> None:
        """So many answers more."""
        self.counts[dimension, score] = self.counts.get((dimension, score), 0) + count


def dimension_of(label: str) -> str:
    """The dimension that a question's label names: in small letters, without a number at the end."""
    return re.sub(r"[\s_-]+", "_", re.sub(r"[\s_.-]*[0-9]*\s*$", "", label.strip().lower()))


def scaled(score: Decimal, lowest: Decimal, highest: Decimal) -> Decimal:
    """A score as a share of its scale."""
    return (score - lowest) / (highest - lowest)


def narrows_people(scope: Scope) -> bool:
    """Whether the question is about some people only, so that an anonymous answer cannot be of it."""
    question = scope.question
    return any(each is not None for each in (question.department, question.position, question.grade, question.listed))
