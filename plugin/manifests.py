"""Addons: finding their folders, reading their manifests, putting them in the order of their dependencies.

A manifest is a dict literal in `__manifest__.py`, read with `ast.literal_eval` and never executed, with the
keys that Odoo's manifests have where the meaning is the same. docs/extending.md explains each key.
"""

import ast
import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.errors import DependencyError, ManifestError

MANIFEST = "__manifest__.py"

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
    "connector": str,
    "target": str,
    "schedules": dict,
    "wakes": dict,
    "on_start": str,
    "summaries": str,
    "sealed": dict,
    "doctor": str,
    "encrypted": list,
    "rekey": str,
    "auto_install": bool,
    "installable": bool,
}
REQUIRED = ("name", "version", "license", "depends")
VERSION = re.compile(r"(\d+\.0\.)?\d+\.\d+(\.\d+)?")
PLACE = re.compile(r"\w+(\.\w+)*:\w+")
COLUMN = re.compile(r"\w+\.\w+")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_schedule(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"task", "every"} <= value.keys() <= {"task", "every", "argument"}
        and all(isinstance(text, str) for text in value.values())
    )


def _is_place(value: Any) -> bool:
    return PLACE.fullmatch(value) is not None


# What the values of a key must look like within, and how that is said.
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
    "sealed": (
        lambda value: all(isinstance(name, str) and _are_texts(columns) for name, columns in value.items()),
        "lists of the columns that forgetting a person blanks, under the names of append-only tables",
    ),
    "connector": (_is_place, "'module:attribute'"),
    "target": (_is_place, "'module:attribute'"),
    "on_start": (_is_place, "'module:attribute'"),
    "summaries": (_is_place, "'module:attribute'"),
    "doctor": (_is_place, "'module:attribute'"),
    "rekey": (_is_place, "'module:attribute'"),
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


def read_manifest(path: Path) -> dict[str, Any]:
    """The dict in the file `path`.

    Raises ManifestError that names the file, the key and the mend.
    """
    try:
        manifest = ast.literal_eval(path.read_text(encoding="utf-8"))
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


def discover(roots: Iterable[Path], packages: Iterable[str] = ()) -> dict[str, Addon]:
    """Every installable addon below the folders `roots` and in the installed top-level `packages`, by name.

    A folder of `roots` is searched for packages that hold a manifest; so is each addon's own folder, one
    level down. Raises ManifestError for a manifest that cannot be read and for a name found twice.
    """
    found: dict[str, Addon] = {}
    candidates = [(child.name, child) for root in roots for child in sorted(root.iterdir()) if child.is_dir()]
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            candidates.append((package, Path(next(iter(spec.submodule_search_locations)))))
    while candidates:
        name, path = candidates.pop(0)
        if not (path / MANIFEST).is_file():
            continue
        if name in found:
            raise ManifestError(f"The addon {name} stands in {found[name].path} and in {path}; remove one of them.")
        manifest = read_manifest(path / MANIFEST)
        candidates += [(f"{name}.{child.name}", child) for child in sorted(path.iterdir()) if child.is_dir()]
        if manifest.get("installable", True):
            found[name] = Addon(name, path, manifest)
    return found


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
    """Those of `addons` that stand on nothing that is missing; the others cannot run until it is back."""
    kept = dict(addons)
    while lacking := [name for name, addon in kept.items() if not kept.keys() >= set(addon.depends)]:
        for name in lacking:
            del kept[name]
    return kept


def check_external(addon: Addon) -> None:
    """Raise DependencyError when a Python module or a program that `addon` needs is not on this machine."""
    needs = addon.manifest.get("external_dependencies", {})
    for module in needs.get("python", []):
        if importlib.util.find_spec(module) is None:
            raise DependencyError(
                f"The addon {addon.name} needs the Python library {module}, which is not installed in {sys.prefix}; "
                "install it there with pip and try again."
            )
    for program in needs.get("bin", []):
        if shutil.which(program) is None:
            raise DependencyError(
                f"The addon {addon.name} needs the program {program}, which is not on PATH; install it."
            )
