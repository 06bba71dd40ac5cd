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

from plugin.errors import AddonError, StoreError
from plugin.manifests import Addon, complete, discover, in_order
from plugin.migrate import load_models
from plugin.models import InstalledAddon
from plugin.secrets import KeyRing
from plugin.settings import Settings, load_settings
from plugin.store import Store

PACKAGES = ("plugin", "connectors", "metrics", "webhooks")


def utc_now() -> datetime:
    """The machine's clock: called by the command, the web and the worker, and by nothing below them."""
    return datetime.now(UTC)


def sleep_on(_topic: str) -> None:
    """Wake nobody: what has to be done next stands in the store, and the next schedule finds it."""


@dataclass
class Installation:
    """Settings, addons, store, keys and clock of one installation.

    `wake` tells the workers, where there are any, that there is something to look at: a topic such as
    `people_touched`, which the manifests of the addons that care name under `wakes`.
    """

    settings: Settings
    addons: dict[str, Addon] = field(repr=False)
    store: Store
    clock: Callable[[], datetime] = utc_now
    wake: Callable[[str], None] = sleep_on

    @classmethod
    def open(cls, config: Path, clock: Callable[[], datetime] = utc_now) -> "Installation":
        """Read `config`, find the addons, connect to the store. Raises SettingsError, AddonError, StoreError."""
        settings = load_settings(config)
        roots = [settings.folder / path for path in settings.addons.path]
        for root in roots:
            if not root.is_dir():
                raise AddonError(f"[addons] path: {root} is not a folder; create it or take it out.")
            if str(root) not in sys.path:
                sys.path.append(str(root))
        addons = discover(roots, PACKAGES)
        settings = load_settings(config, addons=tuple(addons))
        load_models(addons)
        return cls(settings, addons, Store(_located(settings)), clock)

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

        One whose folder has vanished is reported in the log, with those that need it, and stops nothing else. Raises StoreError when
        nothing is installed yet.
        """
        with self.store.read() as session:
            if not inspect(session.connection()).has_table(InstalledAddon.__tablename__):
                raise StoreError("The store is empty; run 'certbridge addons install' first.")
            names = set(session.scalars(select(InstalledAddon.name)))
        standing = complete(self.addons)
        for name in sorted(names - set(standing)):
            logging.getLogger(__name__).warning(
                "The installed addon %s cannot run: it needs one that is not there; put that one back."
                if name in self.addons
                else "The installed addon %s has vanished: its folder is not there any more; put it back.",
                name,
            )
        return [addon for addon in in_order(standing) if addon.name in names]

    def room(self, addon: Addon, name: str) -> Any:
        """The addon's module of this name (`commands`, `controllers`, `tasks` …), or None when it has no such room."""
        if (addon.path / f"{name}.py").is_file() or (addon.path / name / "__init__.py").is_file():
            return importlib.import_module(f"{addon.name}.{name}")
        return None

    def provided(self, key: str) -> dict[str, Any]:
        """What the installed addons name under the manifest key `key` (`module:attribute`), by addon."""
        return {addon.name: load_object(addon.manifest[key]) for addon in self.installed if key in addon.manifest}


def load_object(place: str) -> Any:
    """The object at `module:attribute`. Raises AddonError when it is not there."""
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise AddonError(
            f"A manifest names {place}, which cannot be loaded: {error}. Mend the manifest or the module."
        ) from None


def _located(settings: Settings) -> str:
    """The store's URL with a relative SQLite file made absolute from the folder of config.toml."""
    url = settings.store.url
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        path = settings.folder / url.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return prefix + str(path)
    return url
