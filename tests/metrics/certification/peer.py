"""The chain of awards once more, by brute force: every moment, every window, everything looked at again each time.

It shares the dates' arithmetic with nothing but `plugin.moments` and knows one version of a rule. Tests compare it with
the engine, the benchmark measures the engine against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from metrics.certification.evidence import Piece
from metrics.certification.rule import AllOf, AnyOf, Criterion, Leaf, Rule, Section, leaves
from plugin.moments import add, end_of_anchor_day, subtract

Found = tuple[datetime, list[Piece]]


@dataclass(frozen=True)
class PeerAward:
    """An award as the peer sees it."""

    achieved_at: datetime
    valid_from: datetime
    valid_until: datetime | None
    basis: str
    used: frozenset[int]
    revoked_at: datetime | None = None


def peer(rule: Rule, pieces: Sequence[Piece], as_of: datetime, zone: ZoneInfo) -> list[PeerAward]:
    """All awards as of a moment, by valid_from."""
    moments = {max(p.achieved_at, p.recorded_at) for p in pieces} | {p.voided_at for p in pieces if p.voided_at}
    awards: list[PeerAward] = []
    for moment in sorted(m for m in moments if m <= as_of):
        awards = _step(awards, _chain(rule, _known(pieces, moment), zone), moment)
    return sorted(awards, key=lambda a: (a.valid_from, a.achieved_at, a.revoked_at is None))


def _known(pieces: Sequence[Piece], moment: datetime) -> list[Piece]:
    """What counts at `moment`; of equal pieces the one that arrived first stands for all."""
    first: dict[Piece, Piece] = {}
    for p in sorted(pieces, key=lambda p: (p.recorded_at, p.id)):
        if p.voided_at is None or p.voided_at > max(p.achieved_at, p.recorded_at):
            first.setdefault(replace(p, id=0, recorded_at=p.achieved_at, voided_at=None), p)
    counting = {replace(p, id=0, recorded_at=p.achieved_at, voided_at=None) for p in pieces if p.counts_at(moment)}
    states = [
        p if p.voided_at is not None and p.voided_at <= moment else replace(p, voided_at=None)
        for p in pieces
        if p.kind == "certification" and p.achieved_at <= moment and p.recorded_at <= moment
    ]
    return [p for key, p in first.items() if key in counting and p.kind != "certification"] + states


def _step(before: list[PeerAward], chain: list[PeerAward], moment: datetime) -> list[PeerAward]:
    """The chain, and what was granted before and is found in it neither by its evidence nor by its place."""
    standing = [a for a in before if a.revoked_at is None]
    taken: dict[int, int] = {}
    pairs = [(-len(old.used & new.used), i, j) for i, old in enumerate(standing) for j, new in enumerate(chain)]
    if all(old.used == new.used for old, new in zip(standing, chain, strict=False)):
        taken = {i: i for i in range(min(len(standing), len(chain)))}
    for shared, i, j in sorted(pairs):
        if shared and i not in taken and j not in taken.values():
            taken[i] = j
    for i in range(min(len(standing), len(chain))):
        if i not in taken and i not in taken.values():
            taken[i] = i
    revoked = [
        replace(a, revoked_at=moment, valid_until=moment if a.valid_until is None else min(a.valid_until, moment))
        for i, a in enumerate(standing)
        if i not in taken
    ]
    return [a for a in before if a.revoked_at is not None] + revoked + chain


def _chain(rule: Rule, known: list[Piece], zone: ZoneInfo) -> list[PeerAward]:
    chain: list[PeerAward] = []
    validity = rule.validity
    while True:
        spent = {used for a in chain for used in a.used}
        left = [p for p in known if p.id not in spent]
        if not chain:
            found = _satisfied(rule.earn, left, None, None, zone)
            renewed = False
        else:
            last = chain[-1]
            if last.valid_until is None:
                return chain
            floor = max(subtract(last.valid_until, validity.window, zone), last.achieved_at)
            both = [_satisfied(section, left, floor, last.achieved_at, zone) for section in (rule.renew, rule.earn)]
            found = min((f for f in both if f), key=lambda f: f[0], default=None)
            renewed = found is not None and found[0] < add(last.valid_until, validity.grace, zone)
            if not renewed:
                found = both[0] if validity.after_lapse == "renew" else both[1]
        if found is None:
            return chain
        chain.append(_award(rule, found, chain[-1] if renewed else None, zone))


def _award(rule: Rule, found: Found, last: PeerAward | None, zone: ZoneInfo) -> PeerAward:
    at, validity, used = found[0], rule.validity, frozenset(p.id for p in found[1])
    if validity.basis == "fixed":
        assert validity.anchor is not None
        after = at if last is None or last.valid_until is None else last.valid_until
        least = at if validity.at_least is None else add(at, validity.at_least, zone)
        ends = [end_of_anchor_day(year, *validity.anchor, zone) for year in range(at.year - 1, at.year + 30)]
        return PeerAward(at, at, min(e for e in ends if e > after and e >= least), "fixed", used)
    if validity.lasts is None:
        return PeerAward(at, at, None, "achieved", used)
    if last is not None and last.valid_until is not None and validity.basis == "previous_expiry":
        until = add(last.valid_until, validity.lasts, zone)
        return PeerAward(at, min(at, last.valid_until), until, "previous_expiry", used)
    return PeerAward(at, at, add(at, validity.lasts, zone), "achieved", used)


def _satisfied(
    section: Section, known: list[Piece], floor: datetime | None, after: datetime | None, zone: ZoneInfo
) -> Found | None:
    named = leaves(section.criterion)
    states = [p for p in known if p.kind == "certification"]
    fitting = [
        p
        for p in known
        if p.kind != "certification"
        and (floor is None or p.achieved_at >= floor)
        and any(_fits(leaf, p) for leaf in named)
    ]
    begun = None if floor is None or after is None else max(floor, after + timedelta(microseconds=1))
    begins = [p.achieved_at for p in states if floor is None or p.achieved_at >= floor]
    for t in sorted({p.achieved_at for p in fitting} | set(begins)):
        windows = [[p for p in fitting if p.achieved_at <= t]]
        if section.within is not None:
            windows = [
                [p for p in windows[0] if s <= p.achieved_at <= add(s, section.within, zone)]
                for s in sorted({p.achieved_at for p in windows[0]})
            ] + [[]]
        for window in windows:
            found = _look(section.criterion, window + states, t, zone, begun)
            if found is None:
                continue
            used = sorted(found[1], key=_order)
            apart = (
                section.within is not None
                and used
                and add(used[0].achieved_at, section.within, zone) < used[-1].achieved_at
            )
            if not apart and found[2]:
                return t, used
    return None


def _order(p: Piece) -> tuple[datetime, datetime, int]:
    return p.achieved_at, p.recorded_at, p.id


def _look(
    node: Criterion, known: list[Piece], t: datetime, zone: ZoneInfo, floor: datetime | None
) -> tuple[datetime, list[Piece], bool] | None:
    if isinstance(node, Leaf):
        return _look_at_leaf(node, known, t, zone, floor)
    n = 1 if isinstance(node, AnyOf) else len(node.of) if isinstance(node, AllOf) else node.n
    met = [found for child in node.of if (found := _look(child, known, t, zone, floor))]
    if len(met) < n:
        return None
    met.sort(key=lambda found: found[0])
    chosen = met[:n]
    if not any(found[2] for found in chosen):
        chosen[-1] = next((found for found in met if found[2]), chosen[-1])
    used = {p.id: p for found in chosen for p in found[1]}
    return max(found[0] for found in chosen), list(used.values()), any(found[2] for found in chosen)


def _look_at_leaf(
    leaf: Leaf, known: list[Piece], t: datetime, zone: ZoneInfo, floor: datetime | None
) -> tuple[datetime, list[Piece], bool] | None:
    fresh = [
        p
        for p in sorted(known, key=_order)
        if _fits(leaf, p)
        and p.achieved_at <= t
        and (leaf.newer_than is None or add(p.achieved_at, leaf.newer_than, zone) >= t)
    ]
    if leaf.kind == "certification":
        for p in sorted(fresh, key=lambda p: p.achieved_at):
            if p.voided_at is None or p.voided_at > t:
                return p.achieved_at, [], floor is None or _held_since(p, known) >= floor
        return None
    if leaf.kind != "hours":
        return (fresh[0].achieved_at, fresh[:1], True) if fresh else None
    total, used = Decimal(0), []
    for p in fresh:
        total += p.hours or 0
        used.append(p)
        if total >= (leaf.at_least or 0):
            return p.achieved_at, used, True
    return None


def _held_since(state: Piece, known: list[Piece]) -> datetime:
    """Since when the other certification is held without a break up to the beginning of `state`."""
    since = state.achieved_at
    while earlier := [
        p.achieved_at
        for p in known
        if p.kind == "certification"
        and p.object == state.object
        and p.achieved_at < since
        and (p.voided_at is None or p.voided_at >= since)
    ]:
        since = min(earlier)
    return since


def _fits(leaf: Leaf, p: Piece) -> bool:
    """The leaves that the comparison uses: completed, score, hours of courses, certification."""
    if p.kind != leaf.kind:
        return False
    if leaf.kind == "hours":
        return p.object in leaf.courses and (p.hours or 0) > 0
    if leaf.kind == "score":
        return p.object == leaf.object and p.percent is not None and p.percent >= (leaf.at_least or 0)
    return p.object == leaf.object and p.success is not False
