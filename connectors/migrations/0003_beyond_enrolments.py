"""What Moodle shows beyond enrolments: categories, attempts, cohorts, badges, competencies, surveys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import Exact, UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "activity_completion",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("module_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_completion")),
        sa.UniqueConstraint(
            "source", "module_key", "user_key", name=op.f("uq_activity_completion_source_module_key_user_key")
        ),
    )
    op.create_index("ix_activity_completion_course", "activity_completion", ["source", "course_key"], unique=False)
    op.create_index("ix_activity_completion_user", "activity_completion", ["source", "user_key"], unique=False)
    op.create_table(
        "badge",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("badge_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("row_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badge")),
        sa.UniqueConstraint(
            "source", "badge_key", "user_key", "issued_at", name=op.f("uq_badge_source_badge_key_user_key_issued_at")
        ),
    )
    op.create_index("ix_badge_object", "badge", ["object"], unique=False)
    op.create_index("ix_badge_row", "badge", ["source", "row_id"], unique=False)
    op.create_index("ix_badge_user", "badge", ["source", "user_key"], unique=False)
    op.create_table(
        "category",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("category_key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("idnumber", sa.String(length=300), nullable=True),
        sa.Column("parent_key", sa.String(length=200), nullable=True),
        sa.Column("visible", sa.Boolean(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("source", "category_key", name=op.f("uq_category_source_category_key")),
    )
    op.create_table(
        "cohort",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("cohort_key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("idnumber", sa.String(length=300), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort")),
        sa.UniqueConstraint("source", "cohort_key", name=op.f("uq_cohort_source_cohort_key")),
    )
    op.create_table(
        "cohort_member",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("cohort_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=True),
        sa.Column("row_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_member")),
        sa.UniqueConstraint(
            "source", "cohort_key", "user_key", name=op.f("uq_cohort_member_source_cohort_key_user_key")
        ),
    )
    op.create_index("ix_cohort_member_row", "cohort_member", ["source", "row_id"], unique=False)
    op.create_index("ix_cohort_member_user", "cohort_member", ["source", "user_key"], unique=False)
    op.create_table(
        "competency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("competency_key", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("framework", sa.String(length=300), nullable=True),
        sa.Column("parent_key", sa.String(length=200), nullable=True),
        sa.Column("levels", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competency")),
        sa.UniqueConstraint("source", "competency_key", name=op.f("uq_competency_source_competency_key")),
    )
    op.create_index("ix_competency_object", "competency", ["object"], unique=False)
    op.create_table(
        "competency_rating",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("competency_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("level", Exact(14, 5), nullable=True),
        sa.Column("proficient", sa.Boolean(), nullable=True),
        sa.Column("rated_at", UtcDateTime(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competency_rating")),
        sa.UniqueConstraint(
            "source",
            "competency_key",
            "user_key",
            "course_key",
            name=op.f("uq_competency_rating_source_competency_key_user_key_course_key"),
        ),
    )
    op.create_index("ix_competency_rating_row", "competency_rating", ["source", "row_id"], unique=False)
    op.create_index("ix_competency_rating_user", "competency_rating", ["source", "user_key"], unique=False)
    op.create_table(
        "learning_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("attempt_key", sa.String(length=200), nullable=False),
        sa.Column("module_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("score", Exact(14, 5), nullable=True),
        sa.Column("maximum", Exact(14, 5), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_attempt")),
        sa.UniqueConstraint("source", "attempt_key", name=op.f("uq_learning_attempt_source_attempt_key")),
    )
    op.create_index("ix_learning_attempt_course", "learning_attempt", ["source", "course_key"], unique=False)
    op.create_index(
        "ix_learning_attempt_module", "learning_attempt", ["source", "module_key", "user_key"], unique=False
    )
    op.create_index("ix_learning_attempt_user", "learning_attempt", ["source", "user_key"], unique=False)
    op.create_table(
        "learning_plan",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("plan_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_plan")),
        sa.UniqueConstraint("source", "plan_key", name=op.f("uq_learning_plan_source_plan_key")),
    )
    op.create_index("ix_learning_plan_user", "learning_plan", ["source", "user_key"], unique=False)
    op.create_table(
        "source_notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("changes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_notice")),
        sa.UniqueConstraint("source", "message_id", name=op.f("uq_source_notice_source_message_id")),
    )
    op.create_index("ix_source_notice_waiting", "source_notice", ["source", "worked_at"], unique=False)
    op.create_table(
        "survey",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("survey_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("questions", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey")),
        sa.UniqueConstraint("source", "survey_key", name=op.f("uq_survey_source_survey_key")),
    )
    op.create_index("ix_survey_course", "survey", ["source", "course_key"], unique=False)
    op.create_table(
        "survey_answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("answer_key", sa.String(length=200), nullable=False),
        sa.Column("survey_key", sa.String(length=200), nullable=False),
        sa.Column("course_key", sa.String(length=200), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answers", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_answer")),
        sa.UniqueConstraint("source", "answer_key", name=op.f("uq_survey_answer_source_answer_key")),
    )
    op.create_index("ix_survey_answer_course", "survey_answer", ["source", "course_key"], unique=False)
    op.create_index("ix_survey_answer_survey", "survey_answer", ["source", "survey_key"], unique=False)
    op.create_index("ix_survey_answer_user", "survey_answer", ["source", "user_key"], unique=False)
    op.add_column("activity", sa.Column("module_key", sa.String(length=200), nullable=True))
    op.create_index("ix_activity_module", "activity", ["source", "module_key"], unique=False)
    op.add_column("course", sa.Column("category_key", sa.String(length=200), nullable=True))
    op.add_column("enrolment", sa.Column("methods", sa.String(length=200), nullable=True))
    op.add_column("enrolment", sa.Column("enrolled_at", UtcDateTime(), nullable=True))
    op.add_column("enrolment", sa.Column("starts_at", UtcDateTime(), nullable=True))
    op.add_column("enrolment", sa.Column("ends_at", UtcDateTime(), nullable=True))
    op.add_column("enrolment", sa.Column("started_at", UtcDateTime(), nullable=True))
    op.add_column(
        "source_user", sa.Column("custom", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )
    op.add_column("stream_run", sa.Column("way", sa.String(length=30), nullable=True))
    op.add_column(
        "stream_run", sa.Column("choice", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )
    op.add_column("stream_run", sa.Column("whole", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("stream_run", sa.Column("calls", sa.Integer(), server_default="0", nullable=False))
    op.add_column("stream_run", sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("stream_run", sa.Column("seconds", sa.Double(), server_default="0", nullable=False))
    op.add_column("stream_state", sa.Column("way", sa.String(length=30), nullable=True))
    op.add_column("stream_state", sa.Column("full_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("stream_state", "full_at")
    op.drop_column("stream_state", "way")
    op.drop_column("stream_run", "seconds")
    op.drop_column("stream_run", "bytes")
    op.drop_column("stream_run", "calls")
    op.drop_column("stream_run", "whole")
    op.drop_column("stream_run", "choice")
    op.drop_column("stream_run", "way")
    op.drop_column("source_user", "custom")
    op.drop_column("enrolment", "started_at")
    op.drop_column("enrolment", "ends_at")
    op.drop_column("enrolment", "starts_at")
    op.drop_column("enrolment", "enrolled_at")
    op.drop_column("enrolment", "methods")
    op.drop_column("course", "category_key")
    op.drop_index("ix_activity_module", table_name="activity")
    op.drop_column("activity", "module_key")
    op.drop_index("ix_survey_answer_user", table_name="survey_answer")
    op.drop_index("ix_survey_answer_survey", table_name="survey_answer")
    op.drop_index("ix_survey_answer_course", table_name="survey_answer")
    op.drop_table("survey_answer")
    op.drop_index("ix_survey_course", table_name="survey")
    op.drop_table("survey")
    op.drop_index("ix_source_notice_waiting", table_name="source_notice")
    op.drop_table("source_notice")
    op.drop_index("ix_learning_plan_user", table_name="learning_plan")
    op.drop_table("learning_plan")
    op.drop_index("ix_learning_attempt_user", table_name="learning_attempt")
    op.drop_index("ix_learning_attempt_module", table_name="learning_attempt")
    op.drop_index("ix_learning_attempt_course", table_name="learning_attempt")
    op.drop_table("learning_attempt")
    op.drop_index("ix_competency_rating_user", table_name="competency_rating")
    op.drop_index("ix_competency_rating_row", table_name="competency_rating")
    op.drop_table("competency_rating")
    op.drop_index("ix_competency_object", table_name="competency")
    op.drop_table("competency")
    op.drop_index("ix_cohort_member_user", table_name="cohort_member")
    op.drop_index("ix_cohort_member_row", table_name="cohort_member")
    op.drop_table("cohort_member")
    op.drop_table("cohort")
    op.drop_table("category")
    op.drop_index("ix_badge_user", table_name="badge")
    op.drop_index("ix_badge_row", table_name="badge")
    op.drop_index("ix_badge_object", table_name="badge")
    op.drop_table("badge")
    op.drop_index("ix_activity_completion_user", table_name="activity_completion")
    op.drop_index("ix_activity_completion_course", table_name="activity_completion")
    op.drop_table("activity_completion")
