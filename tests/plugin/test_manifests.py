"""Manifests: what is read, what is refused and how, and the order of addons."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin.errors import DependencyError, ManifestError
from plugin.installation import PACKAGES
from plugin.manifests import KEYS, Addon, check_external, complete, discover, in_order, read_manifest

GOOD = {"name": "An addon", "version": "1.0", "license": "MIT", "depends": ["plugin"]}


def addons(**depends: list[str]) -> dict[str, Addon]:
    """Addons by name, with what each depends on."""
    return {name: Addon(name, Path(name), {**GOOD, "depends": others}) for name, others in depends.items()}


def read(folder: Path, text: str) -> dict[str, Any]:
    """What the manifest with this text says."""
    path = folder / "__manifest__.py"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"version": "17.0.1.0.0"},
        {"version": "1.2.3"},
        {"external_dependencies": {"python": ["requests"], "bin": ["sh"]}},
        {
            "schedules": {"a.do": {"task": "a.do", "every": "PT5M", "argument": "x"}},
            "wakes": {"people_touched": "a.do"},
        },
        {"connector": "a.b:C", "target": "a:C", "on_start": "a.b.c:d", "summaries": "a:b"},
        {"summary": "", "description": "", "author": "", "website": "", "category": ""},
        {"auto_install": True, "installable": False},
        {"data": ["data/position.csv", "a-b.toml"], "demo": [], "loads": {"colour": "a.b:c"}, "keeps": ["table"]},
        {"pre_init_hook": "fill", "post_init_hook": "a.b:fill", "uninstall_hook": "a:b"},
    ],
)
def test_good_manifest_is_read_as_it_is(tmp_path: Path, keys: dict[str, Any]) -> None:
    """Every known key with a well-formed value is accepted and handed on unchanged."""
    assert read(tmp_path, repr({**GOOD, **keys})) == {**GOOD, **keys}


def test_manifest_is_never_executed(tmp_path: Path) -> None:
    """Code in a manifest is refused and does not run."""
    trace = tmp_path / "trace"
    with pytest.raises(ManifestError, match="not a dict of plain literals"):
        read(tmp_path, f"{{**{GOOD!r}, 'summary': open({str(trace)!r}, 'w').write('ran')}}")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{'name': ", "not a dict of plain literals"),
        ("{[]: 1}", "not a dict of plain literals"),
        ("[" * 3000 + "]" * 3000, "not a dict of plain literals"),
        ("['name']", "holds list; a manifest is one dict"),
    ],
)
def test_what_is_no_dict_of_literals_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Bad syntax, what cannot be a key, what is nested too deeply and other literals are refused with the file's name."""
    with pytest.raises(ManifestError, match=says) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "__manifest__.py") in str(refused.value)


def test_manifest_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """A manifest in another encoding is a ManifestError as well."""
    (tmp_path / "__manifest__.py").write_bytes(b"{'name': '\xff'}")
    with pytest.raises(ManifestError, match="not a dict of plain literals"):
        read_manifest(tmp_path / "__manifest__.py")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"colour": "red"}, "unknown key 'colour'; the known ones are name, version"),
        ({1: "red"}, "unknown key 1"),
        ({"depends": "plugin"}, "'depends' must be a list, not str"),
        ({"auto_install": "yes"}, "'auto_install' must be a bool, not str"),
        ({"depends": ["plugin", 1]}, "'depends' must be a list of addons' names"),
        ({"external_dependencies": {"python": "requests"}}, "'external_dependencies' must be lists of names"),
        ({"external_dependencies": {"ruby": ["rails"]}}, "'external_dependencies' must be lists of names"),
        ({"schedules": {"a": {"task": "a"}}}, "'schedules' must be a dict with 'task' and 'every'"),
        ({"schedules": {"a": "PT5M"}}, "'schedules' must be a dict with 'task' and 'every'"),
        ({"schedules": {"a": {"task": "a", "every": 5}}}, "'schedules' must be a dict with 'task' and 'every'"),
        ({"schedules": {"a": {"task": "a", "every": "PT5M", "at": "noon"}}}, "'schedules' must be"),
        ({"wakes": {"people_touched": ["a"]}}, "'wakes' must be tasks' names under topics"),
        ({"connector": "a.b.C"}, "'connector' must be 'module:attribute'"),
        ({"target": ":C"}, "'target' must be 'module:attribute'"),
        ({"on_start": "a:"}, "'on_start' must be 'module:attribute'"),
        ({"summaries": "a b:c"}, "'summaries' must be 'module:attribute'"),
        ({"data": "position.csv"}, "'data' must be a list"),
        ({"data": ["../position.csv"]}, "'data' must be a list of .csv and .toml files"),
        ({"data": ["/etc/position.csv"]}, "'data' must be a list of .csv and .toml files"),
        ({"data": ["position.xml"]}, "'data' must be a list of .csv and .toml files"),
        ({"demo": ["a.csv", "a.csv"]}, "'demo' must be a list of .csv and .toml files, each once"),
        ({"loads": {"colour": "a.b"}}, "'loads' must be 'module:function' under the names"),
        ({"loads": {"a-b": "a:b"}}, "'loads' must be 'module:function' under the names"),
        ({"loads": {"a": 1}}, "'loads' must be 'module:function' under the names"),
        ({"keeps": [1]}, "'keeps' must be a list of tables' names"),
        ({"pre_init_hook": "a.b"}, "'pre_init_hook' must be the name of a function in the addon's package"),
        ({"post_init_hook": "a b"}, "'post_init_hook' must be the name of a function"),
        ({"uninstall_hook": "a:b:c"}, "'uninstall_hook' must be the name of a function"),
        ({"version": "one"}, "version 'one' is not of the form"),
        ({"version": "1"}, "version '1' is not of the form"),
        ({"version": "1.0\n"}, "is not of the form"),
        ({"version": "1.1.0.0"}, "version '1.1.0.0' is not of the form"),
    ],
)
def test_malformed_key_is_named(tmp_path: Path, keys: dict[Any, Any], says: str) -> None:
    """An unknown key, a value of the wrong type or shape, and a bad version are refused by name."""
    with pytest.raises(ManifestError, match=says):
        read(tmp_path, repr({**GOOD, **keys}))


@pytest.mark.parametrize("key", ["name", "version", "license", "depends"])
def test_missing_key_is_named(tmp_path: Path, key: str) -> None:
    """Each of the four keys that a manifest must have is named when it is missing."""
    with pytest.raises(ManifestError, match=f"the key '{key}' is missing"):
        read(tmp_path, repr({name: value for name, value in GOOD.items() if name != key}))


def test_every_type_is_checked(tmp_path: Path) -> None:
    """No known key accepts a value of another type."""
    for key in KEYS:
        with pytest.raises(ManifestError, match=f"'{key}' must be"):
            read(tmp_path, repr({**GOOD, key: 1.5}))


def test_order_is_by_depth_then_name() -> None:
    """Each addon comes after what it depends on; those of one depth come by name."""
    found = addons(z=[], b=["z"], a=["z", "c"], c=["z"], y=[])
    assert [addon.name for addon in in_order(found)] == ["y", "z", "b", "c", "a"]
    assert [addon.name for addon in in_order(found, ["a"])] == ["z", "c", "a"]


def test_circle_is_named() -> None:
    """Addons that depend on one another are refused, with the circle but without what leads to it."""
    with pytest.raises(DependencyError, match="in a circle: b -> c -> b;"):
        in_order(addons(a=["b"], b=["c"], c=["b"]))


def test_missing_dependency_is_named_with_who_needs_it() -> None:
    """What is missing is named, and by whom it is needed; so is a wanted addon that is not there."""
    with pytest.raises(DependencyError, match=r"The addon c \(needed by b\) is not there"):
        in_order(addons(a=["b"], b=["c"]))
    with pytest.raises(DependencyError, match="The addon x is not there"):
        in_order(addons(a=[]), ["x"])


def test_complete_leaves_out_what_stands_on_something_missing() -> None:
    """An addon whose dependency is missing, or that depends on itself, is left out with those on it; the others stay."""
    assert list(complete(addons(a=[], b=["c"], c=["b"], d=["b"], e=["a"]))) == ["a", "e"]
    assert list(complete(addons(a=[], b=["a"], c=["gone"], d=["c"], e=["d", "a"]))) == ["a", "b"]


def test_missing_module_and_program_are_named() -> None:
    """A Python library or a program that is not on this machine is named; those that are there pass."""
    check_external(Addon("a", Path("a"), {**GOOD, "external_dependencies": {"python": ["json"], "bin": ["sh"]}}))
    with pytest.raises(DependencyError, match="addon a needs the Python library no_such_library"):
        check_external(Addon("a", Path("a"), {**GOOD, "external_dependencies": {"python": ["no_such_library"]}}))
    with pytest.raises(DependencyError, match="addon a needs the program no-such-program"):
        check_external(Addon("a", Path("a"), {**GOOD, "external_dependencies": {"bin": ["no-such-program"]}}))


def test_own_addons_are_found_in_their_folder(make_addon: Callable[..., Path]) -> None:
    """Addons in a folder are found by name, those inside them too; what has no manifest or is off is passed over."""
    folder = make_addon("alpha")
    make_addon("alpha.inner", version="2.1")
    make_addon("off", installable=False)
    make_addon("off.inner")
    (folder / "no_addon" / "inner").mkdir(parents=True)
    (folder / "a_file.py").touch()
    found = discover([folder])
    assert sorted(found) == ["alpha", "alpha.inner", "off.inner"]
    assert found["alpha.inner"].version == "2.1"
    assert found["alpha.inner"].path == folder / "alpha" / "inner"


def test_package_that_is_not_installed_is_passed_over() -> None:
    """The packages of this program are found with what is inside them; one that is not there hinders nothing."""
    found = discover([], [*PACKAGES, "no_such_package"])
    assert {"plugin", "connectors", "connectors.moodle", "metrics", "webhooks"} <= set(found)
    assert in_order(found)[0].name == "plugin"


def test_addon_that_stands_twice_is_refused(make_addon: Callable[..., Path]) -> None:
    """Two folders with one name are refused, and both are named."""
    folder = make_addon("plugin")
    with pytest.raises(ManifestError, match="The addon plugin stands in") as refused:
        discover([folder], PACKAGES)
    assert str(folder / "plugin") in str(refused.value)
