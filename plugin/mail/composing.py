"""Composing: a mail of the store as what it says, and as what goes over the wire."""

import json
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin.errors import RefusedError
from plugin.mail import states
from plugin.mail.addresses import checked_address, sender_of
from plugin.mail.rendering import Content, Piece, Renderer
from plugin.mail.server import Parcel
from plugin.models import Mail

# Encoded words and quoted-printable: no server need be asked whether it takes more than ASCII.
POLICY = SMTP.clone(cte_type="7bit")


def pieces_of(session: Session, mail: Mail) -> list[Piece]:
    """What a mail consists of: itself, or the mails of the digest in their order."""
    inner = session.scalars(select(Mail).where(Mail.parent_id == mail.id).order_by(Mail.created_at, Mail.id)).all()
    return [Piece(one.template, one.parameters) for one in inner or [mail]]


def shown(renderer: Renderer, session: Session, mail: Mail) -> Content:
    """What a mail said when it was sent, or would say now; masks stand for the secrets. Raises RefusedError."""
    if mail.content is not None and mail.state in states.SAID:
        return Content(**mail.content)
    return renderer.render(mail.language, pieces_of(session, mail))


def pack(
    renderer: Renderer,
    session: Session,
    mail: Mail,
    sender: str,
    unseal: Callable[[str], str],
    now: datetime,
) -> tuple[Content, Parcel]:
    """What is kept of a mail, with its secrets masked, and what is sent.

    Raises RefusedError when it cannot be made, SecretError when its secrets do not open.
    """
    try:
        recipient = checked_address(mail.recipient)
    except ValueError:
        raise RefusedError(states.NO_ADDRESS) from None
    secrets: dict[str, str] = json.loads(unseal(mail.sealed)) if mail.sealed is not None else {}
    pieces = pieces_of(session, mail)
    kept = renderer.render(mail.language, pieces)
    said = kept
    if secrets:
        said = renderer.render(mail.language, [Piece(p.template, {**p.parameters, **secrets}) for p in pieces])
    origin = sender_of(sender)
    message = _message(said, origin, recipient, mail.uid, now)
    return kept, Parcel(origin.addr_spec, recipient, message.as_bytes(), tuple(secrets.values()))


def _message(content: Content, origin: Address, recipient: str, uid: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = origin
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = content.subject
    message["Date"] = now
    message["Message-ID"] = f"<{uid}@{origin.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # so that no machine answers it (RFC 3834)
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    return message
