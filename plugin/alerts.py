"""Alerts: what fails and has to be mended by somebody, found by a look each minute, told once, and closed by itself.

An addon reports what fails by the function that its manifest names under `alerts`: it takes the installation and yields
what stands badly now, each as a `Trouble`. One that is new opens an alert, one that is reported no more closes it. The
people whom docs/alerts.md names are mailed once for each alert, not again within six hours of the last mail about the
same thing, and no more than twenty alerts an hour; what was not mailed for that reason stands on the pages all the same.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from plugin.errors import reason_of
from plugin.installation import Installation, load_object
from plugin.mail.alerts import queue_alert, recipients
from plugin.models import Alert, AuditVerification, Schedule
from plugin.settings import Settings

log = logging.getLogger(__name__)

FAILURES = 5  # in a row, until a schedule is worth an alert
QUIET = timedelta(hours=6)
MOST_AN_HOUR = 20
KEPT = timedelta(days=180)  # after it was closed
LONGEST_REASON = 1_000  # characters


@dataclass(frozen=True)
class Trouble:
    """One thing that stands badly: `kind` and `name` say which, `since` when it began, `count` how often it failed.

    `path` is the page that shows it, `needs` the right without which nobody sees it. The kinds that pages and mails have
    words for are schedule, source, stream, token, roster, endpoint, disabled, quiet, deliveries and audit. `reason` holds no secret
    and no person.
    """

    kind: str
    name: str
    reason: str
    since: datetime
    path: str
    needs: str
    count: int | None = None


Check = Callable[[Installation], Iterable[Trouble]]


def look(home: Installation, _argument: str | None = None) -> None:
    """The task plugin.alerts: have every addon report, open and close alerts, and tell who is to be told.

    A check that fails leaves its alerts as they are and stops no other.
    """
    reporting = [addon for addon in home.installed if "alerts" in addon.manifest]
    for addon in reporting:
        try:
            check: Check = load_object(addon.manifest["alerts"])
            troubles = list(check(home))
        except Exception as error:
            log.warning("What fails in %s could not be found out: %s", addon.name, reason_of(error))
            log.debug("The check of %s did not end", addon.name, exc_info=True)
            continue
        with home.store.write() as session:
            keep(session, addon.name, troubles, home.clock())
    now = home.clock()
    with home.store.write() as session:
        _close(session, Alert.addon.not_in([addon.name for addon in reporting]), now)
        session.execute(delete(Alert).where(Alert.closed_at < now - KEPT))
        tell(session, home.settings, now)


def keep(session: Session, addon: str, troubles: Iterable[Trouble], now: datetime) -> None:
    """Open an alert for each of the troubles that the addon reports now, or renew it, and close its others."""
    reported = {(trouble.kind, trouble.name[:200]): trouble for trouble in troubles}
    standing = session.scalars(select(Alert).where(Alert.addon == addon, Alert.closed_at.is_(None))).all()
    for alert in standing:
        trouble = reported.pop((alert.kind, alert.name), None)
        if trouble is None:
            alert.closed_at = now
        else:
            alert.reason, alert.count = trouble.reason[:LONGEST_REASON], trouble.count
    for (kind, name), trouble in reported.items():
        session.add(
            Alert(
                addon=addon,
                kind=kind,
                name=name,
                reason=trouble.reason[:LONGEST_REASON],
                count=trouble.count,
                since=trouble.since,
                path=trouble.path,
                needs=trouble.needs,
                opened_at=now,
            )
        )
    session.flush()


def _close(session: Session, which: object, now: datetime) -> None:
    statement = update(Alert).where(Alert.closed_at.is_(None), which).values(closed_at=now)  # type: ignore[arg-type]
    session.execute(statement, execution_options={"synchronize_session": False})


def tell(session: Session, settings: Settings, now: datetime) -> int:
    """Mail the open alerts that nobody has been told of, as far as that is due; how many alerts."""
    to = recipients(session, settings)
    if not to:
        return 0
    recent = select(func.count()).select_from(Alert).where(Alert.told_at > now - timedelta(hours=1))
    left = MOST_AN_HOUR - (session.scalar(recent) or 0)
    query = select(Alert.kind, Alert.name).where(Alert.told_at > now - QUIET)
    told = {(kind, name) for kind, name in session.execute(query)}
    waiting = select(Alert).where(Alert.closed_at.is_(None), Alert.told_at.is_(None)).order_by(Alert.id)
    due = [alert for alert in session.scalars(waiting) if (alert.kind, alert.name) not in told][: max(0, left)]
    for alert in due:
        queue_alert(
            session, settings, alert.kind, alert.name, alert.reason, alert.since, alert.path, now, count=alert.count
        )
        alert.told_at = now
    return len(due)


def open_alerts(session: Session) -> list[Alert]:
    """What stands badly, the newest first."""
    return list(session.scalars(select(Alert).where(Alert.closed_at.is_(None)).order_by(Alert.id.desc())))


def troubles(home: Installation) -> Iterator[Trouble]:
    """What stands badly in the kernel: schedules that fail again and again, and an audit trail that is not whole."""
    with home.store.read() as session:
        failing = session.scalars(select(Schedule).where(Schedule.failures >= FAILURES).order_by(Schedule.name)).all()
        last = session.scalars(select(AuditVerification).order_by(AuditVerification.id.desc()).limit(1)).first()
        began = _broken_since(session) if last is not None and last.found else None
    for schedule in failing:
        yield Trouble(
            "schedule",
            schedule.name,
            schedule.last_error or "",
            schedule.failing_since or home.clock(),
            "/operation",
            "sync.see",
            schedule.failures,
        )
    if last is not None and began is not None:
        first = last.findings[0]
        reason = f"{first['table']} {first['id']}: {first['what']}. {first['why']}"
        yield Trouble("audit", "audit trail", reason, began, "/audit", "audit.see", last.found)


def _broken_since(session: Session) -> datetime | None:
    """When a verification first found something, after the newest that found nothing."""
    sound = select(func.max(AuditVerification.id)).where(AuditVerification.found == 0).scalar_subquery()
    return session.scalar(
        select(func.min(AuditVerification.ended_at)).where(AuditVerification.id > func.coalesce(sound, 0))
    )
