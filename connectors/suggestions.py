"""Whose an account might be: persons who resemble it, the likeliest first, each with the reasons. Nothing is bound by it.

Texts are compared without case, without spaces at their ends and in one Unicode form (NFKC); numbers without the zeros
that only fill them up; names without accents, and whatever the order of their parts.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import identities
from connectors.models import Identity, SourceUser
from plugin.models import Assignment, Department, Person
from plugin.store import chunks

SAME_NUMBER = "same_number"
SAME_EMAIL = "same_email"
SAME_NAME_AND_DEPARTMENT = "same_name_and_department"
SAME_NAME = "same_name"
SIMILAR_NAME = "similar_name"
# How much each reason weighs: a better one is not outweighed by all those after it.
WEIGHTS = {SAME_NUMBER: 1000, SAME_EMAIL: 500, SAME_NAME_AND_DEPARTMENT: 200, SAME_NAME: 100, SIMILAR_NAME: 1}
SIMILAR = 0.84  # of difflib's ratio: a letter too many in a short name, two in a long one
MOST = 10


@dataclass(frozen=True)
class Suggestion:
    """A person who resembles an account. `accounts` are the keys of the accounts that they have in its source already."""

    person_id: int
    number: str
    name: str
    department: str | None
    reasons: tuple[str, ...]
    accounts: tuple[str, ...] = ()


def suggest(session: Session, user: SourceUser) -> list[Suggestion]:
    """At most ten persons whose the account might be. Whose it is, and whose it was said not to be, are left out.

    It reads every person once: names are compared letter by letter, which no database does alike.
    """
    account = user.source, user.user_key
    left_out = identities.rejections(session, [account]).get(account, set())
    bound = select(Identity.person_id).where(Identity.source == user.source, Identity.user_key == user.user_key)
    left_out.update(session.scalars(bound.where(Identity.unbound_at.is_(None))))
    wanted = _Wanted(user)
    query = (
        select(Person.id, Person.employee_number, Person.name, Person.email, Department.name, Department.code)
        .outerjoin(Assignment, (Assignment.person_id == Person.id) & Assignment.valid_until.is_(None))
        .outerjoin(Department, Department.id == Assignment.department_id)
    )
    found: list[tuple[float, str, Suggestion]] = []
    for row in session.execute(query, execution_options={"yield_per": 2000}):
        person_id, number, name, email, department, code = row
        if person_id in left_out:
            continue
        reasons = wanted.reasons(number, name, email, (department, code))
        if reasons:
            weight = sum(WEIGHTS[reason] for reason in reasons)
            made = Suggestion(person_id, number, name, department, reasons)
            found.append((-weight - wanted.likeness(name), number, made))
    best = [made for *_, made in sorted(found, key=lambda each: each[:2])[:MOST]]
    return _with_accounts(session, user.source, best)


def plain_number(text: str | None) -> str:
    """A number without case, spaces and the zeros that fill it up: `E-007 ` and `e-7` are alike."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", _plain(text).replace(" ", ""))


def plain_name(text: str | None) -> str:
    """The parts of a name, without accents and case, in the order of the alphabet; `Li, Anna` is `Anna Li`."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", _plain(text)) if not unicodedata.combining(sign))
    return " ".join(sorted(re.findall(r"[^\W_]+", bare)))


def _plain(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").strip().casefold()


class _Wanted:
    """An account as it is compared with many persons."""

    def __init__(self, user: SourceUser) -> None:
        self.numbers = {plain_number(user.idnumber), plain_number(user.username)} - {""}
        self.email = _plain(user.email)
        self.name = plain_name(user.name)
        self.department = _plain(user.department)
        self.matcher = SequenceMatcher(autojunk=False)
        self.matcher.set_seq2(self.name)  # the one that is kept

    def reasons(self, number: str, name: str, email: str | None, departments: Any) -> tuple[str, ...]:
        found = []
        if plain_number(number) in self.numbers:
            found.append(SAME_NUMBER)
        if self.email and _plain(email) == self.email:
            found.append(SAME_EMAIL)
        plain = plain_name(name)
        if self.name and self._is_same(plain):
            same_place = self.department and self.department in {_plain(each) for each in departments if each}
            found.append(SAME_NAME_AND_DEPARTMENT if same_place else SAME_NAME)
        elif self.name and self._is_similar(plain):
            found.append(SIMILAR_NAME)
        return tuple(found)

    def likeness(self, name: str) -> float:
        """From 0 to 1: how alike the names are, which orders those with the same reasons."""
        self.matcher.set_seq1(plain_name(name))
        return self.matcher.ratio()

    def _is_same(self, plain: str) -> bool:
        return plain == self.name or plain.replace(" ", "") == self.name.replace(" ", "")

    def _is_similar(self, plain: str) -> bool:
        if abs(len(plain) - len(self.name)) > max(2, len(self.name) // 4):
            return False
        self.matcher.set_seq1(plain)
        return (
            self.matcher.real_quick_ratio() >= SIMILAR
            and self.matcher.quick_ratio() >= SIMILAR
            and self.matcher.ratio() >= SIMILAR
        )


def _with_accounts(session: Session, source: str, suggestions: list[Suggestion]) -> list[Suggestion]:
    """The suggestions with the accounts that the persons have in the source already."""
    theirs: dict[int, list[str]] = {}
    for ids in chunks(each.person_id for each in suggestions):
        query = select(Identity.person_id, SourceUser.username, SourceUser.user_key)
        query = query.join(
            SourceUser, (SourceUser.source == Identity.source) & (SourceUser.user_key == Identity.user_key)
        ).where(Identity.source == source, Identity.unbound_at.is_(None), Identity.person_id.in_(ids))
        for person_id, username, user_key in session.execute(query.order_by(SourceUser.id)):
            theirs.setdefault(person_id, []).append(username or user_key)
    return [replace(each, accounts=tuple(theirs.get(each.person_id, ()))) for each in suggestions]
