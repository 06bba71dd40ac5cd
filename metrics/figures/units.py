"""How values are shown as text, in the same way in every language; pages show shares and numbers in the reader's."""

from decimal import Decimal

from metrics.figures.figure import Number
from metrics.figures.words import Words

UNITS = {
    "share": Words("share", "比例"),
    "ratio": Words("times", "倍"),
    "change": Words("of the scale", "分值变化（满分为 1）"),
    "number": Words("", ""),
    "hours": Words("hours", "小时"),
    "days": Words("days", "天"),
    "levels": Words("levels", "级"),
}


def value_of(value: Decimal, unit: str) -> str:
    """A value with its unit, short."""
    if unit == "share":
        return f"{value:.1%}"
    if unit == "change":
        return f"{value:+.3f}"
    return f"{value:.2f}"


def number_of(number: Number) -> str:
    """A number without needless places."""
    if isinstance(number, int) or number == int(number):
        return str(int(number))
    return f"{round(number, 4).normalize():f}"
