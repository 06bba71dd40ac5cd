"""What deriving persons changed: compared with the store, written down, and what HR is told of it.

An award that is in the store and, by what arrived since with an earlier date of recording, never was, is taken out again;
its history says so, with nothing after it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from metrics.certification import decisions
from metrics.certification.cases import PersonCase
from metrics.certification.chain import Award
from metrics.certification.models import Award as StoredAward
from metrics.certification.models import AwardChange, Holding
from metrics.certification.status import Standing, Status
from plugin.events import EventDraft
from plugin.moments import Duration, in_zone_iso, subtract
from plugin.store import among, chunks, insert_rows, upsert
from plugin.ulids import ulids

# What an award says, in the order in which it is written down.
AWARD = ("achieved_at", "valid_from", "valid_until", "basis", "rule_version", "evidence", "revoked_at")
NEW_AWARD = ("id", "person_id", "certification", "number", *AWARD, "recorded_at")
CHANGE = ("at", "person_id", "certification", "award_id", "change", "reason", "before", "after")
HOLDING = (
    "person_id", "certification", "status", "since", "achieved_at", "valid_from", "valid_until", "award_id", "rule_version",
    "required", "next_change_at", "inputs", "derived_at",
)  # fmt: skip

REGRADED = "regraded"  # the reason of what became of awards when a newer version of the rule was applied to them

# Statuses that time brings, each with an event of its own.
BY_CLOCK = {Status.RENEWAL_DUE, Status.GRACE, Status.EXPIRED}


@dataclass(frozen=True)
class Terms:
    """What deriving depends on beside the store: the zone, what is news, and where explanations stand."""

    zone: ZoneInfo
    live_within: Duration
    public_url: str = ""


@dataclass
class Stored:
    """What the store holds about some persons, as rows, by person and certification; awards by their numbers.

    `ahead` are the persons about whom something was derived later than now, and when last.
    """

    awards: dict[tuple[int, str], dict[int, Any]] = field(default_factory=dict)
    holdings: dict[tuple[int, str], Any] = field(default_factory=dict)
    ahead: dict[int, datetime] = field(default_factory=dict)

    def has(self, person_id: int, code: str) -> bool:
        """Whether anything is held about a person's certification."""
        return (person_id, code) in self.holdings or (person_id, code) in self.awards


def load_stored(session: Session, person_ids: Sequence[int], now: datetime) -> Stored:
    """What the store holds about these persons; of awards nothing yet."""
    stored, connection = Stored(), session.connection()
    holdings = select(*(getattr(Holding, name) for name in HOLDING))
    ahead = select(StoredAward.person_id, func.max(StoredAward.recorded_at)).group_by(StoredAward.person_id)
    for ids in chunks(person_ids):
        for row in connection.execute(holdings.where(Holding.person_id.in_(ids))).all():
            stored.holdings[row.person_id, row.certification] = row
        later = ahead.where(StoredAward.person_id.in_(ids), StoredAward.recorded_at > now)
        stored.ahead.update((person_id, moment) for person_id, moment in connection.execute(later))
    return stored


def load_awards(session: Session, stored: Stored, everything: Iterable[int], some: Collection[tuple[int, str]]) -> None:
    """Read the awards of some persons, and of others those of some certifications only, into `stored`."""
    awards, connection = select(*(getattr(StoredAward, name) for name in NEW_AWARD)), session.connection()
    wanted = [awards.where(StoredAward.person_id.in_(ids)) for ids in chunks(everything)]
    if some:
        wanted.append(awards.where(among(session, (StoredAward.person_id, StoredAward.certification), some)))
    for query in wanted:
        for row in connection.execute(query).all():
            stored.awards.setdefault((row.person_id, row.certification), {})[row.number] = row


class Changes:
    """Collects what differs from the store, to write it in a few statements."""

    def __init__(self, session: Session, now: datetime, terms: Terms) -> None:
        self.session = session
        self.now = now
        self.terms = terms
        self.events: list[EventDraft] = []
        self._news_since = subtract(now, terms.live_within, terms.zone)
        self._isos: dict[datetime, str] = {}
        self._ids: Iterator[str] = ulids(now)
        self._new_awards: list[tuple[Any, ...]] = []
        self._award_updates: list[dict[str, Any]] = []
        self._gone: list[str] = []
        self._history: list[tuple[Any, ...]] = []
        self._new_holdings: list[tuple[Any, ...]] = []
        self._holdings: list[tuple[Any, ...]] = []

    def note(self, case: PersonCase, code: str, stored: Stored, foreseen: datetime | None, inputs: int) -> None:
        """Compare one certification of one person with the store; `foreseen` is a change beside those of its dates.

        `inputs` is the number of what it was derived from.
        """
        where, key = case.standings[code], (case.person_id, code)
        before = stored.holdings.get(key)
        ids, changes = self._awards(case, code, stored.awards.get(key, {}))
        holding = (*self._holding(case, code, where, ids, foreseen), inputs, self.now)
        if before is None:
            self._new_holdings.append(holding)
        elif changes or tuple(before)[:-1] != holding[:-1]:
            self._holdings.append(holding)
        for type_, reason in _news(where, before, changes, ids):
            self.events.append(self._event(case, code, where, ids, type_, reason))

    def write(self) -> None:
        """Store everything noted."""
        for ids in chunks(self._gone):
            self.session.execute(delete(StoredAward).where(StoredAward.id.in_(ids)))
        if self._award_updates:
            self.session.execute(update(StoredAward), self._award_updates)
        insert_rows(self.session, StoredAward, NEW_AWARD, self._new_awards)
        insert_rows(self.session, AwardChange, CHANGE, self._history)
        insert_rows(self.session, Holding, HOLDING, self._new_holdings)
        changed = [dict(zip(HOLDING, row, strict=True)) for row in self._holdings]
        upsert(self.session, Holding, changed, ["person_id", "certification"])

    def _awards(
        self, case: PersonCase, code: str, known: dict[int, Any]
    ) -> tuple[dict[int, str], dict[int, tuple[str, str]]]:
        """The ids of the awards by number, and what was done, and why, to those that changed."""
        ids = {number: row.id for number, row in known.items()}
        changes: dict[int, tuple[str, str]] = {}
        for award in case.awards[code]:
            number, old = award.number, known.get(award.number)
            values = (
                award.achieved_at, award.valid_from, award.valid_until, award.basis, award.rule_version, list(award.used),
                award.revoked_at,
            )  # fmt: skip
            if old is not None and old[4:-1] == values:
                continue
            changes[number] = self._what_and_why(case, code, award, old)
            if old is None:
                ids[number] = next(self._ids)
                self._new_awards.append((ids[number], case.person_id, code, number, *values, self.now))
            else:
                self._award_updates.append({"id": old.id, **dict(zip(AWARD, values, strict=True))})
            self._note_history(case, code, ids[number], changes[number], old, values)
        for number in known.keys() - {award.number for award in case.awards[code]}:
            changes[number] = ("revoked", "late evidence")
            self._gone.append(ids[number])
            self._note_history(case, code, ids[number], changes[number], known[number], None)
        return ids, changes

    def _note_history(
        self, case: PersonCase, code: str, award_id: str, change: tuple[str, str], old: Any, new: tuple[Any, ...] | None
    ) -> None:
        before = self._as_json(old[4:-1]) if old is not None else None
        after = self._as_json(new) if new is not None else None
        self._history.append((self.now, case.person_id, code, award_id, *change, before, after))

    def _what_and_why(self, case: PersonCase, code: str, award: Award, old: Any) -> tuple[str, str]:
        """What happened to an award that is not in the store as it is now, and for which reason."""
        if award.revoked_at is not None and (old is None or old.revoked_at is None):
            return "revoked", _why_revoked(case, code, award.revoked_at)
        if old is None and code in case.decided and _is_granted_again(case, code, award, self.now):
            return "reinstated", "decided"
        if _is_regraded(case, code, award, old):
            return "amended" if old is not None else "awarded", REGRADED
        if old is not None:
            voided = {piece.id for piece in case.pieces if piece.voided_at is not None}
            return "amended", "evidence voided" if voided.intersection(old.evidence) else "late evidence"
        change = "renewed" if _renews(case.awards[code], award) else "awarded"
        if award.basis == "imported":
            return change, "imported"
        earned = "earned" if change == "awarded" else "renewed"
        return change, earned if self._is_live(award.achieved_at) else "late evidence"

    def _holding(
        self, case: PersonCase, code: str, where: Standing, ids: dict[int, str], foreseen: datetime | None
    ) -> tuple[Any, ...]:
        """The row, in the order of HOLDING, without what it was derived from, and when."""
        duties, award = case.duties.get(code, ()), where.award
        moments = (where.next_change_at, foreseen, *(duty.changes_at for duty in duties))
        return (
            case.person_id, code, where.status.value, where.since, where.achieved_at,
            award.valid_from if award else None,
            award.valid_until if award else None,
            ids[award.number] if award else None,
            award.rule_version if award else None,
            any(duty.holds for duty in duties),
            min((moment for moment in moments if moment is not None), default=None),
        )  # fmt: skip

    def _event(
        self, case: PersonCase, code: str, where: Standing, ids: dict[int, str], type_: str, reason: str
    ) -> EventDraft:
        """The event with the whole state of its subject (the contract with HR, docs/webhooks.md)."""
        award = where.award
        took_effect = where.since if type_.rpartition(".")[2] in BY_CLOCK else where.achieved_at
        backfill = took_effect is not None and not self._is_live(took_effect) and reason != REGRADED  # decided just now
        link = f"{self.terms.public_url.rstrip('/')}/people/{case.number}/certifications/{code}"
        data = {
            "employee_number": case.number,
            "certification": code,
            "status": where.status.value,
            "valid_from": self._iso(award.valid_from) if award else None,
            "valid_until": self._iso(award.valid_until) if award else None,
            "award_id": ids[award.number] if award else None,
            "rule_version": award.rule_version if award else None,
            "reason": reason,
            "backfill": backfill,
            "links": {"explanation": link},
        }
        return EventDraft(case.person_id, type_, f"certification:{case.number}:{code}", data, backfill)

    def _is_live(self, moment: datetime) -> bool:
        return moment >= self._news_since

    def _as_json(self, values: Sequence[Any]) -> dict[str, Any]:
        """What an award says, moments with the organisation's offset."""
        said = dict(zip(AWARD, values, strict=True))
        for name in ("achieved_at", "valid_from", "valid_until", "revoked_at"):
            said[name] = self._iso(said[name])
        return said

    def _iso(self, moment: datetime | None) -> str | None:
        if moment is None:
            return None
        if moment not in self._isos:  # history and event say the same
            self._isos[moment] = in_zone_iso(moment, self.terms.zone)
        return self._isos[moment]


def _renews(awards: Sequence[Award], award: Award) -> bool:
    """Whether an earlier award, not revoked, was still held when this one was achieved (basis says so except for achieved)."""
    earlier = [
        each
        for each in awards
        if each.number != award.number and each.achieved_at < award.achieved_at and not each.revoked_at
    ]
    if not earlier:
        return False
    last = max(earlier, key=lambda each: each.achieved_at)
    return last.valid_until is None or award.achieved_at < last.valid_until


def _why_revoked(case: PersonCase, code: str, at: datetime) -> str:
    if decisions.revoked_at(case.decided.get(code, ()), at) is not None:
        return "decided"
    return REGRADED if any(moment == at for moment, _ in _regraded(case, code)) else "evidence voided"


def _regraded(case: PersonCase, code: str) -> Sequence[tuple[datetime, int]]:
    """When which version of the rule was applied to older awards, as far as it was known when the case was derived."""
    return case.derived[code][0].regraded if code in case.derived else ()


def _is_regraded(case: PersonCase, code: str, award: Award, old: Any) -> bool:
    """Whether the award is what it is because its version was applied to what had been granted, or refused, before."""
    regraded = _regraded(case, code)
    if not regraded:
        return False
    applied = [at for at, version in regraded if version == award.rule_version]
    if not applied or old is not None:
        return bool(applied) and bool(old.rule_version < award.rule_version)
    recorded = [piece.recorded_at for piece in case.pieces if piece.id in award.used]
    return any(award.achieved_at < at and all(moment < at for moment in recorded) for at in applied)


def _is_granted_again(case: PersonCase, code: str, award: Award, now: datetime) -> bool:
    """Whether the award is one that a decision had revoked and another one reinstated."""
    if decisions.reinstated(case.decided.get(code, ()), award.achieved_at, now) is None:
        return False
    return any(
        each.revoked_at is not None and each.achieved_at == award.achieved_at and each.number < award.number
        for each in case.awards[code]
    )


def _news(
    where: Standing,
    before: Any,
    changes: dict[int, tuple[str, str]],
    award_ids: dict[int, str],
) -> list[tuple[str, str]]:
    """The types of event that HR hears about this certification, with their reasons: first the award, then the clock.

    What was already over when it was first derived is history, not news: only the award that decides the status counts.
    """
    news: list[tuple[str, str]] = []
    award = where.award
    change = changes.get(award.number) if award is not None else None
    if change is not None:
        news.append((f"certification.{change[0]}", change[1]))
    elif award is None and before is not None and before.award_id is not None:
        news.append(("certification.revoked", "late evidence"))
    elif award is not None and before is not None and before.award_id not in {None, award_ids[award.number]}:
        # Another award decides again, without having changed itself: the former one changed, or it is over.
        former = next((number for number, id_ in award_ids.items() if id_ == before.award_id), 0)
        news.append(("certification.amended", changes[former][1] if former in changes else "time"))
    moved = (
        before is None or before.status != where.status or (change is not None and change[0] in {"awarded", "renewed"})
    )
    if moved and where.status in BY_CLOCK:
        news.append((f"certification.{where.status}", "time"))
    if moved and where.status is Status.EXEMPT:
        news.append(("certification.exempted", "decided"))
    if before is not None and before.status == Status.EXEMPT and moved and not news:
        news.append(("certification.amended", "exemption ended"))
    return news
