"""The sandbox organisation: people, accounts, courses and learning, generated from a seed and a moment.

The same seed, size and anchor always give the same organisation. Nothing here reads a clock: `anchor` is
the present, and whoever changes something says when it happened.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from random import Random

from connectors.moodle.demo.catalogue import CATEGORIES, catalogue
from connectors.moodle.demo.changelog import ChangeLog
from connectors.moodle.demo.history import DAY, enrolment, learning, mark_quiz
from connectors.moodle.demo.people import accounts, employees
from connectors.moodle.demo.records import (
    ROWS_PER_THING,
    Answers,
    Cohort,
    Course,
    Employee,
    Enrolment,
    Learning,
    User,
)

SITE_NAME = "Acme Learning"
_FEWEST, _MOST = 60, 100_000


class Organisation:
    """A generated company with its LMS content, and the acts that change it.

    `edge_cases` names the odd users by id; where the oddity lies in a course it is (user id, course id).
    """

    def __init__(self, *, people: int = 300, seed: int = 1, anchor: datetime) -> None:
        if not _FEWEST <= people <= _MOST:
            message = f"the sandbox can be made of {_FEWEST} to {_MOST} people, not {people}"
            raise ValueError(message)
        if anchor.tzinfo is None:
            message = "the anchor of the sandbox needs a time zone, for instance 2026-11-23T00:00:00Z"
            raise ValueError(message)
        self.anchor = anchor
        self.now = int(anchor.timestamp())
        self.log = ChangeLog(lambda: self.now)
        self.token_until = 0
        self.employees: dict[str, Employee] = {
            employee.number: employee for employee in employees(people, seed, anchor.date())
        }
        self.users: dict[int, User]
        self.edge_cases: dict[str, tuple[int, ...]]
        self.users, self.edge_cases = accounts(list(self.employees.values()), self.now)
        self.categories = CATEGORIES
        self.courses: dict[int, Course] = {course.id: course for course in catalogue(self.now)}
        self.enrolments: dict[int, dict[int, list[Enrolment]]] = {course_id: {} for course_id in self.courses}
        self._learning: dict[int, dict[int, Learning]] = {course_id: {} for course_id in self.courses}
        self.cohorts: list[Cohort] = []
        self._generate_learning(Random(f"learning {seed}"))
        self._generate_edges()
        self._note_accesses()
        self.cohorts = self._generate_cohorts()
        self.feedback = {number: self._generate_answers(number, seed) for number in (1, 2)}
        self.log.clear()

    # What there is

    def present_users(self) -> Iterator[User]:
        """Yield the accounts that Moodle shows, by id: all but the deleted."""
        return (user for user in self.users.values() if not user.deleted)

    def learners(self) -> Iterator[User]:
        """Yield the present accounts of employees."""
        return (user for user in self.present_users() if user.id > 2)

    def active(self, user_id: int, course_id: int) -> bool:
        """Say whether a user has an enrolment in a course that is active at the anchor."""
        return any(one.active(self.now) for one in self.enrolments[course_id].get(user_id, ()))

    def courses_of(self, user_id: int, *, only_active: bool = True) -> list[Course]:
        """Return the courses of a user, in catalogue order."""
        return [
            course
            for course in self.courses.values()
            if (self.active(user_id, course.id) if only_active else user_id in self.enrolments[course.id])
        ]

    def learning_of(self, user_id: int, course_id: int) -> Learning:
        """Return what a user did in a course, an empty record if nothing."""
        return self._learning[course_id].get(user_id) or Learning()

    def known_in(self, course_id: int) -> list[int]:
        """Return the users of whom something is kept in a course, though they be unenrolled or deleted."""
        return list(self._learning[course_id])

    def completed_at(self, user_id: int, course_id: int) -> int | None:
        """Return when a user completed a course; None too where the course does not track completion."""
        return self.learning_of(user_id, course_id).completed_at if self.courses[course_id].completion else None

    def find_user(self, key: int | str) -> User:
        """Find a present account by id, username or idnumber; the first one where several match."""
        for user in self.present_users():
            if key in (user.id, user.username) or (key and key == user.idnumber):
                return user
        message = f"the sandbox has no user {key!r}"
        raise LookupError(message)

    def find_course(self, key: int | str) -> Course:
        """Find a course by id, short name or idnumber."""
        for course in self.courses.values():
            if key in (course.id, course.shortname) or (key and key == course.idnumber):
                return course
        message = f"the sandbox has no course {key!r}"
        raise LookupError(message)

    # What can happen

    def enrol(self, user_id: int, course_id: int, at: int, *, method: str = "manual", end: int = 0) -> None:
        """Enrol a user, or renew the enrolment that the method already gave them."""
        standing = self.enrolments[course_id].setdefault(user_id, [])
        standing[:] = [one for one in standing if one.method != method]
        standing.append(Enrolment(method, at, at, end))
        self._learning[course_id].setdefault(user_id, Learning())
        self.log.add("enrolments", "changed", course_id, course_id, user_id)

    def unenrol(self, user_id: int, course_id: int) -> None:
        """Take a user out of a course: enrolments, marks and access go, the completion stays in the dark."""
        self.enrolments[course_id].pop(user_id, None)
        self.log.add("enrolments", "deleted", course_id, course_id, user_id)
        before = self._learning[course_id].get(user_id)
        if before is not None:
            self._learning[course_id][user_id] = Learning(page_at=before.page_at, quiz_done_at=before.quiz_done_at)
            self._log_marks(user_id, course_id, "deleted")
            self._log_progress(user_id, course_id, "changed")

    def suspend_enrolment(self, user_id: int, course_id: int) -> None:
        """Suspend all enrolments of a user in a course."""
        for one in self.enrolments[course_id].get(user_id, ()):
            one.suspended = True
        self.log.add("enrolments", "changed", course_id, course_id, user_id)

    def complete(self, user_id: int, course_id: int, at: int) -> None:
        """Let a user read the page and pass the quiz with full marks at one moment."""
        course, done = self.courses[course_id], self._kept_learning(user_id, course_id)
        done.last_access = done.page_at = at
        done.quiz_done_at = None
        mark_quiz(done, course, float(course.quiz_maximum), at)
        self._log_marks(user_id, course_id, "changed")
        self._log_progress(user_id, course_id, "changed")

    def set_grade(self, user_id: int, course_id: int, grade: float, at: int) -> None:
        """Mark a user's quiz; a pass also meets its criterion."""
        mark_quiz(self._kept_learning(user_id, course_id), self.courses[course_id], grade, at)
        self._log_marks(user_id, course_id, "changed")
        self._log_progress(user_id, course_id, "changed")

    def reset_course(self, user_id: int, course_id: int) -> None:
        """Reset a course for a user as renewal plugins do: completion and marks vanish, the enrolment stays."""
        self._learning[course_id][user_id] = Learning()
        self._log_marks(user_id, course_id, "deleted")
        self._log_progress(user_id, course_id, "deleted")

    def clear_course(self, course_id: int) -> None:
        """Reset a course for everybody, as Moodle's own reset does: no event tells who lost what."""
        for user_id in self._learning[course_id]:
            self._learning[course_id][user_id] = Learning()
        for stream in ("enrolments", "completions", "activity_completions", "grades", "attempts"):
            self.log.add(stream, "whole", 0, course_id)
        for stream in ("badges", "competency_ratings"):
            self.log.add(stream, "whole")

    def rename_user(self, user_id: int, firstname: str, lastname: str) -> None:
        """Give an account another name."""
        user = self.users[user_id]
        user.firstname, user.lastname = firstname, lastname
        self.log.add("users", "changed", user_id, 0, user_id)

    def delete_user(self, user_id: int, at: int) -> None:
        """Delete an account as Moodle does: it is made anonymous, its enrolments and marks go."""
        user = self.users[user_id]
        for course_id in self.courses:
            self.unenrol(user_id, course_id)
        for cohort in self.cohorts:
            cohort.members = [member for member in cohort.members if member != user_id]
        user.deleted, user.username, user.idnumber = True, f"{user.email}.{at}", ""
        user.email = hashlib.md5(user.username.encode(), usedforsecurity=False).hexdigest()
        self.log.add("users", "deleted", user_id, 0, user_id)
        for stream in ("enrolments", "grades", "cohort_members", "competency_ratings", "plans"):
            self.log.add(stream, "whole", 0, 0, user_id)

    def _log_marks(self, user_id: int, course_id: int, action: str) -> None:
        number = self.courses[course_id].number
        for item in (3 * number - 2, 3 * number - 1, 3 * number):
            self.log.add("grades", action, item * ROWS_PER_THING + user_id, course_id, user_id)
        self.log.add("attempts", action, user_id * 100 + number, course_id, user_id)

    def _log_progress(self, user_id: int, course_id: int, action: str) -> None:
        course = self.courses[course_id]
        for cmid in (course.quiz_cmid, course.page_cmid):
            self.log.add("activity_completions", action, cmid * ROWS_PER_THING + user_id, course_id, user_id)
        self.log.add("completions", action, course_id, course_id, user_id)
        if course.shortname == "AID":
            self.log.add("badges", action, 1, 0, user_id)
        if course.shortname == "LOTO":
            self.log.add("competency_ratings", action, 2 * user_id, 0, user_id)

    # How it is made

    def _kept_learning(self, user_id: int, course_id: int) -> Learning:
        return self._learning[course_id].setdefault(user_id, Learning())

    def _generate_learning(self, rng: Random) -> None:
        for user in self.learners():
            for course in self.courses.values():
                if rng.random() < course.share:
                    made = enrolment(rng, self.now)
                    self.enrolments[course.id][user.id] = [made]
                    self._learning[course.id][user.id] = learning(rng, course, made, self.now)

    def _generate_edges(self) -> None:
        fire = self.find_course("FIRE").id
        odd = {user_id for ids in self.edge_cases.values() for user_id in ids}
        ids = [user.id for user in self.learners() if user.id not in odd][10:17]
        for user_id in ids:
            self.enrol(user_id, fire, self.now - 500 * DAY)
            self.reset_course(user_id, fire)
        names = ("renewal_reset", "suspended_enrolment", "expired_enrolment", "never_opened", "two_methods",
                 "failed_quiz", "unenrolled_after_completion")  # fmt: skip
        self.edge_cases |= {name: (user_id, fire) for name, user_id in zip(names, ids, strict=True)}
        reset, suspended, expired, _never, two_methods, failed, unenrolled = ids
        for user_id in (reset, suspended, expired, two_methods, unenrolled):
            self.complete(user_id, fire, self.now - 400 * DAY)
        self.reset_course(reset, fire)
        self.suspend_enrolment(suspended, fire)
        self.enrolments[fire][expired][0].end = self.now - 30 * DAY
        self.enrol(two_methods, fire, self.now - 450 * DAY, method="self")
        self._kept_learning(failed, fire).page_at = self.now - 90 * DAY
        self.set_grade(failed, fire, 45.0, self.now - 90 * DAY)
        self.unenrol(unenrolled, fire)
        for user_id in self.edge_cases["deleted_users"]:
            self.delete_user(user_id, self.now - 20 * DAY)

    def _note_accesses(self) -> None:
        for course_id, done in self._learning.items():
            for user_id in self.enrolments[course_id]:
                at = done[user_id].last_access
                if at is not None:
                    user = self.users[user_id]
                    user.last_access = max(user.last_access, at)
                    user.first_access = min(user.first_access or at, at)

    def _generate_cohorts(self) -> list[Cohort]:
        ids = [user.id for user in self.learners()]
        titles = ("Newcomers 新员工", "Drivers 驾驶员", "First aiders 急救员", "Auditors 审计员", "Managers 经理")
        return [
            Cohort(number, title, f"COH{number}", self.now - number * 30 * DAY, ids[number::7])
            for number, title in enumerate(titles, start=1)
        ]

    def _generate_answers(self, number: int, seed: int) -> list[Answers]:
        rng = Random(f"feedback {number} {seed}")
        course_id = self.find_course("FIRE").id
        finished = sorted(user for user in self.enrolments[course_id] if self.completed_at(user, course_id))
        return [
            Answers(
                id=1000 * number + place,
                user_id=user_id,
                at=self.now - rng.randrange(DAY, 300 * DAY),
                satisfaction=rng.choices((1, 2, 3, 4, 5), (1, 2, 5, 9, 7))[0],
                score=rng.randrange(3, 11),
                recommends=1 if rng.random() < 0.75 else 2,
                comment=rng.choice(("", "", "", "很好，讲解清楚", "Too long, but useful <b>!</b>")),
            )
            for place, user_id in enumerate(finished[::3], start=1)
        ]
