"""The plain records that the sandbox organisation is kept in. Times are unix seconds, as in Moodle."""

from dataclasses import dataclass, field
from datetime import date

PRACTICAL_MAXIMUM = 50
PRACTICAL_PASS_MARK = 25
ROWS_PER_THING = 1_000_000  # a row of the companion plugin is numbered thing * this + user


@dataclass(slots=True)
class Employee:
    """A person as HR knows them."""

    number: str
    given: str
    family: str
    chinese: bool
    login: str
    department: str
    position: str
    grade: str
    manager: str
    joined: date
    left: date | None = None

    @property
    def name(self) -> str:
        """The name in the order that its language writes it."""
        return self.family + self.given if self.chinese else f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        """The address that HR holds."""
        return f"{self.login}@acme.example"


@dataclass(slots=True)
class User:
    """An LMS account."""

    id: int
    username: str
    firstname: str
    lastname: str
    email: str
    idnumber: str = ""
    department: str = ""
    institution: str = ""
    city: str = ""
    country: str = ""
    cost_centre: str = ""
    created: int = 0
    first_access: int = 0
    last_access: int = 0
    suspended: bool = False
    deleted: bool = False
    auth: str = "manual"

    @property
    def fullname(self) -> str:
        """The name as an English Moodle shows it, given name first."""
        return f"{self.firstname} {self.lastname}"


@dataclass(frozen=True, slots=True)
class Category:
    """A course category; all stand at the top level."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Course:
    """A course with one quiz, one page to read, one page to acknowledge and one practical marked by hand."""

    id: int
    shortname: str
    fullname: str
    idnumber: str
    category: int
    completion: bool
    visible: bool
    quiz_maximum: int
    pass_mark: int
    share: float
    start: int
    modified: int

    @property
    def number(self) -> int:
        """The course's place in the catalogue, also the instance id of its quiz."""
        return self.id - 1

    @property
    def quiz_cmid(self) -> int:
        """Course module id of the quiz."""
        return 3 * self.number - 2

    @property
    def page_cmid(self) -> int:
        """Course module id of the page that completes by being viewed."""
        return 3 * self.number - 1

    @property
    def acknowledge_cmid(self) -> int:
        """Course module id of the page that the learner ticks off."""
        return 3 * self.number

    @property
    def quiz_name(self) -> str:
        """Name of the quiz."""
        return f"Final test {self.shortname}"


@dataclass(slots=True)
class Enrolment:
    """One enrolment of a user in a course by one method."""

    method: str
    created: int
    start: int
    end: int = 0
    suspended: bool = False

    def active(self, now: int) -> bool:
        """Say whether the enrolment lets the user in at `now`."""
        return not self.suspended and self.start <= now and (self.end == 0 or now < self.end)


@dataclass(slots=True)
class Learning:
    """What a user did in a course. None stands for 'not yet'."""

    last_access: int | None = None
    page_at: int | None = None
    quiz_done_at: int | None = None  # the quiz criterion was met; a later, worse mark does not take it back
    quiz: float | None = None
    quiz_at: int | None = None
    practical: float | None = None
    practical_at: int | None = None

    @property
    def completed_at(self) -> int | None:
        """When both criteria of the course were met."""
        if self.page_at is None or self.quiz_done_at is None:
            return None
        return max(self.page_at, self.quiz_done_at)

    @property
    def total(self) -> float | None:
        """The course total: the sum of the marks there are."""
        marks = [mark for mark in (self.quiz, self.practical) if mark is not None]
        return sum(marks) if marks else None

    @property
    def total_at(self) -> int | None:
        """When the course total last changed."""
        return max((at for at in (self.quiz_at, self.practical_at) if at is not None), default=None)


@dataclass(slots=True)
class Cohort:
    """A site-wide group of users."""

    id: int
    name: str
    idnumber: str
    added: int
    members: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Answers:
    """One user's answers to a feedback: satisfaction 1-5, recommendation 0-10, recommend 1-2, comment."""

    id: int
    user_id: int
    at: int
    satisfaction: int
    score: int
    recommends: int
    comment: str
