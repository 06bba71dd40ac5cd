"""An explanation in the reader's words: its criteria, its dates with their arithmetic, its changes.

The engine explains in codes, ISO 8601 and a few English sentences, the same for pages, command and API. Here they
become words of the reader's language; a sentence that is not known here is shown as the engine wrote it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Activity, Course
from metrics.words import KINDS
from plugin.moments import Duration, parse_moment
from plugin.store import chunks
from plugin.web import moment

TARGETS = ("course", "activity", "badge", "competency", "code", "assessment", "object")

UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")

# What leaves are called, where pieces of evidence are called by KINDS.
CRITERIA = {**KINDS, "passed": lazy_gettext("passed")}
SUCCESSES = {True: lazy_gettext("as a success"), False: lazy_gettext("as a failure")}
LEAST = lazy_gettext("at least %(least)s")
_PERCENT = lazy_gettext("at least %(least)s percent")
LEASTS = {
    "passed": _PERCENT,
    "score": _PERCENT,
    "statement": _PERCENT,
    "hours": lazy_gettext("at least %(least)s hours"),
}

SECTIONS = {"earn": lazy_gettext("to earn it"), "renew": lazy_gettext("to renew it")}

BASES = {
    "achieved": lazy_gettext("from the day it was achieved"),
    "previous_expiry": lazy_gettext("on from the end of the one before"),
    "fixed": lazy_gettext("to a fixed day of the calendar"),
    "imported": lazy_gettext("as imported"),
}

DATES = {
    "valid_from": lazy_gettext("Valid from"),
    "valid_until": lazy_gettext("Valid until"),
    "window_opens": lazy_gettext("Renewal opens"),
    "grace_ends": lazy_gettext("Grace ends"),
}

CHANGES = {
    "awarded": lazy_gettext("awarded"),
    "renewed": lazy_gettext("renewed"),
    "amended": lazy_gettext("amended"),
    "revoked": lazy_gettext("revoked"),
    "reinstated": lazy_gettext("reinstated"),
    "exempt": lazy_gettext("exempted"),
    "revoke": lazy_gettext("decided to revoke"),
    "reinstate": lazy_gettext("decided to reinstate"),
    "exemption_withdrawn": lazy_gettext("exemption withdrawn"),
}

REASONS = {
    "earned": lazy_gettext("earned"),
    "renewed": lazy_gettext("renewed"),
    "late evidence": lazy_gettext("late evidence"),
    "evidence voided": lazy_gettext("evidence voided"),
    "decided": lazy_gettext("decided"),
    "regraded": lazy_gettext("newer version of the rule applied"),
    "imported": lazy_gettext("imported"),
    "time": lazy_gettext("time went on"),
}

_MOMENT = r"\d{4}-\d\d-\d\dT[0-9:.+-]+"
_DURATION = r"P[0-9A-Z]+"
_ANCHOR = r"\d\d-\d\d"

# The engine's sentences, and the same with the parts that were found, in the reader's language.
SENTENCES = [
    (rf"achieved at (?P<one>{_MOMENT})", lazy_gettext("achieved on %(one)s")),
    (
        rf"the earlier of (?P<one>{_MOMENT}), when it was renewed, and (?P<two>{_MOMENT}), the end of the award before it",
        lazy_gettext("the earlier of %(one)s, when it was renewed, and %(two)s, the end of the one before"),
    ),
    (rf"revoked at (?P<one>{_MOMENT});.*", lazy_gettext("revoked on %(one)s, and over then at the latest")),
    (
        rf"(?P<one>{_MOMENT}) - (?P<duration>{_DURATION}) \(window\)",
        lazy_gettext("%(one)s less %(duration)s, in which it can be renewed"),
    ),
    (
        rf"(?P<one>{_MOMENT}) \+ (?P<duration>{_DURATION}) \(grace\)",
        lazy_gettext("%(one)s and %(duration)s of grace"),
    ),
    (
        rf"(?P<one>{_MOMENT}) \+ (?P<duration>{_DURATION}) \(lasts\), .*",
        lazy_gettext("%(one)s and %(duration)s, for which it lasts"),
    ),
    (
        rf"(?P<one>{_MOMENT}), the end of the award before it, \+ (?P<duration>{_DURATION}) \(lasts\), .*",
        lazy_gettext("%(one)s, the end of the one before, and %(duration)s, for which it lasts"),
    ),
    (
        rf"the first end of a (?P<anchor>{_ANCHOR}) after (?P<one>{_MOMENT})",
        lazy_gettext("the first end of a %(anchor)s (month and day) after %(one)s"),
    ),
    (
        rf"the first end of a (?P<anchor>{_ANCHOR}) after (?P<one>{_MOMENT}), the end of the award before it",
        lazy_gettext("the first end of a %(anchor)s (month and day) after %(one)s, the end of the one before"),
    ),
    (
        rf"the first end of a (?P<anchor>{_ANCHOR}) after (?P<one>{_MOMENT})(?:, the end of the award before it)?"
        rf", and not before (?P<two>{_MOMENT}) \+ (?P<duration>{_DURATION})",
        lazy_gettext(
            "the first end of a %(anchor)s (month and day) after %(one)s, and not before %(two)s and %(duration)s"
        ),
    ),
    (
        "granted elsewhere and imported with this beginning",
        lazy_gettext("granted elsewhere and imported with this beginning"),
    ),
    ("granted elsewhere and imported with this end", lazy_gettext("granted elsewhere and imported with this end")),
    ("imported without an end", lazy_gettext("imported without an end")),
    ("it lasts forever", lazy_gettext("it lasts for ever")),
    (
        rf"every criterion is met, but by evidence that lies further apart than (?P<duration>{_DURATION})",
        lazy_gettext("every criterion is met, but by evidence that lies further apart than %(duration)s"),
    ),
]


def when(text: str | None, zone: ZoneInfo) -> str:
    """A moment that the engine wrote, as the pages show moments."""
    return moment(parse_moment(text, zone)) if text else ""


def duration(text: str) -> str:
    """An ISO 8601 duration in words: `P1Y6M` is '1 year 6 months'."""
    length = Duration.parse(text)
    named = [_number_of(unit, number) for unit in UNITS if (number := getattr(length, unit))]
    return " ".join(named) or _number_of("days", 0)


def _number_of(unit: str, number: int) -> str:
    named = {
        "years": lambda: ngettext("%(num)s year", "%(num)s years", number),
        "months": lambda: ngettext("%(num)s month", "%(num)s months", number),
        "weeks": lambda: ngettext("%(num)s week", "%(num)s weeks", number),
        "days": lambda: ngettext("%(num)s day", "%(num)s days", number),
        "hours": lambda: ngettext("%(num)s hour", "%(num)s hours", number),
        "minutes": lambda: ngettext("%(num)s minute", "%(num)s minutes", number),
        "seconds": lambda: ngettext("%(num)s second", "%(num)s seconds", number),
    }
    return cast(str, named[unit]())


def sentence(text: str, zone: ZoneInfo) -> str:
    """A sentence of the engine in the reader's language."""
    for pattern, words in SENTENCES:
        if found := re.fullmatch(pattern, text):
            parts = found.groupdict()
            shown = {name: when(part, zone) if name in {"one", "two"} else part for name, part in parts.items()}
            if "duration" in shown:
                shown["duration"] = duration(parts["duration"])
            return str(words) % shown
    return text


def leaf(node: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What a leaf asks, in words; `titles` are what courses, activities and certifications are called."""
    asked = node["asks"]
    target = next((asked[key] for key in TARGETS if key in asked), None)
    targets = [target] if target else [*asked.get("courses", []), *asked.get("categories", [])]
    parts = [gettext(", ").join(_titled(name, titles) for name in targets)]
    if "verb" in asked:
        parts.append(cast(str, gettext("verb %(verb)s", verb=asked["verb"].rstrip("/").rpartition("/")[2])))
    if "success" in asked:
        parts.append(str(SUCCESSES[asked["success"]]))
    if "at_least" in asked:
        parts.append(str(LEASTS.get(node["criterion"], LEAST)) % {"least": asked["at_least"]})
    if "authority" in asked:
        parts.append(cast(str, gettext("stated by %(authority)s", authority=asked["authority"])))
    if "newer_than" in asked:
        parts.append(cast(str, gettext("no older than %(duration)s", duration=duration(asked["newer_than"]))))
    if "source" in asked:
        parts.append(cast(str, gettext("from %(source)s", source=asked["source"])))
    return cast(
        str,
        gettext(
            "%(kind)s: %(target)s",
            kind=CRITERIA.get(node["criterion"], node["criterion"]),
            target=gettext(", ").join(parts),
        ),
    )


def composite(node: Mapping[str, Any]) -> str:
    """How many of its children a composite asks, in words."""
    if node["criterion"] == "all_of":
        return cast(str, gettext("all of these"))
    if node["criterion"] == "any_of":
        return cast(str, gettext("one of these"))
    return cast(str, gettext("%(number)s of these", number=node["n"]))


def objects_of(answer: Any) -> Iterable[str]:
    """The courses, activities and certifications that an explanation names anywhere."""
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            if key in TARGETS and isinstance(value, str):
                yield value
            elif key in {"courses", "categories"}:
                yield from value
            else:
                yield from objects_of(value)
    elif isinstance(answer, list):
        for item in answer:
            yield from objects_of(item)


def titles_of(session: Session, objects: Iterable[str]) -> dict[str, str]:
    """What the sources call courses and activities, by object."""
    titles: dict[str, str] = {}
    for chunk in chunks(set(objects)):
        for model in (Activity, Course):
            query = select(model.object, model.name).where(model.object.in_(chunk))
            titles.update({name: title for name, title in session.execute(query) if title is not None})
    return titles


def _titled(name: str, titles: Mapping[str, str]) -> str:
    title = titles.get(name)
    return f"{title} ({name})" if title and title != name else name
