"""Who is who: binding a source's accounts to persons.

By employee number, then by e-mail when both sides have it once; everything else waits for a person to decide.
A standing binding holds: an account that claims a person who has one already in the same source waits, and so do
two accounts that claim the same person, both of them. What a person has decided (connectors.linking) is never replaced:
a binding made by hand stands like any other, and an account is not bound again to somebody whose it was said not to be.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from connectors.evidence import BINDING
from connectors.models import Identity, LinkingAct, SourceUser
from plugin import people
from plugin.models import Person
from plugin.store import chunks, hold

UNMATCHED = "unmatched"
CLAIMED_TWICE = "claimed_twice"
EMAIL_SHARED = "email_shared"
ALREADY_BOUND = "already_bound"
REJECTED = "rejected"
BY_NUMBER = "employee_number"
BY_EMAIL = "email"
BY_HAND = "by_hand"


@dataclass(frozen=True)
class _Claim:
    user: Any
    person_id: int
    rule: str


def bind(session: Session, now: datetime, source: str | None = None) -> dict[str, list[str]]:
    """Bind what can be bound with certainty, of one source or of all; the accounts bound now, by source.

    Accounts that cannot be bound say why in `unbound_reason`. The persons concerned are touched; making their
    evidence is the caller's part.
    """
    # Accounts and persons may be stored at the same time by two pulls: the later one must see the earlier one's rows.
    hold(session, BINDING)
    query = _unbound().where(SourceUser.source == source) if source else _unbound()
    users = session.execute(query).all()
    claims: list[_Claim] = []
    reasons: dict[int, str | None] = {}
    _claim_by_number(session, users, claims)
    claimed = {claim.user.id for claim in claims}
    _claim_by_email(session, [user for user in users if user.id not in claimed], claims, reasons)

    refused = rejections(session, ((claim.user.source, claim.user.user_key) for claim in claims))
    for claim in claims:
        if claim.person_id in refused.get((claim.user.source, claim.user.user_key), ()):
            reasons[claim.user.id] = REJECTED
    claims = [claim for claim in claims if claim.user.id not in reasons]
    taken = _already_bound(session, claims)
    rivals = Counter((claim.user.source, claim.person_id) for claim in claims)
    bound: dict[str, list[str]] = {}
    rows = []
    for claim in claims:
        if (claim.user.source, claim.person_id) in taken:
            reasons[claim.user.id] = ALREADY_BOUND
        elif rivals[claim.user.source, claim.person_id] > 1:
            reasons[claim.user.id] = CLAIMED_TWICE
        else:
            reasons[claim.user.id] = None
            rows.append(
                {
                    "source": claim.user.source,
                    "user_key": claim.user.user_key,
                    "person_id": claim.person_id,
                    "rule": claim.rule,
                    "bound_at": now,
                }
            )
            bound.setdefault(claim.user.source, []).append(claim.user.user_key)
    if rows:
        held = held_until(session, ((row["source"], row["user_key"]) for row in rows))
        session.execute(
            insert(Identity), [{**row, "valid_from": held.get((row["source"], row["user_key"]))} for row in rows]
        )
        people.touch(session, (row["person_id"] for row in rows))
    changed = [
        {"id": user.id, "unbound_reason": reasons[user.id]} for user in users if user.unbound_reason != reasons[user.id]
    ]
    if changed:
        session.execute(update(SourceUser), changed)
    return bound


def rejections(session: Session, accounts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], set[int]]:
    """The persons whose these accounts (source, key) are not, as somebody decided; a later decision for them counts."""
    later = aliased(LinkingAct)
    again = select(later.id).where(
        later.source == LinkingAct.source,
        later.user_key == LinkingAct.user_key,
        later.to_person_id == LinkingAct.from_person_id,
        later.undone_at.is_(None),
        later.id > LinkingAct.id,
    )
    query = select(LinkingAct.source, LinkingAct.user_key, LinkingAct.from_person_id).where(
        LinkingAct.from_person_id.is_not(None), LinkingAct.undone_at.is_(None), ~again.exists()
    )
    found: dict[tuple[str, str], set[int]] = {}
    for chunk in chunks(accounts):
        for source, user_key, person_id in session.execute(
            query.where(tuple_(LinkingAct.source, LinkingAct.user_key).in_(chunk))
        ):
            found.setdefault((source, user_key), set()).add(person_id or 0)
    return found


def held_until(session: Session, accounts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Until when these accounts (source, key) were somebody's whose they are not any more: nothing before is another's."""
    query = (
        select(Identity.source, Identity.user_key, func.max(Identity.valid_until))
        .where(Identity.valid_until.is_not(None))
        .group_by(Identity.source, Identity.user_key)
    )
    found: dict[tuple[str, str], datetime] = {}
    for chunk in chunks(accounts):
        for source, user_key, until in session.execute(
            query.where(tuple_(Identity.source, Identity.user_key).in_(chunk))
        ):
            assert until is not None  # the greatest of those that are not empty
            found[source, user_key] = until
    return found


def _unbound() -> Select[*tuple[Any, ...]]:
    standing = (
        (Identity.source == SourceUser.source)
        & (Identity.user_key == SourceUser.user_key)
        & Identity.unbound_at.is_(None)
    )
    return (
        select(
            SourceUser.id,
            SourceUser.source,
            SourceUser.user_key,
            SourceUser.idnumber,
            SourceUser.email,
            SourceUser.unbound_reason,
        )
        .outerjoin(Identity, standing)
        .where(Identity.id.is_(None), SourceUser.closed_at.is_(None))
        .order_by(SourceUser.id)
    )


def _claim_by_number(session: Session, users: Sequence[Any], claims: list[_Claim]) -> None:
    persons: dict[str, int] = {}
    for numbers in chunks({user.idnumber for user in users if user.idnumber}):
        found = session.execute(select(Person.employee_number, Person.id).where(Person.employee_number.in_(numbers)))
        persons.update(found.all())
    claims += [_Claim(user, persons[user.idnumber], BY_NUMBER) for user in users if user.idnumber in persons]


def _claim_by_email(
    session: Session, users: Sequence[Any], claims: list[_Claim], reasons: dict[int, str | None]
) -> None:
    """Claims by an e-mail address that one account of the source has and one person."""
    addresses = {user.email.lower() for user in users if user.email}
    persons: dict[str, list[int]] = {}
    accounts: Counter[tuple[str, str]] = Counter()
    for chunk in chunks(addresses):
        email = func.lower(Person.email)
        for address, person_id in session.execute(select(email, Person.id).where(email.in_(chunk))):
            persons.setdefault(address, []).append(person_id)
        email = func.lower(SourceUser.email)
        counted = select(SourceUser.source, email, func.count()).where(email.in_(chunk), SourceUser.closed_at.is_(None))
        for source, address, count in session.execute(counted.group_by(SourceUser.source, email)):
            accounts[source, address] = count
    for user in users:
        address = user.email.lower() if user.email else ""
        owners = persons.get(address, [])
        if not owners:
            reasons[user.id] = UNMATCHED
        elif len(owners) > 1 or accounts[user.source, address] > 1:
            reasons[user.id] = EMAIL_SHARED
        else:
            claims.append(_Claim(user, owners[0], BY_EMAIL))


def _already_bound(session: Session, claims: Iterable[_Claim]) -> set[tuple[str, int]]:
    taken: set[tuple[str, int]] = set()
    for person_ids in chunks({claim.person_id for claim in claims}):
        standing = select(Identity.source, Identity.person_id).where(
            Identity.unbound_at.is_(None), Identity.person_id.in_(person_ids)
        )
        taken.update(session.execute(standing).all())
    return taken
