"""Privacy: everything held about a person can be handed out and erased, and nothing is kept for longer than is said."""

import csv
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from connectors.models import Evidence, Identity, SourceUser
from connectors.records import CompletionRecord
from connectors.storing import Moment, store_records
from metrics.certification.models import Award, AwardChange, Holding
from metrics.figures import registry
from metrics.figures.periods import Period
from metrics.figures.question import Question
from plugin.accounts import create_account
from plugin.cli import Command, Context
from plugin.errors import AddonError, NotFoundError, RefusedError
from plugin.events import lock_people
from plugin.installation import Installation
from plugin.manifests import Addon
from plugin.models import (
    Account,
    ApiToken,
    Assignment,
    AuditEntry,
    AuditSalt,
    ErasureProposal,
    Event,
    Mail,
    PasswordReset,
    Person,
)
from plugin.people import touch_all
from plugin.privacy.declarations import declarations
from plugin.privacy.erasing import erase, plan
from plugin.privacy.exporting import as_zip, export
from plugin.privacy.words import mentions
from plugin.privacy_commands import register
from plugin.settings import SourceSettings
from plugin.store import Base
from plugin.web import create_app, session_of
from tests.plugin.privacy_world import HER, HIS, TRACES, World, build, others
from webhooks.claims import LEASE, claim
from webhooks.deliveries import retry
from webhooks.fanout import fan_out
from webhooks.models import DELIVERED, SKIPPED, WAITING, Attempt, Endpoint, Message
from webhooks.privacy import ERASED

OF_PERSONS = {"person_id", "user_key", "account_id", "email", "recipient"}
REASON = "Asked for in writing."


@pytest.fixture
def world(installation: Installation) -> World:
    """An organisation of two, on each database."""
    return build(installation)


def erased(world: World) -> None:
    """Erase her, whose account has left the LMS."""
    world.close_accounts()
    erase(world.home, HER, "command:admin", REASON)


# Declarations -----------------------------------------------------------------------------------------------------


def test_every_table_about_persons_is_declared(installation: Installation) -> None:
    """A table of our own that says whom a row is about, and that no manifest declares under 'privacy', fails here."""
    declared = {rule.table.name for rule in declarations(installation.installed).rules}
    lacking = [table.name for table in Base.metadata.sorted_tables if OF_PERSONS & set(table.c.keys())]
    assert len(lacking) > 15
    assert sorted(set(lacking) - declared) == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"table_that_is_not": {"what": "x", "why": "y", "because": "z"}}, "no model declares that table"),
        ({"person": {"what": "x"}}, "'why'"),
        ({"person": {"what": "x", "why": "y"}}, "'because'"),
        ({"person": {"what": "x", "why": "y", "erase": "shred"}}, "'erase' is one of"),
        ({"person": {"what": "x", "why": "y", "erase": "blank"}}, "'blank' stands with"),
        ({"person": {"what": "x", "why": "y", "erase": "delete", "found": ["smell:id"]}}, "no way to find"),
        ({"person": {"what": "x", "why": "y", "erase": "delete", "found": ["person:nose"]}}, "no column nose"),
        ({"person": {"what": "x", "why": "y", "erase": "delete", "right": "no.such"}}, "none of plugin/roles.py"),
        ({"person": {"what": "x", "why": "y", "erase": "delete", "colour": "red"}}, "colour is no word"),
        (
            {"person": {"what": "x", "why": "y", "erase": "delete", "retention": {"kind": "none", "from": "left_on"}}},
            "no addon declares the kind 'none'",
        ),
    ],
)
def test_wrong_declaration_names_addon_and_table(
    sqlite_installation: Installation, said: dict[str, Any], why: str
) -> None:
    """A declaration that cannot be followed is refused with the addon, the table and the mend."""
    addon = Addon("acme", Path(), {"version": "1.0", "depends": [], "privacy": {"tables": said}})
    with pytest.raises(AddonError, match=f"acme declares {next(iter(said))}.*mend its manifest") as caught:
        declarations([addon])
    assert why in str(caught.value)


@pytest.fixture
def sqlite_installation() -> None:
    """Nothing but loaded models, for what needs no database."""


# Export ---------------------------------------------------------------------------------------------------------------


def test_export_holds_rows_of_every_table_and_says_what_they_are(world: World) -> None:
    """Every declared table in which rows are hers stands in the export with them, what it is, why, and how long."""
    document = export(world.home, HER, "command:admin")
    tables = {table["table"]: table for table in document["tables"]}
    rules = [rule for rule in declarations(world.home.installed).rules if rule.found and not rule.others]
    assert {rule.name for rule in rules} == tables.keys()
    assert {name for name, table in tables.items() if not table["rows"]} <= {"touched"}
    assert all(table["what"] and table["why"] and table["kept"] for table in tables.values())
    assert tables["person"]["rows"][0]["employee_number"] == HER
    assert tables["assignment"]["rows"][0]["department"] == "Works"
    assert [row["user_key"] for row in tables["completion"]["rows"]] == ["77654321"]
    assert json.loads(json.dumps(document)) == document


def test_export_holds_nobody_else_and_no_secret(world: World) -> None:
    """Nothing of the other employee, no password hash, no digest of a token and no salt stands in the export."""
    said = json.dumps(export(world.home, HER, "command:admin"))
    assert "Otto Berg" not in said
    assert "otto@acme.example" not in said
    with world.home.store.read() as session:
        secrets = {
            *session.scalars(select(Account.password_hash)),
            *session.scalars(select(PasswordReset.digest)),
            *session.scalars(select(ApiToken.digest)),
            *session.scalars(select(AuditSalt.salt)),
        }
    assert len(secrets) > 7
    assert [secret for secret in secrets if secret in said] == []


def test_export_is_an_act_in_the_trail(world: World) -> None:
    """Handing a person's data out is written down, as an act about that person."""
    export(world.home, HER, "command:admin")
    with world.home.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.export")).one()
    assert (act.actor, act.subject, act.person_id) == ("command:admin", f"person:{HER}", world.person(HER).id)


def test_export_as_zip_has_a_file_a_table(world: World) -> None:
    """The ZIP has a CSV file for each table that has rows, without formulas, and a README that names each table."""
    document = export(world.home, HER, "command:admin")
    with zipfile.ZipFile(io.BytesIO(as_zip(document))) as archive:
        names = set(archive.namelist())
        readme = archive.read("README.txt").decode()
        lines = list(csv.DictReader(io.StringIO(archive.read("person.csv").decode("utf-8-sig"))))
    assert names == {f"{table['table']}.csv" for table in document["tables"] if table["rows"]} | {"README.txt"}
    assert all(table["table"] in readme for table in document["tables"])
    assert lines[0]["name"] == "Petronella Quist"


# Erasing --------------------------------------------------------------------------------------------------------------


def test_erasing_leaves_no_trace(world: World) -> None:
    """Afterwards no column of any table holds her number, name, address, login or account, but what HR is to be told."""
    before = world.traces()
    assert {word for _, _, word in before} == set(TRACES)
    assert len({table for table, _, _ in before}) > 25
    her = world.person(HER).id
    erased(world)
    assert {(table, column) for table, column, _ in world.traces()} == {("event", "data"), ("event", "subject")}
    with world.home.store.read() as session:
        left = session.get_one(Person, her)
        told = session.scalars(select(Event).where(Event.person_id == her).order_by(Event.sequence.desc())).first()
    assert (left.name, left.email, left.erased_at) == ("erased", None, world.now)
    assert left.employee_number.startswith("erased-")
    assert told is not None
    assert (told.type, told.subject, told.data) == ("person.erased", f"person:{HER}", {"employee_number": HER})


def test_erasing_leaves_others_as_they_are(world: World) -> None:
    """Every row about the other employee is the same before and after, but that the manager's number says nothing now."""
    her = world.person(HER).id
    before = others(world.rows(), her)
    assert len(before) > 20
    erased(world)
    after = others(world.rows(), her)
    assert after == before
    with world.home.store.read() as session:
        manager = session.scalar(
            select(Assignment.manager_number)
            .join(Person, Person.id == Assignment.person_id)
            .where(Person.employee_number == HIS)
        )
        assert manager == session.get_one(Person, her).employee_number


def test_erasing_leaves_the_trail_verifiable(world: World) -> None:
    """The audit trail verifies after erasing, sealed and not yet sealed alike, and says who erased whom and why."""
    assert world.verify().is_sound
    her = world.person(HER).id
    with world.home.store.read() as session:
        acts = session.scalar(select(func.count()).select_from(AuditEntry))
    erased(world)
    assert world.verify().findings == []
    world.seal()
    report = world.verify()
    assert report.findings == []
    assert sum(chain.erased for chain in report.chains) > 5
    with world.home.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.erase")).one()
        assert (session.scalar(select(func.count()).select_from(AuditEntry)) or 0) > (acts or 0)
        assert session.scalar(select(func.count()).select_from(AwardChange).where(AwardChange.person_id == her))
    assert (act.actor, act.subject, act.reason) == ("command:admin", f"person-id:{her}", REASON)
    assert act.after is not None
    assert act.after["rows"]["completion"] == 1


def test_nothing_comes_back_and_figures_still_compute(world: World) -> None:
    """Deriving everybody again makes nothing of the erased person, no event, and every figure counts without her."""
    erased(world)
    with world.home.store.write() as session:
        touch_all(session)
    assert world.derive() == 0
    with world.home.store.read() as session:
        people = set(session.scalars(select(Holding.person_id))) | set(session.scalars(select(Award.person_id)))
        assert people == {world.person(HIS).id}
        period = Period.parse("2026", world.home.settings.organisation.zone) if hasattr(Period, "parse") else None
        if period is not None:
            for name in registry.figures():
                registry.measure(session, name, Question(period=period, as_of=world.now))


def test_pages_still_open(world: World) -> None:
    """The pages that listed her open without her, for every role together."""
    erased(world)
    client = visitor(world, ["administrator", "coordinator", "hr", "auditor", "operator"], None)
    for path in ("/", "/people", "/people?leavers=1", "/promotions", "/figures?period=2026", "/deliveries", "/audit", "/users", "/mail",
                 "/privacy", "/sync", "/quarantine", f"/people/{HIS}"):  # fmt: skip
        page = client.get(path)
        assert page.status_code == 200, path
        assert HER not in page.text, path
        assert "Petronella" not in page.text, path
    assert "erased-" not in client.get("/people?leavers=1").text
    assert client.get(f"/people/{HER}").status_code == 404


def test_dry_run_changes_nothing(world: World) -> None:
    """Planning says how many rows go, are blanked and stay, and leaves every row as it is."""
    before = world.rows()
    planned = plan(world.home, HER)
    lines = {line.name: line for line in planned.lines}
    assert (lines["completion"].act, lines["completion"].rows) == ("delete", 1)
    assert (lines["event"].act, lines["event"].rows) == ("blank", 2)
    assert lines["audit_entry"].act == "sealed"
    assert lines["audit_entry.mentions"].rows == 1
    assert planned.present == ("moodle",)
    assert world.rows() == before


def test_erasing_is_refused_while_a_source_has_them(world: World) -> None:
    """With an account that is still in the LMS it is refused and names the source; it is done all the same when asked so."""
    with pytest.raises(RefusedError, match="is still in moodle"):
        erase(world.home, HER, "command:admin", REASON)
    assert world.person(HER).erased_at is None
    erase(world.home, HER, "command:admin", REASON, although_present=True)
    assert {table for table, _, _ in world.traces()} == {"event"}


def test_the_authority_is_asked_whether_it_lists_them(world: World, tmp_path: Path) -> None:
    """Somebody whom the roster still lists is present, one whom it lists no more is not, and nobody knows without it."""
    roster = tmp_path / "roster.csv"
    sources = {"roster": SourceSettings(connector="connectors.roster", path=str(roster))}  # type: ignore[call-arg]
    world.home.settings = world.home.settings.model_copy(update={"sources": sources})
    world.home.settings._folder = tmp_path
    world.close_accounts()
    assert plan(world.home, HER).present == ("roster",)  # it cannot be read
    roster.write_text(f"employee_number,name\n{HER},Petronella Quist\n{HIS},Otto Berg\n", encoding="utf-8")
    assert plan(world.home, HER).present == ("roster",)
    roster.write_text(f"employee_number,name\n{HIS},Otto Berg\n", encoding="utf-8")
    assert plan(world.home, HER).present == ()


def test_erasing_twice_is_refused_clearly(world: World) -> None:
    """The second time it is said that they were erased, when; and what is left of them cannot be erased either."""
    her = world.person(HER).id
    erased(world)
    with pytest.raises(RefusedError, match=f"{HER} was erased on 2026-11-23 already"):
        plan(world.home, HER)
    with world.home.store.read() as session:
        left = session.get_one(Person, her).employee_number
    with pytest.raises(RefusedError, match="what is left of somebody"):
        erase(world.home, left, "command:admin", REASON)
    with pytest.raises(NotFoundError, match="no employee with the number E0"):
        plan(world.home, "E0")


def test_reason_must_not_name_them(world: World) -> None:
    """A reason that names the person is refused, for it would stay; nothing is changed then."""
    world.close_accounts()
    before = world.rows()
    for reason in (f"{HER} asked", "Petronella Quist asked", "petronella@quist.example wrote"):
        with pytest.raises(RefusedError, match="must not name the person"):
            erase(world.home, HER, "command:admin", reason)
    assert world.rows() == before


def test_acts_of_an_officer_about_others_stay(world: World) -> None:
    """Who did what to others stays in the trail under the login that it was sealed with, and erasing says so beforehand."""
    with world.home.store.write() as session:
        subject = f"person:{HIS}"
        session.add(
            AuditEntry(at=world.now, actor="petronella.login", action="award.exempt", subject=subject,
                       reason="Long service.", person_id=world.person(HIS).id)
        )  # fmt: skip
    world.seal()
    kept = next(line for line in plan(world.home, HER).lines if line.name == "audit_entry.acted")
    assert (kept.act, kept.rows) == ("keep", 1)
    assert "says who acted" in kept.because
    erased(world)
    with world.home.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "award.exempt")).one()
    assert (act.actor, act.subject, act.reason) == ("petronella.login", f"person:{HIS}", "Long service.")
    assert {(table, column) for table, column, _ in world.traces()} == {
        ("event", "data"), ("event", "subject"), ("audit_entry", "actor")
    }  # fmt: skip
    assert world.verify().is_sound


def test_last_administrator_is_not_erased(world: World) -> None:
    """Erasing the only administrator is refused, and so is erasing oneself."""
    world.close_accounts()
    with world.home.store.write() as session:
        session.execute(update(Account).where(Account.login == "petronella.login").values(roles=["administrator"]))
    with pytest.raises(RefusedError, match="last administrator"):
        erase(world.home, HER, "command:admin", REASON)
    with pytest.raises(RefusedError, match="Nobody erases themselves"):
        erase(world.home, HER, "petronella.login", REASON)
    assert world.person(HER).erased_at is None


def test_what_an_account_did_for_somebody_else_stays(world: World) -> None:
    """Of an account that went on to another person, only what it did until then is the first one's."""
    until = datetime(2026, 10, 15, tzinfo=UTC)
    him, key = world.person(HIS).id, "77654321"
    with world.home.store.write() as session:
        mine = session.scalars(select(Identity).where(Identity.user_key == key)).one()
        mine.unbound_at, mine.valid_until = world.now, until
        session.flush()
        session.add(
            Identity(source="moodle", user_key=key, person_id=him, rule="hand", bound_at=world.now, valid_from=until)
        )
        later = CompletionRecord("5", key, datetime(2026, 11, 1, tzinfo=UTC))
        store_records(session, "moodle", [later], None, Moment(world.now, date(2026, 11, 23), 2))
    erase(world.home, HER, "command:admin", REASON)
    with world.home.store.read() as session:
        kept = session.scalars(select(Evidence).where(Evidence.person_id == him, Evidence.user_key == key)).all()
        assert [piece.achieved_at for piece in kept] == [later.completed_at]
        assert session.scalars(select(SourceUser.user_key).where(SourceUser.user_key == key)).all() == [key]
    completions = [row for row in world.rows()["completion"] if row["user_key"] == key]
    assert len(completions) == 1
    assert world.rows()["result"][0]["user_key"] == "1234"


# What waits to be told ------------------------------------------------------------------------------------------------


def test_waiting_messages_are_cancelled_and_the_erasure_is_told(world: World) -> None:
    """What waited or was given up is not sent any more, with the reason; person.erased is the next of the person's line."""
    her = world.person(HER).id
    erased(world)
    with world.home.store.read() as session:
        messages = session.scalars(select(Message).where(Message.person_id == her).order_by(Message.id)).all()
        assert {message.state for message in messages} == {DELIVERED, SKIPPED}
        assert {message.reason for message in messages} == {ERASED}
        hers = Attempt.message_id.in_([message.id for message in messages])
        assert session.scalars(select(Attempt.excerpt).where(hers)).all() == [None]
    fan_out(world.home.store, world.now)
    with world.home.store.write() as session:
        endpoint = session.scalars(select(Endpoint)).one()
        claimed = [each for each in claim(session, endpoint, "a test", world.now, 10, 5) if each.person_id == her]
    assert [(each.content.type, each.content.data) for each in claimed] == [("person.erased", {"employee_number": HER})]
    with world.home.store.write() as session, pytest.raises(RefusedError, match="nothing is left of what it said"):
        retry(session, messages[0].id, "a test", world.now)


def test_events_not_fanned_out_are_not_told(world: World) -> None:
    """An event that nobody has made messages of yet becomes none; only person.erased does."""
    her = world.person(HER).id
    with world.home.store.write() as session:
        session.execute(update(Event).where(Event.person_id == her).values(fanned_out=False))
        session.execute(Attempt.__table__.delete())
        session.execute(Message.__table__.delete())
    erased(world)
    fan_out(world.home.store, world.now)
    with world.home.store.read() as session:
        types = session.scalars(
            select(Event.type).join(Message, Message.event_id == Event.id).where(Event.person_id == her)
        )
        assert types.all() == ["person.erased"]


def test_erasing_waits_for_what_is_being_sent(world: World) -> None:
    """While a message about them is being sent it is refused and nothing is changed; after the lease it is done."""
    her = world.person(HER).id
    world.close_accounts()
    with world.home.store.write() as session:
        endpoint = session.scalars(select(Endpoint)).one()
        assert her in [each.person_id for each in claim(session, endpoint, "a sender", world.now, 10, 5)]
    with pytest.raises(RefusedError, match="being sent right now"):
        erase(world.home, HER, "command:admin", REASON)
    assert world.person(HER).erased_at is None
    world.home.clock.moment += LEASE  # type: ignore[attr-defined]
    erase(world.home, HER, "command:admin", REASON)
    with world.home.store.read() as session:
        assert WAITING not in session.scalars(select(Message.state).where(Message.person_id == her)).all()


def test_mails_to_and_about_them_are_given_up(world: World) -> None:
    """What waits to be mailed to them or about them is not sent; while one is being sent, it is refused."""
    world.close_accounts()
    with world.home.store.write() as session:
        session.execute(update(Mail).where(Mail.recipient == "petronella@quist.example").values(state="sending"))
    with pytest.raises(RefusedError, match="being sent right now"):
        erase(world.home, HER, "command:admin", REASON)
    with world.home.store.write() as session:
        session.execute(update(Mail).where(Mail.state == "sending").values(state="waiting"))
    erase(world.home, HER, "command:admin", REASON)
    with world.home.store.read() as session:
        states = dict(session.execute(select(Mail.recipient, Mail.state).order_by(Mail.id.desc())).all())
        boss = session.scalars(select(Mail).where(Mail.recipient == "boss@acme.example").order_by(Mail.id)).all()
    assert states[""] == "given_up"
    assert states["otto@acme.example"] == "waiting"
    assert [(mail.state, bool(mail.parameters)) for mail in boss] == [("given_up", False), ("waiting", True)]


# At the same time -----------------------------------------------------------------------------------------------------


def test_two_at_once_erase_once(world: World) -> None:
    """Of two who erase the same person at the same moment, one does it and the other is told so."""
    world.close_accounts()
    outcomes: list[str] = []

    def go() -> None:
        try:
            erase(world.home, HER, "command:admin", REASON)
        except RefusedError as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append("done")

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) in (["PrivacyRefusedError", "done"], ["NobodyThereError", "done"])
    with world.home.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.type == "person.erased")) == 1


def test_erasing_gives_way_to_whoever_works_on_the_person(world: World) -> None:
    """While another transaction has the person locked, erasing waits and begins again; it is done when that one ends."""
    if world.home.store.is_sqlite:
        world.close_accounts()
        erase(world.home, HER, "command:admin", REASON)  # there one writes after another anyway
        return
    world.close_accounts()
    her = world.person(HER).id
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with world.home.store.write() as session:
            lock_people(session, [her])
            locked.set()
            done.wait(1.5)

    other = threading.Thread(target=hold)
    other.start()
    locked.wait()
    erase(world.home, HER, "command:admin", REASON)
    done.set()
    other.join()
    assert {table for table, _, _ in world.traces()} == {"event"}


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "word", "found"),
    [
        ("E10", "E10", True),
        ("person:e10", "E10", True),
        ("E100", "E10", False),
        ("the employee E10.", "E10", True),
        ("E10-2", "E10", False),
        ({"deep": [{"number": "E10"}]}, "E10", True),
        ({"count": 10}, "10", True),
        ("10 of them", "10", False),
        ("joanna@acme.example", "anna@acme.example", False),
        ("to anna@acme.example, twice", "anna@acme.example", True),
        ("Anna Schmidt", "anna", False),
        ("account:anna", "anna", True),
        ("王芳的证书", "王芳", True),
        (None, "E10", False),
        (True, "true", False),
    ],
)
def test_words_are_found_whole(value: Any, word: str, found: bool) -> None:
    """A word counts where it stands whole, and not as a part of somebody else's."""
    assert mentions(value, {word}) is found


# Commands -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(installation: Installation) -> Callable[..., Result]:
    """Runs `certbridge privacy …` on the installation."""

    @click.group(cls=Command)
    @click.pass_context
    def cli(ctx: click.Context) -> None:
        ctx.obj = context

    context = Context(Path())
    context.__dict__["installation"] = installation
    context.console.width = 200
    register(cli)

    def call(*arguments: str, answer: str = "") -> Result:
        return CliRunner().invoke(cli, ["privacy", *arguments], input=answer, obj=context)

    return call


def test_command_exports_into_a_file_of_ones_own(world: World, run: Callable[..., Result], tmp_path: Path) -> None:
    """The file is readable by its owner alone, is never written over, and holds the document; so does standard output."""
    target = tmp_path / "her.json"
    done = run("export", HER, "-o", str(target))
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert json.loads(target.read_text(encoding="utf-8"))["employee_number"] == HER
    assert run("export", HER, "-o", str(target)).exit_code == 1
    assert json.loads(run("export", HER).stdout)["employee_number"] == HER
    archive = run("export", HER, "--format", "zip", "-o", str(tmp_path / "her.zip"))
    assert archive.exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "her.zip")
    missing = run("export", "E0")
    assert missing.exit_code == 1
    assert "no employee with the number E0" in missing.stderr


def test_command_says_asks_and_erases(world: World, run: Callable[..., Result]) -> None:
    """It says what goes and what stays before it asks; without a yes, without a reason, or with --dry-run nothing is done."""
    world.close_accounts()
    looked = run("erase", HER, "--dry-run")
    assert looked.exit_code == 0
    assert "completion" in looked.output
    assert "Nothing has been changed." in looked.output
    assert {
        line["table"] for line in json.loads(run("erase", HER, "--dry-run", "--format", "json").stdout)["tables"]
    } >= {"award"}
    assert "Say why with --reason" in run("erase", HER, "--yes").stderr
    assert run("erase", HER, "--reason", REASON, answer="n\n").exit_code == 1
    assert world.person(HER).erased_at is None
    done = run("erase", HER, "--reason", REASON, answer="y\n")
    assert done.exit_code == 0, done.output
    assert "is erased" in done.output
    again = run("erase", HER, "--reason", REASON, "--yes")
    assert again.exit_code == 1
    assert "already" in again.stderr


# Pages ----------------------------------------------------------------------------------------------------------------


def visitor(world: World, roles: list[str], number: str | None) -> FlaskClient:
    """A browser that is signed in with these roles, as this employee or nobody."""
    app = create_app(world.home)
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    with world.home.store.write() as session:
        count = session.scalar(select(func.count()).select_from(Account))
        account = create_account(session, f"reader{count}", None, roles, world.now)
        account.person_id = session.scalar(select(Person.id).where(Person.employee_number == number))
        session.flush()
    with client.session_transaction() as cookie:
        cookie.update(session_of(account, world.now))
    return client


def test_employee_takes_the_own_data_and_nobody_elses(world: World) -> None:
    """The own data come as a download; another one's are not there, whoever it is."""
    client = visitor(world, ["employee"], HER)
    assert client.get("/my-data").status_code == 200
    answer = client.post("/privacy/export", data={"format": "json"})
    assert answer.status_code == 200
    assert answer.json["employee_number"] == HER
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.post("/privacy/export", data={"format": "zip"}).mimetype == "application/zip"
    assert client.post("/privacy/export", data={"number": HIS}).status_code == 404
    assert client.post("/privacy/export", data={"number": "E0"}).status_code == 404


def test_administrator_exports_anybody(world: World) -> None:
    """An administrator hands out anybody's data, and is told when there is nobody of that number."""
    client = visitor(world, ["administrator"], None)
    assert client.post("/privacy/export", data={"number": HIS, "format": "json"}).json["employee_number"] == HIS
    assert (
        "no employee with the number E0"
        in client.post("/privacy/export", data={"number": "E0"}, follow_redirects=True).text
    )


def test_hr_proposes_and_an_administrator_decides(world: World) -> None:
    """A proposal shows to administrators, who decline it with a reason that HR sees, or erase the person, once."""
    with world.home.store.write() as session:
        session.execute(ErasureProposal.__table__.delete())
    hr, administrator = visitor(world, ["hr"], None), visitor(world, ["administrator"], None)
    proposal = {"number": HER, "reason": "Left years ago."}
    assert hr.post("/privacy/proposals", data={"number": HER, "reason": " "}).status_code == 422
    assert hr.post("/privacy/proposals", data={"number": "E0", "reason": "x"}).status_code == 422
    assert hr.post("/privacy/proposals", data=proposal).status_code == 302
    assert hr.post("/privacy/proposals", data=proposal).status_code == 422
    assert "Left years ago." in administrator.get("/privacy").text
    page = administrator.get(f"/privacy/people/{HER}").text
    assert "Left years ago." in page
    assert "still in moodle" in page
    with world.home.store.read() as session:
        number = session.scalars(select(ErasureProposal.id)).one()
    decline = f"/privacy/proposals/{number}/decline"
    assert "Say why" in administrator.post(decline, data={}, follow_redirects=True).text
    administrator.post(decline, data={"reason": "A lawsuit is open."})
    assert "A lawsuit is open." in hr.get("/privacy/proposals").text
    assert "declined by" in administrator.post(decline, data={"reason": "Again."}, follow_redirects=True).text
    assert hr.post("/privacy/proposals", data=proposal).status_code == 302
    refused = administrator.post(f"/privacy/people/{HER}", data={"reason": REASON})
    assert (refused.status_code, "is still in moodle" in refused.text) == (422, True)
    done = administrator.post(
        f"/privacy/people/{HER}", data={"reason": REASON, "although_present": "on"}, follow_redirects=True
    )
    assert "The person is erased" in done.text
    assert "Left years ago." not in done.text
    assert {table for table, _, _ in world.traces()} == {"event"}
    assert administrator.get(f"/privacy/people/{HER}", follow_redirects=True).status_code == 200
