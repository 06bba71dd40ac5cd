"""The companion plugin's way: every field against the organisation's own objects, what changes, and what goes wrong."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors import models
from connectors.conformance import make_store
from connectors.models import (
    Activity,
    ActivityCompletion,
    Badge,
    Completion,
    Enrolment,
    LearningAttempt,
    Result,
    SourceUser,
    StreamRun,
    StreamState,
    SurveyAnswer,
    SyncRun,
)
from connectors.moodle.connector import MoodleConnector
from connectors.moodle.demo.access import PASS_MARKS, PLUGIN
from connectors.moodle.demo.records import PRACTICAL_MAXIMUM
from connectors.records import Record
from connectors.sync import Wanted, sync
from plugin.store import Store
from tests.connectors.book import ZONE, Book, Site, running_site

DAY = 86400
TABLES = (
    models.SourceUser,
    models.Category,
    models.Course,
    models.Enrolment,
    models.Completion,
    models.ActivityCompletion,
    models.Activity,
    models.Result,
    models.LearningAttempt,
    models.Cohort,
    models.CohortMember,
    models.Badge,
    models.Competency,
    models.CompetencyRating,
    models.LearningPlan,
    models.Survey,
    models.SurveyAnswer,
)
OURS = {"id", "first_seen_at", "closed_at", "missing_pass", "unbound_reason"}
UNTOLD = {"last_access_at", "started_at"}  # no event of Moodle's tells of these: the daily comparison brings them


@pytest.fixture
def way(site: Site, book: Book) -> Iterator["Way"]:
    """A site with the plugin, and a book that was pulled from it once."""
    made = Way(site, book)
    assert made.pull().status == "done"
    yield made


class Way:
    """A site and a book that is pulled from it by the plugin."""

    def __init__(self, site: Site, book: Book) -> None:
        self.site, self.book = site, book
        self.organisation = site.organisation
        self.fire = site.organisation.find_course("FIRE").id

    def pull(self, full: bool = False, **settings: Any) -> Any:
        """Pull what changed, or everything, an hour later on both sides."""
        self.book.later()
        self.organisation.now += 3600
        connector = self.site.connector(PLUGIN.token, **settings)
        wanted = Wanted(full=full, compare_at="never")
        try:
            result = sync(self.book.store, connector, lambda: self.book.now, ZONE, wanted=wanted)
            self.calls = connector.usage().calls
        finally:
            connector.close()
        return result

    def learners(self, number: int) -> list[int]:
        """Some who are active in Fire safety."""
        users = [user for user in self.organisation.enrolments[self.fire] if self.organisation.active(user, self.fire)]
        return users[:number]

    def is_whole(self) -> None:
        """What stands in the book is what a book says that is pulled from the site for the first time."""
        fresh = standing(self.site)
        for table in TABLES:
            assert rows_of(self.book, table) == fresh[table], table.__tablename__


def rows_of(book: Book, table: Any) -> list[tuple[Any, ...]]:
    """What stands in a table, without what differs from book to book."""
    names = [column.name for column in table.__table__.columns if column.name not in OURS | UNTOLD]
    rows = book.all(table, closed_at=None)
    return sorted((tuple(str(getattr(row, name)) for name in names) for row in rows), key=str)


def standing(site: Site) -> dict[Any, list[tuple[Any, ...]]]:
    """What a fresh book says after one pull."""
    folder = site.folder / "fresh"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.db*"):
        old.unlink()
    fresh = Book(make_store(folder))
    fresh.pull(site.connector(PLUGIN.token))
    found = {table: rows_of(fresh, table) for table in TABLES}
    fresh.store.close()
    return found


def at(seconds: int | None) -> datetime | None:
    """A moment of the organisation's."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def records(connector: MoodleConnector, stream: str) -> list[Record]:
    """What one full pass of a stream brings."""
    (found,) = [one for one in connector.streams() if one.name == stream]
    made = [found.parse(raw.value) for page in found.pull(None) for raw in page.raws]
    connector.close()
    return made


def test_every_stream_comes_by_the_plugin(way: Way) -> None:
    """With the plugin's service every stream is read its way, nothing is hidden, and every table has rows."""
    connector = way.site.connector(PLUGIN.token)
    assert {(choice.way, choice.hidden, choice.fresh) for choice in connector.choices().values()} == {
        ("plugin", (), "each_pull")
    }
    connector.close()
    assert {row.way for row in way.book.all(StreamRun)} == {"plugin"}
    assert all(way.book.all(table) for table in TABLES)


def test_enrolments_of_all_methods_are_one(way: Way) -> None:
    """Two methods make one enrolment: active, since the first began, with both names; suspended and over ones are not active."""
    organisation, course = way.organisation, {"course_key": str(way.fire)}
    user, _ = organisation.edge_cases["two_methods"]
    row = way.book.one(Enrolment, user_key=str(user), **course)
    methods = organisation.enrolments[way.fire][user]
    assert (row.active, row.methods) == (True, "manual,self")
    assert row.enrolled_at == at(min(one.created for one in methods))
    assert row.starts_at == at(min(one.start for one in methods))
    for edge in ("suspended_enrolment", "expired_enrolment"):
        user, _ = organisation.edge_cases[edge]
        assert way.book.one(Enrolment, user_key=str(user), **course).active is False
    over, _ = organisation.edge_cases["expired_enrolment"]
    assert way.book.one(Enrolment, user_key=str(over), **course).ends_at == at(
        organisation.enrolments[way.fire][over][0].end
    )


def test_completions_of_people_who_left_too(way: Way) -> None:
    """Whoever completed comes with their completion, whether enrolled, suspended, unenrolled or deleted since."""
    wanted = {
        (str(course.id), str(user), at(done))
        for course in way.organisation.courses.values()
        if course.completion
        for user in way.organisation.known_in(course.id)
        if (done := way.organisation.completed_at(user, course.id))
    }
    assert {(row.course_key, row.user_key, row.completed_at) for row in way.book.all(Completion)} == wanted
    user, course = way.organisation.edge_cases["unenrolled_after_completion"]
    assert way.book.one(Completion, user_key=str(user), course_key=str(course))


def test_results_are_those_of_the_plain_functions(way: Way, empty_database: Any, tmp_path: Any) -> None:
    """Switching from plain functions to the plugin neither doubles nor closes a result, an activity or a completion."""
    shutil.copy(empty_database, tmp_path / "switch.db")
    switched = Book(Store(f"sqlite:///{tmp_path}/switch.db"))
    switched.pull(way.site.connector(PASS_MARKS.token))
    before = {model: rows_of(switched, model) for model in (Result, Completion)}
    for _ in range(2):
        switched.later()
        switched.pull(way.site.connector(PLUGIN.token))
    for model, rows in before.items():
        assert set(rows) <= set(rows_of(switched, model))
        assert not [row for row in switched.all(model) if row.closed_at]
    assert rows_of(switched, Result) == rows_of(way.book, Result)
    assert rows_of(switched, Activity) == rows_of(way.book, Activity)
    switched.store.close()


def test_pass_marks_and_bounds_are_exact(way: Way) -> None:
    """Quizzes and practicals come with their own pass marks and course modules, totals with each user's own maximum."""
    for course in way.organisation.courses.values():
        quiz = way.book.one(Activity, object=f"quiz-{course.number}")
        assert (quiz.pass_mark, quiz.module_key, quiz.kind) == (course.pass_mark, str(course.quiz_cmid), "quiz")
        assert way.book.one(Activity, object=f"prac-{course.number}").pass_mark == 25
    totals = {row.maximum for row in way.book.all(Result) if int(row.activity_key) % 3 == 1}
    assert {Decimal(100), Decimal(100 + PRACTICAL_MAXIMUM)} <= totals


def test_attempts_are_scaled_to_the_quiz(way: Way) -> None:
    """An attempt's marks of 10 become the points of its quiz, and bear its course module."""
    for row in way.book.all(LearningAttempt):
        course = way.organisation.courses[int(row.course_key)]
        done = way.organisation.learning_of(int(row.user_key), course.id)
        assert (row.score, row.maximum, row.module_key) == (done.quiz, course.quiz_maximum, str(course.quiz_cmid))


def test_anonymous_answers_stay_anonymous(way: Way) -> None:
    """Answers of the anonymous survey have neither user nor time, those of the other one both."""
    for row in way.book.all(SurveyAnswer):
        assert (row.user_key is None, row.answered_at is None) == (
            (True, True) if row.survey_key == "2" else (False, False)
        )
        assert len(row.answers) == 4


def test_nothing_changed_costs_two_calls(way: Way) -> None:
    """When nothing has changed, what the token may do and one page of the log is all that is asked; nothing is read."""
    result = way.pull()
    assert (way.calls, {name: vars(counts) for name, counts in result.streams.items()}) == (
        2,
        {name: {"created": 0, "updated": 0, "closed": 0} for name in result.streams},
    )


def test_what_changed_shows_at_the_next_pull(way: Way) -> None:
    """Unenrolled, suspended, regraded, reset, completed late, renamed, deleted: one pull of changes, and all is as in a fresh book."""
    organisation, fire = way.organisation, way.fire
    users = way.learners(7)
    organisation.unenrol(users[0], fire)
    organisation.suspend_enrolment(users[1], fire)
    organisation.set_grade(users[2], fire, 12.5, organisation.now)
    organisation.reset_course(users[3], fire)
    organisation.complete(users[4], fire, organisation.now - 600 * DAY)
    organisation.rename_user(users[5], "Renamed", "Person")
    organisation.delete_user(users[6], organisation.now)
    organisation.enrol(users[0], organisation.find_course("EXPORT").id, organisation.now)
    result = way.pull()
    assert result.status == "done"
    assert not any(row.whole for row in result.runs.values())
    way.is_whole()
    assert way.book.one(SourceUser, user_key=str(users[6])).closed_at
    assert way.calls < 20


def test_a_course_reset_for_everybody_is_read_again(way: Way) -> None:
    """When Moodle resets a course, no event names who lost what: the course is read again, and what is gone is closed at once."""
    before = len(way.book.all(Completion, course_key=str(way.fire)))
    way.organisation.clear_course(way.fire)
    way.pull()
    closed = [row for row in way.book.all(Completion, course_key=str(way.fire)) if row.closed_at]
    assert len(closed) == before > 10
    way.is_whole()
    way.pull()
    assert way.calls == 2  # it is not read again and again


def test_an_enrolment_that_ends_by_itself_shows(way: Way) -> None:
    """An enrolment whose end has come is not active any more, though no event told."""
    (user,) = way.learners(1)
    way.organisation.enrol(user, way.fire, way.organisation.now - DAY, end=way.organisation.now + 2 * 3600 + 60)
    for one in way.organisation.enrolments[way.fire][user]:
        one.end = way.organisation.now + 2 * 3600 + 60
    course = {"course_key": str(way.fire), "user_key": str(user)}
    way.pull()
    assert way.book.one(Enrolment, **course).active is True
    way.pull()
    way.pull()
    assert way.book.one(Enrolment, **course).active is False


def test_an_entry_that_becomes_visible_late_is_not_lost(way: Way) -> None:
    """Entries of the last five minutes are read again: one that could not be seen though later ones could is applied after all."""
    first, second = way.learners(2)
    way.organisation.unenrol(first, way.fire)
    way.organisation.suspend_enrolment(second, way.fire)
    way.organisation.now -= 3600  # the log is read within five minutes
    way.site.faults.add("late_entry", function="local_certbridge_get_changes")
    way.pull()
    course = {"course_key": str(way.fire)}
    assert way.book.one(Enrolment, user_key=str(first), **course).closed_at is None
    assert way.book.one(Enrolment, user_key=str(second), **course).active is False
    way.pull()
    assert way.book.one(Enrolment, user_key=str(first), **course).closed_at


def test_a_trimmed_log_begins_a_full_pass(way: Way) -> None:
    """When the log does not reach back to what was read last, everything is compared, and nothing is missed."""
    users = way.learners(3)
    for user in users:
        way.organisation.suspend_enrolment(user, way.fire)
    way.organisation.log.trim(2)
    result = way.pull()
    assert result.runs["users"].read > 50
    way.is_whole()


@pytest.mark.parametrize("change", ["epoch", "restored"])
def test_another_log_begins_a_full_pass(way: Way, change: str) -> None:
    """A log of another epoch, or one that has gone back, as after a restored backup, begins a full pass; its cursor grows."""
    users = way.learners(3)
    for user in users:
        way.organisation.suspend_enrolment(user, way.fire)
    way.pull()
    before = {row.stream: tuple(row.cursor) for row in way.book.all(StreamState)}
    if change == "epoch":
        way.organisation.log.restart("another")
    else:
        way.organisation.log.clear()
    for one in way.organisation.enrolments[way.fire][users[0]]:
        one.suspended = False  # what the log does not tell
    result = way.pull()
    assert result.runs["enrolments"].read > 50
    assert way.book.one(Enrolment, course_key=str(way.fire), user_key=str(users[0])).active is True
    after = {row.stream: tuple(row.cursor) for row in way.book.all(StreamState)}
    assert all(after[name] > before[name] for name in before)
    way.pull()
    assert way.calls == 2


def test_backdated_and_untold_changes_are_found_by_the_full_comparison(way: Way) -> None:
    """What no event tells, such as a row wiped in the database, is closed when missing twice in a comparison of everything."""
    (user,) = way.learners(1)
    del way.organisation.enrolments[way.fire][user]
    way.pull()
    row = {"course_key": str(way.fire), "user_key": str(user)}
    assert way.book.one(Enrolment, **row).closed_at is None
    way.pull(full=True)
    assert way.book.one(Enrolment, **row).closed_at is None
    way.pull(full=True)
    assert way.book.one(Enrolment, **row).closed_at


def test_a_row_that_goes_while_pages_are_read_is_gone_at_the_next_pull(way: Way) -> None:
    """Who is unenrolled while everything is read may still come with it; the log tells at the next pull."""
    way.site.faults.add("row_goes", function="local_certbridge_get_enrolments", users=3)
    way.pull(full=True)
    way.pull()
    way.is_whole()


@pytest.mark.parametrize("function", ["local_certbridge_get_users", "local_certbridge_get_changes"])
def test_a_page_that_leads_back_ends_the_stream(way: Way, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that names itself as the next one is refused with the function's name instead of being read for ever."""
    monkeypatch.setattr("connectors.moodle.plugin.PAGE", 20)
    way.site.faults.add("leads_back", function=function, after=int(function.endswith("users")))
    result = way.pull(full=function.endswith("users"))
    assert result.status == "partial"
    assert function in result.messages[0]
    assert way.pull().status == "done"


def test_long_logs_are_read_in_pages(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is more in the log than fits on a page, every stream reads on by itself, and nothing is missed."""
    monkeypatch.setattr("connectors.moodle.plugin.PAGE", 7)
    for user in way.learners(12):
        way.organisation.set_grade(user, way.fire, 55, way.organisation.now)
        way.organisation.suspend_enrolment(user, way.fire)
    way.pull()
    monkeypatch.setattr("connectors.moodle.plugin.PAGE", 5000)
    way.is_whole()


def test_badges_and_attempts_that_are_taken_back_close(way: Way) -> None:
    """Who loses what they were given, as by a reset of First aid, has neither badge nor attempt there any more."""
    aid = way.organisation.find_course("AID").id
    user = next(int(row.user_key) for row in way.book.all(Badge))
    way.organisation.reset_course(user, aid)
    way.pull()
    assert way.book.one(Badge, user_key=str(user)).closed_at
    assert all(row.closed_at for row in way.book.all(LearningAttempt, user_key=str(user), course_key=str(aid)))
    assert all(row.closed_at for row in way.book.all(ActivityCompletion, user_key=str(user), course_key=str(aid)))


def test_without_the_plugin_the_next_best_way_is_taken_and_said(tmp_path: Any) -> None:
    """Where the plugin is not installed, or switched off here, each stream's choice says so."""
    with running_site(tmp_path) as site:
        connector = site.connector(PASS_MARKS.token)
        choice = connector.choices()["enrolments"]
        assert (choice.way, choice.lacking["plugin"]) == ("functions", "not_installed")
        connector.close()
        connector = site.connector(PLUGIN.token, ways=["functions"])
        assert {one.lacking["plugin"] for one in connector.choices().values()} == {"switched_off"}
        connector.close()
        site.organisation.log.installed = False
        connector = site.connector(PLUGIN.token)
        assert {one.lacking["plugin"] for one in connector.choices().values()} == {"not_installed"}
        connector.close()


@pytest.mark.parametrize(
    ("settings", "ends"),
    [({}, datetime(2027, 3, 1, tzinfo=UTC)), ({"token_until": "2027-02-01"}, datetime(2027, 2, 1, tzinfo=UTC))],
)
def test_when_the_token_ends_is_known(way: Way, settings: dict[str, Any], ends: datetime) -> None:
    """A pull that reads everything is told by the plugin when its token ends; the settings may name an earlier day."""
    way.organisation.token_until = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp())
    way.pull(full=True, **settings)
    assert way.book.all(SyncRun)[-1].token_until == ends
