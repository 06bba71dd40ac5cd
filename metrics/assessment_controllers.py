"""The pages of what assessors enter and of external certificates: entering, handing in, approving, correcting, voiding."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session, aliased
from werkzeug.exceptions import NotFound

from metrics.certification import assessments, certificates
from metrics.certification.acting import By, by_account
from metrics.certification.assessment_entries import HANDED_IN, Entry, codes
from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.certificates import ENDINGS, Upload
from metrics.certification.refusals import NO_ENTRY, NOT_A_MOMENT, NotThereError, RefusedInWordsError
from metrics.settings import MetricsSettings
from metrics.words import ENTRIES, roles_in_words
from plugin.errors import NotFoundError
from plugin.models import Person
from plugin.moments import parse_moment, start_of_day
from plugin.paging import Paging
from plugin.web import about, installation, may, needs

blueprint = Blueprint("assessments", __name__, template_folder="templates")

SUCCESS: dict[str, bool | None] = {"yes": True, "no": False, "unknown": None}
ACTS: dict[str, Callable[[Session, int, str, By, datetime], Any]] = {
    "approve": lambda session, number, reason, by, now: assessments.approve(session, number, by, now, reason),
    "decline": assessments.decline,
    "void": assessments.void,
}


def visible() -> ColumnElement[bool]:
    """The entries that the reader sees: all about those whose record they see, else what waits and what they entered."""
    mine = or_(Assessment.entered_by == g.account.login, Assessment.decided_by == g.account.login)
    waits = Assessment.state == HANDED_IN if may("assessments.do") else false()
    return about("assessments.see") & or_(about("people.record"), mine, waits)


@blueprint.route("/assessments")
@needs("assessments.see")
def listing() -> ResponseReturnValue:
    """The entries, what waits to be approved first."""
    chosen = {name: request.args.get(name, "").strip() for name in ("search", "state")}
    query = select(Assessment, Person).join(Person, Person.id == Assessment.person_id).where(visible())
    if chosen["state"] in ENTRIES:
        query = query.where(Assessment.state == chosen["state"])
    if chosen["search"]:
        columns = (Person.employee_number, Person.name, Assessment.assessment)
        query = query.where(or_(*(column.icontains(chosen["search"], autoescape=True) for column in columns)))
    with installation().store.read() as session:
        counted = query.with_only_columns(Assessment.id).subquery()
        paging = Paging.of(session.scalar(select(func.count()).select_from(counted)) or 0)
        ordered = query.order_by(Assessment.state != HANDED_IN, Assessment.id.desc())
        rows = session.execute(ordered.offset(paging.offset).limit(paging.size)).all()
    return render_template(
        "metrics/assessments.html", rows=rows, paging=paging, chosen=chosen, states=ENTRIES, outside=_outside
    )


@blueprint.route("/assessments/enter", methods=["GET", "POST"])
@needs("assessments.do")
def enter() -> ResponseReturnValue:
    """Enter an assessment, or a certificate that somebody else issued."""

    def act(session: Session, entry: Entry, upload: Upload | None, by: By, now: datetime) -> Assessment:
        return assessments.enter(session, request.form.get("person", "").strip(), entry, by, now, upload, _most())

    return _form("assessments.do", "enter", act, {"person": request.args.get("person", ""), "passed": "yes"})


@blueprint.route("/assessments/hand-in", methods=["GET", "POST"])
@needs("assessments.hand_in")
def hand_in() -> ResponseReturnValue:
    """Hand in a certificate of one's own, to be approved."""

    def act(session: Session, entry: Entry, upload: Upload | None, by: By, now: datetime) -> Assessment:
        return assessments.hand_in(session, entry, upload, by, now, _most())

    return _form("assessments.hand_in", "hand_in", act, {})


@blueprint.route("/assessments/<int:entry_id>/correct", methods=["GET", "POST"])
@needs("assessments.do")
def correct(entry_id: int) -> ResponseReturnValue:
    """Put another entry in the place of one that stands."""

    def act(session: Session, entry: Entry, upload: Upload | None, by: By, now: datetime) -> Assessment:
        reason = request.form.get("reason", "")
        return assessments.correct(session, entry_id, _exact(entry, row), reason, by, now, upload, _most())

    with installation().store.read() as session:
        row, person = _row(session, entry_id)
    return _form("assessments.do", "correct", act, _as_given(row), person)


@blueprint.route("/assessments/<int:entry_id>")
@needs("assessments.see")
def one(entry_id: int) -> ResponseReturnValue:
    """An entry with its history, and what can be done about it."""
    with installation().store.read() as session:
        row, person = _row(session, entry_id)
        file = session.get(CertificateFile, row.file_id) if row.file_id is not None else None
        newer = aliased(Assessment)
        followed = session.scalar(select(newer.id).where(newer.corrects_id == row.id))
    return render_template(
        "metrics/assessment.html",
        row=row,
        person=person,
        file=file,
        followed=followed,
        states=ENTRIES,
        roles=roles_in_words,
        outside=_outside,
        own=g.account.person_id == person.id,
        ended=row.expires_at is not None and row.expires_at <= installation().clock(),
    )


@blueprint.route("/assessments/<int:entry_id>/file")
@needs("assessments.see")
def file(entry_id: int) -> ResponseReturnValue:
    """The entry's file, as it was handed in, for saving; refused when it is not what was stored."""
    with installation().store.read() as session:
        row, _ = _row(session, entry_id)
        try:
            found = certificates.read(session, row)
        except NotThereError as error:
            raise NotFoundError(gettext(error.sentence, **error.values)) from None
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            return redirect(url_for("assessments.one", entry_id=entry_id))
        name = f"certificate-{row.id}.{ENDINGS[found.media_type]}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Response(found.content, mimetype=found.media_type, headers=headers)


@blueprint.route("/assessments/<int:entry_id>/<act>", methods=["POST"])
@needs("assessments.do")
def settle(entry_id: int, act: str) -> ResponseReturnValue:
    """Approve or decline what was handed in, or void what counts."""
    home = installation()
    with home.store.read() as session:
        _row(session, entry_id)
    if act not in ACTS:
        raise NotFound
    try:
        with home.store.write() as session:
            by = by_account(session, g.account, "assessments.do")
            ACTS[act](session, entry_id, request.form.get("reason", ""), by, home.clock())
    except RefusedInWordsError as error:
        flash(gettext(error.sentence, **error.values), "bad")
    else:
        home.wake("people_touched")
        done = {
            "approve": gettext("It is approved, and counts from now on."),
            "decline": gettext("It is declined; the employee sees the reason."),
            "void": gettext("It is voided, and counts no more."),
        }
        flash(done[act], "ok")
    return redirect(url_for("assessments.one", entry_id=entry_id))


# The form -------------------------------------------------------------------------------------------------------------


def _form(
    right: str,
    what: str,
    act: Callable[[Session, Entry, Upload | None, By, datetime], Assessment],
    given: dict[str, Any],
    person: Person | None = None,
) -> ResponseReturnValue:
    home, status = installation(), 200
    if request.method == "POST":
        given = dict(request.form)
        try:
            entry, upload = _entry(), _upload()
            with home.store.write() as session:
                row = act(session, entry, upload, by_account(session, g.account, right), home.clock())
                entry_id = row.id
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status = 422
        else:
            home.wake("people_touched")
            done = {
                "enter": gettext("It is entered, and counts from now on."),
                "hand_in": gettext("It is handed in. You see here when it is approved, or why not."),
                "correct": gettext("It is corrected; the former entry stays in the history."),
            }
            flash(done[what], "ok")
            return redirect(url_for("assessments.one", entry_id=entry_id))
    with home.store.read() as session:
        known = codes(session)
    page = render_template("metrics/assess.html", what=what, given=given, person=person, codes=known, most=_most())
    return page, status


def _entry() -> Entry:
    """What the form says. Raises RefusedInWordsError for a day that is none."""
    form = request.form
    day, time = form.get("achieved", "").strip(), form.get("time", "").strip()
    return Entry(
        assessment=form.get("assessment", ""),
        achieved_at=_moment(f"{day}T{time}" if time else day),
        success=SUCCESS.get(form.get("passed", "yes")),
        note=form.get("note", ""),
        expires_at=_moment(form["expires"]) if form.get("expires", "").strip() else None,
        issuer=form.get("issuer", ""),
        number=form.get("number", ""),
    )


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text, installation().settings.organisation.zone)
    except ValueError:
        raise RefusedInWordsError(NOT_A_MOMENT, text=text.strip() or "–") from None


def _upload() -> Upload | None:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return None
    with sent.stream as stream:
        return Upload(sent.filename, stream.read())


def _most() -> int:
    return installation().settings.section("metrics", MetricsSettings).certificate_mib


def _exact(entry: Entry, row: Assessment) -> Entry:
    """What a correction says, with the exact moments of the entry where those that the form showed were left as they are."""
    shown = _as_given(row)
    if entry.achieved_at == _moment(f"{shown['achieved']}T{shown['time'] or '00:00'}"):
        entry = replace(entry, achieved_at=row.achieved_at)
    if row.expires_at is not None and entry.expires_at == _moment(shown["expires"]):
        entry = replace(entry, expires_at=row.expires_at)
    return entry


def _as_given(row: Assessment) -> dict[str, Any]:
    """An entry as the form shows it, on the organisation's wall clock; a browser knows no less than milliseconds."""
    zone = installation().settings.organisation.zone
    achieved = row.achieved_at.astimezone(zone)
    precision = "milliseconds" if achieved.microsecond else "seconds"
    return {
        "assessment": row.assessment,
        "passed": next(word for word, success in SUCCESS.items() if success is row.success),
        "achieved": achieved.date().isoformat(),
        "time": "" if achieved == start_of_day(achieved.date(), zone) else achieved.time().isoformat(precision),
        "expires": row.expires_at.astimezone(zone).date().isoformat() if row.expires_at is not None else "",
        "issuer": row.issuer or "",
        "number": row.number or "",
        "note": row.note or "",
    }


# Small things ---------------------------------------------------------------------------------------------------------


def _row(session: Session, entry_id: int) -> tuple[Assessment, Person]:
    """The entry with its person, for whoever may see it; nobody else learns whether there is one."""
    query = select(Assessment, Person).join(Person, Person.id == Assessment.person_id)
    found = session.execute(query.where(Assessment.id == entry_id, visible())).one_or_none()
    if found is None:
        raise NotFoundError(gettext(NO_ENTRY, id=entry_id))
    return found[0], found[1]


def _outside(row: Assessment, person: Person) -> str | None:
    """What is to be noted about the moment of achievement: before the person joined, or after they left."""
    zone = installation().settings.organisation.zone
    if person.joined_on is not None and row.achieved_at < start_of_day(person.joined_on, zone):
        return str(gettext("before joining"))
    if person.left_on is not None and row.achieved_at >= start_of_day(person.left_on, zone):
        return str(gettext("after leaving"))
    return None
