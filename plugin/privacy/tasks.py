"""What the scheduler starts: letting go what is kept for too long. `plugin/tasks.py` names it."""

import logging

from plugin.installation import Installation
from plugin.privacy.retention import retain as let_go

log = logging.getLogger(__name__)

ACTOR = "retention"


def retain(installation: Installation, _argument: str | None = None) -> None:
    """The task plugin.retain."""
    for state in let_go(installation, ACTOR):
        if state.gone:
            log.info("Retention: %d of %s, kept for %s, are gone", state.gone, state.kind.name, state.keep)


TASKS = {"plugin.retain": retain}
