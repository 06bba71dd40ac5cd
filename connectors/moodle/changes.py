"""The change log of the companion plugin, read once for all streams of a pull.

A stream's place in the log is (epoch, id, time): what it has applied, and when it last looked. Entries of the last five
minutes are read again by the next pull: ids of an autoincrement can become visible out of order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.moodle.plugin import PAGE, Change, Changes, Plugin

TAIL = 300  # seconds
MARGIN = 1000  # entries, where the newest ones were not all seen


@dataclass(frozen=True, order=True)
class Place:
    """A place in the change log."""

    epoch: str
    id: int
    time: int


@dataclass(frozen=True)
class Step:
    """Some entries that concern a stream, with a page that holds the present rows, and the places before and behind."""

    changes: Sequence[Change]
    page: Changes
    before: Place
    behind: Place


class ChangeLog:
    """The log of one pull; the first page is fetched once and shared by the streams."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._shared: Changes | None = None
        self._since = 0
        self._served: set[str] = set()

    def end(self) -> Place:
        """The end of the log: what changes while a full pass reads comes after it.

        The plugin writes an entry when the change is committed; so everything up to here shows in what is read from now on.
        """
        info = self._plugin.ask_info()
        return Place(info.epoch, info.last, info.time)

    def after(self, stream: str, names: Sequence[str], place: Place) -> Iterator[Step] | None:
        """What concerns a stream (the names that the log has for it) after a place, oldest first.

        None when the log does not reach back to the place, or is another one: then everything has to be read.
        """
        first = self._first(stream, place)
        if first.epoch != place.epoch or first.first > place.id + 1 or first.last < place.id:
            return None
        return self._steps(first, names, place)

    def recent(self, stream: str, names: Sequence[str], end: Place) -> Iterator[Step]:
        """The newest entries up to an end of the log, as many as a page takes."""
        start = Place(end.epoch, max(self._plugin.info.first - 1, end.id - PAGE, 0), end.time)
        if self._shared is not None and self._shared.next < end.id:
            self._shared = None  # it was read before the end was where it is now
        return self.after(stream, names, start) or iter(())

    def _first(self, stream: str, place: Place) -> Changes:
        """The first page, from the smallest place that any stream has asked from."""
        known = self._shared
        fits = known is not None and known.after <= place.id and (known.next >= place.id or not known.more)
        if known is None or not fits or self._since > place.time or stream in self._served:
            known = self._shared = self._plugin.changes(place.id, place.time)
            self._since = place.time
            self._served.clear()
        self._served.add(stream)
        return known

    def _steps(self, page: Changes, names: Sequence[str], place: Place) -> Iterator[Step]:
        while True:
            mine = [one for one in page.changes if one.stream in names and (one.id > place.id or not one.id)]
            settled = _settled(page)
            if not page.more and page is not self._shared:
                settled = max(settled, page.last - MARGIN)  # only the own entries were asked for
            before, place = place, Place(place.epoch, max(place.id, settled), max(place.time, page.time))
            yield Step(mine, page, before, place)
            if not page.more:
                return
            page = self._plugin.changes(page.next, 0, names)


def _settled(page: Changes) -> int:
    """The id up to which nothing can become visible any more: the newest entry that is older than the tail."""
    old = [one.id for one in page.changes if one.id and one.time <= page.time - TAIL]
    young = any(one.id and one.time > page.time - TAIL for one in page.changes)
    return max(old, default=page.after) if young else page.next
