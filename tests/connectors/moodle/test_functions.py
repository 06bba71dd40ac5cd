"""The streams that plain functions read beside the central ones, over real HTTP to the sandbox site."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from connectors.models import Badge, CohortMember, SurveyAnswer
from connectors.moodle.demo.access import PASS_MARKS
from connectors.moodle.errors import MoodleError
from connectors.moodle.settings import HeavyStream
from connectors.records import (
    ActivityCompletionRecord,
    AttemptRecord,
    BadgeRecord,
    CategoryRecord,
    CohortMemberRecord,
    CohortRecord,
    CompetencyRatingRecord,
    CompetencyRecord,
    LearningPlanRecord,
    Record,
    SurveyAnswerRecord,
    SurveyRecord,
)
from connectors.streams import Between
from tests.connectors.book import Book, Site, lacking, running_site
from tests.connectors.moodle.test_reports import change

HEAVY: tuple[HeavyStream, ...] = ("activity_completions", "attempts", "badges", "competencies", "plans")


def at(seconds: int | None) -> datetime | None:
    """A moment of the organisation's."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def records(site: Site, name: str, token: str = PASS_MARKS.token) -> list[Record]:
    """What one pass of a stream brings."""
    connector = site.connector(token, streams=HEAVY)
    (found,) = [one for one in connector.streams() if one.name == name]
    made = [found.parse(raw.value) for page in found.pull(None) for raw in page.raws]
    connector.close()
    return made


def test_categories(site: Site) -> None:
    """Every category comes with its name, at the top."""
    assert records(site, "categories") == [
        CategoryRecord(str(one.id), one.name, idnumber=found.idnumber, visible=found.visible)  # type: ignore[union-attr]
        for one, found in zip(site.organisation.categories, records(site, "categories"), strict=True)
    ]


def test_cohorts_and_members(site: Site) -> None:
    """Cohorts come with their members, without times, in two calls."""
    found = records(site, "cohorts")
    cohorts = site.organisation.cohorts
    assert [one for one in found if isinstance(one, CohortRecord)] == [
        CohortRecord(str(one.id), one.name, one.idnumber) for one in cohorts
    ]
    assert {one for one in found if isinstance(one, CohortMemberRecord)} == {
        CohortMemberRecord(str(one.id), str(member)) for one in cohorts for member in one.members
    }


def test_a_cohort_deleted_between_the_calls(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moodle fails the call for all members when one cohort is gone: it is asked once more, without that one."""
    organisation = site.organisation

    def deleting(answer: Any, _arguments: Any) -> Any:
        if len(organisation.cohorts) == 5:
            organisation.cohorts.pop()
        return answer

    change(monkeypatch, "core_cohort_get_cohorts", deleting)
    assert len([one for one in records(site, "cohorts") if isinstance(one, CohortRecord)]) == 4


def test_badges(site: Site) -> None:
    """Everybody's badges come with issue and expiry, called by their name; the guest, whom Moodle refuses, is passed over."""
    organisation = site.organisation
    aid = organisation.find_course("AID").id
    found = [one for one in records(site, "badges") if isinstance(one, BadgeRecord)]
    assert {(int(one.user_key), one.issued_at) for one in found} == {
        (user.id, at(organisation.completed_at(user.id, aid)))
        for user in organisation.present_users()
        if organisation.active(user.id, aid) and organisation.completed_at(user.id, aid)
    }
    assert {one.object for one in found} == {"First aider 急救员"}


def test_a_badge_that_was_revoked_is_closed(site: Site, book: Book) -> None:
    """What an account no longer has is closed when it was missing twice; the badges of the others stay."""
    book.pull(site.connector(streams=["badges"]))
    row = book.all(Badge)[0]
    site.organisation.reset_course(int(row.user_key), site.organisation.find_course("AID").id)
    for _ in range(2):
        book.later(days=1)
        book.pull(site.connector(streams=["badges"]))
    assert [one.user_key for one in book.all(Badge) if one.closed_at] == [row.user_key]


def test_plans(site: Site) -> None:
    """Everybody's plans come with status and due date."""
    found = records(site, "plans")
    assert found
    assert {(one.plan_key, one.user_key) for one in found if isinstance(one, LearningPlanRecord)} == {
        (str(user.id), str(user.id)) for user in site.organisation.learners() if user.id % 10 == 0
    }
    assert {one.status for one in found if isinstance(one, LearningPlanRecord)} == {"active"}


def test_competencies_and_ratings(site: Site) -> None:
    """Competencies are called FRAMEWORK/COMPETENCY; who was never rated, whom Moodle shows with nulls, has no rating."""
    organisation = site.organisation
    found = records(site, "competencies")
    assert {one.object for one in found if isinstance(one, CompetencyRecord)} == {f"FW1/COMP-{n}" for n in range(1, 5)}
    loto = organisation.find_course("LOTO").id
    assert {one for one in found if isinstance(one, CompetencyRatingRecord)} == {
        CompetencyRatingRecord("2", str(user.id), "", Decimal(2), True, done)
        for user in organisation.present_users()
        if (done := at(organisation.completed_at(user.id, loto)))
    }


def test_activity_completions(site: Site) -> None:
    """What active users completed, passed or failed comes with its moment; courses without completion have none."""
    organisation = site.organisation
    found = [one for one in records(site, "activity_completions") if isinstance(one, ActivityCompletionRecord)]
    pages = {(one.module_key, one.user_key): one.completed_at for one in found if one.state == "complete"}
    for course in organisation.courses.values():
        for user in organisation.enrolments[course.id]:
            done = organisation.learning_of(user, course.id).page_at
            seen = organisation.active(user, course.id) and course.completion and done
            assert pages.get((str(course.page_cmid), str(user))) == (at(done) if seen else None)
    assert {one.state for one in found} == {"complete", "passed", "failed"}


def test_attempts(site: Site) -> None:
    """Attempts come in the points of their quiz, whatever its questions add up to."""
    organisation = site.organisation
    found = {(one.course_key, one.user_key): one for one in records(site, "attempts") if isinstance(one, AttemptRecord)}
    assert found
    for (course_key, user_key), attempt in found.items():
        course = organisation.courses[int(course_key)]
        done = organisation.learning_of(int(user_key), course.id)
        assert done.quiz is not None
        assert (attempt.module_key, attempt.number, attempt.state) == (str(course.quiz_cmid), 1, "finished")
        assert (attempt.score, attempt.maximum) == (round(Decimal(done.quiz), 5), course.quiz_maximum)
        assert attempt.finished_at == at(done.quiz_at)


def test_surveys_and_anonymous_answers(site: Site) -> None:
    """Named answers say who and when, anonymous ones neither; questions come with their options."""
    found = records(site, "surveys")
    named, anonymous = [one for one in found if isinstance(one, SurveyRecord)]
    assert (named.anonymous, anonymous.anonymous) == (False, True)
    assert [question["label"] for question in named.questions] == ["SAT", "NPS", "REC", "COM"]
    assert named.questions[2]["options"] == ["Yes", "No"]
    answers = [one for one in found if isinstance(one, SurveyAnswerRecord)]
    for one in answers:
        assert (one.user_key is None) is (one.survey_key == anonymous.survey_key)
        assert (one.answered_at is None) is (one.survey_key == anonymous.survey_key)
    for number, given in site.organisation.feedback.items():
        for one in given:
            (shown,) = [answer for answer in answers if answer.answer_key == str(one.id)]
            assert shown.survey_key == str(number)
            assert list(shown.answers.values()) == [
                str(one.satisfaction), str(one.score), str(one.recommends), one.comment,
            ]  # fmt: skip


def test_answers_come_page_by_page(site: Site, monkeypatch: pytest.MonkeyPatch, book: Book) -> None:
    """More answers than one call gives are read to the end."""
    monkeypatch.setattr("connectors.moodle.functions_surveys.ANSWERS_AT_ONCE", 2)
    book.pull(site.connector())
    assert len(book.all(SurveyAnswer)) == sum(map(len, site.organisation.feedback.values()))


def test_heavy_streams_are_pulled_on_demand(site: Site) -> None:
    """What needs a call for each account is left out, and said to be switched off, until the settings name it."""
    plain = site.connector()
    assert not {one.name for one in plain.streams()} & set(HEAVY)
    assert {plain.choices()[name].lacking["functions"] for name in HEAVY} == {"switched_off"}
    full = site.connector(streams=HEAVY)
    assert {one.name for one in full.streams()} >= set(HEAVY)


def test_what_a_token_lacks_is_said(tmp_path: Any) -> None:
    """A stream beside the central ones whose function is not in the service is left out with that reason."""
    with running_site(tmp_path, lacking("mine", functions=frozenset({"core_cohort_get_cohort_members"}))) as site:
        assert site.connector("mine").choices()["cohorts"].lacking["functions"] == "missing_function"


def test_a_missing_right_fails_the_stream_and_closes_nothing(tmp_path: Any, book: Book) -> None:
    """Without moodle/cohort:view the stream fails; what was known stays."""
    with running_site(tmp_path, lacking("mine", "moodle/cohort:view")) as site:
        book.pull(site.connector())
        members = len(book.all(CohortMember))
        for _ in range(2):
            book.later(days=1)
            assert book.pull(site.connector("mine")).status == "partial"
        assert len(book.all(CohortMember, closed_at=None)) == members > 0
        with pytest.raises(MoodleError):
            records(site, "cohorts", "mine")


def test_steps_by_account_cover_every_account(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of accounts lie side by side from the first id to the last and beyond, so that none that is gone is missed."""
    monkeypatch.setattr("connectors.moodle.functions_reading.PerUser.accounts_at_once", 9)
    (badges,) = [one for one in site.connector(streams=["badges"]).streams() if one.name == "badges"]
    within = [page.scope.within for page in badges.pull(None) if page.scope]
    assert len(within) > 3
    assert all(isinstance(one, Between) for one in within)
    edges = [(one.after, one.upto) for one in within if isinstance(one, Between)]
    assert edges[0][0] == 0
    assert edges[-1][1] is None
    assert all(first[1] == second[0] for first, second in pairwise(edges))
