"""What a cell says: invisible characters, full-width digits, dates in many ways, and what spreadsheets do to numbers.

Whatever cannot be read for certain is refused with the reason; nothing is guessed about whom or which day a row means.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from connectors.roster.fields import DAY, MAIL, NUMBER, TAGS, TEXT, Field
from plugin import tags
from plugin.errors import N_, RefusedError
from plugin.records_of_files import Mark
from plugin.workbooks import day_of_serial

FORMULA = N_("It is a formula whose value is not in the file; open the file, save it, or put the value itself there.")
FORMULA_TEXT = N_("'%(text)s' is a formula, not a value; put the value itself there.")
ERROR = N_("It holds '%(text)s', a calculation that failed; put the value there.")
TRUTH = N_("It holds %(text)s where a text belongs.")
NOTHING = N_("It holds '%(text)s', which a program writes for nothing; leave the cell empty.")
UNREADABLE = N_("It holds a character that is no text (%(code)s); the file was damaged or mixes encodings.")
LONG = N_("It is longer than %(most)s characters.")
EMPTY = N_("It is empty.")
NO_DAY = N_("'%(text)s' is not a day; write it as 2026-11-23.")
UNSURE_DAY = N_("'%(text)s' can be two days; write it as 2026-11-23, or say by day_order which comes first.")
SERIAL = N_(
    "'%(text)s' is a spreadsheet's number of a day; format the column as a date, or say by serial_days how it counts."
)
SHORT_YEAR = N_("'%(text)s' has a year of two digits; write the day as 2026-11-23.")
ROUNDED = N_(
    "'%(text)s' is what a spreadsheet has made of a longer number; format the column as text and enter it again."
)
DECIMAL = N_(
    "'%(text)s' has decimal places, which no employee number has; format the column as text and enter it again."
)
NO_MAIL = N_("'%(text)s' is no e-mail address.")
NO_TAG = N_("A tag in it cannot be used: %(why)s")
DAY_FOR_TEXT = N_("It holds the date %(text)s where a text belongs; a spreadsheet may have made it of one such as 3-4.")
LINE_BREAK = N_("It goes over more than one line.")

NOTE_FORMULA = N_("What its formula gave when the file was saved is used.")
NOTE_INVISIBLE = N_("Invisible characters in it were left out.")
NOTE_SERIAL = N_("The number was read as the day %(day)s.")

INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0f\ufeff]")
JOINERS = "\u200c\u200d"
BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t\x85\u2028\u2029]")
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffd\ufffe\uffff]")
NOTHINGS = frozenset(
    {"null", "NULL", "None", "none", "nan", "NaN", "NAN", "N/A", "n/a", "#N/A", "NaT", "undefined", "True", "False"}
)
FAILED = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)|#+")
AS_TEXT = re.compile(r'="([^"]*)"')
FORMULAS = re.compile(r"[=@].|[+\-].*[(|!*/]|\t=|[+\-]\d+[+\-]\d", re.DOTALL)
SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE][+]\d+|[+-]?\d[.,]\d+[eE]\d+")
FRACTION = re.compile(r"\d+[.,]\d+")
MAIL_SHAPE = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
ISO = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?")
CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?")
ENDS_IN_YEAR = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2}|\d{4})(?: 0{1,2}:00(?::00)?)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTHS, start=1)}
NAMED_MONTH = re.compile(r"(\d{1,2})[-/. ]([A-Za-z]{3})[a-z]*[-/., ]+(\d{4})")
FIRST_YEAR, LAST_YEAR = 1900, 2199

# What nearly every cell is: nothing is to be done to it.
USUAL = {
    NUMBER: re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?"),
    TEXT: re.compile(r"[^\W_](?:[\w .,'’()&/-]{0,150}[\w.)])?"),
    MAIL: re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,100}@[A-Za-z0-9.-]{1,100}"),
    DAY: re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"),
    TAGS: re.compile(r"[^\W_](?:[\w .-]{0,60}\w)?"),
}

Said = tuple[str, dict[str, str]]  # a sentence and what stands in it


class NotUsableError(Exception):
    """A cell cannot be used; `said` is why."""

    def __init__(self, sentence: str, **values: str) -> None:
        super().__init__(sentence)
        self.said: Said = (sentence, values)


@dataclass(frozen=True)
class Ways:
    """How days are written: which of day and month comes first ('dmy', 'mdy', or '' where that is not known), and from
    when numbers of days are counted ('1900', '1904', '' where they are not to be read).
    """

    day_order: str = ""
    serial_days: str = ""


def clean(text: str) -> str:
    """A text without invisible characters and surrounding blanks, its blanks ordinary ones."""
    if text.isascii():
        return text.strip() if text.isprintable() else text.replace("\t", " ").strip()
    text = BLANKS.sub(" ", INVISIBLE.sub("", text)).strip().strip(JOINERS).strip()
    return unicodedata.normalize("NFC", text)


def clean_number(text: str) -> str:
    """A number or address by which people are known: full-width characters as ordinary ones, and nothing invisible."""
    if text.isascii():
        return text.strip()
    text = INVISIBLE.sub("", text)
    for joiner in JOINERS:
        text = text.replace(joiner, "")
    return BLANKS.sub(" ", unicodedata.normalize("NFKC", text)).strip()


def read(field: Field, text: str, mark: Mark | None, ways: Ways) -> tuple[str, Said | None]:
    """What a cell of `field` says as text, days as 2026-11-23, and what is to be noted about it.

    Raises NotUsableError.
    """
    note: Said | None = None
    if mark is not None:
        note = _of_marked(field, text, mark)
    elif not text.isascii() or text[:1] in _SUSPECT or text in NOTHINGS or not text.isprintable():
        text = _suspicious(text)
    plain = clean_number(text) if field.holds in (NUMBER, DAY, MAIL) else clean(text)
    if note is None and plain != text and not text.isascii() and INVISIBLE.search(text):
        note = (NOTE_INVISIBLE, {})
    if not plain:
        return "", note
    if len(plain) > field.longest:
        raise NotUsableError(LONG, most=str(field.longest))
    if field.holds == DAY:
        return _day(plain, mark, ways, note)
    if field.holds == NUMBER:
        _check_number(plain, mark)
    elif mark is Mark.DAY:
        raise NotUsableError(DAY_FOR_TEXT, text=plain)
    elif field.holds == MAIL and not MAIL_SHAPE.fullmatch(plain):
        raise NotUsableError(NO_MAIL, text=plain[:60])
    elif field.holds == TAGS:
        _check_tags(plain)
    return plain, note


_SUSPECT = frozenset("=@+-#\t\r")


def _of_marked(field: Field, text: str, mark: Mark) -> Said | None:
    if mark is Mark.UNCOMPUTED:
        raise NotUsableError(FORMULA)
    if mark is Mark.ERROR:
        raise NotUsableError(ERROR, text=text[:60])
    if mark is Mark.TRUTH:
        raise NotUsableError(TRUTH, text=text)
    if mark is Mark.LONG:
        raise NotUsableError(LONG, most=str(field.longest))
    if mark is Mark.IMPRECISE:
        raise NotUsableError(ROUNDED, text=text[:60])
    if bad := NO_TEXT.search(text):
        raise NotUsableError(UNREADABLE, code=_code(bad[0]))
    return (NOTE_FORMULA, {}) if mark is Mark.FORMULA else None


def _suspicious(text: str) -> str:
    """The text, where it is one: what begins as a formula is refused, but ="0012" is how a spreadsheet is given a text."""
    if bad := NO_TEXT.search(text):
        raise NotUsableError(UNREADABLE, code=_code(bad[0]))
    bare = text.strip()
    if quoted := AS_TEXT.fullmatch(bare):
        return quoted[1]
    if FAILED.fullmatch(bare):
        raise NotUsableError(ERROR, text=bare[:60])
    if FORMULAS.match(bare):
        raise NotUsableError(FORMULA_TEXT, text=bare[:60])
    if bare in NOTHINGS:
        raise NotUsableError(NOTHING, text=bare)
    return text


def _code(letter: str) -> str:
    """What is said of a character that is no text; of an undecodable byte, the byte."""
    return f"0x{ord(letter) - 0xDC00:02X}" if 0xDC80 <= ord(letter) <= 0xDCFF else f"U+{ord(letter):04X}"


def _check_number(text: str, mark: Mark | None) -> None:
    if SCIENTIFIC.fullmatch(text):
        raise NotUsableError(ROUNDED, text=text[:60])
    if FRACTION.fullmatch(text):
        raise NotUsableError(DECIMAL, text=text[:60])
    if mark is Mark.DAY:
        raise NotUsableError(DAY_FOR_TEXT, text=text[:60])
    if "\n" in text or "\r" in text:
        raise NotUsableError(LINE_BREAK)


def _check_tags(text: str) -> None:
    for tag in tags.SEPARATORS.split(text):
        if tag.strip():
            try:
                tags.checked(tag)
            except RefusedError as error:
                raise NotUsableError(NO_TAG, why=str(error)) from None


def _day(text: str, mark: Mark | None, ways: Ways, note: Said | None) -> tuple[str, Said | None]:
    if mark in (Mark.NUMBER, Mark.FORMULA) and text.isdigit() and len(text) <= 6:
        day = day_of_serial(text, since_1904=ways.serial_days == "1904")[:10]
        if not day or not FIRST_YEAR <= int(day[:4]) <= LAST_YEAR or int(text) < 367:
            raise NotUsableError(NO_DAY, text=text)
        return day, (NOTE_SERIAL, {"day": day})
    return _day_of_text(text, ways.day_order, "" if mark else ways.serial_days), note


@lru_cache(maxsize=1 << 15)
def _day_of_text(text: str, order: str, serials: str) -> str:
    found = ISO.fullmatch(text) or CHINESE.fullmatch(text)
    if found and (len(found[0]) == 8 or "年" in text or found[2]):
        parts = [part for part in found.groups() if part and part.isdigit()]
        return _checked(text, *map(int, parts))
    if found := ENDS_IN_YEAR.fullmatch(text):
        return _year_last(text, int(found[1]), int(found[3]), found[4], order)
    if (found := NAMED_MONTH.fullmatch(text)) and found[2].lower() in MONTHS:
        return _checked(text, int(found[3]), MONTHS[found[2].lower()], int(found[1]))
    if text.isdigit() and len(text) == 5:
        day = day_of_serial(text, since_1904=serials == "1904") if serials else ""
        if not serials:
            raise NotUsableError(SERIAL, text=text)
        if not day:
            raise NotUsableError(NO_DAY, text=text)
        return _checked(text, *map(int, day.split("-")))
    raise NotUsableError(NO_DAY, text=text[:60])


def _year_last(text: str, first: int, second: int, year: str, order: str) -> str:
    """A day whose year stands last: which of the two before it is the month is said, or shows itself, or is not known."""
    if len(year) == 2:
        raise NotUsableError(SHORT_YEAR, text=text)
    if order != "mdy" and (order == "dmy" or first > 12 or first == second):
        return _checked(text, int(year), second, first)
    if order == "mdy" or second > 12:
        return _checked(text, int(year), first, second)
    raise NotUsableError(UNSURE_DAY, text=text)


def _checked(text: str, year: int, month: int, day: int) -> str:
    try:
        found = date(year, month, day)
    except ValueError:
        raise NotUsableError(NO_DAY, text=text) from None
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise NotUsableError(NO_DAY, text=text)
    return found.isoformat()
