"""Importing past awards from spreadsheets, on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter
from sqlalchemy import select

from connectors.models import Evidence
from metrics.certification.engine import Terms, derive_due
from metrics.certification.explain import explain
from metrics.certification.history import import_history
from metrics.certification.models import Award, Holding
from metrics.certification.rules import import_rule
from metrics.certification.telling import in_words
from plugin import people
from plugin.errors import RefusedError
from plugin.imports import Outcome
from plugin.models import Event, Person
from plugin.moments import Duration
from plugin.people import Employee
from plugin.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TERMS = Terms(SHANGHAI, Duration.parse("P2D"))
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RULE = """
code = "FIRE"
[earn]
completed = { source = "moodle", course = "CRS-1" }
[validity]
lasts = "P1Y"
window = "P60D"
grace = "P30D"
from = "previous_expiry"
"""
HEADER = "employee_number,certification,valid_from,valid_until,remark\n"


@pytest.fixture
def set_up(store: Store) -> Store:
    """Two employees and the rule FIRE."""
    with store.write() as session:
        joined = date(2020, 1, 1)
        employees = [Employee("E1", "Anna Costa", joined_on=joined), Employee("E2", "王芳", joined_on=joined)]
        people.record_employees(session, employees, NOW.date(), NOW)
        import_rule(session, RULE, "test", NOW)
    return store


def bring(store: Store, path: Path, text: str, now: datetime = NOW) -> Outcome:
    """Import `text` as a file, and derive."""
    path = path / "history.csv"
    path.write_text(HEADER + text, encoding="utf-8")
    with store.write() as session:
        outcome = import_history(session, path, SHANGHAI, "test", now)
    derive_due(store, lambda: now, TERMS)
    return outcome


def awards(store: Store) -> list[Award]:
    """The stored awards in their order."""
    with store.read() as session:
        return list(session.scalars(select(Award).order_by(Award.person_id, Award.valid_from)))


def test_accepted_awards_keep_their_own_dates(set_up: Store, tmp_path: Path) -> None:
    """Imported awards hold from and until just what the file says, and decide the status by the rule's window and grace."""
    outcome = bring(set_up, tmp_path, "E1,FIRE,2024-03-01,2025-03-01,a\nE1,FIRE,2025-02-20,2026-12-31T12:00,b\n")
    [refused] = outcome.refused
    assert (refused.line, refused.column) == (3, "valid_from")
    assert "from 2024-03-01 until 2025-03-01" in refused.reason
    outcome = bring(set_up, tmp_path, "E1,FIRE,2025-03-01,2026-12-31T12:00,b\n")
    assert (outcome.accepted, outcome.refused) == (1, [])
    first, second = awards(set_up)
    assert first.valid_from == datetime(2024, 3, 1, tzinfo=SHANGHAI)
    assert second.valid_until == datetime(2026, 12, 31, 12, tzinfo=SHANGHAI)
    assert {first.basis, second.basis} == {"imported"}
    with set_up.read() as session:
        assert session.scalars(select(Holding.status)).one() == "renewal_due"


def test_the_chain_goes_on_from_an_imported_award(set_up: Store, tmp_path: Path) -> None:
    """A completion within the window of an imported award renews it from its end; one before the window does not."""
    bring(set_up, tmp_path, "E1,FIRE,2025-12-31,2026-12-31,\n")
    with set_up.write() as session:
        person_id = session.scalars(select(Person.id).where(Person.employee_number == "E1")).one()
        for day in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)):
            session.add(
                Evidence(
                    person_id=person_id, origin=f"test:{day}", source="moodle", user_key="7", kind="completed",
                    object="CRS-1", achieved_at=day, recorded_at=NOW,
                )
            )  # fmt: skip
        people.touch(session, [person_id])
    derive_due(set_up, lambda: NOW + timedelta(hours=1), TERMS)
    _, renewed = awards(set_up)
    assert renewed.basis == "previous_expiry"
    assert renewed.valid_until == datetime(2027, 12, 31, tzinfo=SHANGHAI)


def test_the_same_file_again_changes_nothing(set_up: Store, tmp_path: Path) -> None:
    """A second import of the same rows finds them known, makes no evidence and tells HR nothing new."""
    text = "E1,FIRE,2025-12-31,2026-12-31,\nE2,FIRE,2020-01-01,,\n"
    bring(set_up, tmp_path, text)
    with set_up.read() as session:
        before = len(session.scalars(select(Event.id)).all()), len(session.scalars(select(Evidence.id)).all())
    outcome = bring(set_up, tmp_path, text, NOW + timedelta(days=1))
    assert (outcome.accepted, outcome.known) == (0, 2)
    with set_up.read() as session:
        assert before == (len(session.scalars(select(Event.id)).all()), len(session.scalars(select(Evidence.id)).all()))


def test_each_row_is_refused_by_line_and_reason(set_up: Store, tmp_path: Path) -> None:
    """Rows that cannot be used are named by line with the reason, and the good ones beside them are stored."""
    outcome = bring(
        set_up,
        tmp_path,
        "E9,FIRE,2025-01-01,,\nE1,NOPE,2025-01-01,,\nE1,FIRE,,2026-01-01,\nE1,FIRE,01/02/2025,,\n"
        "E1,FIRE,2027-01-01,,\nE1,FIRE,2026-01-01,2025-01-01,\nE2,FIRE,2026-01-01,,,,x\nE2,FIRE,2026-01-01,,\n",
    )
    reasons = {each.line: each.reason for each in outcome.refused}
    assert sorted(reasons) == [2, 3, 4, 5, 6, 7, 8]
    for line, says in {
        2: "no employee 'E9'",
        3: "no certification 'NOPE'",
        4: "valid_from is empty",
        5: "valid_from: ",
        6: "future",
        7: "not after",
        8: "7 cells",
    }.items():
        assert says in reasons[line]
    assert outcome.accepted == 1


def test_an_imported_award_explains_itself(set_up: Store, tmp_path: Path) -> None:
    """The explanation of an imported award says that it was imported with its dates, and names no criteria."""
    bring(set_up, tmp_path, "E1,FIRE,2025-12-31,2026-12-31,\n")
    with set_up.read() as session:
        answer = explain(session, "E1", "FIRE", NOW, SHANGHAI)
    assert answer["because"]["section"] is None
    assert "imported with this end" in in_words(answer)
    with set_up.read() as session:
        earlier = explain(session, "E1", "FIRE", NOW - timedelta(seconds=1), SHANGHAI)
    assert earlier["status"] == "not_started"


def test_a_workbook_and_a_chinese_csv_are_read_alike(set_up: Store, tmp_path: Path) -> None:
    """An XLSX with real dates and a CSV in GB 18030 bring the same awards as a UTF-8 file."""
    book = tmp_path / "history.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["employee_number", "certification", "valid_from", "valid_until", "备注"])
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(1, 0, ["E1", "FIRE"])
        sheet.write_datetime(1, 2, date(2025, 12, 31), day)
        sheet.write_datetime(1, 3, date(2026, 12, 31), day)
    with set_up.write() as session:
        assert import_history(session, book, SHANGHAI, "test", NOW).accepted == 1
    chinese = tmp_path / "history-gb.csv"
    chinese.write_bytes((HEADER + "E1,FIRE,2025-12-31,2026-12-31,导入\n").encode("gb18030"))
    with set_up.write() as session:
        assert import_history(session, chinese, SHANGHAI, "test", NOW).known == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"employee_number,certification\nE1,FIRE\n", "no column 'valid_from'"),
        (b"employee_number,certification,valid_from,valid_from\n", "stands there twice"),
        (b"PK\x03\x04 not a workbook", "not a workbook"),
        (b"\xff\x00\xff", "neither UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(set_up: Store, tmp_path: Path, content: bytes, says: str) -> None:
    """A file without a column, with one twice, or of another format is refused with the mend, and nothing is stored."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=says), set_up.write() as session:
        import_history(session, path, SHANGHAI, "test", NOW)
