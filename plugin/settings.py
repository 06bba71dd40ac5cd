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
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from plugin.errors import SettingsError

ENVIRONMENT_PREFIX = "CERTBRIDGE_"

Section = TypeVar("Section", bound=BaseModel)


class StrictModel(BaseModel):
    """A table of config.toml: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("this is no IANA time zone; write for instance Asia/Shanghai")
    return name


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
    every: Annotated[str, Field(pattern=r"^P([1-9]\d*D|T[1-9]\d*[HMS])$")] = "PT1H"


class Settings(BaseModel):
    """The whole of config.toml."""

    model_config = ConfigDict(extra="allow", frozen=True)

    organisation: OrganisationSettings = OrganisationSettings()
    people: PeopleSettings = PeopleSettings()
    store: StoreSettings = StoreSettings()
    broker: BrokerSettings = BrokerSettings()
    web: WebSettings = WebSettings()
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
        # Only places and reasons: the values that were given may be secrets.
        findings = "; ".join(
            f"{where} {'.'.join(str(part) for part in finding['loc'])}: {finding['msg']}".replace("Value error, ", "")
            for finding in error.errors(include_input=False)
        )
        raise SettingsError(f"{findings}. Mend it; config.example.toml explains every key.") from None


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
