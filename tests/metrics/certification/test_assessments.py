"""What assessors enter, and certificates that employees hand in, on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from connectors.models import Evidence
from metrics.certification import assessments, certificates
from metrics.certification.acting import By, by_command
from metrics.certification.assessment_entries import Entry
from metrics.certification.assessment_import import import_assessments
from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.certificates import Upload
from metrics.certification.engine import Terms, derive_due
from metrics.certification.explain import explain
from metrics.certification.models import Award, Holding
from metrics.certification.rules import import_rule
from metrics.doctor import doctor
from plugin import people
from plugin.accounts import create_account
from plugin.errors import NotFoundError, RefusedError
from plugin.imports import Outcome
from plugin.installation import Installation
from plugin.models import Account, AuditEntry, Person
from plugin.moments import Duration
from plugin.people import Employee
from plugin.privacy.erasing import erase
from plugin.privacy.exporting import as_zip, export
from plugin.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = Terms(SHANGHAI, Duration.parse("P2D"))
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
VERA, EMPLOYEE = By("vera", "assessor", "Vera Sommer"), By("anna", "employee", "Anna Costa", 1)
CRANE_PDF = Upload("crane.pdf", b"%PDF-1.7\ncrane")
PDF, PNG, JPEG = b"%PDF-1.7\nx", b"\x89PNG\r\n\x1a\nx", b"\xff\xd8\xff\xe0x"
RULE = """
code = "CRANE"
[earn]
assessed = { assessment = "CRANE-PRACTICE" }
[validity]
lasts = "P1Y"
"""
SAID = Entry("CRANE-PRACTICE", NOW - DAY, note="Lifted and lowered as asked.")


class Scene:
    """Two employees, the rule CRANE, which an assessment earns, and a clock."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, NOW
        with store.write() as session:
            joined = date(2020, 1, 1)
            employees = [Employee("E1", "Anna Costa", joined_on=joined), Employee("E2", "王芳", joined_on=joined)]
            people.record_employees(session, employees, NOW.date(), NOW)
            import_rule(session, RULE, "test", NOW - 900 * DAY)
            self.ids = dict(session.execute(select(Person.employee_number, Person.id)).all())
        self.by_anna = By("anna", "employee", "Anna Costa", self.ids["E1"])

    def enter(self, entry: Entry = SAID, by: By = VERA, number: str = "E1", upload: Upload | None = None) -> int:
        with self.store.write() as session:
            return assessments.enter(session, number, entry, by, self.now, upload).id

    def hand_in(self, entry: Entry | None = None, upload: Upload | None = CRANE_PDF) -> int:
        entry = entry or Entry("CRANE-PRACTICE", NOW - 90 * DAY, issuer="Crane school", number="77")
        with self.store.write() as session:
            return assessments.hand_in(session, entry, upload, self.by_anna, self.now, 5).id

    def derive(self) -> str:
        derive_due(self.store, lambda: self.now, TERMS)
        with self.store.read() as session:
            return session.scalar(select(Holding.status).where(Holding.person_id == self.ids["E1"])) or "none"

    def entry(self, entry_id: int) -> Assessment:
        with self.store.read() as session:
            return session.get_one(Assessment, entry_id)

    def evidence(self) -> list[Evidence]:
        with self.store.read() as session:
            return list(session.scalars(select(Evidence).order_by(Evidence.id)))

    def acts(self) -> list[AuditEntry]:
        with self.store.read() as session:
            query = select(AuditEntry).where(AuditEntry.action.startswith("assessment.")).order_by(AuditEntry.id)
            return list(session.scalars(query))


@pytest.fixture
def scene(store: Store) -> Scene:
    """A scene on each database."""
    return Scene(store)


def test_an_entry_earns_the_certification_from_its_own_moment(scene: Scene) -> None:
    """An entry becomes evidence of kind assessed, achieved when it says, recorded now, and earns what asks for it."""
    entry = scene.entry(scene.enter())
    assert scene.derive() == "certified"
    [piece] = scene.evidence()
    assert (piece.kind, piece.source, piece.object, piece.success) == ("assessed", "assessor", "CRANE-PRACTICE", True)
    assert (piece.achieved_at, piece.recorded_at, piece.id) == (NOW - DAY, NOW, entry.evidence_id)
    assert (entry.assessor, entry.entered_by, entry.entered_role) == ("Vera Sommer", "vera", "assessor")
    with scene.store.read() as session:
        assert session.scalars(select(Award.valid_from)).one() == NOW - DAY


@pytest.mark.parametrize(("success", "status"), [(True, "certified"), (None, "certified"), (False, "not_started")])
def test_only_what_was_failed_blocks(scene: Scene, success: bool | None, status: str) -> None:
    """A failed assessment earns nothing; one that does not say whether it was passed does."""
    scene.enter(Entry("CRANE-PRACTICE", NOW - DAY, success, "seen"))
    assert scene.derive() == status


def test_a_correction_supersedes_and_the_past_stays_as_it_was(scene: Scene) -> None:
    """The old piece is voided at the moment the new one is recorded; asked as of before, the old one still counts."""
    old = scene.enter()
    scene.derive()
    scene.now += timedelta(hours=1)
    with scene.store.write() as session:
        failed = Entry("CRANE-PRACTICE", NOW - DAY, False, "Wrong person on the list.")
        new = assessments.correct(session, old, failed, "mixed up", VERA, scene.now).id
    assert scene.derive() == "revoked"
    first, second = scene.evidence()
    assert (first.voided_at, first.void_reason) == (scene.now, "superseded")
    assert (second.recorded_at, second.voided_at, second.origin) == (scene.now, None, first.origin)
    assert (scene.entry(old).state, scene.entry(old).ended_because) == ("superseded", "mixed up")
    assert (scene.entry(new).state, scene.entry(new).corrects_id) == ("recorded", old)
    with scene.store.read() as session:
        before = explain(session, "E1", "CRANE", scene.now - timedelta(seconds=1), SHANGHAI)
    assert before["status"] == "certified"


def test_a_correction_keeps_the_file_unless_there_is_a_new_one(scene: Scene) -> None:
    """Correcting the day keeps the former file; the same again is refused, as nothing would change."""
    old = scene.enter(Entry("CRANE-PRACTICE", NOW - DAY), upload=Upload("a.png", PNG))
    with scene.store.write() as session:
        new = assessments.correct(session, old, Entry("CRANE-PRACTICE", NOW - 2 * DAY), "the day", VERA, NOW).id
    assert scene.entry(new).file_id == scene.entry(old).file_id
    with pytest.raises(RefusedError, match="nothing to correct"), scene.store.write() as session:
        assessments.correct(session, new, Entry("CRANE-PRACTICE", NOW - 2 * DAY), "again", VERA, NOW)
    with pytest.raises(RefusedError, match="does not stand any more"), scene.store.write() as session:
        assessments.correct(session, old, SAID, "late", VERA, NOW)


def test_voiding_takes_the_award_back(scene: Scene) -> None:
    """A voided entry counts no more from then on, and cannot be voided twice."""
    number = scene.enter()
    scene.derive()
    scene.now += DAY
    with scene.store.write() as session:
        assessments.void(session, number, "never took place", VERA, scene.now)
    assert scene.derive() == "revoked"
    assert scene.entry(number).state == "voided"
    with pytest.raises(RefusedError, match="does not stand"), scene.store.write() as session:
        assessments.void(session, number, "again", VERA, scene.now)


def test_what_was_handed_in_counts_once_it_is_approved(scene: Scene) -> None:
    """Nothing counts before the approval; then it counts as achieved when issued, vouched for by whoever approved it."""
    number = scene.hand_in()
    assert scene.derive() == "none"
    assert scene.evidence() == []
    assert scene.entry(number).assessor == ""
    scene.now += DAY
    with scene.store.write() as session:
        assessments.approve(session, number, VERA, scene.now, "seen the original")
    assert scene.derive() == "certified"
    [piece] = scene.evidence()
    assert (piece.source, piece.achieved_at, piece.recorded_at) == ("certificate", NOW - 90 * DAY, scene.now)
    entry = scene.entry(number)
    assert (entry.assessor, entry.decision, entry.entered_by) == ("Vera Sommer", "seen the original", "anna")
    with pytest.raises(RefusedError, match="does not wait"), scene.store.write() as session:
        assessments.decline(session, number, "too late", VERA, scene.now)


def test_what_was_declined_never_counts(scene: Scene) -> None:
    """A declined certificate keeps its reason for the employee, makes no evidence, and can be handed in anew."""
    number = scene.hand_in()
    with pytest.raises(RefusedError, match="Say why"), scene.store.write() as session:
        assessments.decline(session, number, " ", VERA, scene.now)
    with scene.store.write() as session:
        assessments.decline(session, number, "unreadable", VERA, scene.now)
    entry = scene.entry(number)
    assert (entry.state, entry.decision, entry.assessor) == ("declined", "unreadable", "")
    assert scene.evidence() == []
    assert scene.hand_in() != number


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (Entry("", NOW, note="x"), "Say which assessment"),
        (Entry("CRANE-PRACTISE", NOW, note="x"), "CRANE-PRACTICE"),
        (Entry("CRANE-PRACTICE", NOW + timedelta(seconds=1), note="x"), "in the future"),
        (Entry("CRANE-PRACTICE", NOW, note="  "), "a note or a file"),
        (Entry("CRANE-PRACTICE", NOW, note="x", number="7"), "needs its issuer"),
        (Entry("CRANE-PRACTICE", NOW, note="x", expires_at=NOW + DAY), "needs its issuer"),
        (Entry("CRANE-PRACTICE", NOW, note="x", issuer="I", expires_at=NOW), "before it was achieved"),
        (Entry("CRANE-PRACTICE", NOW - 2 * DAY, note="x", issuer="I", expires_at=NOW), "has expired"),
        (Entry("CRANE-PRACTICE", NOW, note="x" * 4001), "longer than 4000"),
    ],
)
def test_what_cannot_be_entered_is_refused(scene: Scene, entry: Entry, says: str) -> None:
    """Each entry that makes no sense is refused with what is wrong, and nothing of it is kept."""
    with pytest.raises(RefusedError, match=says):
        scene.enter(entry)
    assert scene.evidence() == []
    with scene.store.read() as session:
        assert session.scalars(select(Assessment)).all() == []


def test_a_certificate_that_expired_while_it_waited_is_not_approved(scene: Scene) -> None:
    """The end is looked at again on approval; a correction of what was approved in time is allowed afterwards."""
    entry = Entry("CRANE-PRACTICE", NOW - DAY, issuer="I", expires_at=NOW + DAY)
    late, timely = scene.hand_in(entry), scene.hand_in(Entry(**{**vars(entry), "achieved_at": NOW - 2 * DAY}))
    with scene.store.write() as session:
        assessments.approve(session, timely, VERA, NOW)
    scene.now += DAY
    with pytest.raises(RefusedError, match="has expired"), scene.store.write() as session:
        assessments.approve(session, late, VERA, scene.now)
    with scene.store.write() as session:
        changed = Entry(**{**vars(entry), "achieved_at": NOW - 3 * DAY})
        assert assessments.correct(session, timely, changed, "typo", VERA, scene.now).evidence_id is not None


def test_the_same_twice_is_refused_by_name(scene: Scene) -> None:
    """What stands or waits already is named by its entry; at another time of day it is another assessment."""
    first, waiting = scene.enter(), scene.hand_in()
    with pytest.raises(RefusedError, match=f"as entry {first}"):
        scene.enter()
    with pytest.raises(RefusedError, match=f"waits to be approved, as entry {waiting}"):
        scene.hand_in()
    assert scene.enter(Entry("CRANE-PRACTICE", NOW - DAY + timedelta(hours=1), False, "x")) > first


def test_nobody_assesses_themselves(scene: Scene) -> None:
    """An assessor who is the employee can neither enter, approve, decline nor void anything about themselves."""
    oneself = By("anna", "assessor", "Anna Costa", scene.ids["E1"])
    with pytest.raises(RefusedError, match="Nobody assesses themselves"):
        scene.enter(by=oneself)
    waiting, standing = scene.hand_in(), scene.enter()
    for act in (
        lambda session: assessments.approve(session, waiting, oneself, NOW),
        lambda session: assessments.decline(session, waiting, "x", oneself, NOW),
        lambda session: assessments.void(session, standing, "x", oneself, NOW),
        lambda session: assessments.correct(
            session, standing, Entry("CRANE-PRACTICE", NOW, note="x"), "x", oneself, NOW
        ),
    ):
        with pytest.raises(RefusedError, match="Nobody assesses themselves"), scene.store.write() as session:
            act(session)
    assert scene.enter(number="E2", by=oneself)


def test_only_an_employee_hands_in_and_with_file_and_issuer(scene: Scene) -> None:
    """An account that is nobody's, a certificate without a file or without its issuer: each is refused."""
    entry = Entry("CRANE-PRACTICE", NOW, issuer="I")
    for by, said, upload, says in (
        (VERA, entry, Upload("a.pdf", PDF), "Only an employee"),
        (scene.by_anna, entry, None, "Attach the certificate"),
        (scene.by_anna, Entry("CRANE-PRACTICE", NOW), Upload("a.pdf", PDF), "needs its issuer"),
    ):
        with pytest.raises(RefusedError, match=says), scene.store.write() as session:
            assessments.hand_in(session, said, upload, by, NOW, 5)


def test_every_act_stands_in_the_audit_trail(scene: Scene) -> None:
    """Who, in which role, when, why, before and after; a command is named beside the assessor for whom it was typed."""
    number = scene.enter(by=By("vera", "assessor", "Vera Sommer", None, "command:ops"))
    with scene.store.write() as session:
        assessments.void(session, number, "never took place", VERA, NOW + DAY)
    entered, voided = scene.acts()
    assert (entered.actor, entered.after["by"], entered.after["role"]) == ("command:ops", "vera", "assessor")
    assert (voided.actor, voided.reason, voided.subject) == ("vera", "never took place", "assessment:E1:CRANE-PRACTICE")
    assert (voided.before["state"], voided.after["state"]) == ("recorded", "voided")
    assert {act.person_id for act in (entered, voided)} == {scene.ids["E1"]}


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type"), [(PDF, "application/pdf"), (PNG, "image/png"), (JPEG, "image/jpeg")]
)
def test_the_type_is_read_from_the_bytes(scene: Scene, content: bytes, media_type: str) -> None:
    """Whatever a file is called, its first bytes say what it is; its bytes come back as they were."""
    number = scene.enter(Entry("CRANE-PRACTICE", NOW), upload=Upload("C:\\scans\\x.exe", content))
    with scene.store.read() as session:
        file = certificates.read(session, session.get_one(Assessment, number))
        assert (file.media_type, file.name, file.size, file.content) == (media_type, "x.exe", len(content), content)


@pytest.mark.parametrize(
    ("upload", "says"),
    [
        (Upload("a.pdf", b""), "empty"),
        (Upload("a.pdf", b"<html>%PDF-</html>"), "neither PDF"),
        (Upload("a.png", b"GIF89a"), "neither PDF"),
        (Upload("a.pdf", PDF + bytes(5 * 1024 * 1024)), "at most 5 MiB"),
    ],
)
def test_files_that_are_not_taken(scene: Scene, upload: Upload, says: str) -> None:
    """An empty, a disguised and a too large file are refused, and the entry with them."""
    with pytest.raises(RefusedError, match=says):
        scene.enter(upload=upload)
    assert scene.evidence() == []


def test_a_file_that_was_changed_is_refused_and_found(scene: Scene, installation: Installation) -> None:
    """A byte changed in the store: the file opens no more, and doctor names it; before, all is well."""
    number = scene.enter(upload=Upload("a.pdf", PDF))
    assert [(found.level, found.area) for found in doctor(installation) if found.area == "certificates"] == [
        ("ok", "certificates")
    ]
    with scene.store.write() as session:
        session.execute(update(CertificateFile).values(content=PDF + b"!"))
    with pytest.raises(RefusedError, match="checksum differs"), scene.store.read() as session:
        certificates.read(session, session.get_one(Assessment, number))
    [found] = [found for found in doctor(installation) if found.area == "certificates"]
    assert (found.level, found.what.startswith("1 of 1 files")) == ("error", True)


def test_erasing_takes_entries_and_files_along(scene: Scene, installation: Installation) -> None:
    """A person's export lists entries and files with their checksums; erasing leaves neither, and others' entries anonymous."""
    with scene.store.write() as session:
        account = create_account(session, "anna", None, ["assessor"], NOW)
        account.person_id = scene.ids["E1"]
    scene.hand_in()
    kept = scene.enter(number="E2", by=By("anna", "assessor", "Anna Costa", scene.ids["E1"]))
    old = scene.enter(upload=Upload("a.pdf", PDF))
    with scene.store.write() as session:
        assessments.correct(session, old, Entry("CRANE-PRACTICE", NOW - 2 * DAY), "the day", VERA, NOW)
    document = export(installation, "E1", "test")
    tables: dict[str, Any] = {table["table"]: table["rows"] for table in document["tables"]}
    assert [row["assessment"] for row in tables["assessment"]] == ["CRANE-PRACTICE"] * 3
    assert [len(row["sha256"]) for row in tables["certificate_file"]] == [64, 64]
    assert "content" not in tables["certificate_file"][0]
    assert as_zip(document)
    erase(installation, "E1", "test", "asked for it")
    with scene.store.read() as session:
        assert session.scalars(select(CertificateFile.id)).all() == []
        [left] = session.scalars(select(Assessment))
    assert left.id == kept
    assert "anna" not in f"{left.entered_by} {left.entered_name}".lower()
    with pytest.raises(NotFoundError):
        scene.enter()


# Many at once ---------------------------------------------------------------------------------------------------------


def bring(scene: Scene, folder: Path, text: str, by: By = VERA) -> Outcome:
    """Import `text` as a file."""
    path = folder / "assessments.csv"
    path.write_text("employee_number,assessment,achieved_at,success,note,issuer,number,expires_at\n" + text, "utf-8")
    with scene.store.write() as session:
        return import_assessments(session, path, SHANGHAI, by, scene.now)


def test_a_file_of_many_is_taken_row_by_row(scene: Scene, tmp_path: Path) -> None:
    """Good rows count with their own dates; each bad one is named by line and reason; the same again changes nothing."""
    text = (
        "E1,CRANE-PRACTICE,2026-11-01,true,seen,,,\n"
        "E9,CRANE-PRACTICE,2026-11-01,true,seen,,,\n"
        "E1,NOPE,2026-11-01,true,seen,,,\n"
        "E1,CRANE-PRACTICE,2027-11-01,true,seen,,,\n"
        "E1,CRANE-PRACTICE,01/11/2026,true,seen,,,\n"
        "E1,CRANE-PRACTICE,2026-11-02,maybe,seen,,,\n"
        "E1,CRANE-PRACTICE,2026-11-02,true,,,,\n"
        "E1,CRANE-PRACTICE,2026-11-01,false,seen,,,\n"
        "E2,CRANE-PRACTICE,2026-11-01T09:30,,seen,School,7,2027-05-01\n"
        "E1,CRANE-PRACTICE,2026-11-01,true,seen,,,\n"
    )
    outcome = bring(scene, tmp_path, text)
    reasons = {each.line: each.reason for each in outcome.refused}
    assert (outcome.accepted, outcome.known, sorted(reasons)) == (2, 1, [3, 4, 5, 6, 7, 8, 9])
    for line, says in {
        3: "no employee 'E9'", 4: "'NOPE'", 5: "future", 6: "achieved_at: ", 7: "success: 'maybe'", 8: "a note or a file",
        9: "stands already",
    }.items():  # fmt: skip
        assert says in reasons[line]
    first, second = scene.evidence()
    assert first.achieved_at == datetime(2026, 11, 1, tzinfo=SHANGHAI)
    assert (second.source, second.success) == ("certificate", None)
    assert second.expires_at == datetime(2027, 5, 1, tzinfo=SHANGHAI)
    assert {scene.entry(number).evidence_id for number in (1, 2)} == {first.id, second.id}
    assert scene.derive() == "certified"
    again = bring(scene, tmp_path, text)
    assert (again.accepted, again.known) == (0, 3)
    assert len(scene.evidence()) == 2


def test_a_file_of_ones_own_is_refused_row_by_row(scene: Scene, tmp_path: Path) -> None:
    """Whoever imports cannot slip in an assessment of themselves."""
    text = "E1,CRANE-PRACTICE,2026-11-01,true,seen,,,\nE2,CRANE-PRACTICE,2026-11-01,true,seen,,,\n"
    outcome = bring(scene, tmp_path, text, By("anna", "assessor", "Anna Costa", scene.ids["E1"]))
    assert outcome.accepted == 1
    assert [(each.line, each.reason) for each in outcome.refused] == [
        (2, "Nobody assesses themselves; ask another assessor.")
    ]


# Who -----------------------------------------------------------------------------------------------------------------


def test_a_command_is_for_an_account_that_may(store: Store) -> None:
    """The role recorded is the one that the named account has; one that may not, is disabled or is not there is refused."""
    with store.write() as session:
        create_account(session, "vera", None, ["assessor", "employee"], NOW)
        create_account(session, "henk", None, ["hr"], NOW)
        create_account(session, "gone", None, ["assessor"], NOW)
        session.execute(update(Account).where(Account.login == "gone").values(disabled_at=NOW))
    with store.read() as session:
        by = by_command(session, "vera", "assessments.do", "command:ops")
        assert (by.login, by.role, by.actor, by.as_said()) == (
            "vera", "assessor", "command:ops", {"role": "assessor", "by": "vera"},
        )  # fmt: skip
        assert by_command(session, None, "awards.do", "command:ops").role == "command line"
        for login, says in (("henk", "needs one of the roles"), ("gone", "is disabled"), ("none", "no account")):
            with pytest.raises(RefusedError, match=says):
                by_command(session, login, "assessments.do", "command:ops")
