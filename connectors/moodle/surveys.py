"""Questions of feedback activities, as Moodle keeps them in one text (mod_feedback/item)."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors import parse

NOT_ASKED = frozenset({"label", "pagebreak", "captcha"})  # parts of the form that nobody answers


def questions(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The questions in their order, each a dict with `key`, `kind`, `label`, `text` and `options` (texts in order)."""
    asked = [item for item in items if item.get("typ") not in NOT_ASKED]
    return [
        {
            "key": parse.key(item, "id"),
            "kind": parse.text(item, "typ", 50) or "",
            "label": parse.text(item, "label", 300) or "",
            "text": parse.text(item, "name", 1000) or "",
            "options": options(str(item.get("typ")), str(item.get("presentation") or "")),
        }
        for item in sorted(asked, key=lambda item: item.get("position") or 0)
    ]


def options(kind: str, presentation: str) -> list[str]:
    """The texts to choose from: `r>>>>>Yes|No<<<<<1`, with a weight before each `####` where they are rated."""
    if not kind.startswith("multichoice"):
        return []
    choices = presentation.partition(">>>>>")[2].partition("<<<<<")[0].split("|")
    return [parse.storable(choice.rpartition("####")[2].strip()) for choice in choices]
