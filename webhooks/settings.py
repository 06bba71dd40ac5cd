"""`[webhooks]` of config.toml: how far deliveries may go and how patient they are."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.schedules import seconds_of
from plugin.settings import INTERVAL, StrictModel
from webhooks.retries import JITTER

# The example schedule of the Standard Webhooks specification: ten attempts over three days and four hours.
RETRY_SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


class TlsSettings(BaseModel):
    """The files with which TLS connections to endpoints are made, all PEM; relative ones lie beside config.toml.

    ca_file: the authorities that are trusted, in place of the public ones. client_certificate and client_key: what
    CertBridge shows an endpoint that asks who it is; the key may stand in the certificate's file, and has no password.
    An empty one names none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""


class WebhooksSettings(StrictModel):
    """`[webhooks]`.

    allow_networks: networks inside the organisation that endpoints may lie in, for instance ["10.20.0.0/16"];
    without it only public addresses are called. Plain HTTP is accepted there and nowhere else.
    allow_ports: the ports that endpoints may have, or "any".
    timeout_seconds: how long an endpoint may take to answer; 1 to 20, so that it fits into a lease.
    retry_seconds: the waits before each attempt, one after another; as many attempts as there are numbers.
    disable_after: after so long with nothing but failures an endpoint is disabled.
    old_key_lasts: for so long the key that was rotated away signs beside the new one.
    ca_file, client_certificate, client_key: see TlsSettings; tls: what differs for single endpoints, by their names.
    threads: how many messages are sent to one endpoint at a time.
    chunk: how many messages are claimed at a time.
    lease_seconds: how long a process holds what it has claimed; a killed one's messages go on when that is over.
    file_folders: the folders in which, and below which, files may be dropped for endpoints of the kind webhooks.file.
    file_mode: the permissions of dropped files, in octal.
    """

    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allow_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] | Literal["any"] = (443,)
    timeout_seconds: Annotated[float, Field(ge=1, le=20)] = 15.0
    retry_seconds: Annotated[tuple[Annotated[int, Field(ge=0, le=604_800)], ...], Field(min_length=1)] = RETRY_SECONDS
    disable_after: Annotated[str, Field(pattern=INTERVAL)] = "P5D"
    old_key_lasts: Annotated[str, Field(pattern=INTERVAL)] = "PT24H"
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    chunk: Annotated[int, Field(ge=1, le=1000)] = 100
    tls: Mapping[str, TlsSettings] = Field(default_factory=dict)
    lease_seconds: Annotated[float, Field(ge=4, le=55)] = 45.0
    file_folders: tuple[str, ...] = ()
    file_mode: Annotated[str, Field(pattern="^[0-7]{3}$")] = "640"

    @model_validator(mode="after")
    def _fits_into_a_lease(self) -> Self:
        if self.timeout_seconds > self.lease_seconds / 2:
            raise ValueError(
                "timeout_seconds is more than half of lease_seconds: what is begun must end within the lease"
            )
        return self

    @property
    def lease(self) -> timedelta:
        """`lease_seconds`."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def patience(self) -> timedelta:
        """`disable_after`."""
        return timedelta(seconds=seconds_of(self.disable_after))

    @property
    def both_keys(self) -> timedelta:
        """`old_key_lasts`."""
        return timedelta(seconds=seconds_of(self.old_key_lasts))

    @property
    def slow_down(self) -> timedelta:
        """How long an endpoint is left alone that asks for it without saying how long: the schedule's shortest wait."""
        return timedelta(seconds=min((wait for wait in self.retry_seconds if wait > 0), default=0)) * (1 - JITTER)

    def tls_of(self, endpoint: str) -> TlsSettings:
        """The files for connections to this endpoint: its own, and where it has none those of all."""
        own = self.tls.get(endpoint, TlsSettings())
        shown = (own.client_certificate, own.client_key)
        certificate, key = shown if own.client_certificate else (self.client_certificate, self.client_key)
        return TlsSettings(ca_file=own.ca_file or self.ca_file, client_certificate=certificate, client_key=key)
