"""The tables of what HR sends: who may send, and each event as it arrived."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId

RECEIVED, DONE, HELD, DISCARDED = "waiting", "done", "held", "discarded"
INBOUND_STATES = (RECEIVED, DONE, HELD, DISCARDED)


class InboundSender(Base):
    """Somebody who may send events: with which secrets (encrypted), of which types (None: all).

    `old_secret` is good as well until `old_secret_until`. `creates_units` says that departments, positions and grades which are
    not known yet are made when an event names them.
    """

    __tablename__ = "inbound_sender"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    secret: Mapped[str] = mapped_column(Text)
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None]
    types: Mapped[list[Any] | None]
    creates_units: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"<InboundSender {self.name}>"


class InboundEvent(Base):
    """An event as it was sent: `body` is the text that was signed. `waiting`, then `done`, `held` or `discarded`.

    It is worked on from `due_on` on, the organisation's day. `held` says in `reason` why it could not be applied.
    """

    __tablename__ = "inbound_event"
    __table_args__ = (
        UniqueConstraint("sender", "message_id"),
        Index("ix_inbound_event_state", "state", "id"),
        Index("ix_inbound_event_person", "employee_number", "state"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sender: Mapped[str] = mapped_column(String(100))
    message_id: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(50))
    employee_number: Mapped[str | None] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime]
    effective_on: Mapped[date | None] = mapped_column(Date)
    due_on: Mapped[date | None] = mapped_column(Date)
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), default=RECEIVED, server_default=RECEIVED)
    reason: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    worked_at: Mapped[datetime | None]
