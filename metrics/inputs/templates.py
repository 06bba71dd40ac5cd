"""A template for each kind of input: its columns in the first line; in a workbook, what they mean on a second sheet."""

import csv
from pathlib import Path

import xlsxwriter

from metrics.inputs.kinds import Kind
from plugin.errors import RefusedError

HEADINGS = {"en": ("Column", "Required", "What it holds"), "zh_Hans_CN": ("列名", "必填", "内容")}
YES = {"en": "yes", "zh_Hans_CN": "是"}


def write_template(kind: Kind, path: Path, language: str) -> None:
    """Write the template: CSV or XLSX by the file's name. Raises RefusedError for another name, or a file that is there."""
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise RefusedError(f"{path.name} is neither .csv nor .xlsx; name the template so.")
    if path.exists():
        raise RefusedError(f"{path} is there already; name another file, or remove it.")
    if path.suffix.lower() == ".csv":
        with path.open("x", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerow([column.name for column in kind.columns])
        return
    with xlsxwriter.Workbook(str(path)) as book:
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        rows = book.add_worksheet(kind.name[:31])
        rows.set_column(0, len(kind.columns) - 1, 18, text)  # as text: a spreadsheet makes dates of what looks like one
        rows.write_row(0, 0, [column.name for column in kind.columns], bold)
        rows.freeze_panes(1, 0)
        words = book.add_worksheet(HEADINGS[language][0])
        words.set_column(0, 1, 20)
        words.set_column(2, 2, 80)
        words.write_row(0, 0, HEADINGS[language], bold)
        for number, (name, required, what) in enumerate(described(kind, language), start=1):
            words.write_row(number, 0, [name, YES[language] if required else "", what])


def described(kind: Kind, language: str) -> list[tuple[str, bool, str]]:
    """The columns: name, whether a row must fill it, and what it holds."""
    return [(column.name, column.required, column.what.in_language(language)) for column in kind.columns]
