"""Retention: what is kept for too long goes, to the second, and nothing else does."""

import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from connectors.models import Evidence, Quarantined, StreamRun, SyncRun
from metrics.certification.models import Award
from plugin.audit import record_act
from plugin.errors import SettingsError
from plugin.installation import PACKAGES, Installation
from plugin.manifests import discover, in_order
from plugin.migrate import load_models
from plugin.models import AuditEntry, ErasureProposal, Event, Mail, PasswordReset, Person, Throttle
from plugin.moments import Duration, subtract
from plugin.privacy.declarations import Declarations, declarations
from plugin.privacy.erasing import erase
from plugin.privacy.inventory import inventory
from plugin.privacy.retention import retain, survey
from plugin.privacy.tasks import TASKS
from plugin.schedules import seconds_of
from plugin.settings import PrivacySettings, Settings
from tests.plugin.privacy_world import HER, HIS, World, build
from webhooks.fanout import fan_out
from webhooks.models import Attempt, Endpoint, Message

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def keeping(home: Installation, **retention: str) -> None:
    """Set `[privacy.retention]`."""
    settings = PrivacySettings(retention=retention)
    home.settings = home.settings.model_copy(update={"privacy": settings})


def ago(home: Installation, duration: str) -> datetime:
    """The moment from which on something is kept."""
    return subtract(home.clock(), Duration.parse(duration), home.settings.organisation.zone)


def gone(home: Installation) -> dict[str, int]:
    """What retention lets go, by kind."""
    return {state.kind.name: state.gone for state in retain(home, "a test") if state.gone}


def quarantined(number: int, resolved_at: datetime | None) -> dict[str, Any]:
    """A row in quarantine."""
    return {
        "source": "moodle", "stream": "users", "record_key": f"user:{number}", "record": {}, "reason": "x", "is_request": False,
        "first_at": NOW, "last_at": NOW, "times": 1, "resolved_at": resolved_at,
    }  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.one_of(st.none(), st.integers(-3, 3), st.integers(-400, 400)), max_size=12),
    days=st.integers(1, 200),
)
def test_just_what_is_older_goes(installation: Installation, ages: list[int | None], days: int) -> None:
    """Of rows settled at any moment around the boundary, those at it or before go; later and open ones stay."""
    keeping(installation, quarantine=f"P{days}D")
    boundary = ago(installation, f"P{days}D")
    moments = [None if age is None else boundary + age * SECOND for age in ages]
    with installation.store.write() as session:
        session.execute(delete(Quarantined))
        if moments:
            session.execute(insert(Quarantined), [quarantined(number, at) for number, at in enumerate(moments)])
    due = next(state for state in survey(installation) if state.kind.name == "quarantine")
    kept = sorted(str(at) for at in moments if at is None or at > boundary)
    assert due.held.due == len(moments) - len(kept)
    retain(installation, "a test")
    with installation.store.read() as session:
        assert sorted(str(at) for at in session.scalars(select(Quarantined.resolved_at))) == kept


def test_dry_run_says_and_changes_nothing(installation: Installation) -> None:
    """The survey gives setting, rows, oldest and how many would go, and a second one the same."""
    with installation.store.write() as session:
        session.execute(insert(Quarantined), [quarantined(1, datetime(2026, 1, 5, tzinfo=UTC)), quarantined(2, NOW)])
    states = {state.kind.name: state.as_json() for state in survey(installation)}
    assert states["quarantine"] == {
        "kind": "quarantine", "keep": "P90D", "rows": 2, "oldest": "2026-01-05T00:00:00+00:00", "due": 1, "gone": 0
    }  # fmt: skip
    assert states["leavers"]["keep"] == "never"
    assert {state.kind.name: state.as_json() for state in survey(installation)} == states


def test_never_keeps_for_ever(installation: Installation) -> None:
    """A kind that is set to never stays, however old it is."""
    keeping(installation, quarantine="never")
    with installation.store.write() as session:
        session.execute(insert(Quarantined), [quarantined(1, datetime(2000, 1, 1, tzinfo=UTC))])
    assert gone(installation) == {}


def test_unknown_kind_is_refused(installation: Installation) -> None:
    """A kind that nobody declares is named, with those that there are."""
    keeping(installation, evidence="P1Y")
    with pytest.raises(
        SettingsError, match=r"\[privacy.retention\] evidence: there is no such kind; the kinds are leavers"
    ):
        survey(installation)


@pytest.mark.parametrize("keep", ["P0D", "1 year", "-P1D", ""])
def test_wrong_duration_is_refused(keep: str) -> None:
    """What is no duration, or none at all, is refused when the settings are read."""
    with pytest.raises(ValueError, match="duration"):
        PrivacySettings(retention={"quarantine": keep})


def test_evidence_and_awards_have_no_kind(installation: Installation) -> None:
    """No kind reaches evidence, awards, their changes, or what they were earned by."""
    reached = {rule.table.name for rule in declarations(installation.installed).rules if rule.retention is not None}
    kept = {"evidence", "award", "award_change", "holding", "completion", "result", "enrolment", "promotion"}
    assert not reached & kept


def test_each_pull_but_the_newest_goes(installation: Installation) -> None:
    """Old pulls go with their streams; the newest of each source and outcome stays, and so does one that runs."""
    old = NOW - timedelta(days=400)
    with installation.store.write() as session:
        for source, status, at in (
            ("moodle", "done", old), ("moodle", "failed", old), ("moodle", "done", old + SECOND),
            ("roster", "done", old), ("roster", "running", None),
        ):  # fmt: skip
            run = SyncRun(source=source, status=status, started_at=old, heartbeat_at=old, finished_at=at)
            session.add(run)
            session.flush()
            session.add(StreamRun(run_id=run.id, stream="users", status="done"))
    assert gone(installation) == {"sync_runs": 1}
    with installation.store.read() as session:
        left = session.execute(select(SyncRun.source, SyncRun.status).order_by(SyncRun.id)).all()
        assert [tuple(row) for row in left] == [
            ("moodle", "failed"), ("moodle", "done"), ("roster", "done"), ("roster", "running")
        ]  # fmt: skip
        assert session.scalar(select(func.count()).select_from(StreamRun)) == 4


def test_sign_in_and_proposals_go(installation: Installation, world: World) -> None:
    """Spent links and counts go after a month, declined proposals after a year; open ones stay."""
    with world.home.store.write() as session:
        session.execute(update(PasswordReset).values(expires_at=NOW - timedelta(days=31)))
        session.add(Throttle(key="forgot:192.0.2.1", count=3, since=NOW - timedelta(days=31)))
        session.add(Throttle(key="forgot:192.0.2.2", count=3, since=NOW - timedelta(days=29)))
        session.execute(
            update(ErasureProposal).where(ErasureProposal.id == 1).values(decided_at=NOW - timedelta(days=366))
        )
    assert gone(world.home) == {"sign_in": 3, "proposals": 1}
    with world.home.store.read() as session:
        assert session.scalars(select(Throttle.key)).all() == ["forgot:192.0.2.2"]
        assert session.scalars(select(ErasureProposal.decided_at)).all() == [None]


@pytest.fixture
def world(installation: Installation) -> World:
    """An organisation of two, on each database."""
    return build(installation)


def test_messages_go_but_the_newest_of_each_subject(world: World) -> None:
    """What was delivered and overtaken goes with its attempts; the newest of a subject, what waits and what was given up stay."""
    old = NOW - timedelta(days=100)
    with world.home.store.write() as session:
        session.execute(delete(Attempt))
        session.execute(delete(Message))
        her = session.scalars(select(Person.id).where(Person.employee_number == HER)).one()
        endpoint = session.scalars(select(Endpoint.id)).one()
        for number, state in enumerate(("delivered", "skipped", "dead", "delivered", "waiting"), 11):
            event = Event(id=f"{number:026}", person_id=her, sequence=number, type="certification.awarded", subject="s",
                          occurred_at=old, data={"a": 1}, fanned_out=True)  # fmt: skip
            session.add(event)
            session.flush()
            message = Message(endpoint_id=endpoint, event_id=event.id, person_id=her, sequence=number, subject="s", state=state,
                              due_at=old, finished_at=None if state == "waiting" else old)  # fmt: skip
            session.add(message)
            session.flush()
            session.add(Attempt(message_id=message.id, number=1, started_at=old, outcome="x", reason="y", excerpt="z"))
    assert gone(world.home) == {"messages": 2, "answers": 3}
    with world.home.store.read() as session:
        assert session.scalars(select(Message.state).order_by(Message.sequence)).all() == [
            "dead",
            "delivered",
            "waiting",
        ]
        assert session.scalars(select(Attempt.excerpt)).all() == [None, None, None]
    assert gone(world.home) == {}


def test_whom_hr_was_told_to_erase_goes_when_everybody_knows(world: World) -> None:
    """The number in person.erased goes a month after, not before, and not while an endpoint has not been told."""
    world.close_accounts()
    erase(world.home, HER, "command:admin", "Asked for.")

    fan_out(world.home.store, world.now)
    world.home.clock.moment += timedelta(days=31)  # type: ignore[attr-defined]
    notice = select(Event.id).where(Event.type == "person.erased")
    gone(world.home)
    assert {table for table, _, _ in world.traces(HER)} == {"event", "message"}  # it waits
    with world.home.store.write() as session:
        told = {"state": "dead", "finished_at": world.now - timedelta(days=31)}
        session.execute(update(Message).where(Message.event_id.in_(notice)).values(**told))
    gone(world.home)
    assert {table for table, _, _ in world.traces(HER)} == {"event", "message"}  # given up: it may be sent again
    with world.home.store.write() as session:
        session.execute(update(Message).where(Message.event_id.in_(notice)).values(state="delivered"))
    assert gone(world.home)["erased_notice"] == 2
    assert world.traces() == []
    assert gone(world.home) == {}


def test_leavers_are_erased_once_no_source_has_them(world: World) -> None:
    """Who left longer ago is erased; whom the LMS still has waits until it has them no more, and others stay."""
    keeping(world.home, leavers="P1Y")
    with world.home.store.write() as session:
        session.execute(update(Person).where(Person.employee_number == HER).values(left_on=date(2025, 11, 23)))
        session.execute(update(Person).where(Person.employee_number == HIS).values(left_on=date(2025, 11, 24)))
    assert gone(world.home) == {}
    world.close_accounts()
    state = next(state for state in survey(world.home) if state.kind.name == "leavers")
    assert (state.held.rows, state.held.oldest, state.held.due) == (2, date(2025, 11, 23), 1)
    assert gone(world.home) == {"leavers": 1}
    assert {table for table, _, _ in world.traces()} == {"event"}
    assert world.person(HIS).erased_at is None
    assert gone(world.home) == {}
    with world.home.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.erase")).one()
        assert act.actor == "retention"
        assert session.scalar(select(func.count()).select_from(Award)) == 1
        assert session.scalar(select(func.count()).select_from(Evidence)) == 3


def test_old_acts_go_with_a_checkpoint(world: World) -> None:
    """Acts older than is set go seal by seal; the trail verifies from the signed checkpoint on."""
    keeping(world.home, audit="P1Y")
    assert gone(world.home) == {}
    with world.home.store.read() as session:
        acts = session.scalar(select(func.count()).select_from(AuditEntry))
    world.home.clock.moment += timedelta(days=400)  # type: ignore[attr-defined]
    with world.home.store.write() as session:
        record_act(session, "somebody", "endpoint.add", "endpoint:hr", world.now)
    world.seal()
    done = gone(world.home)
    assert done["audit"] == acts
    report = world.verify()
    assert report.is_sound, report.findings
    assert next(chain.pruned for chain in report.chains if chain.table == "audit_entry") == acts
    with world.home.store.read() as session:
        assert session.scalars(select(AuditEntry.action)).all() == ["endpoint.add", "retention.run"]


def test_batches_go_on_until_the_bound(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes batch after batch up to its bound, and the next run takes the rest."""
    monkeypatch.setattr("plugin.privacy.retention.CHUNK", 10)
    old = NOW - timedelta(days=100)
    with installation.store.write() as session:
        session.execute(insert(Quarantined), [quarantined(number, old) for number in range(45)])
    assert {state.gone for state in retain(installation, "a test", most=30) if state.gone} == {30}
    assert gone(installation) == {"quarantine": 15}


def test_schedule_does_it_daily(installation: Installation) -> None:
    """The kernel's schedule names the task, which lets go what is due and writes down how much."""
    schedule = installation.addons["plugin"].manifest["schedules"]["plugin.retain"]
    assert (schedule["task"], seconds_of(schedule["every"])) == ("plugin.retain", 86400)
    with installation.store.write() as session:
        session.execute(insert(Quarantined), [quarantined(1, NOW - timedelta(days=100))])
    TASKS["plugin.retain"](installation, None)
    with installation.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "retention.run")).one()
        assert (act.actor, act.after) == ("retention", {"quarantine": 1})
        assert session.scalar(select(func.count()).select_from(Mail)) == 0


# Docs -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def declared() -> Declarations:
    """What this program's own addons declare."""
    addons = discover([], PACKAGES)
    load_models(addons)
    return declarations(in_order(addons))


def test_example_has_every_kind_with_its_default(declared: Declarations) -> None:
    """config.example.toml shows each kind with how long it is kept."""
    example = tomllib.loads((ROOT / "config.example.toml").read_text(encoding="utf-8"))
    assert example["privacy"]["retention"] == {kind.name: kind.keep for kind in declared.kinds}


def test_page_has_the_inventory(declared: Declarations) -> None:
    """docs/privacy.md has the tables that `certbridge privacy inventory` prints, as they are now."""
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    assert inventory(declared, Settings()) in page, (
        "run 'certbridge privacy inventory' and put its output into docs/privacy.md"
    )


def test_what_is_shown_is_translated(declared: Declarations) -> None:
    """The sentences of the declarations stand in the catalogues, in Chinese."""
    said = "\n".join(
        (ROOT / name / "i18n/zh_Hans_CN/LC_MESSAGES/messages.po").read_text(encoding="utf-8") for name in PACKAGES
    )
    known = dict(re.findall(r'^msgid "(.*)"\nmsgstr "(.*)"$', said, re.MULTILINE))
    sentences = {text for rule in declared.rules for text in (rule.what, rule.because) if text}
    assert [text for text in sorted(sentences) if not known.get(text)] == []
