"""An explanation as lines of text, for the terminal."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from metrics.certification import populations

INDENT = "  "


def in_words(answer: Mapping[str, Any]) -> str:
    """The text of what `explain` answers."""
    return "\n".join(_lines(answer))


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    name = answer["name"].get("en") or next(iter(answer["name"].values()), answer["certification"])
    yield f"{answer['employee_number']}, {answer['certification']} ({name}), as of {answer['as_of']}"
    since = f" since {answer['since']}" if answer["since"] else ""
    yield f"Status: {answer['status']}{since}"
    if answer["exempt_until"]:
        begins = f"from {answer['exempt_from']} " if answer["exempt_from"] else ""
        yield f"Exempt {begins}until {answer['exempt_until']}"
    for requirement in answer["required_by"]:
        due = f", due {requirement['due_at']}" if requirement["due_at"] else ""
        whom = requirement["population"]["kind"], requirement["population"]["value"]
        yield f"Required as a {requirement['kind']} of {populations.in_words(whom)}{due}"
    change = answer["next_change"]
    if change:
        yield f"Next change: {change['to']} at {change['at']}, if nothing more is recorded"
    if answer["because"]:
        yield from ("", *_because(answer["because"], answer["version"]))
    if answer["next"]:
        yield from ("", *_next(answer["next"]))
    if answer["awards"]:
        yield from ("", "Awards:", *(_award(award) for award in answer["awards"]))
    if answer["history"]:
        yield from ("", "Changes:")
        for line in answer["history"]:
            yield f"{INDENT}{line['at']}: {_change(line)}"


def _change(line: Mapping[str, Any]) -> str:
    if line["by"] == "engine":
        return f"{line['change']}, {line['reason']}, by the engine"
    role = f" ({line['role']})" if line.get("role") else ""
    note = f": {line['note']}" if line.get("note") else ""
    version = f" to version {line['version']}" if "version" in line else ""
    return f"{line['change']}{version}, {line['reason']} by {line['by']}{role}{note}"


def _because(because: Mapping[str, Any], version: int) -> Iterator[str]:
    by = f"by [{because['section']}] of rule version {version}" if because["section"] else "as it was imported"
    yield f"Because of award {because['award']}, {by}:"
    if because["criteria"]:
        yield from _tree(because["criteria"], INDENT)
    for line in because["dates"]:
        yield f"{INDENT}{line['date']} {line['at'] or 'never'}: {line['because']}"


def _next(following: Mapping[str, Any]) -> Iterator[str]:
    counts = f", by evidence from {following['counts_from']} on" if following["counts_from"] else ""
    yield f"What the next award asks{counts}:"
    for section in following["sections"]:
        yield f"{INDENT}[{section['section']}]" + (f" within {section['within']}" if section["within"] else "")
        yield from _tree(section["criteria"], INDENT * 2)
        if section["note"]:
            yield f"{INDENT * 2}{section['note']}"


def _award(award: Mapping[str, Any]) -> str:
    revoked = f", revoked at {award['revoked_at']}" if "revoked_at" in award else ""
    until = award["valid_until"] or "ever"
    return f"{INDENT}{award['number']}: from {award['valid_from']} until {until} ({award['basis']}){revoked}"


def _tree(node: Mapping[str, Any], indent: str) -> Iterator[str]:
    mark = "met" if node["satisfied"] else "not met"
    when = f" at {node['satisfied_at']}" if node["satisfied_at"] else ""
    if "of" in node:
        count = f" {node['n']}" if "n" in node else ""
        yield f"{indent}{node['criterion']}{count}: {mark}{when}"
        for child in node["of"]:
            yield from _tree(child, indent + INDENT)
        return
    asks = ", ".join(f"{key} {_said(value)}" for key, value in node["asks"].items())
    yield f"{indent}{node['criterion']} ({asks}): {mark}{when}"
    for piece in node["evidence"]:
        percent = f", {Decimal(piece['percent']).normalize():f} %" if "percent" in piece else ""
        voided = f", voided at {piece['voided_at']}" if "voided_at" in piece else ""
        what = f"{piece['kind']} {piece['object']}, {piece['achieved_at']}{percent}{voided}"
        yield f"{indent}{INDENT}evidence {piece['id']}: {what}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)
