"""A certification's rule as TOML: read whole or refused with the line and the reason, and written back.

    code = "FORKLIFT"
    name = { en = "Forklift operator", zh_CN = "叉车操作证" }
    effective_from = 2026-01-01

    [earn]
    within = "P12M"
    all_of = [
      { completed = { source = "moodle", course = "CRS-12" } },
      { score = { source = "moodle", activity = "quiz-12", at_least = 80 } },
    ]

    [validity]
    from = "achieved"
    lasts = "P2Y"
    window = "P60D"
    grace = "P30D"

A refusal's line is the offending key's; where a key is missing, its table's header; where a table or the code is
missing, 1.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast, get_args

from metrics.certification import rule_refusals as why
from metrics.certification.rule import AllOf, AnyOf, Criterion, Leaf, NOf, Rule, Section, Validity, leaves
from metrics.certification.rule_refusals import Detail, Joined, RuleRefused, Words
from metrics.certification.toml_lines import Path, key_lines, last_statement_line
from plugin.moments import Duration

Basis = Literal["achieved", "previous_expiry", "fixed"]
AfterLapse = Literal["earn", "renew"]


@dataclass(frozen=True)
class _Kind:
    """What a leaf of one kind may say: one of `objects`, all of `required`, any of `optional`."""

    objects: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return ("source", *self.objects, *self.required, *self.optional, "newer_than")


_KINDS = {
    "completed": _Kind(("course",)),
    "passed": _Kind(("course", "activity"), optional=("at_least",)),
    "score": _Kind(("course", "activity"), required=("at_least",)),
    "statement": _Kind(("activity",), required=("verb",), optional=("success", "at_least", "authority")),
    "badge": _Kind(("badge",)),
    "competency": _Kind(("competency",), required=("framework",), optional=("at_least",)),
    "certification": _Kind(("code",)),
    "hours": _Kind(required=("at_least",), optional=("courses", "categories")),
    "assessed": _Kind(("assessment",)),
}
_PERCENTAGES = {"passed", "score", "statement"}  # whose at_least is one
_CRITERIA = ("all_of", "any_of", "n_of", *_KINDS)
_LONGEST_CODE = 100
_YEAR = Duration(years=1)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*")


def parse_rule(text: str) -> Rule:
    """Read a rule; its version is 1 until the store gives it another. Raises RuleRefused for anything it must not be.

    A name without a language stands under the empty language; without any name that is the code. Where [renew] is
    left out, `renew` is the very section that `earn` is.
    """
    return _read(text)[0]


def located_leaves(text: str) -> list[tuple[Leaf, int]]:
    """Every leaf of the rule in `text` with the line of its object: for refusing what the store does not know.

    Raises RuleRefused as `parse_rule` does. A [renew] that is left out adds no leaves. The line of an hours leaf is its
    own.
    """
    return _read(text)[1]


def needs(rule: Rule) -> set[str]:
    """The codes of the certifications that `rule` asks for, to earn or to renew."""
    found = [*leaves(rule.earn.criterion), *leaves(rule.renew.criterion)]
    return {leaf.object for leaf in found if leaf.kind == "certification"}


def check_circles(
    rules: Mapping[str, Rule], text: str | None = None, older: Mapping[str, Iterable[Rule]] | None = None
) -> None:
    """Raise RuleRefused, naming the circle, where a certification of `rules` (by code) needs itself through others.

    `text` is the TOML of a rule that is about to be saved, if there is one: it takes the place of that code's rule, and a
    circle through it is told from there, with the line of the leaf that leads into it; else the line is 1. Codes without
    a rule are passed over. `older` are the other versions of `rules`: awards granted under them stand, so they still need
    what they needed.
    """
    located: list[tuple[Leaf, int]] = []
    first = ""
    if text is not None:
        rule, located = _read(text)
        first = rule.code
        rules = {first: rule, **{code: other for code, other in rules.items() if code != first}}
    needed = {code: needs(rule) for code, rule in rules.items()}
    for code, versions in (older or {}).items():
        if code != first and code in needed:
            needed[code] = needed[code].union(*map(needs, versions))
    circle = _circle({code: sorted(codes) for code, codes in needed.items()})
    if circle is None:
        return
    line = 1
    if first in circle:
        start = circle.index(first)
        circle = circle[start:] + circle[:start]
        following = circle[1 % len(circle)]
        line = next(at for leaf, at in located if leaf.kind == "certification" and leaf.object == following)
    raise RuleRefused(line, why.A_CIRCLE, code=circle[0], codes=Joined((*circle[1:], circle[0]), why.WHICH_NEEDS))


def _circle(needed: Mapping[str, list[str]]) -> list[str] | None:
    """The first circle found in a graph of code to codes, or None; without recursion, for chains of any length."""
    done: set[str] = set()
    for root in needed:
        path: list[str] = []
        waiting = [iter([root])]
        while waiting:
            code = next(waiting[-1], None)
            if code is None:
                waiting.pop()
                if path:
                    done.add(path.pop())
            elif code in path:
                return path[path.index(code) :]
            elif code in needed and code not in done:
                path.append(code)
                waiting.append(iter(needed[code]))
    return None


# Reading


@dataclass(frozen=True)
class _Table:
    """One table of the text with the lines of its keys; what it hands out has been checked for its type.

    `title` is how a refusal names it. Every method raises RuleRefused.
    """

    values: dict[str, Any]
    lines: Mapping[Path, int]
    path: Path = ()
    title: Words = why.THE_RULE

    def line(self, *below: str | int) -> int:
        """The line of a key of this table, or of what stands below it; without one, the table's own."""
        return self.lines.get((*self.path, *below), 1)

    def refused(self, sentence: str, *below: str | int, **values: object) -> RuleRefused:
        """A refusal of what stands under the key; `table` names this table in the sentence."""
        return RuleRefused(self.line(*below), sentence, table=self.title, **values)

    def only(self, *allowed: str) -> None:
        """Refuse the first key that is not among `allowed`."""
        for key in self.values:
            if key in allowed:
                continue
            if key == "within":
                raise self.refused(why.WITHIN_AT_TOP, key)
            raise self.refused(why.UNKNOWN_KEY, key, key=repr(key), keys=_listed(allowed))

    def require(self, key: str, example: str | Words) -> None:
        if key not in self.values:
            raise self.refused(why.LACKS, key=repr(key), example=example)

    def string(self, key: str) -> str | None:
        return None if key not in self.values else self._text(self.values[key], key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of `choices`, of which the first is the default."""
        chosen = self.string(key) or choices[0]
        if chosen not in choices:
            raise self.refused(why.NO_CHOICE, key, key=repr(key), text=repr(chosen), choices=_listed(choices))
        return chosen

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings that is not empty; without the key, an empty tuple."""
        if key not in self.values:
            return ()
        return tuple(self._text(value, key, index) for index, value in enumerate(self.some_entries(key)))

    def some_entries(self, key: str) -> list[Any]:
        value = self.entries(key)
        if not value:
            raise self.refused(why.EMPTY_LIST, key, key=repr(key))
        return value

    def entries(self, key: str) -> list[Any]:
        value = self.values[key]
        if not isinstance(value, list):
            raise self.refused(why.NO_LIST, key, key=repr(key))
        return value

    def table(self, key: str, title: Words) -> "_Table":
        value = self.values[key]
        if not isinstance(value, dict):
            raise RuleRefused(self.line(key), why.NO_TABLE, table=title)
        return _Table(value, self.lines, (*self.path, key), title)

    def boolean(self, key: str) -> bool | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.refused(why.NO_TRUTH, key, key=repr(key))
        return value

    def day(self, key: str) -> date | None:
        value = self.values.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.refused(why.NO_DAY, key, key=repr(key))
        return value

    def number(self, key: str) -> Decimal | None:
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            raise self.refused(why.NO_NUMBER, key, key=repr(key))
        return Decimal(value)

    def duration(self, key: str) -> Duration | None:
        return None if key not in self.values else self._duration(self.values[key], key)

    def durations(self, key: str) -> tuple[Duration, ...]:
        if key not in self.values:
            return ()
        return tuple(self._duration(value, key, index) for index, value in enumerate(self.entries(key)))

    def _text(self, value: object, *below: str | int) -> str:
        if not isinstance(value, str):
            raise self.refused(why.NO_TEXT, *below, key=repr(below[0]))
        if not value.strip():
            raise self.refused(why.EMPTY_TEXT, *below, key=repr(below[0]))
        return value

    def _duration(self, value: object, *below: str | int) -> Duration:
        if not isinstance(value, str):
            raise self.refused(why.NO_DURATION, *below, key=repr(below[0]))
        try:
            return Duration.parse(value)
        except ValueError as error:
            raise self.refused(
                why.BAD_DURATION, *below, key=repr(below[0]), error=Detail(str(error), why.SUCH_A_DURATION)
            ) from None


@dataclass
class _Criteria:
    """Reads criteria; `located` gathers the leaves with the lines of their objects, in the rule's order."""

    located: list[tuple[Leaf, int]] = field(default_factory=list)

    def section(self, table: _Table) -> Section:
        table.only("within", *_CRITERIA)
        return Section(self._criterion(table), table.duration("within"))

    def _criterion(self, table: _Table) -> Criterion:
        """The one criterion that `table` (a section or a child) holds; its other keys have been checked."""
        key = _criterion_key(table)
        if key in {"all_of", "any_of"}:
            children = self._children(table, key)
            return AllOf(children) if key == "all_of" else AnyOf(children)
        inner = table.table(key, Words(f"'{key}'"))
        return self._n_of(inner) if key == "n_of" else self._leaf(inner, key)

    def _children(self, table: _Table, key: str) -> tuple[Criterion, ...]:
        return tuple(self._child(table, value, key, index) for index, value in enumerate(table.some_entries(key)))

    def _child(self, table: _Table, value: object, key: str, index: int) -> Criterion:
        if not isinstance(value, dict):
            raise table.refused(why.NO_CRITERION_ENTRY, key, index, key=repr(key))
        child = _Table(value, table.lines, (*table.path, key, index), Words(why.ENTRY_OF, {"key": repr(key)}))
        child.only(*_CRITERIA)
        return self._criterion(child)

    def _n_of(self, table: _Table) -> NOf:
        table.only("n", "of")
        table.require("n", why.HOW_MANY)
        table.require("of", why.TO_CHOOSE_FROM)
        n = table.values["n"]
        if isinstance(n, bool) or not isinstance(n, int):
            raise table.refused(why.N_WHOLE, "n")
        count = len(table.some_entries("of"))
        if not 1 <= n <= count:
            raise table.refused(why.N_RANGE, "n", count=count)
        return NOf(n, self._children(table, "of"))

    def _leaf(self, table: _Table, kind: str) -> Leaf:
        keys = _KINDS[kind]
        table.only(*keys.keys)
        object_key = _object_key(table, keys.objects)
        for key in keys.required:
            table.require(key, "at_least = 80" if kind == "score" else Words(why.IT_AS, {"key": key}))
        named = table.string(object_key) or "" if object_key else ""
        courses, categories = table.strings("courses"), table.strings("categories")
        if kind == "hours" and not courses and not categories:
            raise table.refused(why.HOURS_OF_NOTHING)
        leaf = Leaf(
            kind=kind,
            object=f"{table.string('framework')}/{named}" if kind == "competency" else named,
            object_key=object_key,
            source=table.string("source"),
            newer_than=table.duration("newer_than"),
            at_least=_least(table, kind),
            verb=table.string("verb"),
            success=table.boolean("success"),
            authority=table.string("authority"),
            courses=courses,
            categories=categories,
        )
        self.located.append((leaf, table.line(object_key) if object_key else table.line()))
        return leaf


def _criterion_key(table: _Table) -> str:
    """The key of the one criterion in `table`."""
    keys = [key for key in table.values if key in _CRITERIA]
    if not keys:
        raise table.refused(why.NO_CRITERION, criteria=_listed(_CRITERIA))
    if len(keys) > 1:
        raise table.refused(why.MANY_CRITERIA, keys[1], keys=_listed(keys))
    return keys[0]


def _object_key(table: _Table, objects: tuple[str, ...]) -> str:
    """The key under which a leaf names its object; empty for a kind without one."""
    given = [key for key in table.values if key in objects]
    if objects and not given:
        wanted = Joined(tuple(map(repr, objects)), why.OR)
        raise table.refused(why.NO_OBJECT, wanted=wanted, key=objects[0])
    if len(given) > 1:
        raise table.refused(why.TWO_OBJECTS, given[1], one=repr(given[0]), other=repr(given[1]))
    return given[0] if given else ""


def _least(table: _Table, kind: str) -> Decimal | None:
    least = table.number("at_least")
    if least is not None and kind in _PERCENTAGES and not 0 <= least <= 100:
        raise table.refused(why.NO_PERCENTAGE, "at_least", number=least)
    if least is not None and kind == "hours" and least <= 0:
        raise table.refused(why.NO_HOURS, "at_least", number=least)
    return least


def _read(text: str) -> tuple[Rule, list[tuple[Leaf, int]]]:
    try:
        return _rule(_toml(text.removeprefix("\ufeff")))
    except RecursionError:
        raise RuleRefused(1, why.TOO_DEEP) from None


def _toml(text: str) -> _Table:
    try:
        values = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(text, str(error)) from None
    except ValueError:
        raise RuleRefused(1, why.TOO_MANY_DIGITS) from None
    return _Table(values, key_lines(text))


def _decimal(text: str) -> Decimal:
    """A TOML float; one beyond what Decimal can hold is refused later, where its key is known, as not a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _syntax(text: str, message: str) -> RuleRefused:
    """The refusal of a text that is not TOML; what is cut short is told at its last line that is not blank."""
    place = re.search(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$", message)
    line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
    what: Detail | Words = Detail(message[: place.start()] if place else message, why.UNREADABLE)
    if message.startswith(("Cannot overwrite", "Cannot mutate")):  # told where the second value ends
        line = last_statement_line("\n".join(text.split("\n")[:line]))
        what = why.KEY_TWICE
    return RuleRefused(line, why.NO_TOML, what=what)


def _rule(table: _Table) -> tuple[Rule, list[tuple[Leaf, int]]]:
    table.only("code", "name", "effective_from", "earn", "renew", "validity")
    table.require("code", 'code = "FORKLIFT"')
    table.require("earn", why.AN_EARN_TABLE)
    table.require("validity", why.A_VALIDITY_TABLE)
    code = table.string("code") or ""
    if len(code) > _LONGEST_CODE:
        raise table.refused(why.LONG_CODE, "code", length=len(code), most=_LONGEST_CODE)
    name, effective_from = _name(table, code), table.day("effective_from")
    criteria = _Criteria()
    earn = criteria.section(table.table("earn", Words("[earn]")))
    renew = criteria.section(table.table("renew", Words("[renew]"))) if "renew" in table.values else earn
    validity = _validity(table.table("validity", Words("[validity]")))
    for leaf, line in criteria.located:
        if leaf.kind == "certification" and leaf.object == code:
            raise RuleRefused(line, why.NEEDS_ITSELF, code=code)
    _check_renewal(table, renew, validity)
    return Rule(code, name, earn, renew, validity, effective_from), criteria.located


def _name(table: _Table, code: str) -> dict[str, str]:
    if not isinstance(table.values.get("name"), dict):
        return {"": table.string("name") or code}
    names = table.table("name", why.THE_NAME)
    if not names.values:
        raise table.refused(why.NO_LANGUAGE, "name")
    for language in names.values:
        if _LANGUAGE.fullmatch(language) is None:
            raise names.refused(why.WRONG_LANGUAGE, language, language=repr(language))
    return {language: names.string(language) or "" for language in names.values}


def _check_renewal(table: _Table, renew: Section, validity: Validity) -> None:
    """Refuse a renewal by certifications alone: they are states, so it would renew without anything new done.

    Where [renew] is left out and the certification has no end, nothing is ever renewed and nothing is wrong.
    """
    if any(leaf.kind != "certification" for leaf in leaves(renew.criterion)):
        return
    if "renew" in table.values:
        section = table.table("renew", Words("[renew]"))
    elif validity.lasts is None and validity.basis != "fixed":
        return
    else:
        section = table.table("earn", why.EARN_RENEWS)
    raise section.refused(why.RENEWS_ALONE, _criterion_key(section))


def _validity(table: _Table) -> Validity:
    table.only("from", "lasts", "anchor", "at_least", "window", "grace", "remind", "after_lapse")
    basis = cast(Basis, table.choice("from", get_args(Basis)))
    anchor = _anchor(table) if basis == "fixed" else None
    lasts = None if basis == "fixed" else _lasts(table)
    longest = _YEAR if basis == "fixed" else lasts
    return Validity(
        basis=basis,
        lasts=lasts,
        anchor=anchor,
        at_least=table.duration("at_least"),
        window=_no_longer(table, "window", longest),
        grace=_no_longer(table, "grace", longest),
        remind=table.durations("remind"),
        after_lapse=cast(AfterLapse, table.choice("after_lapse", get_args(AfterLapse))),
    )


def _lasts(table: _Table) -> Duration | None:
    """How long an award lasts when it is not fixed; None for ever."""
    for key in ("anchor", "at_least"):
        if key in table.values:
            raise table.refused(why.ONLY_FIXED, key, key=repr(key))
    table.require("lasts", why.HOW_LONG)
    if table.values["lasts"] == "forever":
        return None
    lasts = table.duration("lasts")
    if lasts is not None and lasts.is_zero:
        raise table.refused(why.NO_LENGTH, "lasts")
    return lasts


def _anchor(table: _Table) -> tuple[int, int]:
    """The month and day with which every award of a fixed validity ends."""
    if "lasts" in table.values:
        raise table.refused(why.NOT_FOR_FIXED, "lasts")
    table.require("anchor", why.WHICH_ANCHOR)
    text = table.string("anchor") or ""
    if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text) is None:
        raise table.refused(why.NO_ANCHOR, "anchor", text=repr(text))
    month, day = int(text[:2]), int(text[3:])
    try:
        date(2024, month, day)  # a leap year: 02-29 is a day that some years have
    except ValueError:
        raise table.refused(why.NO_SUCH_ANCHOR, "anchor", text=repr(text)) from None
    return month, day


def _no_longer(table: _Table, key: str, longest: Duration | None) -> Duration:
    """The window or grace, refused where it is longer than `longest`; zero where it is left out."""
    given = table.duration(key) or Duration()
    if longest is not None and given.mean_seconds > longest.mean_seconds:
        sentence = why.LONGER_THAN_YEAR if "anchor" in table.values else why.LONGER
        raise table.refused(sentence, key, key=key, given=given, longest=longest)
    return given


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(words)


# Writing


def rule_to_toml(rule: Rule) -> str:
    """The rule as TOML, which `parse_rule` reads back to an equal rule of version 1; what is a default is left out."""
    return "\n".join([*_top_lines(rule), *_validity_lines(rule.validity), ""])


def _top_lines(rule: Rule) -> Iterator[str]:
    yield f"code = {_quoted(rule.code)}"
    if set(rule.name) == {""}:
        if rule.name[""] != rule.code:
            yield f"name = {_quoted(rule.name[''])}"
    else:
        yield f"name = {_inline((language, _quoted(text)) for language, text in rule.name.items())}"
    if rule.effective_from is not None:
        yield f"effective_from = {rule.effective_from.isoformat()}"
    yield from ("", "[earn]", *_section_lines(rule.earn))
    if rule.renew != rule.earn:
        yield from ("", "[renew]", *_section_lines(rule.renew))


def _section_lines(section: Section) -> Iterator[str]:
    """A section; the children of its criterion stand on a line each."""
    if section.within is not None:
        yield f'within = "{section.within}"'
    criterion = section.criterion
    if isinstance(criterion, Leaf):
        yield f"{criterion.kind} = {_leaf(criterion)}"
        return
    if isinstance(criterion, NOf):
        yield f"n_of = {{ n = {criterion.n}, of = ["
    else:
        yield f"{'all_of' if isinstance(criterion, AllOf) else 'any_of'} = ["
    for child in criterion.of:
        yield f"  {_criterion(child)},"
    yield "] }" if isinstance(criterion, NOf) else "]"


def _validity_lines(validity: Validity) -> Iterator[str]:
    yield from ("", "[validity]", f'from = "{validity.basis}"')
    if validity.basis != "fixed":
        yield f'lasts = "{validity.lasts or "forever"}"'
    if validity.anchor is not None:
        yield f'anchor = "{validity.anchor[0]:02}-{validity.anchor[1]:02}"'
    if validity.at_least is not None:
        yield f'at_least = "{validity.at_least}"'
    for key, duration in (("window", validity.window), ("grace", validity.grace)):
        if duration != Duration():
            yield f'{key} = "{duration}"'
    if validity.remind:
        yield f"remind = [{', '.join(_quoted(str(before)) for before in validity.remind)}]"
    if validity.after_lapse != "earn":
        yield f'after_lapse = "{validity.after_lapse}"'


def _criterion(criterion: Criterion) -> str:
    """A child: an inline table with one criterion."""
    if isinstance(criterion, Leaf):
        return _inline([(criterion.kind, _leaf(criterion))])
    children = f"[{', '.join(_criterion(child) for child in criterion.of)}]"
    if isinstance(criterion, NOf):
        return _inline([("n_of", _inline([("n", str(criterion.n)), ("of", children)]))])
    return _inline([("all_of" if isinstance(criterion, AllOf) else "any_of", children)])


def _leaf(leaf: Leaf) -> str:
    named: list[tuple[str, object]] = [(leaf.object_key, leaf.object)] if leaf.object_key else []
    if leaf.kind == "competency":
        named = [*zip(("framework", "competency"), framework_and_competency(leaf.object), strict=True)]
    values: list[tuple[str, object]] = [
        ("source", leaf.source),
        ("verb", leaf.verb),
        *named,
        ("courses", leaf.courses or None),
        ("categories", leaf.categories or None),
        ("success", leaf.success),
        ("at_least", leaf.at_least),
        ("authority", leaf.authority),
        ("newer_than", leaf.newer_than),
    ]
    return _inline((key, _value(value)) for key, value in values if value is not None)


def framework_and_competency(name: str) -> tuple[str, str]:
    """`FRAMEWORK/COMPETENCY` cut at the first stroke that leaves both parts with a text: either may have strokes of its own."""
    cuts = ((name[:at], name[at + 1 :]) for at, letter in enumerate(name) if letter == "/")
    return next(((left, right) for left, right in cuts if left.strip() and right.strip()), (name, ""))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_quoted(text) for text in value)}]"
    return _quoted(str(value))


def _inline(pairs: Iterable[tuple[str, str]]) -> str:
    return f"{{ {', '.join(f'{key} = {value}' for key, value in pairs)} }}"


def _quoted(text: str) -> str:
    """`text` as a TOML basic string; JSON escapes the same characters, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
