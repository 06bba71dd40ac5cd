"""The conformance kit: what every kind of endpoint must do, ours or another's, as tests to inherit.

    from webhooks.conformance import TargetConformance

    class TestMine(TargetConformance):
        def target(self): return MyTarget(Destination("mine", …), settings)
        def arrived(self): …    # the ids of the events that the receiver has taken in
        def failing(self): …    # a context in which the receiver refuses, fails or cannot be reached
        def forbidden(self): …  # opens and checks an endpoint that must not be sent to
        secrets = ("the key",)

Run with pytest. Each test says in one sentence what it proves; those of chunks and of reading back apply to kinds that offer
them.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from ulid import ULID

from plugin.errors import DeliveryError
from webhooks.target import DELIVERED, OUTCOMES, Answer, Held, Parcel, ReadsBack, TakesChunks, Target

LARGEST_PAGE = 10_000  # rows of what is read back


def parcel(person: int, sequence: int = 1, status: str = "certified", **data: Any) -> Parcel:
    """A message about the certification A of the employee E1, E2, …"""
    number = f"E{person}"
    state = {
        "sequence": sequence,
        "subject": f"certification:{number}:A",
        "employee_number": number,
        "certification": "A",
        "status": status,
        "valid_from": "2026-11-23T10:00:00+08:00",
        "valid_until": None,
        "reason": "earned",
        "backfill": False,
        **data,
    }
    body = {"type": "certification.awarded", "timestamp": "2026-11-23T02:00:00Z", "schema": "1", "data": state}
    return Parcel(str(ULID()), json.dumps(body, ensure_ascii=False).encode())


class TargetConformance:
    """The tests; a kind's own test class inherits them and says how to open an endpoint."""

    secrets: ClassVar[tuple[str, ...]] = ()

    def target(self) -> Target:
        """An endpoint, opened anew, whose receiver accepts what comes."""
        raise NotImplementedError

    def arrived(self) -> Sequence[str]:
        """The ids of the events that the receiver has taken in."""
        raise NotImplementedError

    def failing(self) -> AbstractContextManager[None]:
        """A context in which the receiver refuses, fails or cannot be reached."""
        raise NotImplementedError

    def forbidden(self) -> None:
        """Open and check an endpoint that this kind must not send to; that raises DeliveryError."""
        raise NotImplementedError

    def now(self) -> datetime:
        """The moment of the tests."""
        return datetime.now(UTC)

    def test_it_can_be_checked(self) -> None:
        """An endpoint that can be used passes its check, and the check delivers nothing."""
        with _open(self) as target:
            target.check()
        assert not self.arrived()

    def test_what_must_not_be_sent_to_is_refused(self) -> None:
        """An address that is not allowed is refused with DeliveryError, before anything is sent."""
        with pytest.raises(DeliveryError):
            self.forbidden()

    def test_what_it_says_it_delivered_is_there(self) -> None:
        """A message that was answered with `delivered` has arrived, Chinese and all, under its event's id."""
        sent = parcel(1, note="已认证\u2028=1")
        with _open(self) as target:
            answer = target.send(sent, self.now())
        _is_sound(answer)
        assert answer.outcome == DELIVERED
        assert list(self.arrived()) == [sent.event_id]

    def test_sending_again_is_harmless(self) -> None:
        """The same message, sent again as after a crash, is delivered again and not refused."""
        sent = parcel(1)
        with _open(self) as target:
            assert [target.send(sent, self.now()).outcome for _ in range(2)] == [DELIVERED, DELIVERED]
        assert set(self.arrived()) == {sent.event_id}

    def test_a_failure_is_an_answer(self) -> None:
        """While the receiver fails, sending says so with an outcome and a sentence, and works again afterwards."""
        first, second = parcel(1), parcel(2)
        with _open(self) as target:
            with self.failing():
                answer = target.send(first, self.now())
                _is_sound(answer)
                assert answer.outcome != DELIVERED
            assert not self.arrived()
            assert target.send(second, self.now()).outcome == DELIVERED

    def test_many_at_a_time(self) -> None:
        """Messages sent at the same time all arrive, each once: by many threads, or in chunks by one."""
        parcels = [parcel(number) for number in range(1, 41)]
        with _open(self) as target:
            if isinstance(target, TakesChunks):
                size = min(target.chunk, len(parcels))
                answers = [
                    answer
                    for start in range(0, len(parcels), size)
                    for answer in target.send_chunk(parcels[start : start + size], self.now())
                ]
            else:
                with ThreadPoolExecutor(8) as threads:
                    answers = list(threads.map(lambda one: target.send(one, self.now()), parcels))
        assert [answer.outcome for answer in answers] == [DELIVERED] * len(parcels)
        assert sorted(self.arrived()) == sorted(one.event_id for one in parcels)

    def test_a_chunk_fails_as_answers(self) -> None:
        """While the receiver fails, a chunk has an answer for each message, none of them `delivered`, and nothing is there."""
        with _chunks(self) as target, self.failing():
            answers = target.send_chunk([parcel(number) for number in (1, 2, 3)], self.now())
            for answer in answers:
                _is_sound(answer)
            assert len(answers) == 3
            assert DELIVERED not in {answer.outcome for answer in answers}
        assert not self.arrived()

    def test_one_bad_message_spoils_no_other_of_its_chunk(self) -> None:
        """Beside a message that cannot be used, the others of a chunk are delivered, each answered in its place."""
        good, bad = [parcel(1), parcel(2)], Parcel(str(ULID()), b"\xff no JSON")
        with _chunks(self) as target:
            answers = target.send_chunk([good[0], bad, good[1]], self.now())
        assert [answer.outcome == DELIVERED for answer in answers] == [True, False, True]
        assert sorted(self.arrived()) == sorted(one.event_id for one in good)

    def test_what_is_read_back_is_what_is_held(self) -> None:
        """Of each subject the newest state is read back, with its sequence, and every field that is given is as it was sent."""
        parcels = [parcel(1), parcel(2), parcel(1, 2, "revoked"), parcel(3, 7)]
        with _open(self) as target:
            if not isinstance(target, ReadsBack):
                return
            assert _newest(target, self.now()) == {}
            for one in parcels:
                assert target.send(one, self.now()).outcome == DELIVERED
            found = _newest(target, self.now())
        assert {subject: held.sequence for subject, held in found.items()} == {
            "certification:E1:A": 2, "certification:E2:A": 1, "certification:E3:A": 7,
        }  # fmt: skip
        for one in parcels[1:]:
            sent = json.loads(one.body)["data"]
            held = found[sent["subject"]]
            assert held.type in (None, "certification.awarded")
            given = held.data or {}
            assert {name: sent.get(name) for name in given} == dict(given)

    def test_a_receiver_that_cannot_be_read_back_does_not_seem_empty(self) -> None:
        """While the receiver fails, reading back raises DeliveryError: what cannot be seen is not taken for missing."""
        with _open(self) as target:
            if isinstance(target, ReadsBack):
                assert target.send(parcel(1), self.now()).outcome == DELIVERED
                with self.failing(), pytest.raises(DeliveryError):
                    list(target.held(self.now()))

    def test_secrets_are_said_nowhere(self, caplog: pytest.LogCaptureFixture) -> None:
        """No answer, exception, log line or repr holds a secret, when it works and when it does not."""
        caplog.set_level(logging.DEBUG)
        with _open(self) as target:
            said = [repr(target), str(target.send(parcel(1), self.now()))]
            with self.failing():
                said.append(str(target.send(parcel(2), self.now())))
                if isinstance(target, ReadsBack):
                    with pytest.raises(DeliveryError) as caught:
                        list(target.held(self.now()))
                    said += [str(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)]
        said += [record.getMessage() for record in caplog.records]
        for secret in self.secrets:
            assert not any(secret in text for text in said)


def _is_sound(answer: Answer) -> None:
    assert answer.outcome in OUTCOMES
    assert answer.reason.endswith("."), "a reason is a sentence"


def _newest(target: ReadsBack, now: datetime) -> dict[str, Held]:
    """What is held, by subject; of one that is named twice the highest sequence."""
    found: dict[str, Held] = {}
    for page in target.held(now):
        assert len(page) <= LARGEST_PAGE, "a page is bounded"
        for held in page:
            if held.subject not in found or held.sequence >= found[held.subject].sequence:
                found[held.subject] = held
    return found


@contextmanager
def _open(kit: TargetConformance) -> Iterator[Target]:
    target = kit.target()
    try:
        yield target
    finally:
        target.close()


@contextmanager
def _chunks(kit: TargetConformance) -> Iterator[TakesChunks]:
    """The target where it takes chunks; else what makes chunks of one by one, as a delivery run does."""
    with _open(kit) as target:
        yield target if isinstance(target, TakesChunks) else _OneByOne(target)


class _OneByOne:
    chunk = 1

    def __init__(self, target: Target) -> None:
        self._target = target

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        """Each by itself."""
        return [self._target.send(one, now) for one in parcels]
