"""Populations of requirements beside positions, people listed for one, and promotions as they were decided."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

ONE_POPULATION = (
    "CASE WHEN position_code IS NULL THEN 0 ELSE 1 END + CASE WHEN grade_code IS NULL THEN 0 ELSE 1 END + "
    "CASE WHEN department_code IS NULL THEN 0 ELSE 1 END + CASE WHEN tag IS NULL THEN 0 ELSE 1 END <= 1"
)


def upgrade() -> None:
    with op.batch_alter_table("requirement") as batch:  # SQLite cannot alter a column: the table is copied
        batch.add_column(sa.Column("grade_code", sa.String(length=200), nullable=True))
        batch.add_column(sa.Column("department_code", sa.String(length=200), nullable=True))
        batch.add_column(sa.Column("with_children", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        batch.add_column(sa.Column("tag", sa.String(length=100), nullable=True))
        batch.alter_column("position_code", existing_type=sa.String(length=200), nullable=True)
        batch.drop_constraint(op.f("uq_requirement_certification_kind_position_code_starts_on"), type_="unique")
        batch.create_check_constraint("ck_requirement_one_population", ONE_POPULATION)
    op.create_table(
        "requirement_person",
        sa.Column(
            "requirement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_requirement_person_person_id")),
        sa.ForeignKeyConstraint(
            ["requirement_id"], ["requirement.id"], name=op.f("fk_requirement_person_requirement_id")
        ),
        sa.PrimaryKeyConstraint("requirement_id", "person_id", name=op.f("pk_requirement_person")),
    )
    op.create_index(op.f("ix_requirement_person_person_id"), "requirement_person", ["person_id"], unique=False)
    op.add_column(
        "promotion", sa.Column("decided", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("promotion", "decided")
    op.drop_index(op.f("ix_requirement_person_person_id"), table_name="requirement_person")
    op.drop_table("requirement_person")
    op.execute(sa.text("DELETE FROM requirement WHERE position_code IS NULL"))
    with op.batch_alter_table("requirement") as batch:
        batch.drop_constraint("ck_requirement_one_population", type_="check")
        batch.alter_column("position_code", existing_type=sa.String(length=200), nullable=False)
        batch.create_unique_constraint(
            op.f("uq_requirement_certification_kind_position_code_starts_on"),
            ["certification", "kind", "position_code", "starts_on"],
        )
        batch.drop_column("tag")
        batch.drop_column("with_children")
        batch.drop_column("department_code")
        batch.drop_column("grade_code")
