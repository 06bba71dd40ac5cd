"""`certbridge moodle plugin build`: the file that a Moodle administrator installs."""

import re
from pathlib import Path
from zipfile import ZipFile

from click.testing import CliRunner
from hatchling.builders.wheel import WheelBuilder

from connectors.moodle.commands import PLUGIN, register
from connectors.moodle.plugin import PREFIX
from plugin import cli as kernel

ROOT = Path(__file__).parents[3]


def build(target: Path) -> str:
    """Run the command, and what it said."""
    register(kernel.cli)
    result = CliRunner().invoke(kernel.cli, ["moodle", "plugin", "build", "-o", str(target)])
    return f"{result.exit_code} {result.output}"


def test_the_zip_holds_the_plugin_in_the_folder_that_moodle_expects(tmp_path: Path) -> None:
    """Every file of the plugin is in the zip, below 'certbridge/', and no other."""
    assert build(tmp_path / "plugin.zip").startswith("0 ")
    with ZipFile(tmp_path / "plugin.zip") as archive:
        names = {name.removeprefix("certbridge/") for name in archive.namelist()}
        assert all(name.startswith("certbridge/") for name in archive.namelist())
        assert b"'local_certbridge'" in archive.read("certbridge/version.php")
    assert names == {str(path.relative_to(PLUGIN)) for path in PLUGIN.rglob("*") if path.is_file()}
    assert {"version.php", "db/services.php", "db/install.xml", "lang/en/local_certbridge.php", "README.md"} <= names


def test_the_same_plugin_makes_the_same_bytes(tmp_path: Path) -> None:
    """Two builds of the plugin are equal, and the second replaces what was there."""
    build(tmp_path / "one.zip")
    (tmp_path / "two.zip").write_text("something older")
    build(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    """The command says which file it could not write, and how to name another one."""
    said = build(tmp_path / "nowhere" / "plugin.zip")
    assert said.startswith("1 ")
    assert re.search(r"nowhere.plugin\.zip cannot be written: .+ Name another file with -o\.", said)


def test_the_wheel_brings_the_plugin() -> None:
    """What is installed from a wheel can build the plugin too: each of its files is in the wheel."""
    inside = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {str(path.relative_to(ROOT)) for path in PLUGIN.rglob("*") if path.is_file()} <= inside


def test_every_stream_of_the_log_has_its_function_and_class() -> None:
    """What the plugin says it has, its service offers, and a class of that name answers."""
    streams = re.search(r"STREAMS = \[(.*?)\];", (PLUGIN / "classes/changes.php").read_text(), re.DOTALL)
    assert streams
    names = re.findall(r"'(\w+)'", streams[1])
    assert len(names) > 15
    offered = set(
        re.findall(r"^        '(\w+)' => '[A-Z].*\.',$", (PLUGIN / "db/services.php").read_text(), re.MULTILINE)
    )
    classes = {path.stem.removeprefix("get_") for path in PLUGIN.glob("classes/external/get_*.php")}
    assert offered == classes == {"info", "changes", *names}
    assert f'"{PREFIX}$name"' in (PLUGIN / "db/services.php").read_text()


def test_both_languages_have_the_same_texts() -> None:
    """Each text of the plugin is there in English and in Chinese, and each is used or known to Moodle by its name."""
    texts = {
        language: dict(
            re.findall(
                r"^\$string\['(.+?)'\] = '(.+)';$", (PLUGIN / f"lang/{language}/local_certbridge.php").read_text(), re.M
            )
        )
        for language in ("en", "zh_cn")
    }
    assert texts["en"].keys() == texts["zh_cn"].keys()
    assert len(texts["en"]) > 20
    assert all(re.search("[一-鿿]", text) for key, text in texts["zh_cn"].items() if key != "pluginname")
    code = "".join(path.read_text() for path in PLUGIN.rglob("*.php") if "lang" not in path.parts)
    known = {"pluginname", "certbridge:read"}
    unused = {key for key in texts["en"].keys() - known if f"'{key}'" not in code and ":" not in key}
    assert unused == set()
