"""What a function takes, and how the text that came over HTTP is checked against it.

A declaration is made of `Value`, `Rows` and `Fields`. As in Moodle, a missing, unknown or ill-typed
parameter fails the whole call without saying which one it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from connectors.moodle.demo.errors import invalid_parameter


class Kind(Enum):
    """The types a scalar parameter can have."""

    INT = "int"
    BOOL = "bool"
    TEXT = "text"
    WORD = "word"


_NEEDED: Any = object()


@dataclass(frozen=True)
class Value:
    """A scalar; needed unless it has a default."""

    kind: Kind
    default: Any = _NEEDED


@dataclass(frozen=True)
class Fields:
    """A group of named parameters."""

    fields: Mapping[str, "Parameter"]
    default: Any = _NEEDED


@dataclass(frozen=True)
class Rows:
    """A list of parameters of one kind."""

    of: "Parameter"
    default: Any = _NEEDED


Parameter = Value | Fields | Rows

INT, BOOL, TEXT, WORD = (Value(kind) for kind in Kind)


def integer(default: int) -> Value:
    """An integer that may be left out."""
    return Value(Kind.INT, default)


def flag(default: bool) -> Value:
    """A boolean that may be left out."""
    return Value(Kind.BOOL, default)


def text(default: str) -> Value:
    """A text that may be left out."""
    return Value(Kind.TEXT, default)


def check(declared: Parameter, given: Any) -> Any:
    """Return `given` as the declared type, with defaults filled in; raise MoodleError if it does not fit."""
    if isinstance(declared, Value):
        return _scalar(declared.kind, given)
    if isinstance(declared, Rows):
        return [check(declared.of, one) for one in _listed(given)]
    if not isinstance(given, dict) or not set(given) <= set(declared.fields):
        raise invalid_parameter()
    checked = {}
    for name, parameter in declared.fields.items():
        if name in given:
            checked[name] = check(parameter, given[name])
        elif parameter.default is _NEEDED:
            raise invalid_parameter()
        else:
            checked[name] = parameter.default
    return checked


def _listed(given: Any) -> list[Any]:
    if isinstance(given, dict):
        return list(given.values())
    if isinstance(given, list):
        return given
    raise invalid_parameter()


def _scalar(kind: Kind, given: Any) -> Any:
    if isinstance(given, dict | list):
        raise invalid_parameter()
    if kind is Kind.BOOL:
        if str(given) in ("0", "1", "True", "False"):
            return str(given) in ("1", "True")
        raise invalid_parameter()
    if kind is Kind.INT:
        plain = str(int(given)) if isinstance(given, bool) else str(given)
        if plain.lstrip("-").isascii() and plain.lstrip("-").isdigit() and str(int(plain)) == plain:
            return int(plain)
        raise invalid_parameter()
    if kind is Kind.WORD and not str(given).replace("_", "").isalnum():
        raise invalid_parameter()
    return str(given)
