"""What an operator sets: `config.toml`, with single values overridden by the environment.

`CERTBRIDGE_STORE__URL=…` overrides `url` of the table `[store]`. Tables named after an addon (`[webhooks]`) are
that addon's own; it reads them with `Settings.section`. Every key stands, explained, in config.example.toml.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from plugin.errors import SettingsError
from plugin.mail.addresses import checked_address, checked_sender
from plugin.moments import Duration
from plugin.roles import ROLES
from plugin.secrets import SecretReference

ENVIRONMENT_PREFIX = "CERTBRIDGE_"
INTERVAL = r"^P([1-9]\d*D|T[1-9]\d*[HMS])$"  # what plugin.schedules.seconds_of reads

Section = TypeVar("Section", bound=BaseModel)


class StrictModel(BaseModel):
    """A table of config.toml: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("this is no IANA time zone; write for instance Asia/Shanghai")
    return name


def _checked_issuer(issuer: str) -> str:
    """An OpenID provider's address: https, or http on this machine; empty for none."""
    parts = urlsplit(issuer)
    if issuer and (parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("this is no issuer; write the address that the provider names as its own: https://…")
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("an issuer has an https:// address; http:// is for trying out on this machine only")
    return issuer


class OrganisationSettings(StrictModel):
    """`[organisation]`: one per installation."""

    name: str = "My organisation"
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    language: Annotated[str, Field(pattern="^(en|zh_Hans_CN)$")] = "en"

    @property
    def zone(self) -> ZoneInfo:
        """The organisation's time zone."""
        return ZoneInfo(self.timezone)


class PeopleSettings(StrictModel):
    """`[people]`: which source creates, changes and ends persons."""

    authority: str = "roster"


class StoreSettings(StrictModel):
    """`[store]`: the database. Its URL may hold a password when it comes from the environment."""

    url: Annotated[str, Field(repr=False)] = "sqlite:///var/certbridge.db"


class BrokerSettings(StrictModel):
    """`[broker]`: what carries Celery's messages between processes; memory:// serves `certbridge run` only."""

    url: Annotated[str, Field(repr=False)] = "memory://"


class WebSettings(StrictModel):
    """`[web]`: the pages and the API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8800
    public_url: str = "http://127.0.0.1:8800"
    threads: Annotated[int, Field(ge=1)] = 8
    requests_a_minute: Annotated[int, Field(ge=0)] = 600


class MailSettings(StrictModel):
    """`[mail]`: the server that sends our mails. Without a host, mails are kept and not sent."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Annotated[str, Field(pattern="^(none|starttls|tls)$")] = "starttls"
    ca_file: str = ""
    user: str = ""
    password: SecretReference = SecretReference(env="MAIL_PASSWORD")
    sender: Annotated[str, AfterValidator(checked_sender)] = "CertBridge <certbridge@localhost>"
    operators: tuple[Annotated[str, AfterValidator(checked_address)], ...] = ()
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 30
    retry_seconds: tuple[Annotated[int, Field(ge=1)], ...] = (60, 300, 1800, 7200, 21600, 43200, 86400)
    digest_after: Annotated[str, Field(pattern=INTERVAL)] = "PT4H"
    hold_days: Annotated[int, Field(ge=1)] = 7
    keep_days: Annotated[int, Field(ge=1)] = 180

    @property
    def enabled(self) -> bool:
        """Whether there is a server to send with."""
        return bool(self.host)

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> "MailSettings":
        if self.user and self.security == "none":
            raise ValueError('a password is not sent in clear: set security to "starttls" or "tls", or take user out')
        return self


class SignInSettings(StrictModel):
    """`[sign_in]`: how long sessions last, and an OpenID provider that may say who somebody is."""

    idle_hours: Annotated[int, Field(ge=1, le=168)] = 12
    longest_hours: Annotated[int, Field(ge=1, le=720)] = 24
    issuer: Annotated[str, AfterValidator(_checked_issuer)] = ""
    client_id: str = ""
    client_secret: SecretReference = SecretReference(env="OIDC_CLIENT_SECRET")
    label: str = "OpenID Connect"
    scopes: str = "openid profile email"
    login_claim: str = "preferred_username"
    number_claim: str = ""
    groups_claim: str = "groups"
    roles: dict[str, str] = {}
    link_by: tuple[Annotated[str, Field(pattern="^(email|employee_number|login)$")], ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> "SignInSettings":
        if self.issuer and not self.client_id:
            raise ValueError("issuer needs client_id: what the provider calls this installation")
        if "employee_number" in self.link_by and not self.number_claim:
            raise ValueError('link_by "employee_number" needs number_claim: the claim that holds it')
        for role in self.roles.values():
            if role not in ROLES:
                raise ValueError(f"roles: there is no role {role!r}; the roles are {', '.join(ROLES)}")
        return self


def _checked_keep(text: str) -> str:
    """How long something is kept: an ISO 8601 duration, or `never` for what never goes by itself."""
    if text != "never" and Duration.parse(text).is_zero:
        raise ValueError('a duration is at least PT1S; write "never" for what is not to go by itself')
    return text


class PrivacySettings(BaseModel):
    """`[privacy]`: how long each kind of record is kept, in the table `[privacy.retention]`; docs/privacy.md lists the kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retention: dict[str, Annotated[str, AfterValidator(_checked_keep)]] = {}


class SecretsSettings(StrictModel):
    """`[secrets]`: the file of keys that encrypt what people enter and sign their sessions."""

    key_file: Path = Path("var/secret.key")


class LogSettings(StrictModel):
    """`[log]`: how much is said on standard error."""

    level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"


class AddonsSettings(StrictModel):
    """`[addons]`: folders with addons of your own."""

    path: tuple[Path, ...] = ()


class SourceSettings(BaseModel):
    """`[sources.NAME]`: what every source has; the connector's own keys stand beside these."""

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str
    every: Annotated[str, Field(pattern=INTERVAL)] = "PT1H"
    alert_failures: Annotated[int, Field(ge=1, le=1000)] = 3
    alert_after: Annotated[str, Field(pattern=INTERVAL)] = "P1D"
    compare_at: Annotated[str, Field(pattern=r"^(never|([01]\d|2[0-3]):[0-5]\d)$")] = "02:00"


class Settings(BaseModel):
    """The whole of config.toml."""

    model_config = ConfigDict(extra="allow", frozen=True)

    organisation: OrganisationSettings = OrganisationSettings()
    people: PeopleSettings = PeopleSettings()
    store: StoreSettings = StoreSettings()
    broker: BrokerSettings = BrokerSettings()
    web: WebSettings = WebSettings()
    mail: MailSettings = MailSettings()
    sign_in: SignInSettings = SignInSettings()
    privacy: PrivacySettings = PrivacySettings()
    secrets: SecretsSettings = SecretsSettings()
    log: LogSettings = LogSettings()
    addons: AddonsSettings = AddonsSettings()
    sources: dict[str, SourceSettings] = {}

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Where relative paths of config.toml start: the folder that it stands in."""
        return self._folder

    def section(self, addon: str, model: type[Section]) -> Section:
        """The addon's own table, read as `model`. Raises SettingsError."""
        return _validated(model, (self.model_extra or {}).get(addon, {}), f"[{addon}]")

    def source(self, name: str, model: type[Section]) -> Section:
        """The keys of `[sources.NAME]` that are the connector's own, read as `model`. Raises SettingsError."""
        return _validated(model, self.sources[name].model_extra or {}, f"[sources.{name}]")


def _validated(model: type[Section], values: Any, where: str) -> Section:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # Only places and reasons: the values that were given may be secrets. What is raised has no context for that reason.
        findings = "; ".join(
            f"{where} {'.'.join(str(part) for part in finding['loc'])}: {finding['msg']}".replace("Value error, ", "")
            for finding in error.errors(include_input=False)
        )
    raise SettingsError(f"{findings}. Mend it; config.example.toml explains every key.")


def _with_environment(values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            *tables, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            table = values
            for part in tables:
                table = table.setdefault(part, {})
                if not isinstance(table, dict):
                    raise SettingsError(
                        f"{name} means a key of a table, but {part} is a single value; mend one of them."
                    )
            table[key] = _from_text(value)
    return values


def _from_text(text: str) -> Any:
    """What an environment variable holds: a list or a table as TOML writes them, or else the text itself."""
    if text.startswith(("[", "{")):
        with suppress(tomllib.TOMLDecodeError):
            return tomllib.loads(f"value = {text}")["value"]
    return text


def load_settings(path: Path, environment: Mapping[str, str] = os.environ, addons: tuple[str, ...] = ()) -> Settings:
    """Read the file `path`; `addons` are the names that may have a table of their own.

    Raises SettingsError that names the file, the table, the key and the mend.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); copy config.example.toml there, or name another file with --config."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}. Mend that line.") from None
    settings = _validated(Settings, _with_environment(values, environment), str(path))
    settings._folder = path.resolve().parent
    unknown = sorted(set(settings.model_extra or {}) - set(addons))
    if addons and unknown:
        raise SettingsError(
            f"{path}: the table [{unknown[0]}] belongs to nothing that is installed here; remove it or mend its name."
        )
    return settings
