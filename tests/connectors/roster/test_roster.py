"""The roster file: what its lines mean, and what becomes of those that cannot be used."""

from datetime import date
from pathlib import Path

import pytest

from connectors.models import Quarantined
from connectors.roster.connector import RosterConnector, RosterSettings
from connectors.sync import SyncResult
from plugin.models import Assignment, Department, Grade, Person, PersonTag, Position
from plugin.settings import Settings
from tests.connectors.book import ZONE, Book

HEAD = "employee_number,name,email,department,position,grade,manager,joined,left"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "roster.csv"


def pull(book: Book, path: Path, text: str | bytes | None = None) -> SyncResult:
    """Write the file, if given, and pull it an hour later."""
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    book.later()
    return book.pull(RosterConnector("roster", RosterSettings(path=path), Settings()))


def lines(*rows: str) -> str:
    """A file with the usual first line."""
    return "\n".join((HEAD, *rows)) + "\n"


def numbers(book: Book) -> list[str]:
    """The employees that there are."""
    return sorted(person.employee_number for person in book.all(Person))


def waiting(book: Book) -> dict[str, str]:
    """What waits, and why."""
    return {row.record_key: row.reason for row in book.waiting()}


def test_every_column_has_its_place(either: Book, path: Path) -> None:
    """A line becomes a person with name, address and days, standing in a department, position and grade under a manager."""
    text = lines("E1,李 娜,Na.Li@x,Plant 工厂,Welder,G3,E2,2020-02-29,2027-01-31", " E2 , Bo ,,,,,,,")
    assert pull(either, path, text).status == "done"
    one, two = either.one(Person, employee_number="E1"), either.one(Person, employee_number="E2")
    assert (one.name, one.email, one.joined_on, one.left_on) == (
        "李 娜",
        "Na.Li@x",
        date(2020, 2, 29),
        date(2027, 1, 31),
    )
    assert (two.name, two.email, two.joined_on, two.left_on) == ("Bo", None, None, None)
    stands = either.one(Assignment, person_id=one.id)
    assert (stands.manager_number, stands.valid_from, stands.valid_until) == ("E2", date(2020, 2, 29), None)
    assert either.one(Department, id=stands.department_id).code == "Plant 工厂"
    assert either.one(Position, id=stands.position_id).code == "Welder"
    assert either.one(Grade, id=stands.grade_id).code == "G3"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffemployee_number,name\nE1,A\nE2,B\n",
        "name,surplus,employee_number\nA,x,E1\nB,y,E2\n",
        "employee_number,name\r\nE1,A\r\n\r\n\r\nE2,B\r\n\r\n",
        'employee_number,name\nE1,"A, B"\nE2,"A ""B"" C"',
        "employee_number,name\nE1,A,too,many\nE2,B,\n",
    ],
)
def test_files_as_programs_write_them(book: Book, path: Path, text: str) -> None:
    """A byte order mark, other orders, blank lines, quotes, surplus cells and no last line end are all read."""
    assert pull(book, path, text).status == "done"
    assert numbers(book) == ["E1", "E2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,email\nA,a@x\n", "no column 'employee_number'"),
        ("employee_number,email\nE1,a@x\n", "no column 'name'"),
        ("", "no column 'employee_number'"),
        ("employee_number,name\nE1,李\n".encode("gb18030"), "is not UTF-8"),
        ("employee_number,name\n" + 'E1,"' + "x" * 140_000 + '"\n', "is not CSV"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(book: Book, path: Path, text: str | bytes | None, says: str) -> None:
    """A missing column, another encoding or no file at all fail the pull with the reason; nobody is created or changed."""
    result = pull(book, path, text)
    assert result.status == "failed"
    assert says in result.messages[0]
    assert str(path) in result.messages[0]
    assert numbers(book) == []
    (finding,) = RosterConnector("roster", RosterSettings(path=path), Settings()).check() or [None]
    if "UTF-8" not in says and "CSV" not in says:
        assert finding is not None
        assert says in finding.what


def test_a_number_that_stands_twice_is_nobodys(either: Book, path: Path) -> None:
    """Both lines wait with the reason, nobody is created or changed by either, and the others are read."""
    pull(either, path, lines("E1,Before"))
    result = pull(either, path, lines("E1,One", "E2,Two", " E1 ,Other", "E3,Three", "E3,Three"))
    assert (result.status, result.quarantined) == ("partial", 4)
    assert numbers(either) == ["E1", "E2"]
    assert either.one(Person, employee_number="E1").name == "Before"
    assert sorted(waiting(either)) == ["line:2", "line:4", "line:5", "line:6"]
    assert "Line 4 of roster.csv: The employee number E1 stands in the file 2 times" in waiting(either)["line:4"]
    assert pull(either, path, lines("E1,One", "E2,Two", "E3,Three")).status == "done"
    assert numbers(either) == ["E1", "E2", "E3"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("E9,Nine,,,,,E9,,", "They are their own manager."),
        ("E9,Nine,,,,,,2026-01-02,2026-01-01", "They left on 2026-01-01, before they joined on 2026-01-02."),
        ("E9,Nine,,,,,,02.01.2026,", "The field 'joined' holds '02.01.2026'; write the day as 2026-11-23."),
        ("E9,Nine,,,,,,,2026-02-30", "The field 'left' holds '2026-02-30'; write the day as 2026-11-23."),
        ("E9,,,,,,,,", "The field 'name' is empty."),
        (",Nine,,,,,,,", "The field 'employee_number' is empty."),
        (" ,Nine,,,,,,,", "The field 'employee_number' is empty."),
    ],
)
def test_a_line_that_cannot_be_used_waits(book: Book, path: Path, line: str, reason: str) -> None:
    """An impossible line waits whole with its number and the reason; its neighbours are read; mended, it is."""
    result = pull(book, path, lines("E1,One", line, "E2,Two"))
    assert (result.status, result.quarantined) == ("partial", 1)
    (row,) = book.waiting()
    assert row.reason == f"Line 3 of roster.csv: {reason}"
    assert row.record["line"] == 3
    assert numbers(book) == ["E1", "E2"]
    assert pull(book, path, lines("E1,One", "E9,Nine", "E2,Two")).status == "done"
    assert book.one(Quarantined).resolution in ("read again", "not in the source any more")
    assert numbers(book) == ["E1", "E2", "E9"]


def test_lines_are_counted_as_an_editor_counts_them(book: Book, path: Path) -> None:
    """A name with a line break in quotes, and blank lines, do not shift the numbers that reasons name."""
    pull(book, path, lines('E1,"One\nof two lines"', "", "E2,", 'E3,"Three\n\nagain"', "E4,"))
    assert [row.reason[:7] for row in book.waiting()] == ["Line 5 ", "Line 9 "]
    assert [person.name for person in book.all(Person)] == ["One\nof two lines", "Three\n\nagain"]


def test_a_nul_in_a_file_stops_nothing(either: Book, path: Path) -> None:
    """A character that PostgreSQL does not take as text is marked as unreadable, and the file is read."""
    result = pull(either, path, lines("E1,O\x00ne", "E2,\x00,,,,,E2,,"))
    assert (result.status, result.quarantined) == ("partial", 1)
    assert either.one(Person).name == "O\ufffdne"


def test_the_same_file_again_changes_nothing(either: Book, path: Path) -> None:
    """Pulled twice, the file creates and changes nobody and touches nobody."""
    text = lines("E1,One,one@x,HR,Clerk,G1,E2,2020-01-01,", "E2,Two")
    assert vars(pull(either, path, text).streams["employees"]) == {"created": 2, "updated": 0, "closed": 0}
    assert either.touched() == {"E1", "E2"}
    assert vars(pull(either, path).streams["employees"]) == {"created": 0, "updated": 0, "closed": 0}
    assert either.touched() == set()


def test_moves_and_leavers(either: Book, path: Path) -> None:
    """A move ends one standing and begins another on the day it is seen; who leaves gets a day; the rest are untouched."""
    pull(either, path, lines("E1,One,,HR,Clerk,G1,E3,2020-01-01,", "E2,Two,,HR,Clerk", "E3,Three"))
    either.touched()
    either.later(days=3)
    result = pull(
        either, path, lines("E1,One,,Plant,Clerk,G2,E3,2020-01-01,", "E2,Two,,HR,Clerk,,,,2026-11-30", "E3,Three")
    )
    assert vars(result.streams["employees"]) == {"created": 0, "updated": 2, "closed": 0}
    assert either.touched() == {"E1", "E2"}
    today = either.now.astimezone(ZONE).date()
    one = either.one(Person, employee_number="E1")
    stood, stands = either.all(Assignment, person_id=one.id)
    assert (stood.valid_from, stood.valid_until) == (date(2020, 1, 1), today)
    assert (stands.valid_from, stands.valid_until) == (today, None)
    assert either.one(Department, id=stands.department_id).code == "Plant"
    assert either.one(Person, employee_number="E2").left_on == date(2026, 11, 30)


def test_who_is_not_in_the_file_any_more_stays(book: Book, path: Path) -> None:
    """A line that is gone ends nobody: people end by their last day, not by half a file."""
    pull(book, path, lines("E1,One", "E2,Two"))
    for _ in range(2):
        assert pull(book, path, lines("E1,One")).status == "done"
    assert numbers(book) == ["E1", "E2"]
    assert book.one(Person, employee_number="E2").left_on is None


def test_tags_are_those_of_the_column_where_there_is_one(either: Book, path: Path) -> None:
    """Tags are separated by semicolons; without the column they stay, and an unusable one leaves its line waiting."""
    pull(either, path, "employee_number,name,tags\nE1,Anna,first-aider; 夜班；night;\nE2,Bo,\n")
    assert sorted(row.tag for row in either.all(PersonTag)) == ["first-aider", "night", "夜班"]
    pull(either, path, lines("E1,Anna,,,,,,,", "E2,Bo,,,,,,,"))
    assert {row.valid_until for row in either.all(PersonTag)} == {None}
    pull(either, path, f"employee_number,name,tags\nE1,Anna,{'x' * 101}\nE2,Bo,night\n")
    assert list(waiting(either)) == ["employee:E1"]
    assert "The field 'tags'" in waiting(either)["employee:E1"]
    assert len(either.all(PersonTag)) == 4
