"""`certbridge doctor`: what stands in the way, what it breaks, and what mends it.

`examine` collects what the addons' doctor functions find, this one of the kernel first: settings, keys, store,
broker, schedules, addons, pages and accounts. It only looks: nothing is changed.
"""

import importlib.metadata
import os
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from importlib.machinery import PathFinder
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from kombu.connection import Connection
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from plugin import lifecycle, schedules
from plugin.alerts import FAILURES
from plugin.errors import DependencyError
from plugin.findings import ERROR, HINT, OK, WARNING, Finding, tried
from plugin.installation import Installation, load_object, utc_now
from plugin.manifests import check_external, complete, in_order
from plugin.models import Account, AuditEntry, Schedule
from plugin.rotation import survey, vanished
from plugin.settings import ENVIRONMENT_PREFIX
from plugin.store import holds_password

LATE = timedelta(minutes=5)
VERY_LATE = timedelta(hours=1)
SKEW = timedelta(seconds=5)
LEASE_SKEW = schedules.LEASE / 2
MEGABYTE = 1024 * 1024
LEAST_FREE = 100 * MEGABYTE
LITTLE_FREE = 1024 * MEGABYTE
OLDEST_SQLITE = (3, 35)  # the first with RETURNING

# The distributions that bring the modules whose import names others are known to use as well.
DISTRIBUTIONS = {
    "tincan": "tincan",
    "plugin": "certbridge",
    "connectors": "certbridge",
    "metrics": "certbridge",
    "webhooks": "certbridge",
}


def examine(config: Path, clock: Callable[[], datetime] = utc_now) -> list[Finding]:
    """Everything that is found about the installation that the file `config` describes."""
    os.environ.setdefault("PGCONNECT_TIMEOUT", "10")  # a PostgreSQL that does not answer must not hold up the rest
    if not config.is_file():
        mend = "Run 'certbridge init' to make one, or name the one that there is with --config"
        return [Finding(ERROR, "settings", config.name, f"There is no {config}", "there is nothing to look at", mend)]
    opened: list[Installation] = []

    def settings() -> Iterator[Finding]:
        opened.append(Installation.open(config, clock))
        yield from _settings(config)

    findings = list(tried("settings", config.name, settings))
    for home in opened:
        for addon in in_order(complete(home.addons)):
            if "doctor" in addon.manifest:
                findings += tried("addons", addon.name, partial(_contributed, addon.manifest["doctor"], home))
        home.store.close()
    return findings


def _contributed(place: str, home: Installation) -> Iterator[Finding]:
    yield from load_object(place)(home)


def doctor(home: Installation) -> Iterator[Finding]:
    """What is found about the kernel."""
    checks: dict[tuple[str, str], Callable[[Installation], Iterator[Finding]]] = {
        ("store", "database"): _store,
        ("store", "clock"): _clock,
        ("addons", ""): _addons,
        ("addons", "Python modules"): _modules,
        ("keys", "key file"): _keys,
        ("broker", ""): _broker,
        ("schedules", ""): _schedules,
        ("web", "public_url"): _web,
        ("accounts", ""): _accounts,
    }
    for (area, subject), check in checks.items():
        yield from tried(area, subject, partial(check, home))


def _settings(config: Path) -> Iterator[Finding]:
    written = tomllib.loads(config.read_text(encoding="utf-8"))
    for table in ("store", "broker"):
        if _has_password(written.get(table, {}).get("url", "")):
            yield Finding(
                WARNING,
                "settings",
                f"[{table}] url",
                f"A password stands in {config.name}, in the url of [{table}]",
                "whoever may read the file, or a backup of it, has the password",
                f"Take it out and set {ENVIRONMENT_PREFIX}{table.upper()}__URL in the environment of the service"
                + ("; for PostgreSQL ~/.pgpass serves as well" if table == "store" else ""),
            )
    overriding = sorted(name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX) and "__" in name)
    more = f"; from the environment come {', '.join(overriding)}" if overriding else ""
    yield Finding(OK, "settings", config.name, f"The settings are read from {config.resolve()}{more}")


def _has_password(url: object) -> bool:
    try:
        return isinstance(url, str) and "://" in url and holds_password(make_url(url))
    except (ArgumentError, ValueError):
        return False


# Store ----------------------------------------------------------------------------------------------------------------


def _store(home: Installation) -> Iterator[Finding]:
    home.store.check()
    with home.store.read() as session:
        connection = session.connection()
        version = tuple(connection.dialect.server_version_info or ())
    shown = ".".join(str(part) for part in version)
    if not home.store.is_sqlite:
        yield Finding(OK, "store", "database", f"PostgreSQL {shown} answers")
        return
    if version < OLDEST_SQLITE:
        yield Finding(
            ERROR,
            "store",
            "database",
            f"SQLite {shown} is too old",
            "no schedule can be claimed, so nothing is pulled or delivered",
            "Use a Python whose sqlite3 is 3.35 or newer, or PostgreSQL",
        )
    path = Path(home.store.engine.url.database or "")
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < LITTLE_FREE or free < 2 * size:
        yield Finding(
            ERROR if free < LEAST_FREE else WARNING,
            "store",
            "disk",
            f"Only {free // MEGABYTE} MiB are free where the database ({size // MEGABYTE + 1} MiB) stands",
            "when the disk is full nothing can be stored: pulls and deliveries stop",
            f"Free some space on the disk of {path.parent}, or move the database and change [store] url",
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o044 and stat.S_IMODE(path.parent.stat().st_mode) & 0o011:
        yield Finding(
            HINT,
            "store",
            "database file",
            "Other users of this machine may read the database",
            "they can read what is stored about everybody",
            f"Run: chmod 700 {path.parent}",
        )
    yield Finding(OK, "store", "database", f"SQLite {shown} answers; {free // MEGABYTE} MiB of disk are free")


def _clock(home: Installation) -> Iterator[Finding]:
    if not lifecycle.is_set_up(home):
        return
    with home.store.read() as session:
        newest = session.scalar(select(func.max(AuditEntry.at)))
        theirs = None if home.store.is_sqlite else session.scalar(select(func.clock_timestamp()))
        now = home.clock()
    if newest is not None and newest > now + LATE:
        yield Finding(
            ERROR,
            "store",
            "clock",
            f"This machine's clock ({_shown(now)}) stands before something that has been recorded ({_shown(newest)})",
            "certifications are derived as of a wrong day, and schedules stand still",
            "Set the clock (timedatectl set-ntp true)",
        )
    if theirs is not None and abs(theirs - now) > SKEW:
        yield Finding(
            ERROR if abs(theirs - now) > LEASE_SKEW else WARNING,
            "store",
            "clock",
            f"This machine's clock and that of the database differ by {abs(theirs - now).total_seconds():.0f} seconds",
            "two machines may do the same work at the same time, because leases end early on one of them",
            "Let every machine keep its clock by NTP (timedatectl set-ntp true)",
        )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


# Addons ---------------------------------------------------------------------------------------------------------------


def _addons(home: Installation) -> Iterator[Finding]:
    install = "Run: certbridge addons install"
    if not lifecycle.is_set_up(home):
        yield Finding(ERROR, "addons", "", "Nothing is installed yet", "there are no tables to work with", install)
        return
    for name, reason in home.broken.items():
        mend = "Do what the message says"
        yield Finding(ERROR, "addons", name, reason, "the addon is left out; the others run", mend)
    for name in sorted({*vanished(home)} - home.broken.keys()):
        yield Finding(
            ERROR,
            "addons",
            name,
            f"The installed addon {name} is not there any more, or one that it depends on",
            "what it did is not done",
            "Put its folder back, or name the folder above it in [addons] path; or take out what it left: certbridge addons "
            f"uninstall {name}",
        )
    for name in lifecycle.lagging(home):
        yield Finding(
            ERROR,
            "addons",
            name,
            f"The tables of {name} are not those of this version",
            "what it does fails",
            "Run: certbridge addons upgrade, after a backup of the store",
        )
    installed = {addon.name for addon in home.installed}
    for addon in in_order(complete(home.addons)):
        if addon.name not in installed:
            yield Finding(
                HINT,
                "addons",
                addon.name,
                f"The addon {addon.name} is there, but not installed",
                "what it does is not done",
                f"{install} {addon.name}",
            )
        elif complaint := _lacks(addon.name, home):
            yield Finding(ERROR, "addons", addon.name, complaint, "what the addon does fails", "Install what it needs")
    yield Finding(OK, "addons", "", f"{len(installed)} addons are installed")


def _lacks(name: str, home: Installation) -> str | None:
    """Which library or program the addon lacks."""
    try:
        check_external(home.addons[name])
    except DependencyError as error:
        return str(error)
    return None


def _modules(_home: Installation) -> Iterator[Finding]:
    """Whether another distribution, or a file that happens to lie about, goes by the import name of one that we use."""
    brought = importlib.metadata.packages_distributions()
    for module, wanted in DISTRIBUTIONS.items():
        others = sorted({name for name in brought.get(module, []) if name.lower() != wanted})
        if others:
            yield Finding(
                ERROR,
                "addons",
                module,
                f"The Python module {module} is brought by {others[0]} as well as by {wanted}",
                f"which of the two is used is left to chance; with the other one, what needs {wanted} fails",
                f"Give CertBridge an environment of its own, or run: pip uninstall {others[0]}, then "
                f"pip install --force-reinstall {wanted}",
            )
        elif wanted != "certbridge":
            yield from _shadowed(module, wanted)


def _shadowed(module: str, wanted: str) -> Iterator[Finding]:
    """Whether `module` is loaded from where its distribution put it."""
    found = PathFinder.find_spec(module)
    try:
        files = importlib.metadata.files(wanted) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    own = {Path(str(file.locate())).resolve() for file in files}
    if found is None or found.origin is None or (own and Path(found.origin).resolve() not in own):
        where = "nowhere" if found is None or found.origin is None else found.origin
        yield Finding(
            ERROR,
            "addons",
            module,
            f"The Python module {module} is loaded from {where}, not from the library {wanted}",
            f"what needs the library {wanted} fails",
            f"Run: pip install {wanted}; and move away what else is called {module}",
        )


# Keys -----------------------------------------------------------------------------------------------------------------


def _keys(home: Installation) -> Iterator[Finding]:
    ring = home.keys
    if not lifecycle.is_set_up(home):
        return
    total = older = 0
    needed = {0}
    for stored in survey(home, ring):
        total += stored.first + stored.others.total() + stored.closed
        older += stored.others.total()
        needed |= set(stored.others)
        if stored.closed:
            yield Finding(
                ERROR,
                "keys",
                stored.column,
                f"{stored.closed} stored secrets ({stored.column}) open with no key of the key file",
                "what they are for stands still, for instance deliveries to the endpoint whose secret it is",
                f"Add the line of the key that they were made with, from your backup, to {home.key_file}; if it is lost, "
                "enter those secrets anew",
            )
    if older:
        yield Finding(
            HINT,
            "keys",
            "key file",
            f"{older} stored secrets are still encrypted with an older key: a rotation was not finished",
            "the older key cannot be taken away yet",
            "Run: certbridge keys rotate",
        )
    elif ring.size > len(needed):
        yield Finding(
            HINT,
            "keys",
            "key file",
            f"{ring.size - len(needed)} keys of the key file open nothing that is stored any more",
            "a key that was replaced because others may know it is still kept",
            "Run: certbridge keys prune",
        )
    yield Finding(OK, "keys", "key file", f"The key file is there, closed to others; {total} secrets are stored")


# Broker and schedules -------------------------------------------------------------------------------------------------


def _broker(home: Installation) -> Iterator[Finding]:
    url = home.settings.broker.url
    if url.startswith("memory:"):
        if not home.store.is_sqlite:
            yield Finding(
                HINT,
                "broker",
                "memory",
                "The broker memory:// carries messages within one process only",
                "nothing, as long as there is one 'certbridge run' and nothing else",
                "For serve, worker and scheduler as processes set [broker] url to a Redis, a Valkey or a RabbitMQ",
            )
        yield Finding(OK, "broker", "memory", "The broker is within the process of 'certbridge run'")
        return
    connection = Connection(url, connect_timeout=5)  # type: ignore[no-untyped-call]  # kombu is not annotated
    shown = connection.as_uri(mask="…")
    try:
        connection.connect()  # type: ignore[no-untyped-call]  # as above
    except (OSError, *connection.connection_errors, *connection.channel_errors) as error:
        yield Finding(
            ERROR,
            "broker",
            connection.transport_cls,
            f"The broker {shown} cannot be reached ({type(error).__name__})",
            "no work is handed out: nothing is pulled or delivered",
            "Check that it runs, and [broker] url",
        )
    else:
        yield Finding(OK, "broker", connection.transport_cls, f"The broker {shown} answers")
    finally:
        connection.release()  # type: ignore[no-untyped-call]  # as above


def _schedules(home: Installation) -> Iterator[Finding]:
    if not lifecycle.is_set_up(home):
        return
    now = home.clock()
    with home.store.read() as session:
        rows = list(session.scalars(select(Schedule).order_by(Schedule.due_at, Schedule.name)))
    for row in rows:
        if row.failures:
            yield _failing(row)
    leased = [row for row in rows if row.leased_until is not None and row.leased_until > now]
    for row in leased:
        if row.holder != schedules.QUEUED and schedules._is_gone(row.holder or ""):
            yield Finding(
                HINT,
                "schedules",
                row.name,
                f"{row.name} was being done by a process that is gone ({row.holder})",
                f"nothing: it is taken up again, at {_shown(row.leased_until or now)} at the latest",
                "Look into the log of that process if it was not you who ended it",
            )
    late = [row for row in rows if row.due_at < now - LATE and (row not in leased or row.holder == schedules.QUEUED)]
    if late:
        yield _overdue(home, late, now)
    else:
        yield Finding(OK, "schedules", "", f"{len(rows)} schedules, none of them overdue")


def _failing(row: Schedule) -> Finding:
    since = f" since {_shown(row.failing_since)}" if row.failing_since else ""
    return Finding(
        ERROR if row.failures >= FAILURES else WARNING,
        "schedules",
        row.name,
        f"{row.name} has failed {row.failures} times in a row{since}: {row.last_error}",
        "what it does is not done; it is tried again after a wait that grows",
        "Mend what it says; the log of the worker says more",
    )


def _overdue(home: Installation, late: list[Schedule], now: datetime) -> Finding:
    """One finding for all that is late; it has one cause."""
    claimed = any(row.holder == schedules.QUEUED for row in late)
    memory = home.settings.broker.url.startswith("memory:")
    if claimed and memory:
        why, mend = (
            "they are claimed, but no worker gets to know: the broker memory:// does not reach other processes",
            "Run 'certbridge run' alone, or set [broker] url to a Redis, a Valkey or a RabbitMQ for scheduler and worker",
        )
    elif claimed:
        why, mend = "they are claimed, but no worker takes them", "Start 'certbridge worker', and look into its log"
    else:
        why, mend = "nobody claims them", "Start 'certbridge run', or 'certbridge scheduler' and 'certbridge worker'"
    names = ", ".join(row.name for row in late[:3]) + (" …" if len(late) > 3 else "")
    return Finding(
        ERROR if late[0].due_at < now - VERY_LATE or (claimed and memory) else WARNING,
        "schedules",
        late[0].name,
        f"{len(late)} schedules are overdue, the oldest since {_shown(late[0].due_at)} ({names}): {why}",
        "nothing is pulled, derived or delivered",
        mend,
    )


# Web and accounts -----------------------------------------------------------------------------------------------------


def _web(home: Installation) -> Iterator[Finding]:
    web = home.settings.web
    parts = urlsplit(web.public_url)
    where = "[web] public_url"
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        yield Finding(
            ERROR,
            "web",
            "public_url",
            f"{where} is not the address of a site",
            "links in pages and in messages to HR lead nowhere",
            "Write for instance https://certbridge.example, without a path",
        )
        return
    public_local, listens_local = is_loopback(parts.hostname), is_loopback(web.host)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    if parts.scheme == "http" and not public_local:
        yield Finding(
            WARNING,
            "web",
            "public_url",
            f"{where} is http: the pages are reached without encryption",
            "whoever can listen in on the network reads passwords, sessions and what the pages show; the session's cookie "
            "is not kept to encrypted connections",
            "Put a proxy with a certificate before CertBridge and write https://… there",
        )
    if public_local and not listens_local:
        yield Finding(
            WARNING,
            "web",
            "public_url",
            f"{where} names this machine only, but [web] host lets others reach the pages",
            "links in pages and in messages to HR lead readers to their own machines",
            "Write there how people reach the pages, or set host to 127.0.0.1 if only this machine is to",
        )
    if public_local and listens_local and parts.scheme == "http" and web.port not in (0, port):
        yield Finding(
            WARNING,
            "web",
            "public_url",
            f"{where} has the port {port}, but the pages are served on {web.port}",
            "links in pages and in messages to HR lead nowhere",
            f"Write http://{web.host}:{web.port} there, or the address of the proxy that stands before it",
        )
    if parts.scheme == "https" and not listens_local:
        yield Finding(
            HINT,
            "web",
            "host",
            "[web] host lets others reach the pages around the proxy, without encryption",
            "nobody can sign in that way, for the session's cookie is kept to encrypted connections",
            "Set host to 127.0.0.1 if the proxy runs on this machine, or let a firewall keep others out",
        )
    yield Finding(OK, "web", "public_url", f"The pages are at {web.public_url}")


def is_loopback(host: str) -> bool:
    """Whether `host` can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _accounts(home: Installation) -> Iterator[Finding]:
    if not lifecycle.is_set_up(home):
        return
    with home.store.read() as session:
        roles = session.scalars(select(Account.roles).where(Account.disabled_at.is_(None))).all()
    if not any("administrator" in own for own in roles):
        yield Finding(
            WARNING,
            "accounts",
            "administrator",
            "There is no administrator",
            "nobody can sign in to see what was pulled and to bind accounts",
            "Run: certbridge account create NAME",
        )
    else:
        yield Finding(OK, "accounts", "administrator", f"{len(roles)} accounts can sign in")
