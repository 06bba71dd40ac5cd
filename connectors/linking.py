"""Linking accounts with persons by hand: what a person decides where the rules of connectors.identities cannot, or were wrong.

An act is decided in one transaction under the lock that binding uses: the binding, the account's evidence, whatever the
rules can bind now because of it, and the audit trail. The persons concerned are touched; waking the engine is the caller's
part. What an account is said not to be any more is remembered: the rules never bind it to that person again, until somebody
links them by hand or undoes the act.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import evidence, identities
from connectors.evidence import BINDING
from connectors.models import Identity, LinkingAct, SourceUser
from plugin import people
from plugin.accounts import N_
from plugin.audit import record_act
from plugin.errors import RefusedError
from plugin.models import Person
from plugin.store import chunks, hold

LINK, UNLINK, MOVE, REJECT, UNDO = "link", "unlink", "move", "reject", "undo"
ACTS = (LINK, UNLINK, MOVE, REJECT, UNDO)
NAMING = (LINK, MOVE, REJECT)  # the acts that name a person


NO_ACCOUNT = N_("The source %(source)s has no account %(account)s; look for it with 'certbridge identity list'.")
NO_PERSON = N_("There is no employee with the number %(number)s; look whether the newest roster has been read.")
NO_REASON = N_("Say why: the reason stands in the audit trail.")
FUTURE = N_("%(day)s is not over yet; give a day up to today.")
LINKED = N_("The account %(account)s is linked with the employee %(number)s; unlink it first, or move it.")
NOT_LINKED = N_("The account %(account)s is linked with nobody; link it instead.")
SAME_PERSON = N_("The account %(account)s is the employee %(number)s already.")
TOO_EARLY = N_(
    "The account %(account)s was somebody else's until %(day)s; what it did counts for another one from then on."
)
BEFORE_IT_BEGAN = N_(
    "What the account %(account)s does counts from %(day)s on; give a later day, or say that it never was theirs."
)
NOTHING_TO_UNDO = N_("Nobody has decided anything about the account %(account)s that could be undone.")
NOT_AS_LEFT = N_("The account %(account)s has been bound otherwise since; unlink it instead.")
CHANGED = N_("Somebody has changed the account %(account)s meanwhile; look at it again.")


class LinkingRefused(RefusedError):  # noqa: N818 - it says what happened
    """What was decided about an account cannot be done; `sentence` and `values` say why."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence % values)
        self.sentence = sentence
        self.values = values


@dataclass(frozen=True)
class Decision:
    """What somebody decides about an account.

    `since` is from when on it holds; None: for ever, so that a binding that ends has never held. `seen` is the `state` that
    they saw: when it is another one now, nothing is done; None does not look.
    """

    act: str
    source: str
    user_key: str
    reason: str
    number: str | None = None
    since: datetime | None = None
    seen: str | None = None


@dataclass
class Outcome:
    """Whom an act concerned, and which other accounts of the source the rules have bound because of it."""

    person_ids: set[int] = field(default_factory=set)
    bound: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Case:
    """What an act is decided upon."""

    session: Session
    user: SourceUser
    standing: Identity | None
    decision: Decision
    now: datetime
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """What messages call the account."""
        return named(self.user)

    def day(self, moment: datetime) -> str:
        """A moment on the organisation's wall clock, as messages say it."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def decide(session: Session, decision: Decision, actor: str, now: datetime, zone: ZoneInfo) -> Outcome:
    """Do what was decided, with everything that follows from it. Raises LinkingRefused."""
    hold(session, BINDING)
    user = find_account(session, decision.source, decision.user_key)
    case = _Case(session, user, binding(session, user), decision, now, zone)
    if decision.seen is not None and decision.seen != state(session, user):
        raise LinkingRefused(CHANGED, account=case.name)
    if not decision.reason.strip():
        raise LinkingRefused(NO_REASON)
    if decision.since is not None and decision.since > now:
        raise LinkingRefused(FUTURE, day=case.day(decision.since))
    act = _DO[decision.act](case)
    session.flush()
    if decision.act == UNDO:
        act.undone_at, act.undone_by = now, actor
    else:
        act.at, act.actor, act.act, act.reason = now, actor, decision.act, decision.reason.strip()
        session.add(act)
    outcome = Outcome({each for each in (act.from_person_id, act.to_person_id) if each is not None})
    _write_down(session, case, act, actor)
    session.flush()
    _carry_on(session, user, outcome, now)
    return outcome


def find_account(session: Session, source: str, user_key: str) -> SourceUser:
    """The account of a source under its own key. Raises LinkingRefused."""
    query = select(SourceUser).where(SourceUser.source == source, SourceUser.user_key == user_key)
    user = session.scalars(query).one_or_none()
    if user is None:
        raise LinkingRefused(NO_ACCOUNT, source=source, account=user_key)
    return user


def binding(session: Session, user: SourceUser) -> Identity | None:
    """The account's binding that stands."""
    return session.scalars(_bindings(user).where(Identity.unbound_at.is_(None))).one_or_none()


def last_act(session: Session, user: SourceUser) -> LinkingAct | None:
    """The newest act about the account that has not been undone."""
    query = select(LinkingAct).where(LinkingAct.source == user.source, LinkingAct.user_key == user.user_key)
    return session.scalars(query.where(LinkingAct.undone_at.is_(None)).order_by(LinkingAct.id.desc()).limit(1)).first()


def state(session: Session, user: SourceUser) -> str:
    """What tells whether anything was decided about the account, or it was bound, between two looks."""
    standing, last = binding(session, user), last_act(session, user)
    return f"{standing.id if standing else 0}.{last.id if last else 0}"


# The acts ------------------------------------------------------------------------------------------------------------


def _link(case: _Case) -> LinkingAct:
    if case.standing is not None:
        raise LinkingRefused(LINKED, account=case.name, number=_number(case.session, case.standing.person_id))
    person_id = _person(case)
    since = case.decision.since
    held = identities.held_until(case.session, [(case.user.source, case.user.user_key)])
    earliest = held.get((case.user.source, case.user.user_key))
    if earliest is not None and since is not None and since < earliest:
        raise LinkingRefused(TOO_EARLY, account=case.name, day=case.day(earliest))
    since = since or earliest
    _begin(case, person_id, identities.BY_HAND, since)
    return _act(case, to_person_id=person_id, since=since)


def _unlink(case: _Case) -> LinkingAct:
    standing = _standing(case)
    _end(case, standing, case.decision.since)
    return _act(case, from_person_id=standing.person_id, from_identity_id=standing.id, since=case.decision.since)


def _move(case: _Case) -> LinkingAct:
    standing, person_id = _standing(case), _person(case)
    if standing.person_id == person_id:
        raise LinkingRefused(SAME_PERSON, account=case.name, number=case.decision.number)
    _end(case, standing, case.decision.since)
    since = case.decision.since or standing.valid_from
    _begin(case, person_id, identities.BY_HAND, since)
    return _act(
        case,
        from_person_id=standing.person_id,
        to_person_id=person_id,
        from_identity_id=standing.id,
        since=case.decision.since,
    )


def _reject(case: _Case) -> LinkingAct:
    person_id = _person(case)
    if case.standing is not None and case.standing.person_id == person_id:
        raise LinkingRefused(LINKED, account=case.name, number=case.decision.number)
    return _act(case, from_person_id=person_id)


def _undo(case: _Case) -> LinkingAct:
    """Take back the newest act: the binding that it made has never held, the one that it ended stands again."""
    act = last_act(case.session, case.user)
    if act is None:
        raise LinkingRefused(NOTHING_TO_UNDO, account=case.name)
    standing = case.standing
    if act.act != REJECT and (standing.person_id if standing else None) != act.to_person_id:
        raise LinkingRefused(NOT_AS_LEFT, account=case.name)
    if act.to_person_id is not None and standing is not None:
        _end(case, standing, None)
    ended = case.session.get(Identity, act.from_identity_id) if act.from_identity_id is not None else None
    if ended is not None:
        ended.valid_until = None
        _begin(case, ended.person_id, ended.rule, ended.valid_from)
    return act


_DO: dict[str, Callable[[_Case], LinkingAct]] = {
    LINK: _link,
    UNLINK: _unlink,
    MOVE: _move,
    REJECT: _reject,
    UNDO: _undo,
}


def _act(case: _Case, **columns: Any) -> LinkingAct:
    return LinkingAct(source=case.user.source, user_key=case.user.user_key, **columns)


def _standing(case: _Case) -> Identity:
    if case.standing is None:
        raise LinkingRefused(NOT_LINKED, account=case.name)
    return case.standing


def _person(case: _Case) -> int:
    number = (case.decision.number or "").strip()
    found = case.session.scalar(select(Person.id).where(Person.employee_number == number))
    if found is None:
        raise LinkingRefused(NO_PERSON, number=number or "–")
    return found


def _end(case: _Case, standing: Identity, until: datetime | None) -> None:
    """End the binding: it held `until` then, or never."""
    if until is not None and standing.valid_from is not None and until <= standing.valid_from:
        raise LinkingRefused(BEFORE_IT_BEGAN, account=case.name, day=case.day(standing.valid_from))
    standing.unbound_at, standing.valid_until = case.now, until
    case.session.flush()  # the index allows one standing binding


def _begin(case: _Case, person_id: int, rule: str, since: datetime | None) -> None:
    case.session.add(
        Identity(
            source=case.user.source,
            user_key=case.user.user_key,
            person_id=person_id,
            rule=rule,
            bound_at=case.now,
            valid_from=since,
        )
    )
    case.user.unbound_reason = None


# What follows --------------------------------------------------------------------------------------------------------


def _carry_on(session: Session, user: SourceUser, outcome: Outcome, now: datetime) -> None:
    """Let the rules bind what they can now, and bring evidence in line with the bindings."""
    outcome.bound = identities.bind(session, now, user.source).get(user.source, [])
    evidence.void_unbound(session, user.source, user.user_key, now)
    evidence.record_of_users(session, user.source, sorted({user.user_key, *outcome.bound}), now)
    people.touch(session, outcome.person_ids)
    for user_keys in chunks(outcome.bound):
        theirs = select(Identity.person_id).where(Identity.source == user.source, Identity.unbound_at.is_(None))
        outcome.person_ids.update(session.scalars(theirs.where(Identity.user_key.in_(user_keys))))


def _write_down(session: Session, case: _Case, act: LinkingAct, actor: str) -> None:
    """An entry of the audit trail for each person concerned, that says nothing about the other one."""
    away, towards = act.from_person_id, act.to_person_id
    if case.decision.act == UNDO and act.act != REJECT:
        away, towards = towards, away
    for person_id, before in ((away, True), (towards, False)):
        if person_id is None:
            continue
        said = {"employee_number": _number(session, person_id), "act": act.act}
        if act.since is not None:
            said["since"] = act.since.isoformat()
        record_act(
            session,
            actor,
            f"identity.{case.decision.act}",
            f"identity:{case.user.source}:{case.user.user_key}",
            case.now,
            reason=case.decision.reason.strip(),
            before=said if before else None,
            after=None if before else said,
            person_id=person_id,
        )


def _bindings(user: SourceUser) -> Any:
    return select(Identity).where(Identity.source == user.source, Identity.user_key == user.user_key)


def _number(session: Session, person_id: int) -> str:
    return session.scalars(select(Person.employee_number).where(Person.id == person_id)).one()


def named(user: SourceUser) -> str:
    """What messages call an account."""
    return f"{user.username or user.user_key} ({user.source})"
