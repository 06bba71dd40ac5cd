"""The kernel's tables."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId


class InstalledAddon(Base):
    """An addon that `certbridge addons install` has set up, at the version that its tables have."""

    __tablename__ = "installed_addon"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(50))
    installed_at: Mapped[datetime]
    upgraded_at: Mapped[datetime | None]


class Department(Base):
    """A department, at a place in the tree of departments."""

    __tablename__ = "department"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Position(Base):
    """A post that people hold; requirements name it."""

    __tablename__ = "position"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Grade(Base):
    """A grade or pay step."""

    __tablename__ = "grade"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Person(Base):
    """An employee, keyed by employee number. `event_sequence` is the number of their newest event."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    employee_number: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(300))
    email: Mapped[str | None] = mapped_column(String(320), index=True)
    joined_on: Mapped[date | None] = mapped_column(Date)
    left_on: Mapped[date | None] = mapped_column(Date)
    event_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Assignment(Base):
    """Where a person stood in the organisation from one day until another (half open)."""

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("person_id", "valid_from"),
        Index(
            "ix_assignment_current",
            "person_id",
            unique=True,
            sqlite_where=text("valid_until IS NULL"),
            postgresql_where=text("valid_until IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), index=True)
    position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"), index=True)
    grade_id: Mapped[int | None] = mapped_column(ForeignKey("grade.id"), index=True)
    manager_number: Mapped[str | None] = mapped_column(String(100), index=True)


class Touched(Base):
    """A person about whom something changed that has not been derived yet."""

    __tablename__ = "touched"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(default=1)


class Event(Base):
    """Something that HR is told. `fanned_out` is the mark that `webhooks` has made messages of it."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("person_id", "sequence"),
        Index(
            "ix_event_waiting",
            "person_id",
            "sequence",
            sqlite_where=text("NOT fanned_out"),
            postgresql_where=text("NOT fanned_out"),
        ),
        Index("ix_event_subject", "subject", "sequence"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    sequence: Mapped[int]
    type: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(400))
    occurred_at: Mapped[datetime]
    backfill: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    data: Mapped[dict[str, Any]]
    fanned_out: Mapped[bool] = mapped_column(default=False, server_default=text("false"))


class Schedule(Base):
    """Work that comes back: due at `due_at`, done by whoever holds the lease, due again when it is finished."""

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    task: Mapped[str] = mapped_column(String(200))
    argument: Mapped[str | None] = mapped_column(String(200))
    every_seconds: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None] = mapped_column(String(200))


class Account(Base):
    """Somebody who can sign in. `roles` are names of plugin.roles; `person_id` says which employee they are."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    login: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str] = mapped_column(String(300))
    roles: Mapped[list[Any]]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    language: Mapped[str | None] = mapped_column(String(20))
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class ApiToken(Base):
    """A bearer token for the API: only its SHA-256 is kept; the scopes say what it opens."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Base):
    """An act of a person: who did what to which record, when and why. Never changed."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(400), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
