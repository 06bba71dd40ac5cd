"""The accounts of sources as lists: who waits and why, whose the others are; and what stands about one of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from connectors.models import Completion, Identity, LinkingAct, Result, SourceUser
from plugin.errors import RefusedError
from plugin.models import Person

SIZE = 50
WAITING, LINKED, ALL = "waiting", "linked", "all"
WHICH = (WAITING, LINKED, ALL)


@dataclass(frozen=True)
class Row:
    """An account, with its binding and its person where it has them."""

    user: SourceUser
    identity: Identity | None
    person: Person | None


@dataclass(frozen=True)
class Part:
    """A part of a list in the order of names: `next` and `previous` are the ids from which the parts beside it go on."""

    rows: list[Row]
    next: int | None = None
    previous: int | None = None


def accounts(which: str = WAITING, source: str = "", reason: str = "", search: str = "") -> Select[*tuple[Any, ...]]:
    """The accounts that wait for somebody to say whose they are, those that are linked, or all, gone ones too.

    `search` is a part of their name, user name, number or e-mail, or of their person's name or number. Raises RefusedError.
    """
    if which not in WHICH:
        raise RefusedError(f"{which!r} is none of {', '.join(WHICH)}.")
    standing = and_(
        Identity.source == SourceUser.source, Identity.user_key == SourceUser.user_key, Identity.unbound_at.is_(None)
    )
    query: Select[*tuple[Any, ...]] = (
        select(SourceUser, Identity, Person)
        .outerjoin(Identity, standing)
        .outerjoin(Person, Person.id == Identity.person_id)
    )
    if which == WAITING:
        query = query.where(SourceUser.unbound_reason.is_not(None), SourceUser.closed_at.is_(None))
    elif which == LINKED:
        query = query.where(Identity.id.is_not(None))
    if source:
        query = query.where(SourceUser.source == source)
    if reason:
        query = query.where(SourceUser.unbound_reason == reason)
    if search:
        names = (SourceUser.name, SourceUser.username, SourceUser.user_key, SourceUser.idnumber, SourceUser.email)
        columns = (*names, Person.name, Person.employee_number)
        query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    return query


def part(
    session: Session, query: Select[*tuple[Any, ...]], after: int | None = None, before: int | None = None
) -> Part:
    """The part of `query` that follows the account with the id `after`, stands before `before`, or is the first one.

    It starts from that account's name, so that every part costs the same, however long the list is.
    """
    name = func.coalesce(SourceUser.name, "")
    forward = before is None
    edge = after if forward else before
    if edge is not None:
        mark = session.scalar(select(name).where(SourceUser.id == edge))
        if mark is None:
            return Part([])
        if forward:
            query = query.where(or_(name > mark, and_(name == mark, SourceUser.id > edge)))
        else:
            query = query.where(or_(name < mark, and_(name == mark, SourceUser.id < edge)))
    order = (name, SourceUser.id) if forward else (name.desc(), SourceUser.id.desc())
    found = [Row(*row) for row in session.execute(query.order_by(*order).limit(SIZE + 1))]
    goes_on, rows = len(found) > SIZE, found[:SIZE]
    if not forward:
        rows.reverse()
    if not rows:
        return Part([])
    first, last = rows[0].user.id, rows[-1].user.id
    return Part(
        rows,
        next=last if goes_on or not forward else None,
        previous=first if (goes_on if not forward else edge is not None) else None,
    )


def every(session: Session, query: Select[*tuple[Any, ...]]) -> list[Row]:
    """All that `query` finds, in the order of sources and names."""
    order = (SourceUser.source, func.coalesce(SourceUser.name, ""), SourceUser.id)
    return [Row(*row) for row in session.execute(query.order_by(*order))]


@dataclass(frozen=True)
class History:
    """What happened with an account: its bindings and what was decided, each newest first with the persons; what hangs on it."""

    bindings: list[tuple[Identity, Person]]
    acts: list[tuple[LinkingAct, str | None, str | None]]
    completions: int
    results: int


def history(session: Session, user: SourceUser) -> History:
    """The history of an account."""
    bound = select(Identity, Person).join(Person, Person.id == Identity.person_id)
    bound = bound.where(Identity.source == user.source, Identity.user_key == user.user_key)
    away = select(Person.employee_number).where(Person.id == LinkingAct.from_person_id).scalar_subquery()
    towards = select(Person.employee_number).where(Person.id == LinkingAct.to_person_id).scalar_subquery()
    decided = select(LinkingAct, away, towards)
    decided = decided.where(LinkingAct.source == user.source, LinkingAct.user_key == user.user_key)
    return History(
        bindings=[(row[0], row[1]) for row in session.execute(bound.order_by(Identity.id.desc()))],
        acts=[(row[0], row[1], row[2]) for row in session.execute(decided.order_by(LinkingAct.id.desc()))],
        completions=_count(session, Completion, user),
        results=_count(session, Result, user),
    )


def _count(session: Session, model: Any, user: SourceUser) -> int:
    theirs = and_(model.source == user.source, model.user_key == user.user_key)
    return session.scalar(select(func.count()).select_from(model).where(theirs)) or 0
