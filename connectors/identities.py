"""Who is who: binding a source's accounts to persons.

By employee number, then by e-mail when both sides have it once; everything else waits for a person to decide.
A standing binding holds: an account that claims a person who has one already in the same source waits, and so do
two accounts that claim the same person, both of them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from connectors.evidence import BINDING
from connectors.models import Identity, SourceUser
from plugin import people
from plugin.models import Person
from plugin.store import chunks, hold

UNMATCHED = "unmatched"
CLAIMED_TWICE = "claimed_twice"
EMAIL_SHARED = "email_shared"
ALREADY_BOUND = "already_bound"
BY_NUMBER = "employee_number"
BY_EMAIL = "email"


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
        session.execute(insert(Identity), rows)
        people.touch(session, (row["person_id"] for row in rows))
    changed = [
        {"id": user.id, "unbound_reason": reasons[user.id]} for user in users if user.unbound_reason != reasons[user.id]
    ]
    if changed:
        session.execute(update(SourceUser), changed)
    return bound


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
