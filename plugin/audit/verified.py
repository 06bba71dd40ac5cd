"""Verifying once a day, and keeping what was found: a long chain is not verified while somebody waits for a page."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from plugin.audit.keys import SealingKeys
from plugin.audit.tables import sealed_tables
from plugin.audit.verification import Report, verify
from plugin.errors import NotFoundError
from plugin.installation import Installation
from plugin.models import AuditVerification, Schedule

SCHEDULE = "plugin.verify"
SHOWN = 100  # findings that are kept of one verification
KEPT = timedelta(days=400)


def verify_and_keep(home: Installation, _argument: str | None = None) -> None:
    """The task plugin.verify: verify every sealed table and keep the result."""
    began = home.clock()
    report = verify(home.store, sealed_tables(home.installed), SealingKeys.from_file(home.key_file))
    with home.store.write() as session:
        keep(session, report, began, home.clock())


def keep(session: Session, report: Report, began: datetime, ended: datetime) -> None:
    """Store what a verification found; what was found more than a year ago goes."""
    findings = [
        {"table": finding.table, "id": str(finding.id), "what": finding.what, "why": finding.why}
        for finding in report.findings[:SHOWN]
    ]
    session.add(
        AuditVerification(
            began_at=began,
            ended_at=ended,
            seals=sum(chain.seals for chain in report.chains),
            entries=sum(chain.entries for chain in report.chains),
            waiting=sum(chain.waiting for chain in report.chains),
            found=len(report.findings),
            findings=findings,
        )
    )
    session.flush()
    session.execute(delete(AuditVerification).where(AuditVerification.ended_at < ended - KEPT))


def last(session: Session) -> AuditVerification | None:
    """The newest verification; None when there was none yet."""
    return session.scalars(select(AuditVerification).order_by(AuditVerification.id.desc()).limit(1)).first()


def is_due(session: Session, now: datetime) -> bool:
    """Whether a worker verifies now, or will within moments."""
    schedule = session.get(Schedule, SCHEDULE)
    return schedule is not None and schedule.due_at <= now and not schedule.failures


def verify_soon(session: Session, now: datetime) -> None:
    """Make the verification due, so that a worker does it within moments. Raises NotFoundError."""
    statement = update(Schedule).where(Schedule.name == SCHEDULE).values(due_at=now).returning(Schedule.name)
    if not session.scalars(statement, execution_options={"synchronize_session": False}).all():
        raise NotFoundError(f"There is no schedule {SCHEDULE}; run 'certbridge addons install' to create it.")
