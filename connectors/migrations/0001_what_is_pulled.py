"""what is pulled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import Exact, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("activity_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=True),
        sa.Column("minimum", Exact(14, 5), nullable=False),
        sa.Column("maximum", Exact(14, 5), nullable=False),
        sa.Column("pass_mark", Exact(14, 5), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("source", "activity_key", name=op.f("uq_activity_source_activity_key")),
    )
    op.create_index("ix_activity_course", "activity", ["source", "course_key"], unique=False)
    op.create_index("ix_activity_object", "activity", ["object"], unique=False)
    op.create_table(
        "completion",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_completion")),
        sa.UniqueConstraint(
            "source",
            "course_key",
            "user_key",
            "completed_at",
            name=op.f("uq_completion_source_course_key_user_key_completed_at"),
        ),
    )
    op.create_index("ix_completion_user", "completion", ["source", "user_key"], unique=False)
    op.create_table(
        "course",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("short_name", sa.String(length=300), nullable=True),
        sa.Column("category", sa.String(length=300), nullable=True),
        sa.Column("completion_enabled", sa.Boolean(), nullable=True),
        sa.Column("visible", sa.Boolean(), nullable=True),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("source", "course_key", name=op.f("uq_course_source_course_key")),
    )
    op.create_index("ix_course_object", "course", ["object"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("last_access_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
        sa.UniqueConstraint("source", "course_key", "user_key", name=op.f("uq_enrolment_source_course_key_user_key")),
    )
    op.create_index("ix_enrolment_user", "enrolment", ["source", "user_key"], unique=False)
    op.create_table(
        "quarantined",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("stream", sa.String(length=50), nullable=False),
        sa.Column("record_key", sa.String(length=300), nullable=False),
        sa.Column("record", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_request", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolution", sa.String(length=50), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined")),
    )
    op.create_index(
        "ix_quarantined_open",
        "quarantined",
        ["source", "stream", "record_key"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "result",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("activity_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("submission", sa.String(length=100), nullable=False),
        sa.Column("score", Exact(14, 5), nullable=False),
        sa.Column("minimum", Exact(14, 5), nullable=False),
        sa.Column("maximum", Exact(14, 5), nullable=False),
        sa.Column("achieved_at", UtcDateTime(), nullable=False),
        sa.Column("graded_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result")),
        sa.UniqueConstraint(
            "source",
            "activity_key",
            "user_key",
            "submission",
            name=op.f("uq_result_source_activity_key_user_key_submission"),
        ),
    )
    op.create_index("ix_result_user", "result", ["source", "user_key"], unique=False)
    op.create_table(
        "source_user",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("username", sa.String(length=200), nullable=True),
        sa.Column("idnumber", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("name", sa.String(length=300), nullable=True),
        sa.Column("department", sa.String(length=300), nullable=True),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("unbound_reason", sa.String(length=50), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_user")),
        sa.UniqueConstraint("source", "user_key", name=op.f("uq_source_user_source_user_key")),
    )
    op.create_index(op.f("ix_source_user_email"), "source_user", ["email"], unique=False)
    op.create_index(op.f("ix_source_user_idnumber"), "source_user", ["idnumber"], unique=False)
    op.create_table(
        "stream_state",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("stream", sa.String(length=50), nullable=False),
        sa.Column("cursor", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "stream", name=op.f("pk_stream_state")),
    )
    op.create_table(
        "sync_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_run")),
    )
    op.create_index(op.f("ix_sync_run_source"), "sync_run", ["source"], unique=False)
    op.create_index(op.f("ix_sync_run_status"), "sync_run", ["status"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("course", sa.String(length=300), nullable=True),
        sa.Column("category", sa.String(length=300), nullable=True),
        sa.Column("achieved_at", UtcDateTime(), nullable=False),
        sa.Column("percent", Exact(9, 4), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("verb", sa.String(length=300), nullable=True),
        sa.Column("level", Exact(14, 5), nullable=True),
        sa.Column("hours", Exact(14, 5), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("voided_at", UtcDateTime(), nullable=True),
        sa.Column("void_reason", sa.String(length=50), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_evidence_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_object", "evidence", ["object", "kind"], unique=False)
    op.create_index(
        "ix_evidence_standing",
        "evidence",
        ["person_id", "origin", "kind"],
        unique=True,
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    op.create_table(
        "identity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rule", sa.String(length=50), nullable=False),
        sa.Column("bound_at", UtcDateTime(), nullable=False),
        sa.Column("unbound_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_identity_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
    )
    op.create_index("ix_identity_person", "identity", ["person_id", "source"], unique=False)
    op.create_index(
        "ix_identity_standing",
        "identity",
        ["source", "user_key"],
        unique=True,
        sqlite_where=sa.text("unbound_at IS NULL"),
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.create_table(
        "stream_run",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["sync_run.id"], name=op.f("fk_stream_run_run_id")),
        sa.PrimaryKeyConstraint("run_id", "stream", name=op.f("pk_stream_run")),
    )


def downgrade() -> None:
    op.drop_table("stream_run")
    op.drop_index(
        "ix_identity_standing",
        table_name="identity",
        sqlite_where=sa.text("unbound_at IS NULL"),
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.drop_index("ix_identity_person", table_name="identity")
    op.drop_table("identity")
    op.drop_index(
        "ix_evidence_standing",
        table_name="evidence",
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    op.drop_index("ix_evidence_object", table_name="evidence")
    op.drop_table("evidence")
    op.drop_index(op.f("ix_sync_run_status"), table_name="sync_run")
    op.drop_index(op.f("ix_sync_run_source"), table_name="sync_run")
    op.drop_table("sync_run")
    op.drop_table("stream_state")
    op.drop_index(op.f("ix_source_user_idnumber"), table_name="source_user")
    op.drop_index(op.f("ix_source_user_email"), table_name="source_user")
    op.drop_table("source_user")
    op.drop_index("ix_result_user", table_name="result")
    op.drop_table("result")
    op.drop_index(
        "ix_quarantined_open",
        table_name="quarantined",
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.drop_table("quarantined")
    op.drop_index("ix_enrolment_user", table_name="enrolment")
    op.drop_table("enrolment")
    op.drop_index("ix_course_object", table_name="course")
    op.drop_table("course")
    op.drop_index("ix_completion_user", table_name="completion")
    op.drop_table("completion")
    op.drop_index("ix_activity_object", table_name="activity")
    op.drop_index("ix_activity_course", table_name="activity")
    op.drop_table("activity")
