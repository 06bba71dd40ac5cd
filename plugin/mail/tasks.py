"""What the scheduler starts: sending what is due, and forgetting what is old. `plugin/tasks.py` names them."""

import logging
from datetime import timedelta

from plugin.installation import Installation
from plugin.mail import keeping
from plugin.mail.sending import SCHEDULE, PostOffice, Tally, send_due

log = logging.getLogger(__name__)

FORGET = "plugin.forget_mail"


def send_mail(installation: Installation, _argument: str | None) -> None:
    """The task plugin.mail, under the lease of its schedule."""
    with installation.store.read() as session:
        if not keeping.anything_to_do(session, installation.clock()):
            return  # without reading templates and catalogues every ten seconds
    tally = send_due(PostOffice.of(installation))
    if tally != Tally():
        log.info(
            "Mails sent: %d, to be tried again: %d, not sent: %d, unknown: %d",
            tally.sent, tally.again, tally.ended, tally.unknown,
        )  # fmt: skip


def forget_mail(installation: Installation, _argument: str | None) -> None:
    """The task plugin.forget_mail: keep no address and no content for longer than `[mail] keep_days`."""
    now = installation.clock()
    with installation.store.write() as session:
        keeping.forget(session, now - timedelta(days=installation.settings.mail.keep_days), now)


TASKS = {SCHEDULE: send_mail, FORGET: forget_mail}
