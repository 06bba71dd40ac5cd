"""The pages of docs/ lag behind nothing: manifest keys, settings, commands, events, rights and extension points stand in
them, and what people are shown is there in both languages. Each check is fed something that lacks its line as well.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import click
import pytest
from babel.messages.pofile import read_po

from metrics.figures import registry
from metrics.figures.words import Words
from plugin import cli as command_line
from plugin import extension_points
from plugin.extension_points import Point, Section
from plugin.manifests import KEYS, MEANINGS
from plugin.roles import RIGHTS, ROLES
from plugin.settings import SourceSettings, StrictModel
from plugin.user_controllers import ROLE_NAMES
from webhooks import wording
from webhooks.endpoints import TEST_TYPE, TYPES

ROOT = Path(__file__).parents[1]
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")


def table(page: str, heading: str) -> dict[str, str]:
    """The rows of the table under a heading, by what stands in backticks in their first column."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \| (.+) \|$", part, re.MULTILINE)
    return {name: text for names, text in rows for name in re.findall(r"`([^`]+)`", names)}


def test_every_manifest_key_has_its_line() -> None:
    """The table of manifest keys names exactly the keys that manifests may have, each with a line about it."""
    documented = table(EXTENDING, "The manifest")
    assert set(documented) == set(KEYS), sorted(set(documented) ^ set(KEYS))
    assert all(len(text) > 10 for text in documented.values())


def _leaves(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


def command_lines() -> list[str]:
    """The line of docs/commands.md for every command, as the command describes itself."""
    with patch.object(sys, "argv", ["certbridge", "--help"]), redirect_stdout(StringIO()), suppress(SystemExit):
        command_line.main()  # collects every addon's commands before it shows the help
    lines = []
    for path, command in _leaves(command_line.cli, "certbridge"):
        usage = [piece for piece in command.collect_usage_pieces(click.Context(command)) if piece != "[OPTIONS]"]
        says = inspect.cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"- `{' '.join([path, *usage])}`: {says}")
    return lines


def test_every_command_has_its_line() -> None:
    """docs/commands.md has exactly one line for each command: its usage, and what its help says first."""
    documented = [line for line in COMMANDS.splitlines() if line.startswith("- `certbridge ")]
    expected = command_lines()
    assert len(expected) > 30
    missing = "\n".join(line for line in expected if line not in documented)
    assert not missing, f"docs/commands.md lacks:\n{missing}"
    surplus = "\n".join(line for line in documented if line not in expected)
    assert not surplus, f"docs/commands.md says what no command says:\n{surplus}"
    assert len(documented) == len(expected)


def test_every_command_says_what_it_does() -> None:
    """No command and no group is without a sentence of help."""
    assert [line for line in command_lines() if re.search(r"`: \W*$", line)] == []


def silent_options(commands: Iterable[tuple[str, click.Command]]) -> list[str]:
    """The options that do not say what they are for. What `--format` does stands once, on docs/commands.md."""
    return [
        f"{path} {option.opts[0]}"
        for path, command in commands
        for option in command.params
        if isinstance(option, click.Option) and not (option.help or "").strip() and option.opts != ["--format"]
    ]


def test_every_option_says_what_it_is_for() -> None:
    """No option of any command is without its line of help."""
    command_lines()  # so that every addon's commands are there
    commands = list(_leaves(command_line.cli, "certbridge"))
    assert silent_options(commands) == []
    assert "`--format json`" in COMMANDS
    fake = click.Command("fake", params=[click.Option(["--mute"]), click.Option(["--said"], help="What it does.")])
    assert silent_options([*commands, ("certbridge fake", fake)]) == ["certbridge fake --mute"]


def _settings() -> Iterator[tuple[str, type[StrictModel]]]:
    for path in [*ROOT.glob("*/settings.py"), *ROOT.glob("*/*/settings.py"), *ROOT.glob("*/*/connector.py")]:
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, StrictModel) and thing.__module__ == module.__name__:
                yield module.__name__, thing


def test_every_setting_stands_in_the_example() -> None:
    """Each key of each settings model of the program has a line in config.example.toml."""
    keys = set(re.findall(r"^(\w+) = ", EXAMPLE, re.MULTILINE))
    found = {name: set(model.model_fields) for name, model in _settings() if model.model_fields}
    assert {"plugin.settings", "metrics.settings", "webhooks.settings", "connectors.moodle.settings"} <= found.keys()
    for where, model in [*_settings(), ("plugin.settings", SourceSettings)]:
        assert model.model_fields.keys() <= keys, where


def _looked_for() -> dict[str, set[str]]:
    """The rooms that the kernel opens, and the names that it looks for in them, as its source says."""
    found: dict[str, set[str]] = {"rooms": set(), "names": set(), "keys": set()}
    for path in (ROOT / "plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                found["keys"] |= {str(node.slice.value)} if ast.unparse(node.value).endswith(".manifest") else set()
            if not isinstance(node, ast.Call):
                continue
            texts = [str(part.value) for part in node.args if isinstance(part, ast.Constant)]
            called = ast.unparse(node.func)
            if called.endswith(".room"):
                found["rooms"].update(texts)
            elif called == "getattr":
                found["names"].update(text for text in texts if text.isupper())
            elif called.endswith((".provided", ".manifest.get")):
                found["keys"].update(texts[:1])
    return found


def test_every_extension_point_is_documented() -> None:
    """Every room that the kernel opens, every name that it looks for there and every key that it reads is on the page."""
    found = _looked_for()
    assert found["rooms"] >= {"tasks", "controllers", "commands"}
    assert found["names"] >= {"TASKS", "BLUEPRINTS", "MENU"}
    assert found["keys"] >= {"summaries", "wakes", "on_start", "schedules"}
    rooms = table(EXTENDING, "The rooms")
    assert found["rooms"] <= rooms.keys()
    assert {"models.py", "migrations", "templates", "static", "i18n", "demo"} <= rooms.keys()
    missing = sorted(name for name in found["names"] if not any(f"`{name}`" in text for text in rooms.values()))
    assert missing == []
    assert found["keys"] <= set(KEYS)
    assert "`register(cli)`" in rooms["commands"]


@pytest.mark.parametrize("place", re.findall(r"`((?:plugin|connectors|webhooks)(?:\.[a-z_]+)+\.\w+)`", EXTENDING))
def test_every_name_on_the_page_is_there(place: str) -> None:
    """What the page tells a reader to use exists under that name."""
    module, _, name = place.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


# Extension points


def test_the_page_of_extension_points_is_current() -> None:
    """docs/extension-points.md is what the code gives; every point has its line, and none is there twice."""
    told = extension_points.every()
    assert extension_points.lacking(told) == []
    assert extension_points.PAGE.read_text(encoding="utf-8") == extension_points.page(told)


FAKES = [
    (Point("fake", ""), "has no line"),
    (Point("fake", "   "), "has no line"),
    (Point("fake", "too bad"), "has no line"),
    (Point("fake", "two lines\nfor one"), "has no line"),
    (Point("standings", "something that is there already"), "is there twice"),
]


@pytest.mark.parametrize(("point", "says"), FAKES)
def test_an_undocumented_point_is_caught(point: Point, says: str) -> None:
    """A point without a line, or one that is told twice, is named; a page without it is seen to lag behind."""
    first, *rest = extension_points.every()
    told = [Section(first.title, first.lead, (*first.points, point)), *rest]
    assert extension_points.lacking(told) == [f"The manifest: {point.name} {says}"]
    assert extension_points.page(told) != extension_points.PAGE.read_text(encoding="utf-8")


def test_the_generator_refuses_and_the_check_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest key without its meaning stops the generator; a page that lags behind fails its check, and is mended by it."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(extension_points, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["extension_points", "--check"])
    with pytest.raises(SystemExit, match="lags behind the code"):
        extension_points.main()
    monkeypatch.setattr(sys, "argv", ["extension_points"])
    extension_points.main()
    monkeypatch.setattr(sys, "argv", ["extension_points", "--check"])
    extension_points.main()
    monkeypatch.setattr("plugin.manifests.KEYS", {**KEYS, "fake": str})
    with pytest.raises(SystemExit, match="The manifest: fake has no line"):
        extension_points.main()


def test_a_class_without_a_docstring_has_no_line() -> None:
    """What a dataclass or a parent says of itself is not taken for a line."""

    class Mute:
        def told(self) -> None:
            """Says something."""

        def mute(self) -> None: ...

    assert extension_points.members(Mute) == (Point("Mute.told", "Says something"), Point("Mute.mute", ""))
    assert extension_points.described(Mute) == ""


def topics_called(texts: Iterable[str]) -> set[str]:
    """The topics that these sources call by name."""
    calls = (node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {
        str(node.args[0].value)
        for node in calls
        if ast.unparse(node.func).endswith(".wake") and node.args and isinstance(node.args[0], ast.Constant)
    }


def points(title: str) -> set[str]:
    """The names of the points in a section of the page."""
    (section,) = (each for each in extension_points.every() if each.title == title)
    return {point.name for point in section.points}


def sources() -> list[str]:
    """Everything that the program is made of."""
    return [
        path.read_text(encoding="utf-8")
        for package in ("plugin", "connectors", "metrics", "webhooks")
        for path in (ROOT / package).rglob("*.py")
    ]


def test_every_topic_that_is_called_is_told() -> None:
    """Whoever wakes somebody uses a topic of the page; another one is found."""
    called = topics_called(sources())
    assert {"people_touched", "events_appended"} <= called <= points("Topics")
    assert topics_called(["home.wake('secret_topic')"]) - points("Topics") == {"secret_topic"}


def test_every_room_that_is_opened_is_told() -> None:
    """The kernel opens no room that the page does not have."""
    rooms = {name.removesuffix(".py").removesuffix("/") for name in points("The rooms of an addon")}
    assert _looked_for()["rooms"] <= rooms
    assert not {"fake"} <= rooms


def test_every_key_has_its_meaning() -> None:
    """Keys of manifests have one line beside them each, and nothing else has."""
    assert MEANINGS.keys() == KEYS.keys()


# What people are shown


def chinese(package: str) -> dict[str, str]:
    """The texts of a package in Simplified Chinese."""
    place = ROOT / package / "i18n" / "zh_Hans_CN" / "LC_MESSAGES" / "messages.po"
    with place.open("rb") as file:
        return {str(each.id): str(each.string) for each in read_po(file, locale="zh_Hans_CN") if each.id}


def test_every_type_of_event_is_told_and_named() -> None:
    """Types of events stand on the page of the webhooks and on that of extension points, with a name in both languages."""
    types = {*TYPES, TEST_TYPE}
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert types == points("Types of events") == wording.TYPES.keys()
    assert [name for name in types if name not in page] == []
    texts = chinese("webhooks")
    assert [name for name in wording.TYPES.values() if not texts.get(str(name))] == []


def test_roles_are_named_in_both_languages() -> None:
    """Every role has a name, translated; every right has its row on docs/roles.md (tests/plugin/test_roles.py compares it)."""
    assert ROLE_NAMES.keys() == set(ROLES)
    texts = chinese("plugin")
    assert [name for name in ROLE_NAMES.values() if not texts.get(str(name))] == []
    page = (ROOT / "docs" / "roles.md").read_text(encoding="utf-8")
    undocumented = [right for right in (*RIGHTS, "fake.see") if f"| `{right}` |" not in page]
    assert undocumented == ["fake.see"]


def untranslated(named: Iterable[tuple[str, Words]]) -> list[str]:
    """The words that are empty or the same in both languages, or have no Chinese sign in the Chinese one."""
    return [
        name
        for name, words in named
        if not words.en.strip() or words.en == words.zh_Hans_CN or not re.search("[\u4e00-\u9fff]", words.zh_Hans_CN)
    ]


def figure_words() -> Iterator[tuple[str, Words]]:
    """Every text of every figure."""
    for name, figure in registry.figures().items():
        yield f"{name}.title", figure.title
        yield f"{name}.definition", figure.definition
        yield from ((f"{name}.{code}", words) for code, words in figure.words.items())


def test_every_figure_is_explained_in_both_languages() -> None:
    """Title, definition and counts of every figure are there in Chinese too, and the page of figures has each."""
    assert untranslated(figure_words()) == []
    assert untranslated([("same", Words("Rate", "Rate")), ("mute", Words("Rate", "")), ("told", Words("Rate", "比率"))]) == [
        "same", "mute",
    ]  # fmt: skip
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    assert [name for name in registry.figures() if f"`{name}`" not in page] == []
