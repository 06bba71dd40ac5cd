"""The pages on which files are handed in: requirements, promotions, assessments, past awards, tags of people.

A file is tried first, and the page says what each row would do; only the same file, sent back by the confirmation, is
stored. It comes back within the form, so that nothing of it is kept here in between; each page has a view of its own.
"""

import base64
import binascii
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from flask import Blueprint, flash, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from metrics import promotion_acts
from metrics.certification import assessment_import, history, promotion_import, requirement_texts
from metrics.certification.acting import by_account
from metrics.certification.promotion_proposals import TERMS
from metrics.certification.requirement_import import import_requirements
from plugin import tag_import
from plugin.errors import N_, RefusedInWordsError
from plugin.imports import CHANGED, KNOWN, NEW, Outcome, bring_in
from plugin.spreadsheets import read_sheet
from plugin.web import installation, needs, today

blueprint = Blueprint("imports", __name__, template_folder="templates")

MEBIBYTE = 1024 * 1024
MOST_MIB = 2  # of a file; its form of letters, which is a third longer, has to come back with the confirmation
MOST_UNPACKED_MIB = 50  # of what a workbook says that it unpacks to
MOST_ROWS = 5000
SHOWN = 200  # rows of each kind

NO_FILE = N_("Choose a file: CSV or XLSX.")
TOO_LARGE = N_("The file has more than %(most)s MiB; use the command, or hand it in in parts.")
TOO_MANY = N_("The file has %(rows)s rows; more than %(most)s are for the command, or hand it in in parts.")
NOT_WHOLE = N_("The file did not come back whole with the confirmation; choose it once more.")

BECAME = {
    NEW: (lazy_gettext("new"), "ok"),
    CHANGED: (lazy_gettext("changes a record"), "warn"),
    KNOWN: (lazy_gettext("known already"), "mute"),
}


@dataclass(frozen=True)
class Kind:
    """What a page takes: its words, the columns that a file must have and may have, and what reads and stores it."""

    title: Any
    lead: Any
    required: tuple[str, ...]
    optional: tuple[str, ...]
    back: tuple[str, Any]
    bring: Callable[[Session, Path], Outcome]


def _requirements(session: Session, path: Path) -> Outcome:
    return import_requirements(session, path, today(), g.account.login, installation().clock())


def _promotions(session: Session, path: Path) -> Outcome:
    home = installation()
    return promotion_import.import_promotions(
        path, lambda proposals: promotion_acts.propose_in(session, home, proposals, g.account.login)
    )


def _assessments(session: Session, path: Path) -> Outcome:
    home, by = installation(), by_account(session, g.account, "assessments.do")
    return assessment_import.import_assessments(session, path, home.settings.organisation.zone, by, home.clock())


def _history(session: Session, path: Path) -> Outcome:
    home = installation()
    return history.import_history(session, path, home.settings.organisation.zone, g.account.login, home.clock())


def _tags(session: Session, path: Path) -> Outcome:
    return tag_import.import_tags(session, path, today(), g.account.login, installation().clock())


REQUIREMENTS = Kind(
    lazy_gettext("Requirements from a file"),
    lazy_gettext("Each row requires a certification of one population; the columns say which."),
    requirement_texts.COLUMNS[:1],
    requirement_texts.COLUMNS[1:],
    ("requirements.listing", lazy_gettext("Requirements")),
    _requirements,
)
PROMOTIONS = Kind(
    lazy_gettext("Promotion and pay records from a file"),
    lazy_gettext("Each row proposes a record, or changes an open one of the same id."),
    promotion_import.REQUIRED,
    TERMS,
    ("metrics.promotions", lazy_gettext("Promotions")),
    _promotions,
)
ASSESSMENTS = Kind(
    lazy_gettext("Assessments from a file"),
    lazy_gettext("Each row enters an assessment, or with an issuer an external certificate, in your name."),
    assessment_import.REQUIRED,
    ("success", "note", "issuer", "number", "expires_at"),
    ("assessments.listing", lazy_gettext("Assessments")),
    _assessments,
)
HISTORY = Kind(
    lazy_gettext("Past awards from a file"),
    lazy_gettext("Each row is an award of the past, which keeps its own dates; HR is told of them as history."),
    history.COLUMNS,
    ("valid_until",),
    ("rules.listing", lazy_gettext("Rules")),
    _history,
)
TAGS = Kind(
    lazy_gettext("Tags of people from a file"),
    lazy_gettext("Each row puts a tag on somebody, by which requirements pick people out."),
    tag_import.REQUIRED,
    ("from", "until"),
    ("requirements.listing", lazy_gettext("Requirements")),
    _tags,
)


@blueprint.route("/requirements/import", methods=["GET", "POST"])
@needs("rules.do")
def requirements() -> ResponseReturnValue:
    """Requirements from a file."""
    return _page(REQUIREMENTS)


@blueprint.route("/promotions/import", methods=["GET", "POST"])
@needs("promotions.do")
def promotions() -> ResponseReturnValue:
    """Promotion and pay records from a file."""
    return _page(PROMOTIONS)


@blueprint.route("/assessments/import", methods=["GET", "POST"])
@needs("assessments.do")
def assessments() -> ResponseReturnValue:
    """Assessments and external certificates from a file."""
    return _page(ASSESSMENTS)


@blueprint.route("/rules/import-history", methods=["GET", "POST"])
@needs("rules.do")
def past_awards() -> ResponseReturnValue:
    """Awards of the past from a file."""
    return _page(HISTORY)


@blueprint.route("/requirements/import-tags", methods=["GET", "POST"])
@needs("rules.do")
def tags() -> ResponseReturnValue:
    """Tags of people from a file."""
    return _page(TAGS)


def _page(kind: Kind) -> ResponseReturnValue:
    """The form; once a file was sent, what it would do; once it was confirmed, what it did."""
    outcome, kept, status, confirmed = None, "", 200, bool(request.form.get("confirmed"))
    name = request.form.get("name", "")
    if request.method == "POST":
        try:
            name, content = _confirmed() if confirmed else _sent()
            outcome = _bring(kind, name, content, dry_run=not confirmed)
        except RefusedInWordsError as error:
            flash(gettext(error.sentence, **error.values), "bad")
            status, confirmed = 422, False
        else:
            kept = "" if confirmed else base64.b64encode(zlib.compress(content)).decode("ascii")
    counts = {became: outcome.count(became) for became in BECAME} if outcome else {}
    if confirmed and outcome:
        flash(gettext("It is stored. What follows from it is derived within a minute."), "ok")
    return (
        render_template(
            "metrics/import.html",
            kind=kind,
            name=name,
            kept=kept,
            done=confirmed,
            outcome=outcome,
            counts=counts,
            changes=counts.get(NEW, 0) + counts.get(CHANGED, 0),
            became=BECAME,
            shown=SHOWN,
            most=MOST_MIB,
            most_rows=MOST_ROWS,
            said=lambda found: gettext(found.error.sentence, **found.error.values),
        ),
        status,
    )


def _sent() -> tuple[str, bytes]:
    """The file that was chosen: its name and content. Raises RefusedInWordsError for none, and one that is too large."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise RefusedInWordsError(NO_FILE)
    with sent.stream as stream:
        content = stream.read(MOST_MIB * MEBIBYTE + 1)
    _check_size(content)
    return _plain(sent.filename), content


def _confirmed() -> tuple[str, bytes]:
    """The file that was tried, as the confirmation brings it back. Raises RefusedInWordsError."""
    unpacking = zlib.decompressobj()
    try:
        packed = base64.b64decode(request.form.get("content", ""), validate=True)
        content = unpacking.decompress(packed, MOST_MIB * MEBIBYTE + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise RefusedInWordsError(NOT_WHOLE) from None
    _check_size(content)
    if not unpacking.eof:
        raise RefusedInWordsError(NOT_WHOLE)
    return _plain(request.form.get("name", "")), content


def _check_size(content: bytes) -> None:
    if not content:
        raise RefusedInWordsError(NO_FILE)
    if len(content) > MOST_MIB * MEBIBYTE or _unpacked(content) > MOST_UNPACKED_MIB * MEBIBYTE:
        raise RefusedInWordsError(TOO_LARGE, most=MOST_MIB)


def _unpacked(content: bytes) -> int:
    """How much a workbook says that it unpacks to; nothing for what is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return sum(each.file_size for each in book.infolist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return 0


def _plain(name: str) -> str:
    """A file's own name, fit for a folder and a message."""
    letters = "".join(letter for letter in PurePath(name.replace("\\", "/")).name if letter.isprintable())
    return letters.lstrip(".")[-60:] or "file"


def _bring(kind: Kind, name: str, content: bytes, *, dry_run: bool) -> Outcome:
    """Let the importer read the file, which it takes by its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        rows = sum(1 for _ in read_sheet(path, kind.required).rows)
        if rows > MOST_ROWS:
            raise RefusedInWordsError(TOO_MANY, rows=rows, most=MOST_ROWS)
        return bring_in(installation(), path, kind.bring, dry_run=dry_run)
