"""The lines of `metrics` on the start page and in `certbridge status`: certifications, promotion records, what waits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification.assessment_entries import HANDED_IN
from metrics.certification.assessment_models import Assessment
from metrics.certification.decisions import PROPOSED
from metrics.certification.models import Decision, Holding, Promotion
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
    """Where people stand with their certifications, what the open promotion records were answered; what waits, if any."""
    holdings = select(Holding.status, func.count()).group_by(Holding.status)
    records = select(Promotion.eligibility, func.count()).where(Promotion.closed_at.is_(None))
    certificates = select(func.count()).where(Assessment.state == HANDED_IN)
    proposals = select(func.count()).where(Decision.state == PROPOSED)
    waiting = [
        Summary("Certificates to approve", session.scalar(certificates) or 0, {}, "assessments.listing"),
        Summary("Proposals to decide", session.scalar(proposals) or 0, {}, "decisions.listing"),
    ]
    return [
        _summary("Certifications", session.execute(holdings), STATUSES, "metrics.people"),
        _summary(
            "Promotion records",
            session.execute(records.group_by(Promotion.eligibility)),
            (*ELIGIBILITIES, UNANSWERED),
            "metrics.promotions",
        ),
        *(summary for summary in waiting if summary.count),
    ]


def _summary(title: str, rows: Iterable[Any], order: tuple[str, ...], endpoint: str) -> Summary:
    counts = {part or UNANSWERED: count for part, count in rows}
    known = {part: counts.pop(part) for part in order if part in counts}
    parts = {**known, **counts}
    return Summary(title, sum(parts.values()), parts, endpoint)
