"""Delivery: send what is due, and write down how each attempt went.

Each endpoint has a thread that claims a chunk, hands it to a few senders (or, in parts, to a kind of endpoint that
takes several messages at once) and records the chunk: two transactions for a chunk, whatever its size. Nothing is begun
that could not be finished within the lease; what was not begun goes back. One endpoint that is slow or failing holds up
no other.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import func, select, update

from plugin.errors import CertBridgeError
from plugin.schedules import holder_name
from plugin.secrets import KeyRing
from plugin.settings import Settings
from plugin.store import Store, chunks
from webhooks import target as outcomes
from webhooks.claims import Claimed, claim
from webhooks.full import complete
from webhooks.models import Endpoint
from webhooks.pace import Pace, share
from webhooks.payload import LARGEST, build
from webhooks.results import Result, put_back, record
from webhooks.retries import wait_before
from webhooks.settings import WebhooksSettings
from webhooks.standing import judge
from webhooks.target import Answer, Destination, Parcel, TakesChunks, Target, kind_of

log = logging.getLogger(__name__)

MARGIN = 5.0  # seconds of the lease that remain for recording; of one shorter than SHORT a quarter
SHORT = 20.0
ENDPOINTS_AT_A_TIME = 16

_TOO_LARGE = Answer(
    outcomes.TOO_LARGE, f"Its body would be larger than {LARGEST:,} bytes, which nobody has to accept.", final=True
)


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
    forget_old_keys(courier.store, now)
    with courier.store.read() as session:
        ready = Endpoint.paused_until.is_(None) | (Endpoint.paused_until <= now)
        endpoints = session.scalars(select(Endpoint).where(Endpoint.disabled_at.is_(None), ready)).all()
    if not endpoints:
        return Tally()
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(min(len(endpoints), ENDPOINTS_AT_A_TIME), "endpoint") as pool:
        tallies = list(pool.map(lambda endpoint: _serve(courier, endpoint, until), endpoints))
    return sum(tallies, Tally())


def forget_old_keys(store: Store, now: datetime) -> None:
    """Wipe the keys that were rotated away and sign no more."""
    over = Endpoint.old_secret_until <= now
    with store.read() as session:
        if session.scalar(select(Endpoint.id).where(over).limit(1)) is None:
            return
    with store.write() as session:
        wiped = update(Endpoint).where(over).values(old_secret=None, old_secret_until=None)
        session.execute(wiped, execution_options={"synchronize_session": False})


def open_target(courier: Courier, endpoint: Endpoint) -> Target:
    """The endpoint, opened for sending. Raises DeliveryError, SecretError."""
    keys = courier.keys.decrypt(endpoint.secret).split() if endpoint.secret is not None else []
    if endpoint.old_secret is not None and (endpoint.old_secret_until or courier.clock()) > courier.clock():
        keys += courier.keys.decrypt(endpoint.old_secret).split()
    target = kind_of(courier.targets, endpoint.kind)
    secret = keys[0] if keys else None
    return target(Destination(endpoint.name, endpoint.url, secret, tuple(keys[1:])), courier.settings)


def _serve(courier: Courier, endpoint: Endpoint, until: float) -> Tally:
    """Send what is due to one endpoint; an endpoint that cannot be opened keeps its messages and says why."""
    own = courier.own
    try:
        target = open_target(courier, endpoint)
    except CertBridgeError as error:
        log.warning("The endpoint %s cannot be used: %s", endpoint.name, error)
        now = courier.clock()
        since = func.coalesce(Endpoint.failing_since, now)
        _note(courier.store, endpoint, {"last_failure_at": now, "last_failure": str(error), "failing_since": since})
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
        self.pace: Pace | None = None

    def run(self, senders: ThreadPoolExecutor) -> Tally:
        """Claim, send, record."""
        lease = self.own.lease_seconds
        margin = MARGIN if lease >= SHORT else lease / 4
        self.begin_before = time.monotonic() + lease - self.own.timeout_seconds - margin
        attempts = len(self.own.retry_seconds)
        with self.courier.store.write() as session:
            now = self.courier.clock()
            limit = self.own.chunk
            slots = share(session, self.endpoint.id, now, limit) if self.endpoint.rate is not None else None
            limit = slots.most if slots is not None else limit
            claimed = claim(session, self.endpoint, self.holder, now, limit, attempts, self.own.lease) if limit else []
            self.pace = slots.take(len(claimed)) if slots is not None else None
        if not claimed:
            return Tally()
        if self.endpoint.full:
            claimed = self._completed(claimed, now)
        results = self._send_all(senders, claimed)
        self.goes_on = not self.halt.is_set()
        begun = {result.claimed.id for result in results}
        now = self.courier.clock()
        with self.courier.store.write() as session:
            record(session, self.endpoint.id, self.holder, results, now)
            put_back(session, self.holder, [message for message in claimed if message.id not in begun])
            judge(session, self.endpoint.id, results, now, self.own)
        return Tally(
            delivered=sum(result.delivered for result in results),
            failed=sum(not result.delivered and result.due_at is not None for result in results),
            dead=sum(not result.delivered and result.due_at is None for result in results),
        )

    def _completed(self, claimed: list[Claimed], now: datetime) -> list[Claimed]:
        """The same messages with what makes their payloads full."""
        contents = {message.event_id: message.content for message in claimed}
        people = {message.event_id: message.person_id for message in claimed}
        try:
            with self.courier.store.read() as session:
                contents = complete(session, contents, people, now, self.courier.settings.organisation.zone)
        except Exception:  # what explains a state must not keep the state itself from being sent
            log.exception("What satisfied the criteria could not be found for the endpoint %s", self.endpoint.name)
        return [replace(message, content=contents[message.event_id]) for message in claimed]

    def _send_all(self, senders: ThreadPoolExecutor, claimed: list[Claimed]) -> list[Result]:
        """The results of those that were begun."""
        if not isinstance(self.target, TakesChunks):
            return [result for result in senders.map(self._send, claimed) if result is not None]
        results: list[Result] = []
        for part in chunks(claimed, self.target.chunk):
            results += self._send_part(self.target, part)
        return results

    def _may_begin(self, messages: int = 1) -> bool:
        """Whether there is time to begin so many, and the endpoint has not asked to stop."""
        if self.pace is not None:
            for _ in range(messages):
                self.pace.wait(self.halt)
        return not self.halt.is_set() and time.monotonic() <= self.begin_before

    def _send(self, message: Claimed) -> Result | None:
        """Send one message; None when it was not begun, for want of time or because the endpoint asked to stop."""
        if not self._may_begin():
            return None
        started_at, start = self.courier.clock(), time.perf_counter()
        body = self._body(message)
        answer = self._answer(message, body, started_at) if body is not None else _TOO_LARGE
        return self._result(message, answer, started_at, start)

    def _send_part(self, target: TakesChunks, messages: list[Claimed]) -> list[Result]:
        """Send several messages at once; nothing when they were not begun."""
        if not self._may_begin(len(messages)):
            return []
        started_at, start = self.courier.clock(), time.perf_counter()
        bodies = {message.id: body for message in messages if (body := self._body(message)) is not None}
        going = [message for message in messages if message.id in bodies]
        answers = {message.id: _TOO_LARGE for message in messages if message.id not in bodies}
        answers |= self._answers(target, going, bodies, started_at)
        return [self._result(message, answers[message.id], started_at, start) for message in messages]

    def _answers(
        self, target: TakesChunks, going: list[Claimed], bodies: Mapping[int, bytes], now: datetime
    ) -> dict[int, Answer]:
        if not going:
            return {}
        try:
            parcels = [Parcel(message.event_id, bodies[message.id]) for message in going]
            answers = target.send_chunk(parcels, now)
            return {message.id: answer for message, answer in zip(going, answers, strict=True)}
        except (
            Exception
        ):  # one message on which the kind breaks must not keep the others of its chunk: each goes by itself
            log.exception("Sending %d messages at once to the endpoint %s broke", len(going), self.endpoint.name)
            return {message.id: self._answer(message, bodies[message.id], now) for message in going}

    def _body(self, message: Claimed) -> bytes | None:
        return build(message.content, full=self.endpoint.full, public_url=self.courier.settings.web.public_url)

    def _answer(self, message: Claimed, body: bytes, now: datetime) -> Answer:
        try:
            return self.target.send(Parcel(message.event_id, body), now)
        except Exception:  # a defect in one kind of endpoint must not keep the others' messages from being recorded
            log.exception("Sending the event %s to the endpoint %s broke", message.event_id, self.endpoint.name)
            return Answer(outcomes.BROKEN, "Sending it broke inside CertBridge; the log says where.")

    def _result(self, message: Claimed, answer: Answer, started_at: datetime, start: float) -> Result:
        duration_ms = round((time.perf_counter() - start) * 1000)
        if answer.outcome in (outcomes.GONE, outcomes.THROTTLED):
            self.halt.set()
        due_at = self._due_again(message, answer)
        return Result(message, started_at, duration_ms, answer, answer.outcome == outcomes.DELIVERED, due_at)

    def _due_again(self, message: Claimed, answer: Answer) -> datetime | None:
        """When to try again; None when there is nothing more to try."""
        now = self.courier.clock()
        if answer.outcome == outcomes.GONE:
            return now  # it waits with the endpoint, which is disabled until somebody enables it again
        if answer.outcome == outcomes.DELIVERED or answer.final:
            return None
        wait = wait_before(message.turn + 1, self.own.retry_seconds, self.courier.random)
        if wait is None:
            return None
        return now + max(wait, answer.retry_after or timedelta())


def _note(store: Store, endpoint: Endpoint, values: Mapping[str, object]) -> None:
    with store.write() as session:
        session.execute(
            update(Endpoint).where(Endpoint.id == endpoint.id).values(**values),
            execution_options={"synchronize_session": False},
        )
