"""Evidence as the engine sees it: one dated fact about one person, whatever it was pulled from."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

# The kind of a piece that is an award itself, granted elsewhere: it holds from achieved_at until expires_at.
IMPORTED = "award"


@dataclass(slots=True, unsafe_hash=True)  # changed by nobody; frozen, it would be three times as slow to make
class Piece:
    """One piece of evidence. `kind` is a leaf's name, `enrolled`, or `award`; `achieved_at` places it in time.

    As of T it counts when achieved_at <= T, recorded_at <= T and it is not voided at or before T. An empty percent or
    level satisfies no `at_least`; an empty success blocks nothing.
    """

    id: int
    kind: str
    source: str
    object: str
    achieved_at: datetime
    recorded_at: datetime
    voided_at: datetime | None = None
    percent: Decimal | None = None
    success: bool | None = None
    verb: str | None = None
    level: Decimal | None = None
    hours: Decimal | None = None
    course: str | None = None
    category: str | None = None
    expires_at: datetime | None = None
    authority: str | None = None

    def counts_at(self, moment: datetime) -> bool:
        """Whether it was known, and not voided, at `moment`."""
        return (
            self.achieved_at <= moment
            and self.recorded_at <= moment
            and (self.voided_at is None or self.voided_at > moment)
        )
