"""core_course: courses and their categories."""

from collections.abc import Callable

from connectors.moodle.demo.arguments import INT, TEXT, WORD, Fields, Rows, Value, text
from connectors.moodle.demo.arguments import Kind as _Kind
from connectors.moodle.demo.errors import MoodleError, course_closed, invalid_parameter
from connectors.moodle.demo.organisation import SITE_NAME
from connectors.moodle.demo.records import Course
from connectors.moodle.demo.registry import JSON, Call, registry

_FILTERS = [{"filter": name, "localstate": 0, "inheritedstate": 1} for name in ("displayh5p", "mathjaxloader")]


@registry.function("core_course_get_courses", options=Fields({"ids": Rows(INT, [])}, {"ids": []}))
def get_courses(call: Call, arguments: JSON) -> list[JSON]:
    """List all courses, the site first; without the right to change them their idnumber is not shown."""
    ids = arguments["options"]["ids"]
    courses = [course for course in call.organisation.courses.values() if not ids or course.id in ids]
    if not call.may("moodle/course:view") or not all(map(call.may_see, courses)):
        raise course_closed("errorcoursecontextnotvalid")
    site = [_site_course()] if not ids or 1 in ids else []
    return site + [_listed(call, course) for course in courses]


@registry.function("core_course_get_courses_by_field", field=Value(_Kind.WORD, ""), value=text(""))
def get_courses_by_field(call: Call, arguments: JSON) -> JSON:
    """Find courses by one field; an unknown id among `ids` dies of a PHP error without an error code."""
    field, value = arguments["field"], arguments["value"]
    courses = call.organisation.courses
    if field == "ids":
        ids = _numbers(value)
        if not set(ids) <= {1, *courses}:
            raise MoodleError("Error", None, 'Attempt to assign property "contextvalidated" on null')
        found = [courses[course_id] for course_id in ids if course_id != 1]
    elif field == "id":
        found = [course for course in courses.values() if course.id == _numbers(value)[0]]
    else:
        found = list(filter(_test(field, value), courses.values()))
    site = [_site_by_field(call)] if not field or (field in ("id", "ids") and 1 in _numbers(value)) else []
    return {
        "courses": site + [_by_field(call, course) for course in found if call.may_see(course)],
        "warnings": [],
    }


@registry.function(
    "core_course_get_categories",
    criteria=Rows(Fields({"key": WORD, "value": TEXT}), []),
    addsubcategories=Value(_Kind.BOOL, True),
)
def get_categories(call: Call, _arguments: JSON) -> list[JSON]:
    """List the categories; the sandbox takes criteria but does not use them."""
    return [
        {
            "id": category.id,
            "name": category.name,
            "description": "",
            "descriptionformat": 1,
            "parent": 0,
            "sortorder": category.id * 10000,
            "coursecount": sum(course.category == category.id for course in call.organisation.courses.values()),
            "depth": 1,
            "path": f"/{category.id}",
        }
        for category in call.organisation.categories
    ]


def _site_course() -> JSON:
    return {
        "id": 1,
        "shortname": "acme",
        "categoryid": 0,
        "fullname": SITE_NAME,
        "displayname": SITE_NAME,
        "summary": "",
        "summaryformat": 0,
        "format": "site",
        "startdate": 0,
        "enddate": 0,
        "numsections": 1,
        "showactivitydates": False,
        "showcompletionconditions": None,
    }


def _listed(call: Call, course: Course) -> JSON:
    listed = {
        "id": course.id,
        "shortname": course.shortname,
        "categoryid": course.category,
        "fullname": course.fullname,
        "displayname": course.fullname,
        "summary": f"<p>{course.fullname}</p>",
        "summaryformat": 1,
        "format": "topics",
        "startdate": course.start,
        "enddate": 0,
        "showactivitydates": False,
        "showcompletionconditions": True,
    }
    if call.may("moodle/course:update"):
        listed |= {
            "categorysortorder": _order(course),
            "idnumber": course.idnumber,
            "visible": int(course.visible),
            "showgrades": 1,
            "enablecompletion": int(course.completion),
            "timecreated": course.start,
            "timemodified": course.modified,
        }
    return listed


def _by_field(call: Call, course: Course) -> JSON:
    described = {
        "id": course.id,
        "fullname": course.fullname,
        "displayname": course.fullname,
        "shortname": course.shortname,
        "courseimage": course_image(call, course.id),
        "categoryid": course.category,
        "categoryname": call.organisation.categories[course.category - 1].name,
        "sortorder": _order(course),
        "summary": f"<p>{course.fullname}</p>",
        "summaryformat": 1,
        "summaryfiles": [],
        "overviewfiles": [],
        "showactivitydates": False,
        "showcompletionconditions": True,
        "contacts": [],
        "enrollmentmethods": ["manual", "self"],
    }
    if call.may("moodle/course:view"):
        described |= _settings("topics", course.start, int(course.visible), int(course.completion))
        described["courseformatoptions"] = [
            {"name": "hiddensections", "value": 1},
            {"name": "coursedisplay", "value": 0},
            {"name": "indentation", "value": "1"},
        ]
    if call.may("moodle/course:update"):
        described |= {
            "idnumber": course.idnumber,
            "timecreated": course.start,
            "timemodified": course.modified,
        }
    return described


def _site_by_field(call: Call) -> JSON:
    return {
        "id": 1,
        "fullname": SITE_NAME,
        "displayname": SITE_NAME,
        "shortname": "acme",
        "courseimage": course_image(call, 1),
        "categoryid": 0,
        "categoryname": "",
        "sortorder": 1,
        "summary": "",
        "summaryformat": 0,
        "summaryfiles": [],
        "overviewfiles": [],
        "showactivitydates": False,
        "showcompletionconditions": None,
        "contacts": [],
        "enrollmentmethods": [],
    } | _settings("site", 0, 1, 0)


def _settings(course_format: str, start: int, visible: int, completion: int) -> JSON:
    return {
        "format": course_format,
        "showgrades": 1,
        "newsitems": 0,
        "startdate": start,
        "enddate": 0,
        "maxbytes": 0,
        "showreports": 0,
        "visible": visible,
        "groupmode": 0,
        "groupmodeforce": 0,
        "defaultgroupingid": 0,
        "enablecompletion": completion,
        "completionnotify": 0,
        "lang": "",
        "theme": "",
        "marker": 0,
        "filters": _FILTERS,
    }


def course_image(call: Call, course_id: int) -> str:
    """The address of the picture that Moodle draws for a course without one."""
    return f"{call.site}/pluginfile.php/{2000 + course_id}/course/generated/course.svg"


def _order(course: Course) -> int:
    return course.category * 10000 + course.number


def _numbers(value: str) -> list[int]:
    try:
        return [int(one) for one in value.split(",")]
    except ValueError:
        raise invalid_parameter() from None


def _test(field: str, value: str) -> Callable[[Course], bool]:
    if field == "category":
        return lambda course: str(course.category) == value
    if field in ("shortname", "idnumber"):
        return lambda course: bool(getattr(course, field).lower() == value.lower())
    if field:
        raise invalid_parameter()
    return lambda _course: True
