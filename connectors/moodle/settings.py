"""`[sources.NAME]` of a Moodle site."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from plugin.secrets import SecretReference
from plugin.settings import StrictModel

# Read by plain functions only on demand: they need a call for each user, or for each user and course.
HeavyStream = Literal["activity_completions", "attempts", "badges", "competencies", "plans"]
ReportKey = Literal["participants", "badges", "cohorts"]


class MoodleSettings(StrictModel):
    """The connector's own keys."""

    url: Annotated[str, Field(pattern="^https?://")]
    token: SecretReference
    # The day on which the token ends, where the site does not say it.
    token_until: date | Literal["unknown"] = "unknown"  # noqa: S105 - it is none
    timeout_seconds: Annotated[float, Field(gt=0)] = 120
    tries: Annotated[int, Field(ge=1, le=10)] = 4
    connections: Annotated[int, Field(ge=1, le=4)] = 3
    calls_per_second: Annotated[float, Field(ge=0, le=1000)] = 0
    largest_answer_mib: Annotated[int, Field(ge=1, le=4096)] = 512
    # Which ways may be taken; of these the best that the site offers is, for each stream.
    ways: tuple[Literal["plugin", "report", "functions"], ...] = ("plugin", "report", "functions")
    # What the plugin signs its notices with; while it is being changed, the one before stands behind it.
    webhook_secrets: Annotated[tuple[SecretReference, ...], Field(max_length=2)] = ()
    # The numbers of custom reports, where they do not have the agreed names.
    reports: dict[ReportKey, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    streams: tuple[HeavyStream, ...] = ()
    # Pass marks that the site does not show, by the activity's or the course's object, in the points of its grade.
    pass_marks: dict[str, Decimal] = Field(default_factory=dict)
