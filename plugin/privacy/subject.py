"""One person, and everything by which rows about them are known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from plugin.installation import load_object
from plugin.models import Account, Event, Person, SignInLink
from plugin.privacy.refusals import ERASED_ALREADY, IS_LEFT, NOBODY, NobodyThereError, PrivacyRefusedError

ERASED_EVENT = "person.erased"


Period = tuple[str, str, datetime | None, datetime | None]


@dataclass(frozen=True)
class Identities:
    """The accounts of sources that are a person's, as (source, user key), and what else those accounts are called.

    `periods` are (source, user key, from, until): when they were the person's, half open, None for no end. An account that
    never was anybody else's is theirs for ever.
    """

    users: frozenset[tuple[str, str]] = frozenset()
    periods: frozenset[Period] = frozenset()
    words: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


class FindIdentities(Protocol):
    """What a manifest names as `identities`."""

    def __call__(self, session: Session, person: Person) -> Identities:
        """The accounts of this person."""
        ...


@dataclass(frozen=True)
class Subject:
    """A person: ids, number, name; their accounts here and in sources; words that are theirs alone."""

    person_id: int
    number: str
    name: str
    account_ids: frozenset[int] = frozenset()
    logins: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    users: frozenset[tuple[str, str]] = frozenset()
    periods: frozenset[Period] = frozenset()
    words: frozenset[str] = frozenset()


def find_person(session: Session, number: str) -> Person:
    """The person of this employee number.

    Raises PrivacyRefusedError when they have been erased, NobodyThereError when there is no such person.
    """
    person = session.scalars(select(Person).where(Person.employee_number == number)).one_or_none()
    if person is not None and person.erased_at is None:
        return person
    if person is not None:
        raise PrivacyRefusedError(IS_LEFT, number=number, day=f"{person.erased_at:%Y-%m-%d}")
    told = select(func.max(Event.occurred_at)).where(Event.type == ERASED_EVENT, Event.subject == f"person:{number}")
    erased_at = session.scalar(told)
    if erased_at is not None:
        raise PrivacyRefusedError(ERASED_ALREADY, number=number, day=f"{erased_at:%Y-%m-%d}")
    raise NobodyThereError(NOBODY, number=number)


def subject_of(session: Session, person: Person, identities: Iterable[str]) -> Subject:
    """By what rows about the person are known; `identities` are the places of the functions that find accounts."""
    accounts = session.scalars(select(Account).where(Account.person_id == person.id)).all()
    links = session.scalars(
        select(SignInLink.subject).where(SignInLink.account_id.in_([account.id for account in accounts]))
    ).all()
    found = [_identities(session, person, place) for place in identities]
    logins = {account.login for account in accounts}
    addresses = {person.email, *(account.email for account in accounts)} - {None}
    own = _unshared(session, person, {str(address).lower() for address in addresses})
    others = {address.lower() for each in found for address in each.addresses}
    words = {person.employee_number, *logins, *links, *own, *_unshared(session, person, others)}
    words |= {word for each in found for word in each.words}
    return Subject(
        person_id=person.id,
        number=person.employee_number,
        name=person.name,
        account_ids=frozenset(account.id for account in accounts),
        logins=frozenset(logins),
        addresses=frozenset(own),
        users=frozenset(user for each in found for user in each.users),
        periods=frozenset(period for each in found for period in each.periods),
        words=frozenset(word for word in words if word),
    )


def _identities(session: Session, person: Person, place: str) -> Identities:
    find: FindIdentities = load_object(place)
    return find(session, person)


def _unshared(session: Session, person: Person, addresses: set[str]) -> set[str]:
    """Those of the addresses that no other person and nobody else's account has."""
    if not addresses:
        return set()
    persons = select(func.lower(Person.email)).where(Person.id != person.id, func.lower(Person.email).in_(addresses))
    of_others = or_(Account.person_id != person.id, Account.person_id.is_(None))
    accounts = select(func.lower(Account.email)).where(of_others, func.lower(Account.email).in_(addresses))
    return addresses - {str(each) for query in (persons, accounts) for each in session.scalars(query)}
