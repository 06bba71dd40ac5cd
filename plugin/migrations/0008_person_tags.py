"""Person tags."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "person_tag",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag", sa.String(length=100), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_person_tag_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_tag")),
        sa.UniqueConstraint("person_id", "tag", "valid_from", name=op.f("uq_person_tag_person_id_tag_valid_from")),
    )
    op.create_index(op.f("ix_person_tag_tag"), "person_tag", ["tag"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_person_tag_tag"), table_name="person_tag")
    op.drop_table("person_tag")
