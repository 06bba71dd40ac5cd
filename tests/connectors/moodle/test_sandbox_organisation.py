"""The sandbox organisation is the same every time, and holds every oddity that a connector must bear."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.moodle.demo import roster
from connectors.moodle.demo.organisation import Organisation

ANCHOR = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def organisation() -> Organisation:
    """A fresh organisation of 300 people."""
    return Organisation(anchor=ANCHOR)


def everything(organisation: Organisation) -> tuple[object, ...]:
    """All that was generated, in comparable form."""
    learning = [
        (user, course, organisation.learning_of(user, course))
        for course, enrolled in organisation.enrolments.items()
        for user in enrolled
    ]
    parts = (organisation.users, organisation.employees, organisation.enrolments, organisation.edge_cases)
    return (*parts, organisation.courses, organisation.cohorts, organisation.feedback, learning)


def test_the_same_seed_and_anchor_give_the_same_organisation(organisation: Organisation) -> None:
    """Two organisations of one seed and anchor are equal in every record."""
    assert everything(organisation) == everything(Organisation(anchor=ANCHOR))


def test_another_seed_gives_another_organisation(organisation: Organisation) -> None:
    """The seed is what makes the difference between two organisations."""
    assert everything(organisation) != everything(Organisation(anchor=ANCHOR, seed=2))


@pytest.mark.parametrize("people", [59, 100_001])
def test_a_size_out_of_range_is_refused(people: int) -> None:
    """Too small an organisation could not hold every edge case, too large a one not be served."""
    with pytest.raises(ValueError, match="60 to 100000"):
        Organisation(people=people, anchor=ANCHOR)


def test_an_anchor_without_time_zone_is_refused() -> None:
    """A moment without a time zone means nothing."""
    with pytest.raises(ValueError, match="time zone"):
        Organisation(anchor=datetime(2026, 11, 23))  # noqa: DTZ001


@pytest.mark.parametrize("people", [60, 300, 2000])
def test_every_edge_case_is_there_at_every_size(people: int) -> None:
    """Each edge case names at least one user who exists and is odd in that way."""
    made = Organisation(people=people, anchor=ANCHOR)
    users, edges = made.users, made.edge_cases
    assert all(edges.values())
    assert all(not users[user].idnumber and users[user].email for user in edges["no_idnumber"])
    addresses = Counter(user.email for user in made.present_users())
    assert all(addresses[users[user].email] == 1 for user in edges["no_idnumber"])
    assert {users[user].email for user in edges["shared_email"]} == {"reception@acme.example"}
    assert not any(users[user].idnumber for user in edges["shared_email"])
    assert len({users[user].idnumber for user in edges["two_accounts"]}) == 1
    assert all(users[user].suspended for user in edges["suspended_users"])
    assert all(users[user].deleted for user in edges["deleted_users"])


def test_the_edge_cases_of_a_course_are_as_named(organisation: Organisation) -> None:
    """Each (user, course) edge case is in the state that its name promises."""
    edges, now = organisation.edge_cases, organisation.now
    for name in ("suspended_enrolment", "expired_enrolment"):
        assert not organisation.active(*edges[name])
        assert organisation.completed_at(*edges[name]) is not None
    assert organisation.learning_of(*edges["renewal_reset"]).total is None
    assert organisation.completed_at(*edges["renewal_reset"]) is None
    assert organisation.active(*edges["renewal_reset"])
    assert organisation.learning_of(*edges["never_opened"]).last_access is None
    user, course = edges["two_methods"]
    assert [one.method for one in organisation.enrolments[course][user]] == ["manual", "self"]
    assert organisation.learning_of(*edges["failed_quiz"]).quiz == 45
    assert organisation.completed_at(*edges["failed_quiz"]) is None
    user, course = edges["unenrolled_after_completion"]
    assert user not in organisation.enrolments[course]
    assert 0 < (organisation.completed_at(user, course) or 0) <= now


def test_the_catalogue_has_its_odd_courses(organisation: Organisation) -> None:
    """Twelve courses: one without idnumber, two without completion, one hidden, one of 20, one without pass mark."""
    courses = list(organisation.courses.values())
    assert len(courses) == 12
    assert courses[0].idnumber == "CRS-1"
    assert sum(not course.idnumber for course in courses) == 1
    assert sum(not course.completion for course in courses) == 2
    assert sum(not course.visible for course in courses) == 1
    assert [course.quiz_maximum for course in courses].count(20) == 1
    assert [course.pass_mark for course in courses].count(0) == 1


def test_there_are_about_six_enrolments_per_account(organisation: Organisation) -> None:
    """The load of a person is that of an ordinary company, and some of it was failed."""
    enrolled = sum(len(users) for users in organisation.enrolments.values())
    assert 5 < enrolled / sum(1 for _ in organisation.learners()) < 7
    failed = [
        user
        for course in organisation.courses.values()
        for user in organisation.enrolments[course.id]
        if (organisation.learning_of(user, course.id).quiz or course.pass_mark) < course.pass_mark
    ]
    assert len(failed) > 50


def test_nothing_happened_after_the_anchor(organisation: Organisation) -> None:
    """All that was done lies between the start of the enrolment and the present of the sandbox."""
    for course, enrolled in organisation.enrolments.items():
        for user in enrolled:
            done = organisation.learning_of(user, course)
            moments = (done.last_access, done.page_at, done.quiz_at, done.practical_at, done.completed_at)
            assert all(at is None or at <= organisation.now for at in moments)


def test_a_reset_takes_completion_and_marks_and_leaves_the_enrolment(organisation: Organisation) -> None:
    """Resetting a course for a user is what renewal plugins do."""
    user, course = organisation.edge_cases["two_methods"]
    assert organisation.completed_at(user, course)
    organisation.reset_course(user, course)
    assert organisation.completed_at(user, course) is None
    assert organisation.learning_of(user, course).quiz is None
    assert organisation.active(user, course)


def test_an_unenrolled_user_keeps_the_completion_in_the_dark(organisation: Organisation) -> None:
    """Unenrolling takes the marks; enrolling again brings the completion back, as in Moodle."""
    user, course = organisation.edge_cases["two_methods"]
    before = organisation.completed_at(user, course)
    organisation.unenrol(user, course)
    assert organisation.learning_of(user, course).quiz is None
    organisation.enrol(user, course, organisation.now)
    assert organisation.completed_at(user, course) == before


def test_a_deleted_user_is_anonymous_and_gone_from_courses(organisation: Organisation) -> None:
    """Deleting an account leaves a row with neither name of login, address nor idnumber."""
    user = organisation.find_user("E1005")
    organisation.delete_user(user.id, organisation.now)
    assert user.deleted
    assert not user.idnumber
    assert "@" not in user.email
    assert all(user.id not in enrolled for enrolled in organisation.enrolments.values())
    with pytest.raises(LookupError):
        organisation.find_user("E1005")


def test_the_roster_is_csv_of_all_employees(organisation: Organisation, tmp_path: Path) -> None:
    """The roster file can be read back, Chinese names, leavers and managers included."""
    path = tmp_path / "roster.csv"
    roster.write_file(organisation, path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert tuple(rows[0]) == roster.COLUMNS
    assert len(rows) == 300
    numbers = {row["employee_number"] for row in rows}
    assert all(row["manager"] in numbers for row in rows if row["manager"])
    assert [row["employee_number"] for row in rows if not row["manager"]] == ["E1001"]
    assert sum(bool(row["left"]) for row in rows) == 7
    assert any(not row["name"].isascii() and " " not in row["name"] for row in rows)
    assert len({row["department"] for row in rows}) == 8
    assert {row["grade"] for row in rows} <= {f"G{number}" for number in range(1, 9)}


def test_some_employees_have_no_account(organisation: Organisation) -> None:
    """HR knows people whom the LMS does not."""
    known = {user.idnumber for user in organisation.present_users()}
    assert "E1025" in organisation.employees
    assert "E1025" not in known


def test_the_proposals_are_numbered_and_of_both_kinds(organisation: Organisation) -> None:
    """Twenty-five proposals, for employees who are there, to a higher grade, after the present."""
    proposals = roster.proposals(organisation)
    assert [one.hr_id for one in proposals] == [f"PR-{number:04}" for number in range(1, 26)]
    assert len({one.employee_number for one in proposals}) == 25
    assert Counter(one.kind for one in proposals) == {"promotion": 20, "pay": 5}
    for one in proposals:
        assert organisation.employees[one.employee_number].left is None
        assert (one.from_position == one.to_position) == (one.kind == "pay")
        assert one.to_grade > one.from_grade
        assert one.effective > ANCHOR.date()
