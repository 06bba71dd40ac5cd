"""What is pulled: the sources' own users, courses, enrolments, completions and results; and what is made of it:
identities, evidence, quarantine.

Pulled rows refer to the source's own user and course by the source's ids. A row that vanishes at its source is
closed (`closed_at`), never deleted. `missing_pass` is the reading pass that first did not see the row: a row is
closed when two passes running have not seen it, for a page may change while it is read.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId, Exact

Percent = Exact(9, 4)
Points = Exact(14, 5)


class StreamState(Base):
    """How far a stream has been read; committed with the rows that it covers."""

    __tablename__ = "stream_state"

    source: Mapped[str] = mapped_column(String(100), primary_key=True)
    stream: Mapped[str] = mapped_column(String(50), primary_key=True)
    cursor: Mapped[list[Any]]
    changed_at: Mapped[datetime]


class SyncRun(Base):
    """One pull of one source: `running` until every stream is at its end, then `done`, `partial` or `failed`."""

    __tablename__ = "sync_run"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100), index=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    message: Mapped[str | None] = mapped_column(Text)


class StreamRun(Base):
    """What one pull did with one stream, in records."""

    __tablename__ = "stream_run"

    run_id: Mapped[int] = mapped_column(ForeignKey("sync_run.id"), primary_key=True, autoincrement=False)
    stream: Mapped[str] = mapped_column(String(50), primary_key=True)
    status: Mapped[str] = mapped_column(String(20))
    read: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    closed: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    message: Mapped[str | None] = mapped_column(Text)


class SourceUser(Base):
    """A user account of a source. `unbound_reason` says why it is nobody's, where it is not bound."""

    __tablename__ = "source_user"
    __table_args__ = (UniqueConstraint("source", "user_key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    user_key: Mapped[str] = mapped_column(String(200))
    username: Mapped[str | None] = mapped_column(String(200))
    idnumber: Mapped[str | None] = mapped_column(String(200), index=True)
    email: Mapped[str | None] = mapped_column(String(320), index=True)
    name: Mapped[str | None] = mapped_column(String(300))
    department: Mapped[str | None] = mapped_column(String(300))
    suspended: Mapped[bool] = mapped_column(default=False)
    unbound_reason: Mapped[str | None] = mapped_column(String(50))
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Identity(Base):
    """The binding of a source's user to a person, from one moment until another; by which rule, and by whom."""

    __tablename__ = "identity"
    __table_args__ = (
        Index(
            "ix_identity_standing",
            "source",
            "user_key",
            unique=True,
            sqlite_where=text("unbound_at IS NULL"),
            postgresql_where=text("unbound_at IS NULL"),
        ),
        Index("ix_identity_person", "person_id", "source"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    user_key: Mapped[str] = mapped_column(String(200))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    rule: Mapped[str] = mapped_column(String(50))
    bound_at: Mapped[datetime]
    unbound_at: Mapped[datetime | None]


class Course(Base):
    """A course of a source. `object` is what rules call it: its idnumber, else `id:N`."""

    __tablename__ = "course"
    __table_args__ = (UniqueConstraint("source", "course_key"), Index("ix_course_object", "object"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    course_key: Mapped[str] = mapped_column(String(200))
    object: Mapped[str] = mapped_column(String(300))
    name: Mapped[str] = mapped_column(String(500))
    short_name: Mapped[str | None] = mapped_column(String(300))
    category: Mapped[str | None] = mapped_column(String(300))
    completion_enabled: Mapped[bool | None]
    visible: Mapped[bool | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Enrolment(Base):
    """A user's enrolment in a course, as far as the way of reading shows it."""

    __tablename__ = "enrolment"
    __table_args__ = (
        UniqueConstraint("source", "course_key", "user_key"),
        Index("ix_enrolment_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    course_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool]
    last_access_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Completion(Base):
    """A course completed by a user at one moment; another moment is another completion."""

    __tablename__ = "completion"
    __table_args__ = (
        UniqueConstraint("source", "course_key", "user_key", "completed_at"),
        Index("ix_completion_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    course_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    completed_at: Mapped[datetime]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Activity(Base):
    """Something of a course that is graded, or the course's total. `object` is what rules call it."""

    __tablename__ = "activity"
    __table_args__ = (
        UniqueConstraint("source", "activity_key"),
        Index("ix_activity_object", "object"),
        Index("ix_activity_course", "source", "course_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    activity_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    object: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(50))
    name: Mapped[str | None] = mapped_column(String(500))
    minimum: Mapped[Decimal] = mapped_column(Points)
    maximum: Mapped[Decimal] = mapped_column(Points)
    pass_mark: Mapped[Decimal | None] = mapped_column(Points)
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Result(Base):
    """A graded submission of a user: its identity is the attempt, else the time of submission."""

    __tablename__ = "result"
    __table_args__ = (
        UniqueConstraint("source", "activity_key", "user_key", "submission"),
        Index("ix_result_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    activity_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    submission: Mapped[str] = mapped_column(String(100))
    score: Mapped[Decimal] = mapped_column(Points)
    minimum: Mapped[Decimal] = mapped_column(Points)
    maximum: Mapped[Decimal] = mapped_column(Points)
    achieved_at: Mapped[datetime]
    graded_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Evidence(Base):
    """One dated fact about one person that a certification can count. Append-only: voided, never changed.

    `origin` names the pulled row that it stands for: one person has one standing piece per origin and kind.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        Index(
            "ix_evidence_standing",
            "person_id",
            "origin",
            "kind",
            unique=True,
            sqlite_where=text("voided_at IS NULL"),
            postgresql_where=text("voided_at IS NULL"),
        ),
        Index("ix_evidence_object", "object", "kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    origin: Mapped[str] = mapped_column(String(300))
    source: Mapped[str] = mapped_column(String(100))
    user_key: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(30))
    object: Mapped[str] = mapped_column(String(300))
    course: Mapped[str | None] = mapped_column(String(300))
    category: Mapped[str | None] = mapped_column(String(300))
    achieved_at: Mapped[datetime]
    percent: Mapped[Decimal | None] = mapped_column(Percent)
    success: Mapped[bool | None]
    verb: Mapped[str | None] = mapped_column(String(300))
    level: Mapped[Decimal | None] = mapped_column(Points)
    hours: Mapped[Decimal | None] = mapped_column(Points)
    recorded_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None] = mapped_column(String(50))


class Quarantined(Base):
    """A record, or the answer to a request, that could not be used: whole, with the reason, until it can be."""

    __tablename__ = "quarantined"
    __table_args__ = (
        Index(
            "ix_quarantined_open",
            "source",
            "stream",
            "record_key",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    stream: Mapped[str] = mapped_column(String(50))
    record_key: Mapped[str] = mapped_column(String(300))
    record: Mapped[dict[str, Any]]
    is_request: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None] = mapped_column(String(50))
