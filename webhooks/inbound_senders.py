"""Who may send events: adding, changing the secret, switching off and on. `actor` is who is written into the audit trail."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.secrets import KeyRing
from webhooks.inbound_models import InboundSender
from webhooks.inbound_types import TYPES
from webhooks.keys import check_secret, new_secret

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
BOTH_FOR = timedelta(hours=24)  # how long the secret before the present one is good


def add_sender(
    session: Session,
    keys: KeyRing,
    name: str,
    *,
    secret: str | None = None,
    types: Sequence[str] = (),
    creates_units: bool = False,
    actor: str,
    now: datetime,
) -> str:
    """Make a sender and return its secret, a new one unless `secret` is given. Raises RefusedError."""
    if not NAME.fullmatch(name):
        raise RefusedError(f"{name!r} is no name for a sender; use letters, digits, dots, hyphens and underscores.")
    if session.scalars(select(InboundSender.id).where(InboundSender.name == name)).first() is not None:
        raise RefusedError(f"There is a sender {name} already; choose another name, or rotate its secret.")
    chosen = _chosen(types)
    secret = secret if secret is not None else new_secret()
    check_secret(secret)
    session.add(
        InboundSender(name=name, secret=keys.encrypt(secret), types=chosen, creates_units=creates_units, created_at=now)
    )
    record_act(
        session, actor, "inbound.add", f"inbound:{name}", now, after={"types": chosen, "creates_units": creates_units}
    )
    return secret


def _chosen(patterns: Sequence[str]) -> list[str] | None:
    chosen: set[str] = set()
    for pattern in patterns:
        found = [
            name for name in TYPES if name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
        ]
        if not found:
            raise RefusedError(f"There is no type of event {pattern!r}; there are: {', '.join(TYPES)}.")
        chosen.update(found)
    return sorted(chosen) or None


def find_sender(session: Session, name: str) -> InboundSender:
    """The sender of this name. Raises NotFoundError."""
    found = session.scalars(select(InboundSender).where(InboundSender.name == name)).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no sender {name}; 'certbridge inbound list' shows those there are.")
    return found


def rotate(session: Session, keys: KeyRing, name: str, *, secret: str | None = None, actor: str, now: datetime) -> str:
    """Put a new secret in place of the present one, which is good for a day more; the new one. Raises RefusedError."""
    sender = find_sender(session, name)
    secret = secret if secret is not None else new_secret()
    check_secret(secret)
    if secret == keys.decrypt(sender.secret):
        raise RefusedError("That is the present secret; give another one, or let CertBridge make one.")
    sender.old_secret, sender.old_secret_until = sender.secret, now + BOTH_FOR
    sender.secret = keys.encrypt(secret)
    record_act(session, actor, "inbound.rotate", f"inbound:{name}", now)
    return secret


def secrets_in_use(sender: InboundSender, keys: KeyRing, now: datetime) -> list[str]:
    """With what it may sign now, the newest secret first. Raises SecretError."""
    tokens = [sender.secret]
    if sender.old_secret is not None and sender.old_secret_until is not None and now < sender.old_secret_until:
        tokens.append(sender.old_secret)
    return [keys.decrypt(token) for token in tokens]


def switch(session: Session, name: str, actor: str, now: datetime, *, on: bool) -> None:
    """Take nothing more from the sender, or take it again. Raises NotFoundError."""
    sender = find_sender(session, name)
    sender.disabled_at = None if on else sender.disabled_at or now
    record_act(session, actor, "inbound.enable" if on else "inbound.disable", f"inbound:{name}", now)
