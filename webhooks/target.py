"""What a kind of endpoint implements: how an endpoint is checked, and how a message is sent to it.

A kind is an addon whose manifest names its class under `target`. Delivery, order, retries and records are not its
business: it sends once and says how that went. A kind may also take chunks of messages (`TakesChunks`), and say what
the receiver holds (`ReadsBack`). webhooks/conformance.py has the tests that every kind passes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

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
UNWRITABLE = "unwritable"
OUTCOMES = (
    DELIVERED, TIMEOUT, UNREACHABLE, REFUSED_ADDRESS, REDIRECT, REJECTED, THROTTLED, GONE, SERVER_ERROR, TOO_LARGE,
    LOST, BROKEN, UNWRITABLE,
)  # fmt: skip


@dataclass(frozen=True)
class Destination:
    """An endpoint as its target sees it: with its secret in clear, which a repr leaves out.

    `also` are further keys that sign beside the secret: that of another scheme, and for a day what was rotated away.
    """

    name: str
    url: str
    secret: str | None = field(repr=False)
    also: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Parcel:
    """A message as it is sent: the event's id and the bytes of its body."""

    event_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """How one attempt went. `reason` is for a person; `excerpt` is the beginning of what the endpoint answered.

    With `final` a failure is given up at once: another attempt would fail for the same reason.
    """

    outcome: str
    reason: str
    status: int | None = None
    excerpt: str | None = None
    retry_after: timedelta | None = None
    final: bool = False


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


@runtime_checkable
class TakesChunks(Protocol):
    """A target that takes several messages at once, each about another person; used by one thread at a time."""

    chunk: int  # how many it takes at most

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        """Send `parcels` once and say of each, in their order, how that went. What one of them does, others do not feel."""


@dataclass(frozen=True)
class Held:
    """What the receiver holds of one subject: the sequence of the message that it last took in, and the state.

    `data` is as much of the message's data as the receiver keeps, each field as it was sent; `digest` stands in its place
    (`webhooks.digests.digest_of`). Neither says only that it is there. `type` is that of the message.
    """

    subject: str
    sequence: int
    data: Mapping[str, Any] | None = field(default=None, repr=False)
    digest: str | None = None
    type: str | None = None


@runtime_checkable
class ReadsBack(Protocol):
    """A target that can say what the receiver holds."""

    def held(self, now: datetime) -> Iterator[Sequence[Held]]:
        """Everything that the receiver holds, in pages of bounded size; of a subject named twice the highest sequence counts.

        Raises DeliveryError, with what to do, when the receiver cannot be asked or does not answer as it should.
        """


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
