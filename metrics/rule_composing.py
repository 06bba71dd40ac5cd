"""The page on which a coordinator composes a rule: as a form or as TOML, read in words and tried before it is stored.

Every button sends the whole page; nothing is stored until 'save', which asks that just this text was tried before.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.models import Activity, Badge, Competency, Course
from metrics.certification import rule_draft
from metrics.certification.known import unknown_names
from metrics.certification.models import CertificationRule
from metrics.certification.preview import GAINS, LOSES, MOVES, Limits, Preview, preview_import
from metrics.certification.rule import Rule
from metrics.certification.rule_draft import Draft
from metrics.certification.rule_refusals import RuleRefused
from metrics.certification.rule_text import framework_and_competency, parse_rule
from metrics.certification.rule_words import Line
from metrics.certification.rules import import_rule, newest_version, stored_text
from metrics.explained import CRITERIA, duration
from metrics.rule_controllers import described
from metrics.rule_trial import NAMED, TRIED, named
from metrics.words import STATUSES, certification_names, refusal_in_words, status_badge
from plugin.web import installation, language, needs

blueprint = Blueprint("rule_composing", __name__, url_prefix="/rules/compose", template_folder="templates")

FORM, TEXT = "form", "text"
LISTED = 1000  # names that the page offers of each kind
# Durations offered by name; any other ISO 8601 duration can be written.
DURATIONS = ("P7D", "P14D", "P30D", "P60D", "P90D", "P6M", "P1Y", "P2Y", "P3Y", "P5Y")


@dataclass
class _Composed:
    """What was sent, and what is said about it."""

    mode: str
    draft: Draft
    text: str
    base: str = ""  # the version that it follows on, as `CODE 3`
    allow_unknown: bool = False
    rule: Rule | None = None
    refused: RuleRefused | None = None
    unknown: list[RuleRefused] = field(default_factory=list)
    words: list[tuple[str, list[Line]]] = field(default_factory=list)
    found: Preview | None = None
    people: dict[int, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What says that a text was tried: it and the version that it follows on."""
        return hashlib.sha256(f"{self.base}\n{self.text}".encode()).hexdigest()

    @property
    def marked(self) -> dict[int, list[str]]:
        """What is said about a line of the text, by line."""
        said: dict[int, list[str]] = {}
        for refusal in [self.refused] if self.refused else self.unknown:
            said.setdefault(refusal.line, []).append(refusal_in_words(refusal))
        return said

    @property
    def marked_fields(self) -> dict[str, list[str]]:
        """The same by field of the form."""
        said: dict[str, list[str]] = {}
        for line, reasons in self.marked.items():
            said.setdefault(self.draft.places.get(line, ""), []).extend(reasons)
        return said


@blueprint.route("")
@needs("rules.do")
def begin() -> ResponseReturnValue:
    """A new rule, or the newest version of one as it stands."""
    code = request.args.get("code", "")
    with installation().store.read() as session:
        if not code:
            return _page(session, _Composed(FORM, Draft(), ""))
        text = stored_text(session, code, request.args.get("version", type=int))
        composed = _of_text(text)
        composed.base = _base(session, code)
        return _page(session, composed)


@blueprint.route("", methods=["POST"])
@needs("rules.do")
def act() -> ResponseReturnValue:
    """What a button asks: change the form, show it as text or back, read it, try it, save it."""
    home = installation()
    composed = _sent()
    wanted, _, path = request.form.get("do", "read").partition(":")
    if wanted in {"add", "group", "remove"}:
        composed.draft = rule_draft.change(composed.draft, wanted, path)
        composed.text = composed.draft.text()
        with home.store.read() as session:
            return _page(session, composed)
    with home.store.read() as session:
        _judge(session, composed)
        if wanted == TEXT:
            composed.mode = TEXT
        if wanted == FORM and composed.rule is not None:
            draft = rule_draft.draft_of_text(composed.text)
            if rule_draft.fits(draft):
                composed.mode, composed.draft, composed.text = FORM, draft, draft.text()
                _judge(session, composed)
            else:
                flash(gettext("This rule is nested too deeply for the form; go on with its text."), "warn")
        may_go_on = composed.rule is not None and (composed.allow_unknown or not composed.unknown)
        if wanted == "try" and may_go_on:
            _try(session, composed)
        if wanted != "save" or not may_go_on:
            return _page(session, composed, 200 if may_go_on else 422)
        if request.form.get("tried") != composed.digest:
            flash(gettext("Try the rule as it is now before you save it."), "bad")
            return _page(session, composed, 422)
    return _save(composed)


def _sent() -> _Composed:
    """What was sent, the form written as TOML."""
    base, allow = request.form.get("base", ""), bool(request.form.get("allow_unknown"))
    if request.form.get("mode") == TEXT:
        text = request.form.get("text", "").replace("\r\n", "\n")
        return _Composed(TEXT, Draft(), text, base, allow)
    draft = rule_draft.draft_of_form(request.form)
    return _Composed(FORM, draft, draft.text(), base, allow)


def _of_text(text: str) -> _Composed:
    """A stored rule, as the form where the form can show it."""
    draft = rule_draft.draft_of_text(text)
    return _Composed(FORM if rule_draft.fits(draft) else TEXT, draft, text.removeprefix("\ufeff").replace("\r\n", "\n"))


def _judge(session: Session, composed: _Composed) -> None:
    """Read the text: the rule in words, or why it is refused and where; and what it names that nobody knows."""
    try:
        composed.rule = parse_rule(composed.text)
        composed.words = described(session, composed.rule)
        composed.unknown = unknown_names(session, composed.text)
    except RuleRefused as refused:
        composed.rule, composed.refused = None, refused


def _try(session: Session, composed: _Composed) -> None:
    home = installation()
    try:
        zone = home.settings.organisation.zone
        composed.found = preview_import(session, composed.text, home.clock(), zone, Limits(TRIED, NAMED))
        composed.people = named(session, composed.found)
    except RuleRefused as refused:
        composed.refused = refused


def _save(composed: _Composed) -> ResponseReturnValue:
    """Store the rule as a new version, unless somebody else did meanwhile."""
    home = installation()
    assert composed.rule is not None
    code = composed.rule.code
    with home.store.write() as session:
        stands = _base(session, code)
        if stands and stands != composed.base:
            flash(gettext("Another version of %(code)s is stored; begin with that one to change it.", code=code), "bad")
            return redirect(url_for("rules.rule", code=code))
        done = import_rule(session, composed.text, g.account.login, home.clock())
    home.wake("people_touched")
    flash(gettext("Version %(number)s of %(code)s is stored.", number=done.version, code=code), "ok")
    return redirect(url_for("rules.rule", code=code))


def _base(session: Session, code: str) -> str:
    newest = newest_version(session, code)
    return f"{code} {newest.version}" if newest is not None else ""


def _page(session: Session, composed: _Composed, status: int = 200) -> ResponseReturnValue:
    composed.draft.number()
    page = render_template(
        "metrics/rule_compose.html",
        composed=composed,
        draft=composed.draft,
        lines=composed.text.split("\n"),
        names=certification_names(session, language()),
        leaves=rule_draft.LEAVES,
        deepest=rule_draft.DEEPEST,
        durations=DURATIONS,
        in_words=duration,
        leaf_names=CRITERIA,
        statuses=STATUSES,
        status_badge=status_badge,
        offered=_offered(session),
        changes=(GAINS, LOSES, MOVES),
    )
    return page, status


def _offered(session: Session) -> dict[str, list[tuple[str, str]]]:
    """Names to choose from, each with what it is called: courses, activities, badges, competencies, certifications."""
    found: dict[str, Any] = {
        "course": select(Course.object, Course.name).where(Course.closed_at.is_(None)),
        "activity": select(Activity.object, Activity.name).where(Activity.closed_at.is_(None)),
        "badge": select(Badge.object, Badge.name),
        "competency": select(Competency.object, Competency.name).where(Competency.closed_at.is_(None)),
        "category": select(Course.category, Course.category).where(Course.category.is_not(None)),
    }
    offered: dict[str, list[tuple[str, str]]] = {}
    for kind, query in found.items():
        first = query.distinct().order_by(query.selected_columns[0]).limit(LISTED)
        offered[kind] = [(name, title or "") for name, title in session.execute(first)]
    parts = [(framework_and_competency(name), title) for name, title in offered["competency"]]
    offered["competency"] = [(name, title) for (_, name), title in parts]
    offered["framework"] = [(name, "") for name in sorted({framework for (framework, _), _ in parts})]
    codes = session.scalars(select(CertificationRule.code).distinct().order_by(CertificationRule.code).limit(LISTED))
    return {
        **offered,
        "certification": [(code, "") for code in codes],
        "source": [(name, "") for name in installation().settings.sources],
    }
