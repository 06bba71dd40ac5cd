"""The plan's programmes, as they were known at a moment."""

from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from metrics.figures.periods import Period
from metrics.inputs.models import Programme, ProgrammePerson, known_at
from plugin.errors import NotFoundError


def find_programme(session: Session, code: str, as_of: datetime) -> Programme:
    """The programme of this code. Raises NotFoundError."""
    query = select(Programme).where(Programme.programme == code, known_at(Programme, as_of))
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no programme {code!r}; see 'certbridge inputs list programmes'.")
    return found


def known_programmes(session: Session, as_of: datetime) -> list[Programme]:
    """Every programme, by its code."""
    return list(session.scalars(select(Programme).where(known_at(Programme, as_of)).order_by(Programme.programme)))


def ended_on(programme: Programme) -> date:
    """The last day, as it was, or as it is planned."""
    return programme.actual_end_on or programme.planned_end_on


def runs_in(programme: Programme, period: Period) -> bool:
    """Whether a day of the programme lies in the period."""
    return programme.starts_on < period.end_day and ended_on(programme) >= period.first_day


def named(programme: str, group: str, as_of: datetime) -> Select[int]:
    """The ids of those who are in the programme's group by name."""
    return select(ProgrammePerson.person_id).where(
        ProgrammePerson.programme == programme, ProgrammePerson.group == group, known_at(ProgrammePerson, as_of)
    )
