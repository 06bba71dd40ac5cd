"""What the custom reports of the sandbox have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.moodle.demo.records import Enrolment
from connectors.moodle.demo.registry import JSON, Call

Row = list[str | None]
Later = Callable[[], Row]  # a row that is written only if its page is asked for
METHODS = {"manual": "Manual enrolments", "self": "Self enrolment", "guest": "Guest access"}
_RANGE = 3


@dataclass(frozen=True)
class Report:
    """A report: who made it chose its source and columns."""

    id: int
    name: str
    source: str
    sourcename: str
    headers: tuple[str, ...]


def status(call: Call, one: Enrolment) -> str:
    """How an enrolment stands."""
    if one.suspended:
        return "Suspended"
    return "Active" if one.active(call.organisation.now) else "Not current"


def range_of(filters: JSON, name: str) -> tuple[int, int] | None:
    """The bounds that a date filter sets, if it does."""
    if filters.get(f"{name}_operator") != _RANGE:
        return None
    return int(filters.get(f"{name}_from") or 0), int(filters.get(f"{name}_to") or 2**62)


def inside(bounds: tuple[int, int] | None, moment: int | None) -> bool:
    """Say whether a moment lies within the bounds of a filter, if there are any."""
    return bounds is None or (moment is not None and bounds[0] <= moment <= bounds[1])
