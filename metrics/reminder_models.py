"""The tables of reminders: whom one was written to, which managers got their list, and up to when was looked."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId


class Reminder(Base):
    """One reminder, written in the transaction that queued its mail, so that there is never a second one.

    `about` is the award's id, or `duty` where the certification was never held; `before` is the ISO 8601 duration before
    `ends_at` (the award's end or the duty's due date) at which it was due. `outcome` is queued, or no_address.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        UniqueConstraint("person_id", "certification", "about", "before", "ends_at"),
        Index("ix_reminder_recorded", "recorded_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    certification: Mapped[str] = mapped_column(String(100))
    about: Mapped[str] = mapped_column(String(26))
    before: Mapped[str] = mapped_column(String(100))
    ends_at: Mapped[datetime]
    due_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(20))
    mail_id: Mapped[int | None] = mapped_column(BigId)


class TeamDigest(Base):
    """One manager's list of a week, which its Monday names; `lines` is how many certifications stood on it."""

    __tablename__ = "team_digest"
    __table_args__ = (UniqueConstraint("person_id", "week"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    week: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime]
    lines: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))
    mail_id: Mapped[int | None] = mapped_column(BigId)


class ReminderMark(Base):
    """Up to which moment was looked for what is due: a row for reminders, one for the managers' lists."""

    __tablename__ = "reminder_mark"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    until: Mapped[datetime]
