"""When requirements and their ends came on record."""

from datetime import date

import sqlalchemy as sa
from alembic import op

from plugin.store import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "requirement_end",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requirement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("former", sa.Date(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["requirement_id"], ["requirement.id"], name=op.f("fk_requirement_end_requirement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requirement_end")),
    )
    op.create_index(op.f("ix_requirement_end_requirement_id"), "requirement_end", ["requirement_id"], unique=False)
    op.add_column("requirement", sa.Column("recorded_at", UtcDateTime(), nullable=True))
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Take from the audit trail when what is on record was added and ended; what it does not tell always was."""
    requirement = sa.table("requirement", sa.column("id"), sa.column("recorded_at", UtcDateTime()))
    end = sa.table(
        "requirement_end",
        sa.column("requirement_id"),
        sa.column("former", sa.Date()),
        sa.column("recorded_at", UtcDateTime()),
    )
    act = sa.table(
        "audit_entry",
        sa.column("id"),
        sa.column("at", UtcDateTime()),
        sa.column("action", sa.String()),
        sa.column("before", sa.JSON()),
        sa.column("after", sa.JSON()),
    )
    there = set(connection.scalars(sa.select(requirement.c.id)))
    if not there:
        return
    told = sa.select(act).where(act.c.action.in_(("requirement.add", "requirement.end"))).order_by(act.c.id)
    for row in connection.execute(told).all():
        number = (row.after or {}).get("requirement")
        if number not in there:
            continue
        if row.action == "requirement.add":
            connection.execute(sa.update(requirement).where(requirement.c.id == number).values(recorded_at=row.at))
        else:
            former = (row.before or {}).get("ends_on")
            day = date.fromisoformat(former) if former else None
            connection.execute(sa.insert(end).values(requirement_id=number, former=day, recorded_at=row.at))


def downgrade() -> None:
    op.drop_column("requirement", "recorded_at")
    op.drop_index(op.f("ix_requirement_end_requirement_id"), table_name="requirement_end")
    op.drop_table("requirement_end")
