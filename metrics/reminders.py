"""Reminders: one mail to the employee as the end of an award, or a duty's due date, comes near; never a second one.

A mark in the store says up to which moment was looked. Each step looks at no more than a day after it, and in one
transaction queues the mails, writes down the reminders and moves the mark: whoever is killed in between has done nothing,
and of two at the same time the other finds the mark moved. The first look ever only sets the mark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from metrics.explained import objects_of, titles_of
from metrics.reminder_asks import asked_of, in_parts
from metrics.reminder_models import Reminder, ReminderMark
from metrics.reminder_moments import DUTY, Due, Stretch, due, step
from metrics.settings import MetricsSettings
from metrics.words import certification_names
from plugin.installation import Installation
from plugin.mail.addresses import checked_address
from plugin.mail.queue import Draft, queue_mails
from plugin.mail.rendering import LANGUAGES
from plugin.models import Account, Mail
from plugin.moments import Duration
from plugin.store import chunks, hold

QUEUED, NO_ADDRESS = "queued", "no_address"
OUTCOMES = (QUEUED, NO_ADDRESS)
MARK = "reminders"
LOCK = "metrics.reminders"
LONGEST_STEP = timedelta(days=1)
BATCH = 200


@dataclass(frozen=True)
class Sent:
    """How many reminders were queued as mails, and how many had no address to go to."""

    queued: int = 0
    no_address: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(self.queued + other.queued, self.no_address + other.no_address)


def defaults(home: Installation) -> list[Duration]:
    """How long before the end a rule that does not say reminds."""
    return [Duration.parse(text) for text in home.settings.section("metrics", MetricsSettings).remind]


def remind(home: Installation) -> Sent:
    """Queue a mail for everything that has fallen due since the last time."""
    done = Sent()
    while True:
        with home.store.write() as session:
            now = home.clock()
            since = take_mark(session, MARK, now)
            if since is None or since >= now:
                return done
            stretch = step(Stretch(since, now, now, home.settings.organisation.zone), LONGEST_STEP)
            for part in chunks(due(session, stretch, defaults(home)), BATCH):
                done += _write(session, part, home, now)
            move_mark(session, MARK, stretch.until)


def waiting(home: Installation) -> list[Due]:
    """What `remind` would write now; nothing is changed."""
    now, found = home.clock(), []
    with home.store.read() as session:
        mark = session.get(ReminderMark, MARK)
        if mark is not None and mark.until < now:
            stretch = Stretch(mark.until, now, now, home.settings.organisation.zone)
            found = due(session, stretch, defaults(home))
    return found


def take_mark(session: Session, name: str, now: datetime) -> datetime | None:
    """Up to when was looked, for whoever now looks alone until the transaction ends; None for the first time."""
    hold(session, LOCK)
    mark = session.get(ReminderMark, name, with_for_update=True)
    if mark is None:
        session.add(ReminderMark(name=name, until=now))
        return None
    return mark.until


def move_mark(session: Session, name: str, until: datetime) -> None:
    """Set the mark that `take_mark` has taken."""
    mark = session.get(ReminderMark, name)
    assert mark is not None
    mark.until = until


def languages(session: Session, person_ids: Sequence[int]) -> dict[int, str | None]:
    """The languages that these persons have chosen for their accounts."""
    query = select(Account.person_id, Account.language).where(
        Account.person_id.in_(person_ids), Account.disabled_at.is_(None)
    )
    return {person_id: language for person_id, language in session.execute(query) if person_id is not None}


def reachable(email: str | None) -> bool:
    """Whether a mail can go to what a person's record has as the address."""
    try:
        return bool(checked_address(email or ""))
    except ValueError:
        return False


def mail_ids(session: Session, keys: Sequence[str]) -> dict[str, int]:
    """The ids of the mails with these keys."""
    return dict(session.execute(select(Mail.key, Mail.id).where(Mail.key.in_(keys))).all())


def _write(session: Session, found: Sequence[Due], home: Installation, now: datetime) -> Sent:
    """Queue the mails of these reminders and write the reminders down."""
    reached = [each for each in found if reachable(each.email)]
    drafts = {each.key: draft for each, draft in zip(reached, _drafts(session, reached, home, now), strict=True)}
    queue_mails(session, list(drafts.values()), now)
    ids = mail_ids(session, [draft.key for draft in drafts.values()])
    rows = [
        {
            "person_id": each.person_id,
            "certification": each.certification,
            "about": each.about,
            "before": str(each.before),
            "ends_at": each.ends_at,
            "due_at": each.at,
            "recorded_at": now,
            "outcome": QUEUED if each.key in drafts else NO_ADDRESS,
            "mail_id": ids.get(drafts[each.key].key) if each.key in drafts else None,
        }
        for each in found
    ]
    session.execute(insert(Reminder), rows)
    return Sent(len(drafts), len(found) - len(drafts))


def _drafts(session: Session, found: Sequence[Due], home: Installation, now: datetime) -> Iterator[Draft]:
    """The mails, each in the language that its reader has chosen, else in the organisation's."""
    organisation = home.settings.organisation
    spoken = languages(session, [each.person_id for each in found])
    names = {language: certification_names(session, language) for language in LANGUAGES}
    asked = asked_of(session, [(each.person_id, each.certification) for each in found], now, organisation.zone)
    titles = titles_of(session, objects_of(list(asked.values())))
    for each in found:
        language = spoken.get(each.person_id)
        called = names[language if language in LANGUAGES else organisation.language]
        said = {
            "duty": each.about == DUTY,
            "name": each.name,
            "certification": called.get(each.certification, each.certification),
            "until": each.ends_at,
            **in_parts(asked.get((each.person_id, each.certification)), {**titles, **called}, now),
        }
        key = f"reminder:{each.person_id}:{each.certification}:{each.about}:{each.before}:{each.ends_at.isoformat()}"
        yield Draft(key, each.email or "", "reminder", said, language, digest=True, until=each.ends_at)
