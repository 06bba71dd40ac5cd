"""Standard Webhooks over HTTP: one POST per message, signed anew at each attempt."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError

from plugin.errors import DeliveryError, RefusedError
from plugin.settings import Settings
from webhooks import target as outcomes
from webhooks.addresses import Resolve, check_url, checked, resolve
from webhooks.retries import parse_retry_after
from webhooks.settings import WebhooksSettings
from webhooks.standard import signing, tls
from webhooks.standard.connections import Errand, GuardedAdapter, Watch
from webhooks.standard.reading import read_back
from webhooks.target import Answer, Destination, Held, Parcel

EXCERPT = 500  # characters of the endpoint's answer that are kept
DRAINED = 65_536  # bytes of it that are read, so that the connection can be used again
BODY_SECONDS = 2.0  # how long that may take
SLOW_DOWN = (429, 502, 503, 504)  # it, or what stands before it, is overloaded


class StandardTarget:
    """An endpoint that takes Standard Webhooks. Redirects are not followed, proxies and netrc not looked at."""

    def __init__(self, destination: Destination, settings: Settings, lookup: Resolve = resolve) -> None:
        """Raises DeliveryError for an address, a key or a file that cannot be used; nothing is connected to yet."""
        own = settings.section("webhooks", WebhooksSettings)
        check_url(destination.url, own.allow_ports)
        if destination.secret is None:
            raise DeliveryError(f"The endpoint {destination.name} has no secret to sign with; create it anew.")
        try:
            self._signer = signing.Signer(destination.secret, *destination.also)
        except RefusedError as error:
            raise DeliveryError(f"The endpoint {destination.name}: {error}") from None
        self._keys = (destination.secret, *destination.also)
        self._verify, self._shown = tls.files(own.tls_of(destination.name), settings.folder)
        self._name = destination.name
        self._limit = own.timeout_seconds
        self._watch = Watch()
        self._gate = partial(_pass_gate, own, lookup)
        self._adapter = GuardedAdapter(self._gate, self._watch, own.threads)
        try:
            self._request = requests.Request("POST", destination.url, headers=_HEADERS).prepare()
        except (requests.RequestException, ValueError):
            raise DeliveryError(
                "The endpoint's address is not a URL; write for instance https://hr.example/hooks."
            ) from None

    @staticmethod
    def new_secret() -> str:
        """A new signing secret."""
        return signing.new_secret()

    def check(self) -> None:
        """Resolve the endpoint's name and check its addresses. Raises DeliveryError."""
        parts = urlsplit(self._request.url or "")
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        try:
            self._gate(parts.hostname or "", port, parts.scheme == "https")
        except OSError:
            raise DeliveryError(f"The name {parts.hostname} does not resolve; check the endpoint's address.") from None

    def send(self, parcel: Parcel, now: datetime) -> Answer:
        """Send `parcel` once, signed as of `now`; 2xx alone is success."""
        request = self._signed(parcel, now)
        with self._watch.errand(self._limit) as errand:
            try:
                return self._exchange(request, errand, now)
            except DeliveryError as error:
                return Answer(outcomes.REFUSED_ADDRESS, str(error))
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                # None of these is repeated: they may hold the whole address, or anything that was sent.
                if errand.expired or isinstance(error, requests.Timeout):
                    return Answer(outcomes.TIMEOUT, "The endpoint did not answer in time.")
                return Answer(outcomes.UNREACHABLE, _unreachable(error))

    def held(self, now: datetime) -> Iterator[Sequence[Held]]:
        """What the receiver says that it holds. Raises DeliveryError when it does not say it."""
        return read_back(self._name, self._ask, now)

    def _ask(self, parcel: Parcel, now: datetime, most: int) -> tuple[int, bytes]:
        """Status and body, read to `most` bytes, of the answer to a signed question."""
        with self._watch.errand(self._limit) as errand:
            try:
                response = self._adapter.send(
                    self._signed(parcel, now),
                    stream=True, timeout=self._limit, verify=self._verify, cert=self._shown, proxies={},
                )  # fmt: skip
                try:
                    body = response.raw.read(most, decode_content=False)
                finally:
                    response.close()
                if not errand.expired:
                    return response.status_code, body
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                failure = "" if errand.expired or isinstance(error, requests.Timeout) else _unreachable(error)
                raise DeliveryError(
                    f"The endpoint {self._name} cannot be read back. {failure or 'It did not answer in time.'} Try again."
                ) from None
        raise DeliveryError(f"The endpoint {self._name} cannot be read back. It did not answer in time. Try again.")

    def _signed(self, parcel: Parcel, now: datetime) -> PreparedRequest:
        request = self._request.copy()
        request.body = parcel.body
        request.headers.update(self._signer.headers(parcel.event_id, parcel.body, now))
        request.headers["Content-Length"] = str(len(parcel.body))
        return request

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()
        self._watch.close()

    def _exchange(self, request: PreparedRequest, errand: Errand, now: datetime) -> Answer:
        response = self._adapter.send(
            request, stream=True, timeout=self._limit, verify=self._verify, cert=self._shown, proxies={}
        )
        if errand.expired:
            # The headers ended because the watch cut them, which the parser takes for a good end.
            response.close()
            raise requests.Timeout
        # The status has come, and it is what counts: the rest may take a little while, and no more.
        errand.until = min(errand.until, time.monotonic() + BODY_SECONDS)
        try:
            body = response.raw.read(DRAINED, decode_content=False)
        except HTTPError:
            body = b""
        finally:
            response.close()
        return _judge(response, _excerpt(body, self._keys), now)


_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "CertBridge",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


def _pass_gate(own: WebhooksSettings, lookup: Resolve, host: str, port: int, encrypted: bool) -> list[str]:
    return checked(host, port, own.allow_networks, encrypted=encrypted, lookup=lookup)


def _judge(response: Response, excerpt: str | None, now: datetime) -> Answer:
    status = response.status_code
    name = f"{status} {_phrase(status)}".strip()
    retry_after = parse_retry_after(response.headers.get("Retry-After"), now)
    if 200 <= status < 300:
        return Answer(outcomes.DELIVERED, f"The endpoint accepted it ({name}).", status, excerpt)
    if 300 <= status < 400:
        outcome, reason = outcomes.REDIRECT, "The endpoint sent it elsewhere, and redirects are not followed"
    elif status == HTTPStatus.GONE:
        outcome, reason = outcomes.GONE, "The endpoint is gone and wants no more messages"
    elif status in SLOW_DOWN and retry_after is not None:
        outcome, reason = outcomes.THROTTLED, "The endpoint asks to wait"
        name += f", {retry_after.total_seconds():.0f} s"
    elif status in SLOW_DOWN:
        outcome, reason = outcomes.THROTTLED, "The endpoint takes no more at the moment"
    elif status < 500:
        outcome, reason = outcomes.REJECTED, "The endpoint refused it"
    else:
        outcome, reason = outcomes.SERVER_ERROR, "The endpoint failed"
    return Answer(outcome, f"{reason} ({name}).", status, excerpt, retry_after)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _unreachable(error: Exception) -> str:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, NameResolutionError):
        return "The endpoint's name does not resolve."
    return tls.why(error) or "No connection came about, or it was cut before an answer came."


def _excerpt(body: bytes, keys: Sequence[str]) -> str | None:
    """The beginning of an answer as text of one line, without the keys should the endpoint repeat them."""
    text = body.decode(errors="replace")
    for key in keys:
        text = text.replace(key, "…").replace(key.partition("_")[2] or key, "…")
    return " ".join("".join(c if c.isprintable() else " " for c in text[: EXCERPT * 4]).split())[:EXCERPT] or None
