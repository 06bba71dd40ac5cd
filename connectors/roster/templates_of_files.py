"""Templates: a file of each kind with its header, rows of generated people as examples, and notes on every column."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter
from babel.support import NullTranslations, Translations

from connectors.roster.fields import DAY, Kind

ENGLISH, CHINESE = "en", "zh_Hans_CN"
WIDTH = 22
HEADINGS = {
    ENGLISH: ("Column", "Needed", "What stands in it", "May also be called"),
    CHINESE: ("列", "必填", "内容", "也可以叫"),
}
YES = {ENGLISH: "yes", CHINESE: "是"}
SHEETS = {ENGLISH: ("Data", "Notes"), CHINESE: ("数据", "说明")}
MOST_NAMES = 8


@dataclass(frozen=True)
class Column:
    """A column of a template."""

    name: str
    header: str
    needed: bool
    is_day: bool
    about: str
    names: tuple[str, ...]


def catalogue(language: str, folders: Iterable[Path]) -> Callable[[str], str]:
    """What translates the notes for a reader who is not on a page; `folders` hold the addons."""
    merged = NullTranslations()
    for folder in folders:
        found = Translations.load(folder / "i18n", [language])
        if isinstance(found, Translations):
            found.add_fallback(merged)
            merged = found
    return merged.gettext


def columns_of(kind: Kind, language: str, translate: Callable[[str], str]) -> list[Column]:
    """The columns of a kind's template, with headers and notes in a language."""
    found = []
    for field in kind.fields:
        chinese = next((name for name in field.headers if not name.isascii()), field.name)
        header = chinese if language == CHINESE else field.name
        names = tuple(name for name in (field.name, *field.headers) if name != header)[:MOST_NAMES]
        about = translate(field.about) if field.about else ""
        found.append(Column(field.name, header, field.required, field.holds == DAY, about, names))
    return found


def template_csv(kind: Kind, columns: Sequence[Column]) -> str:
    """Header and examples, with the byte order mark by which Excel knows UTF-8."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([column.header for column in columns])
    writer.writerows(kind.samples)
    return "\ufeff" + target.getvalue()


def write_template_xlsx(target: Path | io.BytesIO, kind: Kind, columns: Sequence[Column], language: str) -> None:
    """The same as a workbook whose columns are formatted as text, so that nothing is made of numbers and days; and the notes."""
    book = xlsxwriter.Workbook(target if isinstance(target, io.BytesIO) else str(target), {"in_memory": True})
    bold = book.add_format({"bold": True, "num_format": "@", "bottom": 1})
    text = book.add_format({"num_format": "@"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    data, notes = (book.add_worksheet(name) for name in SHEETS[language])
    for place, column in enumerate(columns):
        data.set_column(place, place, WIDTH, text)
        data.write_string(0, place, column.header, bold)
    for at, row in enumerate(kind.samples, start=1):
        for place, cell in enumerate(row):
            if cell:
                data.write_string(at, place, cell, text)
    data.freeze_panes(1, 0)
    notes.set_column(0, 1, 18)
    notes.set_column(2, 3, 60)
    notes.write_row(0, 0, HEADINGS[language], bold)
    for at, column in enumerate(columns, start=1):
        needed = YES[language] if column.needed else ""
        notes.write_row(at, 0, (column.header, needed, column.about, ", ".join(column.names)), wrapped)
    book.close()
