"""who stands behind a statement."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("evidence", sa.Column("authority", sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column("evidence", "authority")
