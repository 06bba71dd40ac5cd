"""What is pulled: the sources' own users, courses, enrolments, completions, results, badges, competencies, surveys;
and what is made of it: identities, evidence, quarantine.

Pulled rows refer to the source's own user and course by the source's ids. A row that vanishes at its source is
closed (`closed_at`), never deleted. `missing_pass` is the reading pass that first did not see the row: a row is
closed when two passes running have not seen it, for a page may change while it is read.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from connectors.file_models import RosterFile  # noqa: F401 - it is a table of this addon too
from connectors.statement_models import (  # noqa: F401 - they are tables of this addon too
    InboundCount,
    SourceCredential,
    Statement,
    XapiStatement,
)
from plugin.store import Base, BigId, Exact

Percent = Exact(9, 4)
Points = Exact(14, 5)


class StreamState(Base):
    """How far a stream has been read, by which way; committed with the rows that it covers.

    `full_at` is when everything that the source has was last read to its end, and compared.
    """

    __tablename__ = "stream_state"

    source: Mapped[str] = mapped_column(String(100), primary_key=True)
    stream: Mapped[str] = mapped_column(String(50), primary_key=True)
    cursor: Mapped[list[Any]]
    changed_at: Mapped[datetime]
    way: Mapped[str | None] = mapped_column(String(30))
    full_at: Mapped[datetime | None]


class SyncRun(Base):
    """One pull of one source: `running` until every stream is at its end, then `done`, `partial` or `failed`.

    `kind` is `whole`, `changes` (what the source gave notice of, from the streams that read changes) or `part` (some
    streams, chosen by name).
    """

    __tablename__ = "sync_run"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100), index=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    kind: Mapped[str] = mapped_column(String(10), default="whole", server_default="whole")
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    message: Mapped[str | None] = mapped_column(Text)
    token_until: Mapped[datetime | None]  # when the source's token ends, where this run was told


class StreamRun(Base):
    """What one pull did with one stream, in records; by which way, with how many calls, bytes and seconds.

    `choice` says what that way does not show and why no better one was taken (connectors.streams.Choice).
    """

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
    way: Mapped[str | None] = mapped_column(String(30))
    choice: Mapped[dict[str, Any] | None]
    whole: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    calls: Mapped[int] = mapped_column(default=0, server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    seconds: Mapped[float] = mapped_column(default=0, server_default="0")


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
    custom: Mapped[dict[str, Any] | None]
    unbound_reason: Mapped[str | None] = mapped_column(String(50))
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Identity(Base):
    """The binding of a source's user to a person: known from `bound_at` until `unbound_at`; by which rule.

    What the user did from `valid_from` until `valid_until` (half open) counts for the person. A binding that stands has no
    `unbound_at`. One that was ended has the moment until which it holds in `valid_until`; without one it never held.
    """

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
        Index("ix_identity_account", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    user_key: Mapped[str] = mapped_column(String(200))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    rule: Mapped[str] = mapped_column(String(50))
    bound_at: Mapped[datetime]
    unbound_at: Mapped[datetime | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]


class LinkingAct(Base):
    """What somebody decided about whose an account is: away from one person, to another, or both.

    An act that was undone says since when and by whom, and counts for nothing any more. `from_identity_id` is the binding
    that the act ended; `since` is from when on what it decided holds, None for ever.
    """

    __tablename__ = "linking_act"
    __table_args__ = (Index("ix_linking_act_account", "source", "user_key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(100))
    user_key: Mapped[str] = mapped_column(String(200))
    act: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    from_person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    to_person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    from_identity_id: Mapped[int | None] = mapped_column(BigId)
    since: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None] = mapped_column(String(200))


class Category(Base):
    """A course category of a source."""

    __tablename__ = "category"
    __table_args__ = (UniqueConstraint("source", "category_key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    category_key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(300))
    idnumber: Mapped[str | None] = mapped_column(String(300))
    parent_key: Mapped[str | None] = mapped_column(String(200))
    visible: Mapped[bool | None]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


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
    category_key: Mapped[str | None] = mapped_column(String(200))
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
    methods: Mapped[str | None] = mapped_column(String(200))
    enrolled_at: Mapped[datetime | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
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
        Index("ix_activity_module", "source", "module_key"),
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
    module_key: Mapped[str | None] = mapped_column(String(200))
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


class ActivityCompletion(Base):
    """How far a user is with an activity of a course."""

    __tablename__ = "activity_completion"
    __table_args__ = (
        UniqueConstraint("source", "module_key", "user_key"),
        Index("ix_activity_completion_course", "source", "course_key"),
        Index("ix_activity_completion_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    module_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    completed_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class LearningAttempt(Base):
    """One attempt of a user at an activity."""

    __tablename__ = "learning_attempt"
    __table_args__ = (
        UniqueConstraint("source", "attempt_key"),
        Index("ix_learning_attempt_module", "source", "module_key", "user_key"),
        Index("ix_learning_attempt_course", "source", "course_key"),
        Index("ix_learning_attempt_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    attempt_key: Mapped[str] = mapped_column(String(200))
    module_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(30))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    score: Mapped[Decimal | None] = mapped_column(Points)
    maximum: Mapped[Decimal | None] = mapped_column(Points)
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Cohort(Base):
    """A cohort of a source."""

    __tablename__ = "cohort"
    __table_args__ = (UniqueConstraint("source", "cohort_key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    cohort_key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(300))
    idnumber: Mapped[str | None] = mapped_column(String(300))
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class CohortMember(Base):
    """That a user belongs to a cohort."""

    __tablename__ = "cohort_member"
    __table_args__ = (
        UniqueConstraint("source", "cohort_key", "user_key"),
        Index("ix_cohort_member_user", "source", "user_key"),
        Index("ix_cohort_member_row", "source", "row_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    cohort_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime | None]
    row_id: Mapped[int | None] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Badge(Base):
    """A badge issued to a user."""

    __tablename__ = "badge"
    __table_args__ = (
        UniqueConstraint("source", "badge_key", "user_key", "issued_at"),
        Index("ix_badge_user", "source", "user_key"),
        Index("ix_badge_object", "object"),
        Index("ix_badge_row", "source", "row_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    badge_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    issued_at: Mapped[datetime]
    object: Mapped[str] = mapped_column(String(300))
    name: Mapped[str] = mapped_column(String(300))
    course_key: Mapped[str | None] = mapped_column(String(200))
    expires_at: Mapped[datetime | None]
    row_id: Mapped[int | None] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Competency(Base):
    """A competency of a framework. `object` is what rules call it: FRAMEWORK/COMPETENCY."""

    __tablename__ = "competency"
    __table_args__ = (UniqueConstraint("source", "competency_key"), Index("ix_competency_object", "object"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    competency_key: Mapped[str] = mapped_column(String(200))
    object: Mapped[str] = mapped_column(String(300))
    name: Mapped[str] = mapped_column(String(300))
    framework: Mapped[str | None] = mapped_column(String(300))
    parent_key: Mapped[str | None] = mapped_column(String(200))
    levels: Mapped[list[Any] | None]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class CompetencyRating(Base):
    """How a user is rated in a competency, over all (`course_key` '') or in a course."""

    __tablename__ = "competency_rating"
    __table_args__ = (
        UniqueConstraint("source", "competency_key", "user_key", "course_key"),
        Index("ix_competency_rating_user", "source", "user_key"),
        Index("ix_competency_rating_row", "source", "row_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    competency_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    level: Mapped[Decimal | None] = mapped_column(Points)
    proficient: Mapped[bool | None]
    rated_at: Mapped[datetime]
    row_id: Mapped[int | None] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class LearningPlan(Base):
    """A user's learning plan."""

    __tablename__ = "learning_plan"
    __table_args__ = (
        UniqueConstraint("source", "plan_key"),
        Index("ix_learning_plan_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    plan_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(300))
    status: Mapped[str] = mapped_column(String(30))
    due_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class Survey(Base):
    """A feedback activity with its questions."""

    __tablename__ = "survey"
    __table_args__ = (UniqueConstraint("source", "survey_key"), Index("ix_survey_course", "source", "course_key"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    survey_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(500))
    anonymous: Mapped[bool]
    questions: Mapped[list[Any]]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class SurveyAnswer(Base):
    """One answered survey; an anonymous one names neither user nor time."""

    __tablename__ = "survey_answer"
    __table_args__ = (
        UniqueConstraint("source", "answer_key"),
        Index("ix_survey_answer_survey", "source", "survey_key"),
        Index("ix_survey_answer_course", "source", "course_key"),
        Index("ix_survey_answer_user", "source", "user_key"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    answer_key: Mapped[str] = mapped_column(String(200))
    survey_key: Mapped[str] = mapped_column(String(200))
    course_key: Mapped[str] = mapped_column(String(200))
    user_key: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None]
    answers: Mapped[dict[str, Any]]
    first_seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    missing_pass: Mapped[int | None]


class SourceNotice(Base):
    """A signed message of a source that something has changed: stored first, worked on by the next pull."""

    __tablename__ = "source_notice"
    __table_args__ = (
        UniqueConstraint("source", "message_id"),
        Index("ix_source_notice_waiting", "source", "worked_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    message_id: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(100))
    received_at: Mapped[datetime]
    changes: Mapped[int] = mapped_column(default=0, server_default="0")
    worked_at: Mapped[datetime | None]


class Evidence(Base):
    """One dated fact about one person that a certification can count. Append-only: voided, never changed.

    `origin` names the pulled row that it stands for: one person has one standing piece per origin and kind. `authority` is
    who stands behind an xAPI statement: the mbox, or the account as `HOMEPAGE/NAME`.
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
        Index("ix_evidence_person", "person_id"),  # voided pieces too
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
    authority: Mapped[str | None] = mapped_column(String(300))
    level: Mapped[Decimal | None] = mapped_column(Points)
    hours: Mapped[Decimal | None] = mapped_column(Points)
    expires_at: Mapped[datetime | None]
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
