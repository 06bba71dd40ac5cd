"""Looking at messages and their attempts, and sending again what was given up.

A replay starts a message's schedule anew. What a newer delivered event of the subject has overtaken is left out: it
would only tell HR what is no longer so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.models import Event, Person
from webhooks.claims import OVERTAKEN, overtaken
from webhooks.endpoints import find
from webhooks.models import DEAD, SKIPPED, STATES, WAITING, Attempt, Endpoint, Message
from webhooks.privacy import ERASED

_unsynchronised = {"synchronize_session": False}


@dataclass(frozen=True)
class Delivery:
    """A message with what a reader wants to know beside it."""

    message: Message
    endpoint: str
    type: str
    employee_number: str

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        message = self.message
        return {
            "id": message.id,
            "event_id": message.event_id,
            "endpoint": self.endpoint,
            "type": self.type,
            "employee_number": self.employee_number,
            "subject": message.subject,
            "sequence": message.sequence,
            "state": message.state,
            "tries": message.tries,
            "due_at": _text(message.due_at) if message.state == WAITING else None,
            "finished_at": _text(message.finished_at),
            "reason": message.reason,
        }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def listing(
    session: Session, *, state: str | None = None, endpoint: str | None = None, offset: int = 0, limit: int = 50
) -> list[Delivery]:
    """Messages, the newest first. Raises RefusedError for an unknown state, NotFoundError for an unknown endpoint."""
    query = _joined().where(*_chosen(session, state, endpoint)).order_by(Message.id.desc()).offset(offset).limit(limit)
    return [Delivery(*row) for row in session.execute(query)]


def total(session: Session, *, state: str | None = None, endpoint: str | None = None) -> int:
    """How many messages `listing` would go through."""
    query = select(func.count()).select_from(Message).where(*_chosen(session, state, endpoint))
    return session.scalar(query) or 0


def _chosen(session: Session, state: str | None, endpoint: str | None) -> list[ColumnElement[bool]]:
    chosen = []
    if state is not None:
        if state not in STATES:
            raise RefusedError(f"There is no state {state!r}; the states are {', '.join(STATES)}.")
        chosen.append(Message.state == state)
    if endpoint is not None:
        chosen.append(Message.endpoint_id == find(session, endpoint).id)
    return chosen


def _joined() -> Select[Message, str, str, str]:
    return (
        select(Message, Endpoint.name, Event.type, Person.employee_number)
        .join(Endpoint, Endpoint.id == Message.endpoint_id)
        .join(Event, Event.id == Message.event_id)
        .join(Person, Person.id == Message.person_id)
    )


def one(session: Session, message_id: int) -> tuple[Delivery, Sequence[Attempt]]:
    """A message and its attempts, the first one first. Raises NotFoundError."""
    row = session.execute(_joined().where(Message.id == message_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no message {message_id}; 'certbridge deliveries list' shows those there are.")
    attempts = session.scalars(select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number))
    return Delivery(*row), attempts.all()


def counts(session: Session) -> dict[str, int]:
    """How many messages there are in each state, all states named."""
    found = dict(session.execute(select(Message.state, func.count()).group_by(Message.state)).all())
    return {state: found.get(state, 0) for state in STATES}


def retry(session: Session, message_id: int, actor: str, now: datetime) -> None:
    """Send one message again now: one that waits for its next attempt, was given up, or was delivered.

    Raises NotFoundError; RefusedError when it is being sent, or a newer delivered event has overtaken it.
    """
    message = session.scalars(select(Message).where(Message.id == message_id).with_for_update()).one_or_none()
    if message is None:
        raise NotFoundError(f"There is no message {message_id}; 'certbridge deliveries list' shows those there are.")
    if message.reason == ERASED or not message.subject:
        raise RefusedError(
            f"Message {message_id} is not sent again: whom it was about has been erased, and nothing is left of what it said."
        )
    if message.leased_until is not None and message.leased_until > now:
        raise RefusedError(f"Message {message_id} is being sent right now; wait a minute and look again.")
    if session.scalar(select(Message.id).where(Message.id == message_id, overtaken())) is not None:
        raise RefusedError(f"Message {message_id} is not sent again. {OVERTAKEN}")
    before = {"state": message.state, "tries": message.tries}
    if message.state == WAITING:
        message.due_at = now
    else:
        _again(session, [message_id], now)
    record_act(session, actor, "delivery.retry", f"message:{message_id}", now, before=before)


@dataclass(frozen=True)
class Replayed:
    """What a replay did, in messages."""

    again: int
    left_out: int


def replay(
    session: Session, actor: str, now: datetime, *, endpoint: str | None = None, since: datetime | None = None
) -> Replayed:
    """Send again what was given up (of one endpoint; since a moment), leaving out what has been overtaken.

    Raises NotFoundError for an unknown endpoint.
    """
    chosen = [Message.state == DEAD]
    if endpoint is not None:
        chosen.append(Message.endpoint_id == find(session, endpoint).id)
    if since is not None:
        chosen.append(Message.finished_at >= since)
    left_out = session.execute(
        update(Message)
        .where(*chosen, overtaken())
        .values(state=SKIPPED, reason=OVERTAKEN, finished_at=now)
        .returning(Message.id),
        execution_options=_unsynchronised,
    ).all()
    again = session.execute(
        update(Message).where(*chosen).values(_anew(now)).returning(Message.id), execution_options=_unsynchronised
    ).all()
    done = Replayed(len(again), len(left_out))
    after = {"again": done.again, "left_out": done.left_out, "since": _text(since)}
    record_act(session, actor, "delivery.replay", f"endpoint:{endpoint or '*'}", now, after=after)
    return done


def _again(session: Session, ids: Sequence[int], now: datetime) -> None:
    session.execute(update(Message).where(Message.id.in_(ids)).values(_anew(now)), execution_options=_unsynchronised)


def _anew(now: datetime) -> dict[str, Any]:
    return {
        "state": WAITING,
        "due_at": now,
        "tries_before": Message.tries,
        "replayed_at": now,
        "finished_at": None,
        "holder": None,
        "leased_until": None,
        "reason": None,
    }
