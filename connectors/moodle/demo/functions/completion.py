"""core_completion: whether a user completed a course, and its activities."""

from connectors.moodle.demo.arguments import INT
from connectors.moodle.demo.errors import no_permission, plain
from connectors.moodle.demo.records import Course, Learning
from connectors.moodle.demo.registry import JSON, Call, registry

_INCOMPLETE, _COMPLETE, _PASSED, _FAILED = range(4)


@registry.function("core_completion_get_course_completion_status", courseid=INT, userid=INT)
def get_course_completion_status(call: Call, arguments: JSON) -> JSON:
    """Say which criteria a user met and when; the moment of the course itself must be derived from them."""
    course = call.course(arguments["courseid"])
    user = call.user(arguments["userid"])
    if not course.completion or not call.may("report/completion:view"):
        raise plain("cannotviewreport", "You cannot view this report")
    if not call.organisation.active(user.id, course.id):
        raise plain("usernotenroled", "User is not enrolled in this course")
    done = call.organisation.learning_of(user.id, course.id)
    quiz_rule = "Achieving grade, Achieving passing grade" if course.pass_mark else "Achieving grade"
    return {
        "completionstatus": {
            "completed": done.completed_at is not None,
            "aggregation": 1,
            "completions": [
                _criterion(_link(call, "quiz", course.quiz_cmid, course.quiz_name), quiz_rule, done.quiz_done_at),
                _criterion(_link(call, "page", course.page_cmid, "Read me"), "Viewing the page", done.page_at),
            ],
        },
        "warnings": [],
    }


@registry.function("core_completion_get_activities_completion_status", courseid=INT, userid=INT)
def get_activities_completion_status(call: Call, arguments: JSON) -> JSON:
    """Say how far a user got in each activity that tracks completion."""
    course = call.course(arguments["courseid"])
    user = call.user(arguments["userid"])
    if not call.may("report/progress:view"):
        raise no_permission("View activity completion reports")
    if not course.completion:
        return {"statuses": [], "warnings": []}
    done = call.organisation.learning_of(user.id, course.id)
    statuses = [_quiz(course, done)] if call.may("mod/quiz:view") else []
    viewed = _COMPLETE if done.page_at else _INCOMPLETE
    rules = [_rule("completionview", viewed, "View")]
    statuses += [
        _status(course.page_cmid, "page", 2 * course.number - 1, viewed, done.page_at, rules),
        _status(course.acknowledge_cmid, "page", 2 * course.number, _INCOMPLETE, None, []),
    ]
    return {"statuses": statuses, "warnings": []}


def _criterion(link: str, requirement: str, met_at: int | None) -> JSON:
    return {
        "type": 4,
        "title": "Activity completion",
        "status": "No" if met_at is None else "Yes",
        "complete": met_at is not None,
        "timecompleted": met_at,
        "details": {
            "type": "Activity completion",
            "criteria": link,
            "requirement": requirement,
            "status": "",
        },
    }


def quiz_state(course: Course, done: Learning) -> tuple[int, int | None]:
    """How far a user is with the quiz of a course, and since when."""
    state = _COMPLETE if done.quiz is not None else _INCOMPLETE
    if course.pass_mark:
        if done.quiz_done_at is not None:
            state = _PASSED
        elif done.quiz is not None:
            state = _FAILED
    return state, done.quiz_done_at or done.quiz_at


def _quiz(course: Course, done: Learning) -> JSON:
    state, at = quiz_state(course, done)
    graded = _COMPLETE if done.quiz is not None else _INCOMPLETE
    rules = [_rule("completionusegrade", graded, "Receive a grade")]
    if course.pass_mark:
        rules.append(_rule("completionpassgrade", state, "Receive a passing grade"))
    return _status(course.quiz_cmid, "quiz", course.number, state, at, rules)


def _rule(name: str, status: int, description: str) -> JSON:
    return {"rulename": name, "rulevalue": {"status": status, "description": description}}


def _status(cmid: int, module: str, instance: int, state: int, at: int | None, rules: list[JSON]) -> JSON:
    return {
        "cmid": cmid,
        "modname": module,
        "instance": instance,
        "state": state,
        "timecompleted": at or 0,
        "tracking": 2 if rules else 1,
        "overrideby": None,
        "valueused": False,
        "hascompletion": True,
        "isautomatic": bool(rules),
        "istrackeduser": True,
        "uservisible": True,
        "details": rules,
    }


def _link(call: Call, module: str, cmid: int, name: str) -> str:
    return f'<a href="{call.site}/mod/{module}/view.php?id={cmid}">{name}</a>'
