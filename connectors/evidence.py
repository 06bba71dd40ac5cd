"""Evidence: what pulled rows mean for persons, once their account is bound to one.

Each function below that names rows gives a query; `record` brings the evidence of its rows in line with them:
what is missing is added, what says something else than its row is voided as superseded and recorded anew.
Evidence of rows that have vanished at their source stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Executable, insert, select, tuple_, update
from sqlalchemy.orm import Session

from connectors.models import Activity, Completion, Course, Evidence, Identity, Result
from plugin import people
from plugin.store import chunks, hold

CONTENT = ("object", "course", "category", "achieved_at", "percent", "success", "verb", "level", "hours")
# Rows that leave out different columns are inserted together: without this each run of alike ones is a statement.
AS_ONE = {"render_nulls": True}
FURTHEST = Decimal("99999.9999")  # what the store can hold
BINDING = "identities"  # held alone while accounts are bound, shared while evidence is made
SUPERSEDED = "superseded"
UNBOUND = "unbound"

Queries = Iterator[Executable]

_COMPLETIONS = (
    select(Completion, Course, Identity.person_id)
    .join(Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key))
    .join(Identity, (Identity.source == Completion.source) & (Identity.user_key == Completion.user_key))
    .where(Identity.unbound_at.is_(None))
    .order_by(Completion.id)
)
_RESULTS = (
    select(Result, Activity, Course, Identity.person_id)
    .join(Activity, (Activity.source == Result.source) & (Activity.activity_key == Result.activity_key))
    .join(Course, (Course.source == Activity.source) & (Course.course_key == Activity.course_key))
    .join(Identity, (Identity.source == Result.source) & (Identity.user_key == Result.user_key))
    .where(Identity.unbound_at.is_(None))
    .order_by(Result.id)
)


def completions(source: str, keys: Sequence[tuple[Any, ...]]) -> Queries:
    """The completions under (course, user, moment)."""
    columns = tuple_(Completion.course_key, Completion.user_key, Completion.completed_at)
    return (_COMPLETIONS.where(Completion.source == source, columns.in_(chunk)) for chunk in chunks(keys))


def completions_of_users(source: str, user_keys: Iterable[str]) -> Queries:
    """All completions of these accounts."""
    return (
        _COMPLETIONS.where(Completion.source == source, Completion.user_key.in_(chunk)) for chunk in chunks(user_keys)
    )


def completions_of_courses(source: str, course_keys: Iterable[str]) -> Queries:
    """All completions of these courses."""
    return (
        _COMPLETIONS.where(Completion.source == source, Completion.course_key.in_(chunk))
        for chunk in chunks(course_keys)
    )


def results(source: str, keys: Sequence[tuple[Any, ...]]) -> Queries:
    """The results under (activity, user, submission)."""
    columns = tuple_(Result.activity_key, Result.user_key, Result.submission)
    return (_RESULTS.where(Result.source == source, columns.in_(chunk)) for chunk in chunks(keys))


def results_of_users(source: str, user_keys: Iterable[str]) -> Queries:
    """All results of these accounts."""
    return (_RESULTS.where(Result.source == source, Result.user_key.in_(chunk)) for chunk in chunks(user_keys))


def results_of_activities(source: str, activity_keys: Iterable[str]) -> Queries:
    """All results of these activities."""
    return (_RESULTS.where(Result.source == source, Result.activity_key.in_(chunk)) for chunk in chunks(activity_keys))


def results_of_courses(source: str, course_keys: Iterable[str]) -> Queries:
    """All results of these courses."""
    return (_RESULTS.where(Result.source == source, Activity.course_key.in_(chunk)) for chunk in chunks(course_keys))


def record(session: Session, now: datetime, queries: Queries) -> None:
    """Bring the evidence of the rows that `queries` give in line with them, and touch the persons concerned."""
    # An account may be bound at the same time by another pull: whoever is later must see what the other one stored.
    hold(session, BINDING, shared=True)
    for query in queries:
        for rows in session.execute(query).partitions(2000):
            wanted = [piece for row in rows for piece in _pieces(row)]
            _write(session, wanted, now)


def void_of_user(session: Session, source: str, user_key: str, person_id: int, now: datetime) -> None:
    """Void what an account proved about a person that it is not bound to any more."""
    session.execute(
        update(Evidence)
        .where(
            Evidence.source == source,
            Evidence.user_key == user_key,
            Evidence.person_id == person_id,
            Evidence.voided_at.is_(None),
        )
        .values(voided_at=now, void_reason=UNBOUND),
        execution_options={"synchronize_session": False},
    )
    people.touch(session, [person_id])


def percent(score: Decimal, minimum: Decimal, maximum: Decimal) -> Decimal | None:
    """The score as a percentage of the way from minimum to maximum, to four places; None where there is no way."""
    if maximum <= minimum:
        return None
    share = (score - minimum) * 100 / (maximum - minimum)
    return min(max(share, -FURTHEST), FURTHEST).quantize(Decimal("0.0001"))


def _pieces(row: Any) -> list[dict[str, Any]]:
    """The evidence in a row of _COMPLETIONS or _RESULTS."""
    pulled, course = row[0], row[-2]
    piece = dict.fromkeys(CONTENT)
    piece |= {
        "person_id": row[-1],
        "source": pulled.source,
        "user_key": pulled.user_key,
        "course": course.object,
        "category": course.category,
    }
    if isinstance(pulled, Completion):
        piece |= {
            "origin": f"completion:{pulled.id}",
            "kind": "completed",
            "object": course.object,
            "achieved_at": pulled.completed_at,
        }
        return [piece]
    activity: Activity = row[1]
    target = course.object if activity.kind == "course" else activity.object
    share = percent(pulled.score, pulled.minimum, pulled.maximum)
    piece |= {
        "origin": f"result:{pulled.id}",
        "kind": "score",
        "object": target,
        "achieved_at": pulled.achieved_at,
        "percent": share,
    }
    if activity.pass_mark is None or activity.pass_mark <= 0:
        return [piece]
    return [piece, {**piece, "kind": "passed", "success": pulled.score >= activity.pass_mark}]


def _write(session: Session, wanted: list[dict[str, Any]], now: datetime) -> None:
    standing: dict[tuple[int, str, str], Evidence] = {}
    for origins in chunks({piece["origin"] for piece in wanted}):
        for found in session.scalars(
            select(Evidence).where(Evidence.origin.in_(origins), Evidence.voided_at.is_(None))
        ):
            standing[found.person_id, found.origin, found.kind] = found
    new = []
    superseded = []
    for piece in wanted:
        identity = (piece["person_id"], piece["origin"], piece["kind"])
        if identity not in standing:
            new.append(piece)
            continue
        found = standing.pop(identity)
        if any(getattr(found, name) != piece[name] for name in CONTENT):
            superseded.append(found)
            new.append(piece)
    # What is left of a row that was asked for: it passed as long as there was a pass mark, and there is none now.
    superseded += standing.values()
    for ids in chunks(found.id for found in superseded):
        session.execute(
            update(Evidence).where(Evidence.id.in_(ids)).values(voided_at=now, void_reason=SUPERSEDED),
            execution_options={"synchronize_session": False},
        )
    if new:
        session.execute(insert(Evidence), [{**piece, "recorded_at": now} for piece in new], execution_options=AS_ONE)
    people.touch(session, {piece["person_id"] for piece in new} | {found.person_id for found in superseded})
