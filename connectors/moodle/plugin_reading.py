"""How a stream is read by the companion plugin: everything once, page by page, and from then on what changed.

A cursor is (pass, 'full', epoch, id, time, position…) while everything is read, and (pass, 'log', epoch, id, time) behind
it: the place in the change log. What the log says to have changed is certain: a row that is gone is closed at once.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from connectors.moodle.changes import ChangeLog, Place, Step
from connectors.moodle.errors import MoodleError, RefusedCallError, UnreachableError
from connectors.moodle.plugin import PREFIX, Change, Plugin, Row
from connectors.moodle.ways import PLUGIN
from connectors.streams import Between, Cursor, Failure, In, Page, Raw, Scope, Stream, pass_number

FULL, LOG = "full", "log"
ROWS_AIMED_AT = 10_000  # on a page of whole courses
MOST_COURSES = 200
FAILURES_IN_A_ROW = 3


@dataclass(frozen=True)
class Part:
    """One of the plugin's kinds of rows within a stream, and how the log names what changed in it.

    `columns` are those of the record by which changed rows are found again. They hold what a log entry names: its
    `object`, its `object` and `user`, or its `course` and `user`; or, where entries name a `row` that the record does not
    keep, what is in the row. `fields` are those of the row that hold the same. `number` is the column, if any, that pages
    of ids are in order of.
    """

    name: str
    record: type
    columns: tuple[str, ...]
    named_by: Literal["object", "object_user", "course_user", "row"] = "object"
    fields: tuple[str, ...] = ("id",)
    number: str = ""

    def names(self, change: Change) -> tuple[str, ...] | None:
        """What an entry of the log names, as values of `columns`; None when it names no single thing."""
        named = {
            "object": (change.object,),
            "object_user": (change.object, change.user),
            "course_user": (change.course, change.user),
            "row": (change.object,),
        }[self.named_by]
        return tuple(map(str, named)) if all(named) and not change.whole else None

    def takes_all(self, change: Change) -> bool:
        """Whether an entry says that a parent, such as a cohort, is gone with everything that hangs on it."""
        return self.named_by == "object_user" and bool(change.object and not change.user and not change.whole)


@dataclass
class Touched:
    """What some entries of the log touch in one part.

    `named` by the part's columns; parents that are `emptied`; whole `courses` and `users`; `pairs` of course and user.
    """

    named: set[tuple[str, ...]] = field(default_factory=set)
    emptied: set[tuple[str, ...]] = field(default_factory=set)
    courses: set[int] = field(default_factory=set)
    users: set[int] = field(default_factory=set)
    pairs: set[tuple[int, int]] = field(default_factory=set)


class PluginStream(Stream):
    """A stream that the companion plugin reads."""

    way = PLUGIN
    incremental = True
    parts: ClassVar[tuple[Part, ...]]
    listens: ClassVar[tuple[str, ...]] = ()  # other kinds of rows after whose changes this one is read anew

    def __init__(self, plugin: Plugin, log: ChangeLog) -> None:
        self._plugin = plugin
        self._log = log

    @property
    def functions(self) -> tuple[str, ...]:
        """The plugin's functions that the stream needs."""
        return tuple(PREFIX + name for name in ("info", "changes", *(part.name for part in self.parts)))

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """What changed since the cursor; or everything, when it stands in a full pass or the log does not reach back."""
        self._plugin.client.require(*self.functions)
        number, kind, place, position = _read(cursor)
        names = (*(part.name for part in self.parts), *self.listens)
        if kind == LOG and place is not None:
            steps = self._log.after(self.name, names, place)
            if steps is not None:
                for step in steps:
                    if self._must_read_everything(step.changes):
                        break
                    yield from self._changed(number, step)
                else:
                    return
            number, kind = number + 1, ""
        if kind != FULL or place is None:
            place, position = self._log.end(), ()
            if cursor is not None:  # what the log tells is gone is so at once, and not only when it was missed twice
                yield from self._recent(number, names, place)
        yield from self._all((number, FULL, place.epoch, place.id, place.time), place, position)
        yield Page(_cursor(number + 1, place), ends_pass=True)

    def account_of(self, raw: Mapping[str, Any]) -> str | None:
        """The user that a row is about."""
        user = raw.get("userid")
        return str(user) if isinstance(user, int) and user > 0 else None

    @abstractmethod
    def raws(self, rows: Mapping[str, Sequence[Row]], time: int) -> list[Raw]:
        """The items that rows of the parts are, at the site's `time`."""

    @abstractmethod
    def _all(self, begin: Cursor, place: Place, position: Cursor) -> Iterator[Page]:
        """Everything behind `position`; each page's cursor is `begin` and the position behind it."""

    def _recent(self, number: int, names: Sequence[str], end: Place) -> Iterator[Page]:
        """The newest changes, before everything is read; what must be read whole is read anyway."""
        for step in self._log.recent(self.name, names, end):
            changes = [change for change in step.changes if not self._must_read_everything([change])]
            for page in self._pages_of(replace(step, changes=changes)):
                yield replace(page, cursor=(number, FULL, end.epoch, end.id, end.time))

    def _must_read_everything(self, changes: Iterable[Change]) -> bool:
        return any(
            not change.course and not change.user and self._part(change.stream).names(change) is None
            for change in changes
            if change.stream not in self.listens and not self._part(change.stream).takes_all(change)
        )

    def _part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def _changed(self, number: int, step: Step) -> Iterator[Page]:
        """The pages that one step of the log brings; only the last one moves the cursor."""
        pages = self._pages_of(step)
        for page in pages[:-1]:
            yield replace(page, cursor=_cursor(number, step.before))
        yield replace(pages[-1] if pages else Page(()), cursor=_cursor(number, step.behind))

    def _pages_of(self, step: Step) -> list[Page]:
        pages: list[Page] = []
        for part in self.parts:
            mine = [change for change in step.changes if change.stream == part.name]
            if mine:
                pages += self._changes_of(part, mine, step)
        return pages

    def _changes_of(self, part: Part, changes: Sequence[Change], step: Step) -> Iterator[Page]:
        """The rows that changed in one part: named ones as the log brought them, the rest is asked for."""
        rows, time = step.page.rows.get(part.name, ()), step.page.time
        touched = _touched(part, changes, rows)
        if touched.emptied:
            yield self._page(part, (), In(part.columns[:1], frozenset(touched.emptied)), time)
        if touched.named:
            yield self._page(part, rows, In(part.columns, frozenset(touched.named)), time)
        if touched.pairs:
            yield self._of_pairs(part, touched.pairs, time)
        if touched.courses:
            found = self._plugin.of_courses(part.name, touched.courses)
            yield self._page(part, found, In.courses(map(str, touched.courses)), time)
        if touched.users:
            found = self._plugin.of_users(part.name, touched.users)
            within = In(("user_key",), frozenset((str(user),) for user in touched.users))
            yield self._page(part, found, within, time)

    def _of_pairs(self, part: Part, pairs: set[tuple[int, int]], time: int) -> Page:
        """All rows of these users in these courses."""
        rows = self._rows_of_pairs(part.name, pairs)
        within = In(("course_key", "user_key"), frozenset((str(course), str(user)) for course, user in pairs))
        return self._page(part, rows, within, time)

    def _rows_of_pairs(self, name: str, pairs: set[tuple[int, int]]) -> list[Row]:
        found = self._plugin.of_courses(name, {course for course, _ in pairs}, {user for _, user in pairs})
        return [row for row in found if (row.get("courseid"), row.get("userid")) in pairs]

    def _page(self, part: Part, rows: Sequence[Row], within: In | None, time: int) -> Page:
        scope = Scope((part.record,), within, certain=True)
        return Page((), self.raws({part.name: rows}, time), scope)


class ByNumber(PluginStream):
    """A stream whose full pass goes by the ids of the rows; its position is (part, id)."""

    def _all(self, begin: Cursor, place: Place, position: Cursor) -> Iterator[Page]:
        done, after = (int(position[0]), int(position[1])) if len(position) == 2 else (0, 0)
        for number, part in enumerate(self.parts):
            if number < done:
                continue
            upto: int | None = after if number == done else 0
            while upto is not None:
                page = self._plugin.page(part.name, upto)
                scope = Scope((part.record,), Between(part.number, upto, page.upto))
                key = f"{part.name}:{upto}"
                upto = page.upto
                at = (number + 1, 0) if upto is None else (number, upto)
                yield Page((*begin, *at), self.raws({part.name: page.rows}, page.time), scope, key=key)


class ByCourse(PluginStream):
    """A stream whose full pass goes by groups of whole courses; its position is the last course read."""

    def _all(self, begin: Cursor, place: Place, position: Cursor) -> Iterator[Page]:
        after = int(position[0]) if position else 0
        courses = [course for course in self._plugin.course_ids if course > after]
        size, failures = 1, 0
        while courses:
            group = courses[:size]
            key = f"course:{group[0]}" if len(group) == 1 else f"courses:{group[0]}-{group[-1]}"
            try:
                rows = {part.name: self._plugin.of_courses(part.name, group) for part in self.parts}
            except (UnreachableError, RefusedCallError) as error:
                if error.whole_source:
                    raise
                if len(group) > 1:
                    size = 1  # which of them is it?
                    continue
                failures += 1
                if failures == FAILURES_IN_A_ROW:
                    raise
                yield Page((*begin, group[-1]), failure=self._failure(group[0], error))
                courses = courses[1:]
                continue
            failures = 0
            scope = Scope(self.records, In.courses(map(str, group)))
            yield Page((*begin, group[-1]), self.raws(rows, place.time), scope, key=key)
            courses = courses[len(group) :]
            size = _next_size(len(group), sum(map(len, rows.values())))

    def _failure(self, course: int, error: MoodleError) -> Failure:
        request = {"function": PREFIX + self.parts[0].name, "courseid": course}
        return Failure(f"course:{course}", request, str(error))


def _touched(part: Part, changes: Iterable[Change], rows: Iterable[Row]) -> Touched:
    touched = Touched({tuple(str(row.get(name)) for name in part.fields) for row in rows})
    present = {str(row.get("id")) for row in rows}
    for change in changes:
        names = part.names(change)
        if part.takes_all(change):
            touched.emptied.add((str(change.object),))
        elif names is not None and (part.named_by != "row" or str(change.object) in present):
            touched.named |= {names} if part.named_by != "row" else set()
        elif change.course and change.user:
            touched.pairs.add((change.course, change.user))
        elif change.course:
            touched.courses.add(change.course)
        elif change.user:
            touched.users.add(change.user)
    return touched


def _next_size(courses: int, rows: int) -> int:
    """How many courses to read next, when so many had so many rows: up to twice as many."""
    fitting = courses * ROWS_AIMED_AT // max(rows, 1)
    return max(1, min(fitting, 2 * courses, MOST_COURSES))


def _cursor(number: int, place: Place) -> Cursor:
    return (number, LOG, place.epoch, place.id, place.time)


def _read(cursor: Cursor | None) -> tuple[int, str, Place | None, Cursor]:
    """Pass, kind, place and position; a cursor of another way begins a pass of its own."""
    if cursor is None or len(cursor) < 5 or cursor[1] not in (FULL, LOG):
        other = cursor is not None and len(cursor) > 1
        return pass_number(cursor) + other, "", None, ()
    place = Place(str(cursor[2]), int(cursor[3]), int(cursor[4]))
    return pass_number(cursor), str(cursor[1]), place, tuple(cursor[5:])


def grouped(rows: Iterable[Row], *fields: str) -> dict[tuple[object, ...], list[Row]]:
    """The rows by the values of some fields."""
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(field) for field in fields)].append(row)
    return groups
