"""`[sources.NAME]` of a Moodle site."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from plugin.secrets import SecretReference
from plugin.settings import StrictModel


class MoodleSettings(StrictModel):
    """The connector's own keys."""

    url: Annotated[str, Field(pattern="^https?://")]
    token: SecretReference
    timeout_seconds: Annotated[float, Field(gt=0)] = 120
    tries: Annotated[int, Field(ge=1, le=10)] = 4
    connections: Annotated[int, Field(ge=1, le=4)] = 3
    # Pass marks that the site does not show, by the activity's or the course's object, in the points of its grade.
    pass_marks: dict[str, Decimal] = Field(default_factory=dict)
