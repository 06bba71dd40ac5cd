"""Which tables are sealed: each addon names its own in its manifest, under `sealed`.

    "sealed": {"audit_entry": ["subject", "reason", "before", "after"]}

A sealed table is append-only. It has a whole number `id`, a moment `at` at which the row was written, and, where its
rows are about persons, a `person_id`. The columns named are what forgetting a person blanks. Columns added later must
be nullable: an empty column is no part of a row's digest, so that older digests stay as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, String, Table

from plugin.errors import AddonError
from plugin.manifests import Addon
from plugin.store import Base

ERASED = "erased"  # stands in a text column that must not be empty
INSTALLATION = 0  # in place of a person's id: the row is about nobody


@dataclass(frozen=True)
class SealedTable:
    """A table whose rows are sealed, and the columns that hold what is known about a person."""

    table: Table
    personal: tuple[str, ...]

    @property
    def name(self) -> str:
        """The table's name, which is its chain's name too."""
        return self.table.name

    @property
    def is_about_persons(self) -> bool:
        """Whether rows say whom they are about."""
        return "person_id" in self.table.c

    def person_of(self, row: dict[str, Any]) -> int:
        """Whose salt the row's digest takes."""
        return row.get("person_id") or INSTALLATION

    def blank(self) -> dict[str, Any]:
        """The values that forgetting a person leaves in the personal columns."""
        return {name: None if self.table.c[name].nullable else ERASED for name in self.personal}


def sealed_tables(addons: Iterable[Addon]) -> list[SealedTable]:
    """The sealed tables of `addons`, by name. Raises AddonError for one that is not there or not made for it."""
    named = {name: (addon, columns) for addon in addons for name, columns in addon.manifest.get("sealed", {}).items()}
    return [_checked(addon, name, tuple(columns)) for name, (addon, columns) in sorted(named.items())]


def _checked(addon: Addon, name: str, personal: tuple[str, ...]) -> SealedTable:
    table = Base.metadata.tables.get(name)
    if table is None:
        raise AddonError(f"The addon {addon.name} seals the table {name}, which no model declares; mend its manifest.")
    lacking = [column for column in ("id", "at", *personal) if column not in table.c]
    if lacking:
        raise AddonError(
            f"The addon {addon.name} seals the table {name}, which has no column {lacking[0]}; mend one of them."
        )
    if not isinstance(table.c["id"].type, Integer):
        raise AddonError(
            f"The addon {addon.name} seals the table {name}, whose id is no whole number; it cannot be sealed."
        )
    for column in personal:
        if not table.c[column].nullable and not isinstance(table.c[column].type, String):
            raise AddonError(
                f"The addon {addon.name} cannot blank {name}.{column}: it is neither text nor nullable; make it one of them."
            )
    return SealedTable(table, personal)
