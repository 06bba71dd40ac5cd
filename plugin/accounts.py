"""Local accounts and API tokens: passwords are kept as Argon2 hashes, tokens as SHA-256 digests.

An account that has failed to sign in five times in a row is locked for fifteen minutes.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin.errors import RefusedError
from plugin.models import Account, ApiToken
from plugin.roles import ROLES

MINIMUM_PASSWORD = 12
FAILURES_BEFORE_LOCK = 5
LOCKED_FOR = timedelta(minutes=15)
TOKEN_PREFIX = "cb_"  # noqa: S105 - a prefix by which scanners recognise a leaked token

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_hex())


def create_account(session: Session, login: str, password: str, roles: Sequence[str], now: datetime) -> Account:
    """A new account. Raises RefusedError for a taken login, an unknown role or a short password."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise RefusedError(f"There is no role {unknown[0]!r}; the roles are {', '.join(ROLES)}.")
    if len(password) < MINIMUM_PASSWORD:
        raise RefusedError(f"The password has {len(password)} characters; use at least {MINIMUM_PASSWORD}.")
    if session.scalars(select(Account).where(Account.login == login)).first() is not None:
        raise RefusedError(f"There is an account {login!r} already; choose another login.")
    account = Account(login=login, password_hash=_hasher.hash(password), roles=list(roles), created_at=now)
    session.add(account)
    return account


def sign_in(session: Session, login: str, password: str, now: datetime) -> Account | None:
    """The account, when login and password fit and it is neither locked nor disabled; else None.

    An unknown login takes as long as a wrong password. Failures are counted in the caller's transaction.
    """
    account = session.scalars(select(Account).where(Account.login == login).with_for_update()).one_or_none()
    fits: bool
    try:
        fits = _hasher.verify(account.password_hash if account else _nobody, password)
    except (VerificationError, InvalidHashError):
        fits = False
    if (
        account is None
        or account.disabled_at is not None
        or (account.locked_until is not None and account.locked_until > now)
    ):
        return None
    if not fits:
        account.failures += 1
        if account.failures >= FAILURES_BEFORE_LOCK:
            account.locked_until = now + LOCKED_FOR
            account.failures = 0
        return None
    account.failures = 0
    account.locked_until = None
    return account


def create_token(
    session: Session, name: str, scopes: Sequence[str], now: datetime, lasts: timedelta | None = None
) -> str:
    """A new API token, shown this once. Raises RefusedError for a taken name."""
    if session.scalars(select(ApiToken).where(ApiToken.name == name)).first() is not None:
        raise RefusedError(f"There is a token {name!r} already; revoke it or choose another name.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            name=name,
            digest=_digest(token),
            scopes=list(scopes),
            created_at=now,
            expires_at=now + lasts if lasts else None,
        )
    )
    return token


def token_opens(session: Session, token: str, scope: str, now: datetime) -> ApiToken | None:
    """The standing API token that this is, when it has the scope; else None."""
    found = session.scalars(select(ApiToken).where(ApiToken.digest == _digest(token))).one_or_none()
    if found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
        return None
    return found if scope in found.scopes else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
