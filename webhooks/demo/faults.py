"""Failing on request: what the sandbox answers instead of receiving, for a number of messages or until cleared."""

import threading
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """A fault: an HTTP `status`, a `retry_after` in seconds with it, a `delay` in seconds before anything.

    With status 0 the message is received as usual after the delay. `times` None lasts until it is cleared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[int, Field(ge=0, le=599)] = 500
    retry_after: Annotated[int, Field(ge=0)] | None = None
    delay: Annotated[float, Field(ge=0, le=120)] = 0
    times: Annotated[int, Field(ge=1)] | None = None


@dataclass
class Faults:
    """The fault that is set, if any, and for how many more messages."""

    fault: Fault | None = None
    left: int | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def put(self, fault: Fault | None) -> None:
        """Set the fault, or clear it."""
        with self._lock:
            self.fault, self.left = fault, fault.times if fault else None

    def take(self) -> Fault | None:
        """The fault for the message that has just come, counted."""
        with self._lock:
            fault = self.fault
            if fault is not None and self.left is not None:
                self.left -= 1
                if self.left == 0:
                    self.fault = None
            return fault
