"""What storing a page did: how many records, which rows, and when that was."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass
class Counts:
    """What storing did, in records."""

    created: int = 0
    updated: int = 0
    closed: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        self.created += other.created
        self.updated += other.updated
        self.closed += other.closed
        return self


@dataclass
class Moment:
    """When and in which pass a page is stored, and which day that is in the organisation."""

    now: datetime
    today: date
    pass_number: int = 1


@dataclass
class Changed:
    """The rows that storing changed: keys are values of the kind's key columns."""

    created: list[tuple[Any, ...]] = field(default_factory=list)
    updated: list[tuple[Any, ...]] = field(default_factory=list)
    closed: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def all(self) -> list[tuple[Any, ...]]:
        """Every one of them."""
        return self.created + self.updated + self.closed
