"""The engine's codes in the reader's words, and the badge that each is shown with."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, cast

from flask_babel import gettext, lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification.models import CertificationRule

# The catalogues hold the codes themselves as messages, so that a count by status is translated like a badge.
STATUSES = {
    "exempt": (lazy_gettext("exempt"), "mute"),
    "revoked": (lazy_gettext("revoked"), "bad"),
    "certified": (lazy_gettext("certified"), "ok"),
    "renewal_due": (lazy_gettext("renewal_due"), "warn"),
    "grace": (lazy_gettext("grace"), "warn"),
    "expired": (lazy_gettext("expired"), "bad"),
    "overdue": (lazy_gettext("overdue"), "bad"),
    "in_progress": (lazy_gettext("in_progress"), "mute"),
    "not_started": (lazy_gettext("not_started"), "mute"),
}

ELIGIBILITIES = {
    "eligible": (lazy_gettext("eligible"), "ok"),
    "conditional": (lazy_gettext("conditional"), "warn"),
    "blocked": (lazy_gettext("blocked"), "bad"),
}
UNANSWERED = (lazy_gettext("not answered yet"), "mute")

KINDS = {
    "completed": lazy_gettext("course completed"),
    "passed": lazy_gettext("passed or failed"),
    "score": lazy_gettext("score"),
    "statement": lazy_gettext("xAPI statement"),
    "badge": lazy_gettext("badge"),
    "competency": lazy_gettext("competency"),
    "certification": lazy_gettext("certification"),
    "hours": lazy_gettext("training hours"),
    "assessed": lazy_gettext("assessment"),
    "enrolled": lazy_gettext("enrolled"),
}

PROMOTION_KINDS = {"promotion": lazy_gettext("promotion"), "pay": lazy_gettext("pay step")}

MISSING = re.compile(r"(\w+) (.+?)(?:, at least ([0-9.]+))?")

SIDES = {
    "numerator": lazy_gettext("counted in the numerator"),
    "denominator": lazy_gettext("counted in the denominator"),
    "gap": lazy_gettext("in the denominator and not in the numerator"),
}


def status_badge(code: str | None) -> tuple[Any, str]:
    """A status in words, and its badge."""
    return STATUSES.get(code or "", (code or "–", "mute"))


def eligibility_badge(code: str | None) -> tuple[Any, str]:
    """An eligibility in words, and its badge."""
    return ELIGIBILITIES.get(code, (code, "mute")) if code else UNANSWERED


def criterion(kind: str, target: str, at_least: Any = None) -> str:
    """A leaf of a rule in words."""
    named = KINDS.get(kind, kind)
    if at_least is None:
        return cast(str, gettext("%(kind)s: %(target)s", kind=named, target=target))
    return cast(str, gettext("%(kind)s: %(target)s, at least %(least)s", kind=named, target=target, least=at_least))


def lacking(text: str) -> str:
    """What a promotion record says is missing (`score quiz-12, at least 80`), in words."""
    found = MISSING.fullmatch(text)
    return criterion(*found.groups()) if found and found[1] in KINDS else text


def in_language(names: Any, language: str, otherwise: str) -> str:
    """The name in the reader's language, from a rule's `name` table; else in any other; else `otherwise`."""
    if isinstance(names, str):
        return names
    if not isinstance(names, Mapping) or not names:
        return otherwise
    wanted = ("zh_Hans_CN", "zh_CN", "zh") if language == "zh_Hans_CN" else ("en",)
    return next((str(names[key]) for key in (*wanted, *names) if key in names), otherwise)


def certification_names(session: Session, language: str) -> dict[str, str]:
    """What the newest version of every rule calls its certification, by code, in the order of the names."""
    newest = (
        select(CertificationRule.code, func.max(CertificationRule.version).label("version"))
        .group_by(CertificationRule.code)
        .subquery()
    )
    rows = session.execute(
        select(CertificationRule.code, CertificationRule.text).join(
            newest,
            (newest.c.code == CertificationRule.code) & (newest.c.version == CertificationRule.version),
        )
    )
    names = {code: in_language(tomllib.loads(text).get("name"), language, code) for code, text in rows}
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))
