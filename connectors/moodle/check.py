"""What a token can see of a Moodle site, tried on a few courses and a few people.

A function that a service lacks, Moodle says; a capability that a role lacks it often does not: fields and rows are
simply absent. So a few courses are looked at, as many people in them, and what must be there is missed. Nothing about
those people gets into a finding.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from connectors.moodle import errors
from connectors.moodle.client import BATCH, SITE_INFO, Call, MoodleClient
from connectors.moodle.errors import MoodleError
from connectors.moodle.functions_reading import all_courses, option
from connectors.streams import Finding

COURSES_LOOKED_AT = 12
PEOPLE_LOOKED_AT = 12

USERS = "core_user_get_users"
COURSES = "core_course_get_courses"
ENROLLED = "core_enrol_get_enrolled_users"
USERS_COURSES = "core_enrol_get_users_courses"
COMPLETION = "core_completion_get_course_completion_status"
GRADES = "gradereport_user_get_grade_items"
BEST_GRADE = "mod_quiz_get_user_best_grade"

# What the token's service should contain, and what is lost without it.
FUNCTIONS: dict[str, str] = {
    USERS: "no accounts are read, so nothing can be bound to employees",
    COURSES: "no courses are read, and nothing else can be",
    ENROLLED: "no enrolments are read",
    USERS_COURSES: "courses are known by id:N instead of their ID number",
    COMPLETION: "no completions are read",
    GRADES: "no grades are read",
    BEST_GRADE: "pass marks are unknown, so nobody has 'passed' unless pass_marks are set here",
    "core_course_get_categories": "courses have no category",
    "core_course_get_courses_by_field": "of hidden courses it is not known whether they track completion",
    BATCH: "completions need one request per learner and course instead of one per fifty",
}
# Without one of these a stream fails, unless another way reads it.
NEEDED = {USERS: "users", COURSES: "courses", ENROLLED: "enrolments", COMPLETION: "completions", GRADES: "results"}

_SERVICE = "Site administration > Server > Web services > External services > Functions"
_ROLES = "Site administration > Users > Permissions > Define roles, in the role of the web service user"
_POLICIES = "Site administration > Users > Permissions > User policies"
_FEATURES = "Site administration > Advanced features"


@dataclass(frozen=True)
class Learner:
    """A course and one of its active users."""

    course: int
    user: int


def check(
    client: MoodleClient,
    pass_marks_given: bool,
    by_functions: Callable[[], Mapping[str, str]] = lambda: dict.fromkeys(NEEDED.values(), "error"),
    others: Callable[[], Iterable[Finding]] = tuple,
) -> list[Finding]:
    """What stands in the way, most serious first; empty when nothing does. A broken connection ends the check.

    `by_functions` are the streams that no better way reads, each with how bad it is that a function which it needs lacks; the
    plain functions are looked at when there are any. `others` are the other ways' checks. Both may raise MoodleError, when
    the site cannot be asked which ways it offers.
    """
    found = list(_encryption(client.url))
    try:
        streams = by_functions()
        found += _site(client)
        found += others()
        if streams:
            found += _functions(client, streams)
            found += _sight(client, pass_marks_given)
    except MoodleError as error:
        found.append(refused(error, "nothing is read from this source" if error.whole_source else "a part is not read"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found.append(
            Finding(
                "error",
                f"The site answered something that no Moodle does ({type(error).__name__})",
                "the check could not be ended",
                "Check the source's url; try again when nobody is changing the site",
            )
        )
    return sorted(found, key=lambda finding: ("error", "warning", "hint").index(finding.level))


def refused(error: MoodleError, breaks: str) -> Finding:
    """A finding of what Moodle refused; the error's message says where that is mended."""
    what, _, mend = str(error).partition(". ")
    return Finding("error", what, breaks, mend or what)


def _encryption(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    if parts.scheme == "http" and not loopback:
        yield Finding(
            "warning",
            "The site is asked without encryption (http)",
            "whoever can listen in on the network has the token, and reads everybody's learning",
            "Let the site be reached by https, and write that into the source's url",
        )


def _site(client: MoodleClient) -> Iterator[Finding]:
    """What the site says of itself."""
    info = client.call(SITE_INFO)
    if str(info.get("siteurl", "")).rstrip("/") != client.url:
        yield Finding(
            "warning",
            f"The site calls itself {info.get('siteurl')}, the source's url is {client.url}",
            "xAPI statements and links that name the site are not recognised as this source's",
            "Write the site's own name for itself ($CFG->wwwroot) into the source's url",
        )
    if info.get("userissiteadmin"):
        yield Finding(
            "warning",
            "The token belongs to a site administrator",
            "whoever gets hold of it can change the whole site",
            "Make a user with a role of its own for CertBridge, and a token for that user; docs/moodle.md shows how",
        )
    features = {one.get("name"): one.get("value") for one in info.get("advancedfeatures") or []}
    if features.get("enablecompletion") == 0:
        yield Finding(
            "error",
            "Completion tracking is switched off for the whole site",
            "no completions are read",
            f"Tick 'Enable completion tracking' on {_FEATURES}",
        )


def _functions(client: MoodleClient, streams: Mapping[str, str]) -> Iterator[Finding]:
    for function, breaks in FUNCTIONS.items():
        level = streams.get(NEEDED[function]) if function in NEEDED else "hint" if function == BATCH else "warning"
        if function not in client.site.functions and level is not None:
            yield Finding(level, f"The token's service lacks {function}", breaks, f"Add {function} on {_SERVICE}")


def _sight(client: MoodleClient, pass_marks_given: bool) -> Iterator[Finding]:
    """What the role lets the token see of a few courses and people."""
    if not {COURSES, ENROLLED} <= client.site.functions:
        return
    try:
        courses = all_courses(client)
    except errors.MissingCapabilityError as error:
        yield refused(error, "no courses are read, and nothing else can be")
        return
    if not courses:
        yield Finding(
            "hint",
            "The site has no course",
            "there is nothing to pull but accounts",
            "Nothing, if that is so",
        )
        return
    learners = yield from _learners(client, [int(course["id"]) for course in courses])
    if learners:
        yield from _people(client, learners)
        yield from _completions(client, learners)
        yield from _grades(client, learners, pass_marks_given)


def _learners(client: MoodleClient, courses: Sequence[int]) -> Generator[Finding, None, list[Learner]]:
    """A few active users of some courses, spread over all of them; returned, after the findings."""
    each = -(-len(courses) // COURSES_LOOKED_AT)
    chosen = sorted(courses)[::each]
    options = [option("onlyactive", 1), option("userfields", "id"), option("limitnumber", 2)]
    answers = client.call_many([Call(ENROLLED, {"courseid": course, "options": options}) for course in chosen])
    gone = errors.NotFoundInMoodleError  # deleted since the list was read
    failed = [answer for answer in answers if isinstance(answer, MoodleError) and not isinstance(answer, gone)]
    if failed:
        breaks = f"enrolments and completions are not read: not of {len(failed)} of {len(chosen)} courses looked at"
        yield refused(failed[0], breaks)
    learners = [
        Learner(course, int(user["id"]))
        for course, answer in zip(chosen, answers, strict=True)
        if isinstance(answer, list)
        for user in answer
    ]
    if not learners and not failed:
        yield Finding(
            "warning",
            f"None of {len(chosen)} courses shows an active user",
            "neither enrolments nor completions nor grades are read",
            f"Unless nobody is enrolled there: allow moodle/user:viewdetails on {_ROLES}",
        )
    return learners


def _people(client: MoodleClient, learners: Sequence[Learner]) -> Iterator[Finding]:
    """Whether accounts show what they are bound by."""
    if USERS not in client.site.functions:
        return
    ids = list(dict.fromkeys(learner.user for learner in learners))[:PEOPLE_LOOKED_AT]
    answers = client.call_many([Call(USERS, {"criteria": [{"key": "id", "value": one}]}) for one in ids])
    users = [user for answer in answers if isinstance(answer, Mapping) for user in answer.get("users", [])]
    if not users:
        yield Finding(
            "error",
            f"None of {len(ids)} accounts is shown",
            FUNCTIONS[USERS],
            f"Allow moodle/user:viewdetails on {_ROLES}",
        )
        return
    identity = "Allow moodle/site:viewuseridentity and moodle/user:viewalldetails on " + _ROLES
    if not any(user.get("idnumber") for user in users):
        yield Finding(
            "warning",
            f"None of {len(users)} accounts shows an ID number",
            "accounts can be bound to employees by e-mail address at best",
            f"{identity}; if that is so already, fill the field 'ID number' of the accounts with the employee numbers",
        )
    email = next((user["email"] for user in users if user.get("email")), None)
    if email is None:
        yield Finding(
            "error",
            f"None of {len(users)} accounts shows an e-mail address",
            f"{FUNCTIONS[USERS]}: only by their addresses can all accounts be listed",
            f"{identity}; and tick 'Email address' at 'Show user identity' on {_POLICIES}",
        )
    elif not client.call(USERS, criteria=[{"key": "email", "value": email}]).get("users"):
        yield Finding(
            "error",
            "An account is not found by its e-mail address",
            f"{FUNCTIONS[USERS]}: only by their addresses can all accounts be listed",
            f"Allow moodle/site:viewuseridentity on {_ROLES}",
        )
    if not any("suspended" in user for user in users):
        yield Finding(
            "warning",
            f"None of {len(users)} accounts says whether it is suspended",
            "suspended accounts look like active ones",
            f"Allow moodle/user:viewalldetails on {_ROLES}",
        )


def _completions(client: MoodleClient, learners: Sequence[Learner]) -> Iterator[Finding]:
    """Whether completions may be seen in a course that tracks them: Moodle says the same of one that does not."""
    if not {COMPLETION, USERS_COURSES} <= client.site.functions:
        return
    users = sorted({learner.user for learner in learners})[:PEOPLE_LOOKED_AT]
    answers = client.call_many([Call(USERS_COURSES, {"userid": user, "returnusercount": 0}) for user in users])
    tracked = {
        (user, course.get("id"))
        for user, answer in zip(users, answers, strict=True)
        if isinstance(answer, list)
        for course in answer
        if course.get("enablecompletion")
    }
    asked = [learner for learner in learners if (learner.user, learner.course) in tracked]
    if not asked:
        yield Finding(
            "hint",
            "No course that was looked at tracks completion",
            "no completions are read from those",
            "Set 'Enable completion tracking' in the settings of each course whose completion is to count",
        )
        return
    calls = [Call(COMPLETION, {"courseid": learner.course, "userid": learner.user}) for learner in asked]
    answers = client.call_many(calls)
    denied = [
        answer
        for answer in answers
        if isinstance(answer, errors.MissingCapabilityError)
        or (isinstance(answer, MoodleError) and answer.code == "cannotviewreport")
    ]
    if len(denied) == len(asked):
        yield Finding(
            "error",
            "The completions of courses that track them may not be seen",
            "no completions are read",
            f"Allow report/completion:view on {_ROLES}",
        )


def _grades(client: MoodleClient, learners: Sequence[Learner], pass_marks_given: bool) -> Iterator[Finding]:
    """Whether grades are shown, quizzes among them, and the pass marks of those."""
    if GRADES not in client.site.functions:
        return
    first = list({learner.course: learner for learner in reversed(learners)}.values())[::-1]
    answers = client.call_many([Call(GRADES, {"courseid": one.course, "userid": one.user}) for one in first])
    failed = [answer for answer in answers if isinstance(answer, errors.MissingCapabilityError)]
    if failed:
        yield refused(failed[0], FUNCTIONS[GRADES])
        return
    quizzes = [
        (item["iteminstance"], learner.user)
        for learner, answer in zip(first, answers, strict=True)
        if isinstance(answer, Mapping)
        for grades in answer.get("usergrades", [])
        for item in grades.get("gradeitems", [])
        if item.get("itemmodule") == "quiz" and item.get("itemnumber") == 0
    ]
    if not quizzes:
        yield Finding(
            "hint",
            f"The grades of {len(first)} courses show no quiz",
            "results of quizzes are not read",
            f"If there are quizzes: allow mod/quiz:view on {_ROLES}",
        )
    elif BEST_GRADE in client.site.functions and not pass_marks_given:
        yield from _pass_marks(client, quizzes[:COURSES_LOOKED_AT])


def _pass_marks(client: MoodleClient, quizzes: Sequence[tuple[Any, int]]) -> Iterator[Finding]:
    answers = client.call_many([Call(BEST_GRADE, {"quizid": quiz, "userid": user}) for quiz, user in quizzes])
    if all(isinstance(answer, errors.MissingCapabilityError) for answer in answers):
        yield Finding(
            "warning",
            "The pass marks of quizzes may not be seen",
            FUNCTIONS[BEST_GRADE],
            f"Allow mod/quiz:viewreports and mod/quiz:view on {_ROLES}",
        )
    elif not any(isinstance(answer, Mapping) and "gradetopass" in answer for answer in answers):
        yield Finding(
            "hint",
            f"None of {len(quizzes)} quizzes has a pass mark",
            "nobody has 'passed' them",
            "Set 'Grade to pass' in the settings of each quiz that can be passed, or pass_marks in config.toml",
        )
