"""The change log of the companion plugin: what happened in the sandbox, entry by entry."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as the plugin's table keeps it."""

    id: int
    stream: str
    action: str
    objectid: int
    courseid: int
    userid: int
    timecreated: int

    def row(self) -> dict[str, Any]:
        """The entry as the web service answers it."""
        return asdict(self)


class ChangeLog:
    """The entries that are kept; `installed` says whether the site has the plugin at all."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last = 0
        self.installed = True
        self.epoch = "sandbox-1"
        self.entries: list[Entry] = []
        self.sent = 0  # up to which entry notices were sent

    def add(self, stream: str, action: str, objectid: int = 0, courseid: int = 0, userid: int = 0) -> None:
        """Write an entry."""
        if self.installed:
            self._last += 1
            self.entries.append(Entry(self._last, stream, action, objectid, courseid, userid, self._clock()))

    def clear(self) -> None:
        """Begin with an empty log, as after the plugin was installed."""
        self.entries, self._last, self.sent = [], 0, 0

    def trim(self, upto: int) -> None:
        """Forget old entries, as the cleanup does; like the plugin it keeps the newest one."""
        self.entries = [entry for entry in self.entries if entry.id > upto] or self.entries[-1:]

    def restart(self, epoch: str) -> None:
        """Become another log, as when the plugin is installed anew."""
        self.clear()
        self.epoch = epoch

    @property
    def first(self) -> int:
        """The lowest id that is kept, 0 when there is none."""
        return self.entries[0].id if self.entries else 0

    @property
    def last(self) -> int:
        """The highest id, 0 when there is none."""
        return self.entries[-1].id if self.entries else 0
