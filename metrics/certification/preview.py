"""What storing a rule, or applying a version to older awards, would change for the people: derived, and nothing written.

Everybody whom the certification concerns is derived twice, by the rules as they are and as they would be, at one moment;
a rule that decides only from a later day is looked at on that day. What is compared is where they would stand if nothing
more were recorded.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, or_, select, union
from sqlalchemy.orm import Session

from connectors.models import Course, Enrolment, Evidence, Identity
from metrics.certification.cases import PersonCase, load_sorted
from metrics.certification.chain import Rulebook
from metrics.certification.engine import decide
from metrics.certification.models import Holding
from metrics.certification.regrades import load_regrades, version_to_apply
from metrics.certification.rule_text import needs, parse_rule
from metrics.certification.rules import (
    books_of,
    load_learnt,
    load_rules,
    newest_version,
    objects_of,
    refuse_circles,
)
from metrics.certification.status import Status
from plugin.moments import in_zone_iso, start_of_day
from plugin.store import chunks

BATCH = 500
HELD = frozenset({Status.CERTIFIED, Status.RENEWAL_DUE, Status.GRACE})
GAINS, LOSES, MOVES = "gains", "loses", "moves"


@dataclass(frozen=True)
class Stand:
    """Where a person stands with the certification: a status, and the award that decides it."""

    status: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None


NOWHERE = Stand(Status.NOT_STARTED.value)


@dataclass(frozen=True)
class Difference:
    """A person who would gain the certification, lose it, or move to another status or other dates."""

    person_id: int
    employee_number: str
    change: str
    before: Stand
    after: Stand


@dataclass
class Preview:
    """What would change at `as_of`. `before` and `after` count the people looked at by status.

    `outcome` is created, changed or unchanged (of a rule), or regraded. `concerned` is how many people there are to look
    at, `looked_at` at how many it was looked; `differences` are the first of those who would change. `others` counts, by
    code, the people who would stand elsewhere with a certification that needs this one.
    """

    code: str
    version: int
    outcome: str
    as_of: datetime
    concerned: int = 0
    looked_at: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The answer of the command, its moments in ISO 8601 with the organisation's offset."""
        return {
            "code": self.code,
            "version": self.version,
            "outcome": self.outcome,
            "as_of": in_zone_iso(self.as_of, zone),
            "people": self.looked_at,
            "concerned": self.concerned,
            "statuses": {
                status.value: {"before": self.before[status.value], "after": self.after[status.value]}
                for status in Status
                if self.before[status.value] or self.after[status.value]
            },
            **{change: self.changes[change] for change in (GAINS, LOSES, MOVES)},
            "others": dict(sorted(self.others.items())),
            "differences": [
                {
                    "employee_number": each.employee_number,
                    "change": each.change,
                    "before": _stand_as_json(each.before, zone),
                    "after": _stand_as_json(each.after, zone),
                }
                for each in self.differences
            ],
        }


@dataclass(frozen=True)
class Limits:
    """How many people are looked at (None: everybody), and how many of those who would change are named."""

    looked_at: int | None = None
    named: int = 20


def preview_import(
    session: Session, text: str, now: datetime, zone: ZoneInfo, limits: Limits, as_of: datetime | None = None
) -> Preview:
    """What storing the rule in `text` would change; `as_of` defaults to now, or the day from which it decides.

    Raises RuleRefused.
    """
    rule = parse_rule(text)
    rules = load_rules(session)
    refuse_circles(rules, text)
    newest = newest_version(session, rule.code)
    version = newest.version + 1 if newest else 1
    outcome = "changed" if newest else "created"
    begins = start_of_day(rule.effective_from, zone) if newest and rule.effective_from else now
    learnt, regraded = load_learnt(session), load_regrades(session)
    before = books_of(rules, learnt, regraded, zone)
    if newest is not None and newest.text == text:
        version, outcome, after = newest.version, "unchanged", before
    else:
        new_rules = {**rules, rule.code: [*rules.get(rule.code, ()), replace(rule, version=version)]}
        new_learnt = {**learnt, rule.code: {**learnt.get(rule.code, {}), version: now}}
        after = books_of(new_rules, new_learnt, regraded, zone)
    answer = Preview(rule.code, version, outcome, as_of or max(now, begins))
    return _compared(session, answer, before, after, limits, now)


def preview_regrade(
    session: Session, code: str, version: int | None, now: datetime, zone: ZoneInfo, limits: Limits
) -> Preview:
    """What applying a version (None: the newest) to older awards would change. Raises NotFoundError, RefusedError."""
    wanted = version_to_apply(session, code, version)
    rules, learnt, regraded = load_rules(session), load_learnt(session), load_regrades(session)
    before = books_of(rules, learnt, regraded, zone)
    after = books_of(rules, learnt, {**regraded, code: [*regraded.get(code, ()), (now, wanted)]}, zone)
    return _compared(session, Preview(code, wanted, "regraded", now), before, after, limits, now)


def _compared(
    session: Session,
    answer: Preview,
    before: Mapping[str, Rulebook],
    after: Mapping[str, Rulebook],
    limits: Limits,
    now: datetime,
) -> Preview:
    book = after[answer.code]
    looks_at = {
        code: {need for rule in each.by_version.values() for need in needs(rule)} for code, each in after.items()
    }
    dependent = _reached({code: {o for o, needed in looks_at.items() if code in needed} for code in after}, answer.code)
    wanted = dependent.union(*(_reached(looks_at, code) for code in dependent))
    order = [code for code in after if code in wanted]
    found = list(session.scalars(_concerned(book, _reached(looks_at, answer.code))))
    answer.concerned = len(found)
    chosen = found if limits.looked_at is None else found[: limits.looked_at]
    for person_ids in chunks(chosen, BATCH):
        cases = load_sorted(session, person_ids, {code: after[code] for code in order}, now, book.zone)
        for case in cases.values():
            _look_at(answer, case, before, after, order, dependent, limits)
    return answer


def _look_at(
    answer: Preview,
    case: PersonCase,
    before: Mapping[str, Rulebook],
    after: Mapping[str, Rulebook],
    order: Sequence[str],
    dependent: Iterable[str],
    limits: Limits,
) -> None:
    """Derive one person by both, and count what differs."""
    new = replace(case, awards={}, standings={})
    for one, books in ((case, before), (new, after)):
        for code in order:
            if code in books:
                decide(one, code, books[code], answer.as_of, known=code == answer.code)
    was, will = _stand(case, answer.code), _stand(new, answer.code)
    answer.looked_at += 1
    if answer.code in before:
        answer.before[was.status] += 1
    answer.after[will.status] += 1
    for code in dependent:
        if code != answer.code and _stand(case, code) != _stand(new, code):
            answer.others[code] += 1
    if was == will:
        return
    held, holds = was.status in HELD, will.status in HELD
    change = MOVES if held == holds else GAINS if holds else LOSES
    answer.changes[change] += 1
    if len(answer.differences) < limits.named:
        answer.differences.append(Difference(case.person_id, case.number, change, was, will))


def _stand(case: PersonCase, code: str) -> Stand:
    standing = case.standings.get(code)
    if standing is None:
        return NOWHERE
    award = standing.award
    if award is None:
        return Stand(standing.status.value)
    return Stand(standing.status.value, award.valid_from, award.valid_until)


def _reached(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """`start` and every code that can be reached from it."""
    found, waiting = {start}, [start]
    while waiting:
        for code in edges.get(waiting.pop(), ()):
            if code not in found:
                found.add(code)
                waiting.append(code)
    return found


def _concerned(book: Rulebook, codes: Iterable[str]) -> Select[int]:
    """The ids of the people whom a certification concerns: by where they stand, by evidence, by enrolments."""
    objects = objects_of(book)
    names = sorted({name for _, name in objects})
    hours = sorted({name for kind, name in objects if kind == "hours"})
    by_evidence: ColumnElement[bool] = Evidence.object.in_(names)
    if hours:
        by_evidence = or_(by_evidence, Evidence.course.in_(hours), Evidence.category.in_(hours))
    enrolled = (
        select(Identity.person_id)
        .join(Enrolment, (Enrolment.source == Identity.source) & (Enrolment.user_key == Identity.user_key))
        .join(Course, (Course.source == Enrolment.source) & (Course.course_key == Enrolment.course_key))
        .where(Identity.unbound_at.is_(None), Enrolment.closed_at.is_(None), Course.object.in_(names))
    )
    held = select(Holding.person_id).where(Holding.certification.in_(sorted(codes)))
    found = union(held, select(Evidence.person_id).where(by_evidence), enrolled).subquery()
    return select(found.c.person_id).order_by(found.c.person_id)


def _stand_as_json(stand: Stand, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "status": stand.status,
        "valid_from": in_zone_iso(stand.valid_from, zone) if stand.valid_from else None,
        "valid_until": in_zone_iso(stand.valid_until, zone) if stand.valid_until else None,
    }
