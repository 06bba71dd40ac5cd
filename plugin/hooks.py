"""An addon's hooks: functions that its manifest names, called within the transaction that installs or uninstalls it.

A hook takes one `Env`. It is named as in Odoo, by a function of the addon's package (`"fill"`), or by
`module:function`. What it raises takes back everything that is being done with the addon; it commits nothing itself.
"""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from plugin.errors import AddonError
from plugin.manifests import Addon
from plugin.settings import Settings

HOOKS = ("pre_init_hook", "post_init_hook", "uninstall_hook")


@dataclass(frozen=True)
class Env:
    """What a hook is handed: the open transaction, the moment, and the settings of the installation."""

    session: Session
    now: datetime
    settings: Settings


Hook = Callable[[Env], Any]


def hook_of(addon: Addon, key: str) -> Hook | None:
    """The addon's hook, None when it has none. Raises AddonError when it cannot be imported."""
    place = addon.manifest.get(key)
    if place is None:
        return None
    module, _, name = place.rpartition(":")
    try:
        found = getattr(importlib.import_module(module or addon.name), name)
    except Exception as error:  # a module may fail in any way while it is imported
        raise AddonError(
            f"The addon {addon.name}: its {key} {place!r} cannot be loaded: {type(error).__name__}: {error}. Mend the "
            "manifest or the module."
        ) from error
    if not callable(found):
        raise AddonError(f"The addon {addon.name}: its {key} {place!r} is no function; mend the manifest.")
    return found  # type: ignore[no-any-return]  # what it takes only calling it can show


def check_hooks(addon: Addon) -> None:
    """Raise AddonError when one of the addon's hooks cannot be imported."""
    for key in HOOKS:
        hook_of(addon, key)


def run_hook(addon: Addon, key: str, env: Env) -> None:
    """Call the addon's hook, if it has one. Raises AddonError that says where it failed."""
    hook = hook_of(addon, key)
    if hook is None:
        return
    transaction = env.session.get_transaction()
    event.listen(env.session, "before_commit", _refuse_commit)
    try:
        hook(env)
        if env.session.get_transaction() is not transaction:
            raise AddonError("a hook must not roll back: what it does is part of one transaction")
        env.session.flush()
    except Exception as error:
        place = addon.manifest[key]
        raise AddonError(
            f"The addon {addon.name}: its {key} {place!r} failed{_where(addon, error)}: {in_short(error)}. "
            "Nothing of the addon was changed; mend the hook and try again."
        ) from error
    finally:
        event.remove(env.session, "before_commit", _refuse_commit)


def in_short(error: Exception) -> str:
    """What was raised, in a line; of a failure in the database only what it says, without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return f"{type(error).__name__}: {str(said).strip().partition(chr(10))[0]}"


def _refuse_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        raise AddonError("a hook must not commit: what it does is part of one transaction")


def _where(addon: Addon, error: Exception) -> str:
    """The last line of the addon's own that the failure came through."""
    folder = addon.path.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve().is_relative_to(folder):
            return f" in {frame.filename}, line {frame.lineno}"
    return ""
