"""linking accounts by hand."""

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "linking_act",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("to_person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("from_identity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["from_person_id"], ["person.id"], name=op.f("fk_linking_act_from_person_id")),
        sa.ForeignKeyConstraint(["to_person_id"], ["person.id"], name=op.f("fk_linking_act_to_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linking_act")),
    )
    op.create_index("ix_linking_act_account", "linking_act", ["source", "user_key"], unique=False)
    op.create_index(op.f("ix_linking_act_from_person_id"), "linking_act", ["from_person_id"], unique=False)
    op.create_index(op.f("ix_linking_act_to_person_id"), "linking_act", ["to_person_id"], unique=False)
    op.add_column("identity", sa.Column("valid_from", UtcDateTime(), nullable=True))
    op.add_column("identity", sa.Column("valid_until", UtcDateTime(), nullable=True))
    op.create_index("ix_identity_account", "identity", ["source", "user_key"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_identity_account", table_name="identity")
    op.drop_column("identity", "valid_until")
    op.drop_column("identity", "valid_from")
    op.drop_index(op.f("ix_linking_act_to_person_id"), table_name="linking_act")
    op.drop_index(op.f("ix_linking_act_from_person_id"), table_name="linking_act")
    op.drop_index("ix_linking_act_account", table_name="linking_act")
    op.drop_table("linking_act")
