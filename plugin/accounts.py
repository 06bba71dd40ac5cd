"""Local accounts and API tokens: passwords are kept as Argon2 hashes, tokens and one-time links as SHA-256 digests.

An account that has failed to sign in five times in a row is locked for fifteen minutes. A changed password, a used
link and disabling end every session of the account. Refusals carry their sentence, which the pages translate.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import RefusedInWordsError
from plugin.models import Account, ApiToken, PasswordReset, Person, Throttle
from plugin.roles import ROLES
from plugin.store import insert_new

MINIMUM_PASSWORD = 12
LONGEST_PASSWORD = 1000
FAILURES_BEFORE_LOCK = 5
LOCKED_FOR = timedelta(minutes=15)
RESET_LASTS = timedelta(hours=1)
RESETS_AN_HOUR = 3
USE_IS_NOTED_AFTER = timedelta(minutes=1)
TOKEN_PREFIX = "cb_"  # noqa: S105 - a prefix by which scanners recognise a leaked token
NO_PASSWORD = "!"  # noqa: S105 - no hash: no password fits it

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_hex())


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


UNKNOWN_ROLE = N_("There is no role %(role)s; the roles are %(roles)s.")
NO_ROLE = N_("An account needs at least one role.")
SHORT = N_("The password has %(length)s characters; use at least %(least)s.")
LONG = N_("The password has more than %(most)s characters.")
SAME_AS_LOGIN = N_("The password must not be the login.")
NO_LOGIN = N_("A login has 1 to 200 characters, without spaces at its ends and without control characters.")
LOGIN_TAKEN = N_("There is an account %(login)s already; choose another login.")
NO_ACCOUNT = N_("There is no account %(login)s.")
NO_EMPLOYEE = N_("There is no employee with the number %(number)s.")
EMPLOYEE_TAKEN = N_("The employee %(number)s has the account %(login)s already.")
LAST_ADMINISTRATOR = N_("%(login)s is the last administrator who can sign in; make another one first.")
SAME_PASSWORD = N_("The new password is the present one; choose another.")
NOT_REPEATED = N_("The two new passwords are not the same.")
LINK_IS_SPENT = N_("This link has been used, or has expired; ask for a new one.")
ACCOUNT_DISABLED = N_("The account %(login)s is disabled; enable it first.")
TOKEN_TAKEN = N_("There is a token %(name)s already; revoke it or choose another name.")
NO_TOKEN = N_("There is no token %(name)s.")
NO_TOKEN_NAME = N_("A token needs a name of 1 to 200 characters, and at least one scope.")


class AccountRefusedError(RefusedInWordsError):
    """What was asked for an account or a token cannot be done; `sentence` and `values` say why."""


def create_account(session: Session, login: str, password: str | None, roles: Sequence[str], now: datetime) -> Account:
    """A new account; without a password, somebody else says who it is (OpenID Connect, or a one-time link first).

    Raises AccountRefusedError for a taken login, an unknown role or a password that is too short.
    """
    if not 0 < len(login) <= 200 or login != login.strip() or not login.isprintable():
        raise AccountRefusedError(NO_LOGIN)
    _check_roles(roles)
    if password is not None:
        _check_password(login, password)
    if session.scalars(select(Account).where(Account.login == login)).first() is not None:
        raise AccountRefusedError(LOGIN_TAKEN, login=login)
    digest = NO_PASSWORD if password is None else _hasher.hash(password)
    account = Account(login=login, password_hash=digest, roles=list(roles), created_at=now)
    session.add(account)
    return account


def first_password() -> str:
    """A password for an account that is new: good enough to be kept, and to be typed."""
    return secrets.token_urlsafe(12)


def _check_roles(roles: Collection[str]) -> None:
    if not roles:
        raise AccountRefusedError(NO_ROLE)
    for role in sorted(set(roles) - set(ROLES)):
        raise AccountRefusedError(UNKNOWN_ROLE, role=repr(role), roles=", ".join(ROLES))


def _check_password(login: str, password: str) -> None:
    if len(password) < MINIMUM_PASSWORD:
        raise AccountRefusedError(SHORT, length=len(password), least=MINIMUM_PASSWORD)
    if len(password) > LONGEST_PASSWORD:
        raise AccountRefusedError(LONG, most=LONGEST_PASSWORD)
    if password.casefold() == login.casefold():
        raise AccountRefusedError(SAME_AS_LOGIN)


def _fits(account: Account | None, password: str) -> bool:
    """Whether the password is the account's; it takes as long for no account as for a wrong password."""
    known = account.password_hash if account is not None and has_password(account) else None
    try:
        return _hasher.verify(known or _nobody, password[:LONGEST_PASSWORD]) and known is not None
    except (VerificationError, InvalidHashError):
        return False


def has_password(account: Account) -> bool:
    """Whether the account has a password at all."""
    return account.password_hash != NO_PASSWORD


def sign_in(session: Session, login: str, password: str, now: datetime) -> Account | None:
    """The account, when login and password fit and it is neither locked nor disabled; else None.

    An unknown login takes as long as a wrong password. Failures are counted in the caller's transaction.
    """
    account = session.scalars(select(Account).where(Account.login == login).with_for_update()).one_or_none()
    fits = _fits(account, password)
    if account is None or account.disabled_at is not None or is_locked(account, now):
        return None
    if not fits:
        _count_failure(account, now)
        return None
    enter(account, now)
    return account


def enter(account: Account, now: datetime) -> None:
    """Note that the account has signed in."""
    account.failures = 0
    account.locked_until = None
    account.last_signed_in_at = now


def is_locked(account: Account, now: datetime) -> bool:
    """Whether the account is locked after wrong passwords."""
    return account.locked_until is not None and account.locked_until > now


def _count_failure(account: Account, now: datetime) -> None:
    account.failures += 1
    if account.failures >= FAILURES_BEFORE_LOCK:
        account.locked_until = now + LOCKED_FOR
        account.failures = 0


def find_account(session: Session, login: str) -> Account:
    """The account of this login, locked for a change. Raises AccountRefusedError."""
    account = session.scalars(select(Account).where(Account.login == login).with_for_update()).one_or_none()
    if account is None:
        raise AccountRefusedError(NO_ACCOUNT, login=login)
    return account


def change_password(session: Session, account: Account, old: str, new: str, now: datetime) -> bool:
    """Change the own password; False when the old one is wrong, which counts as a failure to sign in.

    Ends every session of the account. Raises AccountRefusedError for a new one that will not do.
    """
    if is_locked(account, now) or not _fits(account, old):
        if not is_locked(account, now):
            _count_failure(account, now)
        return False
    _check_password(account.login, new)
    if new == old:
        raise AccountRefusedError(SAME_PASSWORD)
    _set_password(account, new)
    account.failures = 0
    record_act(session, account.login, "account.password", _subject(account), now, person_id=account.person_id)
    return True


def _set_password(account: Account, password: str, *, must_change: bool = False) -> None:
    account.password_hash = _hasher.hash(password)
    account.must_change_password = must_change
    end_sessions(account)


def end_sessions(account: Account) -> None:
    """End every session of the account, wherever it is signed in."""
    account.session_number += 1


def _subject(account: Account) -> str:
    return f"account:{account.login}"


def set_roles(
    session: Session,
    account: Account,
    roles: Sequence[str],
    actor: str,
    now: datetime,
    reason: str | None = None,
    *,
    keep_one: bool = True,
) -> None:
    """Give the account these roles and no others. Raises AccountRefusedError.

    `keep_one` refuses to take the last administrator's role away.
    """
    _check_roles(roles)
    if keep_one and "administrator" not in roles:
        _keep_an_administrator(session, account)
    if sorted(account.roles) == sorted(set(roles)):
        return
    before, account.roles = account.roles, [role for role in ROLES if role in roles]
    record_act(
        session,
        actor,
        "account.roles",
        _subject(account),
        now,
        reason=reason,
        before={"roles": before},
        after={"roles": account.roles},
        person_id=account.person_id,
    )


def _keep_an_administrator(session: Session, account: Account) -> None:
    """Raise AccountRefusedError when without this account nobody could administer."""
    if "administrator" not in account.roles or account.disabled_at is not None:
        return
    others = session.scalars(
        select(Account).where(Account.id != account.id, Account.disabled_at.is_(None)).with_for_update()
    )
    if not any("administrator" in other.roles for other in others):
        raise AccountRefusedError(LAST_ADMINISTRATOR, login=account.login)


def person_of(session: Session, number: str | None) -> Person | None:
    """The employee of this number; None without a number. Raises AccountRefusedError when there is no such employee."""
    if not number:
        return None
    person = session.scalars(select(Person).where(Person.employee_number == number)).one_or_none()
    if person is None:
        raise AccountRefusedError(NO_EMPLOYEE, number=number)
    return person


def set_person(
    session: Session, account: Account, number: str | None, actor: str, now: datetime, reason: str | None = None
) -> None:
    """Say which employee the account is; None: nobody. Raises AccountRefusedError."""
    person = person_of(session, number)
    if person is not None:
        taken = select(Account.login).where(Account.person_id == person.id, Account.id != account.id)
        other = session.scalars(taken).first()
        if other is not None:
            raise AccountRefusedError(EMPLOYEE_TAKEN, number=number, login=other)
    wanted = person.id if person else None
    if wanted == account.person_id:
        return
    old = session.get(Person, account.person_id) if account.person_id is not None else None
    account.person_id = wanted
    record_act(
        session,
        actor,
        "account.link",
        _subject(account),
        now,
        reason=reason,
        before={"employee_number": old.employee_number if old else None},
        after={"employee_number": number or None},
        person_id=wanted if wanted is not None else old.id if old else None,
    )


def set_email(
    session: Session, account: Account, email: str | None, actor: str, now: datetime, reason: str | None = None
) -> None:
    """Say where mail for the account goes; None: to the employee's own address."""
    if (email or None) == account.email:
        return
    account.email = email or None
    record_act(session, actor, "account.email", _subject(account), now, reason=reason, person_id=account.person_id)


def disable(session: Session, account: Account, actor: str, now: datetime, reason: str | None = None) -> None:
    """Let the account sign in no more, and end its sessions. Raises AccountRefusedError."""
    if account.disabled_at is not None:
        return
    _keep_an_administrator(session, account)
    account.disabled_at = now
    end_sessions(account)
    session.execute(
        update(PasswordReset)
        .where(PasswordReset.account_id == account.id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
    )
    record_act(session, actor, "account.disable", _subject(account), now, reason=reason, person_id=account.person_id)


def enable(session: Session, account: Account, actor: str, now: datetime, reason: str | None = None) -> None:
    """Let the account sign in again."""
    if account.disabled_at is None:
        return
    account.disabled_at = None
    record_act(session, actor, "account.enable", _subject(account), now, reason=reason, person_id=account.person_id)


def unlock(session: Session, account: Account, actor: str, now: datetime, reason: str | None = None) -> None:
    """End the lock that wrong passwords have brought."""
    if not is_locked(account, now) and not account.failures:
        return
    account.locked_until = None
    account.failures = 0
    record_act(session, actor, "account.unlock", _subject(account), now, reason=reason, person_id=account.person_id)


def begin_reset(session: Session, account: Account, actor: str, now: datetime, reason: str | None = None) -> str:
    """The token of a new one-time link, good for an hour; earlier ones are spent. Raises AccountRefusedError."""
    if account.disabled_at is not None:
        raise AccountRefusedError(ACCOUNT_DISABLED, login=account.login)
    session.flush()
    session.execute(
        update(PasswordReset)
        .where(PasswordReset.account_id == account.id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
    )
    token = secrets.token_urlsafe(32)
    session.add(
        PasswordReset(account_id=account.id, digest=_digest(token), created_at=now, expires_at=now + RESET_LASTS)
    )
    record_act(session, actor, "account.reset_link", _subject(account), now, reason=reason, person_id=account.person_id)
    return token


def may_ask_for_reset(session: Session, account: Account, now: datetime) -> bool:
    """Whether the account has not yet been sent as many links as it may within an hour."""
    recent = select(func.count()).where(
        PasswordReset.account_id == account.id, PasswordReset.created_at > now - RESET_LASTS
    )
    return (session.scalar(recent) or 0) < RESETS_AN_HOUR


def find_reset(session: Session, token: str, now: datetime) -> Account:
    """Whose password the one-time link sets. Raises AccountRefusedError when it is spent."""
    return _reset(session, token, now)[1]


def _reset(session: Session, token: str, now: datetime, *, lock: bool = False) -> tuple[PasswordReset, Account]:
    query = select(PasswordReset).where(PasswordReset.digest == _digest(token))
    link = session.scalars(query.with_for_update() if lock else query).one_or_none()
    account = session.get(Account, link.account_id, with_for_update=lock) if link else None
    if (
        link is None
        or account is None
        or link.used_at is not None
        or link.expires_at <= now
        or account.disabled_at is not None
    ):
        raise AccountRefusedError(LINK_IS_SPENT)
    return link, account


def use_reset(session: Session, token: str, password: str, now: datetime) -> Account:
    """Set the password by a one-time link; ends every session and the lock. Raises AccountRefusedError."""
    link, account = _reset(session, token, now, lock=True)
    _check_password(account.login, password)
    _set_password(account, password)
    account.failures = 0
    account.locked_until = None
    link.used_at = now
    record_act(session, account.login, "account.reset", _subject(account), now, person_id=account.person_id)
    return account


def may_go_on(session: Session, key: str, most: int, within: timedelta, now: datetime) -> bool:
    """Count what `key` names, and say whether it has been done at most `most` times within this time."""
    session.execute(delete(Throttle).where(Throttle.since <= now - within))
    insert_new(session, Throttle, [{"key": key, "count": 0, "since": now}])
    counted = update(Throttle).where(Throttle.key == key).values(count=Throttle.count + 1).returning(Throttle.count)
    return session.execute(counted).scalar_one() <= most


def create_token(
    session: Session,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    lasts: timedelta | None = None,
    created_by: str | None = None,
) -> str:
    """A new API token, shown this once. Raises AccountRefusedError for a taken name."""
    if not 0 < len(name) <= 200 or name != name.strip() or not name.isprintable() or not scopes:
        raise AccountRefusedError(NO_TOKEN_NAME)
    if session.scalars(select(ApiToken).where(ApiToken.name == name)).first() is not None:
        raise AccountRefusedError(TOKEN_TAKEN, name=name)
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            name=name,
            digest=_digest(token),
            scopes=list(scopes),
            created_at=now,
            expires_at=now + lasts if lasts else None,
            created_by=created_by,
        )
    )
    return token


def revoke_token(session: Session, name: str, actor: str, now: datetime, reason: str | None = None) -> None:
    """Let the token open nothing any more. Raises AccountRefusedError."""
    found = session.scalars(select(ApiToken).where(ApiToken.name == name).with_for_update()).one_or_none()
    if found is None:
        raise AccountRefusedError(NO_TOKEN, name=name)
    if found.revoked_at is None:
        found.revoked_at = now
        record_act(session, actor, "token.revoke", f"token:{name}", now, reason=reason)


def token_opens(session: Session, token: str, scope: str, now: datetime) -> ApiToken | None:
    """The standing API token that this is, when it has the scope; else None."""
    found = find_token(session, token, now)
    return found if found is not None and scope in found.scopes else None


def find_token(session: Session, token: str, now: datetime) -> ApiToken | None:
    """The standing API token that this is; else None."""
    found = session.scalars(select(ApiToken).where(ApiToken.digest == _digest(token))).one_or_none()
    return found if found is not None and stands(found, now) else None


def stands(token: ApiToken, now: datetime) -> bool:
    """Whether the token is neither revoked nor expired."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def use_is_to_be_noted(token: ApiToken, now: datetime) -> bool:
    """Whether the token's last use was noted so long ago that this one should be."""
    return token.last_used_at is None or now - token.last_used_at >= USE_IS_NOTED_AFTER


def note_use(session: Session, token_id: int, now: datetime) -> None:
    """Note when the token was last used."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def address_of(session: Session, account: Account) -> str | None:
    """Where mail for the account goes: its own address, else the employee's."""
    if account.email:
        return account.email
    person: Any = session.get(Person, account.person_id) if account.person_id is not None else None
    return person.email if person is not None else None
