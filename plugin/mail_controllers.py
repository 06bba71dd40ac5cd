"""The pages of mail: what was or is to be sent, by state, and each mail as its recipient sees it.

The HTML of a mail is a document of its own at an address of its own, with a policy of its own: in a sandbox, without
scripts, forms and anything from elsewhere, with the one style that stands in it. So the policy of our pages stays as
strict as it is, and nothing in a mail can reach a page or its session.
"""

import base64
import hashlib
import re

from flask import Blueprint, Response, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from plugin.errors import RefusedError
from plugin.mail import listing, states, words
from plugin.mail.composing import shown
from plugin.mail.queue import retry_mail
from plugin.mail.rendering import Content, Renderer
from plugin.models import Mail
from plugin.paging import Paging
from plugin.web import LANGUAGES, installation, needs

blueprint = Blueprint("mail", __name__, template_folder="templates")

STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"mail_words": words, "mail_states": states}


@blueprint.route("/mail")
@needs("mail.see")
def mails() -> ResponseReturnValue:
    """The mails by state, the newest first."""
    state = request.args.get("state")
    state = state if state in states.STATES else None
    home = installation()
    with home.store.read() as session:
        counts = listing.counts(session)
        paging = Paging.of(counts.get(state, 0) if state else sum(counts.values()))
        found = listing.listed(session, state=state, offset=paging.offset, limit=paging.size)
        rows = [(mail, _subject(session, mail)) for mail in found]
    return render_template(
        "mail/pages/list.html",
        rows=rows,
        counts=counts,
        paging=paging,
        chosen=state,
        enabled=home.settings.mail.enabled,
    )


@blueprint.route("/mail/<int:mail_id>")
@needs("mail.see")
def mail(mail_id: int) -> ResponseReturnValue:
    """One mail as it was sent, or would be sent now."""
    with installation().store.read() as session:
        found = _one(session, mail_id)
        content = _content(session, found)
        inner = [(one, _subject(session, one)) for one in listing.within(session, found)]
    return render_template(
        "mail/pages/one.html",
        mail=found,
        content=content,
        inner=inner,
        language_name=LANGUAGES.get(found.language or installation().settings.organisation.language, found.language),
        retried=found.state in states.RETRIED and bool(found.recipient),
    )


@blueprint.route("/mail/<int:mail_id>/html")
@needs("mail.see")
def as_html(mail_id: int) -> ResponseReturnValue:
    """The HTML of one mail, in a sandbox."""
    with installation().store.read() as session:
        content = shown(_renderer(), session, _kept(_one(session, mail_id)))
    response = Response(content.html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _policy(content.html)
    return response


@blueprint.route("/mail/<int:mail_id>/retry", methods=["POST"])
@needs("mail.retry")
def retry(mail_id: int) -> ResponseReturnValue:
    """Have one mail sent again."""
    home = installation()
    with home.store.write() as session:
        _one(session, mail_id)
        try:
            retry_mail(session, mail_id, g.account.login, home.clock())
        except RefusedError:
            flash(gettext("This mail cannot be sent again."), "bad")
        else:
            flash(gettext("The mail is due now and will be sent within moments."), "ok")
    return redirect(url_for("mail.mail", mail_id=mail_id))


def _one(session: Session, mail_id: int) -> Mail:
    return session.get(Mail, mail_id) or abort(404)


def _policy(html: str) -> str:
    """What a browser may do with the HTML of a mail: show it, with the one style that stands in its head."""
    style = STYLE.search(html)
    digest = base64.b64encode(hashlib.sha256((style[1] if style else "").encode()).digest()).decode()
    return (
        f"sandbox; default-src 'none'; style-src 'sha256-{digest}'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _renderer() -> Renderer:
    """The renderer of this application, made when it is first needed."""
    kept: Renderer = current_app.extensions.setdefault("certbridge_mail", None) or Renderer.of(installation())
    current_app.extensions["certbridge_mail"] = kept
    return kept


def _kept(mail: Mail) -> Mail:
    """The mail, when its content has not been removed. Raises RefusedError."""
    if not mail.recipient:
        raise RefusedError(gettext("The content of this mail has been removed, as it is old."))
    return mail


def _content(session: Session, mail: Mail) -> Content | None:
    """What the mail says; None when that has been removed or cannot be made."""
    try:
        return shown(_renderer(), session, _kept(mail))
    except RefusedError:
        return None


def _subject(session: Session, mail: Mail) -> str:
    """The mail's subject, or the name of its template where there is none."""
    content = _content(session, mail)
    return content.subject if content else mail.template
