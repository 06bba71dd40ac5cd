"""Tags of people, such as first-aider: words by which requirements pick them out, each from one day until another.

They are put on by hand, or by the authority for people, whose word then counts: what it does not name ends.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from plugin.audit.acts import record_act
from plugin.errors import N_, NotFoundError, RefusedInWordsError
from plugin.models import Person, PersonTag
from plugin.store import chunks

NO_TAG = N_("'%(text)s' is no tag; write 1 to %(most)s characters on one line, without a semicolon.")
ENDS_TOO_EARLY = N_("The tag would end on %(ends)s, before it begins on %(begins)s; give a later end.")
HAS_IT = N_("%(number)s has the tag %(tag)s from %(begins)s on already.")
HAS_IT_UNTIL = N_("%(number)s has the tag %(tag)s from %(begins)s until %(ends)s already.")
NO_EMPLOYEE = N_("There is no employee '%(number)s'; check the number.")

LONGEST = 100
SEPARATORS = re.compile(r"[;；]")


class UnknownEmployeeError(RefusedInWordsError, NotFoundError):
    """A tag is for somebody who does not exist."""


def checked(text: str) -> str:
    """A tag as it is kept. Raises RefusedError for one that is empty, too long or would be two."""
    tag = text.strip()
    if not tag or len(tag) > LONGEST or SEPARATORS.search(tag) or not tag.isprintable():
        raise RefusedInWordsError(NO_TAG, column="tag", text=text[:60], most=LONGEST)
    return tag


def add_tag(
    session: Session, number: str, text: str, begins: date, ends: date | None, actor: str, now: datetime
) -> PersonTag:
    """Put a tag on an employee from `begins` until just before `ends`; the caller touches them.

    Raises NotFoundError for an unknown employee, RefusedError for an unusable tag, an end that is not after the beginning,
    and days on which they have the tag already.
    """
    tag = checked(text)
    if ends is not None and ends <= begins:
        raise RefusedInWordsError(ENDS_TOO_EARLY, column="until", ends=ends, begins=begins)
    person_id = person_id_of(session, number)
    others = select(PersonTag).where(
        PersonTag.person_id == person_id,
        PersonTag.tag == tag,
        or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > begins),
    )
    if ends is not None:
        others = others.where(PersonTag.valid_from < ends)
    other = session.scalars(others.limit(1)).first()
    if other is not None:
        said = {"number": number, "tag": tag, "begins": other.valid_from, "ends": other.valid_until}
        raise RefusedInWordsError(HAS_IT_UNTIL if other.valid_until else HAS_IT, column="tag", **said)
    row = PersonTag(person_id=person_id, tag=tag, valid_from=begins, valid_until=ends)
    session.add(row)
    after = {"tag": tag, "from": str(begins), "until": str(ends) if ends else None}
    record_act(session, actor, "person.tag", f"person:{number}", now, after=after, person_id=person_id)
    return row


def end_tag(session: Session, number: str, text: str, last: date, actor: str, now: datetime) -> PersonTag:
    """End an employee's tag: `last` is the first day without it. One that has not begun by then is taken away.

    Raises NotFoundError for an unknown employee and for somebody who has no such tag then.
    """
    person_id = person_id_of(session, number)
    query = select(PersonTag).where(
        PersonTag.person_id == person_id,
        PersonTag.tag == text.strip(),
        or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > last),
    )
    row = session.scalars(query.order_by(PersonTag.valid_from).limit(1)).first()
    if row is None:
        raise NotFoundError(f"{number} has no tag {text.strip()!r} that could end on {last}.")
    before = {"tag": row.tag, "from": str(row.valid_from), "until": str(row.valid_until) if row.valid_until else None}
    if row.valid_from >= last:
        session.delete(row)
    else:
        row.valid_until = last
    after = {"tag": row.tag, "until": str(last)}
    record_act(session, actor, "person.untag", f"person:{number}", now, before=before, after=after, person_id=person_id)
    return row


def tags_on(day: date) -> Select[str, int]:
    """The tags that hold on `day`, each with how many have it."""
    query = select(PersonTag.tag, func.count()).where(PersonTag.valid_from <= day)
    query = query.where(or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > day))
    return query.group_by(PersonTag.tag).order_by(PersonTag.tag)


def set_tags(session: Session, wanted: Mapping[str, frozenset[str] | None], today: date) -> set[int]:
    """Let employees have just these tags from today on, by number; the ids of those for whom that changed something."""
    persons: dict[int, str] = {}
    standing: dict[int, dict[str, PersonTag]] = {}
    for numbers in chunks(wanted):
        rows = session.execute(select(Person.id, Person.employee_number).where(Person.employee_number.in_(numbers)))
        persons.update((row.id, row.employee_number) for row in rows)
    for ids in chunks(persons):
        query = select(PersonTag).where(PersonTag.person_id.in_(ids), PersonTag.valid_from <= today)
        query = query.where(or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > today))
        for row in session.scalars(query):
            standing.setdefault(row.person_id, {})[row.tag] = row
    changed: set[int] = set()
    for person_id, number in persons.items():
        known, tags = standing.get(person_id, {}), wanted[number] or frozenset()
        for tag, row in known.items():
            if tag in tags:
                continue
            changed.add(person_id)
            if row.valid_from >= today:
                session.delete(row)
            else:
                row.valid_until = today
        new = sorted(tags - known.keys())
        session.add_all(PersonTag(person_id=person_id, tag=tag, valid_from=today) for tag in new)
        changed |= {person_id} if new else set()
    return changed


def held_on(session: Session, person_ids: Iterable[int], day: date) -> dict[int, frozenset[str]]:
    """The tags that persons have on `day`, by id; who has none is left out."""
    found: dict[int, set[str]] = {}
    for ids in chunks(person_ids):
        query = select(PersonTag.person_id, PersonTag.tag).where(
            PersonTag.person_id.in_(ids), PersonTag.valid_from <= day
        )
        query = query.where(or_(PersonTag.valid_until.is_(None), PersonTag.valid_until > day))
        for person_id, tag in session.execute(query):
            found.setdefault(person_id, set()).add(tag)
    return {person_id: frozenset(tags) for person_id, tags in found.items()}


def person_id_of(session: Session, number: str) -> int:
    """The id of the employee of this number. Raises NotFoundError."""
    query = select(Person.id).where(Person.employee_number == number, Person.erased_at.is_(None))
    person_id = session.scalars(query).one_or_none()
    if person_id is None:
        raise UnknownEmployeeError(NO_EMPLOYEE, column="employee_number", number=number)
    return person_id
