"""Where sources send their notices. No session and no token: a notice is known by its signature."""

import logging

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable, Unauthorized

from connectors import notices
from plugin.errors import SecretError
from plugin.web import installation, signed

log = logging.getLogger(__name__)

blueprint = Blueprint("notices", __name__, url_prefix="/api/v1/sources")


@blueprint.route("/<source>/events", methods=["POST"])
@signed
def events(source: str) -> ResponseReturnValue:
    """Store a notice and wake a worker: 202, or 200 when it is here already.

    404 no such source, 413 too large, 400 headers or time, 401 signature, 422 no notice.
    """
    home = installation()
    try:
        secrets = notices.secrets_of(home.settings, source)
    except SecretError as error:
        log.error("A notice of %s cannot be verified: %s", source, error)
        raise ServiceUnavailable("The notice cannot be verified now; the log says why. Send it again later.") from None
    body = request.stream.read(notices.LARGEST + 1)
    if len(body) > notices.LARGEST or (request.content_length or 0) > notices.LARGEST:
        raise RequestEntityTooLarge(f"A notice has at most {notices.LARGEST} bytes.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        message_id = notices.verify(body, headers, secrets)
    except notices.BadHeadersError as error:
        log.warning("A notice of %s was refused: %s", source, error)
        raise BadRequest(str(error)) from None
    except notices.NotSignedError as error:
        log.warning("A notice of %s was refused: %s", source, error)
        raise Unauthorized(str(error)) from None
    with home.store.write() as session:
        new = notices.take(session, source, message_id, body, home.clock())
    if not new:
        return {"status": "known"}, 200
    home.wake(notices.TOPIC)
    return {"status": "accepted"}, 202
