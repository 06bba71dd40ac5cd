"""places of events."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("event", sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    op.create_index(
        "ix_event_position",
        "event",
        ["position"],
        unique=True,
        sqlite_where=sa.text("position IS NOT NULL"),
        postgresql_where=sa.text("position IS NOT NULL"),
    )
    op.create_index(
        "ix_event_unplaced",
        "event",
        ["id"],
        unique=False,
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_index(
        "ix_event_live",
        "event",
        ["person_id", "sequence"],
        unique=False,
        sqlite_where=sa.text("NOT fanned_out AND NOT backfill"),
        postgresql_where=sa.text("NOT fanned_out AND NOT backfill"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_event_live",
        table_name="event",
        sqlite_where=sa.text("NOT fanned_out AND NOT backfill"),
        postgresql_where=sa.text("NOT fanned_out AND NOT backfill"),
    )
    op.drop_index(
        "ix_event_unplaced",
        table_name="event",
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.drop_index(
        "ix_event_position",
        table_name="event",
        sqlite_where=sa.text("position IS NOT NULL"),
        postgresql_where=sa.text("position IS NOT NULL"),
    )
    op.drop_column("event", "position")
