"""What each kind of pulled row proves: the queries that bring rows with their person, and the evidence that is in a row.

Source of the rules: the table of records and evidence in docs/certification.md.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from connectors.models import (
    Activity,
    Badge,
    Competency,
    CompetencyRating,
    Completion,
    Course,
    Identity,
    LearningAttempt,
    Result,
)
from connectors.statement_models import Statement

CONTENT = ("object", "course", "category", "achieved_at", "percent", "success", "verb", "level", "hours", "authority")
# A piece of evidence is a tuple of these; the first three are its identity, the first two name what it stands for.
COLUMNS = ("person_id", "origin", "kind", "source", "user_key", *CONTENT)
FURTHEST = Decimal("99999.9999")  # what the store can hold
SUPERSEDED, REVOKED, VOIDED = "superseded", "revoked", "voided"
QUIZ, FINISHED = "quiz", "finished"

Piece = tuple[Any, ...]


@dataclass(frozen=True)
class Proof:
    """One kind of row that proves something: how such rows are found, and what one of them proves.

    `read` gives the row's origin, its pieces, and the reason with which those that it proves no more are voided.
    """

    model: Any
    columns: tuple[Any, ...]
    joins: tuple[tuple[Any, Any], ...]
    where: tuple[Any, ...]
    read: Callable[[Any], tuple[str, list[Piece], str]]
    first: tuple[Any, ...] = ()  # of several rows for one, by these the first counts
    outer: bool = False

    def rows(self, picked: CTE) -> Select[Any]:
        """The rows whose ids are in `picked`, joined in the order in which they can be looked up one by one."""
        query = select(*self.columns).select_from(picked).join(self.model, self.model.id == picked.c.id)
        for target, on in self.joins:
            query = query.join(target, on, isouter=self.outer and target is Course)
        return query.where(*self.where).order_by(self.model.id, *self.first)


@dataclass(frozen=True)
class Rows:
    """The rows of a proof, of one source, whose `columns`, all of their own table, hold one of `values`."""

    proof: Proof
    source: str
    columns: tuple[Any, ...]
    values: Collection[tuple[Any, ...]]


def covers(moment: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """The condition that by an identity what its account did at `moment` is the person's: it stands, or did then."""
    return and_(
        or_(Identity.unbound_at.is_(None), Identity.valid_until.is_not(None)),
        or_(Identity.valid_from.is_(None), Identity.valid_from <= moment),
        or_(Identity.valid_until.is_(None), Identity.valid_until > moment),
    )


def percent(score: Decimal, minimum: Decimal, maximum: Decimal) -> Decimal | None:
    """The score as a percentage of the way from minimum to maximum, to four places; None where there is no way."""
    if maximum <= minimum:
        return None
    share = (score - minimum) * 100 / (maximum - minimum)
    return min(max(share, -FURTHEST), FURTHEST).quantize(Decimal("0.0001"))


def _belongs(model: Any) -> ColumnElement[bool]:
    """The condition that an identity is one of the account of a row."""
    return and_(Identity.source == model.source, Identity.user_key == model.user_key)


def _completion(row: Any) -> tuple[str, list[Piece], str]:
    id_, source, user_key, moment, object_, category, person = row
    origin = f"completion:{id_}"
    piece = (person, origin, "completed", source, user_key, object_, object_, category, moment)
    return origin, [(*piece, None, None, None, None, None, None)], SUPERSEDED


def _graded(
    who: tuple[Any, ...], about: tuple[Any, ...], share: Decimal | None, score: Decimal, pass_mark: Decimal | None
) -> list[Piece]:
    """A score, and where a pass mark is known whether it was passed."""
    person, origin, source, user_key = who
    pieces: list[Piece] = [(person, origin, "score", source, user_key, *about, share, None, None, None, None, None)]
    if pass_mark is not None and pass_mark > 0:
        success = score >= pass_mark
        pieces.append((person, origin, "passed", source, user_key, *about, share, success, None, None, None, None))
    return pieces


def _result(row: Any) -> tuple[str, list[Piece], str]:
    (
        id_,
        source,
        user_key,
        score,
        minimum,
        maximum,
        moment,
        object_,
        kind,
        pass_mark,
        attempted,
        course,
        category,
        person,
    ) = row
    origin = f"result:{id_}"
    if attempted:  # the attempts speak for themselves
        return origin, [], SUPERSEDED
    about = (course if kind == "course" else object_, course, category, moment)
    share = percent(score, minimum, maximum)
    return origin, _graded((person, origin, source, user_key), about, share, score, pass_mark), SUPERSEDED


def _attempt(row: Any) -> tuple[str, list[Piece], str]:
    id_, source, user_key, graded, score, maximum, moment, object_, most, pass_mark, course, category, person = row
    origin = f"attempt:{id_}"
    if not graded:
        return origin, [], SUPERSEDED
    share = percent(score, Decimal(0), most if maximum is None else maximum)
    about = (object_, course, category, moment)
    return origin, _graded((person, origin, source, user_key), about, share, score, pass_mark), SUPERSEDED


def _badge(row: Any) -> tuple[str, list[Piece], str]:
    id_, source, user_key, moment, object_, closed_at, course, category, person = row
    origin = f"badge:{id_}"
    if closed_at is not None:
        return origin, [], REVOKED
    piece = (person, origin, "badge", source, user_key, object_, course, category, moment)
    return origin, [(*piece, None, None, None, None, None, None)], SUPERSEDED


def _rating(row: Any) -> tuple[str, list[Piece], str]:
    id_, source, user_key, moment, level, proficient, object_, person = row
    origin = f"competency:{id_}:{moment:%Y-%m-%dT%H:%M:%S}"  # rated again, it is another piece beside this one
    if not proficient:
        return origin, [], SUPERSEDED
    piece = (
        person,
        origin,
        "competency",
        source,
        user_key,
        object_,
        None,
        None,
        moment,
        None,
        None,
        None,
        level,
        None,
        None,
    )
    return origin, [piece], SUPERSEDED


def _statement(row: Any) -> tuple[str, list[Piece], str]:
    """What a statement says of its activity, by the activity's id."""
    id_, source, user_key, object_, _external, *said, voided_at, person = row
    origin = f"statement:{id_}"
    return _said(origin, (person, origin, "statement", source, user_key, object_), said, voided_at)


def _external(row: Any) -> tuple[str, list[Piece], str]:
    """The same, by what the LMS calls the activity by its own number."""
    id_, source, user_key, _object, external, *said, voided_at, person = row
    origin = f"statement:{id_}:external"
    return _said(origin, (person, origin, "statement", source, user_key, external), said, voided_at)


def _said(origin: str, about: tuple[Any, ...], said: list[Any], voided_at: Any) -> tuple[str, list[Piece], str]:
    if voided_at is not None:
        return origin, [], VOIDED
    moment, share, success, verb, authority = said
    return origin, [(*about, None, None, moment, share, success, verb, None, None, authority)], SUPERSEDED


_IS_GRADED = and_(
    LearningAttempt.state == FINISHED, LearningAttempt.score.is_not(None), LearningAttempt.finished_at.is_not(None)
)
_ATTEMPTED = and_(
    Activity.kind == QUIZ,
    select(LearningAttempt.id)
    .where(
        LearningAttempt.source == Result.source,
        LearningAttempt.module_key == Activity.module_key,
        LearningAttempt.user_key == Result.user_key,
        _IS_GRADED,
    )
    .exists(),
)

COMPLETIONS = Proof(
    Completion,
    (
        Completion.id, Completion.source, Completion.user_key, Completion.completed_at,
        Course.object, Course.category, Identity.person_id,
    ),
    (
        (Course, (Course.source == Completion.source) & (Course.course_key == Completion.course_key)),
        (Identity, _belongs(Completion)),
    ),
    (covers(Completion.completed_at),),
    _completion,
)  # fmt: skip
RESULTS = Proof(
    Result,
    (
        Result.id, Result.source, Result.user_key, Result.score, Result.minimum, Result.maximum, Result.achieved_at,
        Activity.object, Activity.kind, Activity.pass_mark, _ATTEMPTED.label("attempted"),
        Course.object.label("course"), Course.category, Identity.person_id,
    ),
    (
        (Activity, (Activity.source == Result.source) & (Activity.activity_key == Result.activity_key)),
        (Course, (Course.source == Activity.source) & (Course.course_key == Activity.course_key)),
        (Identity, _belongs(Result)),
    ),
    (covers(Result.achieved_at),),
    _result,
)  # fmt: skip
ATTEMPTS = Proof(
    LearningAttempt,
    (
        LearningAttempt.id, LearningAttempt.source, LearningAttempt.user_key, _IS_GRADED.label("graded"),
        LearningAttempt.score, LearningAttempt.maximum, LearningAttempt.finished_at,
        Activity.object, Activity.maximum.label("most"), Activity.pass_mark,
        Course.object.label("course"), Course.category, Identity.person_id,
    ),
    (
        (
            Activity,
            (Activity.source == LearningAttempt.source)
            & (Activity.module_key == LearningAttempt.module_key)
            & (Activity.kind == QUIZ),
        ),
        (Course, (Course.source == Activity.source) & (Course.course_key == Activity.course_key)),
        (Identity, _belongs(LearningAttempt)),
    ),
    # One that is not finished has no moment; whose the account is now must do, for it proves nothing.
    (or_(LearningAttempt.finished_at.is_(None), covers(LearningAttempt.finished_at)),),
    _attempt,
    # Of several grade items of one activity the first that stands tells what it is called.
    first=(Activity.closed_at.is_not(None), Activity.id),
)  # fmt: skip
BADGES = Proof(
    Badge,
    (
        Badge.id, Badge.source, Badge.user_key, Badge.issued_at, Badge.object, Badge.closed_at,
        Course.object.label("course"), Course.category, Identity.person_id,
    ),
    (
        (Course, (Course.source == Badge.source) & (Course.course_key == Badge.course_key)),
        (Identity, _belongs(Badge)),
    ),
    (covers(Badge.issued_at),),
    _badge,
    outer=True,
)  # fmt: skip
RATINGS = Proof(
    CompetencyRating,
    (
        CompetencyRating.id, CompetencyRating.source, CompetencyRating.user_key, CompetencyRating.rated_at,
        CompetencyRating.level, CompetencyRating.proficient, Competency.object, Identity.person_id,
    ),
    (
        (
            Competency,
            (Competency.source == CompetencyRating.source)
            & (Competency.competency_key == CompetencyRating.competency_key),
        ),
        (Identity, _belongs(CompetencyRating)),
    ),
    (covers(CompetencyRating.rated_at), CompetencyRating.course_key == ""),
    _rating,
)  # fmt: skip
_OF_STATEMENTS = (
    Statement.id, Statement.source, Statement.user_key, Statement.object, Statement.external, Statement.achieved_at,
    Statement.percent, Statement.success, Statement.verb, Statement.authority, Statement.voided_at, Identity.person_id,
)  # fmt: skip
STATEMENTS = Proof(
    Statement, _OF_STATEMENTS, ((Identity, _belongs(Statement)),), (covers(Statement.achieved_at),), _statement
)
EXTERNALS = Proof(
    Statement,
    _OF_STATEMENTS,
    ((Identity, _belongs(Statement)),),
    (covers(Statement.achieved_at), Statement.external.is_not(None)),
    _external,
)
ALL = (COMPLETIONS, RESULTS, ATTEMPTS, BADGES, RATINGS, STATEMENTS, EXTERNALS)


def completions(source: str, keys: Collection[tuple[Any, ...]]) -> Rows:
    """The completions under (course, user, moment)."""
    return Rows(COMPLETIONS, source, (Completion.course_key, Completion.user_key, Completion.completed_at), keys)


def results(source: str, keys: Collection[tuple[Any, ...]]) -> Rows:
    """The results under (activity, user, submission)."""
    return Rows(RESULTS, source, (Result.activity_key, Result.user_key, Result.submission), keys)


def results_of(source: str, pairs: Collection[tuple[Any, ...]]) -> Rows:
    """The results under (activity, user)."""
    return Rows(RESULTS, source, (Result.activity_key, Result.user_key), pairs)


def attempts(source: str, keys: Collection[tuple[Any, ...]]) -> Rows:
    """The attempts under (attempt,)."""
    return Rows(ATTEMPTS, source, (LearningAttempt.attempt_key,), keys)


def attempts_of_modules(source: str, module_keys: Iterable[str]) -> Rows:
    """All attempts at these activities."""
    return Rows(ATTEMPTS, source, (LearningAttempt.module_key,), [(key,) for key in module_keys])


def badges(source: str, keys: Collection[tuple[Any, ...]]) -> Rows:
    """The badges under (badge, user, moment)."""
    return Rows(BADGES, source, (Badge.badge_key, Badge.user_key, Badge.issued_at), keys)


def ratings(source: str, keys: Collection[tuple[Any, ...]]) -> Rows:
    """The ratings under (competency, user, course)."""
    columns = (CompetencyRating.competency_key, CompetencyRating.user_key, CompetencyRating.course_key)
    return Rows(RATINGS, source, columns, keys)


def statements(source: str, keys: Collection[tuple[Any, ...]]) -> list[Rows]:
    """The statements under (statement id,), by each of the names of their activities."""
    return [Rows(proof, source, (Statement.statement_id,), keys) for proof in (STATEMENTS, EXTERNALS)]


def results_of_activities(source: str, activity_keys: Iterable[str]) -> Rows:
    """All results of these activities."""
    return Rows(RESULTS, source, (Result.activity_key,), [(key,) for key in activity_keys])


def ratings_of_competencies(source: str, competency_keys: Iterable[str]) -> Rows:
    """All ratings in these competencies."""
    return Rows(RATINGS, source, (CompetencyRating.competency_key,), [(key,) for key in competency_keys])


def of_courses(source: str, course_keys: Iterable[str]) -> list[Rows]:
    """What names these courses in its evidence, but for results: those belong to activities."""
    keys = [(key,) for key in course_keys]
    return [Rows(proof, source, (proof.model.course_key,), keys) for proof in (COMPLETIONS, ATTEMPTS, BADGES)]


def of_users(source: str, user_keys: Iterable[str]) -> list[Rows]:
    """Everything that these accounts did."""
    keys = [(key,) for key in user_keys]
    return [Rows(proof, source, (proof.model.user_key,), keys) for proof in ALL]
