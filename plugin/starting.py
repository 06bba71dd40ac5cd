"""The first install, step by step: settings, key, addons, administrator. What is there already is left as it is.

So it can be run again after it has failed half way: each step looks first whether it has been done. config.toml is
written last of what it refers to, whole or not at all, and never over another one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from plugin import lifecycle
from plugin.accounts import create_account
from plugin.audit import record_act
from plugin.errors import SettingsError
from plugin.installation import Installation
from plugin.models import Account
from plugin.secrets import KeyRing, create_key_file
from plugin.settings import load_settings
from plugin.store import holds_password

TOKEN_FILE = "moodle.token"  # noqa: S105 - where a token is, not what it is
MOODLE_PAGES = ("/login/index.php", "/login", "/my", "/index.php")


@dataclass(frozen=True)
class Wishes:
    """What config.toml is to say; None where nothing was said, which leaves CertBridge's own default.

    `moodle_token` is the file that holds the token, never the token.
    """

    organisation: str | None = None
    timezone: str | None = None
    language: str | None = None
    currency: str | None = None
    database: str | None = field(default=None, repr=False)
    roster: Path | None = None
    moodle_url: str | None = None
    moodle_token: Path | None = None


# Where each wish stands in config.toml.
PLACES: dict[str, tuple[str, ...]] = {
    "organisation": ("organisation", "name"),
    "timezone": ("organisation", "timezone"),
    "language": ("organisation", "language"),
    "currency": ("organisation", "currency"),
    "database": ("store", "url"),
    "roster": ("sources", "roster", "path"),
    "moodle_url": ("sources", "moodle", "url"),
    "moodle_token": ("sources", "moodle", "token", "file"),
}


def write_settings(config: Path, wishes: Wishes) -> None:
    """Write config.toml, readable by this user only. Raises SettingsError when there is one, or it cannot be written."""
    new = config.with_name(config.name + ".new")
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        # The key and the database stand there, so it is closed to others from the first.
        (config.parent / "var").mkdir(mode=0o700, exist_ok=True)
        new.unlink(missing_ok=True)  # left by somebody who was killed
        _write_private(new, settings_text(config.parent, wishes))
        load_settings(new)  # what it says must be good before it counts
        os.link(new, config)  # unlike a rename, this never replaces what is there
    except FileExistsError:
        raise SettingsError(f"{config} is there already; it is never overwritten.") from None
    except OSError as error:
        raise SettingsError(f"{config} cannot be written ({error.strerror}); check its folder.") from None
    finally:
        new.unlink(missing_ok=True)


def settings_text(folder: Path, wishes: Wishes) -> str:
    """The text of config.toml, with paths as they are seen from `folder`."""
    said = {wish.name: _as_written(getattr(wishes, wish.name), folder) for wish in fields(wishes)}
    lines = ["# Made by 'certbridge init'. config.example.toml explains every key, those too that are not here."]
    tables: dict[str, list[str]] = {
        "organisation": [
            f"{PLACES[name][1]} = {_quoted(said[name])}"
            for name in ("organisation", "timezone", "language", "currency")
            if said[name]
        ],
        "store": [f"url = {_quoted(said['database'])}"] if said["database"] else [],
        "sources.roster": [
            'connector = "connectors.roster"',
            f"path = {_quoted(said['roster'] or 'roster.csv')}",
        ],
        "sources.moodle": [
            'connector = "connectors.moodle"',
            f"url = {_quoted(said['moodle_url'])}",
            f"token = {{ file = {_quoted(said['moodle_token'] or TOKEN_FILE)} }}",
        ]
        if said["moodle_url"]
        else [],
    }
    for name, keys in tables.items():
        if keys:
            lines += ["", f"[{name}]", *keys]
    return "\n".join(lines) + "\n"


def _as_written(value: str | Path | None, folder: Path) -> str | None:
    """A path as config.toml names it: relative where it lies below the folder, so that the folder can be moved."""
    if not isinstance(value, Path):
        return value
    whole, base = value.expanduser().resolve(), folder.resolve()
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)


def _quoted(text: str | None) -> str:
    """`text` as TOML writes a string; JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(text or "", ensure_ascii=False).replace("\x7f", "\\u007f")


def differences(config: Path, wishes: Wishes) -> list[str]:
    """What the config.toml that is there says otherwise than `wishes`, each with the line that would say it.

    Raises SettingsError when the file cannot be read.
    """
    written = load_settings(config, {}).model_dump()
    found = []
    for name, place in PLACES.items():
        wished = _as_written(getattr(wishes, name), config.parent)
        if wished is not None and _looked_up(written, place) != wished:
            *tables, key = place if name != "moodle_token" else place[:-1]
            value = f"{{ file = {_quoted(wished)} }}" if name == "moodle_token" else _quoted(wished)
            found.append(f"[{'.'.join(tables)}] {key} = {value}")
    return found


def _looked_up(values: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    found: Any = values
    for part in place:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def keep_token(folder: Path, token: str) -> Path:
    """Write the token into a file beside config.toml, readable by this user only; a file that is there is left."""
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_private(path, token + "\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); check its folder.") from None
    return path


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def make_key(home: Installation) -> bool:
    """Make the key file; whether it had to be made. Raises SecretError for one that cannot be used."""
    if home.key_file.exists():
        KeyRing.from_file(home.key_file)
        return False
    create_key_file(home.key_file)
    return True


def install_all(home: Installation) -> list[lifecycle.Installed]:
    """Install every addon; those that were changed."""
    return [done for done in lifecycle.install(home) if done.outcome != "unchanged"]


def administrators(home: Installation) -> list[str]:
    """The logins of the administrators that there are."""
    with home.store.read() as session:
        accounts = session.execute(select(Account.login, Account.roles).where(Account.disabled_at.is_(None)))
        return sorted(login for login, roles in accounts if "administrator" in roles)


def make_administrator(home: Installation, login: str, password: str, actor: str) -> None:
    """Create the first administrator. Raises RefusedError."""
    now = home.clock()
    with home.store.write() as session:
        create_account(session, login, password, ["administrator"], now)
        after = {"roles": ["administrator"]}
        record_act(session, actor, "account.create", f"account:{login}", now, after=after)


# What was entered ------------------------------------------------------------------------------------------------------


def site_address(text: str) -> str:
    """The address of a Moodle site, from what people copy out of their browser. Raises ValueError."""
    url = text.strip().partition("?")[0].partition("#")[0].rstrip("/")
    for page in MOODLE_PAGES:
        url = url.removesuffix(page).rstrip("/")
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if scheme not in ("http", "https") or not host or any(one.isspace() for one in url):
        raise ValueError("this is no address of a site; write for instance https://moodle.example")
    if "@" in host:
        raise ValueError("take the user and the password out of the address; a token is asked for instead")
    return url


def database_url(text: str) -> str:
    """The URL of a database, as config.toml may hold it. Raises ValueError, which never repeats it."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("this is no URL of a database; write sqlite:///… or postgresql://user@host/name") from None
    if holds_password(url):
        raise ValueError(
            "a password is not written into config.toml: put it into ~/.pgpass and leave it out here, or set the whole URL "
            "as CERTBRIDGE_STORE__URL in the environment and leave --database out"
        )
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("this kind of database is not served; use sqlite:///… or postgresql://…")
    return text


def zone_name(text: str) -> str:
    """An IANA time zone. Raises ValueError."""
    if text not in available_timezones():
        raise ValueError("this is no IANA time zone; write for instance Europe/Berlin or Asia/Shanghai")
    return text


def machine_zone(link: Path = Path("/etc/localtime")) -> str:
    """The time zone of this machine, as a first guess; UTC when it does not say."""
    name = str(link.resolve()).rpartition("zoneinfo/")[2]
    return name if name in available_timezones() and name != "Etc/UTC" else "UTC"


def currency_code(text: str) -> str:
    """A currency's code of three letters. Raises ValueError."""
    code = text.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise ValueError("a currency has a code of three letters, for instance EUR or CNY")
    return code
