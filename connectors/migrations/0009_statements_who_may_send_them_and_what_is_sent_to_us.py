"""statements, who may send them, and what is sent to us."""

import sqlalchemy as sa
from alembic import op

from plugin.store import Exact, UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "inbound_count",
        sa.Column("door", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("outcome", sa.String(length=30), nullable=False),
        sa.Column("times", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("in_a_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("row_since", UtcDateTime(), nullable=True),
        sa.Column("last_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("door", "name", "outcome", name=op.f("pk_inbound_count")),
    )
    op.create_table(
        "source_credential",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_credential")),
        sa.UniqueConstraint("name", name=op.f("uq_source_credential_name")),
    )
    op.create_table(
        "statement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("statement_id", sa.String(length=36), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=False),
        sa.Column("verb", sa.String(length=300), nullable=False),
        sa.Column("object", sa.String(length=300), nullable=False),
        sa.Column("external", sa.String(length=300), nullable=True),
        sa.Column("achieved_at", UtcDateTime(), nullable=False),
        sa.Column("percent", Exact(9, 4), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("authority", sa.String(length=300), nullable=True),
        sa.Column("voided_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("missing_pass", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint("source", "statement_id", name=op.f("uq_statement_source_statement_id")),
    )
    op.create_index("ix_statement_object", "statement", ["object"], unique=False)
    op.create_index("ix_statement_user", "statement", ["source", "user_key"], unique=False)
    op.create_table(
        "xapi_statement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("statement_id", sa.String(length=36), nullable=False),
        sa.Column("user_key", sa.String(length=200), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("voids", sa.String(length=36), nullable=True),
        sa.Column("outcome", sa.String(length=30), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xapi_statement")),
        sa.UniqueConstraint("source", "statement_id", name=op.f("uq_xapi_statement_source_statement_id")),
    )
    op.create_index("ix_xapi_statement_fingerprint", "xapi_statement", ["source", "fingerprint"], unique=False)
    op.create_index("ix_xapi_statement_stored", "xapi_statement", ["stored_at"], unique=False)
    op.create_index("ix_xapi_statement_user", "xapi_statement", ["source", "user_key"], unique=False)
    op.create_index("ix_xapi_statement_voids", "xapi_statement", ["source", "voids"], unique=False)
    op.create_index("ix_xapi_statement_waiting", "xapi_statement", ["outcome", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_xapi_statement_waiting", table_name="xapi_statement")
    op.drop_index("ix_xapi_statement_voids", table_name="xapi_statement")
    op.drop_index("ix_xapi_statement_user", table_name="xapi_statement")
    op.drop_index("ix_xapi_statement_stored", table_name="xapi_statement")
    op.drop_index("ix_xapi_statement_fingerprint", table_name="xapi_statement")
    op.drop_table("xapi_statement")
    op.drop_index("ix_statement_user", table_name="statement")
    op.drop_index("ix_statement_object", table_name="statement")
    op.drop_table("statement")
    op.drop_table("source_credential")
    op.drop_table("inbound_count")
