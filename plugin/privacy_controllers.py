"""The pages of privacy: one's own data, what was exported and erased, and proposals to erase somebody."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from plugin.audit import words
from plugin.errors import NotFoundError
from plugin.models import AuditEntry, ErasureProposal, Person
from plugin.paging import SIZE
from plugin.privacy import proposals
from plugin.privacy.erasing import ACTION as ERASED
from plugin.privacy.erasing import erase, plan
from plugin.privacy.exporting import ACTION as EXPORTED
from plugin.privacy.exporting import export, packed
from plugin.privacy.refusals import PrivacyRefusedError
from plugin.web import about, installation, needs, whole

MEDIA_TYPES = {"json": "application/json", "zip": "application/zip"}

blueprint = Blueprint("privacy", __name__)


@blueprint.route("/my-data")
@needs("exports.do")
def own() -> ResponseReturnValue:
    """The reader's own data, for taking along."""
    with installation().store.read() as session:
        person = session.get(Person, g.account.person_id) if g.account.person_id is not None else None
    return render_template("privacy_own.html", person=person)


@blueprint.route("/privacy/export", methods=["POST"])
@needs("exports.do")
def export_person() -> ResponseReturnValue:
    """Everything held about the employee of the form, or the reader, as a file."""
    home = installation()
    number, form = request.form.get("number", "").strip(), request.form.get("format", "json")
    with home.store.read() as session:
        if not number:
            number = session.scalar(select(Person.employee_number).where(Person.id == g.account.person_id)) or ""
        # Whom the reader may not export is not there for them, whoever it is.
        allowed = select(Person.id).where(Person.employee_number == number, about("exports.do"))
        if not whole("exports.do") and session.scalar(allowed) is None:
            raise NotFound
    try:
        content = packed(export(home, number, g.account.login), form)
    except PrivacyRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return redirect(url_for("privacy.overview" if whole("exports.do") else "privacy.own"))
    headers = {"Content-Disposition": f'attachment; filename="personal-data.{form}"'}
    return Response(content, mimetype=MEDIA_TYPES[form], headers=headers)


@blueprint.route("/privacy")
@needs("erasures.see")
def overview() -> ResponseReturnValue:
    """The proposals, and who was exported and erased when, by whom."""
    with installation().store.read() as session:
        rows = session.execute(proposals.listed().limit(SIZE)).all()
        done = select(AuditEntry).where(AuditEntry.action.in_([ERASED, EXPORTED]))
        acts = session.scalars(done.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(SIZE)).all()
    return render_template("privacy.html", proposals=rows, acts=acts, action_names=words.ACTIONS)


@blueprint.route("/privacy/proposals", methods=["GET", "POST"])
@needs("erasures.propose")
def proposing() -> ResponseReturnValue:
    """Propose to erase somebody; what the reader has proposed so far, and what became of it."""
    home, form, status = installation(), request.form, 200
    if request.method == "POST":
        number, reason = form.get("number", "").strip(), form.get("reason", "").strip()
        try:
            with home.store.write() as session:
                proposals.propose(session, number, g.account.login, reason, home.clock())
        except PrivacyRefusedError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status = 422
        else:
            flash(gettext("The proposal is with the administrators."), "ok")
            return redirect(url_for("privacy.proposing"))
    with home.store.read() as session:
        own_ones = proposals.listed().where(ErasureProposal.proposed_by == g.account.login)
        rows = session.execute(own_ones.limit(SIZE)).all()
    return render_template("privacy_proposing.html", proposals=rows), status


@blueprint.route("/privacy/people")
@needs("erasures.do")
def look() -> ResponseReturnValue:
    """Go on to the page that shows what erasing the employee of the form would do."""
    return redirect(url_for("privacy.erasing", number=request.args.get("number", "").strip() or "-"))


@blueprint.route("/privacy/people/<number>", methods=["GET", "POST"])
@needs("erasures.do")
def erasing(number: str) -> ResponseReturnValue:
    """What erasing the employee would delete, blank and keep; and doing it."""
    home, form, status = installation(), request.form, 200
    if request.method == "POST":
        reason = form.get("reason", "").strip()
        refused = None if reason else gettext("Say why: the reason is for whoever decides, and for the audit trail.")
        refused = refused or _refused(
            lambda: erase(home, number, g.account.login, reason, although_present="although_present" in form)
        )
        if refused is None:
            flash(gettext("The person is erased; HR is told."), "ok")
            return redirect(url_for("privacy.overview"))
        flash(refused, "bad")
        status = 422
    try:
        planned = plan(home, number)
    except PrivacyRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
        return redirect(url_for("privacy.overview"))
    with home.store.read() as session:
        person = session.get(Person, planned.person_id)
        proposal = _open_proposal(session, planned.person_id)
    lines = [line for line in planned.lines if line.rows]
    return render_template("privacy_erasing.html", plan=planned, lines=lines, person=person, proposal=proposal), status


def _refused(act: Callable[[], Any]) -> str | None:
    """Do it; the sentence of the refusal, when it is refused."""
    try:
        act()
    except PrivacyRefusedError as error:
        return str(gettext(error.sentence, **error.values))
    return None


def _open_proposal(session: Session, person_id: int) -> ErasureProposal | None:
    open_ = select(ErasureProposal).where(ErasureProposal.person_id == person_id, ErasureProposal.decided_at.is_(None))
    return session.scalars(open_).one_or_none()


@blueprint.route("/privacy/proposals/<int:proposal_id>/decline", methods=["POST"])
@needs("erasures.do")
def decline(proposal_id: int) -> ResponseReturnValue:
    """Decline a proposal."""
    home = installation()
    try:
        with home.store.write() as session:
            reason = request.form.get("reason", "").strip()
            proposals.decline(session, proposal_id, g.account.login, reason, home.clock())
    except NotFoundError:
        raise NotFound from None
    except PrivacyRefusedError as error:
        flash(gettext(error.sentence, **error.values), "bad")
    else:
        flash(gettext("The proposal is declined."), "ok")
    return redirect(url_for("privacy.overview"))
