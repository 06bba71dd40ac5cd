"""Queueing: a mail is recorded in the transaction of what it tells, so that it is told if and only if that happened."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from ulid import ULID

from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.mail import states
from plugin.mail.addresses import checked_address
from plugin.models import Mail
from plugin.secrets import KeyRing
from plugin.store import chunks

LONGEST_KEY = 300
LONGEST_RECIPIENT = 320
MASK = "••••••••"  # stands for a secret where it is not to be seen


@dataclass(frozen=True)
class Draft:
    """A mail to be queued.

    `key` says what it is, once and for all: a second mail with the same key is not queued. `language` None is the
    organisation's. `digest` allows it to be put together with others to the same recipient. `secrets` are parameters
    that must not stand in the store in clear, such as the link that sets a password. After `until` it is of no use.
    """

    key: str
    recipient: str
    template: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    digest: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    until: datetime | None = None


def queue_mail(session: Session, draft: Draft, now: datetime, keys: KeyRing | None = None) -> bool:
    """Queue one mail in the caller's transaction; False when there is one with its key already. Raises ValueError."""
    return queue_mails(session, [draft], now, keys) == 1


def queue_mails(session: Session, drafts: Sequence[Draft], now: datetime, keys: KeyRing | None = None) -> int:
    """Queue mails in the caller's transaction; how many of them are new.

    One to something that is no address is recorded as failed: what the caller does is not hindered by it. `keys` are
    needed for secrets. Raises ValueError for a draft that its author must mend: an overlong key, secrets without keys
    or in a digest.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # In one order everywhere, so that two transactions with the same keys wait for each other and do not lock up.
    rows = [_row(draft, now, keys) for draft in sorted(drafts, key=lambda draft: draft.key)]
    new = 0
    for chunk in chunks(rows):
        statement = insert(Mail).values(chunk).on_conflict_do_nothing(index_elements=["key"]).returning(Mail.id)
        new += len(session.scalars(statement).all())
    return new


def _row(draft: Draft, now: datetime, keys: KeyRing | None) -> dict[str, Any]:
    if len(draft.key) > LONGEST_KEY:
        raise ValueError(f"The key of a mail has at most {LONGEST_KEY} characters.")
    if draft.secrets and (keys is None or draft.digest):
        raise ValueError("A mail with secrets needs the keys that encrypt them, and is no part of a digest.")
    try:
        recipient, wrong = checked_address(draft.recipient), False
    except ValueError:
        recipient, wrong = _plain(draft.recipient)[:LONGEST_RECIPIENT], True
    return {
        "uid": str(ULID.from_datetime(now)),
        "key": draft.key,
        "recipient": recipient,
        "language": draft.language,
        "template": draft.template,
        "parameters": _plain({**draft.parameters, **dict.fromkeys(draft.secrets, MASK)}),
        "sealed": keys.encrypt(json.dumps(dict(draft.secrets))) if keys and draft.secrets and not wrong else None,
        "digest": draft.digest,
        "state": states.FAILED if wrong else states.WAITING,
        "reason": states.NO_ADDRESS if wrong else None,
        "tries": 0,
        "created_at": now,
        "due_at": now,
        "until": draft.until,
        "finished_at": now if wrong else None,
    }


def _plain(value: Any) -> Any:
    """A parameter as JSON has it, without what PostgreSQL refuses; moments are text that the templates' filters read."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "")
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def retry_mail(session: Session, mail_id: int, actor: str, now: datetime) -> None:
    """Have a mail sent again that was not, or perhaps not, sent. Raises RefusedError, NotFoundError."""
    mail = session.get(Mail, mail_id, with_for_update=True)
    if mail is None:
        raise NotFoundError(f"There is no mail {mail_id}; 'certbridge mail list' shows those that there are.")
    if mail.state == states.JOINED:
        raise RefusedError(f"The mail {mail_id} is part of the digest {mail.parent_id}; send that one again.")
    if mail.state not in states.RETRIED:
        raise RefusedError(f"The mail {mail_id} is {mail.state} and cannot be sent again; a new one may be queued.")
    if mail.state == states.FAILED and mail.reason == states.NO_ADDRESS:
        raise RefusedError(f"The mail {mail_id} has no mail address to go to; mend it at its source.")
    if not mail.recipient:
        raise RefusedError(f"The content of the mail {mail_id} has been removed; it cannot be sent again.")
    if mail.until is not None and mail.until <= now:
        raise RefusedError(f"The mail {mail_id} is of no use any more; a new one may be queued.")
    before = {"state": mail.state, "tries": mail.tries}
    mail.state, mail.reason, mail.tries = states.WAITING, None, 0
    mail.due_at, mail.finished_at, mail.holder, mail.digest = now, None, None, False
    record_act(session, actor, "mail.retry", f"mail:{mail_id}", now, before=before, after={"state": mail.state})
