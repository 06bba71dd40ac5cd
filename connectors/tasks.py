"""The Celery tasks of the connectors."""

from connectors.sources import connector_of
from connectors.sync import SYNC, sync
from plugin.installation import Installation


def sync_source(installation: Installation, source: str | None) -> None:
    """Pull one source; afterwards the people it touched are derived."""
    if source is None or source not in installation.settings.sources:
        return  # the schedule of a source that has been taken out of config.toml
    connector = connector_of(installation, source)
    try:
        sync(installation.store, connector, installation.clock, installation.settings.organisation.zone)
    finally:
        connector.close()
    installation.wake("people_touched")


TASKS = {SYNC: sync_source}
