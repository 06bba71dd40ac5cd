"""Who acts on somebody's certifications, and in which role: an account that may, or whoever types a command."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification.refusals import DISABLED, NO_ACCOUNT, NOT_ALLOWED, NotThereError, RefusedInWordsError
from plugin.models import Account, Person
from plugin.roles import RIGHTS, ROLES

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class By:
    """Who acts, in which role. `name` is what they are called, `person_id` which employee they are, if one.

    `through` is who typed the command by which it was done for them; the audit trail names both.
    """

    login: str
    role: str
    name: str = ""
    person_id: int | None = None
    through: str | None = None

    @property
    def actor(self) -> str:
        """Whom the audit trail names as the one who did it."""
        return self.through or self.login

    def as_said(self) -> dict[str, Any]:
        """What the audit trail says of them beside the actor."""
        return {"role": self.role, **({"by": self.login} if self.through else {})}


def by_account(session: Session, account: Account, right: str, through: str | None = None) -> By:
    """The account, in those of its roles that have the right. Raises RefusedInWordsError where none has it."""
    roles = [role for role in ROLES if role in account.roles and role in RIGHTS[right]]
    if not roles:
        allowed = ", ".join(role for role in ROLES if role in RIGHTS[right])
        raise RefusedInWordsError(NOT_ALLOWED, login=account.login, roles=allowed)
    name = session.scalar(select(Person.name).where(Person.id == account.person_id))
    return By(account.login, ", ".join(roles)[:50], name or account.login, account.person_id, through)


def by_command(session: Session, login: str | None, right: str, actor: str) -> By:
    """Whoever a command says that it is for; without a login, whoever types it, in the role 'command line'.

    Raises NotThereError for an unknown login, RefusedInWordsError for one that is disabled or may not do it.
    """
    if login is None:
        return By(actor, COMMAND_LINE, actor)
    account = session.scalars(select(Account).where(Account.login == login)).one_or_none()
    if account is None:
        raise NotThereError(NO_ACCOUNT, login=login)
    if account.disabled_at is not None:
        raise RefusedInWordsError(DISABLED, login=login)
    return by_account(session, account, right, actor)
