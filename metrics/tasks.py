"""The Celery tasks of `metrics`."""

from connectors.sync import is_settled
from metrics import reminder_digests, reminders
from metrics.certification.engine import Terms
from metrics.certification.processes import derive_all
from metrics.settings import MetricsSettings
from plugin.installation import Installation
from plugin.moments import Duration


def terms_of(installation: Installation) -> Terms:
    """What deriving depends on in this installation."""
    settings = installation.settings.section("metrics", MetricsSettings)
    return Terms(
        zone=installation.settings.organisation.zone,
        live_within=Duration.parse(settings.live_within),
        public_url=installation.settings.web.public_url,
    )


def derive_now(installation: Installation) -> int:
    """Derive whoever is touched or due, by as many processes as the settings say; the number of events that HR is told."""
    processes = installation.settings.section("metrics", MetricsSettings).derive_processes
    return derive_all(installation.store, installation.clock, terms_of(installation), processes)


def derive(installation: Installation, _argument: str | None = None) -> None:
    """Derive whoever is touched or due, unless a source is just being pulled; afterwards HR is told."""
    with installation.store.read() as session:
        if not is_settled(session, installation.settings.sources, installation.clock()):
            return
    if derive_now(installation):
        installation.wake("events_appended")


def remind(installation: Installation, _argument: str | None = None) -> None:
    """Remind employees, and once a week tell managers, after deriving whoever is touched or due.

    As `derive`, it waits while a source is being pulled: nobody is to be reminded of what they have just renewed.
    """
    with installation.store.read() as session:
        if not is_settled(session, installation.settings.sources, installation.clock()):
            return
    derive(installation)
    reminders.remind(installation)
    reminder_digests.digest(installation)


TASKS = {"metrics.derive": derive, "metrics.remind": remind}
