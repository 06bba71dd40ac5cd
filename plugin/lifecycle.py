"""Installing and upgrading addons: dependencies first, each addon in one transaction.

The order within an addon is Odoo's. Install: `pre_init_hook`, tables, data, demo data, schedules, `post_init_hook`.
Upgrade: tables, data, schedules. Uninstalling stands in plugin.uninstall.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import delete, inspect, select
from sqlalchemy.orm import Session

from plugin import schedules
from plugin.audit import record_act
from plugin.data_files import check_files, digest_of, load_files
from plugin.errors import AddonError, StoreError
from plugin.footprint import footprint_of
from plugin.hooks import Env, check_hooks, in_short, run_hook
from plugin.installation import Installation
from plugin.manifests import Addon, check_external, complete, in_order, is_older
from plugin.migrate import pending
from plugin.migrate import upgrade as migrate
from plugin.models import InstalledAddon, Schedule
from plugin.store import hold

KERNEL = "plugin"
LOCK = "addons"  # who installs, upgrades or uninstalls holds it


@dataclass(frozen=True)
class Installed:
    """What `install` did with one addon: `installed`, `upgraded` or `unchanged`, the migrations it ran, what to know."""

    addon: str
    outcome: str
    migrations: list[str]
    notes: list[str] = field(default_factory=list)


def install(
    installation: Installation, wanted: Iterable[str] | None = None, *, demo: bool = False, actor: str | None = None
) -> list[Installed]:
    """Install or upgrade the wanted addons and what they depend on, with demo data if asked for.

    By default these are all that can run: one of somebody else's that lacks what it depends on is left out.

    Each addon's hooks, tables, data, schedules and record are one transaction: it is there whole or not at all. What
    other libraries or programs it needs, its hooks and its files are checked before anything is changed; `actor` is whom
    the audit trail names. Raises DependencyError, AddonError, StoreError.
    """
    names = None if wanted is None else {*wanted}
    for name in sorted(names or ()):
        if name in installation.broken:
            raise AddonError(installation.broken[name])
    addons = in_order(installation.addons, names_that_can_run(installation) if names is None else {KERNEL, *names})
    addons.sort(key=lambda addon: addon.name != KERNEL)  # whatever it depends on, nobody can do without the kernel
    for addon in addons:
        check_external(addon)
        check_hooks(addon)
        check_files(addon)
    done = []
    for addon in addons:
        with installation.store.write() as session:
            try:
                done.append(_install(session, addon, installation, demo, names is None or addon.name in names, actor))
            except (AddonError, StoreError):
                raise
            except Exception as error:  # whatever a migration raises
                raise AddonError(
                    f"The addon {addon.name} was not installed: {in_short(error)}. Nothing of it was changed; mend it and try "
                    "again."
                ) from error
    installation.__dict__.pop("installed", None)
    return done


def names_that_can_run(installation: Installation) -> list[str]:
    """The addons that are there with all that they depend on; those of this program in any case."""
    standing = complete(installation.addons)
    return [name for name, addon in installation.addons.items() if name in standing or addon.is_own]


def upgrade(
    installation: Installation, wanted: Iterable[str] | None = None, *, actor: str | None = None
) -> list[Installed]:
    """Upgrade the wanted addons (all that are installed and can run by default) and what they depend on.

    Raises AddonError for one that is not installed, and as `install` does.
    """
    if not is_set_up(installation):
        raise StoreError("The store is empty; run 'certbridge addons install' first.")
    with installation.store.read() as session:
        names = set(session.scalars(select(InstalledAddon.name)))
    chosen = sorted(names & complete(installation.addons).keys()) if wanted is None else list(wanted)
    for name in chosen:
        if name not in names:
            raise AddonError(f"The addon {name} is not installed; run 'certbridge addons install {name}'.")
    return install(installation, chosen, actor=actor)


def _install(
    session: Session, addon: Addon, installation: Installation, demo: bool, wanted: bool, actor: str | None
) -> Installed:
    hold(session, LOCK)
    now = installation.clock()
    connection = session.connection()
    before = set(inspect(connection).get_table_names())
    version = None
    if InstalledAddon.__tablename__ in before:  # it is not in the very first install
        version = session.scalar(select(InstalledAddon.version).where(InstalledAddon.name == addon.name))
    if version is not None and is_older(addon.version, than=version):
        raise AddonError(
            f"The addon {addon.name} is installed at version {version}, and its manifest says version {addon.version}: there "
            "is no going back. Put the newer one back, or restore the backup that belongs to this one."
        )
    env = Env(session, now, installation.settings)
    if version is None:
        run_hook(addon, "pre_init_hook", env)
    migrations = migrate(connection, addon)
    made = set(inspect(connection).get_table_names()) - before

    record = session.get(InstalledAddon, addon.name)
    old = (record.footprint if record else None) or {}
    with_demo = bool(old.get("demo")) or (demo and (wanted or record is None))
    digest = digest_of(addon, demo=with_demo)
    changed = record is None or bool(migrations) or record.version != addon.version or (record.digest or "") != digest
    notes = []
    if changed:
        installed = session.scalars(select(InstalledAddon.name)).all()
        kept = load_files(session, addon, installation.addons, installed, now, demo=with_demo)
        notes = sorted(str(each) for each in kept)
    _ensure_schedules(session, addon, installation, old.get("schedules", []))

    footprint = footprint_of(installation, addon, connection, {*old.get("tables", []), *made}, demo=with_demo)
    if record is None:
        outcome = "installed"
        record = InstalledAddon(name=addon.name, version=addon.version, installed_at=now)
        session.add(record)
    elif changed:
        outcome = "upgraded"
        record.version, record.upgraded_at = addon.version, now
    else:
        outcome = "unchanged"
    record.digest = digest
    if record.footprint != footprint:
        record.footprint = footprint
    session.flush()
    if outcome == "installed":
        run_hook(addon, "post_init_hook", env)
    if actor is not None and changed:
        action = "addon.install" if version is None else "addon.upgrade"
        said = {"version": version} if version else None
        record_act(session, actor, action, f"addon:{addon.name}", now, before=said, after={"version": addon.version})
    return Installed(addon.name, outcome, migrations, notes)


def _ensure_schedules(session: Session, addon: Addon, installation: Installation, before: Iterable[str]) -> None:
    """Make or change the addon's schedules, and take out those that it had `before`."""
    named = addon.manifest.get("schedules", {})
    for name, schedule in named.items():
        schedules.ensure(
            session, name, schedule["task"], schedule.get("argument"), schedule["every"], installation.clock()
        )
    gone = sorted(set(before) - named.keys())
    if gone:
        session.execute(delete(Schedule).where(Schedule.name.in_(gone)))


def is_set_up(installation: Installation) -> bool:
    """Whether anything has been installed into the store yet."""
    with installation.store.read() as session:
        return inspect(session.connection()).has_table(InstalledAddon.__tablename__)


def lagging(installation: Installation) -> list[str]:
    """The installed addons whose tables lag behind the program: 'certbridge addons upgrade' upgrades them."""
    if not is_set_up(installation):
        return []
    installed = installation.installed
    with installation.store.read() as session:
        return [addon.name for addon in installed if pending(session.connection(), addon)]
