"""The kernel's lines of `certbridge status`: the people."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin.models import Person
from plugin.people import employed_on
from plugin.summaries import Summary


def summaries(session: Session, now: datetime) -> list[Summary]:
    """How many people there are, and how many have left."""
    total = session.scalar(select(func.count()).select_from(Person).where(Person.erased_at.is_(None))) or 0
    present = session.scalar(select(func.count()).select_from(Person).where(employed_on(now.date()))) or 0
    return [Summary("People", total, {"employed": present, "left": total - present} if total else {})]
