"""Addons: finding their folders, reading their manifests, putting them in the order of their dependencies.

What is wrong with an addon of this program stops everything. An addon of somebody else with a broken manifest is left
out, so that the others run; who looks for addons hands in a dict `broken` that says, by name, why.

A manifest is a dict literal in `__manifest__.py`, read with `ast.literal_eval` and never executed, with the
keys that Odoo's manifests have where the meaning is the same. docs/extending.md explains each key.
"""

import ast
import importlib.metadata
import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.errors import DependencyError, ManifestError

MANIFEST = "__manifest__.py"
OWN = ("plugin", "connectors", "metrics", "webhooks")  # the packages of this program
ENTRY_POINTS = "certbridge.addons"  # the group of entry points that name the packages of installed addons

KEYS: dict[str, type] = {
    "name": str,
    "version": str,
    "summary": str,
    "description": str,
    "author": str,
    "website": str,
    "license": str,
    "category": str,
    "depends": list,
    "external_dependencies": dict,
    "data": list,
    "demo": list,
    "loads": dict,
    "keeps": list,
    "pre_init_hook": str,
    "post_init_hook": str,
    "uninstall_hook": str,
    "connector": str,
    "target": str,
    "schedules": dict,
    "wakes": dict,
    "on_start": str,
    "summaries": str,
    "sealed": dict,
    "standings": str,
    "roster_kinds": str,
    "doctor": str,
    "alerts": str,
    "encrypted": list,
    "rekey": str,
    "privacy": dict,
    "auto_install": bool,
    "installable": bool,
}
# What each key is for, in a line; docs/extension-points.md is made of them, and docs/extending.md says more.
MEANINGS = {
    "name": "what people call the addon",
    "version": "`x.y` or `x.y.z`; an Odoo series may stand before it",
    "summary": "one line, for `certbridge addons list`",
    "description": "more than a line",
    "author": "who wrote it",
    "website": "where to read about it",
    "license": "its SPDX identifier",
    "category": "Pull, Derive or Push, or a word of one's own",
    "depends": "the addons that it stands on, which are installed first",
    "external_dependencies": "Python modules and programs that must be on the machine",
    "data": "files that are loaded when it is installed or upgraded",
    "demo": "files that are loaded with `--demo` only",
    "loads": "functions that make something of TOML data files of a name",
    "keeps": "tables whose rows outlive an uninstall",
    "pre_init_hook": "a function that is called before its tables are made",
    "post_init_hook": "a function that is called when all of it is there",
    "uninstall_hook": "a function that is called before anything of it is taken out",
    "connector": "the class of a system that is pulled from",
    "target": "the class of a kind of endpoint that events are sent to",
    "schedules": "work that comes back, by tasks and intervals",
    "wakes": "tasks that run at once when a topic is called",
    "on_start": "a function that is called before `run`, `worker` and `scheduler` begin",
    "summaries": "lines for the start page and `certbridge status`",
    "sealed": "append-only tables whose rows go into the audit chain",
    "standings": "where persons would stand, for pages that show what an act would change",
    "roster_kinds": "kinds of files of people that it takes, beside those of the roster",
    "doctor": "findings for `certbridge doctor`",
    "alerts": "troubles that somebody must be told of",
    "encrypted": "columns that are encrypted with the key file",
    "rekey": "a function that renews what was made with an older key",
    "privacy": "which tables hold personal data, and what erasing and retention do with it",
    "auto_install": "whether it is part of every installation",
    "installable": "`False` hides it",
}
REQUIRED = ("name", "version", "license", "depends")
VERSION = re.compile(r"(\d+\.0\.)?\d+\.\d+(\.\d+)?")
PLACE = re.compile(r"\w+(\.\w+)*:\w+")
HOOK = re.compile(r"\w+|\w+(\.\w+)*:\w+")
COLUMN = re.compile(r"\w+\.\w+")
DATA_FILE = re.compile(r"(\w[\w.-]*/)*\w[\w.-]*\.(csv|toml)")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_schedule(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"task", "every"} <= value.keys() <= {"task", "every", "argument"}
        and all(isinstance(text, str) for text in value.values())
    )


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and PLACE.fullmatch(value) is not None


def _is_hook(value: Any) -> bool:
    return HOOK.fullmatch(value) is not None


def _are_files(value: Any) -> bool:
    return _are_texts(value) and all(DATA_FILE.fullmatch(item) for item in value) and len(set(value)) == len(value)


# What the values of a key must look like within, and how that is said.
A_HOOK = "the name of a function in the addon's package, or 'module:function'"
FILES = "a list of .csv and .toml files, each once, by their paths within the addon"
SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "depends": (_are_texts, "a list of addons' names"),
    "external_dependencies": (
        lambda value: value.keys() <= {"python", "bin"} and all(_are_texts(names) for names in value.values()),
        "lists of names under 'python' and 'bin'",
    ),
    "schedules": (
        lambda value: all(isinstance(name, str) and _is_schedule(value[name]) for name in value),
        "a dict with 'task' and 'every' (and 'argument', if the task takes one) under each schedule's name",
    ),
    "wakes": (
        lambda value: all(isinstance(text, str) for pair in value.items() for text in pair),
        "tasks' names under topics",
    ),
    "data": (_are_files, FILES),
    "demo": (_are_files, FILES),
    "loads": (
        lambda value: all(isinstance(name, str) and name.isidentifier() and _is_place(value[name]) for name in value),
        "'module:function' under the names that TOML files may have",
    ),
    "keeps": (_are_texts, "a list of tables' names"),
    "pre_init_hook": (_is_hook, A_HOOK),
    "post_init_hook": (_is_hook, A_HOOK),
    "uninstall_hook": (_is_hook, A_HOOK),
    "sealed": (
        lambda value: all(isinstance(name, str) and _are_texts(columns) for name, columns in value.items()),
        "lists of the columns that forgetting a person blanks, under the names of append-only tables",
    ),
    "connector": (_is_place, "'module:attribute'"),
    "target": (_is_place, "'module:attribute'"),
    "on_start": (_is_place, "'module:attribute'"),
    "summaries": (_is_place, "'module:attribute'"),
    "standings": (_is_place, "'module:attribute'"),
    "roster_kinds": (_is_place, "'module:attribute'"),
    "doctor": (_is_place, "'module:attribute'"),
    "alerts": (_is_place, "'module:attribute'"),
    "rekey": (_is_place, "'module:attribute'"),
    "privacy": (
        lambda value: (
            value.keys() <= {"tables", "kinds", "identities", "present", "before_erasing"}
            and all(isinstance(part, dict) for name in ("tables", "kinds") for part in value.get(name, {}).values())
            and all(_is_place(value[name]) for name in ("identities", "present", "before_erasing") if name in value)
        ),
        "dicts under 'tables' and 'kinds', and 'module:function' under 'identities', 'present' and 'before_erasing'",
    ),
    "encrypted": (
        lambda value: _are_texts(value) and all(COLUMN.fullmatch(item) for item in value),
        "a list of 'table.column'",
    ),
}


@dataclass(frozen=True)
class Addon:
    """One addon: its name is its import path; the rest is what its manifest says."""

    name: str
    path: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def version(self) -> str:
        """The manifest's version, as text."""
        return str(self.manifest["version"])

    @property
    def depends(self) -> tuple[str, ...]:
        """The names of the addons that it stands on."""
        return tuple(self.manifest["depends"])

    @property
    def is_own(self) -> bool:
        """Whether it is part of this program."""
        return self.name.partition(".")[0] in OWN


def read_manifest(path: Path) -> dict[str, Any]:
    """The dict in the file `path`.

    Raises ManifestError that names the file, the key and the mend.
    """
    try:
        manifest = ast.literal_eval(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}); mend its rights.") from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ManifestError(
            f"{path}: not a dict of plain literals ({error}); write strings, lists and dicts only."
        ) from None
    if not isinstance(manifest, dict):
        raise ManifestError(f"{path}: holds {type(manifest).__name__}; a manifest is one dict.")
    for key, value in manifest.items():
        if key not in KEYS:
            raise ManifestError(f"{path}: unknown key {key!r}; the known ones are {', '.join(KEYS)}.")
        if not isinstance(value, KEYS[key]):
            raise ManifestError(f"{path}: {key!r} must be a {KEYS[key].__name__}, not {type(value).__name__}.")
        if key in SHAPES and not SHAPES[key][0](value):
            raise ManifestError(f"{path}: {key!r} must be {SHAPES[key][1]}; mend it.")
    for key in REQUIRED:
        if key not in manifest:
            raise ManifestError(f"{path}: the key {key!r} is missing; add it.")
    if not VERSION.fullmatch(manifest["version"]):
        raise ManifestError(f"{path}: version {manifest['version']!r} is not of the form x.y or x.y.z; mend it.")
    return manifest


def is_older(version: str, than: str) -> bool:
    """Whether a manifest's version comes before another one. A series before both counts, before one of them it does not."""
    one, other = (tuple(map(int, text.split("."))) for text in (version, than))
    has_series, other_has = len(one) > 3, len(other) > 3
    if has_series != other_has:
        one, other = one[2:] if has_series else one, other[2:] if other_has else other
    length = max(len(one), len(other))
    return one + (0,) * (length - len(one)) < other + (0,) * (length - len(other))


def entry_point_packages() -> list[str]:
    """The packages that distributions installed in this environment bring as addons, by their import paths."""
    return sorted({point.value for point in importlib.metadata.entry_points(group=ENTRY_POINTS)})


def discover(
    roots: Iterable[Path], packages: Iterable[str] = (), broken: dict[str, str] | None = None
) -> dict[str, Addon]:
    """Every installable addon in the installed `packages` and below the folders `roots`, by name.

    A folder of `roots` is searched for packages that hold a manifest; so is each addon's own folder, one level down.
    Raises ManifestError for a manifest that cannot be read and for a name found twice. With `broken` it does so for this
    program's own only: others are left out, and `broken` says why, by name.
    """
    found: dict[str, Addon] = {}
    candidates = [*_in_packages(packages, broken), *((child.name, child) for root in roots for child in _folders(root))]
    while candidates:
        name, path = candidates.pop(0)
        if not (path / MANIFEST).is_file() or (name in found and found[name].path.samefile(path)):
            continue
        try:
            if name in found:
                raise ManifestError(f"The addon {name} stands in {found[name].path} and in {path}; remove one of them.")
            manifest = read_manifest(path / MANIFEST)
        except ManifestError as error:
            own = name.partition(".")[0] in OWN
            if broken is None or (own and name not in found):
                raise
            broken[str(path) if own else name] = str(error)
            if not own:
                found.pop(name, None)  # which of two is meant nobody knows
            continue
        if broken is not None and name in broken:
            continue
        candidates += [(f"{name}.{child.name}", child) for child in _folders(path)]
        if manifest.get("installable", True):
            found[name] = Addon(name, path, manifest)
    return found


def _folders(path: Path) -> list[Path]:
    return [child for child in sorted(path.iterdir()) if child.is_dir()]


def _in_packages(packages: Iterable[str], broken: dict[str, str] | None) -> Iterator[tuple[str, Path]]:
    """The folders of the installed packages; one that is not there is passed over, and told in `broken`."""
    for package in packages:
        try:
            spec = importlib.util.find_spec(package)  # of a.b it imports a, which may fail in any way
            reason = "it is not installed here"
        except Exception as error:
            spec, reason = None, f"{type(error).__name__}: {error}"
        if spec is not None and spec.submodule_search_locations:
            path = Path(next(iter(spec.submodule_search_locations)))
            if (path / MANIFEST).is_file():
                yield package, path
                continue
            reason = f"{path} holds no {MANIFEST}"
        if broken is not None and package not in OWN:
            broken[package] = (
                f"An entry point of the group {ENTRY_POINTS} names {package}, which cannot be used: {reason}. Mend or "
                "uninstall the distribution that brings it."
            )


def in_order(addons: Mapping[str, Addon], wanted: Iterable[str] | None = None) -> list[Addon]:
    """The wanted addons (all of them by default) with what they depend on, each after its dependencies.

    The order is by depth, then by name, as in Odoo. Raises DependencyError for a missing one and for a circle.
    """
    depth: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> int:
        if name in trail:
            circle = " -> ".join((*trail[trail.index(name) :], name))
            raise DependencyError(f"These addons depend on one another in a circle: {circle}; take one 'depends' out.")
        if name not in addons:
            needed = f" (needed by {trail[-1]})" if trail else ""
            raise DependencyError(
                f"The addon {name}{needed} is not there; install it or add its folder to [addons] path."
            )
        if name not in depth:
            depth[name] = 1 + max((visit(other, (*trail, name)) for other in addons[name].depends), default=-1)
        return depth[name]

    for name in addons if wanted is None else wanted:
        visit(name, ())
    return [addons[name] for name in sorted(depth, key=lambda name: (depth[name], name))]


def complete(addons: Mapping[str, Addon]) -> dict[str, Addon]:
    """Those of `addons` that stand on nothing that is missing, nor on themselves; the others cannot run."""
    standing: set[str] = set()
    while more := {name for name, addon in addons.items() if name not in standing and standing >= set(addon.depends)}:
        standing |= more
    return {name: addon for name, addon in addons.items() if name in standing}


def check_external(addon: Addon) -> None:
    """Raise DependencyError when a Python module or a program that `addon` needs is not on this machine."""
    needs = addon.manifest.get("external_dependencies", {})
    for module in needs.get("python", []):
        if not _can_be_imported(module):
            raise DependencyError(
                f"The addon {addon.name} needs the Python library {module} (external_dependencies), which is not installed "
                f"in {sys.prefix}; install it there with pip and try again."
            )
    for program in needs.get("bin", []):
        if shutil.which(program) is None:
            raise DependencyError(
                f"The addon {addon.name} needs the program {program} (external_dependencies), which is not on PATH; "
                "install it and try again."
            )


def _can_be_imported(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # of a.b, when there is no a
        return False
