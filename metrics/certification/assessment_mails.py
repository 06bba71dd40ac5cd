"""Mails about certificates that employees hand in: to whoever may approve them, and to the employee once it is decided.

Each stands in the transaction of what it tells, under a key of its own, so that it is told at most once; several to the
same reader that come together become one mail (docs/mail.md).
"""

from sqlalchemy import ColumnElement, String, cast, func, or_, select
from sqlalchemy.orm import Session

from metrics.certification.assessment_models import Assessment
from plugin.mail.addresses import checked_address
from plugin.mail.queue import Draft, queue_mails
from plugin.models import Account, Person
from plugin.roles import RIGHTS

RIGHT = "assessments.do"


def tell_assessors(session: Session, row: Assessment) -> int:
    """Tell everybody who may approve what was handed in, but for the employee; how many mails are new.

    Whoever has no usable address is told nothing: it stands first on their page.
    """
    address = func.coalesce(func.nullif(Account.email, ""), Person.email)
    left = Person.left_on.is_not(None) & (Person.left_on <= row.entered_at.date())
    query = (
        select(Account.id, address, Account.language)
        .outerjoin(Person, Person.id == Account.person_id)
        .where(Account.disabled_at.is_(None), _may_approve(), or_(Person.id.is_(None), ~left))
        .where(or_(Account.person_id.is_(None), Account.person_id != row.person_id))
        .order_by(Account.id)
    )
    person = session.get_one(Person, row.person_id)
    said = {"name": person.name, "number": person.employee_number, **_said(row)}
    drafts = [
        Draft(f"handed_in:{row.id}:{account_id}", found, "handed_in", said, language, digest=True)
        for account_id, found, language in session.execute(query)
        if _is_usable(found)
    ]
    return queue_mails(session, drafts, row.entered_at)


def tell_employee(session: Session, row: Assessment) -> int:
    """Tell the employee that what they handed in was approved or declined, and why; how many mails are new."""
    person = session.get_one(Person, row.person_id)
    if row.decided_at is None or not _is_usable(person.email):
        return 0
    accounts = select(Account.language).where(Account.person_id == row.person_id, Account.disabled_at.is_(None))
    language = session.scalars(accounts.order_by(Account.id).limit(1)).first()
    said = {"name": person.name, "approved": row.state != "declined", "reason": row.decision or "", **_said(row)}
    draft = Draft(f"handed_in:{row.id}:decided", person.email or "", "handed_in_decided", said, language, digest=True)
    return queue_mails(session, [draft], row.decided_at)


def _said(row: Assessment) -> dict[str, object]:
    return {"assessment": row.assessment, "issuer": row.issuer or "", "path": f"/assessments/{row.id}"}


def _may_approve() -> ColumnElement[bool]:
    return or_(*(cast(Account.roles, String).contains(f'"{role}"') for role in RIGHTS[RIGHT]))


def _is_usable(address: str | None) -> bool:
    try:
        return bool(checked_address(address or ""))
    except ValueError:
        return False
