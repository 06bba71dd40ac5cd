"""Files of people and the organisation that are held or wait."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "roster_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.Text(), nullable=True),
        sa.Column("whole", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("ending", sa.Integer(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("received_by", sa.String(length=200), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_file")),
    )
    op.create_index("ix_roster_file_state", "roster_file", ["source", "kind", "state"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_roster_file_state", table_name="roster_file")
    op.drop_table("roster_file")
