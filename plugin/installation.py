"""One installation: its settings, its addons, its store and its keys, opened together.

Everything above the functions (command, web, worker) holds an `Installation` and hands its parts down.
"""

import importlib
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.exc import SQLAlchemyError

from plugin.errors import AddonError, StoreError
from plugin.manifests import OWN, Addon, complete, discover, entry_point_packages, in_order
from plugin.migrate import load_models
from plugin.models import InstalledAddon
from plugin.secrets import KeyRing
from plugin.settings import Settings, load_settings
from plugin.store import Store

log = logging.getLogger(__name__)

PACKAGES = OWN


def utc_now() -> datetime:
    """The machine's clock: called by the command, the web and the worker, and by nothing below them."""
    return datetime.now(UTC)


def sleep_on(_topic: str) -> None:
    """Wake nobody: what has to be done next stands in the store, and the next schedule finds it."""


@dataclass
class Installation:
    """Settings, addons, store, keys and clock of one installation; `broken` says which addons were left out, and why.

    `wake` tells the workers, where there are any, that there is something to look at: a topic such as
    `people_touched`, which the manifests of the addons that care name under `wakes`.
    """

    settings: Settings
    addons: dict[str, Addon] = field(repr=False)
    store: Store
    clock: Callable[[], datetime] = utc_now
    wake: Callable[[str], None] = sleep_on
    broken: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, config: Path, clock: Callable[[], datetime] = utc_now) -> "Installation":
        """Read `config`, find the addons, connect to the store. Raises SettingsError, AddonError, StoreError.

        A folder of [addons] path that is not there, and broken addons of others, are told in `broken`.
        """
        settings = load_settings(config)
        broken: dict[str, str] = {}
        roots = []
        for root in (settings.folder / path for path in settings.addons.path):
            if not root.is_dir():
                broken[str(root)] = f"[addons] path: {root} is not a folder; create it or take it out."
                continue
            roots.append(root)
            if str(root) not in sys.path:
                sys.path.append(str(root))
        addons = discover(roots, [*PACKAGES, *entry_point_packages()], broken)
        load_models(addons, broken)
        addons = {name: addon for name, addon in addons.items() if name not in broken}
        store = Store(_located(settings))
        known = {*addons, *broken}
        if set(settings.model_extra or {}) - known:
            known |= _recorded(store)  # the table of an addon that has vanished may stay
        return cls(load_settings(config, addons=tuple(known)), addons, store, clock, broken=broken)

    @cached_property
    def keys(self) -> KeyRing:
        """The keys that encrypt what people enter. Raises SecretError."""
        return KeyRing.from_file(self.key_file)

    @property
    def key_file(self) -> Path:
        """The key file's place."""
        return self.settings.folder / self.settings.secrets.key_file

    @cached_property
    def installed(self) -> list[Addon]:
        """The installed addons whose folders are there, each after its dependencies.

        One whose folder has vanished is reported in the log, with those that need it and those that are broken, and stops
        nothing else. Raises StoreError when nothing is installed yet.
        """
        with self.store.read() as session:
            if not inspect(session.connection()).has_table(InstalledAddon.__tablename__):
                raise StoreError("The store is empty; run 'certbridge addons install' first.")
            names = set(session.scalars(select(InstalledAddon.name)))
        standing = complete(self.addons)
        for reason in self.broken.values():
            log.warning("%s It is left out.", reason)
        for name in sorted(names - {*standing, *self.broken}):
            log.warning(
                "The installed addon %s cannot run: it needs one that is not there; put that one back."
                if name in self.addons
                else "The installed addon %s has vanished: its folder is not there any more; put it back, or take out what it "
                "left with 'certbridge addons uninstall'.",
                name,
            )
        return [addon for addon in in_order(standing) if addon.name in names]

    def room(self, addon: Addon, name: str) -> Any:
        """The addon's module of this name (`commands`, `controllers`, `tasks` …), or None when it has no such room.

        One of somebody else's addon that cannot be imported is reported in the log and in `broken`, and left out.
        """
        if (addon.path / f"{name}.py").is_file() or (addon.path / name / "__init__.py").is_file():
            try:
                return importlib.import_module(f"{addon.name}.{name}")
            except Exception as error:
                if addon.is_own:
                    raise
                self.leave_out(addon, f"its {name} cannot be loaded: {type(error).__name__}: {error}")
        return None

    def leave_out(self, addon: Addon, reason: str) -> None:
        """Report that something of somebody else's addon cannot be used."""
        self.broken[addon.name] = f"The addon {addon.name} is not whole: {reason}. Mend it in {addon.path}."
        log.warning("%s", self.broken[addon.name])

    def provided(self, key: str, *, strict: bool = False) -> dict[str, Any]:
        """What the installed addons name under the manifest key `key` (`module:attribute`), by addon.

        What somebody else's addon names and is not there is reported in the log and left out; a `strict` caller, who needs
        all of them, is raised an AddonError.
        """
        found = {}
        for addon in self.installed:
            if key in addon.manifest:
                try:
                    found[addon.name] = load_object(addon.manifest[key])
                except AddonError as error:
                    if strict or addon.is_own:
                        raise
                    self.leave_out(addon, f"{key}: {error}")
        return found


def load_object(place: str) -> Any:
    """The object at `module:attribute`. Raises AddonError when it is not there."""
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module may fail in any way while it is imported
        reason = str(error) if isinstance(error, (ImportError, AttributeError)) else f"{type(error).__name__}: {error}"
        raise AddonError(
            f"A manifest names {place}, which cannot be loaded: {reason}. Mend the manifest or the module."
        ) from None


def _recorded(store: Store) -> set[str]:
    """The names of the addons that the store says are installed; none when it does not answer."""
    try:
        with store.read() as session:
            return set(session.scalars(select(InstalledAddon.name)))
    except SQLAlchemyError:
        return set()


def _located(settings: Settings) -> str:
    """The store's URL with a relative SQLite file made absolute from the folder of config.toml."""
    url = settings.store.url
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        path = settings.folder / url.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return prefix + str(path)
    return url
