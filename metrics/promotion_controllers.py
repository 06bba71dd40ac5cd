"""The pages of one promotion or pay record: HR proposes it, sees what is behind the answer, and closes it."""

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics import explained, promotion_acts
from metrics.certification.models import Promotion
from metrics.certification.promotion import from_now_on
from metrics.certification.promotion_import import REQUIRED, read_proposal
from metrics.certification.promotion_proposals import TERMS
from metrics.certification.record_refusals import NO_RECORD
from metrics.certification.refusals import RefusedInWordsError
from metrics.words import (
    KINDS,
    OWN_SOURCES,
    PROMOTION_KINDS,
    certification_names,
    eligibility_badge,
    lacking,
    note_in_words,
    status_badge,
)
from plugin.errors import NotFoundError
from plugin.models import Grade, Person, Position
from plugin.moments import parse_moment
from plugin.web import about, installation, language, needs

blueprint = Blueprint("promotions", __name__, template_folder="templates")

OFFERED = 500  # codes that a form offers to choose from


@blueprint.route("/promotions/new", methods=["GET", "POST"])
@needs("promotions.do")
def new() -> ResponseReturnValue:
    """Propose somebody for a post, a grade or a pay step."""
    home, status = installation(), 200
    given = {name: request.form.get(name, "").strip() for name in (*REQUIRED, *TERMS)}
    if request.method == "POST":
        try:
            proposal = read_proposal(given)
            outcome = promotion_acts.propose(home, proposal, g.account.login)
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status = 422
        else:
            said = {
                "created": gettext("The record is proposed. The answer follows within a minute."),
                "updated": gettext("The record is changed. The answer follows within a minute."),
                "unchanged": gettext("The record says just that already."),
            }
            flash(said[outcome], "ok")
            return redirect(url_for("promotions.record", promotion_id=proposal.promotion_id))
    with home.store.read() as session:
        offers = {
            name: list(session.scalars(select(model.code).order_by(model.code).limit(OFFERED)))
            for name, model in (("position", Position), ("grade", Grade))
        }
    return render_template("metrics/promotion_new.html", given=given, kinds=PROMOTION_KINDS, offers=offers), status


@blueprint.route("/promotions/<promotion_id>")
@needs("promotions.see")
def record(promotion_id: str) -> ResponseReturnValue:
    """One record: the answer, and once it is closed, the awards and evidence by which it was decided."""
    home = installation()
    zone = home.settings.organisation.zone
    with home.store.read() as session:
        row, person = _row(session, promotion_id, "promotions.see")
        lines: list[dict[str, Any]] = row.requirements
        if row.decided is not None:
            lines = row.decided["requirements"]
        elif row.closed_at is None:
            lines = from_now_on(lines, home.clock(), zone)
        objects = {piece["object"] for line in lines for piece in line.get("evidence", ())}
        return render_template(
            "metrics/promotion.html",
            row=row,
            person=person,
            lines=lines,
            opens=session.scalar(select(Person.id).where(Person.id == person.id, about("people.record"))) is not None,
            names=certification_names(session, language()),
            titles=explained.titles_of(session, objects),
            kinds=PROMOTION_KINDS,
            piece_kinds=KINDS,
            sources=OWN_SOURCES,
            note=note_in_words(row.note),
            lacking=lambda text: explained.sentence(lacking(text), zone),
            eligibility_badge=eligibility_badge,
            status_badge=status_badge,
            when=lambda text: parse_moment(text, zone),
        )


@blueprint.route("/promotions/<promotion_id>/close", methods=["POST"])
@needs("promotions.do")
def close(promotion_id: str) -> ResponseReturnValue:
    """End a record: HR has decided."""
    home = installation()
    with home.store.read() as session:
        _row(session, promotion_id, "promotions.do")
    promotion_acts.close(home, promotion_id, g.account.login)
    flash(gettext("The record is closed. Its answer stays as it is, with the evidence behind it."), "ok")
    return redirect(url_for("promotions.record", promotion_id=promotion_id))


def _row(session: Session, promotion_id: str, right: str) -> tuple[Promotion, Person]:
    """The record and its person, for whoever has the right about them; nobody else learns whether there is one."""
    query = select(Promotion, Person).join(Person, Person.id == Promotion.person_id)
    found = session.execute(query.where(Promotion.promotion_id == promotion_id, about(right))).one_or_none()
    if found is None:
        raise NotFoundError(gettext(NO_RECORD, id=promotion_id))
    return found[0], found[1]
