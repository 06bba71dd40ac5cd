"""Uninstalling addons: saying first what goes, then taking it out in one transaction, dependants first.

An addon that `keeps` tables leaves the structure of all of its own and where its migrations stand, so that installing
it again goes on from there; the rows of the other tables go. What every addon brought into the tables of others goes
unless something refers to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import MetaData, Table, delete, func, inspect, or_, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.schema import DropTable

from plugin import people
from plugin.audit import record_act
from plugin.errors import AddonError, StoreError
from plugin.footprint import Footprint, footprint_of
from plugin.hooks import Env, check_hooks, in_short, run_hook
from plugin.installation import Installation
from plugin.lifecycle import KERNEL, LOCK, is_set_up
from plugin.loaded_records import Reference, references, remove_records
from plugin.manifests import Addon, complete
from plugin.models import InstalledAddon, LoadedRecord, Schedule
from plugin.store import hold


@dataclass(frozen=True)
class Removal:
    """What uninstalling one addon takes out, tables with their numbers of rows.

    `addon` is None when its code is gone or cannot run: then its hook is not called. `loaded` are the records that its
    data files brought into the tables of others, `stays` the whole files that others have made something of.
    """

    name: str
    version: str
    addon: Addon | None = field(repr=False)
    footprint: Footprint = field(repr=False)
    dropped: dict[str, int]
    emptied: dict[str, int]
    kept: dict[str, int]
    loaded: dict[str, int]
    stays: list[str]
    schedules: list[str]
    settings: list[str]

    @property
    def hook(self) -> str | None:
        """The function that is called first."""
        return self.addon.manifest.get("uninstall_hook") if self.addon else None


def plan(installation: Installation, name: str, *, with_dependants: bool = False) -> list[Removal]:
    """What uninstalling the addon takes out, its dependants first. Raises AddonError, StoreError."""
    if not is_set_up(installation):
        raise StoreError("The store is empty; run 'certbridge addons install' first.")
    with installation.store.read() as session:
        return _plan(session, installation, name, with_dependants)


def uninstall(
    installation: Installation, name: str, actor: str, *, with_dependants: bool = False
) -> tuple[list[Removal], list[str]]:
    """Uninstall the addon; what was taken out, and what stayed although it was to go. Raises AddonError, StoreError.

    All of it is one transaction, with the addons that depend on it.
    """
    stayed: list[str] = []
    with installation.store.write() as session:
        hold(session, LOCK)
        removals = _plan(session, installation, name, with_dependants)
        _check_references(session, removals)
        for removal in removals:
            try:
                stayed += _take_out(session, installation, removal, actor)
            except SQLAlchemyError as error:
                raise AddonError(
                    f"The addon {removal.name} was not uninstalled: {in_short(error)}. Nothing was changed."
                ) from error
        people.touch_all(session)
    installation.__dict__.pop("installed", None)
    return removals, stayed


def _plan(session: Session, installation: Installation, name: str, with_dependants: bool) -> list[Removal]:
    if name == KERNEL:
        raise AddonError("The addon plugin is the kernel: without it there is nothing. It cannot be uninstalled.")
    records = {record.name: record for record in session.scalars(select(InstalledAddon))}
    if name not in records:
        raise AddonError(f"The addon {name} is not installed; 'certbridge addons list' shows what is.")
    prints = {each: _footprint(session, installation, records[each]) for each in records}
    names = _with_dependants(name, prints)
    if len(names) > 1 and not with_dependants:
        raise AddonError(
            f"The addon {name} cannot be uninstalled: {', '.join(sorted(names[:-1]))} depend on it ('depends'). Uninstall "
            "those first, or all of them with --with-dependants."
        )
    return [_removal(session, installation, records[each], prints[each]) for each in names]


def _footprint(session: Session, installation: Installation, record: InstalledAddon) -> Footprint:
    addon = complete(installation.addons).get(record.name)
    if addon is None and record.footprint is None:
        raise AddonError(
            f"What the addon {record.name} left in the store is not known, for it has not been upgraded since it is written "
            "down. Put its folder back and run 'certbridge addons upgrade', then uninstall it."
        )
    old = record.footprint or {}
    if addon is None:
        return old
    return footprint_of(installation, addon, session.connection(), old.get("tables", []), demo=bool(old.get("demo")))


def _with_dependants(name: str, prints: Mapping[str, Footprint]) -> list[str]:
    """The addon and all that depend on it, those that depend on another one before it."""
    names = {name}
    while more := {other for other in prints if not names.isdisjoint(prints[other]["depends"])} - names:
        names |= more
    order: list[str] = []
    while left := sorted(names - {*order}):
        free = [one for one in left if not any(one in prints[other]["depends"] for other in left if other != one)]
        order += free or left  # those of a circle in any order
    return order


def _removal(session: Session, installation: Installation, record: InstalledAddon, footprint: Footprint) -> Removal:
    addon = complete(installation.addons).get(record.name)
    there = set(inspect(session.connection()).get_table_names())
    counts = {name: _count(session, name) for name in footprint["tables"] if name in there}
    kept = {name: count for name, count in counts.items() if name in footprint["keeps"]}
    others = {name: count for name, count in counts.items() if name not in kept}
    loaded: dict[str, int] = {}
    stays = []
    for one in session.scalars(
        select(LoadedRecord).where(LoadedRecord.addon == record.name).order_by(LoadedRecord.name)
    ):
        if not one.row_key:
            stays.append(f"{one.table_name} ({one.name})")
        elif one.table_name not in counts:
            loaded[one.table_name] = loaded.get(one.table_name, 0) + 1
    whose = or_(Schedule.name.in_(footprint["schedules"]), Schedule.task.in_(footprint["tasks"]))
    return Removal(
        record.name,
        record.version,
        addon,
        footprint,
        dropped={} if kept else others,
        emptied=others if kept else {},
        kept=kept,
        loaded=loaded,
        stays=stays,
        schedules=list(session.scalars(select(Schedule.name).where(whose).order_by(Schedule.name))),
        settings=_settings(installation, record.name),
    )


def _count(session: Session, name: str) -> int:
    return session.scalar(select(func.count()).select_from(table(name))) or 0


def _settings(installation: Installation, name: str) -> list[str]:
    """What config.toml goes on saying about the addon; nobody but its owner writes there."""
    settings = installation.settings
    own = [f"[{name}]"] if name in (settings.model_extra or {}) else []
    return own + [f"[sources.{source}]" for source, one in settings.sources.items() if one.connector == name]


def _check_references(session: Session, removals: Iterable[Removal]) -> None:
    """Refuse when a table that stays refers to one that is to be dropped."""
    dropped = {name: removal.name for removal in removals for name in removal.dropped}
    for name, found in references(session.connection()).items():
        for reference in found:
            if name in dropped and reference.child not in dropped:
                raise AddonError(
                    f"The addon {dropped[name]} cannot be uninstalled: the table {reference.child}, which stays, refers to "
                    f"its table {name}. Name {name} under 'keeps' in its manifest, or drop {reference.child}."
                )


def _children_first(names: Iterable[str], referring: Mapping[str, list[Reference]]) -> list[str]:
    """The tables, each after those of them that refer to it; those of a circle in any order."""
    order: list[str] = []
    left = sorted(names)
    while left:
        held = {name for name in left for one in referring.get(name, []) if one.child in left and one.child != name}
        order += [name for name in left if name not in held] or left
        left = [name for name in left if name not in order]
    return order


def _take_out(session: Session, installation: Installation, removal: Removal, actor: str) -> list[str]:
    """Take one addon out; what stayed although it was to go."""
    now = installation.clock()
    if removal.addon is not None:
        check_hooks(removal.addon)
        run_hook(removal.addon, "uninstall_hook", Env(session, now, installation.settings))
    connection = session.connection()
    for name in _children_first([*removal.dropped, *removal.emptied], references(connection)):
        session.execute(DropTable(Table(name, MetaData())) if name in removal.dropped else delete(table(name)))
    version_table = removal.footprint["version_table"]
    if version_table is not None and not removal.kept:
        session.execute(DropTable(Table(version_table, MetaData())))
    records = session.scalars(select(LoadedRecord).where(LoadedRecord.addon == removal.name)).all()
    gone = [record for record in records if record.table_name not in removal.kept]
    stayed = remove_records(session, removal.name, gone)
    if removal.schedules:
        session.execute(delete(Schedule).where(Schedule.name.in_(removal.schedules)))
    session.execute(delete(InstalledAddon).where(InstalledAddon.name == removal.name))
    before: dict[str, Any] = {
        "version": removal.version,
        "dropped": removal.dropped,
        "emptied": removal.emptied,
        "kept": removal.kept,
        "loaded": removal.loaded,
    }
    record_act(session, actor, "addon.uninstall", f"addon:{removal.name}", now, before=before)
    return sorted(str(each) for each in stayed)
