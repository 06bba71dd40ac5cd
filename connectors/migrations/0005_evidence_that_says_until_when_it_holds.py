"""Evidence that says until when it holds."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("evidence", sa.Column("expires_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("evidence", "expires_at")
