"""Why a person's status is what it is: the rule, the evidence, the dates and the arithmetic that gave them.

Everything here is asked of the code that decides, never worked out a second time. The answer is a dict that can be
written as JSON, its moments in ISO 8601 with the organisation's offset:

    certification, version, name, as_of, timezone
    status, since, achieved_at     as `status.standing` says
    next_change                    {at, to}, or None where time alone changes nothing
    because                        the award that decides: its section, the tree with what satisfied each leaf, its dates
                                   with the arithmetic; None without one
    next                           what the next award asks: the sections that may make it, each with its tree and what is
                                   missing, and from when evidence counts; None where none can follow
    awards                         every award, revoked ones too, each with the pieces that it used
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from metrics.certification.chain import Award, Rulebook, after_lapse, search_after, to_earn, to_renew
from metrics.certification.criteria import Entry, Facts, Holdings, Outline, Search
from metrics.certification.evidence import Piece
from metrics.certification.rule import AllOf, AnyOf, Leaf, Rule, Section
from metrics.certification.status import Standing, standing, status_at
from plugin.moments import in_zone_iso


def explain_standing(
    book: Rulebook,
    awards: Sequence[Award],
    pieces: Iterable[Piece],
    at: datetime,
    *,
    holdings: Holdings | None = None,
    exempt_until: datetime | None = None,
    exempt_from: datetime | None = None,
    required_due_at: datetime | None = None,
) -> dict[str, Any]:
    """The explanation of where a person stands at `at`; the arguments are those of `status.standing`."""
    listed = list(pieces)
    now = standing(
        book,
        awards,
        listed,
        at,
        holdings=holdings,
        exempt_until=exempt_until,
        exempt_from=exempt_from,
        required_due_at=required_due_at,
    )
    return _Explanation(book, awards, listed, at, holdings).whole(now, exempt_from, exempt_until, required_due_at)


class _Explanation:
    """What every part of the explanation looks at."""

    def __init__(
        self, book: Rulebook, awards: Sequence[Award], pieces: list[Piece], at: datetime, holdings: Holdings | None
    ) -> None:
        self.book = book
        self.awards = sorted(awards, key=lambda award: (award.valid_from, award.achieved_at, award.number))
        self.chain = [award for award in self.awards if award.revoked_at is None]
        self.pieces = pieces
        self.by_id = {piece.id: piece for piece in pieces}
        self.at = at
        self.holdings = holdings

    def whole(
        self, now: Standing, exempt_from: datetime | None, exempt_until: datetime | None, due_at: datetime | None
    ) -> dict[str, Any]:
        rule = self._rule_of(now.award) if now.award is not None else self.book.in_force(self.at)
        change = now.next_change_at
        return {
            "certification": rule.code,
            "version": rule.version,
            "name": dict(rule.name),
            "as_of": self._iso(self.at),
            "timezone": self.book.zone.key,
            "status": now.status.value,
            "since": self._iso(now.since),
            "achieved_at": self._iso(now.achieved_at),
            "exempt_from": self._iso(exempt_from),
            "exempt_until": self._iso(exempt_until),
            "required_due_at": self._iso(due_at),
            "next_change": None
            if change is None
            else {
                "at": self._iso(change),
                "to": status_at(self.book, self.awards, now, change, exempt_until, due_at, exempt_from).value,
            },
            "because": self._because(now.award) if now.award is not None else None,
            "next": self._next(),
            "awards": [self._award(award) for award in self.awards],
        }

    # The award that decides -----------------------------------------------------------------------------------------

    def _because(self, award: Award) -> dict[str, Any]:
        previous = self._previous(award)
        facts = self._facts(award.used)
        search = Search(award.achieved_at)
        found: dict[str, Any] = {"award": award.number, "section": None, "within": None, "criteria": None}
        for section in self._sections(award, previous) if award.basis != "imported" else ():
            if facts.satisfied(section, search) is not None:
                found["section"] = self._name(self._rule_of(award), section)
                found["within"] = None if section.within is None else str(section.within)
                found["criteria"] = self._tree(facts.outline(section.criterion, search))
                break
        found["dates"] = self._dates(award, previous)
        return found

    def _sections(self, award: Award, previous: Award | None) -> tuple[Section, ...]:
        """The sections that may have made the award, first the one that did so first."""
        rule = self._rule_of(award)
        sections = to_earn(rule)
        if previous is not None:
            grace_ends = self.book.dates(previous).grace_ends
            sections = (
                to_renew(rule) if grace_ends is not None and award.achieved_at < grace_ends else after_lapse(rule)
            )
        if award.revoked_at is None:
            return sections
        # The award on which this one followed may have been revoked with it, so any section may have made it.
        return (*sections, *(section for section in to_renew(rule) if section not in sections))

    def _dates(self, award: Award, previous: Award | None) -> list[dict[str, Any]]:
        """valid_from, valid_until, W and G, each with the arithmetic in words."""
        rule = self._rule_of(award)
        validity, dates = rule.validity, self.book.dates(award)
        achieved = self._iso(award.achieved_at)
        before = self._iso(previous.valid_until) if previous is not None else None
        begins = f"achieved at {achieved}"
        if award.basis == "imported":
            begins = "granted elsewhere and imported with this beginning"
        if award.basis == "previous_expiry":
            begins = f"the earlier of {achieved}, when it was renewed, and {before}, the end of the award before it"
        lines = [self._line("valid_from", award.valid_from, begins)]
        if award.revoked_at is not None:
            ends = f"revoked at {self._iso(award.revoked_at)}; an award ends then at the latest"
            return [*lines, self._line("valid_until", award.valid_until, ends)]
        lines.append(self._line("valid_until", award.valid_until, self._why_until(award, rule, before)))
        if award.valid_until is not None:
            ends = str(self._iso(award.valid_until))
            lines.append(self._line("window_opens", dates.window_opens, f"{ends} - {validity.window} (window)"))
            lines.append(self._line("grace_ends", dates.grace_ends, f"{ends} + {validity.grace} (grace)"))
        return lines

    def _why_until(self, award: Award, rule: Rule, before: str | None) -> str:
        validity, achieved = rule.validity, self._iso(award.achieved_at)
        if award.basis == "imported":
            return "granted elsewhere and imported with this end" if award.valid_until else "imported without an end"
        if award.basis == "fixed" and validity.anchor is not None:
            renewed = before is not None and award.number != self.chain[0].number and self._renews(award)
            words = f"the first end of a {validity.anchor[0]:02}-{validity.anchor[1]:02} after "
            words += f"{before}, the end of the award before it" if renewed else f"{achieved}"
            return words + (f", and not before {achieved} + {validity.at_least}" if validity.at_least else "")
        if award.valid_until is None:
            return "it lasts forever"
        start = before if award.basis == "previous_expiry" else achieved
        whose = ", the end of the award before it," if award.basis == "previous_expiry" else ""
        return f"{start}{whose} + {validity.lasts} (lasts), on the wall clock of {self.book.zone.key}"

    def _renews(self, award: Award) -> bool:
        """Whether the award renewed the one before it, rather than following a lapse."""
        previous = self._previous(award)
        grace_ends = self.book.dates(previous).grace_ends if previous is not None else None
        return grace_ends is not None and award.achieved_at < grace_ends

    # What comes next ------------------------------------------------------------------------------------------------

    def _next(self) -> dict[str, Any] | None:
        rule = self.book.in_force(self.at)
        search: Search | None = Search(self.at)
        sections = to_earn(rule)
        if self.chain:
            current = self.chain[-1]
            spent = {piece for award in self.chain for piece in award.used}
            search = search_after(self.book, current, spent, self.at)
            grace_ends = self.book.dates(current).grace_ends
            sections = to_renew(rule) if grace_ends is None or self.at < grace_ends else after_lapse(rule)
        if search is None:
            return None
        facts = self.book.facts(self.pieces, self.at, self.holdings)
        return {
            "version": rule.version,
            "counts_from": self._iso(search.since),
            "sections": [self._section(rule, section, facts, search) for section in sections],
        }

    def _section(self, rule: Rule, section: Section, facts: Facts, search: Search) -> dict[str, Any]:
        outline = facts.outline(section.criterion, search)
        satisfied = facts.satisfied(section, search)
        note = None
        if satisfied is None and outline.met is not None and section.within is not None:
            note = f"every criterion is met, but by evidence that lies further apart than {section.within}"
        return {
            "section": self._name(rule, section),
            "within": None if section.within is None else str(section.within),
            "satisfied_at": None if satisfied is None else self._iso(satisfied.at),
            "note": note,
            "criteria": self._tree(outline),
        }

    # The tree -------------------------------------------------------------------------------------------------------

    def _tree(self, outline: Outline) -> dict[str, Any]:
        criterion, met = outline.criterion, outline.met
        node: dict[str, Any] = {"satisfied": met is not None, "satisfied_at": self._iso(met.at) if met else None}
        if isinstance(criterion, Leaf):
            return {
                "criterion": criterion.kind,
                "asks": asks(criterion),
                **node,
                "evidence": [self._piece(entry.piece) for entry in met.used] if met is not None else [],
                "missing": None if met is not None else missing(criterion),
            }
        kind = "all_of" if isinstance(criterion, AllOf) else "any_of" if isinstance(criterion, AnyOf) else "n_of"
        count = {"n": criterion.n} if not isinstance(criterion, AllOf | AnyOf) else {}
        return {"criterion": kind, **count, **node, "of": [self._tree(child) for child in outline.of]}

    # Small things ---------------------------------------------------------------------------------------------------

    def _facts(self, ids: Sequence[int]) -> Facts:
        """What the pieces of these ids say, even where they were voided since, and the certifications held."""
        facts = Facts(self.book.criteria, self.book.zone)
        for piece in self.pieces:
            if piece.id in ids:
                entry = Entry(piece.achieved_at, piece.recorded_at, piece.id, piece)
                facts.put(entry, self.book.criteria.leaves_met_by(piece))
        states = self.book.facts([each for each in self.pieces if each.kind == "certification"], self.at, self.holdings)
        facts.states = states.states
        return facts

    def _previous(self, award: Award) -> Award | None:
        """The award of the chain on which `award` followed."""
        before = [each for each in self.chain if each.number != award.number and _order(each) < _order(award)]
        return before[-1] if before else None

    def _rule_of(self, award: Award) -> Rule:
        return self.book.by_version[award.rule_version]

    def _name(self, rule: Rule, section: Section) -> str:
        return "earn" if section is rule.earn else "renew"

    def _award(self, award: Award) -> dict[str, Any]:
        shown = {
            "number": award.number,
            "achieved_at": self._iso(award.achieved_at),
            "valid_from": self._iso(award.valid_from),
            "valid_until": self._iso(award.valid_until),
            "basis": award.basis,
            "version": award.rule_version,
            "evidence": [self._piece(self.by_id[used]) for used in award.used if used in self.by_id],
        }
        if award.revoked_at is not None:
            shown["revoked_at"] = self._iso(award.revoked_at)
        return shown

    def _piece(self, piece: Piece) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": piece.id,
            "kind": piece.kind,
            "source": piece.source,
            "object": piece.object,
            "achieved_at": self._iso(piece.achieved_at),
            "recorded_at": self._iso(piece.recorded_at),
        }
        if piece.voided_at is not None and piece.voided_at <= self.at:
            shown["voided_at"] = self._iso(piece.voided_at)
        figures = {"percent": piece.percent, "level": piece.level, "hours": piece.hours}
        shown |= {name: str(figure) for name, figure in figures.items() if figure is not None}
        shown |= {"success": piece.success} if piece.success is not None else {}
        said = {"verb": piece.verb, "authority": piece.authority}
        return shown | {name: text for name, text in said.items() if text is not None}

    def _line(self, name: str, moment: datetime | None, because: str) -> dict[str, Any]:
        return {"date": name, "at": self._iso(moment), "because": because}

    def _iso(self, moment: datetime | None) -> str | None:
        if moment is None:
            return None
        try:
            return in_zone_iso(moment, self.book.zone)
        except OverflowError:  # the first or the last moment that there is
            return None


def asks(leaf: Leaf) -> Mapping[str, Any]:
    """What a leaf asks, by the keys with which a rule writes it."""
    said: dict[str, Any] = {"source": leaf.source, leaf.object_key or "object": leaf.object or None, "verb": leaf.verb}
    said |= {"success": leaf.success, "authority": leaf.authority}
    said |= {"at_least": None if leaf.at_least is None else str(leaf.at_least)}
    said |= {"newer_than": None if leaf.newer_than is None else str(leaf.newer_than)}
    said |= {"courses": list(leaf.courses) or None, "categories": list(leaf.categories) or None}
    return {key: value for key, value in said.items() if value is not None}


def missing(leaf: Leaf) -> str:
    """What is missing where a leaf is not satisfied, in words."""
    what = f"{leaf.kind} {leaf.object or ', '.join((*leaf.courses, *leaf.categories))}"
    if leaf.verb is not None:
        what = f"statement {leaf.verb!r} about {leaf.object}"
    if leaf.at_least is not None:
        what += f" of at least {leaf.at_least}"
    if leaf.authority is not None:
        what += f" stated by {leaf.authority}"
    if leaf.source is not None:
        what += f" from {leaf.source}"
    if leaf.newer_than is not None:
        what += f", no older than {leaf.newer_than}"
    return what


def _order(award: Award) -> tuple[datetime, datetime, int]:
    return award.valid_from, award.achieved_at, award.number
