"""How plain functions are read: course by course, or account by account, each time from the beginning to the end.

No plain function tells what has changed since a moment, so every pull is a pass over everything; the store keeps
what differs. A cursor is (pass, last course or account read). A step whose answer cannot be used is set aside in
quarantine as a failed request and the others go on; three in a row, and the site is taken to be down.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.moodle import errors
from connectors.moodle.client import Call, MoodleClient
from connectors.moodle.errors import MoodleError, NotFoundInMoodleError, UnreachableError
from connectors.moodle.ways import FUNCTIONS
from connectors.streams import Between, Cursor, Failure, In, Page, Raw, Scope, Stream, pass_number

FAILURES_IN_A_ROW = 3
SITE_COURSE_FORMAT = "site"
VALUES_AT_ONCE = 500  # a form with more fields than PHP takes is cut off in silence

# Answers that say nothing is wrong: the user is not enrolled any more, or the course does not track completion.
ORDINARY = frozenset({"usernotenroled", "cannotviewreport", "nocriteriaset", "userdeleted", "invaliduser"})
OF_THE_GUEST = "guestsarenotallowed"  # the guest's account has nothing of its own


def option(name: str, value: object) -> dict[str, object]:
    """One option of core_enrol_get_enrolled_users."""
    return {"name": name, "value": value}


@dataclass(frozen=True)
class Step:
    """A part of a stream that is read on its own: which ids it covers, and the last of them, which the cursor keeps."""

    name: str
    ids: Sequence[int]
    within: In | Between

    @property
    def last(self) -> int:
        """The place that the cursor keeps."""
        return self.ids[-1]


class InSteps(Stream):
    """A stream that is read step by step, in the order of ids."""

    way = FUNCTIONS
    function: str
    whole: tuple[type, ...] = ()  # the records of which a step shows all there are; every one by default

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    def pull(self, cursor: Cursor | None) -> Iterator[Page]:
        """A page for each step after the cursor, and one that ends the pass."""
        self._client.require(self.function)
        number = pass_number(cursor)
        after = int(cursor[1]) if cursor and len(cursor) > 1 else 0
        failures = 0
        for step in self.steps(after):
            position = (number, step.last)
            try:
                raws = self.read_step(step)
            except NotFoundInMoodleError:
                continue  # deleted since the list was read
            except MoodleError as error:
                failures += 1
                if error.whole_source or failures == FAILURES_IN_A_ROW:
                    raise
                request = {"function": self.function, **self.named(step)}
                yield Page(position, failure=Failure(step.name, request, str(error)))
                continue
            failures = 0
            yield Page(position, raws, Scope(self.whole or self.records, step.within), key=step.name)
        yield Page((number + 1,), ends_pass=True)

    @abstractmethod
    def steps(self, after: int) -> Iterator[Step]:
        """The steps whose last id lies behind `after`. Raises MoodleError."""

    @abstractmethod
    def read_step(self, step: Step) -> list[Raw]:
        """Everything of one step. Raises MoodleError."""

    @abstractmethod
    def named(self, step: Step) -> Mapping[str, Any]:
        """What a failed request of this step asked for, as far as it may be written down."""


class PerCourse(InSteps):
    """A stream that is read course by course."""

    def steps(self, after: int) -> Iterator[Step]:
        """A step for each course."""
        for course_id in sorted(int(course["id"]) for course in all_courses(self._client)):
            if course_id > after:
                yield Step(f"course:{course_id}", [course_id], In.courses([str(course_id)]))

    def read_step(self, step: Step) -> list[Raw]:
        """The course's items."""
        return self.read(step.last)

    def named(self, step: Step) -> Mapping[str, Any]:
        """The course."""
        return {"courseid": step.last}

    @abstractmethod
    def read(self, course_id: int) -> list[Raw]:
        """Everything of one course. Raises MoodleError."""

    def enrolled(self, course_id: int, *options: dict[str, object]) -> list[Mapping[str, Any]]:
        """The users of a course, with nothing but their ids and when they last opened it."""
        fields = option("userfields", "id,lastcourseaccess")
        function = "core_enrol_get_enrolled_users"
        return listed(self._client.call(function, courseid=course_id, options=[fields, *options]), function)

    def active(self, course_id: int) -> list[int]:
        """The ids of those whose enrolment lets them in."""
        return [int(user["id"]) for user in self.enrolled(course_id, option("onlyactive", 1)) if has_id(user)]


class Accounts:
    """Every account that is not deleted, listed once for all streams of a pull."""

    function = "core_user_get_users"

    def __init__(self, client: MoodleClient) -> None:
        self._client = client

    @cached_property
    def all(self) -> list[Mapping[str, Any]]:
        """The accounts, by the only plain function that lists all. Raises MoodleError."""
        answer = self._client.call(self.function, criteria=[{"key": "email", "value": "%"}])
        users = listed(answer, self.function, "users")
        if not users:
            # There is always the web service user itself: Moodle leaves out in silence what the role may not see, and
            # what is not seen must not count as gone, here or in any course.
            error = errors.missing_capability(self.function)
            error.whole_source = True
            raise error
        return users

    @property
    def ids(self) -> list[int]:
        """Their ids, in order."""
        return sorted(int(user["id"]) for user in self.all if has_id(user))


class PerUser(InSteps):
    """A stream that needs a call for each account: a few hundred accounts to a step, many calls to a request."""

    accounts_at_once = 500

    def __init__(self, client: MoodleClient, accounts: Accounts) -> None:
        super().__init__(client)
        self._accounts = accounts

    def steps(self, after: int) -> Iterator[Step]:
        """Steps that together cover every account that there can be."""
        ids = [number for number in self._accounts.ids if number > after]
        for start in range(0, len(ids), self.accounts_at_once):
            chunk = ids[start : start + self.accounts_at_once]
            last = start + self.accounts_at_once >= len(ids)
            begin = after if start == 0 else ids[start - 1]
            yield Step(f"users:{begin}", chunk, Between("user_key", begin, None if last else chunk[-1]))

    def named(self, step: Step) -> Mapping[str, Any]:
        """The accounts."""
        return {"userids": [step.ids[0], step.ids[-1]]}

    def read_step(self, step: Step) -> list[Raw]:
        """What each account has; of one that is gone by now, nothing."""
        return [raw for call, answer in self._asked(step.ids) for raw in self.items(call, answer)]

    @abstractmethod
    def calls(self, user: int) -> list[Call]:
        """What has to be asked for one account."""

    @abstractmethod
    def items(self, call: Call, answer: Any) -> list[Raw]:
        """What one of those calls brought."""

    def _asked(self, users: Sequence[int]) -> list[tuple[Call, Any]]:
        calls = [call for user in users for call in self.calls(user)]
        asked = []
        for call, answer in zip(calls, self._client.call_many(calls), strict=True):
            if isinstance(answer, MoodleError):
                if answer.code in ORDINARY or answer.code == OF_THE_GUEST or isinstance(answer, NotFoundInMoodleError):
                    continue
                raise answer
            asked.append((call, answer))
        return asked


def all_courses(client: MoodleClient) -> list[Mapping[str, Any]]:
    """Every course that the token sees and that has an id, but the site itself."""
    return [course for course in courses_of(client) if has_id(course)]


def courses_of(client: MoodleClient) -> list[Mapping[str, Any]]:
    """Every course that the token sees, as it was answered, but the site itself."""
    courses = listed(client.call("core_course_get_courses"), "core_course_get_courses")
    return [course for course in courses if course.get("format") != SITE_COURSE_FORMAT]


def has_id(record: Any) -> bool:
    """Whether this is a record with an id."""
    return isinstance(record, dict) and isinstance(record.get("id"), int)


def listed(answer: Any, function: str, field: str | None = None) -> list[Mapping[str, Any]]:
    """The records of an answer; what is no record among them becomes one that cannot be used. Raises UnreachableError."""
    found = answer.get(field) if field and isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise UnreachableError(
            f"{function}: Moodle's answer is JSON, but not a list of records; the next pull asks again."
        )
    return [item if isinstance(item, dict) else {"item": item} for item in found]


def name_of(record: Mapping[str, Any]) -> str:
    """What a record is called in messages."""
    return str(record.get("id", "without id"))
