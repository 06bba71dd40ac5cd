"""What follows from rows that changed: accounts are bound, evidence is made, persons are touched, contents are closed."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from connectors import evidence, identities, proofs
from connectors.changed import Changed, Moment
from connectors.models import (
    Activity,
    ActivityCompletion,
    CompetencyRating,
    Completion,
    Enrolment,
    Identity,
    LearningAttempt,
    Result,
    Survey,
    SurveyAnswer,
)
from connectors.proofs import Rows
from connectors.records import (
    ActivityRecord,
    AttemptRecord,
    BadgeRecord,
    CompetencyRatingRecord,
    CompetencyRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    ResultRecord,
    StatementRecord,
    UserRecord,
)
from plugin import people
from plugin.store import among, chunks

AT_A_TIME = 5_000
# Badges are not among them: what was issued in a course goes on when the course is gone.
IN_COURSES = (
    Enrolment, Completion, Activity, ActivityCompletion, LearningAttempt, CompetencyRating, Survey, SurveyAnswer,
)  # fmt: skip


def carry_on_bindings(session: Session, bound: Mapping[str, Sequence[str]], moment: Moment) -> None:
    """Accounts that were bound just now: what they did before counts for their person from now on."""
    for source, user_keys in bound.items():
        evidence.record_of_users(session, source, user_keys, moment.now)


def _after_users(session: Session, source: str, _changed: Changed, moment: Moment) -> None:
    carry_on_bindings(session, identities.bind(session, moment.now, source), moment)


def _after_courses(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    """A course that has become known, or is called otherwise now, shows in what its completions and grades prove."""
    shown = changed.created + changed.updated
    _record(session, moment, proofs.of_courses(source, [key[0] for key in shown]))
    for keys in chunks(shown, AT_A_TIME):
        activities = select(Activity.activity_key).where(
            Activity.source == source, among(session, (Activity.course_key,), keys)
        )
        _record(session, moment, [proofs.results_of_activities(source, session.scalars(activities).all())])
    for keys in chunks(changed.closed):
        _touch_of(session, source, select(Enrolment.user_key).where(
            Enrolment.source == source, among(session, (Enrolment.course_key,), keys), Enrolment.closed_at.is_(None)
        ))  # fmt: skip
        activities = select(Activity.activity_key).where(
            Activity.source == source, among(session, (Activity.course_key,), keys)
        )
        _close(session, Result, source, Result.activity_key.in_(activities), moment)
        for model in IN_COURSES:  # nobody reads a course that is gone: close what belongs to it with it
            _close(session, model, source, among(session, (model.course_key,), keys), moment)


def _close(session: Session, model: type, source: str, condition: object, moment: Moment) -> None:
    session.execute(
        update(model)
        .where(model.source == source, condition, model.closed_at.is_(None))  # type: ignore[attr-defined,arg-type]
        .values(closed_at=moment.now),
        execution_options={"synchronize_session": False},
    )


def _after_enrolments(session: Session, source: str, changed: Changed, _moment: Moment) -> None:
    for user_keys in chunks({(key[1],) for key in changed.all}, AT_A_TIME):
        persons = select(Identity.person_id).where(
            Identity.source == source, Identity.unbound_at.is_(None), among(session, (Identity.user_key,), user_keys)
        )
        people.touch(session, session.scalars(persons))


def _touch_of(session: Session, source: str, user_keys: Select[str]) -> None:
    """Touch the persons whose these accounts are."""
    persons = select(Identity.person_id).where(
        Identity.source == source, Identity.unbound_at.is_(None), Identity.user_key.in_(user_keys)
    )
    people.touch(session, session.scalars(persons))


def _after_completions(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    evidence.record(session, moment.now, proofs.completions(source, changed.created), fresh=True)
    evidence.record(session, moment.now, proofs.completions(source, changed.updated))


def _after_activities(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    """An activity, or its pass mark, that has become known or changed shows in what its results and attempts prove."""
    keys = [key[0] for key in changed.created + changed.updated]
    _record(session, moment, [proofs.results_of_activities(source, keys)])
    for chunk in chunks(changed.all, AT_A_TIME):
        modules = select(Activity.module_key).where(
            Activity.source == source, Activity.module_key.is_not(None), among(session, (Activity.activity_key,), chunk)
        )
        module_keys = {key for key in session.scalars(modules) if key is not None}
        _record(session, moment, [proofs.attempts_of_modules(source, module_keys)])


def _after_results(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    evidence.record(session, moment.now, proofs.results(source, changed.created), fresh=True)
    evidence.record(session, moment.now, proofs.results(source, changed.updated))


def _after_attempts(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    """Attempts prove what happened; the grade that was made of them, nothing any more."""
    keys = changed.created + changed.updated
    for chunk in chunks(keys, AT_A_TIME):
        of_attempts = LearningAttempt.source == source, among(session, (LearningAttempt.attempt_key,), chunk)
        pairs = select(LearningAttempt.module_key, LearningAttempt.user_key).where(*of_attempts).distinct()
        attempted = [tuple(row) for row in session.execute(pairs)]
        modules = {pair[0] for pair in attempted}
        activities: dict[str, list[str]] = {}
        for part in chunks(modules, AT_A_TIME):
            graded = select(Activity.module_key, Activity.activity_key).where(
                Activity.source == source, among(session, (Activity.module_key,), [(key,) for key in part])
            )
            for module_key, activity_key in session.execute(graded):
                activities.setdefault(module_key or "", []).append(activity_key)
        graded_by = [(activity, user) for module, user in attempted for activity in activities.get(module, ())]
        _record(session, moment, [proofs.results_of(source, graded_by), proofs.attempts(source, chunk)])


def _after_badges(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    _record(session, moment, [proofs.badges(source, changed.all)])


def _after_competencies(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    keys = [key[0] for key in changed.created + changed.updated]
    _record(session, moment, [proofs.ratings_of_competencies(source, keys)])


def _after_ratings(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    _record(session, moment, [proofs.ratings(source, changed.created + changed.updated)])


def _after_statements(session: Session, source: str, changed: Changed, moment: Moment) -> None:
    for rows in proofs.statements(source, changed.created):
        evidence.record(session, moment.now, rows, fresh=True)
    _record(session, moment, proofs.statements(source, changed.updated))


def _record(session: Session, moment: Moment, all_rows: Iterable[Rows]) -> None:
    for rows in all_rows:
        evidence.record(session, moment.now, rows)


FOLLOW_UPS: dict[type, Callable[[Session, str, Changed, Moment], None]] = {
    UserRecord: _after_users,
    CourseRecord: _after_courses,
    EnrolmentRecord: _after_enrolments,
    CompletionRecord: _after_completions,
    ActivityRecord: _after_activities,
    AttemptRecord: _after_attempts,
    ResultRecord: _after_results,
    BadgeRecord: _after_badges,
    CompetencyRecord: _after_competencies,
    CompetencyRatingRecord: _after_ratings,
    StatementRecord: _after_statements,
}
