"""Erased persons and proposals to erase."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "erasure_proposal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=200), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_erasure_proposal_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_proposal")),
    )
    op.create_index(op.f("ix_erasure_proposal_decided_at"), "erasure_proposal", ["decided_at"], unique=False)
    op.create_index(
        "ix_erasure_proposal_open",
        "erasure_proposal",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("decided_at IS NULL"),
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(op.f("ix_erasure_proposal_person_id"), "erasure_proposal", ["person_id"], unique=False)
    op.add_column("person", sa.Column("erased_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("person", "erased_at")
    op.drop_index(op.f("ix_erasure_proposal_person_id"), table_name="erasure_proposal")
    op.drop_index(
        "ix_erasure_proposal_open",
        table_name="erasure_proposal",
        sqlite_where=sa.text("decided_at IS NULL"),
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.drop_index(op.f("ix_erasure_proposal_decided_at"), table_name="erasure_proposal")
    op.drop_table("erasure_proposal")
