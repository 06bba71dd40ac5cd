"""Sending: one mail after the other through one connection, each at most once.

A mail is marked as being sent, and that is committed, before a word of it goes to the server; afterwards what became
of it is written down. A process that is killed between the two leaves a mail of which nobody knows whether it was
sent: it is UNKNOWN, and only a person has it sent again. All sending is done under the lease of the schedule
`plugin.mail`, so one process does it at a time.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from plugin.errors import CertBridgeError, DeliveryError, RefusedError
from plugin.installation import Installation
from plugin.mail import keeping, states
from plugin.mail.composing import pack
from plugin.mail.rendering import Renderer
from plugin.mail.server import MailServer, Outcome, Parcel, connect
from plugin.models import Mail
from plugin.schedules import holder_name, seconds_of
from plugin.settings import MailSettings
from plugin.store import Store

log = logging.getLogger(__name__)

SCHEDULE = "plugin.mail"
SECONDS = 40.0  # after that the next schedule goes on, so that one run never looks like one that hangs
PER_CONNECTION = 50  # many servers end a connection after a hundred mails


@dataclass(frozen=True)
class PostOffice:
    """What sending works with. `unseal` opens the secrets of a mail, `folder` is where relative files start."""

    store: Store
    settings: MailSettings
    renderer: Renderer
    unseal: Callable[[str], str]
    clock: Callable[[], datetime]
    folder: Path

    @classmethod
    def of(cls, installation: Installation) -> "PostOffice":
        """That of an installation."""

        def unseal(token: str) -> str:  # most mails have no secrets, and need no key file
            return installation.keys.decrypt(token)

        settings = installation.settings
        renderer = Renderer.of(installation)
        return cls(installation.store, settings.mail, renderer, unseal, installation.clock, settings.folder)


@dataclass(frozen=True)
class Tally:
    """What a run did, in mails. `again` are to be tried again, `ended` cannot be sent, `unknown` may have arrived."""

    sent: int = 0
    again: int = 0
    ended: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class _Marked:
    """A mail that is marked as being sent by this process."""

    id: int
    tries: int
    begun_at: datetime
    parcel: Parcel


def send_due(office: PostOffice, seconds: float = SECONDS, only: int | None = None) -> Tally:
    """Send what is due until nothing is, or about `seconds` have passed; `only` that mail, if one is named.

    To be called under the lease of `plugin.mail`.
    """
    now = office.clock()
    with office.store.read() as session:
        if not keeping.anything_to_do(session, now):
            return Tally()
    with office.store.write() as session:
        unknown = keeping.recover(session, now)
        keeping.expire(session, now, timedelta(days=office.settings.hold_days))
        keeping.switch(session, on=office.settings.enabled)
        if office.settings.enabled:
            keeping.join_digests(session, now, timedelta(seconds=seconds_of(office.settings.digest_after)))
    run = _Run(office, only)
    if office.settings.enabled:
        run.go(time.monotonic() + seconds)
    return Tally(run.sent, run.again, run.ended, run.unknown + unknown)


class _Run:
    """One run of the sender: its connection, and how many mails came to what."""

    def __init__(self, office: PostOffice, only: int | None) -> None:
        self.office = office
        self.only = only
        self.holder = holder_name()
        self.server: MailServer | None = None
        self.handed = 0
        self.sent = self.again = self.ended = self.unknown = 0

    def go(self, until: float) -> None:
        """Send until nothing is due, there is no connection, or the time is up."""
        try:
            while time.monotonic() < until and self._one():
                pass
        finally:
            self._hang_up()

    def _one(self) -> bool:
        """Send the first mail that is due; False when there is none, or no connection."""
        if self.server is None:
            with self.office.store.read() as session:
                if _first_due(session, self.office.clock(), self.only) is None:
                    return False
            try:
                self.server = connect(self.office.settings, self.office.folder)
            except DeliveryError as error:
                self._postpone(str(error))
                return False
        marked = self._mark()
        if marked is None:
            return False
        outcome = self.server.send(marked.parcel)
        self.handed += 1
        self._record(marked, outcome)
        if not outcome.connected or self.handed >= PER_CONNECTION:
            self._hang_up()
        return True

    def _mark(self) -> _Marked | None:
        """Make the first mail that is due and can be made, and mark it as being sent; those that cannot have failed."""
        office = self.office
        with office.store.write() as session:
            while mail := _first_due(session, now := office.clock(), self.only, lock=True):
                try:
                    content, parcel = pack(office.renderer, session, mail, office.settings.sender, office.unseal, now)
                except CertBridgeError as error:
                    mail.state, mail.finished_at = states.FAILED, now
                    mail.reason = str(error) if isinstance(error, RefusedError) else _cannot(error)
                    self.ended += 1
                    session.flush()
                    continue
                mail.state, mail.holder, mail.begun_at = states.SENDING, self.holder, now
                mail.tries += 1
                mail.content = content.as_json()
                return _Marked(mail.id, mail.tries, now, parcel)
        return None

    def _record(self, marked: _Marked, outcome: Outcome) -> None:
        """Write down what became of a mail, unless a person has taken it up since."""
        now = self.office.clock()
        values = _after(outcome, marked.tries, self.office.settings.retry_seconds, now)
        with self.office.store.write() as session:
            session.execute(
                update(Mail)
                .where(
                    Mail.id == marked.id,
                    Mail.tries == marked.tries,
                    Mail.begun_at == marked.begun_at,
                    Mail.state.in_([states.SENDING, states.UNKNOWN]),
                )
                .values(values),
                execution_options={"synchronize_session": False},
            )
        self.sent += values["state"] == states.SENT
        self.again += values["state"] == states.WAITING
        self.ended += values["state"] in {states.FAILED, states.GIVEN_UP}
        self.unknown += values["state"] == states.UNKNOWN
        if outcome.reason:
            # The reason may name the recipient, so it stands on the mail's page and not in the log.
            log.warning("The mail %s is %s; 'certbridge mail list' says why.", marked.id, values["state"])

    def _postpone(self, reason: str) -> None:
        """There is no connection: that counts as an attempt at everything that is due."""
        now = self.office.clock()
        waits = self.office.settings.retry_seconds
        due = (Mail.state == states.WAITING) & (Mail.due_at <= now) & ~Mail.digest
        if self.only is not None:
            due &= Mail.id == self.only
        with self.office.store.write() as session:
            # From the most tries down, so that none is counted twice.
            for tries in range(len(waits), -1, -1):
                tried = Mail.tries >= tries if tries == len(waits) else Mail.tries == tries
                values = _after(Outcome(states.WAITING, reason), tries + 1, waits, now)
                statement = update(Mail).where(due, tried).values(tries=Mail.tries + 1, **values).returning(Mail.id)
                count = len(session.scalars(statement, execution_options={"synchronize_session": False}).all())
                self.again += count if values["state"] == states.WAITING else 0
                self.ended += count if values["state"] != states.WAITING else 0
        log.warning("No mail can be sent now: %s", reason)

    def _hang_up(self) -> None:
        if self.server is not None:
            self.server.close()
        self.server, self.handed = None, 0


def _first_due(session: Session, now: datetime, only: int | None, *, lock: bool = False) -> Mail | None:
    query = select(Mail).where(Mail.state == states.WAITING, Mail.due_at <= now, ~Mail.digest)
    if only is not None:
        query = query.where(Mail.id == only)
    query = query.order_by(Mail.due_at, Mail.id).limit(1)
    return session.scalars(query.with_for_update(skip_locked=True) if lock else query).first()


def _after(outcome: Outcome, tries: int, waits: Sequence[int], now: datetime) -> dict[str, object]:
    """The columns of a mail after its attempt number `tries`."""
    if outcome.state == states.WAITING and tries <= len(waits):
        due_at = now + timedelta(seconds=waits[tries - 1])
        return {"state": states.WAITING, "reason": outcome.reason, "due_at": due_at, "holder": None}
    state = states.GIVEN_UP if outcome.state == states.WAITING else outcome.state
    values: dict[str, object] = {"state": state, "reason": outcome.reason, "finished_at": now, "holder": None}
    if state == states.SENT:
        values["sealed"] = None
    return values


def _cannot(error: CertBridgeError) -> str:
    return states.with_detail(states.NOT_MADE, type(error).__name__)
