"""What there is, in a few counts: each addon's `summaries` function, for the start page and `certbridge status`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from plugin.installation import Installation


@dataclass(frozen=True)
class Summary:
    """One line: a title, its count, how that count divides, and the endpoint of the page that shows it."""

    title: str
    count: int
    parts: dict[str, int] = field(default_factory=dict)
    endpoint: str | None = None


SummaryFunction = Callable[[Session, datetime], list[Summary]]


def summarise(installation: Installation) -> list[Summary]:
    """The summaries of every installed addon, in the order of the addons."""
    functions: dict[str, SummaryFunction] = installation.provided("summaries")
    now = installation.clock().astimezone(installation.settings.organisation.zone)  # its date is the organisation's day
    with installation.store.read() as session:
        return [summary for function in functions.values() for summary in function(session, now)]
