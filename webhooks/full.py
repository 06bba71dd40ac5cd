"""What makes a payload full: what satisfied the criteria of the award, and the requirements that ask for it.

It is derived when the message is sent, by the code that decides: the criteria as of the moment at which the event came to
be, so that a message says the same at every attempt; the requirements, like name, department and position, as they are now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from metrics.certification.chain import Rulebook
from metrics.certification.engine import PersonCase, decide, load_cases
from metrics.certification.explain import explain_case
from metrics.certification.rules import load_books
from plugin.moments import in_zone_iso
from webhooks.payload import Content

FAMILY = "certification."


def complete(
    session: Session, contents: Mapping[str, Content], people: Mapping[str, int], now: datetime, zone: ZoneInfo
) -> dict[str, Content]:
    """The contents by event id, those of certifications with `criteria` and `requirements`; `people` has whom each is about."""
    concerned = sorted({people[id_] for id_, content in contents.items() if content.type.startswith(FAMILY)})
    if not concerned:
        return dict(contents)
    books = load_books(session, zone)
    cases = load_cases(session, concerned, books, now, zone)
    return {id_: _completed(content, cases.get(people[id_]), books, zone) for id_, content in contents.items()}


def _completed(content: Content, case: PersonCase | None, books: Mapping[str, Rulebook], zone: ZoneInfo) -> Content:
    code = str(content.data.get("certification"))
    if not content.type.startswith(FAMILY) or case is None or code not in books:
        return content
    then = replace(case, awards={}, standings={})
    needed = _needed(code, books)
    for each, book in books.items():
        if each in needed:
            decide(then, each, book, content.occurred_at, known=True)
    because = explain_case(then, books, code, content.occurred_at)["because"]
    criteria = list(_leaves(because["criteria"])) if because and because["criteria"] else []
    duties = [
        {
            "kind": "duty",
            "requirement": duty.requirement_id,
            "population": dict(zip(("kind", "value"), duty.population, strict=True)),
            "due_at": in_zone_iso(duty.due_at, zone) if duty.due_at else None,
        }
        for duty in case.duties.get(code, [])
        if duty.holds
    ]
    return replace(content, data={**content.data, "criteria": criteria, "requirements": duties})


def _needed(code: str, books: Mapping[str, Rulebook]) -> set[str]:
    """The certification and those that its rule looks at, however far."""
    found, more = {code}, {code}
    while more := {other for each in more for other in books[each].criteria.codes & books.keys()} - found:
        found |= more
    return found


def _leaves(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The leaves of an explanation's tree that are satisfied, each with the evidence that satisfied it."""
    if "of" in node:
        for child in node["of"]:
            yield from _leaves(child)
    elif node["satisfied"]:
        yield {name: node[name] for name in ("criterion", "asks", "satisfied_at", "evidence")}
