"""Whether what a figure is made of has been read since the period's end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from connectors.models import Quarantined, StreamRun, SyncRun
from metrics.figures.figure import Provisional
from metrics.figures.periods import Period
from metrics.figures.words import Words

OPEN = Words("the period is not over", "期间尚未结束")
NEVER = Words("never read", "从未读取")
BEFORE_THE_END = Words("not read since the period's end", "期间结束后未再读取")
NOT_WHOLE = Words("the last reading did not succeed whole", "最近一次读取未全部成功")
IN_QUARANTINE = Words("records that could not be used wait in quarantine", "有无法使用的记录在隔离区待处理")


@dataclass(frozen=True)
class Reading:
    """How the last finished reading of a stream ended."""

    source: str
    stream: str
    whole: bool
    started_at: datetime
    finished_at: datetime
    in_quarantine: bool


def last_readings(session: Session, streams: Collection[str], as_of: datetime) -> list[Reading]:
    """The last reading of each of the streams, of every source, that was finished by `as_of`."""
    newest = func.row_number().over(
        partition_by=(SyncRun.source, StreamRun.stream), order_by=(SyncRun.finished_at.desc(), SyncRun.id.desc())
    )
    runs = (
        select(
            SyncRun.source,
            StreamRun.stream,
            StreamRun.status,
            SyncRun.started_at,
            SyncRun.finished_at,
            newest.label("n"),
        )
        .join(SyncRun, SyncRun.id == StreamRun.run_id)
        .where(StreamRun.stream.in_(sorted(streams)), SyncRun.finished_at <= as_of)
        .subquery()
    )
    waiting = select(Quarantined.source, Quarantined.stream).where(
        Quarantined.stream.in_(sorted(streams)),
        Quarantined.first_at <= as_of,
        or_(Quarantined.resolved_at.is_(None), Quarantined.resolved_at > as_of),
    )
    quarantined = {(source, stream) for source, stream in session.execute(waiting.distinct())}
    rows = session.execute(select(runs).where(runs.c.n == 1).order_by(runs.c.source, runs.c.stream))
    return [
        Reading(
            source=row.source,
            stream=row.stream,
            whole=row.status == "done",
            started_at=row.started_at,
            finished_at=row.finished_at,
            in_quarantine=(row.source, row.stream) in quarantined,
        )
        for row in rows
    ]


def provisional(readings: list[Reading], period: Period, as_of: datetime) -> tuple[Provisional, ...]:
    """What makes a figure of `period` provisional, judged by the last readings of its streams.

    A reading that began before the end of the period may have passed by what happened in the meantime, so it counts
    as one from before the end.
    """
    is_over = as_of >= period.end
    found = [] if is_over else [Provisional(None, None, OPEN)]
    if not readings:
        found.append(Provisional(None, None, NEVER))
    for reading in readings:
        if not reading.whole:
            why = NOT_WHOLE
        elif reading.in_quarantine:
            why = IN_QUARANTINE
        elif is_over and reading.started_at < period.end:
            why = BEFORE_THE_END
        else:
            continue
        found.append(Provisional(reading.source, reading.stream, why, reading.finished_at))
    return tuple(found)
