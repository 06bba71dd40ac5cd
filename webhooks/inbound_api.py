"""Where HR sends its events. No session and no token: an event is known by its signature.

What is well signed and well formed is stored first, and worked on after (webhooks.inbound_work).
"""

import logging
from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from connectors import doors
from connectors.signed import (
    CONFLICT,
    MEDIA_TYPE,
    UNKNOWN,
    UNKNOWN_TYPE,
    Refusal,
    Signed,
    parse,
    verify,
)
from plugin.api import N_, described
from plugin.errors import SecretError
from plugin.store import insert_new
from plugin.web import installation, signed
from webhooks.inbound_models import InboundEvent, InboundSender
from webhooks.inbound_senders import secrets_in_use
from webhooks.inbound_types import Moved, Received, read, schemas

log = logging.getLogger(__name__)

TOPIC = "inbound_events"
LARGEST = 64 * 1024  # bytes

blueprint = Blueprint("inbound_api", __name__, url_prefix="/api/v1/inbound")


@blueprint.route("/<name>", methods=["POST"])
@signed
@described(
    N_("HR tells that somebody was hired, moved or left, or that a promotion was proposed or decided"),
    {202: doors.TAKEN_ANSWER, 200: doors.TAKEN_ANSWER},
    text=N_("Signed after Standard Webhooks with the secret of a sender. 200: this event was here already."),
    body={"oneOf": list(schemas().values())},
    path={"name": {"type": "string", "description": "The sender's name."}},
    headers=doors.SIGNED_HEADERS,
    problems=[400, 401, 404, 409, 413, 415, 422, 503],
)
def receive(name: str) -> ResponseReturnValue:
    """Store an event and wake a worker: 202, or 200 when it is here already.

    400 headers, time, or no JSON; 401 signature; 404 no such sender; 409 the id of another event; 413 too large; 415 not JSON by
    its Content-Type; 422 not as the schema says, or a type that this sender may not send; 503 the secret cannot be read here.
    """
    home = installation()
    now = home.clock()
    known_as = ""
    try:
        with home.store.read() as session:
            sender = session.scalars(select(InboundSender).where(InboundSender.name == name)).one_or_none()
        if sender is None or sender.disabled_at is not None:
            raise Refusal(UNKNOWN, "Nothing is taken under this name; see 'certbridge inbound list'.")
        known_as = sender.name
        body = doors.body_of(request, LARGEST)
        message = verify(secrets_in_use(sender, home.keys, now), dict(request.headers), body, now)
        if request.mimetype != "application/json":
            raise Refusal(MEDIA_TYPE, "The Content-Type of an event is application/json.")
        received = read(parse(body))
        if sender.types is not None and received.type not in sender.types:
            raise Refusal(UNKNOWN_TYPE, f"This sender may send {', '.join(sender.types)} and nothing else.")
        with home.store.write() as session:
            new = store(session, sender.name, message, received, body.decode(), now)
            doors.taken(session, doors.INBOUND, sender.name, now, known=not new)
    except SecretError as error:
        log.error("An event of %s cannot be verified: %s", name, error)
        raise ServiceUnavailable("The event cannot be verified now; the log says why. Send it again later.") from None
    except Refusal as refusal:
        log.warning("An event of %s was refused: %s", known_as or "somebody unknown", refusal)
        doors.refused(home.store, doors.INBOUND, known_as, refusal, now)
        raise
    if not new:
        return {"status": "known"}, 200
    home.wake(TOPIC)
    return {"status": "accepted"}, 202


def store(session: Session, sender: str, message: Signed, received: Received, body: str, now: datetime) -> bool:
    """Store the event; False when it is here already. Raises Refusal when its id is that of another event."""
    row = {
        "sender": sender,
        "message_id": message.id,
        "type": received.type,
        "employee_number": received.employee_number,
        "subject": received.subject,
        "body": body,
        "occurred_at": received.occurred_at,
        "effective_on": received.effective_on,
        # People join and leave by the days in their own record; where they stand is written down when the day has come.
        "due_on": received.effective_on if isinstance(received.data, Moved) else None,
        "received_at": now,
    }
    known = select(InboundEvent.body).where(InboundEvent.sender == sender, InboundEvent.message_id == message.id)
    found = session.scalar(known)
    new = found is None
    if new:
        insert_new(session, InboundEvent, [row])  # somebody may store the same one at the same time
        found = session.scalar(known)
    if found and found != body:  # of somebody who was erased nothing is left to compare
        raise Refusal(CONFLICT, "Another event came under this webhook-id before; every event has an id of its own.")
    return new
