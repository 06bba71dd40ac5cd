"""What is answered: a figure with everything that is needed to judge it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from metrics.figures.periods import Period
from metrics.figures.words import Words
from plugin.moments import in_zone_iso

Number = int | Decimal


@dataclass(frozen=True)
class Population:
    """Whom the figure is about: how many, on which day, by which rule."""

    size: int
    day: date
    rule: Words


@dataclass(frozen=True)
class Provisional:
    """An input that may still change the figure; `read_at` is when the stream was last read to a good or a bad end."""

    source: str | None
    stream: str | None
    why: Words
    read_at: datetime | None = None

    def __str__(self) -> str:
        where = " ".join(part for part in (self.source, self.stream) if part)
        return f"{where}: {self.why}" if where else str(self.why)


@dataclass(frozen=True)
class Figure:
    """A figure. `value` is None where there is none, and `reason` says why.

    `exclusions`, `not_visible` and `beside` count under the codes whose words the figure's definition has; a count of
    zero is left out, but not of `beside`. `parts` are numbers under names of the data: dimensions, currencies.
    """

    name: str
    value: Decimal | None
    numerator: Number
    denominator: Number
    population: Population
    period: Period
    as_of: datetime
    reason: Words | None = None
    exclusions: Mapping[str, int] = field(default_factory=dict)
    not_visible: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, Number] = field(default_factory=dict)
    provisional: tuple[Provisional, ...] = ()
    parts: Mapping[str, Number] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every input has been read since the period's end."""
        return not self.provisional

    def as_json(self, language: str = "en") -> dict[str, Any]:
        """The figure for a program; the value rounded to six places (the two numbers are exact), moments with offset."""
        zone = self.period.zone
        return {
            "name": self.name,
            "value": None if self.value is None else str(round(self.value, 6)),
            "numerator": _plain(self.numerator),
            "denominator": _plain(self.denominator),
            "reason": self.reason.in_language(language) if self.reason else None,
            "population": {
                "size": self.population.size,
                "date": self.population.day.isoformat(),
                "rule": self.population.rule.in_language(language),
            },
            "exclusions": dict(self.exclusions),
            "not_visible": dict(self.not_visible),
            "beside": {code: _plain(number) for code, number in self.beside.items()},
            "parts": {name: _plain(number) for name, number in self.parts.items()},
            "period": {
                "name": self.period.name,
                "start": in_zone_iso(self.period.start, zone),
                "end": in_zone_iso(self.period.end, zone),
            },
            "as_of": in_zone_iso(self.as_of, zone),
            "complete": self.complete,
            "provisional": [
                {
                    "source": item.source,
                    "stream": item.stream,
                    "why": item.why.in_language(language),
                    "read_at": in_zone_iso(item.read_at, zone) if item.read_at else None,
                }
                for item in self.provisional
            ],
        }


def _plain(number: Number) -> int | str:
    """A whole number as it is; another as text, rounded to six places."""
    return number if isinstance(number, int) else str(round(number, 6))


@dataclass(frozen=True, order=True)
class Member:
    """Somebody behind a figure; `course` where the figure counts people by course."""

    employee_number: str
    name: str
    course: str | None = None
