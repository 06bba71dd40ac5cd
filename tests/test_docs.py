"""The pages of docs/ lag behind nothing: manifest keys, settings, commands and extension points stand in them."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from plugin import cli as command_line
from plugin.installation import PACKAGES
from plugin.manifests import KEYS, discover, in_order
from plugin.settings import SourceSettings, StrictModel

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


def test_built_addon_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest and the task that the page shows are read and can be called as they stand."""
    manifest, task = re.findall(r"^   ```python\n(.*?)^   ```", EXTENDING, re.MULTILINE | re.DOTALL)
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    (tmp_path / "acme" / "__manifest__.py").write_text(inspect.cleandoc(manifest), encoding="utf-8")
    (tmp_path / "acme" / "tasks.py").write_text(re.sub(r"^   ", "", task, flags=re.MULTILINE), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    addons = discover([tmp_path], PACKAGES)
    assert in_order(addons, ["acme"])[-1].name == "acme"
    named = {one["task"] for one in addons["acme"].manifest["schedules"].values()}
    assert named == set(importlib.import_module("acme.tasks").TASKS)
