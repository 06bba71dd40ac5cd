"""What states and outcomes are called on pages, in the reader's language."""

import re

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from webhooks import endpoints, keys, target
from webhooks.models import DEAD, DELIVERED, SKIPPED, WAITING

STATES = {
    WAITING: _("waiting"),
    DELIVERED: _("delivered"),
    DEAD: _("given up"),
    SKIPPED: _("overtaken"),
}
BADGES = {WAITING: "badge-warn", DELIVERED: "badge-ok", DEAD: "badge-bad", SKIPPED: "badge-mute"}

ENDPOINT_STATES = {
    endpoints.IN_USE: _("in use"),
    endpoints.FAILING: _("failing"),
    endpoints.PAUSED: _("asked to wait"),
    endpoints.DISABLED: _("disabled"),
}
ENDPOINT_BADGES = {
    endpoints.IN_USE: "badge-ok",
    endpoints.FAILING: "badge-warn",
    endpoints.PAUSED: "badge-warn",
    endpoints.DISABLED: "badge-bad",
}
SCHEMES = {
    keys.V1: _("a shared secret (v1)"),
    keys.V1A: _("a key pair (v1a)"),
    keys.BOTH: _("both (v1 and v1a)"),
}

OUTCOMES = {
    target.DELIVERED: _("accepted"),
    target.TIMEOUT: _("no answer in time"),
    target.UNREACHABLE: _("no connection"),
    target.REFUSED_ADDRESS: _("address not allowed"),
    target.REDIRECT: _("sent elsewhere"),
    target.REJECTED: _("refused by the endpoint"),
    target.THROTTLED: _("asked to wait"),
    target.GONE: _("endpoint is gone"),
    target.SERVER_ERROR: _("endpoint failed"),
    target.TOO_LARGE: _("too large"),
    target.LOST: _("outcome unknown"),
    target.BROKEN: _("failed inside CertBridge"),
    target.UNWRITABLE: _("could not be written"),
}

# The types of events, as people say them.
TYPES = {
    "certification.awarded": _("certification awarded"),
    "certification.renewed": _("certification renewed"),
    "certification.renewal_due": _("renewal due"),
    "certification.grace": _("in grace"),
    "certification.expired": _("certification expired"),
    "certification.revoked": _("certification revoked"),
    "certification.reinstated": _("certification reinstated"),
    "certification.exempted": _("exempted"),
    "certification.amended": _("certification amended"),
    "promotion.eligible": _("eligible for promotion"),
    "promotion.conditional": _("eligible on a condition"),
    "promotion.blocked": _("promotion blocked"),
    "person.erased": _("person erased"),
    "endpoint.test": _("test message"),
}

# The reasons as they are kept: in English, with what varies in brackets at the end.
REASONS = [
    _("The endpoint accepted it."),
    _("The endpoint sent it elsewhere, and redirects are not followed."),
    _("The endpoint is gone and wants no more messages."),
    _("The endpoint asks to wait."),
    _("The endpoint takes no more at the moment."),
    _("The endpoint refused it."),
    _("The endpoint failed."),
    _("The endpoint did not answer in time."),
    _("The endpoint's name does not resolve."),
    _("No encrypted connection came about: the endpoint's certificate or protocol is not acceptable."),
    _("No connection came about, or it was cut before an answer came."),
    _("The process ended before the outcome was known; the message may have arrived."),
    _("A newer delivered event of its subject has overtaken it."),
    _("Its body would be larger than 20,000 bytes, which nobody has to accept."),
    _("Sending it broke inside CertBridge; the log says where."),
    _("The person has been erased; only that is told."),
    _("The file stands in the folder."),
    _("The folder is not there."),
    _("The folder may not be written to."),
    _("The folder can only be read."),
    _("The disk is full."),
    _("Its body is not JSON, which a file could hold."),
    _("Nothing but failures came back for too long."),
    _("The endpoint's certificate is not valid yet; check the clocks."),
    _("The endpoint's certificate has expired."),
    _("The endpoint's certificate is signed by itself; name it, or the authority behind it, as ca_file."),
    _("The endpoint's certificate comes from an authority that is not trusted; name that as ca_file."),
    _("The endpoint's certificate has been revoked."),
    _("The endpoint's certificate is for another name than the endpoint's address has."),
    _("The endpoint's certificate cannot be verified."),
    _("The endpoint asks for a client certificate, and did not get one that it accepts."),
    _("The endpoint cut the encrypted connection; if it asks for a client certificate, it got none that it accepts."),
]


def reason(kept: str | None) -> str:
    """A reason as it is kept, in the reader's language where it is one of ours; else as it is."""
    if not kept:
        return ""
    parts = re.fullmatch(r"(.*?)( \([^()]*\))?\.", kept)
    if parts is None:
        return kept
    return str(gettext(f"{parts[1]}.")) + (parts[2] or "")
