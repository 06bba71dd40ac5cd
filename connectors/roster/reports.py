"""The refused rows and the notes of a file as a CSV file that opens in a spreadsheet without calculating anything."""

import csv
import io
from collections.abc import Callable, Mapping

from connectors.roster.importing import Report

COLUMNS = ("file", "line", "cell", "column", "field", "outcome", "reason")
CALCULATES = ("=", "+", "-", "@", "\t", "\r")

Translate = Callable[[str, Mapping[str, str]], str]


def in_english(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence with its values."""
    return sentence % values


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it."""
    return f"'{text}" if text.startswith(CALCULATES) else text


def report_csv(report: Report, translate: Translate = in_english) -> str:
    """Each refused row by file, line, column and reason, then the notes; UTF-8 with a byte order mark for Excel."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    for line, column, letters, fault in report.refused:
        cell = f"{letters}{line}" if letters else ""
        reason = translate(fault.sentence, fault.values)
        row = (report.file, str(line), cell, column, fault.field, "refused", reason)
        writer.writerow([harmless(text) for text in row])
    for note in report.notes:
        reason = translate(note.sentence, note.values)
        row = (report.file, str(note.line), "", report.columns.get(note.field, ""), note.field, "used", reason)
        writer.writerow([harmless(text) for text in row])
    return "\ufeff" + target.getvalue()
