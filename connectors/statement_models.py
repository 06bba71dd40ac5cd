"""The tables of xAPI statements, of those who may send them, and of what was sent to us and refused."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId, Exact

Percent = Exact(9, 4)


class XapiStatement(Base):
    """A statement as it is held: `statement` is its JSON, whole; None once its time is over.

    `digest` tells whether another statement under the same id says the same; `fingerprint` recognises one that is sent again
    without an id. `voids` is the id that it voids. `outcome` says what was made of it: None as long as that is to be done.
    """

    __tablename__ = "xapi_statement"
    __table_args__ = (
        UniqueConstraint("source", "statement_id"),
        Index("ix_xapi_statement_waiting", "outcome", "id"),
        Index("ix_xapi_statement_user", "source", "user_key"),
        Index("ix_xapi_statement_fingerprint", "source", "fingerprint"),
        Index("ix_xapi_statement_voids", "source", "voids"),
        Index("ix_xapi_statement_stored", "stored_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    statement_id: Mapped[str] = mapped_column(String(36))
    user_key: Mapped[str | None] = mapped_column(String(200))
    occurred_at: Mapped[datetime]
    stored_at: Mapped[datetime]
    statement: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    voids: Mapped[str | None] = mapped_column(String(36))
    outcome: Mapped[str | None] = mapped_column(String(30))


class Statement(Base):
    """What counts of a statement: a user's verb about an activity, at a moment; `voided_at` once another one voids it.

    `object` is the activity's id, `external` what the LMS calls it by its own number, if the statement says so.
    """

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("source", "statement_id"),
        Index("ix_statement_user", "source", "user_key"),
        Index("ix_statement_object", "object"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    statement_id: Mapped[str] = mapped_column(String(36))
    user_key: Mapped[str] = mapped_column(String(200))
    verb: Mapped[str] = mapped_column(String(300))
    object: Mapped[str] = mapped_column(String(300))
    external: Mapped[str | None] = mapped_column(String(300))
    achieved_at: Mapped[datetime]
    percent: Mapped[Decimal | None] = mapped_column(Percent)
    success: Mapped[bool | None]
    authority: Mapped[str | None] = mapped_column(String(300))
    voided_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class SourceCredential(Base):
    """A name and password by which something may send statements of a source; of the password there is a digest only."""

    __tablename__ = "source_credential"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class InboundCount(Base):
    """How often something that others sent to us ended in one way: taken, known already, or refused for a reason.

    `door` says where it was sent, `name` whose it was said to be ('' for somebody unknown). `in_a_row` counts refusals since
    something was last taken there, the first of them at `row_since`.
    """

    __tablename__ = "inbound_count"

    door: Mapped[str] = mapped_column(String(30), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(30), primary_key=True)
    times: Mapped[int] = mapped_column(default=0, server_default="0")
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    in_a_row: Mapped[int] = mapped_column(default=0, server_default="0")
    row_since: Mapped[datetime | None]
    last_reason: Mapped[str | None] = mapped_column(Text)
