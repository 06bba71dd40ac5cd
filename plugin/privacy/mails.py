"""Mails to and about somebody who is erased: what has not been sent is not sent any more."""

from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from plugin.mail import states
from plugin.models import Mail
from plugin.privacy.refusals import BEING_SENT, PrivacyRefusedError


def stop(session: Session, concerned: ColumnElement[bool], now: datetime) -> None:
    """Give up what waits among these mails. Raises PrivacyRefusedError while one of them is being sent."""
    # Locked in one order, and read anew: the sender may have taken one meanwhile.
    list(session.scalars(select(Mail.id).where(concerned).order_by(Mail.id).with_for_update()))
    if session.scalars(select(Mail.id).where(concerned, Mail.state == states.SENDING).limit(1)).first() is not None:
        raise PrivacyRefusedError(BEING_SENT)
    session.execute(
        update(Mail)
        .where(concerned, Mail.state.in_([states.WAITING, states.OFF]))
        .values(state=states.GIVEN_UP, reason=states.PERSON_ERASED, finished_at=now, holder=None),
        execution_options={"synchronize_session": False},
    )
