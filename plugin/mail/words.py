"""What states, templates and reasons of mails are called on pages, in the reader's language."""

import re

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from plugin.mail import states

STATES = {
    states.WAITING: _("waiting"),
    states.SENDING: _("being sent"),
    states.SENT: _("sent"),
    states.FAILED: _("failed"),
    states.GIVEN_UP: _("given up"),
    states.UNKNOWN: _("unknown"),
    states.OFF: _("switched off"),
    states.JOINED: _("in a digest"),
}
TONES = {
    states.WAITING: "warn",
    states.SENDING: "warn",
    states.SENT: "ok",
    states.FAILED: "bad",
    states.GIVEN_UP: "bad",
    states.UNKNOWN: "bad",
    states.OFF: "mute",
    states.JOINED: "mute",
}


def reason(kept: str | None) -> str:
    """A reason as it is kept, in the reader's language; what varies stands behind it."""
    parts = re.fullmatch(r"(.*?)( \(.*\))?\.", kept or "")
    return str(gettext(f"{parts[1]}.")) + (parts[2] or "") if parts else kept or ""
