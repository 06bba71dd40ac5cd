"""The task that makes evidence of statements."""

from connectors.xapi.work import work
from plugin.installation import Installation


def work_on_statements(installation: Installation, _argument: str | None = None) -> None:
    """The task connectors.xapi."""
    work(installation)


TASKS = {"connectors.xapi": work_on_statements}
