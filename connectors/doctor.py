"""What `certbridge doctor` finds about the sources: whether each can be pulled and was, and who could not be bound."""

import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors import doors, quarantine
from connectors.models import Identity, SourceUser, SyncRun
from connectors.sources import connector_of, in_pulling_order
from connectors.sync import FAILED, RUNNING, SILENT_FOR
from plugin.findings import ERROR, HINT, OK, WARNING, Finding, tried
from plugin.installation import Installation
from plugin.schedules import seconds_of

PULLS_MISSED = 3


def doctor(home: Installation) -> Iterator[Finding]:
    """What is found about every source, the authority for people first."""
    yield from tried("sources", "", partial(_authority, home))
    for source in in_pulling_order(home):
        for check in (_connection, _secret_files, _pulls, _accounts, _quarantined):
            yield from tried("sources", source, partial(check, home, source))
    yield from tried("inbound", "", partial(doors.findings, home, (doors.NOTICES, doors.XAPI)))


def _authority(home: Installation) -> Iterator[Finding]:
    authority, sources = home.settings.people.authority, home.settings.sources
    if not sources:
        yield Finding(
            WARNING,
            "sources",
            "",
            "No source is configured",
            "nothing is pulled",
            "Add [sources.roster] and [sources.moodle] to config.toml; config.example.toml shows how",
        )
    elif authority not in sources:
        yield Finding(
            ERROR,
            "sources",
            authority,
            f"The authority for people is {authority!r}, but there is no such source",
            "nobody becomes a person, so no account is bound and nobody is certified",
            f"Add [sources.{authority}], or name one of these as authority in [people]: {', '.join(sources)}",
        )


def _connection(home: Installation, source: str) -> Iterator[Finding]:
    """What the connector itself finds, and what it says of the other side when that is nothing."""
    connector = connector_of(home, source)
    try:
        found = connector.check()
        for one in found:
            yield Finding(one.level, "sources", source, one.what, one.breaks, one.mend)
        if said := connector.about() or ("It can be read" if not found else ""):
            yield Finding(OK, "sources", source, said)
    finally:
        connector.close()


def _secret_files(home: Installation, source: str) -> Iterator[Finding]:
    for key, value in (home.settings.sources[source].model_extra or {}).items():
        if isinstance(value, dict) and "file" in value:
            path = home.settings.folder / Path(str(value["file"]))
            if path.is_file() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
                yield Finding(
                    WARNING,
                    "sources",
                    source,
                    f"The file of its {key} may be read by others (mode {mode:o})",
                    "whoever can sign in to this machine can read it and use it",
                    f"Run: chmod 600 {path}",
                )


def _pulls(home: Installation, source: str) -> Iterator[Finding]:
    now = home.clock()
    with home.store.read() as session:
        last = session.scalars(select(SyncRun).where(SyncRun.source == source).order_by(SyncRun.id.desc())).first()
        good = _last_good(session, source)
    if last is None:
        yield Finding(
            HINT,
            "sources",
            source,
            "It has not been pulled yet",
            "nothing is derived until every source has been pulled once",
            f"Run: certbridge sync {source}; or start 'certbridge run'",
        )
        return
    if last.status == FAILED:
        yield Finding(
            ERROR,
            "sources",
            source,
            f"The last pull failed: {(last.message or 'it says no reason').splitlines()[0]}",
            "what happened since the pull before is not known here",
            f"Mend what it says, then run: certbridge sync {source}",
        )
    elif last.status == RUNNING and last.heartbeat_at < now - SILENT_FOR:
        yield Finding(
            HINT,
            "sources",
            source,
            f"A pull has said nothing since {last.heartbeat_at:%Y-%m-%d %H:%M}Z",
            "nothing is derived from what it brought until it is finished",
            f"The next pull goes on where it ended; to have it now, run: certbridge sync {source}",
        )
    elif last.message:
        yield Finding(
            WARNING,
            "sources",
            source,
            f"The last pull was not whole: {last.message.splitlines()[0]}",
            "that part stays as it was at the pull before",
            f"Mend what it says, then run: certbridge sync {source}",
        )
    patience = timedelta(seconds=PULLS_MISSED * seconds_of(home.settings.sources[source].every))
    if good is not None and good < now - max(patience, timedelta(hours=1)):
        yield Finding(
            WARNING,
            "sources",
            source,
            f"It was last pulled with success on {good:%Y-%m-%d %H:%M}Z",
            "certifications are derived from what was known then",
            f"See what was found about the schedules, or run: certbridge sync {source}",
        )


def _last_good(session: Session, source: str) -> datetime | None:
    """When a pull of the source last brought something."""
    ended = select(func.max(SyncRun.finished_at)).where(SyncRun.source == source, SyncRun.status != FAILED)
    return session.scalar(ended)


def _accounts(home: Installation, source: str) -> Iterator[Finding]:
    standing = (
        (Identity.source == SourceUser.source)
        & (Identity.user_key == SourceUser.user_key)
        & Identity.unbound_at.is_(None)
    )
    query = (
        select(func.count(), func.count(Identity.id))
        .select_from(SourceUser)
        .outerjoin(Identity, standing)
        .where(SourceUser.source == source, SourceUser.closed_at.is_(None))
    )
    with home.store.read() as session:
        total, bound = session.execute(query).one()
    if total > bound:
        yield Finding(
            WARNING if bound == 0 else HINT,
            "sources",
            source,
            f"{total - bound} of {total} accounts are not bound to an employee",
            "what they learned counts for nobody",
            "See them and why on the page of unbound accounts; give each account its employee number as ID number in the LMS",
        )


def _quarantined(home: Installation, source: str) -> Iterator[Finding]:
    with home.store.read() as session:
        waiting = quarantine.waiting_count(session, source)
    if waiting:
        yield Finding(
            HINT,
            "sources",
            source,
            f"{waiting} records wait in quarantine",
            "what they say does not count until they can be used",
            f"Run: certbridge quarantine list --source {source}",
        )
