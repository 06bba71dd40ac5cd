"""signing keys, pace and standing of endpoints."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("backfill", sa.String(length=10), server_default="send", nullable=False))
    op.add_column("endpoint", sa.Column("scheme", sa.String(length=10), server_default="v1", nullable=False))
    op.add_column("endpoint", sa.Column("public_key", sa.String(length=100), nullable=True))
    op.add_column("endpoint", sa.Column("old_secret", sa.Text(), nullable=True))
    op.add_column("endpoint", sa.Column("old_secret_until", UtcDateTime(), nullable=True))
    op.add_column("endpoint", sa.Column("rate", sa.Double(), nullable=True))
    op.add_column("endpoint", sa.Column("slots_until", UtcDateTime(), nullable=True))
    op.add_column("endpoint", sa.Column("failing_since", UtcDateTime(), nullable=True))
    op.add_column("endpoint", sa.Column("delivered_at", UtcDateTime(), nullable=True))
    op.add_column(
        "endpoint", sa.Column("gaps", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("endpoint", "gaps")
    op.drop_column("endpoint", "delivered_at")
    op.drop_column("endpoint", "failing_since")
    op.drop_column("endpoint", "slots_until")
    op.drop_column("endpoint", "rate")
    op.drop_column("endpoint", "old_secret_until")
    op.drop_column("endpoint", "old_secret")
    op.drop_column("endpoint", "public_key")
    op.drop_column("endpoint", "scheme")
    op.drop_column("endpoint", "backfill")
