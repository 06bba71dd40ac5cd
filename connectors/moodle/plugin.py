"""Asking the companion plugin of a Moodle site: pages of rows by their ids, and the change log.

What it answers is checked before it is used: a page that does not go on behind the last one would never end, and rows
outside of the page that they came on would be taken for gone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.moodle.client import MoodleClient
from connectors.moodle.errors import UnreachableError

PREFIX = "local_certbridge_get_"
PAGE = 5000  # rows, or changes, in one answer
NAMED = 500  # ids that may be named in one call: PHP forgets in silence what is beyond a thousand variables

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Info:
    """What the plugin says of itself: its version, its clock, and how far its change log reaches (0: it is empty).

    `token_until` is when the token ends, in Unix seconds; 0 where it does not.
    """

    version: int
    release: str
    time: int
    epoch: str
    first: int
    last: int
    features: frozenset[str]
    token_until: int


@dataclass(frozen=True)
class Rows:
    """One page of rows. `upto` is the id up to which it shows everything, None at the end; `time` is the site's."""

    rows: Sequence[Row]
    upto: int | None
    time: int


@dataclass(frozen=True)
class Change:
    """One entry of the change log: of a row, or of everything ('whole') of a course, of a user or of the site."""

    id: int
    stream: str
    action: str
    object: int
    course: int
    user: int
    time: int

    @property
    def whole(self) -> bool:
        """Whether more has changed than what one entry can name."""
        return self.action == "whole"


@dataclass(frozen=True)
class Changes:
    """One page of the change log after an id, with the present rows of what it names, by stream."""

    after: int
    time: int
    epoch: str
    first: int
    last: int
    next: int
    more: bool
    changes: Sequence[Change]
    rows: Mapping[str, Sequence[Row]]


class Plugin:
    """The companion plugin of one site. Every method raises MoodleError."""

    def __init__(self, client: MoodleClient) -> None:
        self.client = client

    @cached_property
    def info(self) -> Info:
        """What the plugin said of itself when it was first asked."""
        return self.ask_info()

    def ask_info(self) -> Info:
        """What the plugin says of itself now."""
        function = PREFIX + "info"
        answer = self.client.call(function)
        try:
            info = Info(
                version=int(answer["version"]),
                release=str(answer["release"]),
                time=int(answer["time"]),
                epoch=str(answer["epoch"]),
                first=int(answer["firstchange"]),
                last=int(answer["lastchange"]),
                features=frozenset(answer.get("features", ())),
                token_until=int(answer.get("tokenuntil", 0)),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _unusable(function) from None
        self.client.token_until = info.token_until
        return info

    @cached_property
    def course_ids(self) -> list[int]:
        """The ids of all courses."""
        return sorted(row["id"] for row in self.rows("courses") if isinstance(row.get("id"), int))

    def page(self, name: str, after: int = 0, **chosen: Any) -> Rows:
        """One page of rows whose id is above `after`."""
        function = PREFIX + name
        answer = self.client.call(function, after=after, limit=PAGE, **chosen)
        try:
            rows, upto, time = answer["rows"], int(answer["next"]), int(answer["time"])
            ids = [row["id"] for row in rows if isinstance(row.get("id"), int)]  # one without is refused by itself
            outside = any(one <= after or (upto and one > upto) for one in ids)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _unusable(function) from None
        if outside or (upto and upto <= after):
            raise UnreachableError(
                f"{function}: the page after id {after} holds rows of another page, or leads back; the next pull asks "
                "again. Look for what changes the answers between the site and here."
            )
        return Rows(rows, upto or None, time)

    def pages(self, name: str, **chosen: Any) -> Iterator[Rows]:
        """Every page of rows."""
        after: int | None = 0
        while after is not None:
            page = self.page(name, after, **chosen)
            yield page
            after = page.upto

    def rows(self, name: str, **chosen: Any) -> list[Row]:
        """All rows."""
        return [row for page in self.pages(name, **chosen) for row in page.rows]

    def of_courses(self, name: str, courses: Iterable[int], users: Iterable[int] = ()) -> list[Row]:
        """The rows of these courses, of these users only where some are named."""
        asked = sorted(set(courses))
        people = sorted(set(users))
        found: list[Row] = []
        together = "courseids" in self.info.features
        for some in _parts(asked, NAMED) if together else [[course] for course in asked]:
            chosen: dict[str, Any] = {"courseids": some} if together else {"courseid": some[0]}
            for those in _parts(people, NAMED) or [[]]:
                found += self.rows(name, **chosen, **({"userids": those} if those else {}))
        return found

    def of_users(self, name: str, users: Iterable[int]) -> list[Row]:
        """The rows of these users."""
        return [row for some in _parts(sorted(set(users)), NAMED) for row in self.rows(name, userids=some)]

    def changes(self, after: int, since: int, streams: Sequence[str] = ()) -> Changes:
        """The change log after an id, and what began or ended by itself after the moment `since` (0: leave that out)."""
        function = PREFIX + "changes"
        answer = self.client.call(function, after=after, limit=PAGE, streams=list(streams), since=since)
        try:
            changes = [
                Change(
                    id=int(one["id"]),
                    stream=str(one["stream"]),
                    action=str(one["action"]),
                    object=int(one["objectid"] or 0),
                    course=int(one["courseid"] or 0),
                    user=int(one["userid"] or 0),
                    time=int(one["timecreated"] or 0),
                )
                for one in answer["changes"]
            ]
            page = Changes(
                after=after,
                time=int(answer["time"]),
                epoch=str(answer["epoch"]),
                first=int(answer["first"]),
                last=int(answer["last"]),
                next=int(answer["next"]),
                more=bool(answer["more"]),
                changes=changes,
                rows={name: rows for name, rows in answer.items() if isinstance(rows, list) and name != "changes"},
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            raise _unusable(function) from None
        if page.next < after or (page.more and page.next == after):
            raise UnreachableError(f"{function}: the change log leads back from id {after}; the next pull asks again.")
        return page


def _parts(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _unusable(function: str) -> UnreachableError:
    return UnreachableError(f"{function}: Moodle's answer is JSON, but not what the plugin answers; see its version.")
