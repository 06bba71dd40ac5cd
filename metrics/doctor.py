"""What `certbridge doctor` finds about what is derived: reminders that cannot be sent, files that are not what was stored."""

from collections.abc import Iterator

from sqlalchemy import func, select

from metrics.certification import certificates
from metrics.certification.assessment_models import CertificateFile
from metrics.certification.models import Holding
from metrics.reminder_models import Reminder
from metrics.reminder_moments import HELD, remind_before
from metrics.reminders import NO_ADDRESS, defaults
from plugin.findings import ERROR, HINT, OK, WARNING, Finding, tried
from plugin.installation import Installation
from plugin.moments import Duration, add, subtract

LATELY = Duration(days=30)


def doctor(home: Installation) -> Iterator[Finding]:
    """What is found about reminders and the files of certificates."""
    yield from tried("reminders", "", lambda: _reminders(home))
    yield from tried("certificates", "files", lambda: _files(home))


def _reminders(home: Installation) -> Iterator[Finding]:
    now, zone = home.clock(), home.settings.organisation.zone
    with home.store.read() as session:
        durations = [each for before in remind_before(session, defaults(home)).values() for each in before]
        soon = max((add(now, duration, zone) for duration in durations), default=now)
        ending = select(func.count()).where(Holding.valid_until > now, Holding.valid_until <= soon)
        count = session.scalar(ending.where(Holding.status.in_(HELD))) or 0
        unreached = select(func.count(Reminder.person_id.distinct())).where(
            Reminder.outcome == NO_ADDRESS, Reminder.recorded_at > subtract(now, LATELY, zone)
        )
        nowhere = session.scalar(unreached) or 0
    if count and not home.settings.mail.enabled:
        yield Finding(
            WARNING,
            "reminders",
            "",
            f"{count} certifications end soon, and sending mail is switched off",
            "nobody is reminded: reminders are kept, and given up after [mail] hold_days",
            "Name a mail server in [mail] host; docs/mail.md says how",
        )
    if nowhere:
        yield Finding(
            HINT,
            "reminders",
            "",
            f"{nowhere} people could not be reminded within the last 30 days, because no mail address is known of them",
            "they do not hear that a certification ends",
            "Add their addresses where people come from; the page Reminders names them",
        )
    if durations and not nowhere and (home.settings.mail.enabled or not count):
        yield Finding(OK, "reminders", "", f"{count} certifications end within the time of reminders")


def _files(home: Installation) -> Iterator[Finding]:
    with home.store.read() as session:
        count = session.scalar(select(func.count()).select_from(CertificateFile)) or 0
        changed = [str(row.id) for row in certificates.changed(session)]
    if changed:
        yield Finding(
            ERROR,
            "certificates",
            "files",
            f"{len(changed)} of {count} files of certificates are not what was stored, by their checksums: {', '.join(changed)}",
            "nobody can open them, and what they proved cannot be shown",
            "Restore these rows of the table certificate_file from a backup",
        )
    elif count:
        yield Finding(OK, "certificates", "files", f"{count} files of certificates are what was stored")
