"""Reading fields of raw items: each function names the field when its value cannot be used."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from plugin.errors import RecordRefusedError

# What a training record can sensibly bear: later than the first e-learning, before our grandchildren retire.
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def required(raw: Mapping[str, Any], field: str) -> Any:
    """The value of a field that must be there and not be null."""
    value = raw.get(field)
    if value is None:
        raise RecordRefusedError(f"The field {field!r} is missing.")
    return value


def key(raw: Mapping[str, Any], field: str) -> str:
    """An id, as text: a whole number above 0, or a text that is not empty, of at most 200 characters."""
    value = required(raw, field)
    if type(value) is int and value > 0:  # nearly all are
        return str(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | str)
        or (isinstance(value, int) and value <= 0)
        or value == ""
        or len(str(value)) > 200
    ):
        raise RecordRefusedError(f"The field {field!r} holds {value!r}, which is no id.")
    return storable(str(value))


def text(raw: Mapping[str, Any], field: str, limit: int = 500) -> str | None:
    """A text without surrounding blanks, cut at `limit`; None when it is absent, null or empty."""
    value = raw.get(field)
    if value is None:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise RecordRefusedError(f"The field {field!r} holds {type(value).__name__} where a text belongs.")
    return storable(str(value)).strip()[:limit] or None


def storable(value: str) -> str:
    """The text with what no database takes as text (NUL, halves of surrogate pairs) marked as unreadable."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def flag(raw: Mapping[str, Any], field: str) -> bool | None:
    """A yes or no: true, false, 1, 0; None when it is absent or null."""
    value = raw.get(field)
    if value is None:
        return None
    if value in (True, False):
        return bool(value)
    raise RecordRefusedError(f"The field {field!r} holds {value!r} where yes or no belongs.")


def moment(raw: Mapping[str, Any], field: str) -> datetime | None:
    """A moment given as Unix seconds; None when it is absent, null or 0, which sources write for 'never'."""
    value = raw.get(field)
    if value is None or (value == 0 and not isinstance(value, bool)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordRefusedError(f"The field {field!r} holds {value!r} where Unix seconds belong.")
    if not EARLIEST <= value <= LATEST:
        raise RecordRefusedError(f"The field {field!r} holds {value!r}, which is no date between 1970 and 2100.")
    return datetime.fromtimestamp(value, UTC)


def number(raw: Mapping[str, Any], field: str) -> Decimal | None:
    """A number, neither infinite nor beyond 999,999,999, to the five places that are kept; None when it is absent or null."""
    value = raw.get(field)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidOperation
        exact = Decimal(str(value))
    except InvalidOperation:
        raise RecordRefusedError(f"The field {field!r} holds {value!r} where a number belongs.") from None
    if not exact.is_finite() or abs(exact) > 999_999_999:
        raise RecordRefusedError(f"The field {field!r} holds {value!r}, which is out of bounds.")
    return exact if int(exact.as_tuple().exponent) >= -5 else exact.quantize(Decimal("0.00001"))


def day(raw: Mapping[str, Any], field: str) -> date | None:
    """A day written as 2026-11-23; None when it is absent or empty."""
    value = text(raw, field)
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise RecordRefusedError(f"The field {field!r} holds {value!r}; write the day as 2026-11-23.") from None
