"""Changing the key that encrypts what people enter, without losing any of it.

The new key goes first in the key file, the old ones stay behind it, so everything opens at every moment; then what is
stored is encrypted anew, a few rows at a time. Killed anywhere, it is finished by running it again.

An addon names its encrypted columns in its manifest, `"encrypted": ["table.column"]`. One that uses the key file for
something else names a function under `rekey`: it takes the installation, does with the first key what was done with
another one, and returns how often it did so; called again it finds nothing to do.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Table, select, update

from plugin.errors import AddonError, SecretError
from plugin.installation import Installation
from plugin.manifests import complete
from plugin.models import InstalledAddon
from plugin.secrets import KeyRing, add_key, keep_first_key, key_lock
from plugin.store import Base

BATCH = 100


@dataclass(frozen=True)
class Stored:
    """How the values of one encrypted column open: with the first key, with which others, or with none."""

    column: str
    first: int
    others: Counter[int]
    closed: int


@dataclass(frozen=True)
class Rotated:
    """What a rotation did: whether it made a key or finished an earlier one, how many values it encrypted anew."""

    new_key: bool
    renewed: int
    closed: int


def encrypted_columns(home: Installation) -> list[tuple[Table, Column[str]]]:
    """Every column that an installed addon names. Raises AddonError for one that is not there."""
    found = []
    for addon in home.installed:
        for place in addon.manifest.get("encrypted", []):
            table_name, _, column_name = place.partition(".")
            table = Base.metadata.tables.get(table_name)
            if table is None or column_name not in table.c:
                raise AddonError(
                    f"The manifest of {addon.name} names the encrypted column {place}, which is not there; mend it."
                )
            found.append((table, table.c[column_name]))
    return found


def survey(home: Installation, ring: KeyRing) -> list[Stored]:
    """How everything that is stored encrypted opens."""
    return [_surveyed(home, table, column, ring) for table, column in encrypted_columns(home)]


def rotate(home: Installation) -> Rotated:
    """Put a new key first, unless an earlier rotation is unfinished, and do with it all that was done with older ones.

    Raises SecretError, and AddonError when an installed addon has vanished: its secrets cannot be seen.
    """
    _require_all(home)
    with key_lock(home.key_file):
        unfinished = any(stored.others for stored in survey(home, KeyRing.from_file(home.key_file)))
        if not unfinished:
            add_key(home.key_file)
        renewed, closed = _renew_all(home)
    return Rotated(not unfinished, renewed, closed)


def prune(home: Installation) -> int:
    """Take the older keys out of the key file, once nothing needs them; how many they were. Raises as `rotate` does."""
    _require_all(home)
    with key_lock(home.key_file):
        _renew_all(home)
        ring = KeyRing.from_file(home.key_file)
        if any(stored.others for stored in survey(home, ring)):
            raise SecretError("Something was stored with an older key just now; no key was taken out. Try again.")
        older = ring.size - 1
        if older:
            keep_first_key(home.key_file)
    return older


def _renew_all(home: Installation) -> tuple[int, int]:
    """Encrypt anew, and let each addon do what else it has to; how much was renewed, and how much opens with no key."""
    ring = KeyRing.from_file(home.key_file)
    renewed = sum(_renew(home, table, column, ring) for table, column in encrypted_columns(home))
    for rekey in home.provided("rekey", strict=True).values():
        renewed += rekey(home)
    return renewed, sum(stored.closed for stored in survey(home, ring))


def vanished(home: Installation) -> list[str]:
    """The installed addons that are not there any more, or stand on one that is not."""
    with home.store.read() as session:
        names = set(session.scalars(select(InstalledAddon.name)))
    return sorted(names - set(complete(home.addons)))


def _require_all(home: Installation) -> None:
    if gone := vanished(home):
        raise AddonError(
            f"The installed addon {gone[0]} is not there, so the secrets that it keeps cannot be seen; put it back first."
        )


def _surveyed(home: Installation, table: Table, column: Column[str], ring: KeyRing) -> Stored:
    counts = Counter(ring.opened_by(value) for _, value in _values(home, table, column))
    others = Counter({key: count for key, count in counts.items() if key})
    return Stored(f"{table.name}.{column.name}", counts[0], others, counts[None])


def _renew(home: Installation, table: Table, column: Column[str], ring: KeyRing) -> int:
    """Encrypt with the first key what another one encrypted; a value that was changed meanwhile is left alone."""
    renewed = 0
    old = [(key, value) for key, value in _values(home, table, column) if ring.opened_by(value)]
    own = list(table.primary_key.columns)
    for start in range(0, len(old), BATCH):
        with home.store.write() as session:
            for key, value in old[start : start + BATCH]:
                same = [one == part for one, part in zip(own, key, strict=True)]
                newer = update(table).where(*same, column == value).values({column.name: ring.renewed(value)})
                renewed += session.execute(newer).rowcount  # type: ignore[attr-defined]  # an UPDATE has a rowcount
    return renewed


def _values(home: Installation, table: Table, column: Column[str]) -> Iterator[tuple[tuple[object, ...], str]]:
    """The primary key and the value of every row that has one."""
    with home.store.read() as session:
        rows = session.execute(select(*table.primary_key.columns, column).where(column.is_not(None))).all()
    return ((tuple(row[:-1]), row[-1]) for row in rows)
