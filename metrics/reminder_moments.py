"""Which reminders fall due in a stretch of time: so long before an award ends, or before a duty must be met.

The moments of one end are its own less each duration that the rule's `remind` names, on the organisation's wall clock.
Only the newest that has passed counts, so that whoever was not told in time is told once. One that lies before the award,
or its end as it is now, was known here is none: history is not news.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from metrics.certification.chain import Rulebook
from metrics.certification.duties import Duty, duties
from metrics.certification.models import Award, AwardChange, CertificationRule, Holding
from metrics.certification.rules import load_books
from metrics.certification.status import Status
from metrics.reminder_models import Reminder
from plugin.models import Person
from plugin.moments import Duration, add, subtract
from plugin.people import employed_on
from plugin.store import chunks

DUTY = "duty"  # what a reminder is about where there is no award yet
HELD = (Status.CERTIFIED, Status.RENEWAL_DUE)
NEVER_HELD = (Status.IN_PROGRESS, Status.NOT_STARTED)

# How far from `end - duration` a moment + duration may lie: clocks go forward and back, months are cut to their last day.
CLOCKS = timedelta(hours=3)
MONTHS = timedelta(days=3)

Before = Mapping[tuple[str, int], tuple[Duration, ...]]


@dataclass(frozen=True)
class Stretch:
    """What is looked at: moments after `since` and up to `until`; `now` is when it is looked at."""

    since: datetime
    until: datetime
    now: datetime
    zone: ZoneInfo

    def has(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.since < moment <= self.until

    def ends(self, column: InstrumentedAttribute[Any], before: Collection[Duration]) -> ColumnElement[bool]:
        """The condition that a moment of one of these durations before the column's may lie in it."""
        return or_(*(column.between(*self._ends(duration)) for duration in before))

    def latest_end(self, before: Collection[Duration]) -> datetime:
        """No end whose moment lies in it can come later than this."""
        return max(self._ends(duration)[1] for duration in before)

    def _ends(self, before: Duration) -> tuple[datetime, datetime]:
        unsure = CLOCKS + (MONTHS if before.years or before.months else timedelta())
        return add(self.since, before, self.zone) - unsure, add(self.until, before, self.zone) + unsure


@dataclass(frozen=True)
class Due:
    """One reminder that is due: at `at`, which is `before` the end `ends_at` of what it is `about`."""

    person_id: int
    number: str
    name: str
    email: str | None
    certification: str
    about: str
    before: Duration
    at: datetime
    ends_at: datetime

    @property
    def key(self) -> tuple[int, str, str, str, datetime]:
        """What makes it one of its own, as the table's unique index has it."""
        return self.person_id, self.certification, self.about, str(self.before), self.ends_at


def remind_before(session: Session, default: Sequence[Duration]) -> dict[tuple[str, int], tuple[Duration, ...]]:
    """How long before the end each version of each rule reminds: as it says; where it does not say, the default."""
    found: dict[tuple[str, int], tuple[Duration, ...]] = {}
    query = select(CertificationRule.code, CertificationRule.version, CertificationRule.text)
    for code, version, text in session.execute(query):
        said = tomllib.loads(text).get("validity", {}).get("remind")
        found[code, version] = tuple(default) if said is None else tuple(map(Duration.parse, said))
    return found


def due(session: Session, stretch: Stretch, default: Sequence[Duration]) -> list[Due]:
    """The reminders whose moment lies in the stretch, without those that were written before."""
    before = remind_before(session, default)
    durations = {duration for each in before.values() for duration in each}
    if not durations:
        return []
    found = [*_before_ends(session, stretch, before, durations), *_before_duties(session, stretch, before, durations)]
    known: set[tuple[Any, ...]] = set()
    for ids in chunks({each.person_id for each in found}):
        columns = (Reminder.person_id, Reminder.certification, Reminder.about, Reminder.before, Reminder.ends_at)
        known |= {tuple(row) for row in session.execute(select(*columns).where(Reminder.person_id.in_(ids)))}
    return sorted((each for each in found if each.key not in known), key=lambda each: each.key)


def outlasted() -> ColumnElement[bool]:
    """The condition that another award of the person holds longer than the one of the holding: it was renewed."""
    other = aliased(Award)
    longer = other.valid_until.is_(None) | (other.valid_until > Holding.valid_until)
    return (
        select(other.id)
        .where(other.person_id == Holding.person_id, other.certification == Holding.certification)
        .where(other.id != Holding.award_id, other.revoked_at.is_(None), longer)
        .exists()
    )


def _before_ends(session: Session, stretch: Stretch, before: Before, durations: Collection[Duration]) -> Iterator[Due]:
    """Before the end of an award that holds and was not renewed."""
    query = (
        select(Holding, Award.recorded_at)
        .add_columns(Person.employee_number, Person.name, Person.email)
        .join(Award, Award.id == Holding.award_id)
        .join(Person, Person.id == Holding.person_id)
        .where(stretch.ends(Holding.valid_until, durations), Holding.status.in_(HELD))
        .where(Holding.valid_until > stretch.now, ~outlasted(), _here(stretch))
    )
    found: list[tuple[Due, datetime]] = []
    for holding, recorded_at, number, name, email in session.execute(query):
        choices = before.get((holding.certification, holding.rule_version), ())
        newest = _newest(holding.valid_until, choices, stretch)
        if newest is not None:
            where = (holding.person_id, number, name, email, holding.certification, holding.award_id)
            found.append((Due(*where, newest[1], newest[0], holding.valid_until), recorded_at))
    moved = _moved(session, [each for each, _ in found])
    for each, recorded_at in found:
        if each.at >= max(recorded_at, moved.get(each.about, recorded_at)):
            yield each


def _newest(ends_at: datetime, before: Collection[Duration], stretch: Stretch) -> tuple[datetime, Duration] | None:
    """The newest moment that has passed, with its duration, where it lies in the stretch."""
    moments = [(subtract(ends_at, duration, stretch.zone), duration) for duration in before]
    passed = [each for each in moments if each[0] <= stretch.now]
    newest = max(passed, key=lambda each: each[0], default=None)
    return newest if newest is not None and stretch.has(newest[0]) else None


def _moved(session: Session, found: Sequence[Due]) -> dict[str, datetime]:
    """When the end of each award was last moved to where it is now."""
    moved: dict[str, datetime] = {}
    for part in chunks(found):
        query = (
            select(AwardChange)
            .where(AwardChange.person_id.in_({each.person_id for each in part}))
            .where(AwardChange.award_id.in_([each.about for each in part]))
            .order_by(AwardChange.id)
        )
        for change in session.scalars(query):
            if change.before and change.before.get("valid_until") != (change.after or {}).get("valid_until"):
                moved[change.award_id] = change.at
    return moved


def _here(stretch: Stretch) -> ColumnElement[bool]:
    return employed_on(stretch.now.astimezone(stretch.zone).date()) & Person.erased_at.is_(None)


def _before_duties(
    session: Session, stretch: Stretch, before: Before, durations: Collection[Duration]
) -> Iterator[Due]:
    """Before a duty is due whose certification was never held.

    Nothing says in the store when it is due: that is no earlier than the holding's next change, which is asked for
    first, and no other than what the requirements give.
    """
    query = (
        select(Holding.certification, Person)
        .join(Person, Person.id == Holding.person_id)
        .where(Holding.next_change_at <= stretch.latest_end(durations), Holding.required, Holding.award_id.is_(None))
        .where(Holding.status.in_(NEVER_HELD), _here(stretch))
    )
    wanted = [(code, person) for code, person in session.execute(query)]
    if not wanted:
        return
    books = load_books(session, stretch.zone)
    today = stretch.now.astimezone(stretch.zone).date()
    required: dict[int, list[Duty]] = {}
    for ids in chunks({person.id for _, person in wanted}):
        required |= duties(session, ids, today, stretch.zone, stretch.now)
    for code, person in wanted:
        due_at = due_date(required.get(person.id, ()), code)
        choices = _in_force(books, code, stretch.now, before)
        newest = _newest(due_at, choices, stretch) if due_at is not None and due_at > stretch.now else None
        if newest is not None and due_at is not None:
            who = (person.id, person.employee_number, person.name, person.email)
            yield Due(*who, code, DUTY, newest[1], newest[0], due_at)


def due_date(required: Iterable[Duty], code: str) -> datetime | None:
    """When a person's duties demand the certification at the latest."""
    mine = (duty for duty in required if duty.certification == code and duty.holds and duty.overdue_from)
    return min((duty.due_at for duty in mine if duty.due_at is not None), default=None)


def _in_force(books: Mapping[str, Rulebook], code: str, now: datetime, before: Before) -> tuple[Duration, ...]:
    return before.get((code, books[code].known(now).in_force(now).version), ()) if code in books else ()


def step(stretch: Stretch, longest: timedelta) -> Stretch:
    """The beginning of the stretch, no longer than `longest`."""
    return replace(stretch, until=min(stretch.until, stretch.since + longest))
