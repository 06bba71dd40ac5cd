"""The connectors' lines of `certbridge status`."""

from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from connectors.models import Completion, Course, Enrolment, Quarantined, Result
from plugin.summaries import Summary


def summaries(session: Session, now: datetime) -> list[Summary]:
    """Courses, enrolments, completions and results; and what waits in quarantine."""
    lines = []
    for title, model in (
        ("Courses", Course),
        ("Enrolments", Enrolment),
        ("Completions", Completion),
        ("Results", Result),
    ):
        closed = func.sum(case((model.closed_at.is_not(None), 1), else_=0))
        total, gone = session.execute(select(func.count(), closed).select_from(model)).one()
        lines.append(Summary(title, total, {"closed": int(gone)} if gone else {}, "connectors.sync"))
    waiting = session.execute(
        select(Quarantined.source, func.count()).where(Quarantined.resolved_at.is_(None)).group_by(Quarantined.source)
    )
    parts = dict(waiting.all())
    lines.append(Summary("In quarantine", sum(parts.values()), parts, "connectors.quarantine"))
    return lines
