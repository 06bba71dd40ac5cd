"""The API that tells how a person's certifications stand and why: what `certbridge explain --format json` says."""

from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from metrics.certification.explain import explain, explain_all
from plugin.errors import RefusedError
from plugin.moments import in_zone_iso, parse_moment
from plugin.web import installation, needs_token

blueprint = Blueprint("certifications_api", __name__, url_prefix="/api/v1/people")


@blueprint.route("/<number>/certifications")
@needs_token("certifications:read")
def every(number: str) -> ResponseReturnValue:
    """Every certification that the person began, held or must hold, each explained; 404 for an unknown employee."""
    home = installation()
    zone, as_of = home.settings.organisation.zone, _as_of()
    with home.store.read() as session:
        found = list(explain_all(session, number, as_of, zone))
    return {"employee_number": number, "as_of": in_zone_iso(as_of, zone), "certifications": found}


@blueprint.route("/<number>/certifications/<path:code>")
@needs_token("certifications:read")
def one(number: str, code: str) -> ResponseReturnValue:
    """The explanation of one certification; 404 for an unknown employee or certification."""
    as_of = _as_of()
    with installation().store.read() as session:
        return explain(session, number, code, as_of, installation().settings.organisation.zone)


def _as_of() -> datetime:
    """The moment asked about in `as_of`, now without it; refused (422) when it is none."""
    home = installation()
    text = request.args.get("as_of", "").strip()
    if not text:
        return home.clock()
    try:
        return parse_moment(text, home.settings.organisation.zone)
    except ValueError as error:
        raise RefusedError(f"as_of: {error} (in an address a + is written %2B)") from None
