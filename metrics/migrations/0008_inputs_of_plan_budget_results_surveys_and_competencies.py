"""inputs of plan budget results surveys and competencies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import Exact, UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:  # noqa: PLR0915 - a table is two statements
    op.create_table(
        "benefit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("statement", sa.String(length=100), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=False),
        sa.Column("stated_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("amount", Exact(18, 4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("isolation", Exact(9, 6), nullable=True),
        sa.Column("confidence", Exact(9, 6), nullable=True),
        sa.Column("stated_by", sa.String(length=300), nullable=True),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benefit")),
    )
    op.create_index(
        "ix_benefit_standing",
        "benefit",
        ["statement"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "budget_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.String(length=100), nullable=False),
        sa.Column("quarter", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=True),
        sa.Column("department", sa.String(length=200), nullable=True),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("amount", Exact(18, 4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_line")),
    )
    op.create_index(
        "ix_budget_line_standing",
        "budget_line",
        ["line"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "cost",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("spent_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("line", sa.String(length=100), nullable=True),
        sa.Column("programme", sa.String(length=100), nullable=True),
        sa.Column("department", sa.String(length=200), nullable=True),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("amount", Exact(18, 4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost")),
    )
    op.create_index(
        "ix_cost_standing",
        "cost",
        ["document"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "course_detail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("course", sa.String(length=300), nullable=False),
        sa.Column("hours", Exact(18, 6), nullable=True),
        sa.Column("lecturer", sa.String(length=100), nullable=True),
        sa.Column("pre_test", sa.String(length=300), nullable=True),
        sa.Column("post_test", sa.String(length=300), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_detail")),
    )
    op.create_index(
        "ix_course_detail_standing",
        "course_detail",
        ["course"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "currency_rate",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("rate", Exact(18, 8), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_currency_rate")),
    )
    op.create_index(
        "ix_currency_rate_standing",
        "currency_rate",
        ["currency", "from_on"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "model_competency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("competency", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("dimension", sa.String(length=100), nullable=False),
        sa.Column("lms_object", sa.String(length=300), nullable=True),
        sa.Column("courses", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_competency")),
    )
    op.create_index(
        "ix_model_competency_standing",
        "model_competency",
        ["competency"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "model_level",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("competency", sa.String(length=100), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("behaviour", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_level")),
    )
    op.create_index(
        "ix_model_level_standing",
        "model_level",
        ["competency", "level"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "performance_measure",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("measure", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("better", sa.String(length=10), nullable=False),
        sa.Column("unit", sa.String(length=50), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_measure")),
    )
    op.create_index(
        "ix_performance_measure_standing",
        "performance_measure",
        ["measure"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "post",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.String(length=200), nullable=False),
        sa.Column("criticality", Exact(18, 6), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
    )
    op.create_index(
        "ix_post_standing",
        "post",
        ["position"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "post_competency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.String(length=200), nullable=False),
        sa.Column("competency", sa.String(length=100), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_competency")),
    )
    op.create_index(
        "ix_post_competency_standing",
        "post_competency",
        ["position", "competency"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "programme",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("plan", sa.String(length=6), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("measure", sa.String(length=200), nullable=False),
        sa.Column("target", Exact(18, 6), nullable=False),
        sa.Column("target_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("planned_end_on", sa.Date(), nullable=False),
        sa.Column("actual_end_on", sa.Date(), nullable=True),
        sa.Column("complete_at", Exact(9, 6), nullable=True),
        sa.Column("unplanned", sa.Boolean(), nullable=False),
        sa.Column("everybody", sa.Boolean(), nullable=False),
        sa.Column("department", sa.String(length=200), nullable=True),
        sa.Column("with_children", sa.Boolean(), nullable=False),
        sa.Column("position", sa.String(length=200), nullable=True),
        sa.Column("grade", sa.String(length=200), nullable=True),
        sa.Column("tag", sa.String(length=100), nullable=True),
        sa.Column("courses", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("organiser", sa.String(length=200), nullable=True),
        sa.Column("category", sa.String(length=200), nullable=True),
        sa.Column("lecturer", sa.String(length=100), nullable=True),
        sa.Column("venue", sa.String(length=100), nullable=True),
        sa.Column("performance", sa.String(length=100), nullable=True),
        sa.Column("expected_benefit", sa.Text(), nullable=True),
        sa.Column("milestones", sa.Text(), nullable=True),
        sa.Column("deliverables", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme")),
    )
    op.create_index(
        "ix_programme_standing",
        "programme",
        ["programme"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "programme_session",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("begins", sa.String(length=5), nullable=False),
        sa.Column("ends", sa.String(length=5), nullable=False),
        sa.Column("lecturer", sa.String(length=100), nullable=True),
        sa.Column("venue", sa.String(length=100), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_session")),
    )
    op.create_index(
        "ix_programme_session_standing",
        "programme_session",
        ["programme", "held_on", "begins"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "venue",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("venue", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("places", sa.Integer(), nullable=True),
        sa.Column("equipment", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_venue")),
    )
    op.create_index(
        "ix_venue_standing",
        "venue",
        ["venue"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "competency_assessment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("competency", sa.String(length=100), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("assessor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["assessor_id"], ["person.id"], name=op.f("fk_competency_assessment_assessor_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_competency_assessment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_competency_assessment")),
    )
    op.create_index(
        op.f("ix_competency_assessment_assessor_id"), "competency_assessment", ["assessor_id"], unique=False
    )
    op.create_index(op.f("ix_competency_assessment_person_id"), "competency_assessment", ["person_id"], unique=False)
    op.create_index(
        "ix_competency_assessment_standing",
        "competency_assessment",
        ["person_id", "competency", "assessed_on", "by"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "external_training",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=True),
        sa.Column("hours", Exact(18, 6), nullable=False),
        sa.Column("provider", sa.String(length=300), nullable=True),
        sa.Column("category", sa.String(length=300), nullable=True),
        sa.Column("programme", sa.String(length=100), nullable=True),
        sa.Column("certificate", sa.String(length=300), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_external_training_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_training")),
    )
    op.create_index(op.f("ix_external_training_person_id"), "external_training", ["person_id"], unique=False)
    op.create_index(
        "ix_external_training_standing",
        "external_training",
        ["person_id", "title", "ended_on"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "interview_note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("note", sa.String(length=100), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("department", sa.String(length=200), nullable=True),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("competency", sa.String(length=100), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_interview_note_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interview_note")),
    )
    op.create_index(op.f("ix_interview_note_person_id"), "interview_note", ["person_id"], unique=False)
    op.create_index(
        "ix_interview_note_standing",
        "interview_note",
        ["note"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "lecturer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lecturer", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("qualification", sa.Text(), nullable=True),
        sa.Column("fee", Exact(18, 4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("fee_per", sa.String(length=20), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_lecturer_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lecturer")),
    )
    op.create_index(op.f("ix_lecturer_person_id"), "lecturer", ["person_id"], unique=False)
    op.create_index(
        "ix_lecturer_standing",
        "lecturer",
        ["lecturer"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "performance_value",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("measure", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("value", Exact(18, 6), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_performance_value_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_value")),
    )
    op.create_index(op.f("ix_performance_value_person_id"), "performance_value", ["person_id"], unique=False)
    op.create_index(
        "ix_performance_value_standing",
        "performance_value",
        ["measure", "person_id", "month"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "programme_person",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("group", sa.String(length=20), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_programme_person_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_person")),
    )
    op.create_index(op.f("ix_programme_person_person_id"), "programme_person", ["person_id"], unique=False)
    op.create_index(
        "ix_programme_person_standing",
        "programme_person",
        ["programme", "person_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "supervisor_rating",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("programme", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("moment", sa.String(length=10), nullable=False),
        sa.Column("months_after", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.String(length=100), nullable=False),
        sa.Column("rated_on", sa.Date(), nullable=False),
        sa.Column("score", Exact(18, 6), nullable=False),
        sa.Column("lowest", Exact(18, 6), nullable=False),
        sa.Column("highest", Exact(18, 6), nullable=False),
        sa.Column("rater_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("observation", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_supervisor_rating_person_id")),
        sa.ForeignKeyConstraint(["rater_id"], ["person.id"], name=op.f("fk_supervisor_rating_rater_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervisor_rating")),
    )
    op.create_index(op.f("ix_supervisor_rating_person_id"), "supervisor_rating", ["person_id"], unique=False)
    op.create_index(op.f("ix_supervisor_rating_rater_id"), "supervisor_rating", ["rater_id"], unique=False)
    op.create_index(
        "ix_supervisor_rating_standing",
        "supervisor_rating",
        ["programme", "person_id", "moment", "months_after", "dimension"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "survey_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("survey", sa.String(length=100), nullable=False),
        sa.Column("respondent", sa.String(length=100), nullable=False),
        sa.Column("question", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("dimension", sa.String(length=100), nullable=True),
        sa.Column("course", sa.String(length=300), nullable=True),
        sa.Column("programme", sa.String(length=100), nullable=True),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("score", Exact(18, 6), nullable=True),
        sa.Column("lowest", Exact(18, 6), nullable=False),
        sa.Column("highest", Exact(18, 6), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_survey_entry_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_entry")),
    )
    op.create_index(op.f("ix_survey_entry_dimension"), "survey_entry", ["dimension"], unique=False)
    op.create_index(op.f("ix_survey_entry_person_id"), "survey_entry", ["person_id"], unique=False)
    op.create_index(
        "ix_survey_entry_standing",
        "survey_entry",
        ["survey", "respondent", "question"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:  # noqa: PLR0915
    op.drop_index(
        "ix_survey_entry_standing",
        table_name="survey_entry",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_survey_entry_person_id"), table_name="survey_entry")
    op.drop_index(op.f("ix_survey_entry_dimension"), table_name="survey_entry")
    op.drop_table("survey_entry")
    op.drop_index(
        "ix_supervisor_rating_standing",
        table_name="supervisor_rating",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_supervisor_rating_rater_id"), table_name="supervisor_rating")
    op.drop_index(op.f("ix_supervisor_rating_person_id"), table_name="supervisor_rating")
    op.drop_table("supervisor_rating")
    op.drop_index(
        "ix_programme_person_standing",
        table_name="programme_person",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_programme_person_person_id"), table_name="programme_person")
    op.drop_table("programme_person")
    op.drop_index(
        "ix_performance_value_standing",
        table_name="performance_value",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_performance_value_person_id"), table_name="performance_value")
    op.drop_table("performance_value")
    op.drop_index(
        "ix_lecturer_standing",
        table_name="lecturer",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_lecturer_person_id"), table_name="lecturer")
    op.drop_table("lecturer")
    op.drop_index(
        "ix_interview_note_standing",
        table_name="interview_note",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_interview_note_person_id"), table_name="interview_note")
    op.drop_table("interview_note")
    op.drop_index(
        "ix_external_training_standing",
        table_name="external_training",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_external_training_person_id"), table_name="external_training")
    op.drop_table("external_training")
    op.drop_index(
        "ix_competency_assessment_standing",
        table_name="competency_assessment",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_competency_assessment_person_id"), table_name="competency_assessment")
    op.drop_index(op.f("ix_competency_assessment_assessor_id"), table_name="competency_assessment")
    op.drop_table("competency_assessment")
    op.drop_index(
        "ix_venue_standing",
        table_name="venue",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("venue")
    op.drop_index(
        "ix_programme_session_standing",
        table_name="programme_session",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("programme_session")
    op.drop_index(
        "ix_programme_standing",
        table_name="programme",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("programme")
    op.drop_index(
        "ix_post_competency_standing",
        table_name="post_competency",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("post_competency")
    op.drop_index(
        "ix_post_standing",
        table_name="post",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("post")
    op.drop_index(
        "ix_performance_measure_standing",
        table_name="performance_measure",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("performance_measure")
    op.drop_index(
        "ix_model_level_standing",
        table_name="model_level",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("model_level")
    op.drop_index(
        "ix_model_competency_standing",
        table_name="model_competency",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("model_competency")
    op.drop_index(
        "ix_currency_rate_standing",
        table_name="currency_rate",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("currency_rate")
    op.drop_index(
        "ix_course_detail_standing",
        table_name="course_detail",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("course_detail")
    op.drop_index(
        "ix_cost_standing",
        table_name="cost",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("cost")
    op.drop_index(
        "ix_budget_line_standing",
        table_name="budget_line",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("budget_line")
    op.drop_index(
        "ix_benefit_standing",
        table_name="benefit",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("benefit")
