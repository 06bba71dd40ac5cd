"""The cells of a custom report: text meant to be read, and HTML.

Moments are written as strftimedaydatetime of Moodle's English language pack has it, 'Friday, 1 May 2026, 12:55 AM', to
the minute, in the time zone that the request names: UTC.
"""

import re
from calendar import timegm
from datetime import date
from html import unescape
from urllib.parse import parse_qs, urlsplit

from plugin.errors import RecordRefusedError

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MOMENT = re.compile(
    rf"({'|'.join(_DAYS)}), ([1-9]|[12][0-9]|3[01]) ({'|'.join(_MONTHS)}) ([0-9]{{4}}), (1[0-2]|[1-9]):([0-5][0-9]) (AM|PM)"
)
_LINK = re.compile(r'<a\s[^>]*?href="([^"]*)"[^>]*>(.*)</a>', re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")

# Moodle's English names of its enrolment methods; others, of plugins, stay as they are shown.
METHODS = {
    "Category enrolments": "category",
    "Cohort sync": "cohort",
    "Course meta link": "meta",
    "Enrolment on payment": "fee",
    "External database": "database",
    "Flat file (CSV)": "flatfile",
    "Guest access": "guest",
    "IMS Enterprise file": "imsenterprise",
    "LDAP enrolments": "ldap",
    "MNet remote enrolments": "mnet",
    "Manual enrolments": "manual",
    "PayPal": "paypal",
    "Publish as LTI tool": "lti",
    "Self enrolment": "self",
}


def moment(cell: str | None) -> int | None:
    """The Unix seconds of a written moment, at the beginning of its minute; None for an empty cell.

    Raises RecordRefusedError when it is written otherwise, or the weekday is not that of the day.
    """
    if not cell:
        return None
    found = _MOMENT.fullmatch(cell)
    if found is None:
        raise RecordRefusedError(f"{_shown(cell)} is no date as 'Friday, 1 May 2026, 12:55 AM'.")
    weekday, day, month, year, hour, minute, half = found.groups()
    number = _MONTHS.index(month) + 1
    try:
        written = date(int(year), number, int(day))
    except ValueError:
        raise RecordRefusedError(f"There is no day {_shown(cell)}.") from None
    if _DAYS[written.weekday()] != weekday:
        raise RecordRefusedError(f"{_shown(cell)}: that day is a {_DAYS[written.weekday()]}.")
    hours = int(hour) % 12 + (12 if half == "PM" else 0)
    return timegm((written.year, written.month, written.day, hours, int(minute), 0, 0, 0, 0))


def link(cell: str | None, path: str) -> tuple[int, str] | None:
    """The id that a link within `path` of the site names, and its text; None for an empty cell.

    Raises RecordRefusedError when the cell holds something else.
    """
    if not cell:
        return None
    found = _LINK.fullmatch(cell.strip())
    address = urlsplit(unescape(found.group(1))) if found else None
    ids = parse_qs(address.query).get("id", []) if address and path in address.path else []
    if found is None or len(ids) != 1 or not ids[0].isascii() or not ids[0].isdigit() or int(ids[0]) < 1:
        raise RecordRefusedError(f"{_shown(cell)} is no link to {path} with an id.")
    return int(ids[0]), text(_TAG.sub("", found.group(2))) or ""


def text(cell: str | None) -> str | None:
    """A cell's text, entities decoded; None for an empty one."""
    return unescape(cell).strip() or None if cell else None


def yes(cell: str | None) -> bool | None:
    """A yes or no; None for an empty cell. Raises RecordRefusedError for anything else."""
    if not cell:
        return None
    if cell not in ("Yes", "No"):
        raise RecordRefusedError(f"{_shown(cell)} is neither Yes nor No.")
    return cell == "Yes"


def active(cell: str | None) -> bool:
    """Whether an enrolment of this status lets its user in. Raises RecordRefusedError for one that is not known."""
    if cell not in ("Active", "Suspended", "Not current"):
        raise RecordRefusedError(f"{_shown(cell)} is none of Active, Suspended and Not current.")
    return cell == "Active"


def _shown(cell: str | None) -> str:
    return repr((cell or "")[:100])
