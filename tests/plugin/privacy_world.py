"""An organisation in which everything is held about somebody: pulled, derived, told, mailed, signed in, quarantined."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import MetaData, insert, select, update

from connectors import quarantine
from connectors.models import (
    ActivityCompletion,
    Badge,
    CohortMember,
    CompetencyRating,
    LearningAttempt,
    LearningPlan,
    LinkingAct,
    SourceUser,
    SurveyAnswer,
    SyncRun,
)
from connectors.quarantine import Refused
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EmployeeRecord,
    EnrolmentRecord,
    ResultRecord,
    UserRecord,
)
from connectors.statement_models import Statement, XapiStatement
from connectors.storing import Moment, store_records
from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.engine import derive_due
from metrics.certification.models import CertificationRule, Decision, Requirement
from metrics.certification.promotion import Proposal, propose
from metrics.certification.requirements import add_requirement
from metrics.certification.rules import import_rule
from metrics.inputs.models import (
    CompetencyAssessment,
    ExternalTraining,
    InterviewNote,
    Lecturer,
    PerformanceValue,
    ProgrammePerson,
    SupervisorRating,
    SurveyEntry,
)
from metrics.reminder_models import Reminder, TeamDigest
from metrics.tasks import terms_of
from plugin import accounts
from plugin.audit import Report, SealingKeys, record_act, seal_waiting, sealed_tables, verify
from plugin.installation import Installation
from plugin.mail.queue import Draft, queue_mails
from plugin.models import Person, SignInLink
from plugin.people import Employee
from plugin.privacy import proposals
from plugin.tags import add_tag
from webhooks.fanout import fan_out
from webhooks.inbound_models import InboundEvent
from webhooks.models import Attempt, Endpoint, Message

HER, HIS = "E90017", "E90018"
RULE = """
code = "FIRE"
[earn]
all_of = [{ completed = { source = "moodle", course = "CRS-1" } }]
[validity]
lasts = "P1Y"
"""
# Every word by which she is known anywhere; none of them is, or is part of, a word about anybody else.
TRACES = (HER, "Petronella", "Quist", "pquist", "petronella.login", "77654321", "oidc-petronella", "Petronella said")
USERS = {HER: ("77654321", "pquist", "Petronella Quist"), HIS: ("1234", "otto", "Otto Berg")}


@dataclass
class World:
    """An installation with two employees about whom everything is held that can be."""

    home: Installation

    @property
    def now(self) -> datetime:
        """Now, in this world."""
        return self.home.clock()

    def person(self, number: str) -> Person:
        """The person of this number."""
        with self.home.store.read() as session:
            return session.scalars(select(Person).where(Person.employee_number == number)).one()

    def rows(self) -> dict[str, list[Mapping[str, Any]]]:
        """Every row of every table of the database, whoever made the table."""
        with self.home.store.read() as session:
            found = MetaData()
            found.reflect(session.connection())
            return {
                name: [dict(row) for row in session.execute(select(table)).mappings()]
                for name, table in found.tables.items()
            }

    def traces(self, *words: str) -> list[tuple[str, str, str]]:
        """Where in the database one of the words stands: table, column, and the word."""
        found = []
        for table, rows in self.rows().items():
            for row in rows:
                for column, value in row.items():
                    said = str(value).casefold()
                    found += [(table, column, word) for word in (words or TRACES) if word.casefold() in said]
        return sorted(set(found))

    def seal(self) -> None:
        """Seal everything that waits."""
        keys = SealingKeys.from_file(self.home.key_file)
        seal_waiting(self.home.store, self.home.clock, keys, sealed_tables(self.home.installed), everything=True)

    def verify(self) -> Report:
        """Verify the audit trail."""
        keys = SealingKeys.from_file(self.home.key_file)
        return verify(self.home.store, sealed_tables(self.home.installed), keys)

    def derive(self) -> int:
        """Derive what is due; the number of events."""
        return derive_due(self.home.store, self.home.clock, terms_of(self.home))

    def close_accounts(self) -> None:
        """Her account vanishes from the LMS."""
        with self.home.store.write() as session:
            for user in session.scalars(select(SourceUser).where(SourceUser.user_key == USERS[HER][0])):
                user.closed_at = self.now


def build(home: Installation) -> World:
    """The world, with everything sealed."""
    world = World(home)
    _pull(home)
    with home.store.write() as session:
        import_rule(session, RULE, "command:test", home.clock())
        session.execute(update(CertificationRule).values(created_by="petronella.login"))
        wanted = Requirement(certification="FIRE", kind="promotion", position_code="Leader", starts_on=date(2020, 1, 1))
        add_requirement(session, wanted, "command:test", home.clock())
        by_name = Requirement(certification="FIRE", kind="promotion", starts_on=date(2030, 1, 1))
        add_requirement(session, by_name, "command:test", home.clock(), [HER, HIS])
        for number in (HER, HIS):
            add_tag(session, number, "first-aider", date(2026, 1, 1), None, "command:test", home.clock())
            propose(
                session, Proposal(f"HR-{number}", number, "promotion", date(2027, 1, 1), None, "Leader"), home.clock()
            )
        session.add(Endpoint(name="hr", kind="webhooks.standard", url="https://hr.example/", created_at=home.clock()))
    world.derive()
    fan_out(home.store, home.clock())
    ids = {number: world.person(number).id for number in (HER, HIS)}
    for number in (HER, HIS):
        _sign_in(home, number, ids[number])
        _pull_more(home, USERS[number][0])
        _mail(home, number)
        _quarantine(home, number)
        _told(home, number)
    with home.store.write() as session:
        for message in session.scalars(select(Message).where(Message.sequence == 1)):
            message.state, message.finished_at = "delivered", home.clock()
            said = "for E90017, Petronella Quist" if message.person_id == ids[HER] else "for E90018"
            session.add(
                Attempt(
                    message_id=message.id, number=1, started_at=home.clock(), outcome="delivered", reason="200", excerpt=said
                )
            )  # fmt: skip
        for number in (HER, HIS):
            proposals.propose(session, number, "otto.login", "They asked for it.", home.clock())
        for number in (HER, HIS):
            session.add(
                Decision(
                    person_id=ids[number], certification="FIRE", kind="exempt", state="decided", reason=f"{number} asked.",
                    proposed_by="petronella.login", proposed_role="hr", proposed_at=home.clock(),
                )
            )  # fmt: skip
        for number in (HER, HIS):
            session.add(
                Reminder(
                    person_id=ids[number], certification="FIRE", about="duty", before="P7D", ends_at=home.clock(),
                    due_at=home.clock(), recorded_at=home.clock(), outcome="queued",
                )
            )  # fmt: skip
            session.add(
                TeamDigest(
                    person_id=ids[number], week=date(2026, 11, 23), recorded_at=home.clock(), lines=1, outcome="queued"
                )
            )
        for number in (HER, HIS):
            file = CertificateFile(
                person_id=ids[number], name=f"{number}.pdf", media_type="application/pdf", size=9, sha256=number.ljust(64),
                stored_at=home.clock(), content=f"%PDF {number}".encode(),
            )  # fmt: skip
            session.add(file)
            session.flush()
            session.add(
                Assessment(
                    person_id=ids[number], assessment="FIRE-DRILL", state="recorded", achieved_at=home.clock(),
                    note=f"{number} put it out.", file_id=file.id, entered_by="petronella.login",
                    entered_name="Petronella Quist", entered_role="assessor", entered_at=home.clock(),
                )
            )  # fmt: skip
        for number in (HER, HIS):
            session.add(
                LinkingAct(
                    at=home.clock(), source="moodle", user_key=USERS[number][0], act="link", actor="command:test",
                    reason=f"It is {number}.", to_person_id=ids[number],
                )
            )  # fmt: skip
        session.add(
            LinkingAct(
                at=home.clock(), source="moodle", user_key="1234", act="reject", actor="petronella.login",
                reason="Not him.", from_person_id=ids[HER],
            )
        )  # fmt: skip
        for number in (HER, HIS):
            session.add_all(_inputs(number, ids, home.clock()))
    world.seal()
    return world


def _inputs(number: str, ids: dict[str, int], now: datetime) -> list[Any]:
    """What the evaluation's spreadsheets say of one of the two; she rated and assessed him."""
    day, one, five, by = date(2026, 10, 1), Decimal(1), Decimal(5), ids[HER] if number == HIS else None
    known: dict[str, Any] = {"person_id": ids[number], "recorded_at": now}
    return [
        ProgrammePerson(**known, programme="P1", group="target"),
        Lecturer(**known, lecturer=f"L-{number}", name=USERS[number][2], kind="internal", currency="EUR"),
        SupervisorRating(
            **known,
            programme="P1",
            moment="before",
            months_after=0,
            dimension="",
            rated_on=day,
            score=one,
            lowest=one,
            highest=five,
            rater_id=by,
            observation=f"{number} hurries.",
        ),
        PerformanceValue(**known, measure="M1", month=day, value=one),
        SurveyEntry(
            **known,
            survey="S1",
            respondent=number,
            question="Q",
            purpose="needs",
            lowest=one,
            highest=five,
            answer=f"{number} needs more.",
        ),
        CompetencyAssessment(**known, competency="C1", assessed_on=day, by="assessor", level=2, assessor_id=by),
        InterviewNote(**known, note=f"N-{number}", held_on=day, kind="interview", said=f"{number} said so."),
        ExternalTraining(**known, title="Abroad", ended_on=day, hours=one),
    ]


def _pull(home: Installation) -> None:
    moment = Moment(home.clock(), home.clock().date(), 1)
    then = datetime(2026, 10, 1, 10, tzinfo=UTC)
    with home.store.write() as session:
        employees = [
            Employee(
                HER, "Petronella Quist", "petronella@quist.example", "Works", "Operator", "G2", None, date(2020, 1, 1)
            ),
            Employee(HIS, "Otto Berg", "otto@acme.example", "Works", "Operator", "G2", HER, date(2020, 1, 1)),
        ]
        store_records(session, "roster", [EmployeeRecord(each) for each in employees], None, moment)
        records: list[Any] = [
            CourseRecord("5", "Fire safety", "CRS-1"),
            ActivityRecord("7", "5", "quiz-1", "quiz", "Test", Decimal(0), Decimal(50), Decimal(40)),
        ]
        for number, (key, username, name) in USERS.items():
            records += [
                UserRecord(key, username, number, f"{username}@lms.example", name, "Their department"),
                EnrolmentRecord("5", key, True, then),
                CompletionRecord("5", key, then),
                ResultRecord("7", key, "s1", Decimal(45), Decimal(0), Decimal(50), then, then),
            ]
        store_records(session, "moodle", records, None, moment)
        session.add(
            SyncRun(
                source="moodle", status="done", started_at=home.clock(), heartbeat_at=home.clock(), finished_at=home.clock()
            )
        )  # fmt: skip


def _pull_more(home: Installation, key: str) -> None:
    now = home.clock()
    said = "Petronella said so" if key == USERS[HER][0] else "He said so"
    own = {"source": "moodle", "user_key": key, "first_seen_at": now}
    with home.store.write() as session:
        for model, columns in (
            (ActivityCompletion, {"module_key": "1", "course_key": "5", "state": "passed"}),
            (
                LearningAttempt,
                {"attempt_key": f"a-{key}", "module_key": "1", "course_key": "5", "number": 1, "state": "finished"},
            ),
            (CohortMember, {"cohort_key": "1"}),
            (Badge, {"badge_key": "1", "issued_at": now, "object": "B", "name": "Brave"}),
            (CompetencyRating, {"competency_key": "1", "course_key": "", "rated_at": now}),
            (LearningPlan, {"plan_key": f"p-{key}", "name": "A plan", "status": "active"}),
            (
                Statement,
                {
                    "statement_id": f"st-{key}",
                    "verb": "http://x.example/passed",
                    "object": "urn:x:y",
                    "achieved_at": now,
                },
            ),
            (
                SurveyAnswer,
                {
                    "answer_key": f"s-{key}",
                    "survey_key": "1",
                    "course_key": "5",
                    "answers": {"q": said},
                },
            ),
        ):
            session.execute(insert(model), [{**own, **columns}])
        whole = {
            "source": "moodle", "user_key": key, "statement_id": f"st-{key}", "occurred_at": now, "stored_at": now,
            "statement": f'{{"actor": {{"name": "{said}"}}, "context": {{"instructor": "{HER}"}}}}', "digest": "0",
        }  # fmt: skip
        session.execute(insert(XapiStatement), [whole])


def _told(home: Installation, number: str) -> None:
    """What HR told of one of the two; she is his manager."""
    told = {
        "sender": "hr", "message_id": f"evt-{number}", "type": "employee.moved", "employee_number": number,
        "subject": f"person:{number}", "body": f'{{"employee_number": "{number}", "manager": "{HER}"}}',
        "occurred_at": home.clock(), "received_at": home.clock(), "worked_at": home.clock(), "state": "done",
    }  # fmt: skip
    with home.store.write() as session:
        session.execute(insert(InboundEvent), [told])


def _sign_in(home: Installation, number: str, person_id: int) -> None:
    login = "petronella.login" if number == HER else "otto.login"
    now = home.clock()
    with home.store.write() as session:
        account = accounts.create_account(session, login, None, ["employee"], now)
        account.password_hash = "stands for a hash of a password" + login[::-1]  # hashing takes its time
        account.email = f"{login}@home.example"
        session.flush()
        # Made before it was known whose it is: an act about nobody that names her.
        record_act(session, "command:root", "account.create", f"account:{login}", now, after={"roles": ["employee"]})
        accounts.set_person(session, account, number, "command:root", now)
        accounts.begin_reset(session, account, login, now)
        record_act(session, login, "account.password", f"account:{login}", now, person_id=person_id)
        subject = "oidc-petronella" if number == HER else "oidc-otto"
        session.add(SignInLink(issuer="https://id.example", subject=subject, account_id=account.id, linked_at=now))
        accounts.create_token(session, f"token {person_id}", ["promotions:write"], now, None, login)


def _mail(home: Installation, number: str) -> None:
    name = USERS[number][2]
    to = "petronella@quist.example" if number == HER else "otto@acme.example"
    drafts = [
        Draft(f"hello:{number}", to, "password_reset", {"login": to}),
        Draft(f"boss:{number}", "boss@acme.example", "alert", {"about": f"{name} ({number})", "count": 1}),
    ]
    with home.store.write() as session:
        queue_mails(session, drafts, home.clock())


def _quarantine(home: Installation, number: str) -> None:
    key, _username, name = USERS[number]
    with home.store.write() as session:
        line = {"employee_number": number, "name": name, "joined": "soon"}
        quarantine.put(
            session, "roster", "employees", [Refused(f"employee:{number}", line, f"Line 2: {name}")], home.clock()
        )
        grade = {"userid": int(key), "grade": "?", "fullname": name}
        quarantine.put(session, "moodle", "results", [Refused(f"grade:{key}", grade, "No number.")], home.clock())


def others(rows: dict[str, list[Mapping[str, Any]]], her: int) -> dict[str, list[Mapping[str, Any]]]:
    """The rows that are about somebody else, by the columns that say so, without what says that they report to her."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for table, all_rows in rows.items():
        for row in all_rows:
            theirs = row.get("person_id") not in (None, her, 0) or row.get("user_key") not in (None, USERS[HER][0])
            if (
                theirs
                or (table == "person" and row["id"] != her)
                or (table == "account" and row["login"] == "otto.login")
            ):
                kept = {name: value for name, value in row.items() if name not in CHANGED.get(table, ())}
                found.setdefault(table, []).append(kept)
    return {table: sorted(kept, key=str) for table, kept in found.items()}


CHANGED = {
    "xapi_statement": {"statement"},
    "assignment": {"manager_number"},
    "linking_act": {"actor", "from_person_id", "reason"},
    "certification_decision": {"proposed_by"},
    "assessment": {"entered_by", "entered_name"},
    "supervisor_rating": {"rater_id"},
    "competency_assessment": {"assessor_id"},
}
DAY = timedelta(days=1)
