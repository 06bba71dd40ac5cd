"""The lines of `metrics` on the start page and in `certbridge status`: certifications and promotion records."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification.models import Holding, Promotion
from plugin.summaries import Summary

STATUSES = (
    "certified",
    "renewal_due",
    "grace",
    "in_progress",
    "not_started",
    "overdue",
    "expired",
    "revoked",
    "exempt",
)
ELIGIBILITIES = ("eligible", "conditional", "blocked")
UNANSWERED = "not answered yet"


def summaries(session: Session, now: datetime) -> list[Summary]:
    """Where people stand with their certifications, and what the open promotion records were answered."""
    holdings = select(Holding.status, func.count()).group_by(Holding.status)
    records = select(Promotion.eligibility, func.count()).where(Promotion.closed_at.is_(None))
    return [
        _summary("Certifications", session.execute(holdings), STATUSES, "metrics.people"),
        _summary(
            "Promotion records",
            session.execute(records.group_by(Promotion.eligibility)),
            (*ELIGIBILITIES, UNANSWERED),
            "metrics.promotions",
        ),
    ]


def _summary(title: str, rows: Iterable[Any], order: tuple[str, ...], endpoint: str) -> Summary:
    counts = {part or UNANSWERED: count for part, count in rows}
    known = {part: counts.pop(part) for part in order if part in counts}
    parts = {**known, **counts}
    return Summary(title, sum(parts.values()), parts, endpoint)
