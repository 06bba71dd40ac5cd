"""Who may send statements: a name and a password for HTTP Basic, each for one source. Of the password a digest is kept."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors.statement_models import SourceCredential
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
PREFIX = "cbx_"
USE_IS_NOTED_AFTER = timedelta(minutes=1)


def add_credential(session: Session, source: str, name: str, actor: str, now: datetime) -> str:
    """Make a credential of the source and return its password, which is kept nowhere. Raises RefusedError."""
    if not NAME.fullmatch(name):
        raise RefusedError(f"{name!r} is no name for a credential; use letters, digits, dots, hyphens and underscores.")
    if session.scalars(select(SourceCredential.id).where(SourceCredential.name == name)).first() is not None:
        raise RefusedError(f"There is, or was, a credential {name} already; choose another name.")
    password = PREFIX + secrets.token_urlsafe(32)
    session.add(SourceCredential(source=source, name=name, digest=_digest(password), created_at=now))
    record_act(session, actor, "xapi.credential_add", f"credential:{name}", now, after={"source": source})
    return password


def revoke_credential(session: Session, name: str, actor: str, now: datetime) -> None:
    """Let nobody send with the credential any more. Raises NotFoundError."""
    row = session.scalars(select(SourceCredential).where(SourceCredential.name == name)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no credential {name}; 'certbridge xapi credential list' shows those there are.")
    if row.revoked_at is None:
        row.revoked_at = now
        record_act(session, actor, "xapi.credential_revoke", f"credential:{name}", now)


def credentials_of(session: Session, source: str | None = None) -> list[SourceCredential]:
    """The credentials of a source or of all, revoked ones too, by name."""
    query = select(SourceCredential).order_by(SourceCredential.name)
    return list(session.scalars(query.where(SourceCredential.source == source) if source else query))


def opens(session: Session, header: str) -> SourceCredential | None:
    """Whose the header Authorization is; None when it is nobody's."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    if not colon or not NAME.fullmatch(name):
        return None
    row = session.scalars(select(SourceCredential).where(SourceCredential.name == name)).one_or_none()
    fits = hmac.compare_digest(_digest(password), row.digest if row is not None else "")
    return row if fits and row is not None and row.revoked_at is None else None


def note_use(session: Session, row: SourceCredential, now: datetime) -> None:
    """Note that the credential was used, at most once a minute."""
    if row.last_used_at is None or row.last_used_at <= now - USE_IS_NOTED_AFTER:
        session.execute(update(SourceCredential).where(SourceCredential.id == row.id).values(last_used_at=now))


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode("utf-8", "replace")).hexdigest()
