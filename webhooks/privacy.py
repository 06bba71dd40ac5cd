"""What `plugin.privacy` asks of the webhooks: cancelling what waits about an erased person, and what is done with."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from plugin.events import lock_people
from plugin.models import Event
from plugin.privacy.refusals import BEING_SENT, PrivacyRefusedError
from plugin.privacy.subject import ERASED_EVENT, Subject
from webhooks.inbound_models import DISCARDED, DONE, InboundEvent
from webhooks.models import DEAD, DELIVERED, SKIPPED, WAITING, Message

ERASED = "The person has been erased; only that is told."

_unsynchronised = {"synchronize_session": False}


def before_erasing(session: Session, subject: Subject, now: datetime) -> None:
    """Cancel what was to be told about the person. Raises PrivacyRefusedError while a message about them is being sent.

    Under the person's lock no event becomes a message. Nobody claims a message that is locked here; who holds one is
    either waited for, or gone: what it makes of the message afterwards counts for nothing, as it is not the holder any more.
    """
    lock_people(session, [subject.person_id])
    about = Message.person_id == subject.person_id
    locked = select(Message).where(about, Message.state == WAITING).order_by(Message.id).with_for_update()
    waiting = session.scalars(locked, execution_options={"populate_existing": True}).all()
    if any(message.leased_until is not None and message.leased_until > now for message in waiting):
        raise PrivacyRefusedError(BEING_SENT)
    # What was given up must not be sent again either: nothing is left of what it said.
    session.execute(
        update(Message)
        .where(about, Message.state.in_([WAITING, DEAD]))
        .values(state=SKIPPED, finished_at=now, holder=None, leased_until=None),
        execution_options=_unsynchronised,
    )
    session.execute(update(Message).where(about).values(reason=ERASED), execution_options=_unsynchronised)
    session.execute(
        update(Event).where(Event.person_id == subject.person_id, Event.fanned_out.is_(False)).values(fanned_out=True),
        execution_options=_unsynchronised,
    )


def done_with() -> ColumnElement[bool]:
    """The condition that a message is done with, and no other one is compared with it: the newest delivered is."""
    newer = aliased(Message)
    overtaken = exists().where(
        newer.endpoint_id == Message.endpoint_id,
        newer.subject == Message.subject,
        newer.sequence > Message.sequence,
        newer.state == DELIVERED,
    )
    notice = exists().where(Event.id == Message.event_id, Event.type == ERASED_EVENT)
    return and_(
        or_(Message.state == SKIPPED, and_(Message.state == DELIVERED, overtaken), Message.reason == ERASED), ~notice
    )


def settled_events() -> ColumnElement[bool]:
    """The condition that an event of HR was applied or discarded, so that nothing waits for it any more."""
    return InboundEvent.state.in_([DONE, DISCARDED])


def told_events() -> ColumnElement[bool]:
    """The condition that an event says that somebody was erased, and that every endpoint knows it."""
    return and_(Event.type == ERASED_EVENT, Event.fanned_out, ~_not_told(Event.id))


def told_messages() -> ColumnElement[bool]:
    """The condition that a message says that somebody was erased, and that every endpoint knows it."""
    notice = exists().where(Event.id == Message.event_id, Event.type == ERASED_EVENT)
    return and_(notice, ~_not_told(Message.event_id))


def _not_told(event_id: ColumnElement[str] | object) -> ColumnElement[bool]:
    """Whether a message of the event waits or was given up: the number is needed for sending it."""
    other = aliased(Message)
    return exists().where(other.event_id == event_id, other.state.in_([WAITING, DEAD]))
