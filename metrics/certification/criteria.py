"""When a section of a rule is satisfied, and by which evidence: 'When is it achieved' of the specification of rules.

Three steps, so that a person with thousands of pieces costs little more than one with ten:

    Criteria    the sections of a rule's versions with their leaves numbered, and for each (kind, object) the leaves that
                look at it; made once per rule
    Facts       one person's pieces that count, in one list per leaf by achievement; pieces come and go one at a time
    satisfied   the first moment at which a section is met, and the pieces used

Every composite is 'at least n of its children': `all_of` all of them, `any_of` one. It is met at its n-th earliest child
and uses the n children met earliest, ties in the rule's order.

Where no leaf has `newer_than` and none looks at another certification, a leaf that is met stays met, and the moment is
found directly. Otherwise the tree is asked at each moment at which one of its leaves may become met, in order.

All moments are aware and in UTC. Nothing here reads a clock.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from heapq import merge
from typing import NamedTuple
from zoneinfo import ZoneInfo

from metrics.certification.evidence import IMPORTED, Piece
from metrics.certification.rule import AllOf, Criterion, Leaf, NOf, Section
from plugin.moments import Duration, add

LATEST = datetime.max.replace(tzinfo=UTC)  # where a calendar sum leaves the years that Python knows

Interval = tuple[datetime, datetime | None]
"""From when until when another certification is held; None where no end is known."""


_NO_HOURS = Decimal(0)


class Held(NamedTuple):
    """An interval with the time in which it was known; without `known_from`, since it began."""

    begins: datetime
    ends: datetime | None
    known_from: datetime | None = None
    known_until: datetime | None = None


Holdings = Mapping[str, Sequence[Interval | Held]]
"""The other certifications of one person, by code."""


class Entry(NamedTuple):
    """A piece on a leaf's list; the lists are in this order: by achievement, then by arrival."""

    achieved_at: datetime
    recorded_at: datetime
    id: int
    piece: Piece


class State(NamedTuple):
    """Another certification held in `begins <= t < ends`; `source` is None where our own store says so."""

    begins: datetime
    ends: datetime | None
    source: str | None


class Met(NamedTuple):
    """A criterion is met at `at` by the pieces `used`; `fresh` where something that may renew took part in it."""

    at: datetime
    used: tuple[Entry, ...]
    fresh: bool


class Search(NamedTuple):
    """What may count when a section is looked at.

    `since`: no evidence achieved before it (None: all of it). `spent`: ids of pieces used by earlier awards. `after`: when
    the current award was achieved; another certification that began no later, or before `since`, counts beside evidence
    but renews nothing alone. `not_before`: when the rule's version begins to decide. `until`: how far one may look.
    """

    until: datetime
    since: datetime | None = None
    spent: AbstractSet[int] = frozenset()
    after: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """A node of the tree as it stands: what it asks, when and by what it is met (None: it is not), and its children."""

    criterion: Criterion
    met: Met | None
    of: tuple["Outline", ...]


class _View(NamedTuple):
    """The part of a search that one look at the tree takes: evidence of `since <= achieved_at <= until`, asked at `at`.

    `at` None: whatever newer_than says and other certifications are at that moment.
    """

    since: datetime | None
    until: datetime
    at: datetime | None
    search: Search


@dataclass(frozen=True, slots=True)
class _LeafNode:
    number: int
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class _SomeNode:
    n: int
    of: tuple["_Node", ...]


_Node = _LeafNode | _SomeNode


class _Tree:
    """A section made ready: its tree with numbered leaves, and whether a leaf that is met stays met."""

    def __init__(self, section: Section, root: _Node) -> None:
        self.root = root
        self.within = section.within
        self.leaves = tuple({node.number: node for node in _leaf_nodes(root)}.values())
        self.stays_met = not any(node.leaf.newer_than or node.leaf.kind == "certification" for node in self.leaves)


class Criteria:
    """The sections of a rule's versions, made ready; shared by everybody whom the rule is asked about."""

    def __init__(self, sections: Iterable[Section], code: str = "") -> None:
        self.code = code
        self.leaves: list[Leaf] = []
        self.routes: dict[tuple[str, str], list[int]] = {}
        self._numbers: dict[Leaf, int] = {}
        self._trees: dict[int, tuple[Section, _Tree]] = {}  # by identity; the section is kept, so its id stays its own
        for section in sections:
            if id(section) not in self._trees:
                self._trees[id(section)] = (section, _Tree(section, self.node(section.criterion)))

    def tree(self, section: Section) -> _Tree:
        """The tree of `section`, which must be one of those given."""
        return self._trees[id(section)][1]

    def number(self, leaf: Leaf) -> int:
        """The number of a leaf of one of the sections."""
        return self._numbers[leaf]

    @cached_property
    def codes(self) -> frozenset[str]:
        """The other certifications that the leaves look at."""
        return frozenset(leaf.object for leaf in self.leaves if leaf.kind == "certification")

    def leaves_met_by(self, piece: Piece) -> list[int]:
        """The numbers of the leaves to which `piece` can count."""
        if piece.kind == IMPORTED:
            return [len(self.leaves)] if piece.object == self.code else []
        numbers: Iterable[int] = self.routes.get((piece.kind, piece.object), ())
        if piece.kind == "hours":
            names = {piece.object, piece.course or "", piece.category or ""}
            numbers = sorted({number for name in names for number in self.routes.get(("hours", name), ())})
        return [number for number in numbers if matches(self.leaves[number], piece)]

    def node(self, criterion: Criterion) -> _Node:
        """A criterion of one of the sections, its leaves numbered."""
        if isinstance(criterion, Leaf):
            return _LeafNode(self._number(criterion), criterion)
        children = tuple(self.node(child) for child in criterion.of)
        if isinstance(criterion, NOf):
            return _SomeNode(criterion.n, children)
        return _SomeNode(len(children) if isinstance(criterion, AllOf) else 1, children)

    def _number(self, leaf: Leaf) -> int:
        if leaf not in self._numbers:
            number = self._numbers[leaf] = len(self.leaves)
            self.leaves.append(leaf)
            if leaf.kind != "certification":
                objects = {*leaf.courses, *leaf.categories} if leaf.kind == "hours" else {leaf.object}
                for name in objects:
                    self.routes.setdefault((leaf.kind, name), []).append(number)
        return self._numbers[leaf]


class Facts:
    """One person's evidence that counts, sorted to the leaves that it can meet, and the certifications held."""

    def __init__(self, criteria: Criteria, zone: ZoneInfo) -> None:
        self.criteria = criteria
        self.zone = zone
        self.entries: list[list[Entry]] = [[] for _ in (*criteria.leaves, IMPORTED)]
        self.states: dict[str, list[State]] = {}
        self._latest: datetime | None = None  # nothing that was ever put here was achieved later
        self._sums: dict[tuple[datetime, Duration], datetime] = {}

    def put(self, entry: Entry, numbers: Iterable[int]) -> None:
        """Let a piece count for the leaves of these numbers."""
        if self._latest is None or entry.achieved_at > self._latest:
            self._latest = entry.achieved_at
        for number in numbers:
            shelf = self.entries[number]
            if not shelf or shelf[-1] < entry:
                shelf.append(entry)
            else:
                insort(shelf, entry)

    def take(self, entry: Entry, numbers: Iterable[int]) -> None:
        """Let a piece count no longer."""
        for number in numbers:
            shelf = self.entries[number]
            del shelf[bisect_left(shelf, entry)]

    def is_over(self, search: Search) -> bool:
        """Whether certainly nothing here can be found by `search`; other certifications may always be."""
        return not self.states and (self._latest is None or (search.since is not None and self._latest < search.since))

    def imported(self, after: datetime | None, until: datetime) -> Entry | None:
        """The first award from elsewhere that was achieved later than `after`, and not after `until`."""
        shelf = self.entries[-1]
        if not shelf:
            return None
        first = bisect_right(shelf, after, key=_achieved) if after is not None else 0
        return shelf[first] if first < len(shelf) and shelf[first].achieved_at <= until else None

    def hold(self, code: str, state: State) -> None:
        """Another certification is held."""
        insort(self.states.setdefault(code, []), state, key=_by_beginning)

    def let_go(self, code: str, state: State) -> None:
        """What was said with `hold` is no longer so."""
        self.states[code].remove(state)

    def later(self, moment: datetime, duration: Duration) -> datetime:
        """`moment` + `duration` on the organisation's calendar; LATEST where no calendar reaches."""
        key = (moment, duration)
        if key not in self._sums:
            try:
                self._sums[key] = add(moment, duration, self.zone)
            except OverflowError:
                self._sums[key] = LATEST
        return self._sums[key]

    def outline(self, criterion: Criterion, search: Search) -> "Outline":
        """How the criteria of a section stand at `search.until`, node by node, whatever within says."""
        met = self.look(self.criteria.node(criterion), _view_at(search))
        of = () if isinstance(criterion, Leaf) else tuple(self.outline(child, search) for child in criterion.of)
        return Outline(criterion, met, of)

    # One look at the tree -------------------------------------------------------------------------------------------

    def look(self, node: _Node, view: _View) -> Met | None:
        """Whether `node` is met in `view`, when and by what."""
        if isinstance(node, _LeafNode):
            return self.look_at_leaf(node, view)
        met = []
        for child in node.of:
            found = self.look_at_leaf(child, view) if isinstance(child, _LeafNode) else self.look(child, view)
            if found is not None:
                met.append(found)
        if len(met) < node.n:
            return None
        return _combined(_earliest(met, node.n))

    def leaf_alone(self, leaf: Leaf, search: Search) -> Met | None:
        """Whether one leaf is met by what counts at `search.until`, whatever newer_than says."""
        node = _LeafNode(self.criteria.number(leaf), leaf)
        if leaf.kind == "certification":
            return self.look_at_leaf(_LeafNode(node.number, replace(leaf, newer_than=None)), _view_at(search))
        return self.look_at_leaf(node, _view_at(search)._replace(at=None))

    def look_at_leaf(self, node: _LeafNode, view: _View) -> Met | None:
        """Whether one leaf is met in `view`, when and by what."""
        leaf = node.leaf
        if leaf.kind == "certification":
            return self._held(leaf, view)
        shelf = self.entries[node.number]
        if not shelf:
            return None
        first = bisect_left(shelf, (view.since,)) if view.since is not None else 0
        if leaf.newer_than is not None and view.at is not None:
            first = max(first, bisect_left(shelf, _certainly_stale(view.at, leaf.newer_than), key=_achieved))
        until, spent, is_hours = view.until, view.search.spent, leaf.kind == "hours"
        hours, summed = _NO_HOURS, []
        for index in range(first, len(shelf)):
            entry = shelf[index]
            if entry.achieved_at > until:
                break
            if entry.id in spent or not (leaf.newer_than is None or self._is_newer(entry, leaf.newer_than, view.at)):
                continue
            if not is_hours:
                return Met(entry.achieved_at, (entry,), True)
            hours += entry.piece.hours or 0
            summed.append(entry)
            if hours >= (leaf.at_least or 0):
                return Met(entry.achieved_at, tuple(summed), fresh=True)
        return None

    def _is_newer(self, entry: Entry, newer_than: Duration, at: datetime | None) -> bool:
        return at is None or self.later(entry.achieved_at, newer_than) >= at

    def _held(self, leaf: Leaf, view: _View) -> Met | None:
        """A state is met while it lasts; looked at whenever it may be (`at` None), since its first beginning."""
        since: datetime | None = None  # the beginning of what is held without a break
        until: datetime | None = None
        for state in self.states.get(leaf.object, ()):
            if leaf.source is not None and leaf.source != state.source:
                continue
            if view.at is None:
                return Met(state.begins, (), fresh=True)
            if since is None or (until is not None and until < state.begins):
                since, until = state.begins, state.ends
            elif until is not None:
                until = None if state.ends is None else max(until, state.ends)
            if (
                state.begins <= view.at
                and (state.ends is None or state.ends > view.at)
                and (leaf.newer_than is None or self.later(state.begins, leaf.newer_than) >= view.at)
            ):
                return Met(state.begins, (), fresh=_renews(since, view.search))
        return None

    # The first moment -----------------------------------------------------------------------------------------------

    def satisfied(self, section: Section, search: Search) -> Met | None:
        """The first moment at which `section` is satisfied and the pieces used, in the order of achievement."""
        tree = self.criteria.tree(section)
        if not tree.stays_met:
            return self._first_of_many(tree, search)
        if tree.within:
            found = self._within(tree, search, tree.within)
        else:
            found = self.look(tree.root, _View(search.since, search.until, None, search))
        if found is not None and search.not_before is not None and found.at < search.not_before:
            found = found._replace(at=search.not_before)
        return found if found is not None and found.at <= search.until else None

    def _within(self, tree: _Tree, search: Search, within: Duration) -> Met | None:
        """The first moment at which pieces within the duration do: from each piece on, as if nothing was before it."""
        needed = None
        for start in self._achievements(tree, search):
            if needed is not None and self.later(start, within) < needed:
                continue  # the tree is met no earlier from here than from further back
            found = self.look(tree.root, _View(start, search.until, None, search))
            if found is None:
                return None
            if self._lies_within(found, within):
                return found
            needed = found.at
        return None

    def _first_of_many(self, tree: _Tree, search: Search) -> Met | None:
        """As `satisfied`, where a leaf that is met may be so no longer at a later moment."""
        earliest = self.look(tree.root, _View(search.since, search.until, None, search))
        if earliest is None:
            return None
        begins = {
            state.begins
            for node in tree.leaves
            if node.leaf.kind == "certification"
            for state in self.states.get(node.leaf.object, ())
            if search.since is None or state.begins >= search.since
        }
        if search.not_before is not None:
            begins.add(search.not_before)
        starts: list[datetime] = []
        previous = None
        for at, is_achieved in merge(
            ((moment, False) for moment in sorted(begins)),
            ((moment, True) for moment in self._achievements(tree, search)),
        ):
            if at > search.until:
                return None
            if is_achieved:
                starts.append(at)
            too_early = at < earliest.at or (search.not_before is not None and at < search.not_before)
            if not too_early and (is_achieved or at != previous):
                found = self._met_at(tree, at, search, starts, all_windows=at in begins)
                if found is not None:
                    return Met(at, found.used, fresh=True)
            previous = at
        return None

    def _met_at(
        self, tree: _Tree, at: datetime, search: Search, starts: Sequence[datetime], *, all_windows: bool
    ) -> Met | None:
        if tree.within is None:
            found = self.look(tree.root, _View(search.since, at, at, search))
            return found if found is not None and found.fresh else None
        first = 0 if all_windows else bisect_left(starts, _certainly_stale(at, tree.within))
        for start in starts[first:]:
            end = self.later(start, tree.within)
            if not all_windows and end < at:
                continue  # what becomes met by a piece of this moment uses that piece
            found = self.look(tree.root, _View(start, min(at, end), at, search))
            if found is not None and found.fresh and self._lies_within(found, tree.within):
                return found
        found = self.look(tree.root, _View(LATEST, at, at, search))  # states alone
        return found if found is not None and found.fresh else None

    def _achievements(self, tree: _Tree, search: Search) -> Iterator[datetime]:
        """The distinct moments of achievement of what may count for the tree, in order, as far as they are asked for."""
        previous = None
        for moment in merge(*(self._achieved_on(node.number, search) for node in tree.leaves)):
            if moment != previous:
                yield moment
            previous = moment

    def _achieved_on(self, number: int, search: Search) -> Iterator[datetime]:
        shelf = self.entries[number]
        first = bisect_left(shelf, (search.since,)) if search.since is not None else 0
        for index in range(first, len(shelf)):
            if shelf[index].id not in search.spent:
                yield shelf[index].achieved_at

    def _lies_within(self, met: Met, within: Duration) -> bool:
        return not met.used or self.later(met.used[0].achieved_at, within) >= met.used[-1].achieved_at


def matches(leaf: Leaf, piece: Piece) -> bool:
    """Whether `piece` is what `leaf` looks for, whenever it was achieved."""
    return (
        piece.kind == leaf.kind
        and leaf.source in (None, piece.source)
        and (piece.object == leaf.object or leaf.kind == "hours")
        and (leaf.kind not in _LOOKS or _LOOKS[leaf.kind](leaf, piece))
    )


def _passed(leaf: Leaf, piece: Piece) -> bool:
    return piece.success is not False and _reaches(piece.percent, leaf.at_least)


def _scored(leaf: Leaf, piece: Piece) -> bool:
    return _reaches(piece.percent, leaf.at_least)


def _stated(leaf: Leaf, piece: Piece) -> bool:
    return (
        piece.verb is not None
        and _verb(piece.verb) == _verb(leaf.verb or "")
        and piece.success in (None, leaf.success is not False)
        and _reaches(piece.percent, leaf.at_least)
        and leaf.authority in (None, piece.authority)  # who does not say who stated it does not meet the demand
    )


def _rated(leaf: Leaf, piece: Piece) -> bool:
    return _reaches(piece.level, leaf.at_least)


def _not_failed(leaf: Leaf, piece: Piece) -> bool:
    return piece.success is not False


def _hours_of(leaf: Leaf, piece: Piece) -> bool:
    of_courses = any(name in leaf.courses for name in (piece.object, piece.course))
    return (piece.hours or 0) > 0 and (
        of_courses or any(name in leaf.categories for name in (piece.object, piece.category))
    )


_LOOKS: dict[str, Callable[[Leaf, Piece], bool]] = {
    "completed": _not_failed,
    "passed": _passed,
    "score": _scored,
    "statement": _stated,
    "competency": _rated,
    "hours": _hours_of,
    "assessed": _not_failed,
}
"""What a leaf looks at beyond kind, source and object; of a badge and a certification the name is all."""


def _reaches(figure: Decimal | None, at_least: Decimal | None) -> bool:
    return at_least is None or (figure is not None and figure >= at_least)


def _verb(iri: str) -> str:
    return iri.rstrip("/").rsplit("/", 1)[-1]


def _renews(held_since: datetime, search: Search) -> bool:
    """Whether a certification that is held can make an award on its own: the first one, or it began after the last."""
    return (search.since is None or held_since >= search.since) and (search.after is None or held_since > search.after)


def _earliest(met: list[Met], n: int) -> list[Met]:
    """The `n` met earliest; where none of them is new, the earliest new one in place of the last."""
    if n == len(met):
        return met
    in_order = sorted(met, key=lambda child: child.at)  # stable: ties stay in the rule's order
    chosen = in_order[:n]
    if not any(child.fresh for child in chosen):
        chosen[-1:] = next(([child] for child in in_order[n:] if child.fresh), chosen[-1:])
    return chosen


def _combined(met: list[Met]) -> Met:
    if len(met) == 1:
        return met[0]
    used = {entry.id: entry for child in met for entry in child.used}
    return Met(max(child.at for child in met), tuple(sorted(used.values())), any(child.fresh for child in met))


def _certainly_stale(at: datetime, newer_than: Duration) -> datetime:
    """A moment before which nothing is newer than `newer_than` at `at`: the longest the duration can be, and two days."""
    days = newer_than.years * 366 + newer_than.months * 31 + newer_than.weeks * 7 + newer_than.days + 2
    try:
        return at - timedelta(days, newer_than.hours * 3600 + newer_than.minutes * 60 + newer_than.seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _view_at(search: Search) -> _View:
    return _View(search.since, search.until, search.until, search)


def _leaf_nodes(node: _Node) -> list[_LeafNode]:
    if isinstance(node, _LeafNode):
        return [node]
    return [leaf for child in node.of for leaf in _leaf_nodes(child)]


def _achieved(entry: Entry) -> datetime:
    return entry.achieved_at


def _by_beginning(state: State) -> datetime:
    return state.begins
