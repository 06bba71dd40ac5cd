"""People who left so long ago that nothing is kept of them: erased like anybody else, one by one.

Whom a source still has is left alone, or the next pull would bring them back, to be erased again.
"""

import logging
from datetime import date, datetime

from sqlalchemy import Select, func, select

from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.models import Person
from plugin.privacy.declarations import declarations
from plugin.privacy.erasing import erase, present_in
from plugin.privacy.retention import Held

log = logging.getLogger(__name__)

ACTOR = "retention"
AT_ONCE = 200  # persons that one run takes: each is a transaction of its own


def survey(home: Installation, before: datetime | None) -> Held:
    """Everybody who has left, and how many of them long enough ago that no source has them any more."""
    left = (Person.left_on.is_not(None), Person.erased_at.is_(None))
    with home.store.read() as session:
        rows, oldest = session.execute(select(func.count(), func.min(Person.left_on)).where(*left)).one()
    return Held(rows, oldest, len(_due(home, before)) if before is not None else 0)


def sweep(home: Installation, before: datetime, most: int) -> int:
    """Erase those who are due, a few at a time; how many."""
    done = 0
    for number in list(_due(home, before).values())[: min(most, AT_ONCE)]:
        try:
            erase(home, number, ACTOR, "They left longer ago than is kept.", although_present=True)
        except RefusedError as error:  # something is being sent to or about them: tomorrow, then
            log.warning("Somebody who left was not erased: %s", error)
        else:
            done += 1
    return done


def _due(home: Installation, before: datetime) -> dict[int, str]:
    """The numbers, by id, of those who left before that moment's day and whom no source has any more."""
    day = before.astimezone(home.settings.organisation.zone).date()
    with home.store.read() as session:
        people = dict(session.execute(_left_by(day)).all())
    held_back = present_in(home, declarations(home.installed), people) if people else {}
    if held_back:
        log.warning("%d who left are still in a source and are not erased; remove them there.", len(held_back))
    return {person_id: number for person_id, number in people.items() if person_id not in held_back}


def _left_by(day: date) -> Select[int, str]:
    gone = Person.left_on <= day
    return (
        select(Person.id, Person.employee_number)
        .where(gone, Person.erased_at.is_(None))
        .order_by(Person.left_on, Person.id)
    )
