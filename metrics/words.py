"""The engine's codes in the reader's words, and the badge that each is shown with."""

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from flask_babel import get_locale, gettext, lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification.models import CertificationRule, Decision
from metrics.certification.refusals import N_
from metrics.certification.rule_refusals import Detail, Joined, RuleRefused, Words
from plugin.user_controllers import ROLE_NAMES

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
    "award": lazy_gettext("past award, imported"),
}

PROMOTION_KINDS = {"promotion": lazy_gettext("promotion"), "pay": lazy_gettext("pay step")}

# Where evidence comes from that no source was asked for.
OWN_SOURCES = {
    "assessor": lazy_gettext("assessor"),
    "certificate": lazy_gettext("external certificate"),
    "import": lazy_gettext("imported"),
}

DECISIONS = {
    "exempt": lazy_gettext("exemption"),
    "revoke": lazy_gettext("revocation"),
    "reinstate": lazy_gettext("reinstatement"),
}

ENTRIES = {
    "handed_in": (lazy_gettext("waits to be approved"), "warn"),
    "recorded": (lazy_gettext("counts"), "ok"),
    "declined": (lazy_gettext("declined"), "bad"),
    "superseded": (lazy_gettext("corrected"), "mute"),
    "voided": (lazy_gettext("voided"), "bad"),
}

MISSING = re.compile(
    r"(?P<kind>\w+) (?P<target>.+?)(?:(?:,| of) at least (?P<least>[0-9.]+))?(?: from (?P<source>\S+?))?"
    r"(?P<age>, no older than P\w+)?"
)

# Whom a requirement is for (metrics.certification.populations).
POPULATION_NAMES = {
    "position": lazy_gettext("Position"),
    "grade": lazy_gettext("Grade"),
    "department": lazy_gettext("Department"),
    "department_tree": lazy_gettext("Department and those below it"),
    "tag": lazy_gettext("Tag"),
    "people": lazy_gettext("Listed people"),
}

# The sentences of a promotion record's note (metrics.certification.promotion_notes), and their messages.
NOTES = (
    (r"No certification is required for this\.", N_("No certification is required for this.")),
    (
        r"The record names neither a position nor a grade to go to\.",
        N_("The record names neither a position nor a grade to go to."),
    ),
    (
        r"There is no position '(?P<code>.+?)' here; check its name\.",
        N_("There is no position '%(code)s' here; check its name."),
    ),
    (
        r"There is no grade '(?P<code>.+?)' here; check its name\.",
        N_("There is no grade '%(code)s' here; check its name."),
    ),
    (
        r"They are with the organisation until (?P<day>\S+) only\.",
        N_("They are with the organisation until %(day)s only."),
    ),
)

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


def decision_badge(row: Decision, now: datetime) -> tuple[Any, str]:
    """How a proposal or decision stands, in words, and its badge."""
    if row.state == "proposed":
        return lazy_gettext("proposed"), "warn"
    if row.state == "declined":
        return lazy_gettext("declined"), "mute"
    if row.withdrawn_at is not None:
        return lazy_gettext("withdrawn"), "mute"
    if row.ends_at is not None and row.ends_at <= now:
        return lazy_gettext("over"), "mute"
    return lazy_gettext("decided"), "ok"


def roles_in_words(text: str | None) -> str:
    """The roles in which somebody acted, as they are kept (`coordinator, assessor`), in words."""
    names = {**ROLE_NAMES, "command line": lazy_gettext("command line")}
    return ", ".join(str(names.get(role, role)) for role in (text or "").split(", "))


def criterion(kind: str, target: str, at_least: Any = None) -> str:
    """A leaf of a rule in words."""
    named = KINDS.get(kind, kind)
    if at_least is None:
        return cast(str, gettext("%(kind)s: %(target)s", kind=named, target=target))
    return cast(str, gettext("%(kind)s: %(target)s, at least %(least)s", kind=named, target=target, least=at_least))


def lacking(text: str) -> str:
    """What a promotion record says is missing (`score quiz-12 of at least 80 from lms or badge B`), in words."""
    if several := re.fullmatch(r"(\d+) of: (.+)", text):
        parts = "; ".join(lacking(part) for part in several[2].split("; "))
        return cast(str, gettext("%(number)s of: %(what)s", number=several[1], what=parts))
    for word, joined in ((" or ", gettext(" or ")), (" and ", gettext(" and "))):
        each = text.split(word)
        if len(each) > 1 and all(part.partition(" ")[0] in KINDS for part in each):
            return cast(str, joined).join(lacking(part) for part in each)
    found = MISSING.fullmatch(text)
    if not found or found["kind"] not in KINDS or found["age"]:
        return text
    said = criterion(found["kind"], found["target"], found["least"])
    return said if not found["source"] else f"{said}{gettext(', ')}{gettext('from %(source)s', source=found['source'])}"


def refusal_in_words(refused: RuleRefused) -> str:
    """Why a rule is refused, in the reader's language."""
    return cast(str, gettext(refused.sentence, **{name: _part(value) for name, value in refused.values.items()}))


def _part(value: object) -> object:
    if isinstance(value, Words):
        return gettext(value.sentence, **{name: _part(inner) for name, inner in value.values.items()})
    if isinstance(value, Detail):
        return value.english if get_locale().language == "en" else gettext(value.sentence)
    return cast(str, gettext(value.between)).join(value.texts) if isinstance(value, Joined) else value


def note_in_words(note: str | None) -> list[str]:
    """The sentences of a promotion record's note, in the reader's language."""
    sentences: list[str] = []
    rest = note or ""
    while rest:
        found = next(((words, said) for pattern, words in NOTES if (said := re.match(pattern, rest))), None)
        if found is None:
            return [*sentences, rest]
        sentences.append(cast(str, gettext(found[0], **found[1].groupdict())))
        rest = rest[found[1].end() :].lstrip()
    return sentences


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
    names = {
        code: in_language(tomllib.loads(text.removeprefix("\ufeff")).get("name"), language, code) for code, text in rows
    }
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))
