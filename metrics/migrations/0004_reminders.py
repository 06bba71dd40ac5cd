"""Reminders to employees and managers, and the index by which they are found."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reminder",
        sa.Column("id", BIG, nullable=False),
        sa.Column("person_id", BIG, nullable=False),
        sa.Column("certification", sa.String(length=100), nullable=False),
        sa.Column("about", sa.String(length=26), nullable=False),
        sa.Column("before", sa.String(length=100), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("mail_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_reminder_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.UniqueConstraint(
            "person_id",
            "certification",
            "about",
            "before",
            "ends_at",
            name=op.f("uq_reminder_person_id_certification_about_before_ends_at"),
        ),
    )
    op.create_index("ix_reminder_recorded", "reminder", ["recorded_at"], unique=False)
    op.create_table(
        "reminder_mark",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_reminder_mark")),
    )
    op.create_table(
        "team_digest",
        sa.Column("id", BIG, nullable=False),
        sa.Column("person_id", BIG, nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("mail_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_team_digest_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_digest")),
        sa.UniqueConstraint("person_id", "week", name=op.f("uq_team_digest_person_id_week")),
    )
    op.create_index("ix_holding_until", "holding", ["valid_until"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_holding_until", table_name="holding")
    op.drop_table("team_digest")
    op.drop_table("reminder_mark")
    op.drop_index("ix_reminder_recorded", table_name="reminder")
    op.drop_table("reminder")
