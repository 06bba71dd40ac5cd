"""The pages of rules: which there are, what each says in words, and applying a new version to older awards."""

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, gettext
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from metrics.certification.models import CertificationRule, Holding
from metrics.certification.preview import GAINS, LOSES, MOVES, Limits, preview_regrade
from metrics.certification.regrades import regrade, regrades_of, version_to_apply
from metrics.certification.rule import Rule
from metrics.certification.rule_text import parse_rule
from metrics.certification.rule_words import Line, objects_in, rule_in_words
from metrics.certification.rules import newest_version, replaced, versions_of
from metrics.explained import titles_of
from metrics.rule_trial import NAMED, TRIED, named, trial_words
from metrics.words import STATUSES, certification_names, status_badge
from plugin.errors import NotFoundError, RefusedError
from plugin.roles import Reach
from plugin.web import LANGUAGES, installation, language, may, needs, reach, whole

blueprint = Blueprint("rules", __name__, url_prefix="/rules", template_folder="templates")


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"trial_words": trial_words}


@blueprint.route("")
@needs("rules.see")
def listing() -> ResponseReturnValue:
    """The certifications: all of them, or for an employee those that concern them."""
    with installation().store.read() as session:
        names = certification_names(session, language())
        rows = session.scalars(
            select(CertificationRule).where(_seen()).order_by(CertificationRule.code, CertificationRule.version)
        ).all()
        counts = _held(session) if whole("people.see") else {}
    newest = {row.code: row for row in rows}
    return render_template(
        "metrics/rules.html",
        rules=[newest[code] for code in names if code in newest],
        names=names,
        counts=counts,
        statuses=STATUSES,
    )


@blueprint.route("/of/<path:code>")
@needs("rules.see")
def rule(code: str) -> ResponseReturnValue:
    """One certification: what a version of its rule asks, in words and as TOML, and all its versions."""
    home = installation()
    with home.store.read() as session:
        seen = session.scalar(select(CertificationRule.id).where(_seen(), CertificationRule.code == code).limit(1))
        versions = versions_of(session, code) if seen is not None else ()
        if not versions:
            raise NotFoundError(gettext("There is no certification %(code)s.", code=code))
        chosen = request.args.get("version", type=int) or versions[-1].version
        shown = next((row for row in versions if row.version == chosen), None)
        if shown is None:
            raise NotFoundError(gettext("There is no version %(number)s of this rule.", number=chosen))
        parsed = parse_rule(shown.text)
        return render_template(
            "metrics/rule.html",
            code=code,
            names=certification_names(session, language()),
            shown=shown,
            versions=versions,
            newer={number: version for (_, number), version in replaced(versions).items()},
            words=described(session, parsed),
            applied={row.version: row for row in regrades_of(session, code)},
            applicable=may("rules.do") and _is_applicable(session, code),
            counts=_held(session).get(code, {}) if whole("people.see") else {},
            statuses=STATUSES,
        )


@blueprint.route("/apply/<path:code>", methods=["GET", "POST"])
@needs("rules.do")
def apply(code: str) -> ResponseReturnValue:
    """Apply the newest version to awards granted under older ones, after a look at what that changes."""
    home = installation()
    zone, now = home.settings.organisation.zone, home.clock()
    reason = request.form.get("reason", "").strip()
    with home.store.read() as session:
        wanted = version_to_apply(session, code, request.values.get("version", type=int))
        found = preview_regrade(session, code, wanted, now, zone, Limits(TRIED, NAMED))
        people, names = named(session, found), certification_names(session, language())
    if request.method == "POST" and reason and request.form.get("confirmed"):
        with home.store.write() as session:
            regrade(session, code, wanted, g.account.login, reason, now)
        home.wake("people_touched")
        flash(gettext("The version is applied; what follows is derived within moments."), "ok")
        return redirect(url_for("rules.rule", code=code))
    if request.method == "POST":
        flash(gettext("Give a reason, and confirm that the awards are to change."), "bad")
    page = render_template(
        "metrics/rule_apply.html",
        code=code,
        names=names,
        found=found,
        people=people,
        changes=(GAINS, LOSES, MOVES),
        statuses=STATUSES,
        status_badge=status_badge,
    )
    return page, 422 if request.method == "POST" else 200


def described(session: Session, parsed: Rule) -> list[tuple[str, list[Line]]]:
    """The rule in words of every language, the reader's first, each with the language's code."""
    titles, read = titles_of(session, objects_in(parsed)), language()
    found = []
    for code in sorted(LANGUAGES, key=lambda each: each != read):
        with force_locale(code):
            found.append((code, rule_in_words(parsed, {**titles, **certification_names(session, code)})))
    return found


def _seen() -> ColumnElement[bool]:
    """The condition that a rule is one that the reader may see: an employee those that concern them."""
    if reach("rules.see") - {Reach.OWN}:
        return true()
    concerns = (Holding.status != "not_started") | Holding.required
    own = select(Holding.certification).where(Holding.person_id == g.account.person_id, concerns)
    return CertificationRule.code.in_(own)


def _held(session: Session) -> dict[str, dict[str, int]]:
    """How many people have each status, by certification."""
    found: dict[str, dict[str, int]] = {}
    query = select(Holding.certification, Holding.status, func.count()).group_by(Holding.certification, Holding.status)
    for code, status, count in session.execute(query):
        found.setdefault(code, {})[status] = count
    return found


def _is_applicable(session: Session, code: str) -> bool:
    """Whether there is a newer version than was applied to older awards so far."""
    try:
        newest = newest_version(session, code)
        return newest is not None and version_to_apply(session, code, newest.version) > 0
    except RefusedError:
        return False
