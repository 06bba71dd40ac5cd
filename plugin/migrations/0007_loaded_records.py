"""Loaded records, and what addons leave in the store."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "loaded_record",
        sa.Column("addon", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("table_name", sa.String(length=100), nullable=False),
        sa.Column("row_key", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("noupdate", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("addon", "name", name=op.f("pk_loaded_record")),
    )
    op.add_column("installed_addon", sa.Column("digest", sa.String(length=64), nullable=True))
    op.add_column(
        "installed_addon",
        sa.Column("footprint", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("installed_addon", "footprint")
    op.drop_column("installed_addon", "digest")
    op.drop_table("loaded_record")
