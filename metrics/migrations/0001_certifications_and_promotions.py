"""certifications and promotions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "certification_rule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification_rule")),
        sa.UniqueConstraint("code", "version", name=op.f("uq_certification_rule_code_version")),
    )
    op.create_table(
        "requirement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("position_code", sa.String(length=200), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("due_within", sa.String(length=30), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requirement")),
        sa.UniqueConstraint(
            "certification",
            "kind",
            "position_code",
            "starts_on",
            name=op.f("uq_requirement_certification_kind_position_code_starts_on"),
        ),
    )
    op.create_index(op.f("ix_requirement_certification"), "requirement", ["certification"], unique=False)
    op.create_index(op.f("ix_requirement_position_code"), "requirement", ["position_code"], unique=False)
    op.create_table(
        "award",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("achieved_at", UtcDateTime(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("basis", sa.String(length=30), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_award_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award")),
        sa.UniqueConstraint(
            "person_id", "certification", "number", name=op.f("uq_award_person_id_certification_number")
        ),
    )
    op.create_table(
        "award_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("award_id", sa.String(length=26), nullable=False),
        sa.Column("change", sa.String(length=30), nullable=False),
        sa.Column("reason", sa.String(length=50), nullable=False),
        sa.Column("before", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("after", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_award_change_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_change")),
    )
    op.create_index("ix_award_change_person", "award_change", ["person_id", "certification", "at"], unique=False)
    op.create_table(
        "holding",
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("achieved_at", UtcDateTime(), nullable=True),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("award_id", sa.String(length=26), nullable=True),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("next_change_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_holding_person_id")),
        sa.PrimaryKeyConstraint("person_id", "certification", name=op.f("pk_holding")),
    )
    op.create_index("ix_holding_next", "holding", ["next_change_at"], unique=False)
    op.create_index("ix_holding_status", "holding", ["certification", "status"], unique=False)
    op.create_table(
        "promotion",
        sa.Column("promotion_id", sa.String(length=100), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("from_position", sa.String(length=200), nullable=True),
        sa.Column("to_position", sa.String(length=200), nullable=True),
        sa.Column("from_grade", sa.String(length=200), nullable=True),
        sa.Column("to_grade", sa.String(length=200), nullable=True),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("eligibility", sa.String(length=20), nullable=True),
        sa.Column("requirements", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_promotion_person_id")),
        sa.PrimaryKeyConstraint("promotion_id", name=op.f("pk_promotion")),
    )
    op.create_index(op.f("ix_promotion_person_id"), "promotion", ["person_id"], unique=False)
    op.create_index(op.f("ix_promotion_to_position"), "promotion", ["to_position"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_promotion_to_position"), table_name="promotion")
    op.drop_index(op.f("ix_promotion_person_id"), table_name="promotion")
    op.drop_table("promotion")
    op.drop_index("ix_holding_status", table_name="holding")
    op.drop_index("ix_holding_next", table_name="holding")
    op.drop_table("holding")
    op.drop_index("ix_award_change_person", table_name="award_change")
    op.drop_table("award_change")
    op.drop_table("award")
    op.drop_index(op.f("ix_requirement_position_code"), table_name="requirement")
    op.drop_index(op.f("ix_requirement_certification"), table_name="requirement")
    op.drop_table("requirement")
    op.drop_table("certification_rule")
