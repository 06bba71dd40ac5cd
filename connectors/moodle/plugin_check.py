"""Whether the companion plugin can do its work: its functions, its right, its version, its log and its notices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from connectors.models import SourceNotice, StreamState
from connectors.moodle.client import MoodleClient
from connectors.moodle.errors import MissingCapabilityError
from connectors.moodle.plugin import PREFIX, Info, Plugin
from connectors.moodle.plugin_reading import LOG
from connectors.moodle.ways import PLUGIN, Offer
from connectors.streams import Finding
from plugin.store import Store

OLDEST = 2026112303  # the plugin's first version, whose answers are read here
RELEASE = "0."  # releases that begin like this answer what is read here
LATE = timedelta(minutes=15)  # Moodle's cron sends notices within a minute or two

_SERVICE = "Site administration > Server > Web services > External services > CertBridge"
_PLUGIN = "Site administration > Plugins > Local plugins > CertBridge"


def check_plugin(
    client: MoodleClient, offer: Offer, source: str, store: Store | None, signs: bool
) -> Iterator[Finding]:
    """What stands in the way of the plugin's way; nothing where the site does not have it or it is switched off.

    `signs` says whether a webhook_secrets are set here. Raises MoodleError.
    """
    if offer.reason("users") in ("not_installed", "switched_off"):
        return
    for stream in sorted(offer.lacking):
        yield Finding(
            "warning",
            f"The token's service has the companion plugin's functions, but not all that the stream {stream} needs",
            f"{stream} is read by another way, if at all",
            f"Give the token the service that the plugin brings, or add every function {PREFIX}… on {_SERVICE}",
        )
    if not {PREFIX + "info", PREFIX + "changes"} <= client.site.functions:
        return
    plugin = Plugin(client)
    try:
        info = plugin.ask_info()
    except MissingCapabilityError:
        yield Finding(
            "error",
            "The web service user may not read through the companion plugin",
            "nothing is read from this source",
            "Allow local/certbridge:read, in the system context, to that user's role on "
            "Site administration > Users > Permissions > Define roles",
        )
        return
    yield from _version(info)
    if store is not None:
        yield from _log(info, source, store)
        yield from _notices(plugin, info, source, store, signs)


def _version(info: Info) -> Iterator[Finding]:
    if info.version < OLDEST:
        yield Finding(
            "error",
            f"The companion plugin {info.release} ({info.version}) is older than what is read here",
            "what it answers may lack fields, or be refused",
            f"Build the present one with 'certbridge moodle plugin build' and install it; it must be at least {OLDEST}",
        )
    elif not info.release.startswith(RELEASE):
        yield Finding(
            "hint",
            f"The companion plugin {info.release} is newer than what is known here",
            "most likely nothing",
            "Update CertBridge when you can",
        )


def _log(info: Info, source: str, store: Store) -> Iterator[Finding]:
    """Whether the change log still reaches back to the last pull."""
    with store.read() as session:
        cursors = session.scalars(
            select(StreamState.cursor).where(StreamState.source == source, StreamState.way == PLUGIN)
        )
        places = [cursor for cursor in cursors if len(cursor) > 3 and cursor[1] == LOG]
    if any(place[2] != info.epoch or info.last < int(place[3]) for place in places):
        yield Finding(
            "hint",
            "The change log is another one than at the last pull: the plugin was installed anew, or a backup was restored",
            "nothing; the next pull reads everything",
            "Nothing, if you know of it",
        )
    elif any(info.first > int(place[3]) + 1 for place in places):
        yield Finding(
            "warning",
            "The change log does not reach back to the last pull",
            "the next pull reads everything, and what was reverted in between is not known",
            f"Keep changes longer on {_PLUGIN} than this source may stand still",
        )


def _notices(plugin: Plugin, info: Info, source: str, store: Store, signs: bool) -> Iterator[Finding]:
    """Whether notices come: the newest change against the newest notice."""
    if not signs:
        yield Finding(
            "hint",
            "The companion plugin's notices are not awaited",
            "changes show at the next scheduled pull instead of within a minute",
            f"Enter a secret and this installation's address on {_PLUGIN}, and name the secret in the source's webhook_secrets",
        )
        return
    with store.read() as session:
        newest = session.scalar(select(func.max(SourceNotice.received_at)).where(SourceNotice.source == source))
    if not info.last:
        return
    changes = plugin.changes(info.last - 1, 0).changes
    changed = max((datetime.fromtimestamp(change.time, UTC) for change in changes), default=None)
    waited = changed is not None and changed + LATE < datetime.fromtimestamp(info.time, UTC)
    if changed is not None and waited and (newest is None or newest + LATE < changed):
        said = f"since {newest:%Y-%m-%d %H:%M} UTC" if newest else "ever"
        yield Finding(
            "warning",
            f"The site changed at {changed:%Y-%m-%d %H:%M} UTC, but no notice has come {said}",
            "changes show at the next scheduled pull instead of within a minute",
            f"Check address and secret on {_PLUGIN}, that Moodle's cron runs, and that Moodle may reach this installation",
        )
