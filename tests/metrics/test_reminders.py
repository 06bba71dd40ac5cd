"""Reminders: told in time, once, to whom they concern and to nobody else; and the managers' weekly lists."""

import json
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner
from sqlalchemy import delete, func, select, update

from connectors.models import Course, Evidence, SyncRun
from metrics import reminder_digests, reminders
from metrics.certification import decisions
from metrics.certification.acting import By
from metrics.certification.engine import derive_due
from metrics.certification.models import Award, Requirement
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from metrics.doctor import doctor
from metrics.reminder_commands import reminders_command
from metrics.reminder_models import Reminder, ReminderMark, TeamDigest
from metrics.tasks import remind as task
from metrics.tasks import terms_of
from plugin import people
from plugin.accounts import create_account
from plugin.cli import Context
from plugin.installation import Installation
from plugin.mail.rendering import Piece, Renderer
from plugin.mail.sending import PostOffice, send_due
from plugin.models import Mail, Person
from plugin.people import Employee
from plugin.store import Store
from plugin.web import create_app, session_of

on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Shanghai
FORKLIFT = """
code = "FORKLIFT"
name = {{ en = "Forklift operator", zh_CN = "叉车操作证" }}
[earn]
all_of = [
  {{ completed = {{ course = "CRS-12" }} }},
  {{ any_of = [ {{ score = {{ activity = "quiz-12", at_least = 80 }} }}, {{ badge = {{ badge = "B-1" }} }} ] }},
]
[renew]
completed = {{ course = "CRS-13", newer_than = "P1Y" }}
[validity]
lasts = "P100D"
window = "P60D"
grace = "P30D"
{more}
"""


class Scene:
    """An installation with the rule FORKLIFT and two employees, one the other's manager."""

    def __init__(self, home: Installation, more: str = "") -> None:
        self.home, self.store = home, home.store
        home.clock.moment = NOW  # type: ignore[attr-defined]
        self.employees(Employee("E1", "Anna Costa", "anna@acme.example", manager="E9", joined_on=date(2020, 1, 1)))
        self.employees(Employee("E9", "王芳", "wang@acme.example", joined_on=date(2020, 1, 1)))
        with self.store.write() as session:
            session.add(Course(source="moodle", course_key="13", object="CRS-13", name="Forklift <refresher>"))
        self.rule(FORKLIFT.format(more=more))
        reminders.remind(home)  # the first look, which only sets the mark
        reminder_digests.digest(home)

    @property
    def now(self) -> datetime:
        return self.home.clock()

    def employees(self, *employees: Employee) -> None:
        with self.store.write() as session:
            people.record_employees(session, employees, self.home.clock().date(), self.home.clock())

    def rule(self, text: str) -> None:
        with self.store.write() as session:
            import_rule(session, text, "test", self.now)

    def person(self, number: str = "E1") -> int:
        with self.store.read() as session:
            return session.scalars(select(Person.id).where(Person.employee_number == number)).one()

    def evidence(self, kind: str, target: str, at: datetime, number: str = "E1") -> int:
        """Record a piece about somebody, now, and derive them."""
        person_id = self.person(number)
        with self.store.write() as session:
            row = Evidence(
                person_id=person_id, origin=f"test:{number}:{kind}:{target}:{at}", source="moodle", user_key="7",
                kind=kind, object=target, achieved_at=at, recorded_at=self.now,
            )  # fmt: skip
            session.add(row)
            session.flush()
            people.touch(session, [person_id])
            found = row.id
        self.derive()
        return found

    def earn(self, at: datetime = NOW, number: str = "E1") -> None:
        """FORKLIFT from `at` for a hundred days."""
        self.evidence("completed", "CRS-12", at, number)
        self.evidence("badge", "B-1", at, number)

    def derive(self) -> None:
        derive_due(self.store, self.home.clock, terms_of(self.home))

    def at(self, moment: datetime) -> list[Reminder]:
        """What the task writes when it runs at the moment."""
        self.home.clock.moment = moment  # type: ignore[attr-defined]
        known = {row.id for row in self.written()}
        task(self.home)
        return [row for row in self.written() if row.id not in known]

    def days(self, number: float) -> list[Reminder]:
        """What the task writes so many days after NOW."""
        return self.at(NOW + timedelta(days=number))

    def written(self) -> list[Reminder]:
        with self.store.read() as session:
            return list(session.scalars(select(Reminder).order_by(Reminder.id)))

    def mails(self, template: str = "reminder") -> list[Mail]:
        with self.store.read() as session:
            return list(session.scalars(select(Mail).where(Mail.template == template).order_by(Mail.id)))

    def text(self, mail: Mail) -> tuple[str, str]:
        """Subject and text of a mail."""
        content = Renderer.of(self.home).render(mail.language, [Piece(mail.template, mail.parameters)])
        assert "<refresher>" not in content.html
        return content.subject, content.text


@pytest.fixture
def scene(installation: Installation) -> Scene:
    """A scene on each database."""
    return Scene(installation)


def before(found: list[Reminder]) -> list[str]:
    """How long before the end each of these was."""
    return [row.before for row in found]


def test_each_moment_before_the_end_is_told_once(scene: Scene) -> None:
    """Of a hundred days, the 70th, 85th and 93rd bring one mail each to the employee, and no other look brings any."""
    scene.earn()
    told = {day: before(scene.days(day)) for day in (1, 69.99, 70, 70.01, 84, 85, 92.9, 93, 99, 101, 140)}
    assert {day: each for day, each in told.items() if each} == {70: ["P30D"], 85: ["P15D"], 93: ["P7D"]}
    mails = scene.mails()
    assert [mail.recipient for mail in mails] == ["anna@acme.example"] * 3
    assert [row.mail_id for row in scene.written()] == [mail.id for mail in mails]
    assert [mail.until for mail in mails] == [NOW + timedelta(days=100)] * 3
    assert scene.days(99) == []  # a clock that was set back tells nothing again


def test_the_mail_says_what_until_when_and_what_renews_it_in_both_languages(scene: Scene) -> None:
    """Name, end on the organisation's clock, the course that renews, from when it counts, and the own page."""
    scene.rule(FORKLIFT.format(more='remind = ["P80D"]'))
    scene.earn()
    assert before(scene.days(20)) == ["P80D"]
    subject, text = scene.text(scene.mails()[0])
    assert subject == "Forklift operator: holds until 2027-03-03 10:00 (Asia/Shanghai)"
    assert "It can be renewed by what you achieve from 2027-01-02 10:00" in text
    assert "course completed: Forklift <refresher>, no older than 1 year" in text
    assert "Or, as the first time:" in text
    assert "one of these: score: quiz-12, at least 80; badge: B-1\n" in text
    assert "/me" in text
    with scene.store.write() as session:
        account = create_account(session, "anna", "correct horse battery", ["employee"], scene.now)
        account.person_id, account.language = scene.person(), "zh_Hans_CN"
        session.execute(delete(Mail))
        session.execute(delete(Reminder))
        session.execute(update(ReminderMark).values(until=NOW + timedelta(days=19)))
    assert before(scene.days(20)) == ["P80D"]
    mail = scene.mails()[0]
    subject, text = scene.text(mail)
    assert mail.language == "zh_Hans_CN"
    assert "叉车操作证" in subject
    assert "2027-03-03 10:00" in subject
    assert "课程" in text
    assert "renew" not in text.replace("refresher", "")


@pytest.mark.parametrize(
    ("more", "days"),
    [('remind = ["P40D", "P1D"]', {60: ["P40D"], 99: ["P1D"]}), ("remind = []", {}), ('remind = ["P200D"]', {})],
)
def test_the_rule_says_when(installation: Installation, more: str, days: dict[int, list[str]]) -> None:
    """A rule's own moments count instead of the setting's; none where its list is empty or reaches before the award."""
    scene = Scene(installation, more)
    scene.earn()
    told = {day: before(scene.days(day)) for day in (1, 60, 70, 85, 93, 99)}
    assert {day: each for day, each in told.items() if each} == days


def test_the_version_that_granted_the_award_says_when(installation: Installation) -> None:
    """A later version of the rule changes the reminders of the awards that it grants, and of no older one."""
    scene = Scene(installation, 'remind = ["P40D"]')
    scene.earn()
    scene.days(1)
    scene.rule(FORKLIFT.format(more='remind = ["P10D"]'))
    scene.employees(Employee("E2", "Bo", "bo@acme.example"))
    scene.earn(scene.now, "E2")
    told = {day: [(row.before, row.person_id) for row in scene.days(day)] for day in (60, 61, 90, 91)}
    assert told == {60: [("P40D", scene.person("E1"))], 61: [], 90: [], 91: [("P10D", scene.person("E2"))]}


def test_nobody_is_told_while_a_source_is_being_pulled(scene: Scene) -> None:
    """The task waits for the end of a pull, which may bring the renewal, and then tells what fell due meanwhile."""
    scene.earn()
    scene.days(69)
    moment = NOW + timedelta(days=70)
    with scene.store.write() as session:
        session.add(SyncRun(source="moodle", status="running", started_at=moment, heartbeat_at=moment))
    assert scene.at(moment) == []
    with scene.store.write() as session:
        session.execute(update(SyncRun).values(status="done"))
    assert before(scene.days(70.01)) == ["P30D"]


def test_after_a_pause_only_the_nearest_is_told(scene: Scene) -> None:
    """Where two moments passed while nothing ran, one mail tells of the end; where the end passed too, none does."""
    scene.earn()
    assert before(scene.days(90)) == ["P15D"]
    assert before(scene.days(130)) == []
    assert len(scene.mails()) == 1


def test_nothing_is_told_of_what_was_over_when_it_became_known(installation: Installation) -> None:
    """Neither the first look at years of data nor an award that is recorded late tells of moments before."""
    scene = Scene(installation)
    with scene.store.write() as session:
        session.execute(delete(ReminderMark))
    scene.earn(NOW - timedelta(days=80))  # ends in 20 days: the first moment is over
    assert scene.days(0) == []
    assert before(scene.days(5)) == ["P15D"]
    scene.employees(Employee("E2", "Bo", "bo@acme.example"))
    scene.days(10)
    scene.home.clock.moment = NOW + timedelta(days=12)  # type: ignore[attr-defined]
    scene.earn(NOW - timedelta(days=74), "E2")  # ends on day 26; the moment on day 11 lies after the last look
    assert before(scene.days(12.5)) == []
    told = [(row.before, row.person_id) for row in scene.days(19)]
    assert told == [("P7D", scene.person("E1")), ("P7D", scene.person("E2"))]


def test_who_has_renewed_is_not_told(scene: Scene) -> None:
    """A renewal ends the reminders of the award before it, and those of the new one follow at their time."""
    scene.earn()
    scene.days(68)
    scene.evidence("completed", "CRS-13", scene.now)
    told = {day: before(scene.days(day)) for day in (70, 85, 93, 138)}
    assert told == {70: [], 85: [], 93: [], 138: ["P30D"]}


def test_who_renewed_unseen_until_now_is_not_told(scene: Scene) -> None:
    """What was recorded and not yet derived when the moment passes is derived first."""
    scene.earn()
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]
    with scene.store.write() as session:
        at = NOW + timedelta(days=69)
        row = Evidence(
            person_id=scene.person(), origin="late", source="moodle", user_key="7", kind="completed",
            object="CRS-13", achieved_at=at, recorded_at=at,
        )  # fmt: skip
        session.add(row)
        people.touch(session, [scene.person()])
    assert scene.days(70) == []


def test_an_award_that_lasts_longer_beside_it_counts_as_renewed(scene: Scene) -> None:
    """Somebody whose other award of the same certification goes on is not told of the one that ends."""
    scene.earn()
    with scene.store.write() as session:
        award = session.scalars(select(Award)).one()
        known = {name: getattr(award, name) for name in ("person_id", "certification", "rule_version", "evidence")}
        session.add(
            Award(
                **known, id="OTHER", number=7, achieved_at=NOW, valid_from=NOW + timedelta(days=90), basis="imported",
                valid_until=NOW + timedelta(days=400), revoked_at=None, recorded_at=NOW,
            )
        )  # fmt: skip
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]
    assert reminders.remind(scene.home) == reminders.Sent()


def test_exempt_revoked_and_gone_are_not_told(scene: Scene) -> None:
    """An exemption, a revocation, and the day of leaving end reminders."""
    scene.employees(*(Employee(f"L{number}", "Lee", f"l{number}@acme.example") for number in range(3)))
    for number in range(3):
        scene.earn(NOW, f"L{number}")
    scene.employees(Employee("L0", "Lee", "l0@acme.example", left_on=(NOW + timedelta(days=70)).date()))
    with scene.store.write() as session:
        session.add(
            decisions.Decision(
                person_id=scene.person("L1"), certification="FORKLIFT", kind=decisions.EXEMPT, state="done",
                reason="leave", starts_at=NOW, ends_at=NOW + timedelta(days=90), proposed_by="hr", proposed_role="hr",
                proposed_at=NOW, decided_by="hr", decided_role="hr", decided_at=NOW,
            )
        )  # fmt: skip
        session.execute(
            update(Evidence)
            .where(Evidence.person_id == scene.person("L2"))
            .values(voided_at=NOW + timedelta(days=1), void_reason="test")
        )
        people.touch_all(session)
    scene.days(2)
    assert scene.days(70) == []
    assert [row.person_id for row in scene.days(93)] == [scene.person("L1")]


@pytest.mark.parametrize("address", [None, "", "nowhere"])
def test_who_has_no_address_is_written_down(scene: Scene, address: str | None) -> None:
    """Without a usable address there is no mail, but a line that says so, once, which the doctor counts."""
    scene.employees(Employee("E1", "Anna Costa", address, manager="E9", joined_on=date(2020, 1, 1)))
    scene.earn()
    assert [(row.outcome, row.mail_id) for row in scene.days(70)] == [("no_address", None)]
    assert scene.days(71) == []
    assert scene.mails() == []
    assert any("1 people could not be reminded" in finding.what for finding in doctor(scene.home))


def test_an_end_that_moves_is_told_anew_for_moments_still_ahead(scene: Scene) -> None:
    """Evidence voided for other evidence moves the end: what lies ahead of the new one is told, what lies behind is not."""
    scene.earn()
    scene.evidence("completed", "CRS-12", NOW + timedelta(days=10))
    scene.days(70)
    scene.home.clock.moment = NOW + timedelta(days=82)  # type: ignore[attr-defined]
    with scene.store.write() as session:
        first = session.scalars(select(Evidence).order_by(Evidence.id).limit(1)).one()
        first.voided_at, first.void_reason = scene.now, "test"
        people.touch_all(session)
    told = {day: before(scene.days(day)) for day in (82, 85, 93, 95, 103)}
    assert told == {82: [], 85: [], 93: [], 95: ["P15D"], 103: ["P7D"]}
    assert {row.ends_at for row in scene.written()} == {NOW + timedelta(days=100), NOW + timedelta(days=110)}


def test_days_are_counted_on_the_wall_clock_across_a_change_of_clocks(installation: Installation) -> None:
    """An end at 09:00 summer time in Berlin is told of at 09:00 winter time, thirty calendar days before."""
    organisation = installation.settings.organisation.model_copy(update={"timezone": "Europe/Berlin"})
    object.__setattr__(installation.settings, "organisation", organisation)
    scene = Scene(installation, 'remind = ["P30D", "P1M"]')
    earned = datetime(2027, 1, 1, 7, 0, tzinfo=UTC)  # 08:00; a hundred days later it is 08:00 on 11 April, 06:00 UTC
    scene.at(earned)
    scene.earn(earned)
    assert before(scene.at(datetime(2027, 3, 11, 6, 59, tzinfo=UTC))) == []
    assert before(scene.at(datetime(2027, 3, 11, 7, 0, tzinfo=UTC))) == ["P1M"]
    assert before(scene.at(datetime(2027, 3, 12, 6, 59, tzinfo=UTC))) == []
    assert before(scene.at(datetime(2027, 3, 12, 7, 0, tzinfo=UTC))) == ["P30D"]


def test_months_end_where_the_month_does(installation: Installation) -> None:
    """A month before 31 May is 30 April: the search by index misses no clamped day."""
    scene = Scene(installation, 'remind = ["P1M"]')
    earned = datetime(2027, 2, 20, 2, 0, tzinfo=UTC)  # a hundred days later it is 31 May
    scene.at(earned)
    scene.earn(earned)
    assert before(scene.at(datetime(2027, 4, 30, 1, 59, tzinfo=UTC))) == []
    assert before(scene.at(datetime(2027, 4, 30, 2, 0, tzinfo=UTC))) == ["P1M"]


def test_a_duty_that_was_never_met_is_told_before_it_is_due(scene: Scene) -> None:
    """Whoever must hold the certification by a day and does not is told in time; who earns it is not told again."""
    scene.employees(Employee("E2", "Bo", "bo@acme.example", position="Operator", joined_on=date(2020, 1, 1)))
    with scene.store.write() as session:
        wanted = Requirement(
            certification="FORKLIFT",
            kind="duty",
            position_code="Operator",
            starts_on=NOW.date(),
            due_on=date(2027, 2, 1),
        )
        add_requirement(session, wanted, "test", NOW)
    scene.days(1)
    [told] = scene.at(datetime(2027, 1, 2, 0, 0, tzinfo=UTC))
    assert (told.about, told.before, told.ends_at) == ("duty", "P30D", datetime(2027, 1, 31, 16, 0, tzinfo=UTC))
    subject, text = scene.text(scene.mails()[0])
    assert subject == "Forklift operator: due on 2027-02-01 00:00 (Asia/Shanghai)"
    assert "you do not hold it yet" in text
    assert before(scene.at(datetime(2027, 1, 17, 0, 0, tzinfo=UTC))) == ["P15D"]
    scene.earn(scene.now, "E2")
    assert scene.at(datetime(2027, 1, 25, 0, 0, tzinfo=UTC)) == []


@on_postgresql
def test_two_at_the_same_time_write_one(scene: Scene) -> None:
    """Four threads that look at the same moment on PostgreSQL write each reminder once, and one mail for it."""
    scene.employees(*(Employee(f"M{number}", "May", f"m{number}@acme.example") for number in range(30)))
    with scene.store.write() as session:
        ids = session.scalars(select(Person.id).where(Person.name == "May"))
        for number, person_id in enumerate(ids):
            for kind, target in (("completed", "CRS-12"), ("badge", "B-1")):
                row = Evidence(
                    person_id=person_id, origin=f"{number}{kind}", source="moodle", user_key="7", kind=kind,
                    object=target, achieved_at=NOW, recorded_at=NOW,
                )  # fmt: skip
                session.add(row)
        people.touch_all(session)
    scene.derive()
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]
    start = threading.Barrier(4)
    done: list[int] = []

    def look() -> None:
        start.wait()
        done.append(reminders.remind(scene.home).queued)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == len(scene.written()) == len(scene.mails()) == 30


def _look_and_die(url: str, home: Installation) -> None:
    home.store = Store(url)
    real = reminders.queue_mails

    def queue_and_die(*given: Any) -> int:
        real(*given)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    reminders.queue_mails = queue_and_die  # type: ignore[attr-defined]
    reminders.remind(home)


def test_whoever_is_killed_in_between_has_told_nothing(scene: Scene, store_url: str) -> None:
    """A process killed after queueing leaves no mail, no line and the mark where it was; the next one tells, once."""
    scene.earn()
    scene.days(69)
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]
    child = multiprocessing.get_context("fork").Process(target=_look_and_die, args=(store_url, scene.home))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert (scene.written(), scene.mails()) == ([], [])
    assert before(scene.days(70)) == ["P30D"]
    assert len(scene.mails()) == 1


def test_a_mail_server_gets_it_once(scene: Scene, smtp: Callable[[Installation], list[Any]]) -> None:
    """Two certifications that end on the same day reach the employee as one message, and looking again sends none."""
    got = smtp(scene.home)
    scene.rule(FORKLIFT.format(more="").replace("FORKLIFT", "CRANE").replace("Forklift operator", "Crane operator"))
    scene.earn()
    scene.days(70)
    scene.home.clock.moment = NOW + timedelta(days=70, hours=5)  # type: ignore[attr-defined]
    for _ in range(2):
        send_due(PostOffice.of(scene.home))
        task(scene.home)
    assert sorted(message["To"] for message in got) == ["anna@acme.example", "wang@acme.example"]
    [message] = [message for message in got if message["To"] == "anna@acme.example"]
    text = message.get_body(("plain",)).get_content()
    assert "Forklift operator" in text
    assert "Crane operator" in text


# The managers' lists --------------------------------------------------------------------------------------------------


def test_the_manager_gets_one_list_a_week(scene: Scene) -> None:
    """What ends soon, stands in grace or has expired is told on Monday, once; a week with nothing new brings none."""
    scene.earn()
    scene.days(70)  # a Monday, 30 days before the end
    [mail] = scene.mails("team_digest")
    subject, text = scene.text(mail)
    assert mail.recipient == "wang@acme.example"
    assert subject == "1 certification of your team needs your attention"
    assert "Anna Costa: Forklift operator, holds until 2027-03-03 10:00" in text
    scene.days(70.5)
    scene.days(75)
    assert len(scene.mails("team_digest")) == 1
    scene.days(106)  # in grace since day 100: Tuesday of another week
    assert "ended on 2027-03-03 10:00" in scene.text(scene.mails("team_digest")[1])[1]
    scene.days(134)  # expired since day 130
    assert "held until 2027-03-03 10:00" in scene.text(scene.mails("team_digest")[2])[1]
    scene.days(141)
    assert len(scene.mails("team_digest")) == 3
    with scene.store.read() as session:
        assert session.scalars(select(TeamDigest.lines)).all() == [1, 1, 1]


def test_the_list_holds_nobody_who_renewed_left_or_reports_to_another(scene: Scene) -> None:
    """Renewed, gone, without or with another manager: none of them stands on the list, and an empty one is not sent."""
    scene.earn()
    scene.employees(Employee("E2", "Bo", "bo@acme.example"))
    scene.earn(NOW, "E2")
    scene.days(68)
    scene.evidence("completed", "CRS-13", scene.now)
    scene.days(70)
    assert scene.mails("team_digest") == []
    assert len(scene.written()) == 1


def test_the_day_of_the_list_can_be_chosen_or_switched_off(installation: Installation) -> None:
    """On Fridays there is none before Friday; switched off there is none at all."""
    scene = Scene(installation)
    scene.earn()
    tables = installation.settings.model_extra
    assert tables is not None
    tables["metrics"] = {"digest": "off"}
    for day in (74, 105, 131):  # ends soon, in grace, expired: none of it is told
        scene.days(day)
    tables["metrics"] = {"digest": "friday"}
    scene.employees(Employee("E2", "Bo", "bo@acme.example", manager="E9", joined_on=date(2020, 1, 1)))
    scene.earn(NOW + timedelta(days=50), "E2")  # ends on day 150
    scene.days(136)  # a Thursday
    assert scene.mails("team_digest") == []
    scene.days(137)
    [mail] = scene.mails("team_digest")
    assert "Bo: Forklift operator" in scene.text(mail)[1]
    assert "Anna" not in scene.text(mail)[1]


@on_postgresql
def test_two_workers_send_a_manager_one_list(scene: Scene) -> None:
    """Four threads on PostgreSQL that make the week's lists make one."""
    scene.earn()
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]
    start = threading.Barrier(4)

    def look() -> None:
        start.wait()
        reminder_digests.digest(scene.home)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scene.mails("team_digest")) == 1


# Page, command, doctor ------------------------------------------------------------------------------------------------


def test_the_page_lists_them_and_counts_whom_none_could_reach(scene: Scene) -> None:
    """The coordinator sees both outcomes, filters by one, and reads how many could not be reached; the person's page says when."""
    scene.employees(Employee("E2", "Bo <b>", None, joined_on=date(2020, 1, 1)))
    scene.earn()
    scene.earn(NOW, "E2")
    scene.days(70)
    with scene.store.write() as session:
        account = create_account(session, "reader", "correct horse battery", ["coordinator"], scene.now)
    client = create_app(scene.home).test_client()
    with client.session_transaction() as cookie:
        cookie.update(session_of(account, scene.now))
    page = client.get("/reminders").get_data(as_text=True)
    assert "Anna Costa" in page
    assert "Bo &lt;b&gt;" in page
    assert "1 person could not be reminded" in page
    filtered = client.get("/reminders?outcome=no_address").get_data(as_text=True)
    assert "Anna Costa" not in filtered
    assert "Bo &lt;b&gt;" in filtered
    assert "reminded on 2027-02-01" in client.get("/people/E1").get_data(as_text=True)
    assert "reminded on" not in client.get("/people/E2").get_data(as_text=True)


def test_the_command_says_whom_it_would_remind_and_does_it(scene: Scene) -> None:
    """A dry run names who is due and writes nothing; a run writes it; the list shows it."""
    scene.earn()
    scene.home.clock.moment = NOW + timedelta(days=70)  # type: ignore[attr-defined]

    context = Context(Path("unread"))
    context.installation = scene.home

    def call(*words: str) -> str:
        said = CliRunner().invoke(reminders_command, list(words), obj=context, catch_exceptions=False)
        return said.output

    assert "E1: FORKLIFT ends 2027-03-03T10:00:00+08:00" in call("run", "--dry-run")
    assert scene.written() == []
    assert "Reminders queued: 1;" in call("run")
    assert "E1" not in call("run", "--dry-run")
    [row] = json.loads(call("list", "--format", "json"))
    assert (row["employee_number"], row["outcome"], row["before"]) == ("E1", "queued", "P30D")
    assert "FORKLIFT" in call("list")


def test_doctor_tells_of_reminders_that_no_server_sends(scene: Scene) -> None:
    """Without a mail server, certifications that end soon are a warning; with none that end there is none."""
    assert [finding.level for finding in doctor(scene.home)] == ["ok"]
    scene.earn()
    scene.days(75)
    [finding] = doctor(scene.home)
    assert finding.level == "warning"
    assert "1 certifications end soon" in finding.what


@pytest.fixture
def smtp() -> Iterator[Callable[[Installation], list[Any]]]:
    """Starts a mail server for an installation; what it has got."""
    controllers: list[Controller] = []

    class Inbox:
        def __init__(self) -> None:
            self.got: list[Any] = []

        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            self.got.append(message_from_bytes(envelope.original_content, policy=policy.default))
            return "250 taken"

    def start(home: Installation) -> list[Any]:
        inbox = Inbox()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        controllers.append(Controller(inbox, hostname="127.0.0.1", port=port))
        controllers[-1].start()
        mail = home.settings.mail.model_copy(
            update={"host": "127.0.0.1", "port": port, "security": "none", "sender": "CertBridge <cb@acme.example>"}
        )
        object.__setattr__(home.settings, "mail", mail)
        return inbox.got

    yield start
    for controller in controllers:
        controller.stop()


def test_nothing_is_counted_twice(scene: Scene) -> None:
    """Looking at the same stretch of time again writes no second line, even where the mark was lost."""
    scene.earn()
    scene.days(70)
    with scene.store.write() as session:
        session.execute(update(ReminderMark).values(until=NOW))
    assert scene.days(71) == []
    with scene.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Mail)) == 2  # the reminder and the manager's list


def test_another_change_before_the_due_date_hides_no_reminder(scene: Scene) -> None:
    """A second duty that ends, and an exemption that begins, between a reminder's moment and the due date: it is told all the same."""
    scene.employees(Employee("E2", "Bo", "bo@acme.example", position="Operator", joined_on=date(2020, 1, 1)))
    scene.employees(Employee("E3", "Cy", "cy@acme.example", grade="G3", joined_on=date(2020, 1, 1)))
    due = {"certification": "FORKLIFT", "kind": "duty", "starts_on": NOW.date(), "due_on": date(2027, 2, 1)}
    with scene.store.write() as session:
        add_requirement(session, Requirement(position_code="Operator", **due), "test", NOW)
        add_requirement(session, Requirement(grade_code="G3", **due), "test", NOW)
        ending = {**due, "due_on": None, "ends_on": date(2027, 1, 20)}
        add_requirement(session, Requirement(department_code="Yard", **ending), "test", NOW)
        ends = datetime(2027, 1, 25, tzinfo=UTC)
        wish = decisions.Wish("exempt", "E3", "FORKLIFT", "on leave", datetime(2027, 1, 10, tzinfo=UTC), ends)
        decisions.decide(session, wish, By("hr", "hr"), NOW)
    scene.employees(
        Employee("E2", "Bo", "bo@acme.example", position="Operator", department="Yard", joined_on=date(2020, 1, 1))
    )
    scene.derive()
    told = scene.at(datetime(2027, 1, 2, 0, 0, tzinfo=UTC))
    assert [(row.person_id, row.about, row.before) for row in told] == [
        (scene.person("E2"), "duty", "P30D"),
        (scene.person("E3"), "duty", "P30D"),
    ]
    assert scene.at(datetime(2027, 1, 2, 1, 0, tzinfo=UTC)) == []
