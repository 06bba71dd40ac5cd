"""Installing and upgrading addons: dependencies first, each addon in one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from plugin import schedules
from plugin.errors import AddonError
from plugin.installation import Installation
from plugin.manifests import Addon, check_external, in_order
from plugin.migrate import pending, upgrade
from plugin.models import InstalledAddon


@dataclass(frozen=True)
class Installed:
    """What `install` did with one addon: `installed`, `upgraded` or `unchanged`, and the migrations it ran."""

    addon: str
    outcome: str
    migrations: list[str]


def install(installation: Installation, wanted: Iterable[str] | None = None) -> list[Installed]:
    """Install or upgrade the wanted addons (all by default) and what they depend on.

    Each addon's tables, schedules and record are one transaction: it is there whole or not at all. What other
    libraries or programs it needs is checked before anything is changed. Raises DependencyError, AddonError.
    """
    addons = in_order(installation.addons, wanted)
    for addon in addons:
        check_external(addon)
    done = []
    for addon in addons:
        with installation.store.write() as session:
            try:
                done.append(_install(session, addon, installation))
            except (ValueError, SQLAlchemyError) as error:
                reason = error.orig if isinstance(error, DBAPIError) else error
                raise AddonError(
                    f"The addon {addon.name} was not installed: {reason}. Nothing of it was changed."
                ) from error
    installation.__dict__.pop("installed", None)
    return done


def _install(session: Session, addon: Addon, installation: Installation) -> Installed:
    now = installation.clock()
    migrations = upgrade(session.connection(), addon)
    record = session.get(InstalledAddon, addon.name)
    if record is None:
        outcome = "installed"
        session.add(InstalledAddon(name=addon.name, version=addon.version, installed_at=now))
    elif migrations or record.version != addon.version:
        outcome = "upgraded"
        record.version, record.upgraded_at = addon.version, now
    else:
        outcome = "unchanged"
    for name, schedule in addon.manifest.get("schedules", {}).items():
        schedules.ensure(session, name, schedule["task"], schedule.get("argument"), schedule["every"], now)
    return Installed(addon.name, outcome, migrations)


def is_set_up(installation: Installation) -> bool:
    """Whether anything has been installed into the store yet."""
    with installation.store.read() as session:
        return inspect(session.connection()).has_table(InstalledAddon.__tablename__)


def lagging(installation: Installation) -> list[str]:
    """The installed addons whose tables lag behind the program: 'certbridge addons install' upgrades them."""
    if not is_set_up(installation):
        return []
    installed = installation.installed
    with installation.store.read() as session:
        return [addon.name for addon in installed if pending(session.connection(), addon)]
