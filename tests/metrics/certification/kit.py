"""What the tests of certification share: rules and files of evidence written shortly, and the answer taken apart."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from metrics.certification.chain import Rulebook
from metrics.certification.evidence import Piece
from metrics.certification.rule_text import parse_rule
from metrics.certification.simulate import simulate

SHANGHAI = ZoneInfo("Asia/Shanghai")
HEADER = "employee_number,kind,source,object,achieved_at,percent,success,recorded_at,voided_at,verb,level,hours"
COURSE = 'completed = { course = "C" }'


def rule(earn: str = COURSE, validity: str = 'lasts = "P1Y"', renew: str = "", terms: str | None = None) -> str:
    """A rule's text; window P60D and grace P30D unless `terms` says otherwise."""
    if terms is None:
        terms = 'window = "P60D"\ngrace = "P30D"'
    renewal = f"[renew]\n{renew}\n" if renew else ""
    return f'code = "X"\n[earn]\n{earn}\n{renewal}[validity]\n{validity}\n{terms}\n'


def row(kind: str, achieved: str, object: str = "C", **cells: str) -> str:  # noqa: A002 - the column's name
    """A line of the file, of person E1."""
    values = {"employee_number": "E1", "source": "m", "kind": kind, "object": object, "achieved_at": achieved, **cells}
    return ",".join(values.get(name, "") for name in HEADER.split(","))


def done(achieved: str, **cells: str) -> str:
    """A completion of the course C."""
    return row("completed", achieved, **cells)


def asked(text: str, rows: list[str], as_of: str, timezone: str = "Asia/Shanghai") -> dict[str, Any]:
    """What simulate answers about E1; moments without seconds and offset, where the offset is Shanghai's."""
    answer: dict[str, Any] = simulate(text, "\n".join([HEADER, *rows]), as_of, timezone)
    assert answer["refused_rows"] == []
    return _short(answer["people"]["E1"])


def periods(answer: dict[str, Any]) -> list[str]:
    """The awards, each as `from > until basis` with ` revoked at` where it was."""
    return [
        f"{a['valid_from']} > {a['valid_until']} {a['basis']}"
        + (f" revoked {a['revoked_at']}" if "revoked_at" in a else "")
        for a in answer["awards"]
    ]


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    if isinstance(value, str):
        return value.removesuffix("+08:00").removesuffix(":00").removesuffix("T00:00")
    return value


def book(text: str, zone: ZoneInfo = SHANGHAI) -> Rulebook:
    """One version of a rule, ready to decide."""
    return Rulebook([parse_rule(text)], zone)


def day(number: int) -> datetime:
    """Midnight UTC, so many days after the beginning of 2024."""
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def piece(
    id: int,  # noqa: A002 - the field's name
    achieved: int,
    recorded: int | None = None,
    voided: int | None = None,
    *,
    kind: str = "completed",
    object: str = "C",  # noqa: A002 - the field's name
    percent: int | None = None,
    hours: int | None = None,
    source: str = "m",
) -> Piece:
    """A piece of evidence whose moments are days."""
    return Piece(
        id=id,
        kind=kind,
        source=source,
        object=object,
        achieved_at=day(achieved),
        recorded_at=day(achieved if recorded is None else recorded),
        voided_at=None if voided is None else day(voided),
        percent=None if percent is None else Decimal(percent),
        hours=None if hours is None else Decimal(hours),
    )
