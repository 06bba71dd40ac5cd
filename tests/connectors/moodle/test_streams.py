"""Every field that the streams bring, against what the sandbox organisation's own objects say; and what goes wrong."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.models import (
    Activity,
    Completion,
    Course,
    Enrolment,
    Quarantined,
    Result,
    SourceUser,
    StreamRun,
    SyncRun,
)
from connectors.moodle.connector import FUNCTIONS, MoodleConnector
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.records import PRACTICAL_MAXIMUM
from connectors.moodle.demo.registry import registry
from connectors.moodle.functions_completions import Completions
from connectors.records import (
    ActivityRecord,
    CompletionRecord,
    CourseRecord,
    EnrolmentRecord,
    Record,
    ResultRecord,
    UserRecord,
)
from plugin.errors import RecordRefusedError
from tests.connectors.book import Book, Site, lacking, running_site

STATUS = "core_completion_get_course_completion_status"
ENROLLED = "core_enrol_get_enrolled_users"
GRADES = "gradereport_user_get_grade_items"
BEST = "mod_quiz_get_user_best_grade"
DAY = 86400


def at(seconds: int | None) -> datetime | None:
    """A moment of the organisation's."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def records(connector: MoodleConnector, stream: str) -> list[Record]:
    """What one pass of a stream brings."""
    (found,) = [one for one in connector.streams() if one.name == stream]
    made = [found.parse(raw.value) for page in found.pull(None) for raw in page.raws]
    connector.close()
    return made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that these tests only read."""
    with running_site(tmp_path_factory.mktemp("still")) as site:
        yield site


def test_users_are_all_accounts_but_the_deleted(still: Site) -> None:
    """Every account that is not deleted comes with its own name, address, number, department, suspension and own fields."""
    organisation = still.organisation
    assert records(still.connector(), "users") == [
        UserRecord(
            user_key=str(user.id),
            username=user.username,
            idnumber=user.idnumber or None,
            email=user.email,
            name=user.fullname.strip(),
            department=user.department or None,
            suspended=user.suspended,
            custom={"costcentre": user.cost_centre} if user.cost_centre else {},
        )
        for user in organisation.present_users()
    ]
    assert all(organisation.edge_cases[name] for name in ("no_idnumber", "suspended_users", "deleted_users"))


def hide_as_a_real_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave hidden courses out of a user's courses, as a real site does: there it is the user's right that counts."""
    name = "core_enrol_get_users_courses"
    function = registry._functions[name]

    def handler(call: Any, arguments: Any) -> Any:
        return [course for course in function.handler(call, arguments) if course["visible"]]

    monkeypatch.setitem(registry._functions, name, replace(function, handler=handler))


@pytest.mark.parametrize("token", ["sandbox-passmarks", "sandbox-admin"])
def test_courses_with_their_numbers(still: Site, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """Courses come with number and settings, hidden ones too, also by the least rights."""
    hide_as_a_real_site(monkeypatch)
    found = {one.course_key: one for one in records(still.connector(token), "courses") if isinstance(one, CourseRecord)}
    assert set(found) == {str(course_id) for course_id in still.organisation.courses}
    for course in still.organisation.courses.values():
        assert found[str(course.id)] == CourseRecord(
            course_key=str(course.id),
            name=course.fullname,
            idnumber=course.idnumber,
            short_name=course.shortname,
            category=still.organisation.categories[course.category - 1].name,
            completion_enabled=course.completion,
            visible=course.visible,
            starts_at=at(course.start),
            ends_at=None,
            category_key=str(course.category),
        )
    hidden = [course for course in still.organisation.courses.values() if not course.visible]
    assert [course.idnumber for course in hidden] == ["CRS-10"]


def test_a_course_that_nobody_is_active_in_has_no_known_number(site: Site, book: Book) -> None:
    """By the least rights a course shows its number through its users: without any it is id:N, and its number is kept."""
    course = site.organisation.find_course("FORK")
    kept = site.organisation.enrolments[course.id]
    site.organisation.enrolments[course.id] = {}
    book.pull(site.connector())
    assert book.one(Course, course_key=str(course.id)).object == f"id:{course.id}"
    site.organisation.enrolments[course.id] = kept
    book.later()
    book.pull(site.connector())
    assert book.one(Course, course_key=str(course.id)).object == course.idnumber
    site.organisation.enrolments[course.id] = {}
    book.later()
    book.pull(site.connector())
    assert book.one(Course, course_key=str(course.id)).object == course.idnumber


def test_enrolments_active_suspended_expired_and_opened(still: Site) -> None:
    """Everybody enrolled comes once, active or not as the organisation says, with when they last opened the course."""
    organisation = still.organisation
    found = records(still.connector(), "enrolments")
    assert sorted(found, key=str) == sorted(
        (
            EnrolmentRecord(
                course_key=str(course_id),
                user_key=str(user_id),
                active=organisation.active(user_id, course_id),
                last_access_at=at(organisation.learning_of(user_id, course_id).last_access),
            )
            for course_id, users in organisation.enrolments.items()
            for user_id in users
        ),
        key=str,
    )
    state = {(one.user_key, one.course_key): one for one in found}
    for edge, active in (
        ("suspended_enrolment", False),
        ("expired_enrolment", False),
        ("two_methods", True),
        ("never_opened", True),
    ):
        user, course = organisation.edge_cases[edge]
        assert state[str(user), str(course)].active is active, edge
    user, course = organisation.edge_cases["never_opened"]
    assert state[str(user), str(course)].last_access_at is None


def expected_completions(organisation: Organisation) -> set[CompletionRecord]:
    """What the completions of active users are."""
    return {
        CompletionRecord(str(course_id), str(user_id), done)
        for course_id, users in organisation.enrolments.items()
        for user_id in users
        if organisation.active(user_id, course_id) and (done := at(organisation.completed_at(user_id, course_id)))
    }


@pytest.mark.parametrize("batched", [True, False])
def test_completions_at_the_moment_of_their_criteria(tmp_path: Path, batched: bool) -> None:
    """Every completion of an active user comes at the organisation's own moment, in batches or one by one."""
    without = frozenset() if batched else frozenset({"tool_mobile_call_external_functions"})
    with running_site(tmp_path, lacking("mine", functions=without)) as site:
        found = records(site.connector("mine"), "completions")
        assert len(found) == len(set(found)) > 50
        assert set(found) == expected_completions(site.organisation)
        untracked = {str(course.id) for course in site.organisation.courses.values() if not course.completion}
        assert untracked
        assert not untracked & {one.course_key for one in found}


@pytest.mark.parametrize(("aggregation", "moment"), [(1, 300), (2, 100)])
def test_completion_of_all_or_of_any_criterion(still: Site, aggregation: int, moment: int) -> None:
    """Where all criteria count, the latest is the moment; where any does, the earliest; an unmet one is neither."""
    connector = still.connector()
    criteria = [
        {"complete": True, "timecompleted": DAY + 300}, {"complete": True, "timecompleted": DAY + 100},
        {"complete": False, "timecompleted": DAY + 999}, {"complete": True, "timecompleted": None},
        {"complete": False, "timecompleted": DAY + 1},
    ]  # fmt: skip
    status = {"completed": True, "aggregation": aggregation, "completions": criteria}
    record = Completions(connector.client).parse({"courseid": 5, "userid": 7, "completionstatus": status})
    connector.close()
    assert record == CompletionRecord("5", "7", datetime.fromtimestamp(DAY + moment, UTC))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"userid": 7}, "'courseid' is missing"),
        ({"courseid": 5}, "'userid' is missing"),
        ({"courseid": 5, "userid": 7}, "'completionstatus' is missing"),
        ({"courseid": 5, "userid": 7, "completionstatus": "x"}, "neither true nor false"),
        ({"courseid": 5, "userid": 7, "completionstatus": {"completed": None}}, "neither true nor false"),
        ({"courseid": 5, "userid": 7, "completionstatus": {"completed": True, "completions": []}}, "no criterion says when"),
    ],
)  # fmt: skip
def test_a_completion_that_cannot_be_used_says_why(still: Site, raw: dict[str, Any], reason: str) -> None:
    """A completion without a learner, a course, a word on being complete or a moment is refused with the reason."""
    connector = still.connector()
    with pytest.raises(RecordRefusedError, match=reason):
        Completions(connector.client).parse(raw)
    connector.close()


def test_grades_with_their_submissions(still: Site) -> None:
    """Every grade of an active user comes with its own score, maximum, moment and submission."""
    organisation = still.organisation
    found = [one for one in records(still.connector(), "results") if isinstance(one, ResultRecord)]
    wanted = []
    for course in organisation.courses.values():
        for user_id in organisation.enrolments[course.id]:
            done = organisation.learning_of(user_id, course.id)
            if not organisation.active(user_id, course.id):
                continue
            whole = course.quiz_maximum * (done.quiz is not None) + PRACTICAL_MAXIMUM * (done.practical is not None)
            for item, score, maximum, moment, submission in (
                (3 * course.number - 1, done.quiz, course.quiz_maximum, done.quiz_at, str(done.quiz_at)),
                (3 * course.number, done.practical, PRACTICAL_MAXIMUM, done.practical_at, ""),
                (3 * course.number - 2, done.total, whole, done.total_at, ""),
            ):
                if score is not None and moment is not None:
                    made, when = Decimal(str(score)), at(moment)
                    assert when
                    wanted.append(
                        ResultRecord(
                            str(item), str(user_id), submission, made, Decimal(0), Decimal(maximum), when, when
                        )
                    )
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert len(wanted) > 200
    totals = {one.maximum for one in found if int(one.activity_key) % 3 == 1}
    assert {100, 150} <= totals  # a total counts only what was graded for this user


def activities(site: Site, token: str, **settings: Any) -> dict[str, ActivityRecord]:
    """The activities by what rules call them."""
    found = [one for one in records(site.connector(token, **settings), "results") if isinstance(one, ActivityRecord)]
    assert len({one.activity_key for one in found}) == len(found)
    return {f"{one.object} {one.course_key}" if one.kind == "course" else one.object: one for one in found}


def test_activities_and_the_pass_marks_of_quizzes(still: Site) -> None:
    """Quizzes, practicals and totals come by their numbers; quizzes with the pass mark that the site tells, 0 for none."""
    found = activities(still, "sandbox-passmarks")
    for course in still.organisation.courses.values():
        quiz = found[f"quiz-{course.number}"]
        assert (quiz.kind, quiz.course_key, quiz.name) == ("quiz", str(course.id), course.quiz_name)
        assert (quiz.minimum, quiz.maximum, quiz.pass_mark) == (0, course.quiz_maximum, course.pass_mark)
        practical = found[f"prac-{course.number}"]
        assert (practical.kind, practical.maximum, practical.pass_mark) == ("manual", PRACTICAL_MAXIMUM, 0)
        total = found[f"{course.idnumber or f'id:{course.id}'} {course.id}"]
        assert (total.kind, total.pass_mark) == ("course", 0)
    assert 0 in {course.pass_mark for course in still.organisation.courses.values()}


def test_without_the_function_pass_marks_are_unknown_but_those_set_here(still: Site) -> None:
    """Where the token may not ask, a quiz's pass mark is unknown; the settings name marks by object, also of totals."""
    found = activities(still, "sandbox-connector", pass_marks={"quiz-1": "55", "prac-2": 25, "CRS-3": 120})
    assert found["quiz-1"].pass_mark == 55
    assert found["quiz-2"].pass_mark is None
    assert (found["prac-2"].pass_mark, found["prac-1"].pass_mark) == (25, 0)
    course = still.organisation.find_course("CRS-3")
    assert found[f"CRS-3 {course.id}"].pass_mark == 120


def test_a_pass_mark_set_here_is_preferred(still: Site) -> None:
    """What the operator sets counts, also against what the site says, and 0 takes a mark away."""
    found = activities(still, "sandbox-passmarks", pass_marks={"quiz-1": 55, "quiz-2": 0})
    assert (found["quiz-1"].pass_mark, found["quiz-2"].pass_mark) == (55, 0)
    assert found["quiz-4"].pass_mark == 80


def test_a_pass_mark_that_cannot_be_asked_for_once_is_kept(site: Site, book: Book) -> None:
    """When the calls for pass marks fail, marks and what was passed by them stand."""
    book.bound_users(3, 4, 5)
    book.pull(site.connector())
    marks = {one.activity_key: one.pass_mark for one in book.all(Activity)}
    assert 80 in marks.values()
    book.later()
    book.pull(site.connector("sandbox-connector"))
    assert {one.activity_key: one.pass_mark for one in book.all(Activity)} == marks


def test_a_whole_pull(site: Site, book: Book) -> None:
    """One pull stores everything of every stream, says done, and the next changes nothing."""
    result = book.pull(site.connector())
    assert (result.status, result.messages, result.quarantined) == ("done", [], 0)
    assert {name: counts.created > 0 for name, counts in result.streams.items()} == dict.fromkeys(
        ("users", "categories", "courses", "enrolments", "completions", "results", "cohorts", "surveys"), True
    )
    assert (
        len(book.all(Completion))
        == result.streams["completions"].created
        == len(expected_completions(site.organisation))
    )


@pytest.mark.parametrize(
    ("function", "stream"),
    [("core_user_get_users", "users"), (ENROLLED, "enrolments"), (STATUS, "completions"), (GRADES, "results")],
)
def test_a_missing_function_fails_its_stream_only(tmp_path: Path, book: Book, function: str, stream: str) -> None:
    """A stream whose function is missing fails with the page that mends it; the others go on, and the pull is partial."""
    with running_site(tmp_path, lacking("mine", functions=frozenset({function}))) as site:
        result = book.pull(site.connector("mine"))
    failed = {row.stream: row.message for row in book.all(StreamRun, status="failed")}
    assert result.status == "partial"
    assert stream in failed
    assert f"lacks the function {function}" in failed[stream]
    assert "Site administration > Server > Web services > External services > Functions" in failed[stream]
    # Completions ask the enrolled users one by one; nothing else depends on another's function.
    assert set(failed) == ({stream, "completions"} if function == ENROLLED else {stream})
    assert set(result.messages) == set(failed.values())


def test_without_the_list_of_courses_only_what_lies_outside_of_them_is_read(tmp_path: Path, book: Book) -> None:
    """What stands on the list of courses fails with it."""
    with running_site(tmp_path, lacking("mine", functions=frozenset({"core_course_get_courses"}))) as site:
        result = book.pull(site.connector("mine"))
    assert result.status == "partial"
    assert {row.stream for row in book.all(StreamRun, status="done")} == {"users", "categories", "cohorts"}


@pytest.mark.parametrize("batched", [True, False])
def test_a_missing_right_is_told_apart_from_no_completion(tmp_path: Path, book: Book, batched: bool) -> None:
    """Without report/completion:view Moodle answers as where completion is off: it is not taken for that, nothing is closed."""
    without = frozenset() if batched else frozenset({"tool_mobile_call_external_functions"})
    token = lacking("mine", "report/completion:view", functions=without)
    with running_site(tmp_path, token) as site:
        assert book.pull(site.connector()).status == "done"
        for _ in range(3):
            book.later()
            result = book.pull(site.connector("mine"))
            assert result.status == "partial"
            assert any("report/completion:view" in message for message in result.messages)
    untracked = {
        str(course.id) for course in site.organisation.courses.values() if not course.completion or not course.visible
    }
    assert [row for row in book.all(Completion) if row.closed_at and row.course_key not in untracked] == []


def test_a_course_without_completion_is_no_failure(site: Site, book: Book) -> None:
    """Courses that do not track completion are read without a word, and leave nothing in quarantine."""
    assert book.pull(site.connector()).status == "done"
    assert book.all(Quarantined) == []


def test_users_that_may_not_be_seen_are_not_taken_for_gone(site: Site, book: Book) -> None:
    """A role that may see nobody gets an empty list: the pull fails with the capabilities, and nothing is closed."""
    book.pull(site.connector())
    for _ in range(3):
        book.later()
        result = book.pull(site.connector("sandbox-noidentity"))
        assert result.status == "failed"
        assert "moodle/site:viewuseridentity" in result.messages[0]
    for model in (SourceUser, Enrolment, Completion):
        assert [row for row in book.all(model) if row.closed_at] == []


def test_hidden_courses_that_may_not_be_seen_fail_with_the_right(site: Site, book: Book) -> None:
    """Without the right to hidden courses the list of courses fails, and says which right."""
    result = book.pull(site.connector("sandbox-nohidden"))
    assert result.status == "partial"
    assert all("moodle/course:viewhiddencourses" in message for message in result.messages)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("maintenance", "maintenance mode"),
        ("expired_token", "valid until"),
        ("rest_off", "Manage protocols"),
        ("redirect", "wwwroot"),
        ("http_500", "HTTP 500"),
        ("maintenance_503", "HTTP 503"),
        ("html", "HTML"),
        ("truncated_json", "broken off"),
    ],
)
def test_a_site_that_refuses_everything_is_left_at_once(site: Site, book: Book, fault: str, says: str) -> None:
    """What concerns the whole site ends the pull at its first request: failed, with one message, every stream marked."""
    site.faults.add(fault, times=None)
    result = book.pull(site.connector())
    assert (result.status, len(result.messages)) == ("failed", 1)
    assert says in result.messages[0]
    assert [row.status for row in book.all(StreamRun)] == ["failed"] * 5
    assert book.one(SyncRun).message == result.messages[0]


def test_a_token_that_expires_on_the_way_keeps_what_was_read(site: Site, book: Book) -> None:
    """When the token ends in the middle, what was read stays, the rest is marked, and the next pull goes on."""
    site.faults.add("expired_token", function=STATUS, times=None)
    site.faults.add("expired_token", function="tool_mobile_call_external_functions", after=12, times=None)
    result = book.pull(site.connector())
    assert result.status == "partial"
    done = {row.stream for row in book.all(StreamRun, status="done")}
    assert {"users", "courses"} <= done
    assert not done & {"completions", "results"}
    site.faults.clear()


def failed_courses(book: Book) -> list[str]:
    """The requests that wait in quarantine."""
    return [row.record_key for row in book.waiting() if row.is_request]


def test_one_failing_course_waits_and_resolves(site: Site, book: Book) -> None:
    """A course whose answer cannot be used waits as a failed request while the others go on; the next pull resolves it."""
    site.faults.add("html", function=GRADES, after=3, times=2)
    result = book.pull(site.connector("sandbox-admin"))
    assert (result.status, result.quarantined, result.messages) == ("partial", 1, [])
    (row,) = book.waiting()
    assert (row.stream, row.record, row.is_request) == ("results", {"function": GRADES, "courseid": 5}, True)
    assert "HTML" in row.reason
    assert {one.stream: one.status for one in book.all(StreamRun)}["results"] == "done"
    book.later()
    healed = book.pull(site.connector("sandbox-admin"))
    assert (healed.status, healed.quarantined) == ("done", 0)
    assert book.one(Quarantined).resolution == "read again"


def test_three_failing_courses_in_a_row_stop_the_stream(site: Site, book: Book) -> None:
    """After the third failure in a row the stream is given up with the reason; the next pulls read all of it after all."""
    site.faults.add("html", function=GRADES, after=2, times=6)
    result = book.pull(site.connector("sandbox-admin"))
    assert result.status == "partial"
    assert [row.stream for row in book.all(StreamRun, status="failed")] == ["results"]
    assert failed_courses(book) == ["course:4", "course:5"]
    book.later()
    # The pass goes on behind the two that failed: they are not met, and not taken for gone.
    assert book.pull(site.connector("sandbox-admin")).status == "partial"
    assert failed_courses(book) == ["course:4", "course:5"]
    book.later()
    assert book.pull(site.connector("sandbox-admin")).status == "done"
    assert [row.resolution for row in book.all(Quarantined)] == ["read again"] * 2


def test_failures_that_are_not_in_a_row_do_not_stop(site: Site, book: Book) -> None:
    """Failing courses between good ones are set aside each, however many."""
    for place in (0, 1, 2, 3):
        site.faults.add("truncated_json", function=GRADES, after=place + 1, times=1)
    result = book.pull(site.connector("sandbox-admin", tries=1))
    assert {one.stream: one.status for one in book.all(StreamRun)}["results"] == "done"
    assert result.quarantined == len(failed_courses(book)) >= 3


def test_pages_that_change_while_they_are_read_close_nothing_at_once(site: Site, book: Book) -> None:
    """Users who are unenrolled while the course is read are missing twice before their rows are closed."""
    book.pull(site.connector())
    before = len(book.all(Enrolment))
    site.faults.add("pages_change", function=ENROLLED, after=len(site.organisation.courses), users=2)
    closed = []
    for _ in range(3):
        book.later()
        book.pull(site.connector())
        closed.append(sum(row.closed_at is not None for row in book.all(Enrolment)))
    assert closed[0] == 0
    assert closed[-1] == 2
    assert len(book.all(Enrolment)) == before


def test_acts_upstream_show_in_the_store(site: Site, book: Book) -> None:
    """Suspended, reset and done again, regraded, deleted: after two pulls the store says what the site says."""
    organisation = site.organisation
    fire = organisation.find_course("FIRE").id
    users = [user for user in organisation.enrolments[fire] if organisation.active(user, fire)]
    suspended, reset, regraded, deleted = users[:4]
    for user in users[:4]:
        organisation.complete(user, fire, organisation.now - 90 * DAY)
    book.bound_users(*users[:4])
    book.pull(site.connector())
    organisation.suspend_enrolment(suspended, fire)
    organisation.reset_course(reset, fire)
    organisation.complete(reset, fire, organisation.now - 5 * DAY)
    organisation.set_grade(regraded, fire, 85.0, organisation.now - 90 * DAY)
    organisation.delete_user(deleted, organisation.now)
    for _ in range(2):
        book.later()
        assert book.pull(site.connector()).status == "done"
    course = {"course_key": str(fire)}
    assert book.one(Enrolment, user_key=str(suspended), **course).active is False
    done = {user: book.all(Completion, user_key=str(user), **course) for user in users[:4]}
    assert [bool(row.closed_at) for row in done[suspended]] == [True]  # not shown of who is suspended
    assert [bool(row.closed_at) for row in done[reset]] == [True, False]
    assert [bool(row.closed_at) for row in done[deleted]] == [True]
    assert book.one(SourceUser, user_key=str(deleted)).closed_at
    assert book.one(Enrolment, user_key=str(deleted), **course).closed_at
    for user, completions in ((suspended, 1), (reset, 2), (regraded, 1), (deleted, 1)):
        assert len(book.evidence(user_key=str(user), kind="completed", object="CRS-1")) == completions
    score = book.evidence(user_key=str(regraded), kind="score", object="quiz-1")
    assert [one.percent for one in score] == [85]


def test_a_result_below_or_without_a_date_waits(site: Site, book: Book) -> None:
    """A negative grade waits whole, with the reason, and its good neighbour is stored."""
    site.faults.add("bad_record", function=GRADES, flaw="negative_grade", after=2)
    result = book.pull(site.connector())
    assert result.quarantined == 1
    (row,) = book.waiting()
    assert row.record["graderaw"] == -5
    assert "lies below the lowest possible one" in row.reason
    assert len(book.all(Result)) > 200


def test_the_check_names_what_is_missing(tmp_path: Path) -> None:
    """`sources check` says for each missing function what it breaks and where to add it, and nothing where all is well."""
    absent = frozenset({BEST, STATUS})
    with running_site(tmp_path, lacking("mine", functions=absent)) as site:
        assert site.connector().check() == []
        findings = site.connector("mine").check()
        assert {finding.what: finding.breaks for finding in findings} == {
            f"The token's service lacks {name}": FUNCTIONS[name] for name in absent
        }
        assert all("External services > Functions" in finding.mend for finding in findings)
        (finding,) = site.connector("unknown").check()
        assert (finding.level, "token is not valid" in finding.what) == ("error", True)
