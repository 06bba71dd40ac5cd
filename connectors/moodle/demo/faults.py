"""What can be made to go wrong with the sandbox, for one call or many.

A fault waits for calls of its function (any function if it names none), lets `after` of them pass, then
strikes `times` times (None: until cleared).

    time_out         sleeps `seconds`, then answers
    http_500         an empty answer with status 500, as after a fatal PHP error
    html             an HTML page with status 200, as from a proxy or a login wall
    truncated_json   the answer stops half-way
    maintenance      the JSON error of a site in maintenance
    maintenance_503  the HTML page of a site in maintenance from the command line
    expired_token    access is denied once, then the token is unknown for good
    rest_off         an empty answer with status 403: web services are switched off
    slow_down        status 429 with Retry-After `seconds`
    redirect         status 303 to another host
    bad_record       one record of the answer is spoilt: its `flaw` is one of FLAWS, at `key` if named
    pages_change     after a page of enrolled users was sent, its first `users` are unenrolled
    row_goes         after a page of the plugin's enrolments was sent, the users of its first `users` rows are unenrolled
    leads_back       a page of the plugin says that the next one begins where it began itself
    late_entry       the first entry of a page of the change log cannot be seen yet, though later ones can
"""

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any


class Kind(StrEnum):
    """The kinds of fault."""

    TIME_OUT = "time_out"
    HTTP_500 = "http_500"
    HTML = "html"
    TRUNCATED_JSON = "truncated_json"
    MAINTENANCE = "maintenance"
    MAINTENANCE_503 = "maintenance_503"
    EXPIRED_TOKEN = "expired_token"
    REST_OFF = "rest_off"
    SLOW_DOWN = "slow_down"
    REDIRECT = "redirect"
    BAD_RECORD = "bad_record"
    PAGES_CHANGE = "pages_change"
    ROW_GOES = "row_goes"
    LEADS_BACK = "leads_back"
    LATE_ENTRY = "late_entry"


FLAWS = ("missing_key", "early_date", "late_date", "negative_grade")
INSIDE = frozenset(
    {Kind.BAD_RECORD, Kind.PAGES_CHANGE, Kind.ROW_GOES, Kind.LEADS_BACK, Kind.LATE_ENTRY}
)  # struck by a function's answer, also within a batch
OUTSIDE = frozenset(Kind) - INSIDE  # struck by the whole request

_EARLY, _LATE = -5, 10**15
_IMPOSSIBLE = "Wednesday, 32 June 2026, 25:61 PM"
_KEYS = ("id", "userid", "courseid")
_DATES = ("timecompleted", "gradedategraded", "timemodified", "lastcourseaccess", "lastaccess", "dateissued")
_GRADES = ("graderaw", "grade", "rawgrade")


@dataclass
class Fault:
    """One fault and how often it still strikes."""

    kind: Kind
    function: str | None = None
    times: int | None = 1
    after: int = 0
    seconds: float = 2.0
    flaw: str = "missing_key"
    key: str | None = None
    users: int = 1

    def __post_init__(self) -> None:
        self.kind = Kind(self.kind)
        if self.flaw not in FLAWS:
            message = f"a flaw is one of {', '.join(FLAWS)}, not {self.flaw!r}"
            raise ValueError(message)


class Faults:
    """The faults that wait for calls."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def add(self, kind: str, **details: Any) -> Fault:
        """Let something go wrong from now on; `details` are the other fields of Fault."""
        fault = Fault(Kind(kind), **details)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """The faults that can still strike."""
        with self._lock:
            return [copy.copy(fault) for fault in self._waiting]

    def strike(self, function: str, kinds: Collection[Kind]) -> Fault | None:
        """Return the fault that strikes this call, if any, and count it."""
        with self._lock:
            for fault in self._waiting:
                if fault.kind not in kinds or fault.function not in (None, function):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None


def spoil(answer: Any, fault: Fault) -> Any:
    """Return the answer with its first fitting record spoilt; in a report that is its first row."""
    spoilt = copy.deepcopy(answer)
    records = list(_records(spoilt))
    row = next((record["columns"] for record in records if "columns" in record), None)
    if row is not None:
        _spoil_row(row, fault.flaw)
    else:
        any(_spoil_record(record, fault) for record in records)
    return spoilt


def _spoil_record(record: dict[str, Any], fault: Fault) -> bool:
    """Spoil a record if it has what the flaw needs, and say whether it had."""
    candidates = (fault.key,) if fault.key else _candidates(fault.flaw)
    for key in candidates:
        if record.get(key) is None:
            continue
        if fault.flaw == "missing_key":
            del record[key]
        elif fault.flaw == "negative_grade":
            record[key] = "-5.00000" if isinstance(record[key], str) else -5
        else:
            record[key] = _EARLY if fault.flaw == "early_date" else _LATE
        return True
    return False


def _candidates(flaw: str) -> tuple[str, ...]:
    return {"missing_key": _KEYS, "negative_grade": _GRADES}.get(flaw, _DATES)


def _spoil_row(columns: list[str | None], flaw: str) -> None:
    if flaw == "missing_key":
        columns.pop()
    elif flaw == "negative_grade":
        columns[-1] = "-5.00"
    else:
        place = next((at for at, text in enumerate(columns) if text and text.endswith(("AM", "PM"))), -1)
        columns[place] = _IMPOSSIBLE


def _records(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects within an answer, outer before inner."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from _records(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _records(inner)
