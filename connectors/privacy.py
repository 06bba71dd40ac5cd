"""What `plugin.privacy` asks of the connectors: which accounts are a person's, whether a source still has them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from connectors.evidence import BINDING
from connectors.models import Identity, Quarantined, SourceUser, SyncRun
from connectors.records import EmployeeRecord
from connectors.sources import connector_of
from connectors.streams import Stream
from plugin.errors import RecordRefusedError, SourceError
from plugin.installation import Installation
from plugin.models import Person
from plugin.privacy.subject import Identities, Period, Subject
from plugin.store import chunks, hold

USER_FIELDS = ("userid", "user_id", "userId", "user_key", "relateduserid")  # of raw records: whose they are


def before_erasing(session: Session, subject: Subject, now: datetime) -> None:
    """Keep every pull from storing anything about anybody until the person is erased."""
    hold(session, BINDING)


# Whose an account is --------------------------------------------------------------------------------------------------


def _held() -> ColumnElement[bool]:
    """The condition that a binding stands or stood, and was not a mistake."""
    return or_(Identity.unbound_at.is_(None), Identity.valid_until.is_not(None))


def identities(session: Session, person: Person) -> Identities:
    """The person's accounts: those bound to them, and those that are nobody's but carry their number or address."""
    own = session.scalars(select(Identity).where(Identity.person_id == person.id, _held()).order_by(Identity.id)).all()
    keys = {(binding.source, binding.user_key) for binding in own}
    shared = _also_others(session, person.id, keys)
    periods: set[Period] = {(*key, None, None) for key in keys - shared}
    periods |= {
        (binding.source, binding.user_key, binding.valid_from, binding.valid_until)
        for binding in own
        if (binding.source, binding.user_key) in shared
    }
    standing = {(binding.source, binding.user_key) for binding in own if binding.unbound_at is None}
    unclaimed = _unclaimed(session, person)
    users = standing | (keys - shared) | unclaimed
    periods |= {(*key, None, None) for key in unclaimed - keys}
    words, addresses = set(), set()
    for chunk in chunks(sorted(users)):
        found = select(SourceUser).where(tuple_(SourceUser.source, SourceUser.user_key).in_(chunk))
        for user in session.scalars(found):
            words |= {user.username or "", user.idnumber or ""}
            addresses |= {user.email} if user.email else set()
    return Identities(frozenset(users), frozenset(periods), frozenset(words - {""}), frozenset(addresses))


def _also_others(session: Session, person_id: int, keys: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the accounts that are, or were for some time, somebody else's too."""
    found: set[tuple[str, str]] = set()
    for chunk in chunks(sorted(keys)):
        others = select(Identity.source, Identity.user_key).where(
            Identity.person_id != person_id, _held(), tuple_(Identity.source, Identity.user_key).in_(chunk)
        )
        found.update((row.source, row.user_key) for row in session.execute(others))
    return found


def _unclaimed(session: Session, person: Person) -> set[tuple[str, str]]:
    """Accounts that are bound to nobody and carry the person's number, or their address when nobody else has it."""
    bound = and_(Identity.source == SourceUser.source, Identity.user_key == SourceUser.user_key, _held())
    theirs: list[ColumnElement[bool]] = [SourceUser.idnumber == person.employee_number]
    if person.email:
        other = aliased(Person)
        shared = select(other.id).where(other.id != person.id, func.lower(other.email) == person.email.lower())
        theirs.append(and_(func.lower(SourceUser.email) == person.email.lower(), ~shared.exists()))
    query = select(SourceUser.source, SourceUser.user_key).where(
        or_(*theirs), ~select(Identity.id).where(bound).exists()
    )
    return {(row.source, row.user_key) for row in session.execute(query)}


def quarantined(session: Session, subject: Subject) -> Iterator[int]:
    """The quarantined records of the person's accounts; those that carry their number or address are found by that."""
    keys: dict[str, set[str]] = {}
    for source, user_key in subject.users:
        keys.setdefault(source, set()).add(user_key)
    query = select(Quarantined.id, Quarantined.source, Quarantined.stream, Quarantined.record)
    for row in session.execute(query.where(Quarantined.source.in_(sorted(keys)))):
        names = (*USER_FIELDS, "id") if row.stream == "users" else USER_FIELDS
        if any(str(row.record.get(name, "")) in keys[row.source] for name in names):
            yield row.id


# Whom a source still has ----------------------------------------------------------------------------------------------


def present(installation: Installation, people: Mapping[int, str]) -> dict[int, list[str]]:
    """The sources that still have these persons: an account of theirs that is not closed, or a line of the authority.

    The authority for people is asked itself, for the store does not say whom it left out. One that does not answer counts as
    having everybody.
    """
    found: dict[int, list[str]] = {}
    with installation.store.read() as session:
        for ids in chunks(sorted(people)):
            for person_id, source in session.execute(_open_accounts(ids)):
                found.setdefault(person_id, []).append(source)
    authority = installation.settings.people.authority
    if authority in installation.settings.sources:
        try:
            listed = set(_employees(installation, authority))
        except SourceError:
            listed = set(people.values())
        for person_id, number in people.items():
            if number in listed:
                found.setdefault(person_id, []).append(authority)
    return {person_id: sorted(set(sources)) for person_id, sources in found.items()}


def _open_accounts(person_ids: list[int]) -> Any:
    """The persons and sources of accounts that are not closed and are theirs by binding, or by number and nobody's."""
    account = and_(Identity.source == SourceUser.source, Identity.user_key == SourceUser.user_key)
    bound = (
        select(Identity.person_id, SourceUser.source)
        .join(SourceUser, account)
        .where(Identity.person_id.in_(person_ids), Identity.unbound_at.is_(None), SourceUser.closed_at.is_(None))
    )
    nobodys = ~select(Identity.id).where(account, Identity.unbound_at.is_(None)).exists()
    numbered = (
        select(Person.id, SourceUser.source)
        .join(SourceUser, SourceUser.idnumber == Person.employee_number)
        .where(Person.id.in_(person_ids), SourceUser.closed_at.is_(None), nobodys)
    )
    return bound.union(numbered)


def _employees(installation: Installation, authority: str) -> Iterator[str]:
    """The numbers of everybody whom the authority for people lists now."""
    connector = connector_of(installation, authority)
    for stream in connector.streams():
        if EmployeeRecord in stream.records:
            yield from _listed(stream)


def _listed(stream: Stream) -> Iterator[str]:
    for page in stream.pull(None):
        for raw in page.raws:
            try:
                record = stream.parse(raw.value)
            except RecordRefusedError:
                continue  # it waits in quarantine and makes nobody
            if isinstance(record, EmployeeRecord):
                yield record.employee.employee_number
        if page.ends_pass:
            return


# Retention ------------------------------------------------------------------------------------------------------------


def older_runs() -> ColumnElement[bool]:
    """The condition that a pull has ended and is not the newest one of its source, kind and outcome: that one is asked for."""
    newest = select(func.max(SyncRun.id)).group_by(SyncRun.source, SyncRun.status, SyncRun.kind)
    return and_(SyncRun.finished_at.is_not(None), SyncRun.id.not_in(newest))
