"""Assessments, external certificates and their files; the versions of rules that were applied to old awards."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("certification_decision", sa.Column("answer", sa.Text(), nullable=True))
    op.create_table(
        "certification_regrade",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=False),
        sa.Column("applied_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification_regrade")),
    )
    op.create_index(op.f("ix_certification_regrade_code"), "certification_regrade", ["code"], unique=False)
    op.create_table(
        "certificate_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=50), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_certificate_file_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_file")),
    )
    op.create_index(op.f("ix_certificate_file_person_id"), "certificate_file", ["person_id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("assessment", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("achieved_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("issuer", sa.String(length=300), nullable=True),
        sa.Column("number", sa.String(length=200), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("evidence_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("corrects_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("entered_by", sa.String(length=200), nullable=False),
        sa.Column("entered_name", sa.String(length=300), nullable=False),
        sa.Column("entered_role", sa.String(length=50), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_name", sa.String(length=300), nullable=True),
        sa.Column("decided_role", sa.String(length=50), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("ended_role", sa.String(length=50), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["corrects_id"], ["assessment.id"], name=op.f("fk_assessment_corrects_id")),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_assessment_evidence_id")),
        sa.ForeignKeyConstraint(["file_id"], ["certificate_file.id"], name=op.f("fk_assessment_file_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_assessment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index(op.f("ix_assessment_evidence_id"), "assessment", ["evidence_id"], unique=False)
    op.create_index("ix_assessment_person", "assessment", ["person_id", "assessment"], unique=False)
    op.create_index(op.f("ix_assessment_state"), "assessment", ["state"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_assessment_state"), table_name="assessment")
    op.drop_index("ix_assessment_person", table_name="assessment")
    op.drop_index(op.f("ix_assessment_evidence_id"), table_name="assessment")
    op.drop_table("assessment")
    op.drop_index(op.f("ix_certificate_file_person_id"), table_name="certificate_file")
    op.drop_table("certificate_file")
    op.drop_index(op.f("ix_certification_regrade_code"), table_name="certification_regrade")
    op.drop_table("certification_regrade")
    op.drop_column("certification_decision", "answer")
