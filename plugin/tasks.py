"""The Celery tasks of the kernel."""

from plugin import alerts
from plugin.audit import SealingKeys, seal_waiting, sealed_tables
from plugin.audit.verified import verify_and_keep
from plugin.installation import Installation
from plugin.mail import tasks as mail
from plugin.privacy import tasks as privacy


def seal(installation: Installation, argument: str | None = None) -> None:
    """Seal what is new in the audit trail and the other sealed tables, or with the argument `everything` all that waits."""
    keys = SealingKeys.from_file(installation.key_file)
    tables = sealed_tables(installation.installed)
    seal_waiting(installation.store, installation.clock, keys, tables, everything=argument == "everything")


TASKS = {
    "plugin.seal": seal,
    "plugin.verify": verify_and_keep,
    "plugin.alerts": alerts.look,
    **mail.TASKS,
    **privacy.TASKS,
}
