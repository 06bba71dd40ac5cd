"""The page on which HR and administrators hand in files of people and the organisation, see what they would do, and use them.

A file that was handed in is kept for a day at the most, until somebody uses or drops it.
"""

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from connectors.file_models import APPLIED, DROPPED, HELD, RosterFile
from connectors.roster import files
from connectors.roster.fields import KINDS
from connectors.roster.importing import Import, Report, apply_in, preview, roster_of
from connectors.roster.planning import HeldError, kind_of
from connectors.roster.reports import report_csv
from connectors.roster.templates_of_files import columns_of, template_csv, write_template_xlsx
from connectors.sources import ensure_schedules, schedule_name
from connectors.words import ROSTER_CHANGES, ROSTER_FIELDS, ROSTER_KINDS
from plugin import schedules
from plugin.errors import N_, RefusedInWordsError
from plugin.web import MenuEntry, installation, language, needs

MOST_MIB = 9
SHOWN = 100  # changes and refused rows that the page lists
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

NO_CHOICE = N_("Choose a file: CSV or XLSX.")
TOO_LARGE = N_("The file has more than %(most)s MiB; use the command 'certbridge roster import'.")
MANY_END = N_("This file would end many people; tick that this is right, or drop it.")

blueprint = Blueprint("roster", __name__, template_folder="templates", url_prefix="/roster")
BLUEPRINTS = [blueprint]
MENU = [MenuEntry("Roster", "roster.files_page", "roster.do")]


@blueprint.route("")
@needs("roster.do")
def files_page() -> ResponseReturnValue:
    """The form for a file, templates, and the files that are held."""
    return _form(200)


@blueprint.route("", methods=["POST"])
@needs("roster.do")
def hand_in() -> ResponseReturnValue:
    """Take a file in, and go on to what it would do."""
    home = installation()
    try:
        source, _ = roster_of(home)
        kind = kind_of(request.form.get("kind", "")).name
        name, content = _sent()
        with home.store.write() as session:
            whole = kind == "employees" and request.form.get("whole") == "1"
            row = files.keep(session, source, kind, name, content, g.account.login, home.clock(), whole=whole)
            id_ = row.id
        with _import_of(id_) as wanted:
            preview(home, wanted)
    except RefusedInWordsError as refused:
        flash(gettext(refused.sentence, **refused.values), "bad")
        return _form(422)
    return redirect(url_for("roster.look", id_=id_))


@blueprint.route("/files/<int:id_>")
@needs("roster.do")
def look(id_: int) -> ResponseReturnValue:
    """What a file that was handed in would do."""
    return _look(id_, 200)


@blueprint.route("/files/<int:id_>/report.csv")
@needs("roster.do")
def report(id_: int) -> ResponseReturnValue:
    """The refused rows, to be downloaded."""
    try:
        with _import_of(id_) as wanted:
            found = preview(installation(), wanted)
    except RefusedInWordsError:
        abort(404)
    text = report_csv(found, lambda sentence, values: str(gettext(sentence, **values)))
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f"attachment; filename=refused-{id_}.csv"
    return answer


@blueprint.route("/files/<int:id_>", methods=["POST"])
@needs("roster.do")
def decide(id_: int) -> ResponseReturnValue:
    """Use the file, all of it in one transaction, or drop it."""
    home = installation()
    try:
        if request.form.get("act") == "drop":
            with home.store.write() as session:
                files.settle(session, files.waiting(session, id_), DROPPED, g.account.login, home.clock())
            flash(gettext("The file was dropped; nothing of it was used."), "ok")
            return redirect(url_for("roster.files_page"))
        found = _use(id_, confirmed=request.form.get("ends") == "1")
    except HeldError:
        flash(gettext(MANY_END), "bad")
        return _look(id_, 422)
    except RefusedInWordsError as refused:
        flash(gettext(refused.sentence, **refused.values), "bad")
        return redirect(url_for("roster.files_page"))
    home.wake("people_touched")
    said = {"added": found.counts.added, "changed": found.counts.changed, "ended": found.counts.ended}
    flash(gettext("Done: %(added)s added, %(changed)s changed, %(ended)s ended.", **said), "ok")
    return redirect(url_for("roster.files_page"))


@blueprint.route("/held/<int:id_>", methods=["POST"])
@needs("roster.do")
def confirm(id_: int) -> ResponseReturnValue:
    """Let a file that a pull holds through, as it is."""
    home = installation()
    with home.store.write() as session:
        row = session.get(RosterFile, id_)
        if row is None or row.state != HELD:
            abort(404)
        files.confirm(session, row, g.account.login, request.form.get("reason", ""), home.clock())
    flash(gettext("The next pull uses the file, as long as it stays as it is."), "ok")
    return redirect(url_for("roster.files_page"))


@blueprint.route("/templates/<kind>.<any(csv, xlsx):form>")
@needs("roster.do")
def template(kind: str, form: str) -> ResponseReturnValue:
    """A file of a kind with its header and examples."""
    if kind not in KINDS:
        abort(404)
    columns = columns_of(KINDS[kind], language(), lambda text: str(gettext(text)))
    name = f"{kind}.{form}"
    if form == "csv":
        content = io.BytesIO(template_csv(KINDS[kind], columns).encode())
        return send_file(content, mimetype="text/csv", as_attachment=True, download_name=name)
    content = io.BytesIO()
    write_template_xlsx(content, KINDS[kind], columns, language())
    content.seek(0)
    return send_file(content, mimetype=XLSX, as_attachment=True, download_name=name)


def _form(status: int) -> ResponseReturnValue:
    with installation().store.read() as session:
        held = files.held(session)
    page = render_template("roster/files.html", kinds=ROSTER_KINDS, held=held, most=MOST_MIB)
    return page, status


def _look(id_: int, status: int) -> ResponseReturnValue:
    try:
        with _import_of(id_) as wanted:
            found = preview(installation(), wanted)
    except RefusedInWordsError as refused:
        flash(gettext(refused.sentence, **refused.values), "bad")
        return redirect(url_for("roster.files_page"))
    words: Mapping[str, object] = {"kinds": ROSTER_KINDS, "fields": ROSTER_FIELDS, "changes": ROSTER_CHANGES}
    page = render_template("roster/look.html", id_=id_, found=found, whole=wanted.whole, shown=SHOWN, say=_say, **words)
    return page, status


def _say(said: object) -> str:
    """A fault or a note in the reader's language."""
    sentence, values = getattr(said, "sentence", ""), getattr(said, "values", {})
    return str(gettext(sentence, **values))


def _use(id_: int, *, confirmed: bool) -> Report:
    home = installation()
    source, _ = roster_of(home)
    ensure_schedules(home, [source])
    with (
        _import_of(id_) as wanted,
        schedules.lease(home.store, schedule_name(source), home.clock, beside=True),
        home.store.write() as session,
    ):
        row = files.waiting(session, id_)
        found = apply_in(session, home, wanted, g.account.login, confirmed=confirmed)
        files.settle(session, row, APPLIED, g.account.login, home.clock())
    return found


@contextmanager
def _import_of(id_: int) -> Iterator[Import]:
    """A file that was handed in, in a folder of its own as long as it is looked at. Raises RefusedInWordsError."""
    home = installation()
    source, settings = roster_of(home)
    with home.store.read() as session:
        row = files.waiting(session, id_)
        content, name, kind, whole = row.content or b"", row.name, row.kind, row.whole
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        yield Import(source, settings, kind, path, whole=whole, most=SHOWN, called=name)


def _sent() -> tuple[str, bytes]:
    """The file that was chosen. Raises RefusedInWordsError for none, and for one that is too large."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise RefusedInWordsError(NO_CHOICE)
    with sent.stream as stream:
        content = stream.read((MOST_MIB << 20) + 1)
    if not content:
        raise RefusedInWordsError(NO_CHOICE)
    if len(content) > MOST_MIB << 20:
        raise RefusedInWordsError(TOO_LARGE, most=MOST_MIB)
    letters = "".join(letter for letter in PurePath(sent.filename.replace("\\", "/")).name if letter.isprintable())
    return letters.lstrip(".")[-100:] or "file", content
