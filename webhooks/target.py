"""What a kind of endpoint implements: how an endpoint is checked, and how one message is sent to it.

A kind is an addon whose manifest names its class under `target`. Delivery, order, retries and records are not its
business: it sends once and says how that went.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from plugin.errors import DeliveryError
from plugin.installation import Installation
from plugin.settings import Settings

# How an attempt ended. What each means to a reader stands in webhooks/wording.py.
DELIVERED = "delivered"
TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
REFUSED_ADDRESS = "refused_address"
REDIRECT = "redirect"
REJECTED = "rejected"
THROTTLED = "throttled"
GONE = "gone"
SERVER_ERROR = "server_error"
TOO_LARGE = "too_large"
LOST = "lost"
BROKEN = "broken"
OUTCOMES = (
    DELIVERED, TIMEOUT, UNREACHABLE, REFUSED_ADDRESS, REDIRECT, REJECTED, THROTTLED, GONE, SERVER_ERROR, TOO_LARGE,
    LOST, BROKEN,
)  # fmt: skip


@dataclass(frozen=True)
class Destination:
    """An endpoint as its target sees it: with its secret in clear, which a repr leaves out."""

    name: str
    url: str
    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class Parcel:
    """A message as it is sent: the event's id and the bytes of its body."""

    event_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """How one attempt went. `reason` is for a person; `excerpt` is the beginning of what the endpoint answered."""

    outcome: str
    reason: str
    status: int | None = None
    excerpt: str | None = None
    retry_after: timedelta | None = None


class Target(Protocol):
    """One endpoint, opened for sending; used by several threads at a time."""

    def __init__(self, destination: Destination, settings: Settings) -> None: ...

    @staticmethod
    def new_secret() -> str | None:
        """A new secret as this kind needs it; None when it needs none."""

    def check(self) -> None:
        """Raise DeliveryError when the endpoint cannot be used as it is configured."""

    def send(self, parcel: Parcel, now: datetime) -> Answer:
        """Send `parcel` once, signed as of `now`. Whatever the endpoint does is an answer, never an exception."""

    def close(self) -> None:
        """Give the connections back."""


def kinds(installation: Installation) -> Mapping[str, type[Target]]:
    """The kinds of endpoints that the installed addons bring, by addon."""
    return installation.provided("target")


def kind_of(targets: Mapping[str, type[Target]], kind: str) -> type[Target]:
    """The target class of `kind`. Raises DeliveryError when no installed addon brings it."""
    if kind not in targets:
        raise DeliveryError(
            f"No installed addon sends to endpoints of the kind {kind!r}; there are: {', '.join(targets) or 'none'}."
        )
    return targets[kind]
