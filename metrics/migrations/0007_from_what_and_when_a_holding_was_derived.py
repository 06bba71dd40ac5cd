"""from what and when a holding was derived."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("holding", sa.Column("inputs", sa.BigInteger(), nullable=True))
    op.add_column("holding", sa.Column("derived_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("holding", "derived_at")
    op.drop_column("holding", "inputs")
