"""The Celery tasks of the connectors."""

import logging

from connectors.pulls import Wanted
from connectors.runs import FAILED, given_notice, is_due
from connectors.sources import connector_of, schedule_name
from connectors.sync import SYNC, SyncResult, sync
from plugin import schedules
from plugin.errors import LeaseHeldError, NotFoundError, SourceUnavailableError
from plugin.installation import Installation

log = logging.getLogger(__name__)

NOTICES = "connectors.notices"
AT_MOST = 20  # pulls of changes after a whole one; a source that never falls silent is looked at again by its notices


def sync_source(installation: Installation, source: str | None) -> None:
    """Pull one source, then what it gave notice of meanwhile; afterwards the people it touched are derived."""
    if source is None or source not in installation.settings.sources:
        return  # the schedule of a source that has been taken out of config.toml
    _pull(installation, source, Wanted(compare_at=installation.settings.sources[source].compare_at))
    _pull_changes(installation, source)


def work_on_notices(installation: Installation, _argument: str | None = None) -> None:
    """Pull what sources gave notice of, from each whose whole pull is neither due nor being done.

    Raises SourceUnavailableError when a source could not be read, so that its notices wait and are looked at again.
    """
    failures = []
    now = installation.clock()
    with installation.store.read() as session:
        sources = given_notice(session, now) & {*installation.settings.sources}
        sources = {source for source in sources if not is_due(session, schedule_name(source), now)}
    for source in sorted(sources):
        try:
            with schedules.lease(installation.store, schedule_name(source), installation.clock, beside=True):
                failures += _pull_changes(installation, source)
        except (LeaseHeldError, NotFoundError) as error:  # a pull is under way, and looks for notices at its end
            log.debug("%s", error)
    if failures:
        raise SourceUnavailableError("\n".join(failures))


def _pull_changes(installation: Installation, source: str) -> list[str]:
    """Pull changes for as long as the source gives notice of more; what went wrong."""
    for _ in range(AT_MOST):
        with installation.store.read() as session:
            if source not in given_notice(session, installation.clock()):
                return []
        result = _pull(installation, source, Wanted(changes_only=True))
        if result.status == FAILED:
            return result.messages
    return []


def _pull(installation: Installation, source: str, wanted: Wanted) -> SyncResult:
    connector = connector_of(installation, source)
    try:
        return sync(
            installation.store,
            connector,
            installation.clock,
            installation.settings.organisation.zone,
            wanted=wanted,
        )
    finally:
        connector.close()
        installation.wake("people_touched")


TASKS = {SYNC: sync_source, NOTICES: work_on_notices}
