"""What the manifests say under `privacy`: which tables hold personal data, and what is to be done with it.

    "privacy": {
        "tables": {
            "assignment": {
                "what": "…", "why": "…", "found": ["person:person_id"], "erase": "delete", "right": "people.record",
            },
            "assignment.reports": {… "others": True},      # another aspect of the same table
        },
        "kinds": {"quarantine": {"keep": "P90D", "what": "…"}},
        "identities": "module:function", "present": "module:function", "before_erasing": "module:function",
    }

docs/privacy.md explains every word of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from plugin.errors import AddonError
from plugin.manifests import Addon
from plugin.moments import Duration
from plugin.roles import RIGHTS
from plugin.store import Base

DELETE, BLANK, SEALED, KEEP = "delete", "blank", "sealed", "keep"
ACTS = (DELETE, BLANK, SEALED, KEEP)
VALUES = ("null", "empty", "number", "row")  # what a blanked column holds afterwards; `erasing` makes them
WAYS = ("person", "account", "login", "email", "number", "user", "text", "name", "parent", "ask")
WORDS = {
    "what",
    "why",
    "found",
    "erase",
    "blank",
    "because",
    "leave_out",
    "others",
    "right",
    "retention",
    "goes_with",
    "kept",
}
NEVER = "never"


@dataclass(frozen=True)
class Retention:
    """That rows (or some of their columns) go when `since` is older than the kind `kind` is kept."""

    kind: str
    since: str
    blank: Mapping[str, str]
    only: str | None  # module:function() that gives a further condition


@dataclass(frozen=True)
class Rule:
    """One aspect of a table: what it holds, how the rows about one person are found, and what erasing does with them."""

    name: str
    addon: str
    table: Table
    what: str
    why: str
    found: tuple[tuple[str, str], ...]
    erase: str
    blank: Mapping[str, str]
    because: str
    leave_out: frozenset[str]
    others: bool
    right: str | None
    retention: Retention | None
    kept: str | None  # how long, where something else than a kind says so
    goes_with: tuple[str, str] | None  # a column and the table that it refers to: retention takes both


@dataclass(frozen=True)
class Kind:
    """A kind of record with a time for which it is kept, unless `[privacy.retention]` says another.

    `by` names the `plugin.privacy.retention.Sweeper` of a kind that is more than old rows of tables.
    """

    name: str
    addon: str
    keep: str
    what: str
    by: str | None


@dataclass(frozen=True)
class Declarations:
    """All of it, of every installed addon, in the addons' order."""

    rules: tuple[Rule, ...]
    kinds: tuple[Kind, ...]
    hooks: Mapping[str, tuple[str, ...]]

    def of(self, name: str) -> Rule:
        """The rule of this name (`table` or `table.aspect`)."""
        return next(rule for rule in self.rules if rule.name == name)


def declarations(addons: Iterable[Addon]) -> Declarations:
    """What the manifests of `addons` declare. Raises AddonError that names the addon, the table and what is wrong."""
    rules: list[Rule] = []
    kinds: list[Kind] = []
    hooks: dict[str, list[str]] = {}
    for addon in addons:
        said = addon.manifest.get("privacy", {})
        kinds += [_kind(addon, name, kind) for name, kind in said.get("kinds", {}).items()]
        rules += [_rule(addon, name, rule) for name, rule in said.get("tables", {}).items()]
        for hook in ("identities", "present", "before_erasing"):
            if hook in said:
                hooks.setdefault(hook, []).append(said[hook])
    known = {kind.name for kind in kinds}
    for rule in rules:
        if rule.retention is not None and rule.retention.kind not in known:
            raise _wrong(rule.addon, rule.name, f"no addon declares the kind {rule.retention.kind!r}")
    return Declarations(tuple(rules), tuple(kinds), {name: tuple(places) for name, places in hooks.items()})


def _wrong(addon: str, name: str, why: str) -> AddonError:
    return AddonError(f"The addon {addon} declares {name} under 'privacy', but {why}; mend its manifest.")


def _kind(addon: Addon, name: str, kind: Mapping[str, str]) -> Kind:
    if not {"keep", "what"} <= set(kind) <= {"keep", "what", "by"}:
        raise _wrong(addon.name, f"the kind {name}", "a kind has 'keep' and 'what', and may have 'by'")
    try:
        if kind["keep"] != NEVER:
            Duration.parse(kind["keep"])
    except ValueError as error:
        raise _wrong(addon.name, f"the kind {name}", str(error)) from None
    return Kind(name, addon.name, kind["keep"], kind["what"], kind.get("by"))


def _rule(addon: Addon, name: str, said: Mapping[str, Any]) -> Rule:
    def check(fits: object, why: str) -> None:
        if not fits:
            raise _wrong(addon.name, name, why)

    table = Base.metadata.tables.get(name.partition(".")[0])
    check(table is not None, "no model declares that table")
    assert table is not None
    check(said.keys() <= WORDS, f"{', '.join(sorted(said.keys() - WORDS))} is no word of it")
    check(said.get("what") and said.get("why"), "it does not say what it is ('what') and why it is held ('why')")
    erase, blank = said.get("erase", KEEP), dict(said.get("blank", {}))
    check(erase in ACTS, f"'erase' is one of {', '.join(ACTS)}")
    check((erase == BLANK) == bool(blank), "'blank' stands with 'erase': 'blank', and only there")
    check(erase != KEEP or said.get("because"), "what is kept needs the reason in words: 'because'")
    check(said.get("right") is None or said["right"] in RIGHTS, "its 'right' is none of plugin/roles.py")
    kept = dict(said.get("retention", {}))
    found = tuple(_way(addon, name, way) for way in said.get("found", ()))
    column, _, parent = said.get("goes_with", "").partition("=")
    columns = {
        *([column] if column else []),
        *blank,
        *kept.get("blank", {}),
        *said.get("leave_out", ()),
        *([kept["from"]] if kept else []),
    }
    for way, what in found:
        columns |= set() if way == "ask" else {column.partition("=")[0] for column in what.split(",")}
    unknown = sorted(columns - set(table.c.keys()))
    check(not unknown, f"it has no column {', '.join(unknown)}")
    check(set(blank.values()) <= set(VALUES), f"a blanked column becomes one of {', '.join(VALUES)}")
    return Rule(
        name=name,
        addon=addon.name,
        table=table,
        what=said["what"],
        why=said["why"],
        found=found,
        erase=erase,
        blank=blank,
        because=said.get("because", ""),
        leave_out=frozenset(said.get("leave_out", ())),
        others=bool(said.get("others", False)),
        right=said.get("right"),
        retention=Retention(kept["kind"], kept["from"], dict(kept.get("blank", {})), kept.get("only"))
        if kept
        else None,
        kept=said.get("kept"),
        goes_with=(column, parent) if parent else None,
    )


def _way(addon: Addon, name: str, way: str) -> tuple[str, str]:
    kind, _, what = way.partition(":")
    if kind not in WAYS or not what:
        raise _wrong(addon.name, name, f"{way!r} is no way to find a person's rows; the ways are {', '.join(WAYS)}")
    return kind, what
