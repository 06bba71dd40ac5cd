"""The audit trail when a person is erased.

What it says about them is blanked (`forget_person`). Acts about nobody that mention them, by a login for instance, are
blanked too. Whoever acted is part of what is sealed, and the reason why there is a trail at all: in acts about others
the login stays. In what is blanked anyway it is replaced.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, or_, select, update
from sqlalchemy.orm import Session

from plugin.audit import SealedTable, forget_person, forget_rows
from plugin.models import AuditEntry
from plugin.privacy.finding import mentioning
from plugin.privacy.subject import Subject

TEXTS = ("subject", "reason", "before", "after")


def _table() -> Table:
    table: Any = AuditEntry.__table__
    assert isinstance(table, Table)
    return table


def mentions(session: Session, subject: Subject) -> list[int]:
    """The acts about nobody in which the person is mentioned."""
    return mentioning(session, _table(), TEXTS, subject.words, AuditEntry.person_id.is_(None))


def stays(session: Session, subject: Subject) -> list[int]:
    """The acts that go on naming the person: those that they did, and those about others that mention them."""
    elsewhere = or_(AuditEntry.person_id.is_(None), AuditEntry.person_id != subject.person_id)
    acted = select(AuditEntry.id).where(AuditEntry.actor.in_(sorted(subject.logins)), elsewhere)
    about_others = AuditEntry.person_id.is_not(None) & (AuditEntry.person_id != subject.person_id)
    found = {*session.scalars(acted), *mentioning(session, _table(), TEXTS, subject.words, about_others)}
    return sorted(found - set(mentions(session, subject)))


def forget(
    session: Session, subject: Subject, tables: Sequence[SealedTable], actor: str, left: str, now: datetime
) -> None:
    """Blank what sealed rows say about the person; `left` takes the place of their login in what is blanked."""
    blanked = mentions(session, subject)
    own = next(table for table in tables if table.name == AuditEntry.__tablename__)
    forget_person(session, subject.person_id, now, tables, actor)
    forget_rows(session, own, blanked, now, actor)
    for login in sorted(subject.logins):
        for which in (AuditEntry.person_id == subject.person_id, AuditEntry.id.in_(blanked)):
            session.execute(
                update(AuditEntry).where(which, AuditEntry.actor == login).values(actor=left),
                execution_options={"synchronize_session": False},
            )
