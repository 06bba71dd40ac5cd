"""Settings: config.toml, the environment over it, and messages that repeat no value."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

import plugin.settings
from connectors.moodle.settings import MoodleSettings
from connectors.roster.connector import RosterSettings
from connectors.xapi.settings import XapiSettings
from metrics.settings import MetricsSettings
from plugin.errors import SettingsError
from plugin.installation import PACKAGES
from plugin.manifests import discover
from plugin.secrets import SecretReference
from plugin.settings import Settings, SourceSettings, StrictModel, load_settings
from webhooks.settings import WebhooksSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
ADDONS = ("plugin", "connectors", "metrics", "webhooks", "connectors.moodle", "connectors.roster", "webhooks.standard")

# What the tables of the example are read as: the kernel's are Settings' own.
SECTIONS: dict[str, type[BaseModel]] = {"metrics": MetricsSettings, "webhooks": WebhooksSettings}
SOURCES: dict[str, type[BaseModel]] = {"roster": RosterSettings, "lrs": XapiSettings, "moodle": MoodleSettings}
# The kinds of [privacy.retention], which the addons declare, with how long each is kept.
KINDS: dict[str, str] = {
    name: kind["keep"]
    for addon in discover([], PACKAGES).values()
    for name, kind in addon.manifest.get("privacy", {}).get("kinds", {}).items()
}


class OwnSettings(StrictModel):
    """An addon's table."""

    token: SecretReference
    number: int = 1


def load(folder: Path, text: str, environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """The settings of a file with this text."""
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment or {}, **options)


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    """Everything has a default, and relative paths start at the file's folder."""
    settings = load(tmp_path, "")
    assert settings.model_dump() == Settings().model_dump()
    assert settings.folder == tmp_path


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    """A variable overrides one key, makes tables that the file lacks, and is converted to the key's type."""
    text = '[store]\nurl = "sqlite:///a.db"\n[sources.lms]\nconnector = "x"\nurl = "https://old"\n'
    environment = {
        "CERTBRIDGE_STORE__URL": "sqlite:///b.db",
        "CERTBRIDGE_WEB__PORT": "9000",
        "CERTBRIDGE_SOURCES__LMS__URL": "https://new",
        "CERTBRIDGE_SOURCES__LMS__TOKEN": '{ env = "LMS_TOKEN" }',
        "CERTBRIDGE_ADDONS__PATH": '["one", "two"]',
        "CERTBRIDGE_WEB__HOST": "[::1]",
        "CERTBRIDGE_CONFIG": "elsewhere.toml",
        "OTHER_STORE__URL": "nobody reads this",
    }
    settings = load(tmp_path, text, environment)
    assert settings.store.url == "sqlite:///b.db"
    assert (settings.web.host, settings.web.port) == ("[::1]", 9000)
    assert settings.addons.path == (Path("one"), Path("two"))
    assert settings.sources["lms"].connector == "x"
    assert settings.sources["lms"].model_extra == {"url": "https://new", "token": {"env": "LMS_TOKEN"}}


def test_variable_below_a_single_value_is_refused_by_name(tmp_path: Path) -> None:
    """A variable that goes deeper than the file's own keys is named, its value is not."""
    with pytest.raises(
        SettingsError, match="CERTBRIDGE_STORE__URL__HOST means a key of a table, but url is"
    ) as refused:
        load(tmp_path, '[store]\nurl = "sqlite://"', {"CERTBRIDGE_STORE__URL__HOST": "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[organisation]\ncolour = 'hunter2'", r"organisation\.colour: Extra inputs are not permitted"),
        ("[organisation]\ntimezone = 'hunter2'", r"organisation\.timezone: this is no IANA time zone"),
        ("[organisation]\ncurrency = 'hunter2'", r"organisation\.currency: String should match"),
        ("[organisation]\nlanguage = 'hunter2'", r"organisation\.language: String should match"),
        ("[web]\nport = 'hunter2'", r"web\.port: Input should be a valid integer"),
        ("[web]\nport = 70000", r"web\.port: Input should be less than or equal to 65535"),
        ("[web]\nthreads = 0", r"web\.threads: Input should be greater than or equal to 1"),
        ("[log]\nlevel = 'hunter2'", r"log\.level: String should match"),
        ("store = 'hunter2'", r"store: Input should be a valid dictionary"),
        ("[sources.lms]\nurl = 'hunter2'", r"sources\.lms\.connector: Field required"),
        ("[sources.lms]\nconnector = 'x'\nevery = 'hunter2'", r"sources\.lms\.every: String should match"),
        ("[sources.lms]\nconnector = 'x'\nevery = 'PT0S'", r"sources\.lms\.every"),
        ("[sources.lms]\nconnector = 'x'\nevery = 'P5M'", r"sources\.lms\.every"),
        ("[sources.lms]\nconnector = 'x'\nevery = 'PT1D'", r"sources\.lms\.every"),
    ],
)
def test_wrong_value_is_named_and_not_repeated(tmp_path: Path, text: str, says: str) -> None:
    """A message names the file, the table, the key and the reason; the value, which may be a secret, is not in it."""
    with pytest.raises(SettingsError, match=says) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / "config.toml"))
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_what_is_no_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    """A missing file, bad TOML and another encoding are refused with what to do next."""
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read \(No such file.*copy config\.example\.toml"):
        load_settings(tmp_path / "nowhere.toml", {})
    with pytest.raises(SettingsError, match=r"is not TOML: .*line 2"):
        load(tmp_path, "[web]\nport = \n")
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(tmp_path / "config.toml", {})


def test_table_of_nothing_installed_is_refused(tmp_path: Path) -> None:
    """A table that no addon owns, a mistyped name for instance, is refused once the addons are known."""
    assert load(tmp_path, "[metrics]\n[webhoks]\n").section("metrics", MetricsSettings) == MetricsSettings()
    with pytest.raises(SettingsError, match=r"the table \[webhoks\] belongs to nothing that is installed"):
        load(tmp_path, "[metrics]\n[webhoks]\n", addons=("metrics", "webhooks"))


def test_section_of_an_addon_is_checked_by_its_model(tmp_path: Path) -> None:
    """An addon's own table and a source's own keys are read with their model; unknown keys are refused by name."""
    settings = load(tmp_path, "[own]\nnumber = 2\ntoken = { env = 'X' }\n[sources.s]\nconnector = 'c'\nnumbr = 1\n")
    assert settings.section("own", OwnSettings).number == 2
    with pytest.raises(SettingsError, match=r"\[sources.s\] numbr: Extra inputs"):
        settings.source("s", OwnSettings)


@pytest.mark.parametrize(
    "written",
    ['"hunter2"', "12345678", '["hunter2"]', '{ value = "hunter2" }', '{ env = "A", file = "hunter2" }', "{ }"],
)
def test_inline_secret_is_refused_without_repeating_it(tmp_path: Path, written: str) -> None:
    """A secret written into the file in any form is refused, and the message does not hold it."""
    with pytest.raises(SettingsError, match=r"\[own\] token") as refused:
        load(tmp_path, f"[own]\ntoken = {written}\n").section("own", OwnSettings)
    assert "hunter2" not in str(refused.value)
    assert "12345678" not in str(refused.value)


def test_settings_show_no_password() -> None:
    """The URLs of store and broker, which may hold passwords, stand in no repr."""
    values = {"store": {"url": "postgresql://u:hunter2@h/d"}, "broker": {"url": "redis://:hunter2@h"}}
    settings = Settings.model_validate(values)
    assert settings.store.url == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in f"{settings!r} {settings} {settings.store!r} {settings.broker}"


def test_settings_do_not_change_after_reading() -> None:
    """What was read cannot be set afterwards."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().web.port = 1  # type: ignore[misc]


# ── config.example.toml ──


def test_example_is_read_by_every_model() -> None:
    """The example is valid settings for the kernel, for each addon with a table and for each source's connector."""
    settings = load_settings(EXAMPLE, {}, addons=ADDONS)
    for addon, model in SECTIONS.items():
        settings.section(addon, model)
    assert set(settings.sources) == set(SOURCES)
    for source, model in SOURCES.items():
        settings.source(source, model)


# Where the example shows what a value looks like, because the default is none.
SHOWN = {"sources.roster.path", "sources.roster.columns"}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings models within a type."""
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, tuple, list, dict}:
        for part in get_args(annotation):
            yield from _models(part)


def _compare(model: type[BaseModel], given: Mapping[str, Any], read: Any, where: str) -> Iterator[str]:
    """What of `model` the example does not show, or shows with another default."""
    for name, field in model.model_fields.items():
        place = f"{where}.{name}"
        if name not in given:
            yield f"{place} is missing"
        elif inner := list(_models(field.annotation)):
            yield from _compare(inner[0], given[name], getattr(read, name), place)
        elif (
            place not in SHOWN
            and not field.is_required()
            and getattr(read, name) != field.get_default(call_default_factory=True)
        ):
            yield f"{place} differs from its default"


def _findings(text: str, folder: Path) -> list[str]:
    """Everything in which an example with this text lags behind the models."""
    settings = load(folder, text)
    given = {name: value for name, value in tomllib.loads(text).items() if name != "sources"}
    kernel = Settings.model_fields.keys() - {"sources"}
    findings = [f"[{name}] is missing" for name in sorted(({*kernel, *SECTIONS}) - given.keys())]
    for name, field in Settings.model_fields.items():
        for model in _models(field.annotation) if name in given else ():
            findings += _compare(model, given[name], getattr(settings, name), name)
    kept = given.get("privacy", {}).get("retention", {})
    for kind, keep in KINDS.items():
        if kind not in kept:
            findings.append(f"privacy.retention.{kind} is missing")
        elif kept[kind] != keep:
            findings.append(f"privacy.retention.{kind} differs from its default")
    for name, model in SECTIONS.items():
        if name in given:
            findings += _compare(model, given[name], settings.section(name, model), name)
    for name, model in SOURCES.items():
        source = tomllib.loads(text)["sources"].get(name, {})
        findings += _compare(SourceSettings, source, settings.sources[name], f"sources.{name}")
        findings += _compare(model, source, settings.source(name, model), f"sources.{name}")
    return findings


def test_example_is_complete_and_shows_the_defaults(tmp_path: Path) -> None:
    """Every key of every settings model stands in the example, with the model's default."""
    assert _findings(EXAMPLE.read_text(encoding="utf-8"), tmp_path) == []


def test_check_of_the_example_sees_what_is_left_out(tmp_path: Path) -> None:
    """The check above reports every key whose line is taken out, and every default that is changed."""
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\w+ = ", line)]
    assert len(lines) > 25
    seen = 0
    for line in lines:
        try:
            seen += bool(_findings(text.replace(line + "\n", "", 1), tmp_path))
        except SettingsError:  # a key that must be there
            seen += 1
    assert seen == len(lines)
    assert _findings(text.replace("threads = 8\n", "threads = 9\n"), tmp_path) == [
        "web.threads differs from its default"
    ]


def test_every_settings_model_is_checked_against_the_example() -> None:
    """No settings model of the program is missing from the tables that the checks above walk."""
    walked = {*SECTIONS.values(), *SOURCES.values()}
    for field in Settings.model_fields.values():
        walked |= set(_models(field.annotation))
    kernel = {
        thing for thing in vars(plugin.settings).values() if isinstance(thing, type) and issubclass(thing, StrictModel)
    }
    named = set()
    for path in [*ROOT.glob("*/settings.py"), *ROOT.glob("*/*/settings.py"), *ROOT.glob("*/*/connector.py")]:
        named |= set(re.findall(r"^class (\w+)\(StrictModel\)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert kernel - {StrictModel} <= walked
    assert named == {model.__name__ for model in walked}
