"""The configured sources: `[sources.NAME]` of config.toml, each with its connector."""

from collections.abc import Iterable
from typing import cast

from connectors.streams import Connector
from connectors.sync import SYNC
from plugin import schedules
from plugin.errors import NotFoundError, SettingsError
from plugin.installation import Installation, load_object
from plugin.manifests import check_external


def connector_of(installation: Installation, source: str) -> Connector:
    """The connector of the source, set up. Raises NotFoundError, SettingsError, SecretError."""
    settings = installation.settings
    if source not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise NotFoundError(f"There is no source {source!r} in config.toml; the sources are: {known}.")
    name = settings.sources[source].connector
    addon = installation.addons.get(name)
    if addon is None or "connector" not in addon.manifest:
        offers = ", ".join(
            sorted(other for other in installation.addons if "connector" in installation.addons[other].manifest)
        )
        raise SettingsError(f"[sources.{source}] connector: {name!r} is no addon with a connector; there are {offers}.")
    check_external(addon)
    made = load_object(addon.manifest["connector"])
    connector = cast(Connector, made(source, settings.source(source, made.settings_model), settings))
    connector.store = installation.store
    return connector


def in_pulling_order(installation: Installation) -> list[str]:
    """The sources, the authority for people first."""
    authority = installation.settings.people.authority
    return sorted(installation.settings.sources, key=lambda source: source != authority)


def schedule_name(source: str) -> str:
    """The name of the schedule that pulls the source."""
    return f"{SYNC}:{source}"


def ensure_schedules(installation: Installation, sources: Iterable[str] | None = None) -> None:
    """See that every configured source has its schedule, at its interval."""
    now = installation.clock()
    with installation.store.write() as session:
        for source in sources or installation.settings.sources:
            every = installation.settings.sources[source].every
            schedules.ensure(session, schedule_name(source), SYNC, source, every, now)
