"""What the next award asks, from the explanation, in the shape that the mails' templates put into words.

A node is a dict: `kind` (all_of, any_of, n_of or a leaf's), `met`, and for a composite `n` and `of`, for a leaf `targets`
and what else it asks: `verb`, `at_least`, `newer_than` (a dict of years to seconds), `source`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from metrics.certification.engine import decide, load_cases
from metrics.certification.explain import explain_case
from metrics.certification.rules import load_books
from metrics.explained import TARGETS
from plugin.moments import Duration

COMPOSITES = {"all_of", "any_of", "n_of"}


def asked_of(
    session: Session, wanted: Sequence[tuple[int, str]], now: datetime, zone: ZoneInfo
) -> dict[tuple[int, str], dict[str, Any] | None]:
    """The `next` part of the explanation for each of these persons and certifications; None where nothing can follow."""
    books = load_books(session, zone)
    cases = load_cases(session, sorted({person_id for person_id, _ in wanted}), books, now, zone)
    by_person: dict[int, set[str]] = {}
    for person_id, code in wanted:
        by_person.setdefault(person_id, set()).add(code)
    found: dict[tuple[int, str], dict[str, Any] | None] = {}
    for person_id, codes in by_person.items():
        case = cases[person_id]
        for code, book in books.items():
            decide(case, code, book, now, known=code in codes)
        for code in codes & books.keys():
            found[person_id, code] = explain_case(case, books, code, now)["next"]
    return found


def in_parts(following: Mapping[str, Any] | None, titles: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """A `next` part as parameters of a mail: the `sections` to choose from, and the moment `opens` where it is to come."""
    if following is None:
        return {"opens": None, "sections": []}
    sections = [{"name": each["section"], "asks": _node(each["criteria"], titles)} for each in following["sections"]]
    opens = datetime.fromisoformat(following["counts_from"]) if following["counts_from"] else None
    return {"opens": opens if opens is not None and opens > now else None, "sections": sections}


def _node(node: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": node["criterion"], "met": node["satisfied"]}
    if node["criterion"] in COMPOSITES:
        return {**said, "n": node.get("n"), "of": [_node(child, titles) for child in node["of"]]}
    asks = node["asks"]
    target = next((asks[key] for key in TARGETS if key in asks), None)
    targets = [target] if target else [*asks.get("courses", []), *asks.get("categories", [])]
    return {
        **said,
        "targets": [titles.get(name) or name for name in targets],
        "verb": asks["verb"].rstrip("/").rpartition("/")[2] if "verb" in asks else None,
        "at_least": asks.get("at_least"),
        "newer_than": asdict(Duration.parse(asks["newer_than"])) if "newer_than" in asks else None,
        "source": asks.get("source"),
    }
