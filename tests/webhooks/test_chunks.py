"""Delivery to kinds of endpoints that take several messages at once, and leases that settings shorten."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin.errors import SettingsError
from webhooks.claims import claim
from webhooks.delivery import Tally
from webhooks.endpoints import find
from webhooks.fanout import fan_out
from webhooks.file.target import FileTarget
from webhooks.target import REJECTED, Answer, Parcel


@pytest.fixture
def drops(desk: Any, tmp_path: Path) -> Path:
    """A folder with the endpoint `hr` that drops files there."""
    folder = tmp_path / "drops"
    folder.mkdir()
    desk.settings(file_folders=[str(folder)])
    desk.endpoint(f"file://{folder}", kind="webhooks.file", secret=None)
    return folder


def lines(folder: Path) -> list[list[Any]]:
    """The sequences of each file, in order."""
    files = sorted(folder.glob("*.jsonl"))
    return [[json.loads(line)["data"]["sequence"] for line in file.read_text().split("\n") if line] for file in files]


def test_a_chunk_never_has_two_messages_of_one_person(desk: Any, drops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are as large as the kind takes, and a person's messages go in one after the other."""
    monkeypatch.setattr(FileTarget, "chunk", 2)
    people = desk.people(3)
    for _ in range(2):
        desk.events(people)
    assert desk.deliver() == Tally(delivered=6)
    assert lines(drops) == [[1, 1], [1], [2, 2], [2]]


def test_a_message_on_which_a_kind_breaks_fails_alone(desk: Any, drops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a kind breaks on a chunk, its messages go one by one, and only the one at fault has a failed attempt."""
    original = FileTarget.send_chunk

    def breaking(self: FileTarget, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        if any(b"POISON" in parcel.body for parcel in parcels):
            raise RuntimeError("a defect")
        return original(self, parcels, now)

    monkeypatch.setattr(FileTarget, "send_chunk", breaking)
    people = desk.people(3)
    desk.events(people[:1], "POISON")
    desk.events(people[1:])
    assert desk.deliver() == Tally(delivered=2, failed=1)


def test_too_few_answers_are_a_defect_and_lose_nothing(desk: Any, drops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that answers for fewer messages than it was given is not believed about any of them."""
    original = FileTarget.send_chunk
    monkeypatch.setattr(
        FileTarget, "send_chunk", lambda self, parcels, now: original(self, parcels[:1], now) if len(parcels) else []
    )
    desk.events(desk.people(3))
    assert desk.deliver() == Tally(delivered=3)
    assert [number for file in lines(drops) for number in file].count(1) == 4  # one of them twice


def test_a_final_failure_is_given_up_at_once(desk: Any, drops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no other attempt could change is a dead letter after one, and lets those behind it through."""
    original = FileTarget.send_chunk

    def refusing(self: FileTarget, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        good = [parcel for parcel in parcels if b"BAD" not in parcel.body]
        answers = iter(original(self, good, now) if good else ())
        return [Answer(REJECTED, "No.", final=True) if b"BAD" in one.body else next(answers) for one in parcels]

    monkeypatch.setattr(FileTarget, "send_chunk", refusing)
    people = desk.people(2)
    desk.events(people[:1], "BAD")
    desk.events(people)
    assert desk.deliver() == Tally(delivered=2, dead=1)


def test_a_shorter_lease_lets_messages_go_on_sooner(desk: Any, receiver: Any) -> None:
    """With `lease_seconds` shortened, what a killed process held goes on when that is over."""
    desk.settings(lease_seconds=6)
    desk.endpoint(receiver.url)
    desk.events(desk.people(1))
    fan_out(desk.store, desk.home.clock())
    with desk.store.write() as session:
        own = desk.courier.own
        assert claim(session, find(session, "hr"), "the dead", desk.home.clock(), 10, 10, own.lease)
    desk.home.clock.moment += timedelta(seconds=5)
    assert desk.deliver() == Tally()
    desk.home.clock.moment += timedelta(seconds=1)
    assert desk.deliver() == Tally(delivered=1)


def test_a_lease_is_longer_than_what_is_begun_within_it(desk: Any) -> None:
    """Settings under which a message could outlast its lease are refused."""
    desk.settings(lease_seconds=20, timeout_seconds=15)
    with pytest.raises(SettingsError, match="half of lease_seconds"):
        _ = desk.courier.own
