"""Alerts: found by a look each minute, mailed once through a real SMTP server, shown on the pages, closed by themselves."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask.testing import FlaskClient
from sqlalchemy import select, update

from plugin import schedules
from plugin.accounts import create_account, disable
from plugin.alerts import FAILURES, KEPT, MOST_AN_HOUR, QUIET, Trouble, look
from plugin.errors import RefusedError
from plugin.installation import PACKAGES, Installation
from plugin.lifecycle import install
from plugin.mail.alerts import recipients
from plugin.manifests import discover
from plugin.models import Account, Alert, Person, Schedule
from plugin.people import Employee, record_employees
from plugin.secrets import create_key_file
from plugin.settings import Settings
from plugin.tasks import TASKS
from plugin.web import create_app, session_of
from tests.plugin.test_mail import Inbox, free_port, part, to

TROUBLES = """
from datetime import UTC, datetime

from plugin.alerts import Trouble

found = []

def troubles(installation):
    for one in found:
        if isinstance(one, Exception):
            raise one
        yield one
"""
DOWN = "The site does not answer; check that it runs."


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """An SMTP server that takes everything."""
    inbox = Inbox(port=free_port())
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    controller.start()
    yield inbox
    controller.stop()


@pytest.fixture
def home(kernel: Installation, inbox: Inbox, make_addon: Callable[..., Path], tmp_path: Path) -> Installation:
    """The kernel on both databases, with a mail server, one operator, and an addon whose troubles a test sets."""
    folder = make_addon("shaky", {"checks.py": TROUBLES}, depends=["plugin"], alerts="shaky.checks:troubles")
    create_key_file(tmp_path / "secret.key")
    values = {"mail": to(inbox, operators=["ops@acme.example"]), "secrets": {"key_file": str(tmp_path / "secret.key")}}
    settings = Settings.model_validate({**values, "organisation": kernel.settings.organisation.model_dump()})
    settings._folder = tmp_path
    home = replace(kernel, settings=settings, addons=discover([folder], PACKAGES))
    install(home, ["shaky"])
    return home


def report(home: Installation, *troubles: Trouble | Exception) -> None:
    """Have the addon report these from now on."""
    home.room(home.addons["shaky"], "checks").found[:] = troubles


def trouble(home: Installation, name: str = "moodle", reason: str = DOWN, **values: Any) -> Trouble:
    """A source that fails since now."""
    return Trouble("source", name, reason, home.clock(), "/sync", "sync.see", **values)


def pass_by(home: Installation, **time: float) -> None:
    """Move the clock."""
    home.clock.moment += timedelta(**time)  # type: ignore[attr-defined]


def looked(home: Installation) -> None:
    """What the worker does: look for alerts, then send what is due."""
    TASKS["plugin.alerts"](home, None)
    TASKS["plugin.mail"](home, None)


def standing(home: Installation) -> list[Alert]:
    """The open alerts."""
    with home.store.read() as session:
        return list(session.scalars(select(Alert).where(Alert.closed_at.is_(None)).order_by(Alert.id)))


def test_trouble_is_told_once_and_again_only_after_recovery(home: Installation, inbox: Inbox) -> None:
    """However often it is found, a trouble is one alert and one mail; when it is over and comes again there is another."""
    report(home, trouble(home, count=3))
    for _ in range(3):
        looked(home)
        pass_by(home, minutes=1)
    assert inbox.subjects == ["The source moodle fails"]
    assert [(one.name, one.reason, one.count) for one in standing(home)] == [("moodle", DOWN, 3)]
    report(home)
    looked(home)
    assert standing(home) == []
    assert inbox.subjects == ["The source moodle fails"]
    pass_by(home, days=1)
    report(home, trouble(home))
    looked(home)
    assert inbox.subjects == ["The source moodle fails"] * 2


def test_mail_says_what_since_when_why_and_where(home: Installation, inbox: Inbox) -> None:
    """The mail has the reason, how often it failed, the organisation's time, and the address of the page."""
    report(home, trouble(home, count=3))
    looked(home)
    text = part(inbox.got[0][2], "plain")
    for said in (DOWN, "Failures in a row", "3", "2026-11-23 10:00", "http://127.0.0.1:8800/sync"):
        assert said in text
    assert inbox.got[0][1] == ["ops@acme.example"]


def test_what_comes_and_goes_does_not_fill_the_mailbox(home: Installation, inbox: Inbox) -> None:
    """Something that fails and recovers every minute is mailed once in six hours, and stands on the page each time."""
    for _ in range(30):
        report(home, trouble(home))
        looked(home)
        assert len(standing(home)) == 1
        pass_by(home, minutes=1)
        report(home)
        looked(home)
        pass_by(home, minutes=1)
    assert len(inbox.got) == 1
    report(home, trouble(home))
    looked(home)
    pass_by(home, seconds=QUIET.total_seconds())
    looked(home)
    assert len(inbox.got) == 2


def test_many_troubles_at_a_time_are_told_in_portions(home: Installation, inbox: Inbox) -> None:
    """When everything breaks at the same time, twenty mails go in an hour, the oldest alerts first; none is forgotten."""
    names = [f"s{number:02}" for number in range(MOST_AN_HOUR + 5)]
    report(home, *(trouble(home, name) for name in names))
    looked(home)
    looked(home)
    assert len(inbox.got) == MOST_AN_HOUR
    assert len(standing(home)) == MOST_AN_HOUR + 5
    pass_by(home, hours=1)
    looked(home)
    assert sorted(inbox.subjects) == [f"The source {name} fails" for name in names]


def test_newest_reason_is_shown_and_the_first_moment_stays(home: Installation) -> None:
    """While a trouble lasts, the alert has its newest reason and the moment at which it began."""
    began = home.clock()
    report(home, trouble(home))
    looked(home)
    pass_by(home, minutes=5)
    report(home, trouble(home, reason="x" * 5_000, count=9))
    looked(home)
    (alert,) = standing(home)
    assert (alert.reason, alert.count, alert.since) == ("x" * 1_000, 9, began)


def test_failing_check_keeps_its_alerts_and_stops_no_other(
    home: Installation, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """An addon whose check breaks is named in the log, without the exception's text; what it said last stands."""
    report(home, trouble(home))
    looked(home)
    report(home, ValueError("s3cret"))
    fail(home, "plugin.seal", FAILURES)
    looked(home)
    assert {alert.name for alert in standing(home)} == {"moodle", "plugin.seal"}
    assert "What fails in shaky could not be found out: ValueError" in caplog.text
    assert "s3cret" not in caplog.text


def test_alerts_of_an_addon_that_is_gone_close(home: Installation) -> None:
    """What was reported by an addon that is not installed any more is nobody's trouble."""
    report(home, trouble(home))
    looked(home)
    addons = {name: addon for name, addon in home.addons.items() if name != "shaky"}
    looked(replace(home, addons=addons))
    assert standing(home) == []


def test_closed_alerts_go_after_half_a_year(home: Installation) -> None:
    """An alert is kept for a while after it was closed, then deleted; an open one stays however old it is."""
    report(home, trouble(home, "old"), trouble(home, "open"))
    looked(home)
    report(home, trouble(home, "open"))
    looked(home)
    pass_by(home, seconds=KEPT.total_seconds() + 1)
    looked(home)
    with home.store.read() as session:
        assert session.scalars(select(Alert.name)).all() == ["open"]


# ── Who is told ──


def test_without_addresses_in_the_settings_the_operators_accounts_are_told(home: Installation, inbox: Inbox) -> None:
    """Operators and administrators in use that have an address, their own or the employee's, each in their language."""
    now = home.clock()
    with home.store.write() as session:
        record_employees(session, [Employee("E1", "Ann", "ann@acme.example")], now.date(), now)
        for login, role, email, language in (
            ("root", "administrator", "root@acme.example", "zh_Hans_CN"),
            ("ann", "operator", None, None),
            ("hr", "hr", "hr@acme.example", None),
            ("gone", "operator", "gone@acme.example", None),
            ("nowhere", "administrator", "", None),
        ):
            account = create_account(session, login, None, [role, "employee"], now)
            account.email, account.language = email, language
        session.flush()
        ann = session.scalars(select(Account).where(Account.login == "ann")).one()
        ann.person_id = session.scalars(select(Person.id)).one()
        disable(session, session.scalars(select(Account).where(Account.login == "gone")).one(), "root", now)
    quiet = home.settings.model_copy(update={"mail": home.settings.mail.model_copy(update={"operators": ()})})
    told = replace(home, settings=quiet)
    with home.store.read() as session:
        assert recipients(session, quiet) == {"root@acme.example": "zh_Hans_CN", "ann@acme.example": None}
    report(told, trouble(home))
    looked(told)
    subjects = {recipients[0]: mail["Subject"] for _, recipients, mail in inbox.got}
    assert subjects == {"root@acme.example": "数据源 moodle 出现故障", "ann@acme.example": "The source moodle fails"}


def test_alert_waits_for_somebody_who_can_be_told(home: Installation, inbox: Inbox) -> None:
    """While nobody has an address the alert is only shown; the first who has one is told."""
    nobody = home.settings.model_copy(update={"mail": home.settings.mail.model_copy(update={"operators": ()})})
    report(home, trouble(home))
    looked(replace(home, settings=nobody))
    assert [alert.told_at for alert in standing(home)] == [None]
    assert inbox.got == []
    pass_by(home, days=2)
    looked(home)
    assert inbox.subjects == ["The source moodle fails"]


@pytest.mark.parametrize(
    ("kind", "subject", "chinese"),
    [
        ("source", "The source x fails", "数据源 x 出现故障"),
        ("stream", "A part of a source fails: x", "数据源的一部分出现故障：x"),
        ("token", "The token of the source x ends soon", "数据源 x 的令牌即将到期"),
        ("endpoint", "The endpoint x fails", "端点 x 出现故障"),
        ("deliveries", "Messages to the endpoint x were given up", "发往端点 x 的消息已放弃发送"),
        ("schedule", "The scheduled work x fails", "计划任务 x 出现故障"),
        ("audit", "The audit trail is not as it was sealed", "审计记录与封存时不一致"),
        ("weather", "x fails", "x 出现故障"),
    ],
)
def test_every_kind_of_alert_has_its_words(
    home: Installation, inbox: Inbox, kind: str, subject: str, chinese: str
) -> None:
    """Each kind's mail says in both languages what fails and what that means; an unknown kind says at least what."""
    report(home, replace(trouble(home, "x"), kind=kind))
    looked(home)
    with home.store.write() as session:
        session.execute(update(Alert).values(told_at=None, name="x", since=home.clock() + timedelta(seconds=1)))
    organisation = home.settings.organisation.model_copy(update={"language": "zh_Hans_CN"})
    looked(replace(home, settings=home.settings.model_copy(update={"organisation": organisation})))
    assert inbox.subjects == [subject, chinese]
    assert DOWN in part(inbox.got[1][2], "plain")


# ── What the kernel reports ──


def fail(home: Installation, name: str, times: int, message: str = DOWN) -> None:
    """Have a schedule's work fail so often."""
    for _ in range(times):
        with suppress(RefusedError), schedules.lease(home.store, name, home.clock):
            raise RefusedError(message)


def test_schedule_that_has_failed_five_times_is_told(home: Installation, inbox: Inbox) -> None:
    """Four failures in a row are nobody's business yet; the fifth is an alert, and the next success ends it."""
    fail(home, "plugin.seal", FAILURES - 1)
    looked(home)
    assert standing(home) == []
    began = home.clock()
    fail(home, "plugin.seal", 1)
    looked(home)
    (alert,) = standing(home)
    assert (alert.kind, alert.name, alert.count, alert.reason) == ("schedule", "plugin.seal", FAILURES, DOWN)
    assert (alert.since, alert.path) == (began, "/operation")
    assert inbox.subjects == ["The scheduled work plugin.seal fails"]
    with schedules.lease(home.store, "plugin.seal", home.clock):
        pass
    looked(home)
    assert standing(home) == []


def test_look_is_scheduled(home: Installation) -> None:
    """A worker looks every minute by itself."""
    with home.store.read() as session:
        schedule = session.get_one(Schedule, "plugin.alerts")
    assert (schedule.task, schedule.every_seconds) == ("plugin.alerts", 60)
    assert TASKS["plugin.alerts"] is look


# ── Pages ──


@pytest.fixture
def visit(home: Installation) -> Callable[..., FlaskClient]:
    """A browser of somebody with these roles."""
    app = create_app(home)

    def signed_in(*roles: str, language: str = "en") -> FlaskClient:
        client = app.test_client()
        with home.store.write() as session:
            account = create_account(session, f"reader-{'-'.join(roles)}-{language}", None, roles, home.clock())
            session.flush()
        with client.session_transaction() as cookie:
            cookie.update({**session_of(account, home.clock()), "language": language})
        return client

    return signed_in


def test_open_alerts_stand_on_the_start_page_of_whoever_may_see_them(
    home: Installation, visit: Callable[..., FlaskClient]
) -> None:
    """An operator finds the alert with its reason on the start page and on that of operation; HR, who may not see it,
    does not; when it is over it is gone from both and stands among the former ones."""
    hidden = replace(trouble(home, "hidden"), needs="no.such_right")
    report(home, trouble(home, reason="<b>down</b>"), hidden)
    looked(home)
    operator = visit("operator")
    for path in ("/", "/operation"):
        page = operator.get(path).text
        assert "The source moodle fails" in page
        assert "since 2026-11-23 10:00" in page
        assert "&lt;b&gt;down&lt;/b&gt;" in page
        assert "hidden fails" not in page
    assert "moodle" not in visit("hr").get("/").text
    assert "数据源 moodle 出现故障" in visit("operator", language="zh_Hans_CN").get("/").text
    report(home)
    looked(home)
    assert "moodle" not in operator.get("/").text
    page = operator.get("/operation").text
    assert page.index("What stood badly lately") < page.index("The source moodle fails")
    assert "Nothing stands badly." in page


def test_page_of_operation_shows_what_fails_and_why(home: Installation, visit: Callable[..., FlaskClient]) -> None:
    """Every schedule stands there with its interval; one that fails comes first, with how often, since when and why."""
    fail(home, "plugin.seal", 2, "<i>The key file is gone</i>; put it back.")
    page = visit("operator").get("/operation").text
    rows = page.partition("<tbody>")[2].split("<tr>")[1:]
    assert "plugin.seal" in rows[0]
    for said in ("failing", "1 minute", "&lt;i&gt;The key file is gone&lt;/i&gt;; put it back.", "2026-11-23 10:00"):
        assert said in rows[0]
    assert sum("failing" in one for one in rows) == 1
    assert any("plugin.mail" in one and "10 seconds" in one for one in rows)
    assert any("plugin.verify" in one and "1 day" in one for one in rows)
