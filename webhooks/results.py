"""Writing down what became of claimed messages: the SQL with which a delivery run ends a chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm import Session

from plugin.store import chunks, upsert
from webhooks.claims import Claimed
from webhooks.models import DEAD, DELIVERED, WAITING, WAITING_WORD, Attempt, Message
from webhooks.target import Answer

_unsynchronised = {"synchronize_session": False}


@dataclass(frozen=True)
class Result:
    """How one attempt at a claimed message went. `due_at` is when to try again; None when that was the last attempt."""

    claimed: Claimed
    started_at: datetime
    duration_ms: int
    answer: Answer
    delivered: bool
    due_at: datetime | None


def record(session: Session, endpoint_id: int, holder: str, results: Sequence[Result], now: datetime) -> None:
    """Write down how the attempts went and what follows for their messages.

    A message whose lease has gone to somebody else keeps what they make of it; the attempt is written down anyway.
    """
    if not results:
        return
    upsert(
        session,
        Attempt,
        [
            {
                "message_id": result.claimed.id,
                "number": result.claimed.number,
                "started_at": result.started_at,
                "duration_ms": result.duration_ms,
                "status": result.answer.status,
                "outcome": result.answer.outcome,
                "reason": result.answer.reason,
                "excerpt": result.answer.excerpt,
            }
            for result in results
        ],
        ["message_id", "number"],
    )
    for part in chunks([result.claimed.id for result in results if result.delivered]):
        session.execute(
            update(Message)
            .where(Message.id.in_(part), Message.holder == holder)
            .values(state=DELIVERED, reason=None, finished_at=now, holder=None, leased_until=None),
            execution_options=_unsynchronised,
        )
    _record_failures(session, endpoint_id, holder, [result for result in results if not result.delivered], now)
    _let_through(session, endpoint_id, results, now)


def _record_failures(
    session: Session, endpoint_id: int, holder: str, failures: Sequence[Result], now: datetime
) -> None:
    if not failures:
        return
    table = _table()
    session.connection().execute(
        update(table)
        .where(table.c.id == bindparam("message"), table.c.holder == bindparam("held_by"))
        .values(
            state=bindparam("then"),
            reason=bindparam("why"),
            due_at=bindparam("due"),
            finished_at=bindparam("finished"),
            holder=None,
            leased_until=None,
        ),
        [
            {
                "message": failure.claimed.id,
                "held_by": holder,
                "then": DEAD if failure.due_at is None else WAITING,
                "why": failure.answer.reason,
                "due": failure.due_at or now,
                "finished": now if failure.due_at is None else None,
            }
            for failure in failures
        ],
    )
    waiting = [failure for failure in failures if failure.due_at is not None]
    if waiting:
        # Those behind it cannot go before it; until then they would only be looked at in vain.
        session.connection().execute(
            update(table)
            .where(
                table.c.endpoint_id == endpoint_id,
                table.c.person_id == bindparam("person"),
                table.c.state == WAITING_WORD,
                table.c.sequence > bindparam("after"),
                table.c.due_at < bindparam("due"),
            )
            .values(due_at=bindparam("due")),
            [
                {"person": failure.claimed.person_id, "after": failure.claimed.sequence, "due": failure.due_at}
                for failure in waiting
            ],
        )


def _let_through(session: Session, endpoint_id: int, results: Sequence[Result], now: datetime) -> None:
    """Let those go on at once that waited behind a message which has been delivered or given up after failing."""
    people = {result.claimed.person_id for result in results if result.claimed.turn > 1 and result.due_at is None}
    people |= {result.claimed.person_id for result in results if not result.delivered and result.due_at is None}
    for part in chunks(sorted(people)):
        session.execute(
            update(Message)
            .where(
                Message.endpoint_id == endpoint_id,
                Message.person_id.in_(part),
                Message.state == WAITING_WORD,
                Message.due_at > now,
                Message.tries == Message.tries_before,
            )
            .values(due_at=now),
            execution_options=_unsynchronised,
        )


def put_back(session: Session, holder: str, claimed: Sequence[Claimed]) -> None:
    """Give messages back that were claimed and not begun: no attempt is counted."""
    for part in chunks([message.id for message in claimed]):
        session.execute(
            update(Message)
            .where(Message.id.in_(part), Message.holder == holder)
            .values(holder=None, leased_until=None, started_at=None, tries=Message.tries - 1),
            execution_options=_unsynchronised,
        )


def _table() -> Table:
    table = Message.__table__
    assert isinstance(table, Table)
    return table
