"""Migrations: each addon has its own linear Alembic history in `migrations/` and a version table of its own.

So a vanished addon folder hinders nobody else, and one addon can go back without its dependents. An addon's
tables are those of the models defined in its folder, but not in an addon inside it.

`python -m plugin.migrate ADDON "what changes" [FOLDER]` writes the next step of an addon's history from its models;
FOLDER is the one that holds the addon's, when it is not one of this program's own.
"""

import importlib
import importlib.util
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.orm import configure_mappers

from plugin.errors import AddonError, CertBridgeError, StoreError
from plugin.manifests import OWN, Addon, complete, discover, in_order
from plugin.store import Base, Exact, Json, Store, UtcDateTime

MIGRATION = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from plugin.store import Exact, UtcDateTime

revision = "{revision}"
down_revision = {down_revision!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def version_table(addon: Addon) -> str:
    """The name of the table that says how far the addon's tables have come."""
    return addon.name.replace(".", "_") + "_version"


def load_models(addons: Mapping[str, Addon], broken: dict[str, str] | None = None) -> None:
    """Import the models of every addon that can run, so that the mappers know each other.

    With `broken`, an addon of somebody else whose models fail is left out, and `broken` says why, by name.
    """
    for addon in in_order(complete(addons)):
        if not (addon.path / "models.py").is_file():
            continue
        if broken and addon.name not in complete({name: addons[name] for name in addons if name not in broken}):
            continue  # something that it stands on is broken
        models, tables, modules = set(declared()), set(Base.metadata.tables), set(sys.modules)
        try:
            _import_models(addon)
        except Exception as error:
            if broken is None or addon.is_own:
                raise
            broken[addon.name] = (
                f"The models of the addon {addon.name} cannot be loaded: {type(error).__name__}: {error}. Mend "
                f"{addon.path / 'models.py'}."
            )
            take_out(set(declared()) - models, set(Base.metadata.tables) - tables)
            for name in set(sys.modules) - modules:
                if name.startswith(f"{addon.name}."):
                    del sys.modules[name]  # or the next one to import it would take it for whole


def _import_models(addon: Addon) -> None:
    module = importlib.import_module(f"{addon.name}.models")
    found = Path(module.__file__ or "")
    if not found.resolve().is_relative_to(addon.path.resolve()):
        raise AddonError(f"{addon.name} is imported from {found.parent}, not from {addon.path}; give it another name")
    if not addon.is_own:
        configure_mappers()  # now, when it can still be said whose they are


def declared() -> list[type[Any]]:
    """Every class that was declared as a model, those among them whose mapping failed."""
    return [manager.class_ for manager in Base.registry._managers]


def take_out(models: Iterable[type[Any]], tables: Iterable[str]) -> None:
    """Let SQLAlchemy forget half-loaded models: one whose mapping or relations fail would stop everybody's queries."""
    for manager in [manager for manager in Base.registry._managers if manager.class_ in models]:
        Base.registry._dispose_manager_and_mapper(manager)
        Base.registry._managers.pop(manager, None)
    for name in tables:
        Base.metadata.remove(Base.metadata.tables[name])


def tables_of(addon: Addon, addons: Mapping[str, Addon]) -> set[str]:
    """The names of the tables that belong to `addon`."""

    def owner(module: str) -> str:
        return max((name for name in addons if module == name or module.startswith(name + ".")), key=len, default="")

    models = (mapper.class_ for mapper in Base.registry.mappers)
    return {str(model.__tablename__) for model in models if owner(model.__module__) == addon.name}


def _scripts(addon: Addon) -> ScriptDirectory | None:
    """The addon's migrations, or None when it has no tables of its own."""
    folder = addon.path / "migrations"
    return ScriptDirectory(str(addon.path), version_locations=[str(folder)]) if folder.is_dir() else None


def _steps(scripts: ScriptDirectory | None) -> list[Script]:
    """The migrations, oldest first."""
    return list(reversed(list(scripts.walk_revisions()))) if scripts else []


def _context(connection: Connection, addon: Addon, **options: Any) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": version_table(addon), **options})


def upgrade(connection: Connection, addon: Addon) -> list[str]:
    """Bring the addon's tables to its newest migration, in the caller's transaction; the ids of the steps done.

    Raises StoreError when the database is newer than the program.
    """
    scripts = _scripts(addon)
    if scripts is None:
        return []
    context = _context(connection, addon)
    current = context.get_current_revision()
    steps = _steps(scripts)
    known = [step.revision for step in steps]
    if current is not None and current not in known:
        raise StoreError(
            f"The tables of the addon {addon.name} are at step {current}, which this version does not know: the database "
            "is newer than the program. Install the newer version, or restore the backup that belongs to this one."
        )
    missing = steps[known.index(current) + 1 if current else 0 :]
    with Operations.context(context):
        for step in missing:
            step.module.upgrade()
            context.stamp(scripts, step.revision)
    return [step.revision for step in missing]


def pending(connection: Connection, addon: Addon) -> bool:
    """Whether the addon's tables lag behind its migrations."""
    steps = _steps(_scripts(addon))
    return bool(steps) and _context(connection, addon).get_current_revision() != steps[-1].revision


def differences(connection: Connection, addon: Addon, addons: Mapping[str, Addon]) -> list[Any]:
    """What the migrated tables lack or have too much, compared with the addon's models; empty when they agree."""
    return list(compare_metadata(_comparing(connection, addon, addons), Base.metadata))


def _comparing(connection: Connection, addon: Addon, addons: Mapping[str, Addon]) -> MigrationContext:
    """A context that looks at the addon's own tables only."""
    own = tables_of(addon, addons)

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name in own

    def include_object(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        return kind != "table" or name in own

    return _context(
        connection, addon, include_name=include_name, include_object=include_object, target_metadata=Base.metadata
    )


def _render(kind: str, thing: Any, context: Any) -> Any:
    """How a migration writes our own column types."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "UtcDateTime()"
    if kind == "type" and isinstance(thing, Exact):
        return f"Exact({thing.precision}, {thing.scale})"
    if kind == "type" and thing is Json:
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def _code(operations: Any) -> str:
    lines = render_python_code(operations, render_item=_render).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#")).lstrip()


def write_next(addon: Addon, addons: Mapping[str, Addon], message: str) -> Path | None:
    """Write the addon's next migration from its models; None when there is nothing to change."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/scratch.db")
        with store.write() as session:
            connection = session.connection()
            for other in in_order(addons):
                upgrade(connection, other)
            script = produce_migrations(_comparing(connection, addon, addons), Base.metadata)
        store.close()
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    if script.upgrade_ops.is_empty():
        return None
    steps = _steps(_scripts(addon))
    revision = f"{len(steps) + 1:04d}"
    body = MIGRATION.format(
        message=message,
        revision=revision,
        down_revision=steps[-1].revision if steps else None,
        upgrade=_code(script.upgrade_ops),
        downgrade=_code(script.downgrade_ops),
    )
    path = addon.path / "migrations" / f"{revision}_{re.sub('[^a-z0-9]+', '_', message.lower())}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(body, encoding="utf-8")
    return path


def main() -> None:
    """For developers: write an addon's next migration."""
    if len(sys.argv) not in (3, 4):
        sys.exit('Usage: python -m plugin.migrate ADDON "what changes" [FOLDER]')
    name, message, *roots = sys.argv[1:]
    sys.path += roots
    try:
        addons = discover([Path(root) for root in roots], OWN)
        [*_, addon] = in_order(addons, [name])
        load_models(addons)
        written = write_next(addon, addons, message)
    except CertBridgeError as error:
        sys.exit(f"plugin.migrate: {error}")
    sys.stdout.write(f"{written or 'nothing to change'}\n")


if __name__ == "__main__":
    main()
