"""How the addons stand, for `certbridge addons list`: installed, to be upgraded, vanished, or unable to run and why."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from plugin.data_files import digest_of
from plugin.errors import AddonError, DependencyError
from plugin.installation import Installation
from plugin.lifecycle import is_set_up
from plugin.manifests import Addon, check_external, complete, in_order, is_older
from plugin.migrate import pending
from plugin.models import InstalledAddon

INSTALLED = "installed"
NOT_INSTALLED = "not installed"
TO_UPGRADE = "to upgrade"
VANISHED = "vanished"
CANNOT_RUN = "cannot run"


@dataclass(frozen=True)
class AddonState:
    """One addon: the versions that are installed and that are there to install, its state, and why it cannot run."""

    name: str
    state: str
    installed: str | None
    available: str | None
    summary: str
    reason: str = ""


def addon_states(installation: Installation) -> list[AddonState]:
    """Every addon that is there or was installed: those that can run in the order of dependencies, then the others."""
    records: dict[str, tuple[str, str, bool]] = {}
    if is_set_up(installation):
        records = _records(installation)
    standing = complete(installation.addons)
    for addon in standing.values():
        if not addon.is_own:
            for room in ("tasks", "commands", "controllers"):
                installation.room(addon, room)  # what cannot be imported is in `broken` afterwards
    found = []
    with installation.store.read() as session:
        for addon in in_order(standing):
            found.append(_standing(installation, addon, records.get(addon.name), session.connection()))
    for name in sorted(installation.addons.keys() - standing.keys()):
        addon = installation.addons[name]
        found.append(_cannot(addon, records.get(name), _lacks(installation, addon)))
    for name in sorted({*records, *installation.broken} - installation.addons.keys()):
        version = records[name][0] if name in records else None
        reason = installation.broken.get(name, "its folder is not there any more")
        state = CANNOT_RUN if name in installation.broken else VANISHED
        found.append(AddonState(name, state, version, None, "", reason))
    return found


def _records(installation: Installation) -> dict[str, tuple[str, str, bool]]:
    """Version, digest of the data files and whether demo data was asked for; tables of an earlier version know less."""
    with installation.store.read() as session:
        if pending(session.connection(), installation.addons["plugin"]):
            query = select(InstalledAddon.name, InstalledAddon.version)
            return {name: (version, "", False) for name, version in session.execute(query)}
        return {
            record.name: (record.version, record.digest or "", bool((record.footprint or {}).get("demo")))
            for record in session.scalars(select(InstalledAddon))
        }


def _standing(
    installation: Installation, addon: Addon, record: tuple[str, str, bool] | None, connection: Connection
) -> AddonState:
    try:
        if addon.name in installation.broken:
            raise AddonError(installation.broken[addon.name])
        check_external(addon)
        if record is None:
            return AddonState(addon.name, NOT_INSTALLED, None, addon.version, _summary(addon))
        version, digest, demo = record
        if is_older(addon.version, than=version):
            raise AddonError(f"its folder holds version {addon.version}, which is older than what is installed")
        lags = version != addon.version or digest != digest_of(addon, demo=demo) or pending(connection, addon)
    except AddonError as error:
        return _cannot(addon, record, str(error))
    except Exception as error:  # a migration of somebody else's that cannot be read
        if addon.is_own:
            raise
        return _cannot(addon, record, f"its migrations cannot be read: {type(error).__name__}: {error}")
    return AddonState(addon.name, TO_UPGRADE if lags else INSTALLED, version, addon.version, _summary(addon))


def _cannot(addon: Addon, record: tuple[str, str, bool] | None, reason: str) -> AddonState:
    return AddonState(addon.name, CANNOT_RUN, record[0] if record else None, addon.version, _summary(addon), reason)


def _summary(addon: Addon) -> str:
    return str(addon.manifest.get("summary", ""))


def _lacks(installation: Installation, addon: Addon) -> str:
    """Why the addon cannot run, though it is there."""
    for other in addon.depends:
        if other in installation.broken:
            return f"it needs {other}, which is broken"
    try:
        in_order(installation.addons, [addon.name])
    except DependencyError as error:
        return f"it needs {', '.join(other for other in addon.depends if other not in complete(installation.addons))}: {error}"
    return "something that it needs cannot run"
