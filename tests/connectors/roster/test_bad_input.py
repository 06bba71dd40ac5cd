"""What is wrong with real files: each fault is reported by its line and column, and refuses nothing else."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from connectors.roster.fields import DEPARTMENTS, EMPLOYEES, GRADES, LEAVERS, MANAGERS, Kind
from connectors.roster.planning import Plan, faults_in_words, make_plan
from connectors.roster.settings import RosterSettings
from plugin import workbooks
from plugin.errors import RefusedInWordsError
from plugin.people import Employee, record_employees
from tests.connectors.book import NOW, Book
from tests.connectors.roster.sheets import HEAD, MAIN, compound, handmade, inline, row, workbook

TODAY = date(2026, 11, 23)


@contextmanager
def plan(path: Path, kind: Kind = EMPLOYEES, book: Book | None = None, **settings: Any) -> Iterator[Plan]:
    """A file as it is planned."""
    given = RosterSettings(**settings)
    if book is None:
        made = make_plan(None, path, kind, given, path.parent, TODAY)
    else:
        with book.store.read() as session:
            made = make_plan(session, path, kind, given, path.parent, TODAY)
    try:
        yield made
    finally:
        made.close()


def looked_at(
    path: Path, kind: Kind = EMPLOYEES, book: Book | None = None, **settings: Any
) -> tuple[dict[int, str], dict[int, dict[str, str]]]:
    """The refused lines with the reasons, and what the others say."""
    with plan(path, kind, book, **settings) as made:
        lines = list(made.lines())
        refused = {line.line: faults_in_words(made.reading, line) for line in lines if line.faults}
    return refused, {line.line: line.said for line in lines if not line.faults}


def csv(tmp_path: Path, *rows: str | bytes, head: str = ",".join(HEAD), encoding: str = "utf-8") -> Path:
    """A CSV file."""
    path = tmp_path / "roster.csv"
    texts = [text if isinstance(text, bytes) else text.encode(encoding) for text in (head, *rows)]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return path


def refused_whole(path: Path, kind: Kind = EMPLOYEES, **settings: Any) -> str:
    """Why a file is refused as a whole."""
    with pytest.raises(RefusedInWordsError) as raised, plan(path, kind, **settings):
        pass
    return str(raised.value)


GOOD = ("E1,Anna,a@x,HR,Clerk,G1,,2020-01-01,", "E2,Bo,b@x,HR,Clerk,G1,E1,2020-01-01,")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("E9,=1+1,,,,,,,", "column B (name): '=1+1' is a formula, not a value"),
        ("E9,@SUM(A1:A9),,,,,,,", "is a formula"),
        ("E9,+cmd|' /C calc'!A0,,,,,,,", "is a formula"),
        ("E9,Nine,,#REF!,,,,,", "column D (department): It holds '#REF!', a calculation that failed"),
        ("E9,Nine,,None,,,,,", "column D (department): It holds 'None', which a program writes for nothing"),
        ("nan,Nine,,,,,,,", "column A (employee_number): It holds 'nan'"),
        ("1E+05,Nine,,,,,,,", "'1E+05' is what a spreadsheet has made of a longer number"),
        ("1.23457E+11,Nine,,,,,,,", "is what a spreadsheet has made of a longer number"),
        ("1001.0,Nine,,,,,,,", "'1001.0' has decimal places"),
        ("E9,Nine,,,,,,03/04/2021,", "column H (joined): '03/04/2021' can be two days"),
        ("E9,Nine,,,,,,44256,", "'44256' is a spreadsheet's number of a day"),
        ("E9,Nine,,,,,,1.2.21,", "has a year of two digits"),
        ("E9,Nine,,,,,,30.02.2021,", "is not a day"),
        ("E9,Nine,,,,,,soon,", "'soon' is not a day"),
        ("E9,Nine,,,,,E404,,", "column G (manager): The manager E404 is neither in the file nor known"),
        ("E9,N\x00ine,,,,,,,", "It holds a character that is no text (U+0000)"),
        ("E9,N\ufffdine,,,,,,,", "(U+FFFD)"),
        (b"E9,N\xfcne,,,,,,,", "(0xFC); the file was damaged or mixes encodings"),
        (f"E9,{'x' * 301},,,,,,,", "column B (name): It is longer than 300 characters"),
        (f"E9,{'x' * 40_000},,,,,,,", "column B (name): It is longer than 300 characters"),
        (f"E9,{'x' * 10_000_000},,,,,,,", "The line is longer than 1000000 characters"),
        ('E9,"Nine,,,,,,,', "A quotation mark is opened here and not closed"),
        ('E9,"Ni" ne,,,,,,,', "After a closing quotation mark something else follows"),
        ("E9,Nine,Extra,,,,,,,,more", "The row has 11 cells, the header 9"),
    ],
)
def test_one_bad_row_in_csv(book: Book, tmp_path: Path, bad: str | bytes, says: str) -> None:
    """The row is refused with the line, the column and the reason; those before and after it are read."""
    after = 'E3,"Cem ""C"", Jr.",c@x,HR,Clerk,G1,E1,2020-01-01,'
    refused, good = looked_at(csv(tmp_path, *GOOD, bad, after, *(f"X{n},Name" for n in range(60))), book=book)
    assert list(refused) == [4]
    assert says in refused[4]
    assert good[5]["name"] == 'Cem "C", Jr.'
    assert len(good) == 63


def test_cells_that_are_mended(tmp_path: Path) -> None:
    """Full-width digits, odd blanks, invisible characters and the texts of numbers are read as what they show."""
    path = csv(
        tmp_path,
        "\uff25\uff11\uff10\uff10,\u3000李\u00a0娜\u3000,ｎａ＠x,HR\u200b,,,,２０２１年３月４日,",
        '="00017",O\'Neil-de la Cruz,,,,,\u200eE100\u200f,2021/3/4,',
        "E3,Jo\u0301,,,,,\ufeffE100,2021.3.4,20300101",
    )
    refused, good = looked_at(path)
    assert refused == {}
    one, two, three = good.values()
    assert (one["employee_number"], one["name"], one["email"], one["department"]) == ("E100", "李 娜", "na@x", "HR")
    assert (two["employee_number"], two["manager"], three["name"]) == ("00017", "E100", "Jó")
    assert {line["joined"] for line in good.values()} == {"2021-03-04"}


@pytest.mark.parametrize(
    ("settings", "text", "day"),
    [
        ({}, "23/11/2021", "2021-11-23"),
        ({}, "11/23/2021", "2021-11-23"),
        ({"day_order": "dmy"}, "03/04/2021", "2021-04-03"),
        ({"day_order": "mdy"}, "03/04/2021", "2021-03-04"),
        ({"serial_days": "1900"}, "44256", "2021-03-01"),
        ({"serial_days": "1904"}, "44256", "2025-03-02"),
        ({}, "23-Nov-2021", "2021-11-23"),
    ],
)
def test_days_that_settings_or_they_themselves_decide(
    tmp_path: Path, settings: dict[str, str], text: str, day: str
) -> None:
    """A day whose order shows is read; where two are possible, or a number stands, the setting says which."""
    _, good = looked_at(csv(tmp_path, f"E1,Anna,,,,,,{text},"), **settings)
    assert good[2]["joined"] == day


def test_numbers_that_stand_twice(tmp_path: Path) -> None:
    """All rows with the number are refused, however it is written, and each names the others."""
    refused, good = looked_at(csv(tmp_path, "E1,Anna", "E2,Bo", "Ｅ1 ,Anna", "E3,Cem", "E1,Other"))
    assert sorted(refused) == [2, 4, 6]
    assert "E1 stands in the file 3 times, in the lines 2, 4, 6" in refused[4]
    assert sorted(good) == [3, 5]


def test_numbers_that_have_lost_their_zeros(either: Book, tmp_path: Path) -> None:
    """They are known by the number with zeros that there is, or by all the others; or number_width puts them back."""
    with either.store.write() as session:
        record_employees(session, [Employee("00123", "Anna"), Employee("77", "Bo")], TODAY, NOW)
    refused, _ = looked_at(csv(tmp_path, "123,Anna", "77,Bo", "88,Cem"), book=either)
    assert list(refused) == [2]
    assert "123 is known as 00123" in refused[2]
    refused, _ = looked_at(csv(tmp_path, *(f"{n:05},Name" for n in range(1, 100)), "417,Short"))
    assert list(refused) == [101]
    assert "417 has 3 digits, the other numbers 5 with zeros at the beginning" in refused[101]
    refused, good = looked_at(csv(tmp_path, "123,Anna,,,,,77,,", "77,Bo"), number_width=5)
    assert (refused, good[2]["employee_number"], good[2]["manager"]) == ({}, "00123", "00077")


def test_circles_of_managers(tmp_path: Path) -> None:
    """Who is in the circle is refused; who is below it, or their own manager elsewhere, is another matter."""
    rows = ("E1,A,,,,,E2", "E2,B,,,,,E3", "E3,C,,,,,E1", "E4,D,,,,,E1", "E5,E,,,,,E5", "E6,F,,,,,")
    refused, good = looked_at(csv(tmp_path, *rows))
    assert sorted(refused) == [2, 3, 4, 6]
    assert "The managers go round in a circle: E1 → E2 → E3 → E1." in refused[3]
    assert "E5 is their own manager" in refused[6]
    assert sorted(good) == [5, 7]


def test_a_refused_manager_is_known(tmp_path: Path) -> None:
    """Who reports to somebody whose own row is refused is not refused for it."""
    refused, good = looked_at(csv(tmp_path, "E1,", "E2,Bo,,,,,E1"), book=None)
    assert list(refused) == [2]
    assert good[3]["manager"] == "E1"


def test_a_tree_of_departments_with_a_circle(book: Book, tmp_path: Path) -> None:
    """Departments that belong to one another, to themselves or to nothing that there is are refused."""
    rows = ("A,One,B", "B,Two,A", "C,Three,", "D,Four,C", "E,Five,E", "F,Six,NONE", "G,Seven,A")
    refused, good = looked_at(csv(tmp_path, *rows, head="code,name,parent"), DEPARTMENTS, book)
    assert sorted(refused) == [2, 3, 6, 7]
    assert "The departments go round in a circle: A → B → A." in refused[2]
    assert "E belongs to itself" in refused[6]
    assert "The department NONE, which it belongs to, is neither in the file nor known" in refused[7]
    assert sorted(good) == [4, 5, 8]


def test_the_other_kinds_refuse_what_is_unknown(book: Book, tmp_path: Path) -> None:
    """Managers and leavers of nobody, units without a code or ending before they begin are refused."""
    refused, _ = looked_at(csv(tmp_path, "E1,2026-12-31", head="employee_number,left"), LEAVERS, book)
    assert "There is no employee E1" in refused[2]
    refused, _ = looked_at(csv(tmp_path, "E1,E2", head="employee_number,manager"), MANAGERS, book)
    assert "There is no employee E1" in refused[2]
    rows = (",Three,,", "G4,Four,2026-01-01,2025-01-01")
    refused, _ = looked_at(csv(tmp_path, *rows, head="code,name,valid_from,valid_until"), GRADES, book)
    assert "column A (code): It is empty." in refused[2]
    assert "It would end on 2025-01-01, before it begins on 2026-01-01." in refused[3]


# Encodings


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8, commas"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16 with a byte order mark"),
        ("utf-16-le", "UTF-16-LE, most likely"),
        ("utf-16-be", "UTF-16-BE, most likely"),
        ("gbk", "GB 18030 (GBK), most likely"),
        ("gb18030", "GB 18030 (GBK), most likely"),
    ],
)
def test_encodings_are_found_and_said(tmp_path: Path, encoding: str, said: str) -> None:
    """Each way in which Chinese files are written is read well, and the report says which it was."""
    path = tmp_path / "roster.csv"
    path.write_bytes("工号,姓名,部门\nE1,李娜,生产一部\nE2,王伟,质量管理部\nE3,赵敏,销售\n".encode(encoding))
    with plan(path) as made:
        assert said in made.reading.read_as
        assert [line.said["name"] for line in made.lines()] == ["李娜", "王伟", "赵敏"]


def test_what_is_not_certain_is_not_guessed(tmp_path: Path) -> None:
    """European one-byte text and Big 5 are refused until the setting names them; then they are read."""
    text = "employee_number,name\n" + "".join(f"E{n},Jürgen Müller\n" for n in range(9))
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode("cp1252"))
    assert "name its encoding" in refused_whole(path)
    assert looked_at(path, encoding="cp1252")[1][2]["name"] == "Jürgen Müller"
    path.write_bytes("工號,姓名\nE1,陳筱玲\nE2,許功蓋\nE3,張淑惠\n".encode("big5"))
    assert "name its encoding" in refused_whole(path)
    assert looked_at(path, encoding="big5")[1][2]["name"] == "陳筱玲"
    assert "There is no encoding 'klingon'" in refused_whole(path, encoding="klingon")


def test_mixed_encodings(tmp_path: Path) -> None:
    """Rows in another encoding than the rest are refused, each by its line; the rest is read."""
    path = csv(tmp_path, "E1,李娜", "E2,王伟", "E3,张敏".encode("gbk"), "E4,赵强", "E5,陈静")
    refused, good = looked_at(path)
    assert list(refused) == [4]
    assert [line["name"] for line in good.values()] == ["李娜", "王伟", "赵强", "陈静"]


# CSV


def test_unclosed_quotes_spoil_only_their_rows(tmp_path: Path) -> None:
    """However the next quotation marks fall, rows after an unclosed one are read, and cells over several lines too."""
    path = csv(
        tmp_path, 'E1,"Anna,,,,,,,', 'E2,"Bo, B.",,,,,,,', 'E3,"Cem,,,,,,,', "E4,Di,,,,,,,", 'E5,E",,,,,,,',
        'E6,"Two\nlines",,,,,,,', 'E7,"",,HR,,,,,',
    )  # fmt: skip
    refused, good = looked_at(path)
    assert sorted(refused) == [2, 4, 9]
    assert (good[3]["name"], good[5]["name"], good[6]["name"], good[7]["name"]) == ("Bo, B.", "Di", 'E"', "Two\nlines")
    assert "column B (name): It is empty." in refused[9]


# Workbooks


def test_a_workbook_as_excel_writes_it(tmp_path: Path) -> None:
    """Dates, numbers, numbers with leading zeros by format, texts and empty cells become what people see."""

    def more(book: Any, page: Any) -> None:
        page.write_number(2, 0, 42, book.add_format({"num_format": "00000"}))
        page.write_datetime(
            2,
            7,
            datetime(2021, 3, 4, 12, 30, tzinfo=UTC).replace(tzinfo=None),
            book.add_format({"num_format": "d/m/yy h:mm"}),
        )
        page.write_rich_string(2, 1, "Bo ", book.add_format({"bold": True}), "Bold")

    path = tmp_path / "roster.xlsx"
    workbook(path, (1001, "Anna", "a@x", "HR", "", 7, None, date(2020, 2, 29), ""), (), ("E3", "Cem"), after=more)
    refused, good = looked_at(path)
    assert refused == {}
    assert [line["employee_number"] for line in good.values()] == ["1001", "00042", "E3"]
    assert (good[2]["grade"], good[2]["joined"], good[3]["joined"], good[3]["name"]) == (
        "7",
        "2020-02-29",
        "2021-03-04",
        "Bo Bold",
    )


def test_bad_cells_of_a_workbook(tmp_path: Path) -> None:
    """Formulas that nobody has calculated, failed ones, truths and rounded numbers are refused by their cell's column."""

    def more(_book: Any, page: Any) -> None:
        page.write_formula(1, 1, '=A2&"x"')
        page.write_formula(2, 3, "=VLOOKUP(1,A:B,2)", None, "#N/A")
        page.write_boolean(3, 1, True)
        page.write_number(4, 0, 12345678901234567890)
        page.write_number(5, 0, 1001.5)
        page.write_string(6, 7, "03/04/2021")
        page.write_datetime(7, 5, date(2021, 3, 4))

    path = tmp_path / "roster.xlsx"
    workbook(path, *((f"E{n}", f"Name {n}") for n in range(1, 10)), after=more)
    refused, good = looked_at(path)
    assert sorted(refused) == [2, 3, 4, 5, 6, 7, 8]
    assert "column B (name): It is a formula whose value is not in the file" in refused[2]
    assert "column D (department)" in refused[3]
    assert "column B (name): It holds TRUE" in refused[4]
    assert "longer number" in refused[5]
    assert "has decimal places" in refused[6]
    assert "can be two days" in refused[7]
    assert "column F (grade): It holds the date 2021-03-04" in refused[8]
    assert sorted(good) == [9, 10]


def test_formulas_that_excel_has_calculated(tmp_path: Path) -> None:
    """Their values are used, and the report notes it."""
    path = tmp_path / "roster.xlsx"
    cells = '<c r="A2" t="str"><f>"E"&amp;1</f><v>E1</v></c><c r="B2" t="str"><f>X</f><v>Anna</v></c>'
    handmade(path, inline(row(1, "employee_number", "name"), f'<row r="2">{cells}</row>'))
    with plan(path) as made:
        (line,) = made.lines()
        assert (line.said, line.faults) == ({"employee_number": "E1", "name": "Anna"}, ())
        assert [str(note) for note in made.reading.notes] == [
            "What its formula gave when the file was saved is used."
        ] * 2


@pytest.mark.parametrize(("since_1904", "day"), [(False, "2021-03-01"), (True, "2025-03-02")])
def test_numbers_of_days_in_a_workbook(tmp_path: Path, *, since_1904: bool, day: str) -> None:
    """A day that is only a number is read by the workbook's own system, and noted; a date cell by it too."""
    path = tmp_path / "roster.xlsx"
    workbook(path, ("E1", "Anna", "", "", "", "", "", 44256), date_1904=since_1904)
    with plan(path) as made:
        (line,) = made.lines()
        assert line.said["joined"] == day
        assert [str(note) for note in made.reading.notes] == [f"The number was read as the day {day}."]
    workbook(path, ("E1", "Anna", "", "", "", "", "", date(2021, 3, 1)), date_1904=since_1904)
    assert looked_at(path)[1][2]["joined"] == "2021-03-01"


def test_merged_cells(tmp_path: Path) -> None:
    """A row that lacks a value because its cell is merged with another is refused; a merged title is none."""

    def more(_book: Any, page: Any) -> None:
        page.merge_range("D3:D5", "HR")
        page.merge_range("B7:C7", "Gunnar")
        page.merge_range("K2:M9", "a remark")

    path = tmp_path / "roster.xlsx"
    workbook(path, *((f"E{n}", f"Name {n}", "") for n in range(1, 8)), after=more)
    refused, good = looked_at(path)
    assert sorted(refused) == [4, 5, 7]
    assert "column D (department): The cell is merged with others (D3:D5)" in refused[4]
    assert good[3]["department"] == "HR"
    workbook(path, head=("Employees 2026",), after=lambda _b, page: (
        page.merge_range("A1:I1", "Employees 2026"), page.write_row(2, 0, HEAD), page.write_row(3, 0, ("E1", "Anna")),
    ))  # fmt: skip
    assert looked_at(path)[1][4]["name"] == "Anna"


def test_empty_rows_and_far_cells(tmp_path: Path) -> None:
    """Empty and formatted rows at the end are nothing, and a dimension that lies costs nothing."""
    path = tmp_path / "roster.xlsx"
    empty = '<row r="4"><c r="A4" s="1"/></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    handmade(
        path,
        inline(
            row(1, "employee_number", "name"), row(2, "E1", "Anna"), empty, before='<dimension ref="A1:XFD1048576"/>'
        ),
    )
    assert looked_at(path) == ({}, {2: {"employee_number": "E1", "name": "Anna"}})


def test_the_right_sheet_is_found(tmp_path: Path) -> None:
    """Of several sheets the one with the columns is read, or the one that the setting names; otherwise all are named."""
    path = tmp_path / "roster.xlsx"
    workbook(path, ("nothing",), head=("Notes",), sheet="About", after=lambda book, _: (
        page := book.add_worksheet("员工"), page.write_row(0, 0, ("工号", "姓名")), page.write_row(1, 0, ("E1", "李娜")),
    ))  # fmt: skip
    with plan(path) as made:
        assert (made.reading.sheet, next(made.lines()).said["name"]) == ("员工", "李娜")
    assert "has no sheet 'People'; its sheets are: About, 员工" in refused_whole(path, sheet="People")
    assert "no column for 'employee_number'" in refused_whole(path, sheet="About")
    assert "No sheet of roster.xlsx has a column for 'code'. The sheets are About, 员工" in refused_whole(
        path, DEPARTMENTS
    )


def test_files_that_are_no_workbooks(tmp_path: Path) -> None:
    """Old, locked, truncated, damaged and other files are refused with what they are and what to do."""
    path = tmp_path / "roster.xlsx"
    compound(path, "Workbook")
    assert "is in the old format .xls; open it and save it as .xlsx" in refused_whole(path)
    compound(path, "EncryptionInfo", "EncryptedPackage")
    assert "is protected with a password" in refused_whole(path)
    workbook(path, *((f"E{n}", f"Name {n}") for n in range(3_000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is damaged or not complete" in refused_whole(path)
    at = whole.index(b"xl/worksheets/sheet1.xml") + 2_000
    path.write_bytes(whole[:at] + bytes(200) + whole[at + 200 :])
    assert "is damaged or not complete" in refused_whole(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert "is no .xlsx workbook" in refused_whole(path)
    path.write_bytes(b"")
    assert "is empty" in refused_whole(path)


def test_hostile_workbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entities are refused where they are declared, and what unpacks to more than a sheet is not unpacked."""
    path = tmp_path / "roster.xlsx"
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    handmade(path, bomb + inline(row(1, "employee_number", "name"), row(2, "&a;", "&b;")))
    assert "declares entities" in refused_whole(path)
    handmade(path, inline(row(1, "employee_number", "name")), more={"xl/sharedStrings.xml": bomb + f"<sst {MAIN}/>"})
    assert "declares entities" in refused_whole(path)
    monkeypatch.setattr(workbooks, "LARGEST_PART", 1 << 20)
    handmade(path, inline(row(1, "employee_number", "name"), *(row(n, f"E{n}", "A" * 100) for n in range(2, 20_000))))
    assert path.stat().st_size < 1 << 20
    assert "unpacks to more than 1 MiB" in refused_whole(path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """It is refused by its size before it is read."""
    path = csv(tmp_path, "E1,Anna", " " * (2 << 20))
    assert "has 3 MiB; at most 1 are read (largest_mb)" in refused_whole(path, largest_mb=1)


def test_headers_in_other_words(tmp_path: Path) -> None:
    """Columns are known by usual English and Chinese names in any writing, and by those of the settings."""
    path = csv(tmp_path, "E1,Anna,HR,2020-01-01", head="Employee_Number*,FULL NAME, 所属部门 ,入职日期\n"[:-1])
    assert looked_at(path)[1][2] == {
        "employee_number": "E1",
        "name": "Anna",
        "department": "HR",
        "joined": "2020-01-01",
    }
    path = csv(tmp_path, "E1,Anna,HR", head="Personalnummer,Nachname,Abteilung")
    own = {"employee_number": ("Personalnummer",), "name": ("nachname",), "department": ("Abteilung",)}
    assert looked_at(path, columns=own)[1][2] == {"employee_number": "E1", "name": "Anna", "department": "HR"}


def test_another_reader_reads_the_same(tmp_path: Path) -> None:
    """Texts, numbers and days of a workbook are what an independent reader finds in it."""
    path = tmp_path / "roster.xlsx"
    values: list[tuple[Any, ...]] = [
        (f"E{n}", f"名 {n}\n<&>" if n % 3 else f"_x000D_{n}", n * 1.5, n, date(2020, 1, 1) + timedelta(days=n))
        for n in range(1, 300)
    ]
    workbook(path, *values, head=("a", "b", "c", "d", "e"))
    theirs = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    book = workbooks.open_workbook(path)
    ours = [record.cells for record in book.rows("Employees")]
    book.close()
    shown = [[f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in line] for line in theirs]
    assert ours == shown
