"""The kernel's tables."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId


class InstalledAddon(Base):
    """An addon that `certbridge addons install` has set up, at the version that its tables have.

    `footprint` is what it has put into the store and what it stands on (plugin.footprint), so that it can be taken out
    again when its folder is gone; `digest` is that of its data files. Both are None until the next install.
    """

    __tablename__ = "installed_addon"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[str] = mapped_column(String(50))
    installed_at: Mapped[datetime]
    upgraded_at: Mapped[datetime | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    footprint: Mapped[dict[str, Any] | None]


class LoadedRecord(Base):
    """What an addon's data file has brought: the row `row_key` of a table, or a whole file for one of the `loads`.

    `name` is the external id that the file gives the record, or the file itself; `table_name` is the table, or what the
    file is about. A `noupdate` record is left as people edited it. `digest` is that of a whole file.
    """

    __tablename__ = "loaded_record"

    addon: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    table_name: Mapped[str] = mapped_column(String(100))
    row_key: Mapped[list[Any]]
    noupdate: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    digest: Mapped[str | None] = mapped_column(String(64))


class Department(Base):
    """A department, at a place in the tree of departments."""

    __tablename__ = "department"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Position(Base):
    """A post that people hold; requirements name it."""

    __tablename__ = "position"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Grade(Base):
    """A grade or pay step."""

    __tablename__ = "grade"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Person(Base):
    """An employee, keyed by employee number. `event_sequence` is the number of their newest event.

    Of somebody who has been erased (`erased_at`) an empty row is left, under a number that says nothing.
    """

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    employee_number: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(300))
    email: Mapped[str | None] = mapped_column(String(320), index=True)
    joined_on: Mapped[date | None] = mapped_column(Date)
    left_on: Mapped[date | None] = mapped_column(Date)
    event_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]


class Assignment(Base):
    """Where a person stood in the organisation from one day until another (half open)."""

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("person_id", "valid_from"),
        Index(
            "ix_assignment_current",
            "person_id",
            unique=True,
            sqlite_where=text("valid_until IS NULL"),
            postgresql_where=text("valid_until IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    department_id: Mapped[int | None] = mapped_column(ForeignKey("department.id"), index=True)
    position_id: Mapped[int | None] = mapped_column(ForeignKey("position.id"), index=True)
    grade_id: Mapped[int | None] = mapped_column(ForeignKey("grade.id"), index=True)
    manager_number: Mapped[str | None] = mapped_column(String(100), index=True)


class PersonTag(Base):
    """A word by which people are told apart beside their place, such as first-aider, from one day until another (half open)."""

    __tablename__ = "person_tag"
    __table_args__ = (UniqueConstraint("person_id", "tag", "valid_from"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    tag: Mapped[str] = mapped_column(String(100), index=True)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)


class Touched(Base):
    """A person about whom something changed that has not been derived yet."""

    __tablename__ = "touched"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(default=1)


class Event(Base):
    """Something that HR is told. `fanned_out` is the mark that `webhooks` has made messages of it.

    `position` is its place among all events, for systems that read them one after another (plugin.event_places); None
    until somebody reads so far.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("person_id", "sequence"),
        Index(
            "ix_event_waiting",
            "person_id",
            "sequence",
            sqlite_where=text("NOT fanned_out"),
            postgresql_where=text("NOT fanned_out"),
        ),
        Index("ix_event_subject", "subject", "sequence"),
        # What is news waits behind no backfill of other persons.
        Index(
            "ix_event_live",
            "person_id",
            "sequence",
            sqlite_where=text("NOT fanned_out AND NOT backfill"),
            postgresql_where=text("NOT fanned_out AND NOT backfill"),
        ),
        Index(
            "ix_event_unplaced",
            "id",
            sqlite_where=text("position IS NULL"),
            postgresql_where=text("position IS NULL"),
        ),
        Index(
            "ix_event_position",
            "position",
            unique=True,
            sqlite_where=text("position IS NOT NULL"),
            postgresql_where=text("position IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    sequence: Mapped[int]
    type: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(400))
    occurred_at: Mapped[datetime]
    backfill: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    data: Mapped[dict[str, Any]]
    fanned_out: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    position: Mapped[int | None] = mapped_column(BigId)


class Schedule(Base):
    """Work that comes back: due at `due_at`, done by whoever holds the lease, due again when it is finished.

    `failures` counts those in a row, the first of them at `failing_since`, the newest with `last_error`.
    """

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    task: Mapped[str] = mapped_column(String(200))
    argument: Mapped[str | None] = mapped_column(String(200))
    every_seconds: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    holder: Mapped[str | None] = mapped_column(String(200))
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    failing_since: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class Alert(Base):
    """Something that fails and that somebody has to mend, from `since` until `closed_at`; plugin.alerts finds it.

    `addon` is whose check reports it, `count` how often it failed, `told_at` when it was mailed; `path` is the page that
    shows it, `needs` the right without which nobody sees it.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "ix_alert_open",
            "addon",
            "kind",
            "name",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_alert_told_at", "told_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    addon: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(30))
    name: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    count: Mapped[int | None]
    since: Mapped[datetime]
    path: Mapped[str] = mapped_column(String(500))
    needs: Mapped[str] = mapped_column(String(100))
    opened_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)


class Account(Base):
    """Somebody who can sign in. `roles` are names of plugin.roles; `person_id` says which employee they are.

    `session_number` stands in every session of the account: counting it up ends all of them.
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    login: Mapped[str] = mapped_column(String(200), unique=True)
    password_hash: Mapped[str] = mapped_column(String(300))
    roles: Mapped[list[Any]]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    language: Mapped[str | None] = mapped_column(String(20))
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    email: Mapped[str | None] = mapped_column(String(320))
    session_number: Mapped[int] = mapped_column(default=0, server_default="0")
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    last_signed_in_at: Mapped[datetime | None]


class SignInLink(Base):
    """That an account is somebody of an OpenID provider: the provider's issuer, and the subject that it knows them by."""

    __tablename__ = "sign_in_link"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(300))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    linked_at: Mapped[datetime]


class PasswordReset(Base):
    """A one-time link by which an account's password is set anew: only the SHA-256 of its token is kept."""

    __tablename__ = "password_reset"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Throttle(Base):
    """How often something was done since `since` by whom `key` names, as far as that is limited."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class ApiToken(Base):
    """A bearer token for the API: only its SHA-256 is kept; the scopes say what it opens."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_by: Mapped[str | None] = mapped_column(String(200))
    last_used_at: Mapped[datetime | None]


class AuditEntry(Base):
    """An act of a person: who did what to which record, when and why. Never changed.

    `person_id` says whom it is about, if anybody. It is no foreign key: the entry outlives the person.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(400), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    person_id: Mapped[int | None] = mapped_column(BigId, index=True)


# The seals refer to one another and to what they seal without foreign keys: `plugin.audit.verification` names what is
# missing, whoever took it away, and a constraint would only make it harder to look at what is left.


class AuditSalt(Base):
    """What salts the digests of the entries about one person; 0 stands for the installation. Erasing deletes the row."""

    __tablename__ = "audit_salt"

    person_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(64))


class AuditMark(Base):
    """The mark that a row of a sealed table is in a seal, with the row's salted digest.

    `erased_at` says since when the digest stands alone: the person has been forgotten, the row's payload is blank.
    """

    __tablename__ = "audit_mark"
    __table_args__ = (
        Index("ix_audit_mark_seal", "table_name", "seal"),
        Index("ix_audit_mark_person", "person_id"),
    )

    table_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    row_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    seal: Mapped[int] = mapped_column(BigId)
    person_id: Mapped[int] = mapped_column(BigId)
    digest: Mapped[str] = mapped_column(String(64))
    erased_at: Mapped[datetime | None]


class AuditSeal(Base):
    """One link of the chain of a sealed table: a batch of its rows. Never changed.

    `covers` are the rows' ids, as ranges; `digest` is over their digests; `hash` is over everything here, the hash of the
    seal before among it. `complete` says that at `sealed_at` nothing else waited to be sealed.
    """

    __tablename__ = "audit_seal"

    table_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    complete: Mapped[bool]
    covers: Mapped[list[Any]]
    newest_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The newest seal of a chain, signed; who adds a seal locks this row. Number 0: nothing is sealed yet."""

    __tablename__ = "audit_head"

    table_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(64))


class AuditCheckpoint(Base):
    """What retention leaves of the seals up to `number`, signed: the hash from which the chain goes on."""

    __tablename__ = "audit_checkpoint"

    table_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    entries: Mapped[int] = mapped_column(BigId)
    before: Mapped[datetime]
    pruned_at: Mapped[datetime]
    signature: Mapped[str] = mapped_column(String(64))


class AuditVerification(Base):
    """What a verification of the sealed tables found: how many rows under how many seals, and what is wrong with them.

    `findings` holds the first of them; `found` counts all.
    """

    __tablename__ = "audit_verification"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    seals: Mapped[int] = mapped_column(BigId)
    entries: Mapped[int] = mapped_column(BigId)
    waiting: Mapped[int] = mapped_column(BigId)
    found: Mapped[int]
    findings: Mapped[list[Any]]


class ErasureProposal(Base):
    """That somebody proposes to erase a person; open until `decided_at`. Erasing the person takes it along."""

    __tablename__ = "erasure_proposal"
    __table_args__ = (
        Index(
            "ix_erasure_proposal_open",
            "person_id",
            unique=True,
            sqlite_where=text("decided_at IS NULL"),
            postgresql_where=text("decided_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(String(200))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(200))
    decided_at: Mapped[datetime | None] = mapped_column(index=True)
    decision: Mapped[str | None] = mapped_column(Text)


class Mail(Base):
    """A mail, from the moment that somebody wanted it sent. `state` is one of plugin.mail.states.

    `key` makes it unique: the same reminder is never queued twice. `sealed` holds the parameters that are secrets,
    encrypted; `content` is what was sent, without them. A mail in a digest has the digest's id in `parent_id`.
    """

    __tablename__ = "mail"
    __table_args__ = (Index("ix_mail_state_due_at", "state", "due_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(26), unique=True)
    key: Mapped[str] = mapped_column(String(300), unique=True)
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    language: Mapped[str | None] = mapped_column(String(20))
    template: Mapped[str] = mapped_column(String(100))
    parameters: Mapped[dict[str, Any]]
    sealed: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("mail.id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    until: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    holder: Mapped[str | None] = mapped_column(String(200))
    content: Mapped[dict[str, Any] | None]
