"""The reminders that were written, for the page, the person's page and the command."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from metrics.reminder_models import Reminder
from plugin.models import Mail, Person


def listed(filters: Mapping[str, str], seen: ColumnElement[bool] | None = None) -> Any:
    """The reminders that the filters `search`, `certification` and `outcome` leave, with person and state of the mail.

    `seen` is the condition that the reader may see the person.
    """
    query = (
        select(Reminder, Person.employee_number, Person.name, Mail.state)
        .join(Person, Person.id == Reminder.person_id)
        .outerjoin(Mail, Mail.id == Reminder.mail_id)
    )
    if seen is not None:
        query = query.where(seen)
    if text := filters.get("search"):
        called = Person.employee_number.icontains(text, autoescape=True), Person.name.icontains(text, autoescape=True)
        query = query.where(or_(*called))
    if code := filters.get("certification"):
        query = query.where(Reminder.certification == code)
    if outcome := filters.get("outcome"):
        query = query.where(Reminder.outcome == outcome)
    return query.order_by(Reminder.recorded_at.desc(), Reminder.id.desc())


def last_reminded(session: Session, person_id: int) -> dict[str, datetime]:
    """When the person was last reminded of each certification, by a mail that was queued."""
    newest = (
        select(Reminder.certification, func.max(Reminder.recorded_at))
        .where(Reminder.person_id == person_id, Reminder.mail_id.is_not(None))
        .group_by(Reminder.certification)
    )
    return dict(session.execute(newest).all())


def unreached(session: Session, since: datetime, seen: ColumnElement[bool]) -> int:
    """How many people could not be reminded since then, because no address is known."""
    query = (
        select(func.count(Reminder.person_id.distinct()))
        .join(Person, Person.id == Reminder.person_id)
        .where(Reminder.mail_id.is_(None), Reminder.recorded_at > since, seen)
    )
    return session.scalar(query) or 0
