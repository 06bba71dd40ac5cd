"""`[webhooks]` of config.toml: how far deliveries may go and how patient they are."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field

from plugin.settings import StrictModel

# The example schedule of the Standard Webhooks specification: ten attempts over three days and four hours.
RETRY_SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


class WebhooksSettings(StrictModel):
    """`[webhooks]`.

    allow_networks: networks inside the organisation that endpoints may lie in, for instance ["10.20.0.0/16"];
    without it only public addresses are called. Plain HTTP is accepted there and nowhere else.
    allow_ports: the ports that endpoints may have, or "any".
    timeout_seconds: how long an endpoint may take to answer; 1 to 20, so that it fits into a lease.
    retry_seconds: the waits before each attempt, one after another; as many attempts as there are numbers.
    threads: how many messages are sent to one endpoint at a time.
    chunk: how many messages are claimed at a time.
    """

    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allow_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] | Literal["any"] = (443,)
    timeout_seconds: Annotated[float, Field(ge=1, le=20)] = 15.0
    retry_seconds: Annotated[tuple[Annotated[int, Field(ge=0, le=604_800)], ...], Field(min_length=1)] = RETRY_SECONDS
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    chunk: Annotated[int, Field(ge=1, le=1000)] = 500
