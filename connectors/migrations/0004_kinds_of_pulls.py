"""kinds of pulls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("sync_run", sa.Column("kind", sa.String(length=10), server_default="whole", nullable=False))


def downgrade() -> None:
    op.drop_column("sync_run", "kind")
