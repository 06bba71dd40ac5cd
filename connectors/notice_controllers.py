"""Where sources send their notices. No session and no token: a notice is known by its signature."""

import logging

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from connectors import doors, notices
from connectors.doors import SIGNED_HEADERS
from connectors.doors import TAKEN_ANSWER as TAKEN
from connectors.signed import UNKNOWN, Refusal, verify
from plugin.api import N_, described
from plugin.errors import NotFoundError, SecretError
from plugin.web import installation, signed

log = logging.getLogger(__name__)

blueprint = Blueprint("notices", __name__, url_prefix="/api/v1/sources")


@blueprint.route("/<source>/events", methods=["POST"])
@signed
@described(
    N_("A source says that something has changed"),
    {202: TAKEN, 200: TAKEN},
    text=N_("Signed after Standard Webhooks with a secret of the source. 200: this message was here already."),
    body={
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string"}, "data": {"type": "object"}},
    },
    path={"source": {"type": "string"}},
    headers=SIGNED_HEADERS,
    problems=[400, 401, 404, 413, 422, 503],
)
def events(source: str) -> ResponseReturnValue:
    """Store a notice and wake a worker: 202, or 200 when it is here already.

    404 no such source, 413 too large, 400 headers, time, or no JSON, 401 signature, 422 no notice, 503 no secret here. What is
    refused is counted.
    """
    home = installation()
    now = home.clock()
    try:
        secrets = notices.secrets_of(home.settings, source)
    except NotFoundError as error:
        doors.refused(home.store, doors.NOTICES, "", Refusal(UNKNOWN, str(error)), now)
        raise
    except SecretError as error:
        raise _unavailable(source, error) from None
    try:
        body = doors.body_of(request, notices.LARGEST)
        message = verify(secrets, dict(request.headers), body, now)
        with home.store.write() as session:
            new = notices.take(session, source, message.id, body, now)
            doors.taken(session, doors.NOTICES, source, now, known=not new)
    except SecretError as error:
        raise _unavailable(source, error) from None
    except Refusal as refusal:
        log.warning("A notice of %s was refused: %s", source, refusal)
        doors.refused(home.store, doors.NOTICES, source, refusal, now)
        raise
    if not new:
        return {"status": "known"}, 200
    home.wake(notices.TOPIC)
    return {"status": "accepted"}, 202


def _unavailable(source: str, error: SecretError) -> ServiceUnavailable:
    log.error("A notice of %s cannot be verified: %s", source, error)
    return ServiceUnavailable("The notice cannot be verified now; the log says why. Send it again later.")
