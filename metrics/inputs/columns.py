"""The columns of the inputs' spreadsheets: what each means, and how a cell is read.

A reader takes the cell's text and answers the value, or raises RefusedInWordsError that names the column. What refers to
something else, such as a department or an employee, is looked up for the whole file at once (`references.py`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from metrics.figures.words import Words
from plugin.errors import RefusedInWordsError
from plugin.imports import NOT_A_DAY


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


NOT_A_NUMBER = N_("%(field)s: '%(text)s' is not a number; write it as 1250.50.")
TOO_LARGE = N_("%(field)s: '%(text)s' is too large, or has too many decimals; %(places)s are kept.")
NEGATIVE = N_("%(field)s: '%(text)s' is below zero.")
NOT_WHOLE = N_("%(field)s: '%(text)s' is not a whole number.")
NOT_A_SHARE = N_("%(field)s: '%(text)s' is not a share; write 0.8 or 80%%.")
NOT_YES_OR_NO = N_("%(field)s: '%(text)s' is neither yes nor no.")
NOT_A_MONTH = N_("%(field)s: '%(text)s' is not a month; write it as 2026-11.")
NOT_A_TIME = N_("%(field)s: '%(text)s' is not a time of day; write it as 09:00.")
NOT_A_PLAN = N_("%(field)s: '%(text)s' is neither a year nor a quarter; write 2026 or 2026Q3.")
NOT_A_QUARTER = N_("%(field)s: '%(text)s' is not a quarter; write it as 2026Q3.")
NOT_A_CURRENCY = N_("%(field)s: '%(text)s' is not a currency; write its three letters, such as EUR.")
NOT_ONE_OF = N_("%(field)s: '%(text)s' is none of %(choices)s.")
TOO_LONG = N_("%(field)s has %(length)s characters; %(longest)s are kept at most.")

TRUE, FALSE = ("yes", "true", "1", "是"), ("no", "false", "0", "否")
SEPARATORS = re.compile(r"[;；]")
Reader = Callable[[str, str], Any]


@dataclass(frozen=True)
class Column:
    """A column of a template. `refers` names what its codes must be of; `attribute` is where the value is kept."""

    name: str
    read: Reader
    what: Words
    required: bool = False
    default: Any = None
    refers: str | None = None
    attribute: str = ""

    @property
    def kept_as(self) -> str:
        """The attribute of the row that has the value."""
        return self.attribute or self.name


def refuse(sentence: str, field: str, value: str, **values: Any) -> RefusedInWordsError:
    """A cell that cannot be used."""
    return RefusedInWordsError(sentence, column=field, field=field, text=value[:60], **values)


def text(longest: int = 300) -> Reader:
    """A text of at most so many characters."""

    def read(field: str, value: str) -> str:
        if len(value) > longest:
            raise RefusedInWordsError(TOO_LONG, field=field, length=len(value), longest=longest)
        return value.replace("\x00", "")

    return read


def day(field: str, value: str) -> date:
    """A day, as 2026-11-23."""
    try:
        if len(value) != len("2026-11-23"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise refuse(NOT_A_DAY, field, value) from None


def month(field: str, value: str) -> date:
    """A month, as 2026-11; or a day in it, which is what a spreadsheet makes of it."""
    try:
        return date.fromisoformat(value[:7] + "-01") if len(value) in (7, 10) else day(field, value).replace(day=1)
    except (ValueError, RefusedInWordsError):
        raise refuse(NOT_A_MONTH, field, value) from None


def time_of_day(field: str, value: str) -> str:
    """A time of day, as 09:00."""
    try:
        return datetime.strptime(value[:5], "%H:%M").strftime("%H:%M")  # noqa: DTZ007 - no moment, only its hour
    except ValueError:
        raise refuse(NOT_A_TIME, field, value) from None


def number(places: int = 6, *, digits: int = 18, signed: bool = True) -> Reader:
    """A decimal number with at most so many digits after the point."""

    def read(field: str, value: str) -> Decimal:
        try:
            found = Decimal(value.replace(" ", "").replace("\u00a0", ""))
        except InvalidOperation:
            raise refuse(NOT_A_NUMBER, field, value) from None
        if not found.is_finite() or "_" in value:
            raise refuse(NOT_A_NUMBER, field, value)
        kept = Decimal(1).scaleb(-places)
        if abs(found) >= Decimal(10) ** (digits - places) or found != found.quantize(kept):
            raise refuse(TOO_LARGE, field, value, places=places)
        if found < 0 and not signed:
            raise refuse(NEGATIVE, field, value)
        return found.quantize(kept)

    return read


money = number(4)


def whole(field: str, value: str) -> int:
    """A whole number from 0."""
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise refuse(NOT_WHOLE, field, value) from None
    if not found.is_finite() or found != int(found) or not 0 <= found < 10**9:
        raise refuse(NOT_WHOLE, field, value)
    return int(found)


def share(field: str, value: str) -> Decimal:
    """A share from 0 to 1, also as a percentage."""
    try:
        found = Decimal(value.rstrip("%％").strip()) / (100 if value[-1:] in ("%", "％") else 1)
    except InvalidOperation:
        raise refuse(NOT_A_SHARE, field, value) from None
    if not found.is_finite() or not 0 <= found <= 1:
        raise refuse(NOT_A_SHARE, field, value)
    return found.quantize(Decimal("0.000001"))


def yes(field: str, value: str) -> bool:
    """Yes or no."""
    if value.lower() not in TRUE + FALSE:
        raise refuse(NOT_YES_OR_NO, field, value)
    return value.lower() in TRUE


def plan(field: str, value: str) -> str:
    """A year or a quarter."""
    if not re.fullmatch(r"[1-9][0-9]{3}(Q[1-4])?", value.upper()):
        raise refuse(NOT_A_PLAN, field, value)
    return value.upper()


def quarter(field: str, value: str) -> str:
    """A quarter."""
    if not re.fullmatch(r"[1-9][0-9]{3}Q[1-4]", value.upper()):
        raise refuse(NOT_A_QUARTER, field, value)
    return value.upper()


def currency(field: str, value: str) -> str:
    """The three letters of a currency."""
    if not re.fullmatch(r"[A-Z]{3}", value.upper()):
        raise refuse(NOT_A_CURRENCY, field, value)
    return value.upper()


def one_of(*choices: str) -> Reader:
    """One of these words."""

    def read(field: str, value: str) -> str:
        if value.lower() not in choices:
            raise refuse(NOT_ONE_OF, field, value, choices=", ".join(choices))
        return value.lower()

    return read


def several(field: str, value: str) -> list[str]:
    """Texts with semicolons between them, in their order, each once."""
    return list(dict.fromkeys(part.strip() for part in SEPARATORS.split(value) if part.strip()))
