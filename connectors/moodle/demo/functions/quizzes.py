"""mod_quiz: quizzes, attempts, and the only function that tells a pass mark."""

from connectors.moodle.demo.arguments import INT, Kind, Rows, Value, flag, integer
from connectors.moodle.demo.errors import course_closed, missing_record
from connectors.moodle.demo.functions.grades import number
from connectors.moodle.demo.records import Course
from connectors.moodle.demo.registry import JSON, Call, registry

_REVIEW_OPTIONS = (
    "reviewattempt", "reviewcorrectness", "reviewmaxmarks", "reviewmarks", "reviewspecificfeedback",
    "reviewgeneralfeedback", "reviewrightanswer", "reviewoverallfeedback",
)  # fmt: skip
_ZEROES = (
    "groupmode", "groupingid", "timeopen", "timeclose", "timelimit", "canredoquestions", "attempts",
    "attemptonlast", "delay1", "delay2", "showuserpicture", "showblocks", "completionattemptsexhausted",
    "allowofflineattempts", "hasfeedback", "hasquestions", "section",
)  # fmt: skip


@registry.function("mod_quiz_get_quizzes_by_courses", courseids=Rows(INT, []))
def get_quizzes_by_courses(call: Call, arguments: JSON) -> JSON:
    """List the quizzes of the courses named; of no course when none is, for the caller is enrolled nowhere."""
    quizzes, warnings = [], []
    for course_id in arguments["courseids"]:
        course = call.organisation.courses.get(course_id)
        if course is None or not call.may("moodle/course:view") or not call.may_see(course):
            warnings.append(no_access(course_id))
        elif call.may("mod/quiz:view"):
            quizzes.append(_quiz(course))
    return {"quizzes": quizzes, "warnings": warnings}


@registry.function("mod_quiz_get_user_best_grade", quizid=INT, userid=integer(0))
def get_user_best_grade(call: Call, arguments: JSON) -> JSON:
    """Give a user's mark and the pass mark of a quiz; either key is absent when there is none."""
    course = _course_of(call, arguments["quizid"])
    user = call.user(arguments["userid"] or call.caller.userid)
    call.need("mod/quiz:viewreports", "View quiz reports")
    mark = call.organisation.learning_of(user.id, course.id).quiz
    answer: JSON = {"hasgrade": mark is not None, "warnings": []}
    if mark is not None:
        answer["grade"] = number(mark)
    if course.pass_mark:
        answer["gradetopass"] = course.pass_mark
    return answer


@registry.function(
    "mod_quiz_get_user_attempts",
    quizid=INT,
    userid=integer(0),
    status=Value(Kind.WORD, "finished"),
    includepreviews=flag(False),
)
def get_user_attempts(call: Call, arguments: JSON) -> JSON:
    """List a user's attempts at a quiz: in the sandbox the one that the mark came from."""
    course = _course_of(call, arguments["quizid"])
    user = call.user(arguments["userid"])
    call.need("mod/quiz:viewreports", "View quiz reports")
    done = call.organisation.learning_of(user.id, course.id)
    if done.quiz is None or done.quiz_at is None:
        return {"attempts": [], "warnings": []}
    attempt_id = user.id * 100 + course.number
    attempt = {
        "id": attempt_id,
        "quiz": course.number,
        "userid": user.id,
        "attempt": 1,
        "uniqueid": attempt_id,
        "layout": "",
        "currentpage": 0,
        "preview": 0,
        "state": "finished",
        "timestart": done.quiz_at - 600,
        "timefinish": done.quiz_at,
        "timemodified": done.quiz_at,
        "timemodifiedoffline": 0,
        "timecheckstate": None,
        "sumgrades": number(done.quiz / 10),
        "gradednotificationsenttime": None,
    }
    return {"attempts": [attempt], "warnings": []}


def no_access(course_id: int) -> JSON:
    """The warning for a course that is unknown or closed to the caller."""
    message = "No access rights in course context"
    return {"item": "course", "itemid": course_id, "warningcode": "1", "message": message}


def _course_of(call: Call, quiz_id: int) -> Course:
    if quiz_id + 1 not in call.organisation.courses:
        raise missing_record("quiz")
    course = call.course(quiz_id + 1)
    if not call.may("mod/quiz:view"):
        raise course_closed("requireloginerror")
    return course


def _quiz(course: Course) -> JSON:
    return (
        {
            "id": course.number,
            "coursemodule": course.quiz_cmid,
            "course": course.id,
            "name": course.quiz_name,
            "intro": "",
            "introformat": 1,
            "introfiles": [],
            "visible": True,
            "lang": "",
            "overduehandling": "autosubmit",
            "graceperiod": 86400,
            "preferredbehaviour": "deferredfeedback",
            "grademethod": 1,
            "decimalpoints": 2,
            "questiondecimalpoints": -1,
            "questionsperpage": 1,
            "navmethod": "free",
            "grade": course.quiz_maximum,
            "sumgrades": number(course.quiz_maximum / 10),
            "browsersecurity": "",
            "completionpass": int(course.pass_mark > 0),
            "autosaveperiod": 60,
        }
        | dict.fromkeys(_ZEROES, 0)
        | dict.fromkeys(_REVIEW_OPTIONS, 69904)
    )
