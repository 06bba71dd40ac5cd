"""Duties: what each person must hold, from when until when and due when, as it was on record at some moment."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from metrics.certification.models import Requirement, RequirementEnd
from metrics.certification.populations import Population, Spell, Whereabouts, population_of, whereabouts
from metrics.certification.requirement_checks import DUTY
from plugin.moments import Duration, add, start_of_day
from plugin.store import chunks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duty:
    """A certification that a person must hold, now or from a later day on; `due_at` is when at the latest, if ever.

    `changes_at` is the next moment at which it begins or ends, as far as is known; it holds from `begins_at` until
    `ends_at`. The requirement behind it goes by `requirement_id` and `population`.
    """

    certification: str
    holds: bool
    due_at: datetime | None
    changes_at: datetime | None
    requirement_id: int = 0
    population: Population = ("", "")
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def overdue_from(self) -> datetime | None:
        """From when somebody who never held it is overdue by this duty; None where it is not due, or ends before it is."""
        if self.due_at is None:
            return None
        begins = self.due_at if self.begins_at is None else max(self.due_at, self.begins_at)
        return begins if self.ends_at is None or begins < self.ends_at else None


def duties(
    session: Session, person_ids: Sequence[int], today: date, zone: ZoneInfo, known_at: datetime | None = None
) -> dict[int, list[Duty]]:
    """The duties of these persons that hold or will hold, by person; leavers have none from the day they leave.

    With `known_at` only what was on record by then counts, each requirement with the end that it had on record then.
    """
    wanted: dict[Population, list[Known]] = {}
    for known in _on_record(session, today, known_at):
        wanted.setdefault(population_of(known.row), []).append(known)
    if not wanted:
        return {}
    found: dict[int, list[Duty]] = {}
    for person_id, where in whereabouts(session, person_ids, {kind for kind, _ in wanted}).items():
        concerned = [(known, spells) for key, spells in where.spells.items() for known in wanted.get(key, ())]
        concerned.sort(key=lambda pair: pair[0].row.id)
        listed = [
            duty for known, spells in concerned if (duty := duty_of(known, where, spells, today, zone)) is not None
        ]
        if listed:
            found[person_id] = listed
    return found


@dataclass(frozen=True)
class Known:
    """A requirement as it stood on record at some moment: from when until when it asks.

    `changes_at` is when more of it came on record after that moment; `is_there` says whether it was on record at all.
    """

    row: Requirement
    asks: Spell
    is_there: bool = True
    changes_at: datetime | None = None


def _on_record(session: Session, today: date, known_at: datetime | None) -> list[Known]:
    """The duties on record at `known_at` (None: now) that had not ended by `today` then, by number."""
    query = select(Requirement).where(Requirement.kind == DUTY).order_by(Requirement.id)
    later: dict[int, RequirementEnd] = {}  # by requirement, the first that was recorded after `known_at`
    if known_at is not None:
        moved = select(RequirementEnd).where(RequirementEnd.recorded_at > known_at)
        for end in session.scalars(moved.order_by(RequirementEnd.recorded_at.desc(), RequirementEnd.id.desc())):
            later[end.requirement_id] = end
    lasting = or_(Requirement.ends_on.is_(None), Requirement.ends_on > today)
    rows = {row.id: row for row in session.scalars(query.where(lasting))}
    for ids in chunks(later.keys() - rows.keys()):
        rows.update((row.id, row) for row in session.scalars(query.where(Requirement.id.in_(ids))))
    found = [_as_known(rows[number], later.get(number), known_at) for number in sorted(rows)]
    return [known for known in found if known.asks.ends > today]


def _as_known(row: Requirement, later: RequirementEnd | None, known_at: datetime | None) -> Known:
    asks = Spell(row.starts_on, (later.former if later is not None else row.ends_on) or date.max)
    if known_at is not None and row.recorded_at is not None and row.recorded_at > known_at:
        return Known(row, asks, is_there=False, changes_at=row.recorded_at)
    return Known(row, asks, changes_at=later.recorded_at if later is not None else None)


def known_now(requirement: Requirement) -> Known:
    """The requirement as it stands on record now."""
    return Known(requirement, spell_of(requirement))


def duty_of(known: Known, where: Whereabouts, spells: Sequence[Spell], today: date, zone: ZoneInfo) -> Duty | None:
    """One person's duty: the spell in the population that holds or comes next; None when there is none any more.

    A spell begins with the latest of joining, moving there and the requirement's start; a due date counts from then.
    """
    requirement, own, employed = known.row, known.asks, where.employed
    cut = [
        Spell(max(spell.begins, own.begins, employed.begins), min(spell.ends, own.ends, employed.ends))
        for spell in spells
    ]
    coming = [spell for spell in cut if spell.begins < spell.ends and spell.ends > today]
    if not coming:
        return None
    first = coming[0]
    begins_at = start_of_day(first.begins, zone) if first.begins > date.min else None
    ends_at = start_of_day(first.ends, zone) if first.ends < date.max else None
    by_day = ends_at if first.begins <= today else begins_at
    moments = (by_day if known.is_there else None, known.changes_at)
    return Duty(
        certification=requirement.certification,
        holds=known.is_there and first.begins <= today,
        due_at=_due_at(requirement, first.begins, zone) if known.is_there else None,
        changes_at=min((at for at in moments if at is not None), default=None),
        begins_at=begins_at,
        ends_at=ends_at,
        requirement_id=requirement.id,
        population=population_of(requirement),
    )


def _due_at(requirement: Requirement, begins: date, zone: ZoneInfo) -> datetime | None:
    """When a duty is due; never, where a data file brought a period that cannot be counted."""
    try:
        if requirement.due_on is not None:
            return start_of_day(requirement.due_on, zone)
        if requirement.due_within is not None:
            return add(start_of_day(begins, zone), Duration.parse(requirement.due_within), zone)
    except (ValueError, OverflowError) as error:
        log.warning("The requirement no. %s has no due date that can be counted: %s", requirement.id, error)
    return None


def spell_of(requirement: Requirement) -> Spell:
    """From when until when a requirement asks, as it stands on record now."""
    return Spell(requirement.starts_on, requirement.ends_on or date.max)
