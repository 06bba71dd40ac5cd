"""The pages on which HR exempts, revokes and reinstates, and a coordinator proposes it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from metrics.certification import decisions
from metrics.certification.acting import By, by_account
from metrics.certification.decisions import Wish
from metrics.certification.models import Decision, Holding
from metrics.certification.refusals import NO_PROPOSAL, NOT_A_MOMENT, NotThereError, RefusedInWordsError
from metrics.words import DECISIONS, certification_names, decision_badge, roles_in_words, status_badge
from plugin.errors import NotFoundError
from plugin.models import Person
from plugin.moments import parse_moment
from plugin.paging import Paging
from plugin.web import about, installation, language, needs

blueprint = Blueprint("decisions", __name__, template_folder="templates")

ACTS: dict[str, Callable[[Session, int, str, By, datetime], Any]] = {
    "accept": lambda session, number, _reason, by, now: decisions.accept(session, number, by, now),
    "decline": decisions.decline,
    "withdraw": decisions.withdraw,
}


@blueprint.route("/decisions")
@needs("awards.see")
def listing() -> ResponseReturnValue:
    """What was proposed and decided, what waits first."""
    home = installation()
    chosen = {name: request.args.get(name, "").strip() for name in ("search", "kind", "state")}
    query = select(Decision, Person).join(Person, Person.id == Decision.person_id)
    query = query.where(about("awards.see"), Person.erased_at.is_(None))
    if chosen["kind"] in DECISIONS:
        query = query.where(Decision.kind == chosen["kind"])
    if chosen["state"]:
        query = query.where(Decision.state == chosen["state"])
    if chosen["search"]:
        text = chosen["search"]
        query = query.where(
            Person.employee_number.icontains(text, autoescape=True) | Person.name.icontains(text, autoescape=True)
        )
    with home.store.read() as session:
        counted = query.with_only_columns(Decision.id).subquery()
        paging = Paging.of(session.scalar(select(func.count()).select_from(counted)) or 0)
        ordered = query.order_by(Decision.state != decisions.PROPOSED, Decision.id.desc())
        rows = session.execute(ordered.offset(paging.offset).limit(paging.size)).all()
        return render_template(
            "metrics/decisions.html",
            rows=rows,
            paging=paging,
            chosen=chosen,
            kinds=DECISIONS,
            roles=roles_in_words,
            names=certification_names(session, language()),
            badge_of=lambda row: decision_badge(row, home.clock()),
        )


@blueprint.route("/decisions/<int:decision_id>")
@needs("awards.see")
def one(decision_id: int) -> ResponseReturnValue:
    """A proposal or decision, with what can be done about it."""
    home = installation()
    with home.store.read() as session:
        row, person = _row(session, decision_id)
        held = session.get(Holding, (row.person_id, row.certification))
        return render_template(
            "metrics/decision.html",
            row=row,
            person=person,
            held=held,
            kinds=DECISIONS,
            roles=roles_in_words,
            names=certification_names(session, language()),
            badge_of=lambda row: decision_badge(row, home.clock()),
            status_badge=status_badge,
            now=home.clock(),
        )


@blueprint.route("/decisions/<int:decision_id>/<act>", methods=["POST"])
@needs("awards.do")
def settle(decision_id: int, act: str) -> ResponseReturnValue:
    """Accept or decline a proposal, or withdraw an exemption."""
    home = installation()
    if act not in ACTS:
        raise NotFound
    try:
        with home.store.write() as session:
            by = by_account(session, g.account, "awards.do")
            ACTS[act](session, decision_id, request.form.get("reason", ""), by, home.clock())
    except NotThereError as error:
        raise NotFoundError(gettext(error.sentence, **error.values)) from None
    except RefusedInWordsError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return redirect(url_for("decisions.one", decision_id=decision_id))
    else:
        home.wake("people_touched")
        done = {
            "accept": gettext("It is decided. What follows from it is derived within a minute."),
            "decline": gettext("The proposal is declined."),
            "withdraw": gettext("The exemption ends now."),
        }
        flash(done[act], "ok")
    return redirect(url_for("decisions.listing"))


@blueprint.route("/people/<number>/decide", methods=["GET", "POST"])
@needs("awards.do")
def decide(number: str) -> ResponseReturnValue:
    """Exempt somebody, revoke what they hold, or take a revocation back."""
    return _form(number, "awards.do", decisions.decide)


@blueprint.route("/people/<number>/propose", methods=["GET", "POST"])
@needs("awards.propose")
def propose(number: str) -> ResponseReturnValue:
    """Propose one of these to whoever may decide."""
    return _form(number, "awards.propose", decisions.propose)


def _row(session: Session, decision_id: int) -> tuple[Decision, Person]:
    query = select(Decision, Person).join(Person, Person.id == Decision.person_id)
    found = session.execute(query.where(Decision.id == decision_id, about("awards.see"))).one_or_none()
    if found is None:
        raise NotFoundError(gettext(NO_PROPOSAL, id=decision_id))
    return found[0], found[1]


def _form(number: str, right: str, act: Callable[[Session, Wish, By, datetime], Decision]) -> ResponseReturnValue:
    home, status = installation(), 200
    with home.store.read() as session:
        person = session.scalars(
            select(Person).where(Person.employee_number == number, Person.erased_at.is_(None), about(right))
        ).one_or_none()
        if person is None:
            raise NotFoundError(gettext("There is no employee with the number %(number)s.", number=number))
        names = certification_names(session, language())
        held = session.scalars(select(Holding).where(Holding.person_id == person.id)).all()
    if request.method == "POST":
        try:
            wish = _wish(number)
            with home.store.write() as session:
                act(session, wish, by_account(session, g.account, right), home.clock())
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status = 422
        else:
            home.wake("people_touched")
            if right == "awards.propose":
                flash(gettext("The proposal is with HR."), "ok")
                return redirect(url_for("decisions.listing"))
            flash(gettext("It is decided. What follows from it is derived within a minute."), "ok")
            return redirect(url_for("metrics.explanation", number=number, code=wish.certification))
    page = render_template(
        "metrics/decide.html",
        person=person,
        names=names,
        held={holding.certification: holding for holding in held},
        kinds=DECISIONS,
        proposes=right == "awards.propose",
        given={**request.args, **request.form},
        status_badge=status_badge,
    )
    return page, status


def _wish(number: str) -> Wish:
    """What the form asks for. Raises RefusedInWordsError for a day that is none."""
    form = request.form
    kind = form.get("kind", "")
    exempts = kind == decisions.EXEMPT
    return Wish(
        kind,
        number,
        form.get("certification", "").strip(),
        form.get("reason", ""),
        _moment(form.get("starts", "")) if exempts else None,
        _moment(form.get("ends", "")) if exempts else None,
    )


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return parse_moment(text, installation().settings.organisation.zone)
    except ValueError:
        raise RefusedInWordsError(NOT_A_MOMENT, text=text.strip()) from None
