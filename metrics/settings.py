"""`[metrics]` of config.toml."""

from typing import Annotated

from pydantic import AfterValidator

from plugin.moments import Duration
from plugin.settings import StrictModel


def _duration(text: str) -> str:
    Duration.parse(text)
    return text


class MetricsSettings(StrictModel):
    """What is derived, and what HR hears of it as news."""

    # An event about something that took effect longer ago than this is marked as backfill.
    live_within: Annotated[str, AfterValidator(_duration)] = "P2D"
