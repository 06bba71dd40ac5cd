"""Decisions to exempt, revoke and reinstate."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "certification_decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("undoes_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed_role", sa.String(length=50), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_role", sa.String(length=50), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_by", sa.String(length=200), nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_certification_decision_person_id")),
        sa.ForeignKeyConstraint(
            ["undoes_id"], ["certification_decision.id"], name=op.f("fk_certification_decision_undoes_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification_decision")),
    )
    op.create_index(
        "ix_certification_decision_person", "certification_decision", ["person_id", "certification"], unique=False
    )
    op.create_index(op.f("ix_certification_decision_state"), "certification_decision", ["state"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_certification_decision_state"), table_name="certification_decision")
    op.drop_index("ix_certification_decision_person", table_name="certification_decision")
    op.drop_table("certification_decision")
