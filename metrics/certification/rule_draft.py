"""A rule as the fields of a form: read from what was sent or from a rule, written as TOML with the line of each criterion.

A draft may be wrong in any way; its TOML is then refused by `parse_rule`, and `places` say which field the line belongs
to. What a field holds is written as it is: a number that is none goes out in quotes, so that it is refused by its name.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from metrics.certification.rule import AllOf, AnyOf, Criterion, Leaf, NOf, Rule, Section, Validity
from metrics.certification.rule_text import framework_and_competency, parse_rule

GROUPS = ("all_of", "any_of", "n_of")
# The fields of each kind of leaf beside source and newer_than, in the order in which they are written.
LEAVES: dict[str, tuple[str, ...]] = {
    "completed": ("course",),
    "passed": ("course", "activity", "at_least"),
    "score": ("course", "activity", "at_least"),
    "statement": ("verb", "activity", "success", "at_least", "authority"),
    "badge": ("badge",),
    "competency": ("framework", "competency", "at_least"),
    "certification": ("code",),
    "hours": ("courses", "categories", "at_least"),
    "assessed": ("assessment",),
}
VALIDITY = ("from", "lasts", "anchor", "at_least", "window", "grace", "remind", "after_lapse")
NAMES = ("en", "zh_CN")
NEVER = "never"  # in place of durations before which employees are reminded
DEEPEST = 5
MOST = 60  # children of one group

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LISTS = frozenset({"courses", "categories", "remind"})


@dataclass
class Node:
    """A group with what stands in it, or a leaf with its fields. `path` names it in the form, as in `earn.0.1`."""

    kind: str
    path: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    of: list["Node"] = field(default_factory=list)

    @property
    def is_group(self) -> bool:
        """Whether it is all_of, any_of or n_of."""
        return self.kind in GROUPS


@dataclass
class Draft:
    """What the form says; `renew` is None where what earns it renews it too. `places` are made by `text`."""

    code: str = ""
    names: dict[str, str] = field(default_factory=dict)
    effective_from: str = ""
    earn: Node = field(default_factory=lambda: Node("all_of", "earn", of=[Node("completed")]))
    earn_within: str = ""
    renew: Node | None = None
    renew_within: str = ""
    validity: dict[str, str] = field(
        default_factory=lambda: {"from": "achieved", "lasts": "P1Y", "after_lapse": "earn"}
    )
    places: dict[int, str] = field(default_factory=dict)

    def text(self) -> str:
        """The rule as TOML, each criterion on a line of its own; notes which line says what of the form."""
        self.number()
        lines: list[str] = []
        self.places = {}
        for place, line in self._lines():
            lines.append(line)
            self.places[len(lines)] = place
        return "\n".join([*lines, ""])

    def number(self) -> None:
        """Give every node its path."""
        for path, root in (("earn", self.earn), ("renew", self.renew)):
            if root is not None:
                _number(root, path)

    def _lines(self) -> Iterator[tuple[str, str]]:
        if self.code:
            yield "code", f"code = {_quoted(self.code)}"
        if any(self.names.values()):
            named = ", ".join(f"{_key(key)} = {_quoted(name)}" for key, name in self.names.items() if name)
            yield "name", f"name = {{ {named} }}"
        if self.effective_from:
            day = self.effective_from
            yield "effective_from", f"effective_from = {day if _DAY.fullmatch(day) else _quoted(day)}"
        yield from self._section("earn", self.earn, self.earn_within)
        if self.renew is not None:
            yield from self._section("renew", self.renew, self.renew_within)
        yield "", ""
        yield "validity", "[validity]"
        for key in VALIDITY:
            value = self.validity.get(key, "")
            if value and not (key == "after_lapse" and value == "earn"):
                yield f"validity:{key}", f"{key} = {_value(key, value)}"

    def _section(self, name: str, root: Node, within: str) -> Iterator[tuple[str, str]]:
        yield "", ""
        yield name, f"[{name}]"
        if within:
            yield f"{name}:within", f"within = {_quoted(within)}"
        if root.is_group and root.kind != "n_of" and len(root.of) == 1 and not root.of[0].is_group:
            root = root.of[0]
        if not root.is_group:
            yield root.path, f"{root.kind} = {_leaf(root)}"
            return
        yield from _group(root, "", f"{root.kind} = ")


def draft_of_form(form: Mapping[str, str]) -> Draft:
    """What was sent; a field that is not there is empty."""

    def sent(name: str) -> str:
        return form.get(name, "").strip()

    renew = _sent_node(form, "renew", 0) if not form.get("renew_same") else None
    return Draft(
        code=sent("code"),
        names={key.removeprefix("name:"): form[key].strip() for key in form if key.startswith("name:")},
        effective_from=sent("effective_from"),
        earn=_sent_node(form, "earn", 0) or Node("all_of", "earn"),
        earn_within=sent("earn:within"),
        renew=renew,
        renew_within=sent("renew:within"),
        validity={key: sent(f"validity:{key}") for key in VALIDITY if key in _asked(sent("validity:from"))},
    )


def draft_of_rule(rule: Rule) -> Draft:
    """A rule as the form shows it; a section that is one leaf becomes a group of one."""
    names = {(key or NAMES[0]): name for key, name in rule.name.items()}
    same = rule.renew == rule.earn
    draft = Draft(
        code=rule.code,
        names={key: names.get(key, "") for key in (*NAMES, *names)},
        effective_from=rule.effective_from.isoformat() if rule.effective_from else "",
        earn=_root(rule.earn),
        earn_within=str(rule.earn.within or ""),
        renew=None if same else _root(rule.renew),
        renew_within="" if same else str(rule.renew.within or ""),
        validity=_validity(rule.validity),
    )
    draft.number()
    return draft


def fits(draft: Draft) -> bool:
    """Whether the form can show all of it; a rule nested deeper, or longer, is written as text."""
    return all(root is None or _fits(root, 0) for root in (draft.earn, draft.renew))


def _fits(node: Node, depth: int) -> bool:
    return depth <= DEEPEST and len(node.of) <= MOST and all(_fits(child, depth + 1) for child in node.of)


def draft_of_text(text: str) -> Draft:
    """The same of a rule's TOML, which also tells `remind = []` (never) from reminding as the settings say."""
    draft = draft_of_rule(parse_rule(text))
    if tomllib.loads(text.removeprefix("\ufeff"))["validity"].get("remind") == []:
        draft.validity["remind"] = NEVER
    return draft


def change(draft: Draft, act: str, path: str) -> Draft:
    """Add a leaf (`add`) or a group (`group`) to the group at `path`, or take out (`remove`) what is there."""
    draft.number()
    for root in (draft.earn, draft.renew):
        for group in _groups(root):
            if act == "remove":
                group.of = [child for child in group.of if child.path != path]
            elif group.path == path and len(group.of) < MOST:
                group.of.append(Node("completed") if act == "add" else Node("any_of", of=[Node("completed")]))
    draft.number()
    return draft


def _groups(root: Node | None) -> Iterator[Node]:
    if root is not None and root.is_group:
        yield root
        for child in root.of:
            yield from _groups(child)


def _number(node: Node, path: str) -> None:
    node.path = path
    for place, child in enumerate(node.of):
        _number(child, f"{path}.{place}")


def _sent_node(form: Mapping[str, str], path: str, depth: int) -> Node | None:
    kind = form.get(f"{path}:kind", "")
    if kind in LEAVES:
        names = ("source", *LEAVES[kind], "newer_than")
        return Node(kind, path, {name: form.get(f"{path}:{name}", "").strip() for name in names})
    if kind not in GROUPS or depth > DEEPEST:
        return None
    children = [_sent_node(form, f"{path}.{place}", depth + 1) for place in range(MOST)]
    fields = {"n": form.get(f"{path}:n", "").strip()} if kind == "n_of" else {}
    return Node(kind, path, fields, [child for child in children if child is not None])


def _asked(basis: str) -> tuple[str, ...]:
    """The fields of the validity that mean something with a basis."""
    return tuple(key for key in VALIDITY if key not in (("lasts",) if basis == "fixed" else ("anchor", "at_least")))


def _root(section: Section) -> Node:
    node = _node(section.criterion)
    return node if node.is_group else Node("all_of", of=[node])


def _node(criterion: Criterion) -> Node:
    if isinstance(criterion, Leaf):
        return Node(criterion.kind, fields=_fields(criterion))
    kind = "all_of" if isinstance(criterion, AllOf) else "any_of" if isinstance(criterion, AnyOf) else "n_of"
    fields = {"n": str(criterion.n)} if isinstance(criterion, NOf) else {}
    return Node(kind, fields=fields, of=[_node(child) for child in criterion.of])


def _fields(leaf: Leaf) -> dict[str, str]:
    said: dict[str, str | None] = {
        "source": leaf.source,
        "newer_than": str(leaf.newer_than) if leaf.newer_than else None,
        "at_least": f"{leaf.at_least:f}" if leaf.at_least is not None else None,
        "verb": leaf.verb,
        "authority": leaf.authority,
        "success": None if leaf.success is None else str(leaf.success).lower(),
        "courses": "\n".join(leaf.courses),
        "categories": "\n".join(leaf.categories),
    }
    if leaf.object_key:
        said[leaf.object_key] = leaf.object
    if leaf.kind == "competency":
        said["framework"], said["competency"] = framework_and_competency(leaf.object)
    return {name: value for name, value in said.items() if value}


def _validity(validity: Validity) -> dict[str, str]:
    said = {
        "from": validity.basis,
        "lasts": "" if validity.basis == "fixed" else str(validity.lasts or "forever"),
        "anchor": "{:02}-{:02}".format(*validity.anchor) if validity.anchor else "",
        "at_least": str(validity.at_least or ""),
        "window": "" if validity.window.is_zero else str(validity.window),
        "grace": "" if validity.grace.is_zero else str(validity.grace),
        "remind": "\n".join(str(before) for before in validity.remind),
        "after_lapse": validity.after_lapse,
    }
    return {key: said[key] for key in _asked(validity.basis)}


def _group(node: Node, indent: str, before: str) -> Iterator[tuple[str, str]]:
    """A group over several lines: arrays may be broken, even within braces."""
    opening, closing = "[", "]"
    if node.kind == "n_of":
        count = node.fields.get("n", "")
        opening, closing = f"{{ n = {count if _NUMBER.fullmatch(count) else _quoted(count)}, of = [", "] }"
    yield node.path, f"{indent}{before}{opening}"
    for child in node.of:
        if child.is_group:
            lines = list(_group(child, indent + "  ", f"{{ {child.kind} = "))
            yield from lines[:-1]
            yield lines[-1][0], f"{lines[-1][1]} }},"
        else:
            yield child.path, f"{indent}  {{ {child.kind} = {_leaf(child)} }},"
    yield node.path, f"{indent}{closing}"


def _leaf(node: Node) -> str:
    names = ("source", *LEAVES[node.kind], "newer_than")
    pairs = [(name, node.fields.get(name, "")) for name in names]
    return f"{{ {', '.join(f'{name} = {_value(name, value)}' for name, value in pairs if value)} }}".replace(
        "{  }", "{}"
    )


def _value(name: str, value: str) -> str:
    if name in _LISTS:
        parts = (part.strip() for part in re.split(r"[\n,]" if name == "remind" else r"\n", value))
        return f"[{', '.join(_quoted(part) for part in parts if part and part != NEVER)}]"
    if name == "success" and value in {"true", "false"}:
        return value
    if name == "at_least" and _NUMBER.fullmatch(value):
        return value
    return _quoted(value)


def _key(language: str) -> str:
    return language if re.fullmatch(r"[A-Za-z0-9_-]+", language) else _quoted(language)


def _quoted(text: str) -> str:
    """`text` as a TOML basic string; JSON escapes the same characters, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
