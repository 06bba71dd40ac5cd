"""When the token of a source ends."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("sync_run", sa.Column("token_until", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_run", "token_until")
