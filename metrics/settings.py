"""`[metrics]` of config.toml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from plugin.moments import Duration
from plugin.settings import StrictModel


def _duration(text: str) -> str:
    Duration.parse(text)
    return text


class MetricsSettings(StrictModel):
    """What is derived, and what HR hears of it as news."""

    # An event about something that took effect longer ago than this is marked as backfill.
    live_within: Annotated[str, AfterValidator(_duration)] = "P2D"

    # How many processes derive a large backlog at once, on PostgreSQL; 1 for one after the other.
    derive_processes: Annotated[int, Field(ge=1, le=32)] = 2

    # How long before an award ends, or a duty is due, the employee is reminded, where the rule does not say.
    remind: tuple[Annotated[str, AfterValidator(_duration)], ...] = ("P30D", "P15D", "P7D")
    # The day of the week on which managers get the list of their reports, or off.
    digest: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "off"] = "monday"

    # What satisfaction is asked about: the labels of the questions of feedback activities, in small letters with _.
    dimensions: tuple[Annotated[str, Field(pattern=r"^[^\W0-9]+(_[^\W0-9]+)*$")], ...] = (
        "content",
        "lecturer",
        "organisation",
        "learning_gain",
    )

    # The largest file of a certificate that is taken, in MiB.
    certificate_mib: Annotated[int, Field(ge=1, le=9)] = 5
