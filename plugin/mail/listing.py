"""What there is of mails: counted by state, in a list, one by one."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin.errors import NotFoundError
from plugin.mail.states import STATES
from plugin.models import Mail


def counts(session: Session) -> dict[str, int]:
    """How many mails there are in each state, those of none left out."""
    found: dict[str, int] = dict(session.execute(select(Mail.state, func.count()).group_by(Mail.state)).all())
    return {state: found[state] for state in STATES if state in found}


def listed(session: Session, *, state: str | None = None, offset: int = 0, limit: int = 50) -> Sequence[Mail]:
    """The mails in this state, or all, the newest first."""
    query = select(Mail) if state is None else select(Mail).where(Mail.state == state)
    return session.scalars(query.order_by(Mail.id.desc()).offset(offset).limit(limit)).all()


def one(session: Session, mail_id: int) -> Mail:
    """The mail with this id. Raises NotFoundError."""
    mail = session.get(Mail, mail_id)
    if mail is None:
        raise NotFoundError(f"There is no mail {mail_id}; 'certbridge mail list' shows those that there are.")
    return mail


def within(session: Session, mail: Mail) -> Sequence[Mail]:
    """The mails that a digest is made of."""
    return session.scalars(select(Mail).where(Mail.parent_id == mail.id).order_by(Mail.created_at, Mail.id)).all()
