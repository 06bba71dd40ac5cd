"""An index of evidence by person, voided pieces too."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("ix_evidence_person", "evidence", ["person_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_evidence_person", table_name="evidence")
