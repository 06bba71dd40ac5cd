"""core_reportbuilder: custom reports, whose rows are text meant to be read."""

import json
from collections.abc import Iterator
from functools import partial
from html import escape

from connectors.moodle.demo.arguments import INT, TEXT, integer
from connectors.moodle.demo.dates import readable
from connectors.moodle.demo.errors import invalid_parameter, report_closed
from connectors.moodle.demo.functions.agreed_reports import AGREED, agreed_rows
from connectors.moodle.demo.functions.badges import BADGE_NAME, badge_expires, badge_issued
from connectors.moodle.demo.records import Cohort, Course, Enrolment, Learning, User
from connectors.moodle.demo.registry import JSON, Call, registry
from connectors.moodle.demo.report_parts import METHODS, Later, Report, Row, inside, range_of, status

COMPLETIONS = Report(
    6,
    "HR: completions",
    "core_course\\reportbuilder\\datasource\\participants",
    "Course participants",
    ("Username", "ID number", "Email address", "Course short name", "Course ID number", "Plugin", "Status",
     "Time created", "Time started", "Time ended", "Completed", "Time started", "Time completed", "Grade"),
)  # fmt: skip
BADGES = Report(
    8,
    "HR: badges",
    "core_badges\\reportbuilder\\datasource\\users",
    "User badges",
    ("Username", "ID number", "Name", "Date issued", "Expiry date", "Course short name"),
)
COHORTS = Report(
    9,
    "HR: cohorts",
    "core_cohort\\reportbuilder\\datasource\\cohorts",
    "Cohorts",
    ("Cohort ID", "Name", "Time added", "Username", "ID number"),
)
USERS = Report(
    10,
    "HR: users",
    "core_user\\reportbuilder\\datasource\\users",
    "Users",
    ("Username", "ID number", "Email address", "First name", "Last name", "Department", "Institution",
     "Suspended", "Last access", "Time created", "Cost centre"),
)  # fmt: skip
_REPORTS = {report.id: report for report in (BADGES, COHORTS, COMPLETIONS, USERS, *AGREED)}


@registry.function("core_reportbuilder_list_reports", page=integer(0), perpage=integer(10))
def list_reports(call: Call, _arguments: JSON) -> JSON:
    """List the reports whose audience the caller belongs to."""
    reports = [_details(call, report) for report in _REPORTS.values()] if call.caller.in_audience else []
    return {"reports": reports, "warnings": []}


@registry.function("core_reportbuilder_retrieve_report", reportid=INT, page=integer(0), perpage=integer(10))
def retrieve_report(call: Call, arguments: JSON) -> JSON:
    """Give one page of a report; a size of 0 or less means everything, a page beyond the end is empty."""
    report = _report(call, arguments["reportid"])
    rows = _rows(call, report)
    size = arguments["perpage"] if arguments["perpage"] > 0 else len(rows) or 1
    page = max(0, arguments["page"])
    return {
        "details": _details(call, report),
        "data": {
            "headers": list(report.headers),
            "rows": [{"columns": row()} for row in rows[page * size : (page + 1) * size]],
            "totalrowcount": len(rows),
        },
        "warnings": [],
    }


@registry.function("core_reportbuilder_set_filters", reportid=INT, parameters=TEXT, values=TEXT)
def set_filters(call: Call, arguments: JSON) -> bool:
    """Keep filter values for this user and report; unknown filters are accepted and ignored."""
    report = _report(call, arguments["reportid"])
    try:
        values = json.loads(arguments["values"])
    except ValueError:
        raise invalid_parameter() from None
    call.filters[call.caller.userid, report.id] = values if isinstance(values, dict) else {}
    return True


def _report(call: Call, report_id: int) -> Report:
    report = _REPORTS.get(report_id)
    if report is None or not call.caller.in_audience:
        raise report_closed()
    return report


def _rows(call: Call, report: Report) -> list[Later]:
    if report is COMPLETIONS:
        return _completions(call)
    if report in AGREED:
        return agreed_rows(call, report, call.filters.get((call.caller.userid, report.id), {}))
    if report is USERS:
        return [partial(_user, call, user) for user in _people(call)]
    if report is BADGES:
        return [partial(_badge, call, user) for user in _people(call)]
    return [
        partial(_member, call, cohort, call.organisation.users[member])
        for cohort in call.organisation.cohorts
        for member in cohort.members
    ]


def _people(call: Call) -> list[User]:
    """All but the guest, by username."""
    return sorted((user for user in call.organisation.present_users() if user.id > 1), key=lambda user: user.username)


def _member(call: Call, cohort: Cohort, user: User) -> Row:
    return [cohort.idnumber, cohort.name, readable(cohort.added, call.zone), user.username, user.idnumber]


def _user(call: Call, user: User) -> Row:
    texts = (user.username, user.idnumber, user.email, user.firstname, user.lastname, user.department,
             user.institution)  # fmt: skip
    return [
        *(escape(one) for one in texts),
        "Yes" if user.suspended else "No",
        readable(user.last_access, call.zone),
        readable(user.created, call.zone),
        user.cost_centre,
    ]


def _badge(call: Call, user: User) -> Row:
    issued = badge_issued(call.organisation, user.id)
    if issued is None:
        return [user.username, user.idnumber, None, "", "", ""]
    expires = badge_expires(user.id, issued)
    moments = (readable(issued, call.zone), readable(expires, call.zone))
    return [user.username, user.idnumber, BADGE_NAME, *moments, "acme"]


def _completions(call: Call) -> list[Later]:
    """First a row without a user for every enrolment method that nobody uses, then the enrolments."""
    filters = call.filters.get((call.caller.userid, COMPLETIONS.id), {})
    created = range_of(filters, "enrolment:timecreated")
    completed = range_of(filters, "completion:timecompleted")
    fitting = [
        (user, course, one, done)
        for user, course, one, done in _enrolments(call)
        if inside(created, one.created) and inside(completed, _completed(course, done))
    ]
    fitting.sort(key=lambda found: (found[0].username, found[1].shortname))
    rows: list[Later] = [partial(_completion, call, *found) for found in fitting]
    return rows if created or completed else _unused_methods(call) + rows


def _unused_methods(call: Call) -> list[Later]:
    blank: list[Later] = []
    for course in sorted(call.organisation.courses.values(), key=lambda course: course.shortname):
        used = {one.method for held in call.organisation.enrolments[course.id].values() for one in held}
        blank += [partial(_blank, course, METHODS[method]) for method in sorted(set(METHODS) - used)]
    return blank


def _blank(course: Course, method: str) -> Row:
    return ["", "", "", course.shortname, course.idnumber, method, None, *[""] * 7]


def _enrolments(call: Call) -> Iterator[tuple[User, Course, Enrolment, Learning]]:
    organisation = call.organisation
    for course in organisation.courses.values():
        for user_id, held in organisation.enrolments[course.id].items():
            done = organisation.learning_of(user_id, course.id)
            for one in held:
                yield organisation.users[user_id], course, one, done


def _completion(call: Call, user: User, course: Course, one: Enrolment, done: Learning) -> Row:
    completed = _completed(course, done)
    return [
        user.username,
        user.idnumber,
        user.email,
        course.shortname,
        course.idnumber,
        METHODS[one.method],
        status(call, one),
        readable(one.created, call.zone),
        readable(one.start, call.zone),
        readable(one.end, call.zone),
        "No" if completed is None else "Yes",
        readable(done.page_at if course.completion else None, call.zone),
        readable(completed, call.zone),
        "" if done.total is None else f"{done.total:.2f}",
    ]


def _completed(course: Course, done: Learning) -> int | None:
    return done.completed_at if course.completion else None


def _details(call: Call, report: Report) -> JSON:
    made = call.organisation.now - 300 * 86400
    return {
        "name": report.name,
        "source": report.source,
        "type": 0,
        "uniquerows": False,
        "conditiondata": None,
        "settingsdata": None,
        "contextid": 1,
        "component": "",
        "area": "",
        "itemid": 0,
        "usercreated": 2,
        "id": report.id,
        "timecreated": made,
        "timemodified": made,
        "usermodified": 2,
        "sourcename": report.sourcename,
        "modifiedby": {
            "id": 2,
            "email": "admin@example.com",
            "idnumber": "",
            "phone1": "",
            "phone2": "",
            "department": "",
            "institution": "",
            "fullname": "Admin User",
            "identity": "admin@example.com",
            "profileurl": f"{call.site}/user/profile.php?id=2",
            "profileimageurl": call.picture("f1"),
            "profileimageurlsmall": call.picture("f2"),
        },
    }
