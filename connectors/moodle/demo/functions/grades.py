"""gradereport_user and gradereport_overview: marks of a course and course totals of a user."""

from connectors.moodle.demo.arguments import INT, integer
from connectors.moodle.demo.errors import access_denied, no_permission, plain
from connectors.moodle.demo.records import PRACTICAL_MAXIMUM, PRACTICAL_PASS_MARK, Course, User
from connectors.moodle.demo.registry import JSON, Call, registry


@registry.function("gradereport_user_get_grade_items", courseid=INT, userid=integer(0), groupid=integer(0))
def get_grade_items(call: Call, arguments: JSON) -> JSON:
    """Give all marks of a user in a course, or of all whose enrolment is active when the user id is 0."""
    course = call.course(arguments["courseid"])
    if not call.may("gradereport/user:view"):
        raise no_permission("View your own grade report")
    if arguments["userid"]:
        users = [call.user(arguments["userid"])]
        if not call.may("moodle/grade:viewall"):
            raise plain("nopermissiontoviewgrades", "Can not view grades.")
    else:
        call.need("moodle/grade:viewall", "View grades of other users")
        users = [
            call.organisation.users[user_id]
            for user_id in call.organisation.enrolments[course.id]
            if call.organisation.active(user_id, course.id)
        ]
        users.sort(key=lambda user: (user.lastname, user.firstname, user.id))
    return {"usergrades": [_user_grades(call, course, user) for user in users], "warnings": []}


@registry.function("gradereport_overview_get_course_grades", userid=integer(0))
def get_course_grades(call: Call, arguments: JSON) -> JSON:
    """Give the course totals of a user, as text and without dates."""
    call.need("moodle/grade:viewall", "View grades of other users")
    user = call.organisation.users.get(arguments["userid"])
    if user is None or user.deleted:
        raise access_denied()
    grades = []
    for course in call.organisation.courses_of(user.id):
        total = call.organisation.learning_of(user.id, course.id).total
        grades.append(
            {
                "courseid": course.id,
                "grade": "-" if total is None else f"{total:.2f}",
                "rawgrade": None if total is None else f"{total:.5f}",
            }
        )
    return {"grades": grades, "warnings": []}


def _user_grades(call: Call, course: Course, user: User) -> JSON:
    done = call.organisation.learning_of(user.id, course.id)
    marks = [
        maximum
        for maximum, mark in ((course.quiz_maximum, done.quiz), (PRACTICAL_MAXIMUM, done.practical))
        if mark is not None
    ]
    whole = sum(marks)
    quiz = _item(course, "mod", done.quiz, done.quiz_at, course.quiz_maximum, course.pass_mark, whole) | {
        "id": 3 * course.number - 1,
        "itemname": course.quiz_name,
        "itemmodule": "quiz",
        "iteminstance": course.number,
        "itemnumber": 0,
        "idnumber": f"quiz-{course.number}",
        "categoryid": course.number,
        "cmid": course.quiz_cmid,
        "gradedatesubmitted": done.quiz_at,
    }
    practical = _item(
        course, "manual", done.practical, done.practical_at, PRACTICAL_MAXIMUM, PRACTICAL_PASS_MARK, whole
    ) | {
        "id": 3 * course.number,
        "itemname": f"Practical {course.shortname}",
        "itemmodule": None,
        "iteminstance": None,
        "itemnumber": 0,
        "idnumber": f"prac-{course.number}",
        "categoryid": course.number,
    }
    total = _item(course, "course", done.total, done.total_at, whole or 100, 0, 0)
    items = [quiz] if call.may("mod/quiz:view") else []
    return {
        "courseid": course.id,
        "courseidnumber": course.idnumber,
        "userid": user.id,
        "userfullname": user.fullname,
        "useridnumber": user.idnumber,
        "maxdepth": 2,
        "gradeitems": [*items, practical, total],
    }


def _item(
    course: Course, kind: str, mark: float | None, at: int | None, maximum: int, pass_mark: int, whole: int
) -> JSON:
    item: JSON = {
        "id": 3 * course.number - 2,
        "itemname": None,
        "itemtype": kind,
        "itemmodule": None,
        "iteminstance": course.number,
        "itemnumber": None,
        "idnumber": None,
        "categoryid": None,
        "outcomeid": None,
        "scaleid": None,
        "locked": False,
        "graderaw": None if mark is None else number(mark),
        "gradedatesubmitted": None,
        "gradedategraded": at,
        "gradehiddenbydate": False,
        "gradeneedsupdate": False,
        "gradeishidden": False,
        "gradeislocked": False,
        "gradeisoverridden": False,
        "gradeformatted": _formatted(mark, pass_mark),
        "grademin": 0,
        "grademax": maximum,
        "rangeformatted": f"0&ndash;{maximum}",
        "percentageformatted": "-" if mark is None else f"{100 * mark / maximum:.2f} %",
        "feedback": "",
        "feedbackformat": 0,
    }
    if mark is not None and whole:
        item["weightraw"] = round(maximum / whole, 5)
        item["weightformatted"] = f"{100 * maximum / whole:.2f} %"
    return item


def number(mark: float) -> float:
    """A mark as PHP writes it: whole marks without decimals."""
    return int(mark) if mark == int(mark) else mark


def _formatted(mark: float | None, pass_mark: int) -> str:
    if mark is None:
        return "-"
    if not pass_mark:
        return f"{mark:.2f}"
    title, sign, colour = ("Pass", "check", "success") if mark >= pass_mark else ("Fail", "times", "danger")
    icon = f'class="icon fa fa-{sign} text-{colour} fa-fw inline"  title="{title}" role="img"'
    return f'<i {icon} aria-label="{title}"></i>{mark:.2f}'
