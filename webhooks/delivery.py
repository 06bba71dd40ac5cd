"""Delivery: send what is due, and write down how each attempt went.

Each endpoint has a thread that claims a chunk, hands it to a few senders and records the chunk: two transactions for
a chunk, whatever its size. Nothing is begun that could not be finished within the lease; what was not begun goes
back. One endpoint that is slow or failing holds up no other.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import select, update

from plugin.errors import CertBridgeError
from plugin.schedules import holder_name
from plugin.secrets import KeyRing
from plugin.settings import Settings
from plugin.store import Store
from webhooks import target as outcomes
from webhooks.claims import LEASE, Claimed, claim
from webhooks.models import Endpoint
from webhooks.payload import LARGEST, build
from webhooks.results import Result, put_back, record
from webhooks.retries import wait_before
from webhooks.settings import WebhooksSettings
from webhooks.target import Answer, Destination, Parcel, Target, kind_of

log = logging.getLogger(__name__)

MARGIN = 5.0  # seconds of the lease that remain for recording
ENDPOINTS_AT_A_TIME = 16


@dataclass(frozen=True)
class Tally:
    """What a delivery run did, in messages. `failed` are to be tried again, `dead` given up."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)


@dataclass(frozen=True)
class Courier:
    """What a delivery run works with. `clock` says when attempts are made, `random` spreads their repetition."""

    store: Store
    keys: KeyRing
    targets: Mapping[str, type[Target]]
    settings: Settings
    clock: Callable[[], datetime]
    random: Random

    @property
    def own(self) -> WebhooksSettings:
        """`[webhooks]`."""
        return self.settings.section("webhooks", WebhooksSettings)


def deliver_due(courier: Courier, seconds: float) -> Tally:
    """Send what is due to every endpoint that takes messages, until nothing is due or `seconds` have passed."""
    now = courier.clock()
    with courier.store.read() as session:
        ready = Endpoint.paused_until.is_(None) | (Endpoint.paused_until <= now)
        endpoints = session.scalars(select(Endpoint).where(Endpoint.disabled_at.is_(None), ready)).all()
    if not endpoints:
        return Tally()
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(min(len(endpoints), ENDPOINTS_AT_A_TIME), "endpoint") as pool:
        tallies = list(pool.map(lambda endpoint: _serve(courier, endpoint, until), endpoints))
    return sum(tallies, Tally())


def open_target(courier: Courier, endpoint: Endpoint) -> Target:
    """The endpoint, opened for sending. Raises DeliveryError, SecretError."""
    secret = courier.keys.decrypt(endpoint.secret) if endpoint.secret is not None else None
    target = kind_of(courier.targets, endpoint.kind)
    return target(Destination(endpoint.name, endpoint.url, secret), courier.settings)


def _serve(courier: Courier, endpoint: Endpoint, until: float) -> Tally:
    """Send what is due to one endpoint; an endpoint that cannot be opened keeps its messages and says why."""
    own = courier.own
    try:
        target = open_target(courier, endpoint)
    except CertBridgeError as error:
        log.warning("The endpoint %s cannot be used: %s", endpoint.name, error)
        _note(courier.store, endpoint, {"last_failure_at": courier.clock(), "last_failure": str(error)})
        return Tally()
    tally = Tally()
    try:
        with ThreadPoolExecutor(own.threads, f"to {endpoint.name}") as senders:
            while time.monotonic() < until:
                round_ = _Round(courier, endpoint, target, own)
                tally += round_.run(senders)
                if not round_.goes_on:
                    break
    finally:
        target.close()
    return tally


class _Round:
    """One chunk for one endpoint, from the claim to the record."""

    def __init__(self, courier: Courier, endpoint: Endpoint, target: Target, own: WebhooksSettings) -> None:
        self.courier = courier
        self.endpoint = endpoint
        self.target = target
        self.own = own
        self.holder = f"{holder_name()}:{secrets.token_hex(4)}"
        self.halt = threading.Event()
        self.goes_on = False
        self.begin_before = 0.0

    def run(self, senders: ThreadPoolExecutor) -> Tally:
        """Claim, send, record."""
        self.begin_before = time.monotonic() + LEASE.total_seconds() - self.own.timeout_seconds - MARGIN
        attempts = len(self.own.retry_seconds)
        with self.courier.store.write() as session:
            claimed = claim(session, self.endpoint, self.holder, self.courier.clock(), self.own.chunk, attempts)
        if not claimed:
            return Tally()
        results = [result for result in senders.map(self._send, claimed) if result is not None]
        self.goes_on = not self.halt.is_set()
        begun = {result.claimed.id for result in results}
        now = self.courier.clock()
        with self.courier.store.write() as session:
            record(session, self.endpoint.id, self.holder, results, now)
            put_back(session, self.holder, [message for message in claimed if message.id not in begun])
            session.execute(
                update(Endpoint).where(Endpoint.id == self.endpoint.id).values(**_standing(results, now)),
                execution_options={"synchronize_session": False},
            )
        return Tally(
            delivered=sum(result.delivered for result in results),
            failed=sum(not result.delivered and result.due_at is not None for result in results),
            dead=sum(not result.delivered and result.due_at is None for result in results),
        )

    def _send(self, message: Claimed) -> Result | None:
        """Send one message; None when it was not begun, for want of time or because the endpoint asked to stop."""
        if self.halt.is_set() or time.monotonic() > self.begin_before:
            return None
        started_at, start = self.courier.clock(), time.perf_counter()
        answer = self._answer(message, started_at)
        duration_ms = round((time.perf_counter() - start) * 1000)
        if answer.outcome == outcomes.GONE or (answer.outcome == outcomes.THROTTLED and answer.retry_after):
            self.halt.set()
        due_at = self._due_again(message, answer)
        return Result(message, started_at, duration_ms, answer, answer.outcome == outcomes.DELIVERED, due_at)

    def _answer(self, message: Claimed, now: datetime) -> Answer:
        body = build(message.content, full=self.endpoint.full)
        if body is None:
            return Answer(
                outcomes.TOO_LARGE, f"Its body would be larger than {LARGEST:,} bytes, which nobody has to accept."
            )
        try:
            return self.target.send(Parcel(message.event_id, body), now)
        except Exception:  # a defect in one kind of endpoint must not keep the others' messages from being recorded
            log.exception("Sending the event %s to the endpoint %s broke", message.event_id, self.endpoint.name)
            return Answer(outcomes.BROKEN, "Sending it broke inside CertBridge; the log says where.")

    def _due_again(self, message: Claimed, answer: Answer) -> datetime | None:
        """When to try again; None when there is nothing more to try."""
        now = self.courier.clock()
        if answer.outcome == outcomes.GONE:
            return now  # it waits with the endpoint, which is disabled until somebody enables it again
        if answer.outcome in (outcomes.DELIVERED, outcomes.TOO_LARGE):
            return None
        wait = wait_before(message.turn + 1, self.own.retry_seconds, self.courier.random)
        if wait is None:
            return None
        return now + max(wait, answer.retry_after or timedelta())


def _standing(results: Sequence[Result], now: datetime) -> dict[str, object]:
    """What a chunk's results say about the endpoint itself."""
    values: dict[str, object] = {"paused_until": None}
    failures = [result for result in results if not result.delivered]
    if len(failures) < len(results):
        values["last_success_at"] = now
    if failures:
        values |= {"last_failure_at": now, "last_failure": failures[-1].answer.reason}
    for failure in failures:
        if failure.answer.outcome == outcomes.GONE:
            values |= {"disabled_at": now, "disabled_reason": failure.answer.reason}
        elif failure.answer.outcome == outcomes.THROTTLED and failure.answer.retry_after:
            values["paused_until"] = now + failure.answer.retry_after
    return values


def _note(store: Store, endpoint: Endpoint, values: Mapping[str, object]) -> None:
    with store.write() as session:
        session.execute(
            update(Endpoint).where(Endpoint.id == endpoint.id).values(**values),
            execution_options={"synchronize_session": False},
        )
