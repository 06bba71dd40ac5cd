"""Where events go: endpoints, one message per event and endpoint, one attempt per try at sending it.

A message is `waiting`, then `delivered`, `dead` (given up after its last attempt) or `skipped` (a newer delivered
event of its subject has overtaken it). While it is being sent it is leased: `holder` says by whom, `started_at`
since when. Both are written before anything is sent, so an attempt during which the process died can be seen.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, false, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId
from webhooks.inbound_models import InboundEvent, InboundSender  # noqa: F401 - they are tables of this addon too

WAITING = "waiting"
DELIVERED = "delivered"
DEAD = "dead"
SKIPPED = "skipped"
STATES = (WAITING, DELIVERED, DEAD, SKIPPED)

_IS_WAITING = text("state = 'waiting'")
# The state as a word of the statement. As a parameter it could be any state to a plan that PostgreSQL keeps for a prepared
# statement, and such a plan cannot use the indexes of what is waiting.
WAITING_WORD: ColumnElement[str] = literal_column("'waiting'")


class Endpoint(Base):
    """Where events go. `kind` is the addon that knows how to send there; `types` None means every type.

    `secret` is encrypted with the installation's keys: what its messages are signed with, after `scheme` (webhooks/keys.py)
    one key or two, a space between them. `public_key` is what a v1a signature is verified with. Until `old_secret_until`
    what was rotated away signs too. A disabled endpoint collects messages and is sent none; until `paused_until` it is left
    alone because it asked for that. It is sent at most `rate` messages a second (None: any number), and `slots_until` is
    up to when workers have shared that out. Since `failing_since` nothing but failures came back. `delivered_at` is when
    the last event arrived, `gaps` the longest silence in seconds of each of the last weeks ("2026-W47"). With `backfill`
    "skip" it gets no messages of events that lie in the past; with "send" it does.
    """

    __tablename__ = "endpoint"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(String(2000))
    types: Mapped[list[Any] | None]
    secret: Mapped[str | None] = mapped_column(Text)
    full: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    paused_until: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]
    last_failure: Mapped[str | None] = mapped_column(Text)
    scheme: Mapped[str] = mapped_column(String(10), default="v1", server_default="v1")
    public_key: Mapped[str | None] = mapped_column(String(100))
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None]
    rate: Mapped[float | None]
    slots_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    gaps: Mapped[dict[str, Any] | None]
    backfill: Mapped[str] = mapped_column(String(10), default="send", server_default="send")

    def __repr__(self) -> str:
        return f"<Endpoint {self.name}>"


class Message(Base):
    """One event for one endpoint. `sequence` and `subject` are the event's; `tries` counts the attempts begun.

    With `backfill` it waits until nothing else is due at the endpoint: it lies in the past, and nothing that is news about
    the same person waits behind it.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        # What is due at an endpoint, first things first.
        Index(
            "ix_message_due",
            "endpoint_id",
            "backfill",
            "due_at",
            "sequence",
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
        # Whether something of the same person goes before it.
        Index(
            "ix_message_line",
            "endpoint_id",
            "person_id",
            "sequence",
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
        # Whether a newer event of the subject has been delivered.
        Index("ix_message_subject", "endpoint_id", "subject", "sequence"),
        Index("ix_message_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"))
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    sequence: Mapped[int]
    subject: Mapped[str] = mapped_column(String(400))
    state: Mapped[str] = mapped_column(String(20), default=WAITING, server_default=WAITING)
    backfill: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    tries_before: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None] = mapped_column(String(200))
    reason: Mapped[str | None] = mapped_column(Text)
    replayed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at sending a message: when, for how long, what came back. `number` counts up over replays too."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("message_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"))
    number: Mapped[int]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int | None]
    status: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(30))
    reason: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str | None] = mapped_column(Text)
