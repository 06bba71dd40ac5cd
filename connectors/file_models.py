"""The table of the files of people and the organisation that were read, or wait for somebody."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId

READ, HELD, WAITING, CONFIRMED, APPLIED, DROPPED = "read", "held", "waiting", "confirmed", "applied", "dropped"


class RosterFile(Base):
    """A file of a source and kind, by the SHA-256 of what it says.

    `read`: the last that was read to its end (`mark` says how the persons stood then). `held`: it would end `ending` of
    `people` persons, and waits to be `confirmed`. `waiting`: handed in on the page, with its `content`, until it is `applied`
    or `dropped`; then the content goes. `whole` says that who is not in it has left.
    """

    __tablename__ = "roster_file"
    __table_args__ = (Index("ix_roster_file_state", "source", "kind", "state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(300))
    digest: Mapped[str] = mapped_column(String(64))
    mark: Mapped[str | None] = mapped_column(Text)
    whole: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    ending: Mapped[int | None]
    people: Mapped[int | None]
    received_at: Mapped[datetime]
    received_by: Mapped[str | None] = mapped_column(String(200))
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(200))
    reason: Mapped[str | None] = mapped_column(Text)
