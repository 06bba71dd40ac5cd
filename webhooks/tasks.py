"""What the scheduler and wake-up calls start: fan out, then deliver what is due."""

import logging
from random import SystemRandom

from plugin.installation import Installation
from webhooks import inbound_work
from webhooks.delivery import Courier, Tally, deliver_due
from webhooks.fanout import fan_out
from webhooks.target import kinds

log = logging.getLogger(__name__)

SECONDS = 20.0  # after that the next schedule goes on, so that one run never looks like one that hangs


def courier(installation: Installation) -> Courier:
    """What a delivery run of this installation works with."""
    home = installation
    return Courier(home.store, home.keys, kinds(home), home.settings, home.clock, SystemRandom())


def deliver_now(installation: Installation, seconds: float = SECONDS) -> tuple[int, Tally]:
    """Fan out and deliver for at most about `seconds`; the events fanned out, and what became of the messages."""
    events = fan_out(installation.store, installation.clock())
    return events, deliver_due(courier(installation), seconds)


def deliver(installation: Installation, _argument: str | None) -> None:
    """The task webhooks.deliver."""
    events, tally = deliver_now(installation)
    if events or tally != Tally():
        log.info(
            "Fanned out %d events; messages delivered: %d, to be tried again: %d, given up: %d",
            events, tally.delivered, tally.failed, tally.dead,
        )  # fmt: skip


def work_on_inbound(installation: Installation, _argument: str | None) -> None:
    """The task webhooks.inbound."""
    tally = inbound_work.work(installation)
    if tally != inbound_work.Tally():
        log.info("Inbound events: %d applied, %d held, %d to be tried again", tally.done, tally.held, tally.failed)


TASKS = {"webhooks.deliver": deliver, "webhooks.inbound": work_on_inbound}
