"""The managers' lists: once a week, whose certification ends soon, stands in grace or has ended, of their direct reports.

It is made on the day that `[metrics] digest` names, or as soon after it in the same week as somebody looks. A manager with
nobody to be told of gets no mail. One transaction queues the mails, writes down to whom, and moves the mark that says
since when the next one reports what has expired.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.orm import Session, aliased

from metrics.certification.models import Holding
from metrics.certification.status import Status
from metrics.reminder_models import TeamDigest
from metrics.reminder_moments import HELD, outlasted
from metrics.reminders import NO_ADDRESS, QUEUED, Sent, languages, mail_ids, move_mark, reachable, take_mark
from metrics.settings import MetricsSettings
from metrics.words import certification_names
from plugin.installation import Installation
from plugin.mail.queue import Draft, queue_mails
from plugin.mail.rendering import LANGUAGES
from plugin.models import Assignment, Person
from plugin.moments import Duration, add, start_of_day
from plugin.people import employed_on, standing_on
from plugin.store import chunks, insert_new

MARK = "digest"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OFF = "off"
SOON = Duration(days=30)
MOST_LINES = 200  # in one mail; the page has all of them

Manager = aliased(Person)


def digest(home: Installation) -> Sent:
    """Queue this week's lists, if they are due and have not been made."""
    chosen = home.settings.section("metrics", MetricsSettings).digest
    zone = home.settings.organisation.zone
    with home.store.write() as session:
        now = home.clock()
        since = take_mark(session, MARK, now)
        if since is None:
            return Sent()
        if chosen == OFF:  # what expires meanwhile is not made up for when it is switched on
            move_mark(session, MARK, now)
            return Sent()
        today = now.astimezone(zone).date()
        week = monday(today)
        if today.weekday() < DAYS.index(chosen) or monday(since.astimezone(zone).date()) >= week:
            return Sent()
        done = Sent()
        for part in chunks(_by_manager(session, since, now, home).items()):
            done += _write(session, dict(part), week, home, now)
        move_mark(session, MARK, now)
        return done


def monday(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def _by_manager(session: Session, since: datetime, now: datetime, home: Installation) -> dict[int, list[Row[Any]]]:
    """What to tell of, by the id of the manager: what ends first stands first."""
    zone = home.settings.organisation.zone
    today = now.astimezone(zone).date()
    query = (
        select(Manager.id.label("manager_id"), Manager.email.label("address"))
        .add_columns(Person.name, Holding.certification, Holding.status, Holding.since, Holding.valid_until)
        .join_from(Holding, Person, Person.id == Holding.person_id)
        .join(Assignment, (Assignment.person_id == Person.id) & standing_on(today))
        .join(Manager, Manager.employee_number == Assignment.manager_number)
        .where(_worth_telling(since, now, add(now, SOON, zone)), employed_on(today), Person.erased_at.is_(None))
        .where(Manager.erased_at.is_(None), or_(Manager.left_on.is_(None), Manager.left_on > today))
        .where(Manager.id != Person.id)
        .order_by(Manager.id, Holding.valid_until, Person.employee_number, Holding.certification)
    )
    found: dict[int, list[Row[Any]]] = {}
    for row in session.execute(query):
        found.setdefault(row.manager_id, []).append(row)
    return found


def _worth_telling(since: datetime, now: datetime, soon: datetime) -> ColumnElement[bool]:
    """Ends soon and was not renewed; stands in grace; has expired, or is overdue, since the last list."""
    return or_(
        and_(Holding.status.in_(HELD), Holding.valid_until > now, Holding.valid_until <= soon, ~outlasted()),
        Holding.status == Status.GRACE,
        and_(Holding.status.in_([Status.EXPIRED, Status.OVERDUE]), Holding.since > since),
    )


def _write(session: Session, lists: dict[int, list[Row[Any]]], week: date, home: Installation, now: datetime) -> Sent:
    spoken = languages(session, list(lists))
    names = {language: certification_names(session, language) for language in LANGUAGES}
    until = start_of_day(week + timedelta(days=7), home.settings.organisation.zone)
    reached = {person_id: rows for person_id, rows in lists.items() if reachable(rows[0].address)}
    drafts = {}
    for person_id, rows in reached.items():
        language = spoken.get(person_id)
        called = names[language if language in LANGUAGES else home.settings.organisation.language]
        said = _said(rows, called)
        key = f"team_digest:{person_id}:{week}"
        drafts[person_id] = Draft(key, rows[0].address, "team_digest", said, language, until=until)
    queue_mails(session, list(drafts.values()), now)
    ids = mail_ids(session, [draft.key for draft in drafts.values()])
    rows_written = [
        {
            "person_id": person_id,
            "week": week,
            "recorded_at": now,
            "lines": len(rows),
            "outcome": QUEUED if person_id in drafts else NO_ADDRESS,
            "mail_id": ids.get(drafts[person_id].key) if person_id in drafts else None,
        }
        for person_id, rows in lists.items()
    ]
    insert_new(session, TeamDigest, rows_written)
    return Sent(len(drafts), len(lists) - len(drafts))


def _said(rows: Sequence[Row[Any]], called: dict[str, str]) -> dict[str, Any]:
    """The parameters of one manager's mail: the lines, at most so many, by what they tell."""
    shown = [
        {
            "person": row.name,
            "certification": called.get(row.certification, row.certification),
            "status": row.status,
            "since": row.since,
            "until": row.valid_until,
        }
        for row in rows[:MOST_LINES]
    ]
    return {
        "ending": [line for line in shown if line["status"] in HELD],
        "grace": [line for line in shown if line["status"] == Status.GRACE],
        "over": [line for line in shown if line["status"] not in {*HELD, Status.GRACE}],
        "count": len(rows),
        "more": len(rows) - len(shown),
    }
