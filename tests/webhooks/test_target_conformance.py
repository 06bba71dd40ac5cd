"""Our kinds of endpoints pass the kit, and the kit finds kinds that are broken."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

from plugin.settings import Settings
from webhooks.conformance import TargetConformance
from webhooks.demo.app import HOOK, Sandbox, create_app
from webhooks.demo.faults import Fault
from webhooks.demo.records import Records
from webhooks.file.target import FileTarget
from webhooks.standard.target import StandardTarget
from webhooks.target import DELIVERED, Answer, Destination, Held, Parcel, Target

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def serving(server: Any) -> None:
    """Serve until the socket is closed."""
    with suppress(OSError):
        server.run()


class TestFile(TargetConformance):
    """The kit against a folder."""

    secrets = ()
    made: Callable[[Destination, Settings], Target] = FileTarget

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "drops"
        self.folder.mkdir()

    def target(self) -> Target:
        settings = Settings.model_validate({"webhooks": {"file_folders": [str(self.folder)]}})
        return type(self).made(Destination("hr", f"file://{self.folder}", None), settings)

    def arrived(self) -> Sequence[str]:
        lines = (line for path in sorted(self.folder.glob("hr-*.jsonl")) for line in path.read_text().split("\n"))
        return [line.split('"')[3] for line in lines if line]

    @contextmanager
    def failing(self) -> Iterator[None]:
        away = self.folder.with_name("away")
        self.folder.rename(away)
        yield
        away.rename(self.folder)

    def forbidden(self) -> None:
        FileTarget(Destination("hr", "file:///etc", None), Settings()).check()


class TestStandard(TargetConformance):
    """The kit against the sandbox HR system."""

    secrets = (SECRET, SECRET.removeprefix("whsec_"))

    @pytest.fixture(autouse=True)
    def _sandbox(self, tmp_path: Path) -> Iterator[None]:
        self.sandbox = Sandbox(Records(tmp_path / "hr.db"), (SECRET,))
        server = create_server(create_app(self.sandbox), host="127.0.0.1", port=0, threads=8)
        thread = threading.Thread(target=serving, args=(server,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.effective_port}{HOOK}"
        yield
        server.close()
        thread.join(5)

    def target(self) -> Target:
        settings = Settings.model_validate({"webhooks": {"allow_networks": ["127.0.0.0/8"], "allow_ports": "any"}})
        return StandardTarget(Destination("hr", self.url, SECRET), settings)

    def arrived(self) -> Sequence[str]:
        return [message["webhook_id"] for message in self.sandbox.records.latest(1000)]

    @contextmanager
    def failing(self) -> Iterator[None]:
        self.sandbox.faults.put(Fault(status=500))
        yield
        self.sandbox.faults.put(None)

    def forbidden(self) -> None:
        StandardTarget(Destination("hr", self.url, SECRET), Settings()).check()

    def test_one_bad_message_spoils_no_other_of_its_chunk(self) -> None:
        """A message that is not UTF-8 cannot be signed, and none is made; one by one, nothing is spoilt anyway."""


class Pretending(FileTarget):
    """Says that it delivered, and did not."""

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        return [Answer(DELIVERED, "It is there.") for _ in parcels]


class Raising(FileTarget):
    """Lets what happens through."""

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        if not self._place.folder.exists():
            raise FileNotFoundError
        return super().send_chunk(parcels, now)


class Spoilt(FileTarget):
    """Gives up a chunk for one bad message."""

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        answers = super().send_chunk(parcels, now)
        worst = next((answer for answer in answers if answer.outcome != DELIVERED), None)
        return [worst or answer for answer in answers]


class Losing(FileTarget):
    """Drops the last message of a chunk."""

    def send_chunk(self, parcels: Sequence[Parcel], now: datetime) -> Sequence[Answer]:
        return super().send_chunk(parcels[:39], now) + [Answer(DELIVERED, "It is there.")] * (len(parcels) == 40)


class Forgetful(FileTarget):
    """Reads back the sequences of yesterday."""

    def held(self, now: datetime) -> Iterator[Sequence[Held]]:
        for page in super().held(now):
            yield [Held(held.subject, 1, held.data) for held in page]


class Blind(FileTarget):
    """Takes a folder that is not there for an empty one."""

    def held(self, now: datetime) -> Iterator[Sequence[Held]]:
        return super().held(now) if self._place.folder.exists() else iter(())


class Open(TestFile):
    """Lets every folder be used."""

    __test__ = False

    def forbidden(self) -> None:
        FileTarget(
            Destination("hr", f"file://{self.folder}", None),
            Settings.model_validate({"webhooks": {"file_folders": ["/"]}}),
        ).check()


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Pretending, "test_what_it_says_it_delivered_is_there"),
        (Raising, "test_a_failure_is_an_answer"),
        (Raising, "test_a_chunk_fails_as_answers"),
        (Spoilt, "test_one_bad_message_spoils_no_other_of_its_chunk"),
        (Losing, "test_many_at_a_time"),
        (Forgetful, "test_what_is_read_back_is_what_is_held"),
        (Blind, "test_a_receiver_that_cannot_be_read_back_does_not_seem_empty"),
        (None, "test_what_must_not_be_sent_to_is_refused"),
    ],
)
def test_the_kit_finds_a_broken_kind(kind: Any, test: str, tmp_path: Path) -> None:
    """A kind that does what it must not fails the test that is about it."""
    kit = Open() if kind is None else type("Kit", (TestFile,), {"made": kind, "__test__": False})()
    kit.folder = tmp_path / "drops"
    kit.folder.mkdir()
    with pytest.raises((AssertionError, FileNotFoundError, pytest.fail.Exception)):
        getattr(kit, test)()
