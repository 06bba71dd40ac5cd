"""A certification's rule as data: what earns it, what renews it, how long it holds.

`metrics.certification.rule_text` reads and writes it as TOML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from plugin.moments import Duration


@dataclass(frozen=True)
class Leaf:
    """What one piece of evidence can satisfy; `kind` names it: completed, passed, score, statement, badge,
    competency, certification, hours, assessed.

    Which of the other fields mean something depends on the kind: `object` is the course, activity, badge,
    `FRAMEWORK/COMPETENCY`, certification code or assessment; `object_key` is the key under which the rule names it
    (course, activity, badge …); `courses` and `categories` belong to hours; `verb`, `success`, `authority` to statement.
    """

    kind: str
    object: str = ""
    object_key: str = ""
    source: str | None = None
    newer_than: Duration | None = None
    at_least: Decimal | None = None
    verb: str | None = None
    success: bool | None = None
    authority: str | None = None
    courses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class AllOf:
    """Satisfied at the latest of its children."""

    of: tuple["Criterion", ...]


@dataclass(frozen=True)
class AnyOf:
    """Satisfied at the earliest of its children."""

    of: tuple["Criterion", ...]


@dataclass(frozen=True)
class NOf:
    """Satisfied at the n-th earliest of its children."""

    n: int
    of: tuple["Criterion", ...]


Criterion = Leaf | AllOf | AnyOf | NOf


@dataclass(frozen=True)
class Section:
    """`[earn]` or `[renew]`: one criterion, and how far apart the evidence used may lie."""

    criterion: Criterion
    within: Duration | None = None


@dataclass(frozen=True)
class Validity:
    """`[validity]`. `lasts` is None for 'forever' and for basis fixed; `anchor` is (month, day), for fixed only."""

    basis: Literal["achieved", "previous_expiry", "fixed"] = "achieved"
    lasts: Duration | None = None
    anchor: tuple[int, int] | None = None
    at_least: Duration | None = None
    window: Duration = field(default_factory=Duration)
    grace: Duration = field(default_factory=Duration)
    remind: tuple[Duration, ...] = ()
    after_lapse: Literal["earn", "renew"] = "earn"


@dataclass(frozen=True)
class Rule:
    """One version of a certification's rule. `renew` is `earn` itself where the rule leaves it out."""

    code: str
    name: Mapping[str, str]
    earn: Section
    renew: Section
    validity: Validity
    effective_from: date | None = None
    version: int = 1


def leaves(criterion: Criterion) -> list[Leaf]:
    """Every leaf below `criterion`, in the rule's order."""
    if isinstance(criterion, Leaf):
        return [criterion]
    return [leaf for child in criterion.of for leaf in leaves(child)]
