"""Addons of somebody else: found in folders and by entry point; one that is broken or gone stops none of the others."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from plugin.addon_states import addon_states
from plugin.doctor import doctor
from plugin.errors import AddonError, ManifestError
from plugin.findings import ERROR
from plugin.installation import PACKAGES, Installation
from plugin.lifecycle import install
from plugin.manifests import discover
from plugin.models import Person
from plugin.secrets import create_key_file
from plugin.summaries import summarise
from plugin.web import create_app

MakeAddon = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]

MANIFEST = '{"name": "Acme", "version": "1.0", "license": "MIT", "depends": ["plugin"], "summary": "Traces"}'
MODELS = """
from sqlalchemy.orm import Mapped, mapped_column, relationship
from plugin.store import Base

class Mine(Base):
    __tablename__ = "own_mine"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture
def config(tmp_path: Path, make_addon: MakeAddon) -> Path:
    """A config.toml beside the folder of addons."""
    make_addon("sound", {"commands.py": "def register(cli):\n    pass\n"}, depends=["plugin"])
    path = tmp_path / "config.toml"
    path.write_text('[addons]\npath = ["own"]\n', encoding="utf-8")
    create_key_file(tmp_path / "var" / "secret.key")
    return path


@pytest.fixture
def certbridge(config: Path, child: Callable[..., subprocess.Popen[str]]) -> Run:
    """Runs the program: exit status, what it said, its messages."""

    def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
        process = child("-m", "plugin", "--config", str(config), *arguments, **environment)
        said, wrong = process.communicate(timeout=120)
        return process.returncode, said, wrong

    return run


@pytest.fixture
def opened_from(config: Path) -> Any:
    """Opens the installation of config.toml, and closes it afterwards."""
    homes: list[Installation] = []

    def open_again() -> Installation:
        homes.append(Installation.open(config))
        return homes[-1]

    yield open_again
    for home in homes:
        home.store.close()


def states(home: Installation) -> dict[str, tuple[str, str]]:
    """State and reason of those that are not of this program."""
    return {
        one.name: (one.state, one.reason) for one in addon_states(home) if one.name.partition(".")[0] not in PACKAGES
    }


@pytest.mark.parametrize(
    ("files", "keys", "says"),
    [
        ({"__manifest__.py": "{'name': "}, {}, "not a dict of plain literals"),
        ({}, {"colour": "red"}, "unknown key 'colour'"),
        ({}, {"version": "one"}, "version 'one' is not of the form"),
        ({}, {"depends": "plugin"}, "'depends' must be a list"),
        (
            {"models.py": "import no_such_module"},
            {},
            "own cannot be loaded: ModuleNotFoundError: No module named 'no_such",
        ),
        ({"models.py": "1 / 0"}, {}, "own cannot be loaded: ZeroDivisionError"),
        ({"models.py": f"{MODELS}    others = relationship('Nothing')\n"}, {}, "expression 'Nothing' failed to locate"),
        (
            {"models.py": f"{MODELS}\n\nclass Again(Base):\n    __tablename__ = 'person'\n    no: Mapped[int]\n"},
            {},
            "'person' is already defined",
        ),
        ({"tasks.py": "import no_such_module"}, {}, "its tasks cannot be loaded"),
        ({"commands.py": "import no_such_module"}, {}, "its commands cannot be loaded"),
        ({"controllers.py": "import no_such_module"}, {}, "its controllers cannot be loaded"),
        ({}, {"external_dependencies": {"python": ["no_such.module"]}}, "needs the Python library no_such.module"),
        ({}, {"external_dependencies": {"bin": ["no-such-program"]}}, "needs the program no-such-program"),
        ({}, {"depends": ["gone"]}, "it needs gone: The addon gone (needed by own) is not there"),
        ({}, {"depends": ["own"]}, "in a circle: own -> own"),
    ],
)
def test_broken_addon_is_reported_and_stops_nothing(
    opened_from: Any, make_addon: MakeAddon, files: dict[str, str], keys: dict[str, Any], says: str
) -> None:
    """It is named with its reason; the others are installed, and pages, figures and queries work without it."""
    folder = make_addon("own", **{"depends": ["plugin"], **keys})
    for name, content in files.items():
        (folder / "own" / name).write_text(content)
    home = opened_from()
    install(home, ["sound"])
    assert install(home)[-1].outcome in {"installed", "unchanged"} if "external" not in str(keys) else True
    home = opened_from()
    found = states(home)
    assert found["sound"] == ("installed", "")
    assert found["own"][0] == "cannot run"
    assert says in found["own"][1]
    client = create_app(home).test_client()
    assert client.get("/health").status_code == 200
    assert summarise(home)[0].title == "People"
    with home.store.read() as session:
        assert session.scalars(select(Person)).all() == []
    if says.startswith(("it needs", "in a circle", "needs")):
        return
    assert [one.subject for one in doctor(home) if one.level == ERROR and says in one.what] == ["own"]


@pytest.mark.parametrize("key", ["summaries", "on_start"])
def test_place_that_cannot_be_loaded_is_left_out(opened_from: Any, make_addon: MakeAddon, key: str) -> None:
    """A function that somebody else's manifest names and is not there is left out; who needs all of them is told."""
    make_addon("own", depends=["plugin"], **{key: "own.nowhere:function"})
    home = opened_from()
    install(home, ["own"])
    assert "own" not in home.provided(key)
    assert "No module named 'own.nowhere'" in home.broken["own"]
    with pytest.raises(AddonError, match=r"own\.nowhere:function"):
        home.provided(key, strict=True)


def test_broken_addon_cannot_be_installed(opened_from: Any, make_addon: MakeAddon) -> None:
    """Asked for by name, a broken addon is refused with what is wrong with it."""
    make_addon("own", depends=["plugin"], colour="red")
    with pytest.raises(AddonError, match="unknown key 'colour'"):
        install(opened_from(), ["own"])


def test_broken_addon_of_this_program_stops_everything(make_addon: MakeAddon) -> None:
    """What is wrong with a package of this program is not passed over."""
    folder = make_addon("webhooks.mine", colour="red")
    (folder / "webhooks" / "__manifest__.py").write_text("{'name': ")
    with pytest.raises(ManifestError, match="not a dict of plain literals"):
        discover([folder], [], {})


def test_addon_that_stands_twice_is_left_out(opened_from: Any, make_addon: MakeAddon, config: Path) -> None:
    """Which of two addons with one name is meant nobody knows: both are left out and named; this program's own stays."""
    folder = make_addon("own", depends=["plugin"])
    for name in ("more", "third"):
        shutil.copytree(folder / "own", config.parent / name / "own")
    kernel = config.parent / "more" / "plugin"
    shutil.copytree(folder / "own", kernel)
    config.write_text('[addons]\npath = ["own", "more", "third"]\n')
    home = opened_from()
    install(home, ["plugin"])
    assert "own" not in home.addons
    assert "plugin" in home.addons
    assert states(home)["own"][0] == "cannot run"
    assert "The addon own stands in" in home.broken["own"]
    assert str(config.parent / "more" / "own") in home.broken["own"]
    assert "The addon plugin stands in" in home.broken[str(kernel)]
    with pytest.raises(AddonError, match=r"The addon own stands in .*; remove one of them"):
        install(home, ["own"])


def test_addon_named_like_another_module_is_left_out(opened_from: Any, make_addon: MakeAddon) -> None:
    """An addon whose name means another module of the environment is named, and not mixed up with it."""
    make_addon("click", {"models.py": ""}, depends=["plugin"])
    home = opened_from()
    assert "click" not in home.addons
    assert "models of the addon click cannot be loaded" in home.broken["click"]


def test_commands_of_the_others_go_on(certbridge: Run, make_addon: MakeAddon, config: Path) -> None:
    """The real program lists, installs and helps beside an addon whose commands fail and one whose manifest is broken."""
    make_addon("own", {"commands.py": "def register(cli):\n    raise KeyError('x')\n"}, depends=["plugin"])
    make_addon("bad", colour="red")
    status, said, wrong = certbridge("addons", "install")
    assert status == 0
    assert "sound: installed" in said
    assert "bad: left out: " in wrong
    assert "unknown key 'colour'" in wrong
    status, said, _ = certbridge("addons", "list", "--format", "json")
    found = {one["name"]: one for one in json.loads(said)}
    assert found["bad"]["state"] == "cannot run"
    assert found["sound"] == {
        "name": "sound", "state": "installed", "installed": "1.0", "available": "1.0", "summary": "", "reason": "",
    }  # fmt: skip
    status, said, _ = certbridge("--help")
    assert (status, "Commands:" in said) == (0, True)
    assert certbridge("status")[0] == 0


def test_vanished_addon_with_settings_stops_nothing(certbridge: Run, make_addon: MakeAddon, config: Path) -> None:
    """Its table in config.toml is no mistake while it counts as installed; uninstalling it says to take the table out."""
    folder = make_addon("own", depends=["plugin"])
    config.write_text('[addons]\npath = ["own"]\n[own]\ncolour = "red"\n')
    assert certbridge("addons", "install", "own")[0] == 0
    shutil.rmtree(folder / "own")
    status, _, wrong = certbridge("status")
    assert status == 0
    assert "The installed addon own has vanished" in wrong.replace("\n", " ")
    _, said, _ = certbridge("addons", "list")
    assert "own                      1.0              vanished: its folder is not there any more" in said
    status, said, _ = certbridge("addons", "uninstall", "own", "--dry-run")
    assert status == 0
    assert "its code is not there or cannot run: its uninstall_hook, if it has one, is not called" in said
    assert "leaves in config.toml, for you to take out: [own]" in said
    assert "Nothing was changed" in said
    status, _, wrong = certbridge("addons", "uninstall", "own")  # nobody answers
    assert (status, "Aborted" in wrong) == (1, True)
    status, said, _ = certbridge("addons", "uninstall", "own", "--yes")
    assert status == 0
    assert "config.toml still holds [own]: take it out." in said
    status, _, wrong = certbridge("status")
    assert status == 2
    assert "the table [own] belongs to nothing that is installed here" in wrong


def test_addon_is_found_by_its_entry_point(certbridge: Run, tmp_path: Path) -> None:
    """A distribution's entry point brings its addon without any folder; one that names nothing is reported."""
    site = tmp_path / "site"
    for name in ("acme_pay", "acme_pay/inner"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").touch()
        (site / name / "__manifest__.py").write_text(MANIFEST)
    info = site / "acme_pay-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pay\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[certbridge.addons]\nacme = acme_pay\nnowhere = acme_nowhere\nbare = json\ndeep = acme_nowhere.deep\n"
    )
    path = {"PYTHONPATH": str(site)}
    assert certbridge("addons", "install", "acme_pay.inner", **path)[0] == 0
    _, said, _ = certbridge("addons", "list", **path)
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert lines["acme_pay"].endswith("not installed    Traces")
    assert lines["acme_pay.inner"].endswith("installed        Traces")
    assert "names acme_nowhere, which cannot be used: it is not installed here" in lines["acme_nowhere"]
    assert "holds no __manifest__.py" in lines["json"]
    assert "No module named 'acme_nowhere'" in lines["acme_nowhere.deep"]
    _, said, _ = certbridge("addons", "list")
    assert "acme_pay.inner           1.0              vanished" in said
