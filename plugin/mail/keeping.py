"""What happens to mails around the sending: crashes, the switch, digests, what is of no use any more, and forgetting."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from plugin.mail import states
from plugin.models import Mail
from plugin.store import chunks

LARGEST_DIGEST = 50

_unsynchronised = {"synchronize_session": False}


def anything_to_do(session: Session, now: datetime) -> bool:
    """Whether there is a mail to be looked at: one that is due, held or was being sent."""
    due = (Mail.state == states.WAITING) & (Mail.due_at <= now)
    query = select(Mail.id).where(or_(due, Mail.state.in_([states.SENDING, states.OFF]))).limit(1)
    return session.scalars(query).first() is not None


def recover(session: Session, now: datetime) -> int:
    """Those that a vanished process was sending are UNKNOWN from now on; how many. Only one process sends at a time."""
    return _finish(session, Mail.state == states.SENDING, states.UNKNOWN, states.CRASHED, now)


def expire(session: Session, now: datetime, hold: timedelta) -> None:
    """Give up what is of no use any more, and what was held for longer than `hold` because mail was switched off."""
    unsent = Mail.state.in_([states.WAITING, states.OFF])
    _finish(session, unsent & (Mail.until <= now), states.GIVEN_UP, states.NO_LONGER_OF_USE, now)
    held = (Mail.state == states.OFF) & (Mail.created_at <= now - hold)
    _finish(session, held, states.GIVEN_UP, states.HELD_TOO_LONG, now)


def switch(session: Session, *, on: bool) -> None:
    """Hold what waits while there is no server; have it wait for the sender again when there is one."""
    before, after = (states.OFF, states.WAITING) if on else (states.WAITING, states.OFF)
    session.execute(update(Mail).where(Mail.state == before).values(state=after), execution_options=_unsynchronised)


def _finish(session: Session, which: ColumnElement[bool], state: str, reason: str, now: datetime) -> int:
    values = {"state": state, "reason": reason, "finished_at": now, "holder": None}
    statement = update(Mail).where(which).values(values).returning(Mail.id)
    return len(session.scalars(statement, execution_options=_unsynchronised).all())


def join_digests(session: Session, now: datetime, period: timedelta) -> int:
    """Put together, per recipient and language, what may be in a digest, once the first of it is as old as `period`.

    How many digests were made; a mail that is alone goes as it is.
    """
    open_ = (Mail.state == states.WAITING) & Mail.digest
    ripe = (
        select(Mail.recipient, Mail.language)
        .where(open_)
        .group_by(Mail.recipient, Mail.language)
        .having(func.min(Mail.created_at) <= now - period)
        .subquery()
    )
    query = (
        select(Mail)
        .join(ripe, (ripe.c.recipient == Mail.recipient) & ripe.c.language.is_not_distinct_from(Mail.language))
        .where(open_)
        .order_by(Mail.recipient, Mail.language, Mail.created_at, Mail.id)
        .with_for_update(of=Mail)
    )
    groups: list[list[Mail]] = []
    for _, mails in groupby(session.scalars(query), key=lambda mail: (mail.recipient, mail.language)):
        groups += chunks(mails, LARGEST_DIGEST)
    alone = [group[0].id for group in groups if len(group) == 1]
    for part in chunks(alone):
        session.execute(update(Mail).where(Mail.id.in_(part)).values(digest=False), execution_options=_unsynchronised)
    several = [group for group in groups if len(group) > 1]
    _join(session, several, now)
    return len(several)


def _join(session: Session, groups: Sequence[Sequence[Mail]], now: datetime) -> None:
    if not groups:
        return
    rows = [
        {
            "uid": str(ULID.from_datetime(now)), "key": f"digest:{group[0].uid}", "recipient": group[0].recipient,
            "language": group[0].language, "template": "digest", "parameters": {"count": len(group)},
            "state": states.WAITING, "tries": 0, "created_at": now, "due_at": now,
        }
        for group in groups
    ]  # fmt: skip
    session.execute(insert(Mail), rows)
    ids: dict[str, int] = {}
    for part in chunks([row["key"] for row in rows]):
        ids.update(session.execute(select(Mail.key, Mail.id).where(Mail.key.in_(part))).all())
    joined = [{"mail": mail.id, "into": ids[f"digest:{group[0].uid}"]} for group in groups for mail in group]
    statement = (
        update(Mail.__table__)  # type: ignore[arg-type]  # a Table; the declarative base says no more than FromClause
        .where(Mail.id == bindparam("mail"))
        .values(state=states.JOINED, parent_id=bindparam("into"), finished_at=now)
    )
    session.connection().execute(statement, joined)


def forget(session: Session, before: datetime, now: datetime) -> int:
    """Remove recipient and content of what has ended before that moment, and secrets that are of no use any more.

    How many mails ended so long ago. Their keys stay, and with them that the same mail is not queued again.
    """
    useless = Mail.sealed.is_not(None) & (Mail.until <= now) & Mail.state.in_(states.FINISHED)
    session.execute(update(Mail).where(useless).values(sealed=None), execution_options=_unsynchronised)
    ended = Mail.state.in_(states.FINISHED) & (Mail.finished_at <= before) & (Mail.recipient != "")
    return _blank(session, ended)


def forget_recipient(session: Session, address: str) -> int:
    """Remove an address and what it was told from every mail that is not to be sent any more; how many."""
    return _blank(session, Mail.state.in_(states.FINISHED) & (func.lower(Mail.recipient) == address.lower()))


def _blank(session: Session, which: ColumnElement[bool]) -> int:
    blank: dict[str, Any] = {"recipient": "", "parameters": {}, "content": None, "sealed": None}
    statement = update(Mail).where(which).values(blank).returning(Mail.id)
    return len(session.scalars(statement, execution_options=_unsynchronised).all())
