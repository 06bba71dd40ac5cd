"""core_enrol: who is enrolled in a course, and the courses of a user."""

from collections.abc import Callable
from typing import Any

from connectors.moodle.demo.arguments import INT, TEXT, WORD, Fields, Rows, flag
from connectors.moodle.demo.errors import coding_error, invalid_parameter, no_permission, plain
from connectors.moodle.demo.functions.courses import course_image
from connectors.moodle.demo.functions.users import custom_fields, details
from connectors.moodle.demo.records import Course, User
from connectors.moodle.demo.registry import JSON, Call, registry

_STUDENT = {"roleid": 5, "name": "", "shortname": "student", "sortorder": 0}
_USER_FIELDS = {
    "id", "username", "fullname", "firstname", "lastname", "email", "department", "institution", "idnumber",
    "firstaccess", "lastaccess", "lastcourseaccess", "city", "country", "profileimageurlsmall",
    "profileimageurl", "customfields", "groups", "roles", "enrolledcourses", "address", "phone1", "phone2",
    "interests", "suspended", "description", "descriptionformat", "auth", "confirmed", "lang", "theme",
    "timezone", "mailformat", "preferences",
}  # fmt: skip
_SORTS: dict[str, Callable[[User], tuple[Any, ...]]] = {
    "id": lambda user: (user.id,),
    "firstname": lambda user: (user.firstname, user.lastname, user.id),
    "lastname": lambda user: (user.lastname, user.firstname, user.id),
    "siteorder": lambda user: (user.lastname, user.firstname, user.id),
}


@registry.function(
    "core_enrol_get_enrolled_users", courseid=INT, options=Rows(Fields({"name": WORD, "value": TEXT}), [])
)
def get_enrolled_users(call: Call, arguments: JSON) -> list[JSON]:
    """List the users of a course; it never says by which method, since when or until when."""
    options = {option["name"]: option["value"] for option in arguments["options"]}
    only_active, only_suspended = (options.get(name) == "1" for name in ("onlyactive", "onlysuspended"))
    if only_active and only_suspended:
        raise coding_error("Both onlyactive and onlysuspended are set, this is probably not what you want!")
    by, direction = options.get("sortby", "id"), options.get("sortdirection", "ASC").upper()
    if by not in _SORTS or direction not in ("ASC", "DESC"):
        raise invalid_parameter()
    wanted = {name.strip() for name in options.get("userfields", "").split(",")} - {""}
    for name in sorted(wanted - _USER_FIELDS):
        raise plain("invaliduserfield", f"Invalid user field: {name}")
    course = call.course(arguments["courseid"], "errorcoursecontextnotvalid")
    if (only_active or only_suspended) and not call.may("moodle/course:enrolreview"):
        raise no_permission("Review course enrolments")
    if not call.may("moodle/user:viewdetails"):
        return []
    organisation = call.organisation
    users = [organisation.users[user_id] for user_id in organisation.enrolments[course.id]]
    if only_active or only_suspended:
        users = [user for user in users if organisation.active(user.id, course.id) == only_active]
    users.sort(key=_SORTS[by], reverse=direction == "DESC")
    start, most = _count(options.get("limitfrom")), _count(options.get("limitnumber"))
    return [_enrolled(call, course, user, wanted) for user in users[start : start + most if most else None]]


@registry.function("core_enrol_get_users_courses", userid=INT, returnusercount=flag(True))
def get_users_courses(call: Call, arguments: JSON) -> list[JSON]:
    """List the courses in which a user's enrolment is active; its dates are the course's, not the user's."""
    user = call.organisation.users.get(arguments["userid"])
    if user is None or user.deleted or not call.may("moodle/course:view"):
        return []
    courses = [course for course in call.organisation.courses_of(user.id) if call.may_see(course)]
    return [_users_course(call, user, course, arguments["returnusercount"]) for course in courses]


def _enrolled(call: Call, course: Course, user: User, wanted: set[str]) -> JSON:
    described = details(call, user)
    if not wanted or "customfields" in wanted:
        described |= custom_fields(user, display=False)
    if not wanted or "lastcourseaccess" in wanted:
        described["lastcourseaccess"] = call.organisation.learning_of(user.id, course.id).last_access or 0
    if not wanted or "groups" in wanted:
        described["groups"] = [_group(user)]
    if not wanted or "roles" in wanted:
        described["roles"] = [_STUDENT]
    if not wanted or "enrolledcourses" in wanted:
        described["enrolledcourses"] = [
            {"id": other.id, "fullname": other.fullname, "shortname": other.shortname}
            for other in call.organisation.courses_of(user.id)
        ]
    if not wanted:
        return described
    return {name: value for name, value in described.items() if name in wanted | {"id", "fullname"}}


def _users_course(call: Call, user: User, course: Course, count: bool) -> JSON:
    done = call.organisation.learning_of(user.id, course.id)
    tracked = course.completion and call.may("report/completion:view")
    progress = 50 * ((done.page_at is not None) + (done.quiz_done_at is not None))
    listed = {
        "id": course.id,
        "shortname": course.shortname,
        "fullname": course.fullname,
        "displayname": course.fullname,
        "idnumber": course.idnumber,
        "visible": int(course.visible),
        "summary": f"<p>{course.fullname}</p>",
        "summaryformat": 1,
        "format": "topics",
        "courseimage": course_image(call, course.id),
        "showgrades": True,
        "lang": "",
        "enablecompletion": course.completion,
        "completionhascriteria": tracked,
        "completionusertracked": tracked,
        "category": course.category,
        "progress": progress if tracked else None,
        "completed": done.completed_at is not None if tracked else None,
        "startdate": course.start,
        "enddate": 0,
        "marker": 0,
        "lastaccess": done.last_access,
        "isfavourite": False,
        "hidden": False,
        "overviewfiles": [],
        "showactivitydates": False,
        "showcompletionconditions": True,
        "timemodified": course.modified,
    }
    return listed | ({"enrolledusercount": len(call.organisation.enrolments[course.id])} if count else {})


def _group(user: User) -> JSON:
    number = 1 + user.id % 2
    return {"id": number, "name": f"Group {'AB'[number - 1]}", "description": "", "descriptionformat": 0}


def _count(value: str | None) -> int:
    return int(value) if value and value.isdigit() else 0
