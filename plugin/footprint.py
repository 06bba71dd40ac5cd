"""What an addon leaves in the store, as its record keeps it: so that it can be taken out when its folder is gone.

tables          its tables: those that its migrations made, and those of its models
version_table   where its migrations are counted
keeps           those of its tables whose rows outlive an uninstall; sealed ones are always among them
schedules       the names of its schedules
tasks           the names of its tasks, of which others may have made schedules
depends         what it stands on
demo            whether its demo data was asked for
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, inspect

from plugin.installation import Installation
from plugin.manifests import Addon
from plugin.migrate import tables_of, version_table

Footprint = dict[str, Any]


def footprint_of(
    installation: Installation, addon: Addon, connection: Connection, more: Iterable[str] = (), *, demo: bool = False
) -> Footprint:
    """The addon's footprint; `more` are tables that no model declares."""
    there = set(inspect(connection).get_table_names())
    tables = {*tables_of(addon, installation.addons), *more} & there
    own = version_table(addon)
    return {
        "tables": sorted(tables - {own}),
        "version_table": own if own in there else None,
        "keeps": sorted({*addon.manifest.get("keeps", []), *addon.manifest.get("sealed", {})}),
        "schedules": sorted(addon.manifest.get("schedules", {})),
        "tasks": sorted(getattr(installation.room(addon, "tasks"), "TASKS", {})),
        "depends": list(addon.depends),
        "demo": demo,
    }
