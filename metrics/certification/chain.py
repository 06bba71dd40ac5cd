"""Awards in time: the chain that evidence makes, and what becomes of it as knowledge changes.

An award is achieved, renewed from W (its end less the window) to G (its end plus the grace), or lapses at G; the next one
then starts as the first did. That chain depends only on what counts; it is derived anew at every moment at which
something was recorded, voided or began to decide, and matched with the awards that were granted before: what is found
again is kept or re-based, the rest is revoked at that moment. `advance` is one such step, `derive` all of them up to a
moment; a store that keeps the awards and calls `advance` at each `knowledge_moments` holds what `derive` answers.

A version of a rule decides the awards achieved from its day on, the first version those before it too. Evidence from
before that day counts; where it already meets the new version, the award is achieved as that day begins. A granted award
keeps its version.

All moments are aware and in UTC; every calendar sum is made on the organisation's wall clock. Nothing here reads a clock.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from metrics.certification.criteria import LATEST, Criteria, Entry, Facts, Held, Holdings, Interval, Met, Search, State
from metrics.certification.evidence import Piece
from metrics.certification.rule import Rule, Section, Validity
from plugin.moments import add, end_of_anchor_day, start_of_day, subtract

EARLIEST = datetime.min.replace(tzinfo=UTC)
REMEMBERED = (
    4096  # how many ends of awards a rulebook knows the dates of at a time; each is asked for many times in a row
)


@dataclass(slots=True, unsafe_hash=True)  # changed by nobody; frozen, it would be three times as slow to make
class Award:
    """One period in which a person holds, or held, a certification: `valid_from <= t < valid_until`.

    `number` is its own within the chain, from 1, and stays with it when it is re-based. `valid_until` is None where it
    has no end. `used` are the ids of the pieces behind it, by achievement. A revoked award ends at `revoked_at` at the
    latest.
    """

    number: int
    achieved_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    basis: str
    rule_version: int
    used: tuple[int, ...]
    revoked_at: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether the person holds the certification by this award at `moment`."""
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


_NONE: tuple[Award, ...] = ()


class Dates(NamedTuple):
    """What an award's end brings with it: renewal opens (W), the end (U), the grace ends (G). None: never."""

    window_opens: datetime | None
    ends: datetime | None
    grace_ends: datetime | None


class Rulebook:
    """The versions of one certification's rule in the order in which they decide, made ready for any number of people.

    `learnt` says when each version came to be, where that matters: before that moment nothing is decided by it, so that
    awards granted under an older version stand. `regraded` are the moments at which a version was applied to those too:
    from then on it decides in place of itself and all versions before it, from the beginning. Those before it are
    `retired`: they decide nothing any more. Raises ValueError without a version.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        zone: ZoneInfo,
        learnt: Mapping[int, datetime] | None = None,
        regraded: Iterable[tuple[datetime, int]] = (),
    ) -> None:
        everything, applied = list(rules), sorted(regraded)
        versions = sorted(
            _regraded(everything, applied), key=lambda rule: (rule.effective_from or date.min, rule.version)
        )
        if not versions:
            raise ValueError("a certification needs at least one version of its rule")
        self.zone = zone
        self._dates: dict[tuple[int, datetime], Dates] = {}
        self.regraded = tuple(applied)
        self.versions = tuple(versions)
        self.only = versions[0] if len(versions) == 1 else None
        self.by_version = {rule.version: rule for rule in [*everything, *versions]}
        self.retired = self.by_version.keys() - {rule.version for rule in versions}
        deciding = {rule.effective_from or date.min: rule for rule in versions}  # of one day's versions the newest
        self.deciding = tuple(deciding.values())
        self.begins = tuple(start_of_day(day, zone) for day in list(deciding)[1:])  # of all but the first
        self.begin_of = {
            rule.version: start_of_day(rule.effective_from, zone)
            for rule in versions
            if rule.effective_from is not None and rule.effective_from != versions[0].effective_from
        }
        known = [*versions, *(self.by_version[version] for version in sorted(self.retired))]
        sections = (section for rule in known for section in (rule.earn, rule.renew))
        self.criteria = Criteria(sections, versions[0].code)
        first = min(self.by_version)
        times = {moment for version, moment in (learnt or {}).items() if version != first}
        self.learnt = tuple(sorted(times.union(moment for moment, _ in applied)))
        self._stages = [
            Rulebook(
                [
                    rule
                    for rule in everything
                    if rule.version == first or (learnt or {}).get(rule.version, EARLIEST) < moment
                ],
                zone,
                regraded=[(since, version) for since, version in applied if since < moment],
            )
            for moment in self.learnt
        ]
        for place, stage in enumerate(self._stages):  # each knows what was learnt until then, and when
            stage.learnt, stage._stages = self.learnt[:place], self._stages[:place]
        self.turns = frozenset(self.begins).union(*(stage.begins for stage in self._stages))

    def known(self, at: datetime) -> "Rulebook":
        """The book as it stood at `at`: with the versions that had come to be, the first one always, as applied by then."""
        stage = bisect_right(self.learnt, at)
        return self if stage == len(self._stages) else self._stages[stage]

    def in_force(self, moment: datetime) -> Rule:
        """The version that decides an award achieved at `moment`."""
        return self.deciding[bisect_right(self.begins, moment)]

    def dates(self, award: Award) -> Dates:
        """W, U and G of an award by the version that granted it."""
        if award.valid_until is None:
            return Dates(None, None, None)
        key = award.rule_version, award.valid_until
        dates = self._dates.get(key)
        if dates is None:
            if len(self._dates) >= REMEMBERED:
                self._dates.clear()
            dates = self._dates[key] = self._dates_of(award.valid_until, self.by_version[award.rule_version].validity)
        return dates

    def _dates_of(self, ends: datetime, validity: Validity) -> Dates:
        try:
            window_opens = subtract(ends, validity.window, self.zone)
        except OverflowError:
            window_opens = EARLIEST
        try:
            grace_ends = add(ends, validity.grace, self.zone)
        except OverflowError:
            grace_ends = LATEST
        return Dates(window_opens, ends, grace_ends)

    def facts(self, pieces: Iterable[Piece], at: datetime, holdings: Holdings | None = None) -> Facts:
        """What counts of one person's pieces at `at`; `holdings` are the other certifications as known then."""
        facts = Facts(self.criteria, self.zone)
        listed = list(pieces)
        for entry, numbers, spans in _counting(self, listed, at):
            if spans[-1][1] is None:
                facts.put(entry, numbers)
        for code, state, (_, until) in _states(self, listed, at, holdings):
            if until is None:
                facts.hold(code, state)
        return facts


def derive(book: Rulebook, pieces: Iterable[Piece], as_of: datetime, holdings: Holdings | None = None) -> list[Award]:
    """The awards of one person as of `as_of`, revoked ones included, by valid_from.

    `pieces` are all that were ever recorded about the person, in any order; what does not concern the rule costs little.
    Pieces of kind certification say that another one is held from achieved_at until voided_at; `holdings` says so of
    certifications in our own store, as known at `as_of`.
    """
    listed = list(pieces)
    learnt = [moment for moment in book.learnt if moment <= as_of]
    if not learnt:
        return _folded(book.known(as_of), listed, as_of, holdings)
    awards = _folded(book.known(EARLIEST), listed, learnt[0] - timedelta.resolution, holdings)
    moments = {*knowledge_moments(book.known(as_of), listed, as_of, holdings), *book.turns}
    for moment in sorted({*learnt, *(moment for moment in moments if learnt[0] <= moment <= as_of)}):
        awards = advance(book.known(moment), awards, listed, moment, holdings)
    return awards


def _folded(book: Rulebook, listed: list[Piece], as_of: datetime, holdings: Holdings | None) -> list[Award]:
    """All steps up to `as_of`, by versions that were all known before the first of them."""
    facts, awards, chain = Facts(book.criteria, book.zone), _NONE, _NONE
    counting = _counting(book, listed, as_of)
    if _is_in_order(book, counting):
        for entry, numbers, _ in counting:
            facts.put(entry, numbers)
        return list(_settled(book, facts, _NONE, _NONE, as_of)[0])
    last = EARLIEST  # the latest moment that anything so far lies at
    waiting: datetime | None = None  # since what was only added at the end: the chain is not derived yet
    for known_at, changes in _steps(book, counting, _states(book, listed, as_of, holdings), as_of):
        point = min(change.point for change in changes)
        in_order = point > last
        if not in_order and waiting is not None:
            awards, chain = _settled(book, facts, awards, chain, waiting)
            waiting = None
        for change in changes:
            change.apply(facts)
        last = max(last, *(change.point for change in changes))
        if in_order:
            waiting = known_at
        else:
            kept = sum(award.achieved_at < point for award in chain)
            rejoins = None if any(change.lasts for change in changes) else max(change.point for change in changes)
            awards, chain = _settled(book, facts, awards, chain[:kept], known_at, chain[kept:], rejoins)
    if waiting is not None:
        awards, chain = _settled(book, facts, awards, chain, waiting)
    return list(awards)


def advance(
    book: Rulebook,
    before: Sequence[Award],
    pieces: Iterable[Piece],
    at: datetime,
    holdings: Holdings | None = None,
) -> list[Award]:
    """The awards at `at`, given those `before` it: one step, for a moment at which knowledge changed.

    `pieces` are all that were recorded about the person, voided ones included; `holdings` is as known at `at`.
    """
    awards, _ = _settled(book, book.facts(pieces, at, holdings), tuple(before), _NONE, at)
    return list(awards)


def held(
    book: Rulebook, awards: Sequence[Award], pieces: Iterable[Piece], as_of: datetime, holdings: Holdings | None = None
) -> list[Held]:
    """When the certification was held, and when that was known, for rules that look at it; `awards` is what `derive` gave.

    What was once known of other times of it is there too, so that what was decided by it then stays decidable.
    """
    listed, found = list(pieces), []
    counting = _counting(book, listed, as_of)
    if not any(moment <= as_of for moment in book.learnt) and _is_in_order(book.known(as_of), counting):
        known = {entry.id: spans[0][0] for entry, _, spans in counting}
        return [Held(award.valid_from, award.valid_until, max(known[each] for each in award.used)) for award in awards]
    moments = {*knowledge_moments(book.known(as_of), listed, as_of, holdings), *book.learnt, *book.turns}
    so_far: list[Award] = []
    since: dict[Interval, datetime] = {}
    for moment in sorted(moment for moment in moments if moment <= as_of):
        so_far = advance(book.known(moment), so_far, listed, moment, holdings)
        now = dict.fromkeys((award.valid_from, award.valid_until) for award in so_far)
        for interval in since.keys() - now.keys():
            found.append(Held(*interval, since.pop(interval), moment))
        for interval in now:
            since.setdefault(interval, moment)
    return [*found, *(Held(*interval, known_from) for interval, known_from in since.items())]


def knowledge_moments(
    book: Rulebook, pieces: Iterable[Piece], as_of: datetime, holdings: Holdings | None = None
) -> list[datetime]:
    """The moments up to `as_of` at which what is known about one person changes for this rule, in order."""
    listed = list(pieces)
    steps = _steps(book, _counting(book, listed, as_of), _states(book, listed, as_of, holdings), as_of)
    return [known_at for known_at, _ in steps]


def _regraded(rules: list[Rule], applied: Sequence[tuple[datetime, int]]) -> list[Rule]:
    """The versions that decide once those of `applied` were applied to what older ones had granted."""
    newest = max((version for _, version in applied), default=None)
    if newest is None:
        return rules
    return [
        replace(rule, effective_from=None) if rule.version == newest else rule
        for rule in rules
        if rule.version >= newest
    ]


# The chain ------------------------------------------------------------------------------------------------------------


def _settled(
    book: Rulebook,
    facts: Facts,
    before: tuple[Award, ...],
    kept: tuple[Award, ...],
    at: datetime,
    former: tuple[Award, ...] = _NONE,
    changed_until: datetime | None = None,
) -> tuple[tuple[Award, ...], tuple[Award, ...]]:
    """All awards at `at` by valid_from, and those of them that make the chain; `kept` is its known beginning.

    `former` is what followed on `kept` before some pieces came or went, the last of them achieved at `changed_until`.
    Where the new chain comes upon an award of it after which none of those pieces can count, the rest is as it was.
    """
    standing = tuple(award for award in before if award.revoked_at is None)
    chain = list(kept)
    spent = {piece for award in kept for piece in award.used}
    places = {award.achieved_at: place for place, award in enumerate(former)} if changed_until is not None else {}
    while (found := _next(book, facts, chain, spent, standing, at)) is not None:
        chain.append(found)
        spent.update(found.used)
        place = places.get(found.achieved_at)
        if place is not None and changed_until is not None and _is_same(found, former[place]):
            opens = book.dates(found).window_opens
            since = found.achieved_at if opens is None else max(opens, found.achieved_at)
            earlier = [*chain[-2:-1], *former[:place][-1:]]  # what they use may be spent in one chain, not in the other
            if since > changed_until and all(award.achieved_at < since for award in earlier):
                chain.extend(former[place + 1 :])
                break
    return _matched(before, standing, chain, at)


def _is_same(award: Award, other: Award) -> bool:
    return replace(award, number=other.number) == other


def _next(
    book: Rulebook, facts: Facts, chain: list[Award], spent: set[int], standing: tuple[Award, ...], until: datetime
) -> Award | None:
    """The award that follows on `chain`: a row of the table of awards, or one granted elsewhere if that is no later."""
    found = _earned(book, facts, chain, spent, standing, until)
    entry = facts.imported(chain[-1].achieved_at if chain else None, until)
    if entry is not None and (found is None or entry.achieved_at <= found.achieved_at):
        return _imported(book, entry)
    return found


def _earned(
    book: Rulebook, facts: Facts, chain: list[Award], spent: set[int], standing: tuple[Award, ...], until: datetime
) -> Award | None:
    if not chain:
        first = _decided(book, facts, to_earn, Search(until), standing)
        return first and _first(book, *first)
    current, search = chain[-1], search_after(book, chain[-1], spent, until)
    grace_ends = book.dates(current).grace_ends
    if search is None or grace_ends is None or facts.is_over(search):
        return None
    found = _decided(book, facts, to_renew, search, standing)
    if found is None:
        return None
    if found[1].at < grace_ends:
        return _renewed(book, *found, current)
    lapsed = _decided(book, facts, after_lapse, search, standing)
    return lapsed and _first(book, *lapsed)


def search_after(book: Rulebook, current: Award, spent: AbstractSet[int], until: datetime) -> Search | None:
    """What may count for the award that follows on `current`: unused, from W and its achievement on. None: none follows."""
    window_opens, achieved_at = book.dates(current).window_opens, current.achieved_at
    if window_opens is None:
        return None
    return Search(until, window_opens if window_opens > achieved_at else achieved_at, spent, achieved_at)


def to_earn(rule: Rule) -> tuple[Section, ...]:
    """The sections that make the first award."""
    return (rule.earn,)


def to_renew(rule: Rule) -> tuple[Section, ...]:
    """The sections that renew an award before it lapses."""
    return (rule.renew,) if rule.renew is rule.earn else (rule.renew, rule.earn)


def after_lapse(rule: Rule) -> tuple[Section, ...]:
    """The section that makes an award after a lapse."""
    return (rule.renew if rule.validity.after_lapse == "renew" else rule.earn,)


def _decided(
    book: Rulebook,
    facts: Facts,
    sections: Callable[[Rule], tuple[Section, ...]],
    search: Search,
    standing: tuple[Award, ...],
) -> tuple[Rule, Met] | None:
    """The first moment at which one of the sections is satisfied under the version that decides then."""
    if book.only is not None:
        met = _first_met(facts, sections(book.only), search)
        return (book.only, met) if met is not None else None
    stands = [award for award in standing if award.rule_version not in book.retired]
    for version, begins in dict.fromkeys(_granted_under(book, award) for award in stands):
        rule = book.by_version[version]
        met = _first_met(facts, sections(rule), search._replace(not_before=begins))
        if met is not None and any(_is_granted(award, met) for award in standing if award.rule_version == version):
            return rule, met
    for index, rule in enumerate(book.deciding):
        begins = book.begins[index - 1] if index else None
        met = _first_met(facts, sections(rule), search._replace(not_before=begins))
        if met is not None and (index == len(book.begins) or met.at < book.begins[index]):
            return rule, met
    return None


def _first_met(facts: Facts, sections: tuple[Section, ...], search: Search) -> Met | None:
    first: Met | None = None
    for section in sections:
        met = facts.satisfied(section, search)
        if met is not None and (first is None or met.at < first.at):
            first = met
    return first


def _granted_under(book: Rulebook, award: Award) -> tuple[int, datetime | None]:
    """The version that granted an award, and its beginning where the award was achieved after it."""
    begins = book.begin_of.get(award.rule_version)
    return award.rule_version, begins if begins is not None and award.achieved_at >= begins else None


def _is_granted(award: Award, met: Met) -> bool:
    return award.achieved_at == met.at or any(entry.id in award.used for entry in met.used)


def _first(book: Rulebook, rule: Rule, met: Met) -> Award:
    """The first award, or the first after a lapse."""
    validity = rule.validity
    if validity.basis == "fixed":
        return _award(rule, met, met.at, _fixed_end(book, validity, met.at, after=met.at), "fixed")
    return _award(rule, met, met.at, _lasting(book, validity, met.at), "achieved")


def _renewed(book: Rulebook, rule: Rule, met: Met, current: Award) -> Award:
    """The award that renews `current`, which has an end."""
    validity, ends = rule.validity, current.valid_until
    assert ends is not None
    if validity.basis == "fixed":
        return _award(rule, met, met.at, _fixed_end(book, validity, met.at, after=max(ends, met.at)), "fixed")
    if validity.basis == "previous_expiry" and validity.lasts is not None:
        return _award(rule, met, min(met.at, ends), _lasting(book, validity, ends), "previous_expiry")
    return _award(rule, met, met.at, _lasting(book, validity, met.at), "achieved")


def _imported(book: Rulebook, entry: Entry) -> Award:
    """An award that was granted elsewhere, with its own dates; what follows on it is decided by the rule then in force."""
    version = book.in_force(entry.achieved_at).version
    begins, ends = entry.achieved_at, entry.piece.expires_at
    return Award(0, begins, begins, ends, "imported", version, (entry.id,))


def _award(rule: Rule, met: Met, valid_from: datetime, valid_until: datetime | None, basis: str) -> Award:
    return Award(0, met.at, valid_from, valid_until, basis, rule.version, tuple(entry.id for entry in met.used))


def _lasting(book: Rulebook, validity: Validity, start: datetime) -> datetime | None:
    """`start` + lasts; None for ever, or beyond what a calendar reaches."""
    if validity.lasts is None:
        return None
    try:
        end = add(start, validity.lasts, book.zone)
    except OverflowError:
        return None
    return end if end.year < LATEST.year else None  # in its last year not every wall clock can show it


def _fixed_end(book: Rulebook, validity: Validity, achieved_at: datetime, *, after: datetime) -> datetime | None:
    """The first end of an anchor day after `after` and not before `achieved_at` + at_least."""
    assert validity.anchor is not None
    try:
        least = add(achieved_at, validity.at_least, book.zone) if validity.at_least else achieved_at
        year = max(after, least).astimezone(book.zone).year - 1
        while True:
            end = end_of_anchor_day(year, *validity.anchor, book.zone)
            if end > after and end >= least:
                return end
            year += 1
    except OverflowError:
        return None


# What becomes of the awards granted before ----------------------------------------------------------------------------


def _matched(
    before: tuple[Award, ...], standing: tuple[Award, ...], chain: list[Award], at: datetime
) -> tuple[tuple[Award, ...], tuple[Award, ...]]:
    """`before` brought to what `chain` says: kept, re-based, new, or revoked at `at`; and the chain with its numbers.

    An award is found again in the one of the new chain that uses most of its evidence, else in the one at its place;
    one of the new chain stands for one old award only.
    """
    if not before:
        for number, award in enumerate(chain, 1):
            award.number = number  # it was made just now, and nobody else has it
        return tuple(sorted(chain, key=_by_beginning)), tuple(chain)
    counterpart = _counterparts(standing, chain)
    number = max((award.number for award in before), default=0)
    numbered = []
    for index, award in enumerate(chain):
        if index not in counterpart:
            number += 1
        numbered.append(_with_number(award, counterpart[index].number if index in counterpart else number))
        if index and numbered[-1].number < numbered[-2].number and _began_together(*numbered[-2:]):
            numbered[-2:] = _swapped(*numbered[-2:])
    found = {award.number for award in numbered}
    rest = [
        award if award.revoked_at is not None else _revoked(award, at) for award in before if award.number not in found
    ]
    return tuple(sorted([*rest, *numbered], key=_by_beginning)), tuple(numbered)


def _by_beginning(award: Award) -> tuple[datetime, datetime, int]:
    return award.valid_from, award.achieved_at, award.number


def _counterparts(standing: tuple[Award, ...], chain: list[Award]) -> dict[int, Award]:
    """For places of the new chain the old award that is found again there."""
    if len(standing) <= len(chain) and all(old.used == new.used for old, new in zip(standing, chain, strict=False)):
        return dict(enumerate(standing))
    places = {piece: place for place, award in enumerate(chain) for piece in award.used}
    shared = Counter((old, places[each]) for old, award in enumerate(standing) for each in award.used if each in places)
    found: dict[int, int] = {}  # the old award's place by the new one's
    for (old, new), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if new not in found and old not in found.values():
            found[new] = old
    for place in range(min(len(standing), len(chain))):
        if place not in found and place not in found.values():
            found[place] = place
    return {new: standing[old] for new, old in found.items()}


def _began_together(award: Award, other: Award) -> bool:
    return (award.valid_from, award.achieved_at) == (other.valid_from, other.achieved_at)


def _swapped(award: Award, other: Award) -> tuple[Award, Award]:
    """The same two with each other's numbers, so that the chain's order can be read off the awards."""
    return _with_number(award, other.number), _with_number(other, award.number)


def _with_number(award: Award, number: int) -> Award:
    if award.number == number:
        return award
    return Award(
        number, award.achieved_at, award.valid_from, award.valid_until, award.basis, award.rule_version, award.used,
        award.revoked_at,
    )  # fmt: skip


def _revoked(award: Award, at: datetime) -> Award:
    return replace(award, revoked_at=at, valid_until=at if award.valid_until is None else min(award.valid_until, at))


# What is known when ---------------------------------------------------------------------------------------------------


class _Change(NamedTuple):
    """Something begins or ceases to count; it bears on nothing before `point`, and on what is after if it `lasts`."""

    point: datetime
    apply: Callable[[Facts], None]
    lasts: bool


Span = tuple[datetime, datetime | None]
"""From when until when something was known; None where it still is."""

_Counting = tuple[Entry, list[int], list[Span]]
"""A piece that can count, the numbers of its leaves, and when it was known."""


def _steps(
    book: Rulebook, counting: list[_Counting], states: list[tuple[str, State, Span]], as_of: datetime
) -> list[tuple[datetime, list[_Change]]]:
    """What changes at each moment up to `as_of`, in order."""
    steps: dict[datetime, list[_Change]] = {}

    def note(known_at: datetime, point: datetime, apply: Callable[[Facts], None], *, lasts: bool = True) -> None:
        steps.setdefault(known_at, []).append(_Change(point, apply, lasts))

    for entry, numbers, spans in counting:
        for begins, ends in spans:
            note(begins, entry.achieved_at, _putting(entry, numbers), lasts=False)
            if ends is not None:
                note(ends, entry.achieved_at, _taking(entry, numbers), lasts=False)
    for code, state, (known_at, forgotten_at) in states:
        known = state
        if state.ends is not None and state.ends > known_at:  # its end is seen when it comes
            known = state._replace(ends=None)
            if forgotten_at is None or state.ends < forgotten_at:
                note(state.ends, state.ends, _ending(code, known, state))
        note(known_at, state.begins, _holding(code, known))
        if forgotten_at is not None:
            last = state if state.ends is not None and state.ends < forgotten_at else known
            note(forgotten_at, state.begins, _letting_go(code, last))
    for begins in book.begins:
        if begins <= as_of:
            note(begins, begins, _nothing)
    return sorted(steps.items(), key=lambda step: step[0])


def _is_in_order(book: Rulebook, counting: list[_Counting]) -> bool:
    """Whether everything arrived in the order in which it was achieved, nothing went, and nothing else changes.

    Then nothing that was once derived is ever derived otherwise, and one derivation does.
    """
    if book.begins or book.criteria.codes:
        return False
    known_at, achieved_at, latest = EARLIEST, EARLIEST, EARLIEST  # `latest` lies before all that became known at once
    for entry, _, spans in sorted(counting, key=_known_first):
        if len(spans) > 1 or spans[0][1] is not None:
            return False
        if spans[0][0] > known_at:
            known_at, latest = spans[0][0], achieved_at
        if entry.achieved_at <= latest:
            return False
        achieved_at = max(achieved_at, entry.achieved_at)
    return True


def _known_first(counting: _Counting) -> datetime:
    return counting[2][0][0]


def _putting(entry: Entry, numbers: Sequence[int]) -> Callable[[Facts], None]:
    return lambda facts: facts.put(entry, numbers)


def _taking(entry: Entry, numbers: Sequence[int]) -> Callable[[Facts], None]:
    return lambda facts: facts.take(entry, numbers)


def _holding(code: str, state: State) -> Callable[[Facts], None]:
    return lambda facts: facts.hold(code, state)


def _ending(code: str, open_ended: State, state: State) -> Callable[[Facts], None]:
    def apply(facts: Facts) -> None:
        facts.let_go(code, open_ended)
        facts.hold(code, state)

    return apply


def _letting_go(code: str, state: State) -> Callable[[Facts], None]:
    return lambda facts: facts.let_go(code, state)


def _nothing(facts: Facts) -> None:
    pass


def _counting(book: Rulebook, pieces: list[Piece], as_of: datetime) -> list[_Counting]:
    """What can count for the rule up to `as_of`: the piece, its leaves' numbers, and when it was known.

    Pieces equal in all but recorded_at and voided_at are one: it is known while one of them is, and bears the id and the
    arrival of the first.
    """
    rows: list[tuple[Piece, list[int], Span]] = []
    for piece in pieces:
        span = _span(piece, as_of)
        if span is not None and (numbers := book.criteria.leaves_met_by(piece)):
            rows.append((piece, numbers, span))
    if len({piece.achieved_at for piece, _, _ in rows}) == len(rows):  # then no two can be equal
        return [
            (Entry(piece.achieved_at, piece.recorded_at, piece.id, piece), numbers, [span])
            for piece, numbers, span in rows
        ]
    same: dict[tuple[object, ...], list[tuple[Piece, list[int], Span]]] = {}
    for row in rows:
        same.setdefault(_all_but_knowledge(row[0]), []).append(row)
    found = []
    for rows in same.values():
        piece, numbers, span = rows[0] if len(rows) == 1 else min(rows, key=_by_arrival)
        spans = [span] if len(rows) == 1 else _merged([row[2] for row in rows])
        found.append((Entry(piece.achieved_at, piece.recorded_at, piece.id, piece), numbers, spans))
    return found


def _by_arrival(row: tuple[Piece, list[int], Span]) -> tuple[datetime, int]:
    return row[0].recorded_at, row[0].id


def _span(piece: Piece, as_of: datetime) -> Span | None:
    """From when until when the piece counts, as far as it is known at `as_of`; None for not at all."""
    begins = piece.achieved_at if piece.achieved_at > piece.recorded_at else piece.recorded_at
    ends = piece.voided_at
    if begins > as_of or (ends is not None and ends <= begins):
        return None
    return begins, ends if ends is not None and ends <= as_of else None


def _all_but_knowledge(piece: Piece) -> tuple[object, ...]:
    return (
        piece.kind, piece.source, piece.object, piece.achieved_at, piece.percent, piece.success, piece.verb,
        piece.level, piece.hours, piece.course, piece.category, piece.expires_at, piece.authority,
    )  # fmt: skip


def _merged(spans: list[Span]) -> list[Span]:
    """Spans of time that overlap or meet, as one."""
    merged: list[Span] = []
    for begins, ends in sorted(spans, key=lambda span: (span[0], span[1] or LATEST)):
        if merged and (merged[-1][1] is None or begins <= merged[-1][1]):
            last = merged[-1][1]
            merged[-1] = (merged[-1][0], None if last is None or ends is None else max(last, ends))
        else:
            merged.append((begins, ends))
    return merged


def _states(
    book: Rulebook, pieces: list[Piece], as_of: datetime, holdings: Holdings | None
) -> list[tuple[str, State, Span]]:
    """The other certifications that the rule looks at: the code, when held, and when that was known, as far as at `as_of`."""
    if not book.criteria.codes:
        return []
    found: list[tuple[str, State, Span]] = []
    for piece in pieces:
        if piece.kind == "certification" and piece.object in book.criteria.codes:
            known_at, ends = max(piece.achieved_at, piece.recorded_at), piece.voided_at
            if known_at <= as_of and (ends is None or ends > piece.achieved_at):
                until = ends if ends is not None and ends <= as_of else None
                found.append((piece.object, State(piece.achieved_at, until, piece.source), (known_at, None)))
    for code in sorted(book.criteria.codes & set(holdings or ())):
        for begins, ends, known_from, forgotten in (Held(*interval) for interval in (holdings or {})[code]):
            known_at = max(begins, known_from or begins)
            if known_at <= as_of and (ends is None or ends > begins) and (forgotten is None or forgotten > known_at):
                until = ends if ends is not None and ends <= as_of else None
                known_until = forgotten if forgotten is not None and forgotten <= as_of else None
                found.append((code, State(begins, until, None), (known_at, known_until)))
    return found
