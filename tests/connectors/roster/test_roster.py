"""The roster file: what its lines mean, and what becomes of those that cannot be used."""

from datetime import date
from pathlib import Path

import pytest

from connectors.file_models import RosterFile
from connectors.models import Quarantined
from connectors.pulls import Wanted
from connectors.roster import files
from connectors.roster.connector import RosterConnector, RosterSettings
from connectors.sync import SyncResult, sync
from plugin.models import Assignment, AuditEntry, Department, Grade, Person, PersonTag, Position
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
        "employee_number,name\nE1,A,,\nE2,B,\n",
        "sep=;\nemployee_number;name\nE1;A, B\nE2;B\n",
        "employee_number\tname\nE1\tA, B\nE2\tB\n",
        "Employees 2026\n\nEmployee No.,Full Name\nE1,A\nE2,B\n",
    ],
)
def test_files_as_programs_write_them(book: Book, path: Path, text: str) -> None:
    """A byte order mark, other orders, blank lines, quotes, other delimiters, a title and no last line end are all read."""
    assert pull(book, path, text).status == "done"
    assert numbers(book) == ["E1", "E2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,email\nA,a@x\n", "no column for 'employee_number'"),
        ("employee_number,email\nE1,a@x\n", "no column for 'name'"),
        ("", "is empty"),
        ("employee_number,name\n", "has a header and no rows"),
        (
            "employee_number,工号,name\nE1,E1,A\n",
            "has two columns for 'employee_number': employee_number (A) and 工号 (B)",
        ),
        (
            "employee_number,name\nE1,Müller\nE2,Grün\n".encode("cp1252"),
            "is not UTF-8, and what else it is cannot be told",
        ),
        (b"%PDF-1.7 \x80\x81", "is neither UTF-8 nor other text"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(book: Book, path: Path, text: str | bytes | None, says: str) -> None:
    """A missing column, another encoding or no file at all fail the pull with the reason; nobody is created or changed."""
    result = pull(book, path, text)
    assert result.status == "failed"
    assert says in result.messages[0]
    assert path.name in result.messages[0]
    assert numbers(book) == []
    (finding,) = RosterConnector("roster", RosterSettings(path=path), Settings()).check()
    assert says in finding.what


def test_a_number_that_stands_twice_is_nobodys(either: Book, path: Path) -> None:
    """Both lines wait with the reason, nobody is created or changed by either, and the others are read."""
    pull(either, path, lines("E1,Before"))
    result = pull(either, path, lines("E1,One", "E2,Two", " E1 ,Other", "E3,Three", "E3,Three"))
    assert (result.status, result.quarantined) == ("partial", 4)
    assert numbers(either) == ["E1", "E2"]
    assert either.one(Person, employee_number="E1").name == "Before"
    assert sorted(waiting(either)) == ["line:2", "line:4", "line:5", "line:6"]
    assert (
        "Line 4 of roster.csv, column A (employee_number): E1 stands in the file 2 times, in the lines 2, 4"
        in waiting(either)["line:4"]
    )
    assert pull(either, path, lines("E1,One", "E2,Two", "E3,Three")).status == "done"
    assert numbers(either) == ["E1", "E2", "E3"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("E9,Nine,,,,,E9,,", "column G (manager): E9 is their own manager."),
        (
            "E9,Nine,,,,,,2026-01-02,2026-01-01",
            "column I (left): They would leave on 2026-01-01, before they joined on 2026-01-02.",
        ),
        ("E9,Nine,,,,,,2026-02-30,", "column H (joined): '2026-02-30' is not a day; write it as 2026-11-23."),
        ("E9,,,,,,,,", "column B (name): It is empty."),
        (",Nine,,,,,,,", "column A (employee_number): It is empty."),
        (" ,Nine,,,,,,,", "column A (employee_number): It is empty."),
        ("E9,Nine,nine,,,,,,", "column C (email): 'nine' is no e-mail address."),
        (
            "E9,Nine,,,,,,,,x",
            "The row has 10 cells, the header 9; put a cell that holds the delimiter into quotation marks.",
        ),
    ],
)
def test_a_line_that_cannot_be_used_waits(book: Book, path: Path, line: str, reason: str) -> None:
    """An impossible line waits whole with its number and the reason; its neighbours are read; mended, it is."""
    result = pull(book, path, lines("E1,One", line, "E2,Two"))
    assert (result.status, result.quarantined) == ("partial", 1)
    (row,) = book.waiting()
    assert row.reason == f"Line 3 of roster.csv, {reason}"
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
    """A row with a character that no database takes as text waits, and the others are read."""
    result = pull(either, path, lines("E1,O\x00ne", "E2,Two,,,,,E3,,", "E3,Three"))
    assert (result.status, result.quarantined) == ("partial", 1)
    assert "column B (name): It holds a character that is no text (U+0000)" in waiting(either)["employee:E1"]
    assert numbers(either) == ["E2", "E3"]


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


def everybody(*, without: int = 0) -> str:
    """Forty employees, or the last of them fewer."""
    return lines(*(f"E{number:02},Name {number},e{number}@x" for number in range(40 - without)))


def test_who_is_not_in_the_file_any_more_has_left(either: Book, path: Path) -> None:
    """Up to 5 % of the people may be missing from a file: they have left that day; when they are back, they have not."""
    pull(either, path, everybody())
    either.touched()
    result = pull(either, path, everybody(without=2))
    assert vars(result.streams["employees"]) == {"created": 0, "updated": 0, "closed": 2}
    assert either.touched() == {"E38", "E39"}
    assert either.one(Person, employee_number="E39").left_on == either.now.astimezone(ZONE).date()
    assert vars(pull(either, path).streams["employees"]) == {"created": 0, "updated": 0, "closed": 0}
    pull(either, path, everybody())
    assert either.one(Person, employee_number="E39").left_on is None


def test_a_file_that_would_end_too_many_is_held(either: Book, path: Path) -> None:
    """Nothing of it is used until somebody confirms this very file; one that was changed since is held again."""
    pull(either, path, everybody())
    shorter = everybody(without=3) + "E99,New,,,,,,,\n"
    result = pull(either, path, shorter)
    assert result.status == "failed"
    assert "would end 3 of 40 people, more than 5 % (hold_above); nothing of it was used" in result.messages[0]
    assert "E99" not in numbers(either)
    assert {row.left_on for row in either.all(Person)} == {None}
    confirm(either)
    result = pull(either, path, everybody(without=4))
    assert result.status == "failed"
    confirm(either)
    assert pull(either, path).status == "done"
    assert len([row for row in either.all(Person) if row.left_on]) == 4
    assert [row.state for row in either.all(RosterFile, state="held")] == []
    (act,) = either.all(AuditEntry, action="roster.confirm")[-1:]
    assert (act.actor, act.after["ending"], act.after["people"]) == ("anna", 4, 40)


def confirm(book: Book) -> None:
    """Let the held file through."""
    with book.store.write() as session:
        (row,) = files.held(session, "roster")
        files.confirm(session, row, "anna", "", book.now)


def test_last_days_count_against_the_limit(book: Book, path: Path) -> None:
    """A file that gives many people a last day is held like one in which they are missing."""
    pull(book, path, everybody())
    text = everybody().replace("@x\n", "@x,,,,,,2026-11-30\n", 3)
    assert "would end 3 of 40 people" in pull(book, path, text).messages[0]


def test_a_rehearsal_holds_nothing(book: Book, path: Path) -> None:
    """A dry run of a file that would be held says so and stores nothing."""
    pull(book, path, everybody())
    path.write_text(everybody(without=20))
    connector = RosterConnector("roster", RosterSettings(path=path), Settings())
    result = sync(book.store, connector, lambda: book.now, ZONE, wanted=Wanted(dry=True))
    assert "would end 20 of 40 people" in result.messages[0]
    assert book.all(RosterFile, state="held") == []


@pytest.mark.parametrize(
    "row",
    [
        "E39,,,,,,,,",  # a name that is missing
        "1E+05,Name 39,,,,,,,",  # a number that cannot be read, and their name
        "=A1&B2,X,e39@x,,,,,,",  # the same, and their address
        "E39,Name 39\nE39,Name 39",
        'E39,"Name 39',  # a quotation mark that is not closed
        "E39,Name \udc9f",  # bytes that are no text
    ],
)
def test_a_refused_row_ends_nobody(book: Book, path: Path, row: str) -> None:
    """Whose row is refused has not left, also when the number in it cannot be read."""
    pull(book, path, everybody())
    text = everybody(without=1) + row + "\n"
    result = pull(book, path, text.encode("utf-8", "surrogateescape"))
    assert result.status == "partial"
    assert book.one(Person, employee_number="E39").left_on is None
    assert result.streams["employees"].closed == 0


def test_absent_may_be_kept(book: Book, path: Path) -> None:
    """With absent = "keep" nobody ends by not standing in the file."""
    pull(book, path, everybody())
    path.write_text(everybody(without=30))
    book.later()
    result = book.pull(RosterConnector("roster", RosterSettings(path=path, absent="keep"), Settings()))
    assert result.status == "done"
    assert {row.left_on for row in book.all(Person)} == {None}


def test_a_file_without_a_column_says_nothing_of_it(either: Book, path: Path) -> None:
    """Where a column is not in the file, what is known stays; a later last day stays too, and one that has come is undone."""
    pull(either, path, lines("E1,One,one@x,HR,Clerk,G1,E2,2020-01-01,2027-01-01", "E2,Two,,,,,,,2026-11-01"))
    assert pull(either, path, "employee_number,name\nE1,Uno\nE2,Two\n").status == "done"
    one = either.one(Person, employee_number="E1")
    assert (one.name, one.email, one.left_on) == ("Uno", "one@x", date(2027, 1, 1))
    stands = either.one(Assignment, person_id=one.id)
    assert (stands.manager_number, stands.valid_until) == ("E2", None)
    assert either.one(Person, employee_number="E2").left_on is None


def test_a_file_that_was_read_is_compared_when_somebody_changed(either: Book, path: Path) -> None:
    """The same file is not read again, unless people have changed since or everything is to be compared."""
    pull(either, path, lines("E1,One", "E2,Two"))
    assert pull(either, path).runs["employees"].read == 0
    with either.store.write() as session:
        person = session.get_one(Person, either.one(Person, employee_number="E1").id)
        person.name, person.changed_at = "Changed", either.now
    result = pull(either, path)
    assert (result.runs["employees"].read, result.streams["employees"].updated) == (2, 1)
    book_full = RosterConnector("roster", RosterSettings(path=path), Settings())
    assert sync(either.store, book_full, lambda: either.now, ZONE, wanted=Wanted(full=True)).runs["employees"].read == 2


def test_tags_are_those_of_the_column_where_there_is_one(either: Book, path: Path) -> None:
    """Tags are separated by semicolons; without the column they stay, and an unusable one leaves its line waiting."""
    pull(either, path, "employee_number,name,tags\nE1,Anna,first-aider; 夜班；night;\nE2,Bo,\n")
    assert sorted(row.tag for row in either.all(PersonTag)) == ["first-aider", "night", "夜班"]
    pull(either, path, lines("E1,Anna,,,,,,,", "E2,Bo,,,,,,,"))
    assert {row.valid_until for row in either.all(PersonTag)} == {None}
    pull(either, path, f"employee_number,name,tags\nE1,Anna,{'x' * 101}\nE2,Bo,night\n")
    assert list(waiting(either)) == ["employee:E1"]
    assert "column C (tags): A tag in it cannot be used" in waiting(either)["employee:E1"]
    assert len(either.all(PersonTag)) == 4
