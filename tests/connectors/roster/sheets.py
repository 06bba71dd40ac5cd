"""Workbooks for tests: as Excel writes them, and as nobody should."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

HEAD = ("employee_number", "name", "email", "department", "position", "grade", "manager", "joined", "left")
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(
    path: Path,
    *rows: Sequence[Any],
    head: Sequence[str] = HEAD,
    sheet: str = "Employees",
    after: Callable[[Any, Any], None] = lambda *_: None,
    **options: Any,
) -> None:
    """A workbook with a header and rows; dates are dates, other values what they are. `after` may add to it."""
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd", **options})
    page = book.add_worksheet(sheet)
    for at, row in enumerate([head, *rows]):
        for place, value in enumerate(row):
            if value is not None and value != "":
                page.write(at, place, value)
    after(book, page)
    book.close()


def handmade(path: Path, sheet: str, *, book: str = "", more: Mapping[str, str] | None = None) -> None:
    """A workbook whose sheet is this XML."""
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook {MAIN} {RELATIONS}>{book}<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet,
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def inline(*rows: str, before: str = "", after: str = "") -> str:
    """The XML of a sheet with these <row> elements."""
    return f"<worksheet {MAIN}>{before}<sheetData>{''.join(rows)}</sheetData>{after}</worksheet>"


def row(line: int, *texts: str) -> str:
    """A <row> with inline texts."""
    cells = "".join(
        f'<c r="{chr(65 + place)}{line}" t="inlineStr"><is><t>{text}</t></is></c>' for place, text in enumerate(texts)
    )
    return f'<row r="{line}">{cells}</row>'


def compound(path: Path, *streams: str) -> None:
    """The beginning of an OLE2 compound file that has streams of these names."""
    head = io.BytesIO()
    head.write(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    for name in streams:
        head.write(name.encode("utf-16-le").ljust(128, b"\x00"))
    path.write_bytes(head.getvalue())
