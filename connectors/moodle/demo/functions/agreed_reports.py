"""The custom reports that docs/moodle.md shows how to make, in the columns that the connector expects."""

from collections.abc import Iterator
from functools import partial
from html import escape

from connectors.moodle.demo.dates import readable
from connectors.moodle.demo.functions.badges import BADGE_NAME, badge_expires, badge_issued
from connectors.moodle.demo.organisation import SITE_NAME
from connectors.moodle.demo.records import Course, Enrolment, User
from connectors.moodle.demo.registry import JSON, Call
from connectors.moodle.demo.report_parts import METHODS, Later, Report, Row, inside, range_of, status

PARTICIPANTS = Report(
    11,
    "CertBridge participants",
    "core_course\\reportbuilder\\datasource\\participants",
    "Course participants",
    ("Full name with link", "Username", "ID number", "Email address", "Department", "Suspended",
     "Course full name with link", "Course short name", "Course ID number",
     "Plugin", "Status", "Time created", "Time started", "Time ended", "Time started", "Time completed"),
)  # fmt: skip
BADGES = Report(
    12,
    "CertBridge badges",
    "core_badges\\reportbuilder\\datasource\\users",
    "User badges",
    ("Full name with link", "Name with link", "Course full name with link", "Date issued", "Expiry date"),
)
COHORTS = Report(
    13,
    "CertBridge cohorts",
    "core_cohort\\reportbuilder\\datasource\\cohorts",
    "Cohorts",
    ("Name", "Cohort ID", "Full name with link", "Time added"),
)
AGREED = (PARTICIPANTS, BADGES, COHORTS)


def agreed_rows(call: Call, report: Report, filters: JSON) -> list[Later]:
    """The rows of one of these reports, as far as its filters let them through."""
    if report is PARTICIPANTS:
        return list(_participants(call, filters))
    if report is BADGES:
        return [partial(_badge, call, user) for user in call.organisation.present_users() if user.id > 1]
    organisation = call.organisation
    rows: list[Later] = []
    for cohort in organisation.cohorts:
        named = [cohort.name, cohort.idnumber]
        rows += [
            partial(list, [*named, _person(call, organisation.users[member]), readable(cohort.added, call.zone)])
            for member in cohort.members
        ] or [partial(list, [*named, "", ""])]
    return rows


def _participants(call: Call, filters: JSON) -> Iterator[Later]:
    """By course: a row without a user for each method that nobody uses, then the enrolments."""
    organisation = call.organisation
    created, completed = range_of(filters, "enrolment:timecreated"), range_of(filters, "completion:timecompleted")
    chosen = filters.get("course:courseselector_values")
    for course in sorted(organisation.courses.values(), key=lambda course: course.shortname):
        if chosen and course.id not in chosen:
            continue
        held = organisation.enrolments[course.id]
        used = {one.method for methods in held.values() for one in methods}
        if created is None and completed is None:
            for method in sorted(set(METHODS) - used):
                yield partial(list, [*[""] * 6, *_course(call, course), METHODS[method], None, *[""] * 5])
        for user_id in sorted(held, key=lambda user_id: organisation.users[user_id].username):
            done = organisation.completed_at(user_id, course.id)
            for one in held[user_id]:
                if inside(created, one.created) and inside(completed, done):
                    yield partial(_participant, call, course, organisation.users[user_id], one)


def _participant(call: Call, course: Course, user: User, one: Enrolment) -> Row:
    opened = call.organisation.learning_of(user.id, course.id).page_at if course.completion else None
    done = call.organisation.completed_at(user.id, course.id)
    moments = (one.created, one.start or one.created, one.end, opened, done)
    texts = (user.username, user.idnumber, user.email, user.department)
    return [
        _person(call, user),
        *(escape(one) for one in texts),
        "Yes" if user.suspended else "No",
        *_course(call, course),
        METHODS[one.method],
        status(call, one),
        *(readable(moment, call.zone) for moment in moments),
    ]


def _badge(call: Call, user: User) -> Row:
    issued = badge_issued(call.organisation, user.id)
    if issued is None:
        return [_person(call, user), "", "", "", ""]
    badge = f'<a href="{call.site}/badges/overview.php?id=1">{BADGE_NAME}</a>'
    site = f'<a href="{call.site}/?redirect=0">{SITE_NAME}</a>'
    expires = badge_expires(user.id, issued)
    return [_person(call, user), badge, site, readable(issued, call.zone), readable(expires, call.zone)]


def _person(call: Call, user: User) -> str:
    return f'<a href="{call.site}/user/profile.php?id={user.id}">{user.fullname}</a>'


def _course(call: Call, course: Course) -> Row:
    link = f'<a href="{call.site}/course/view.php?id={course.id}">{escape(course.fullname, quote=False)}</a>'
    return [link, escape(course.shortname), escape(course.idnumber)]
