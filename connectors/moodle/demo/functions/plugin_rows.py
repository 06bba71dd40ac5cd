"""The rows that the companion plugin reads, as the sandbox organisation has them."""

from collections.abc import Iterator

from connectors.moodle.demo.functions import competencies as moodle_competencies
from connectors.moodle.demo.functions.badges import BADGE_NAME, badge_expires
from connectors.moodle.demo.functions.completion import quiz_state
from connectors.moodle.demo.functions.feedback import ANONYMOUS, COURSE, FIRST_CMID, answers_of, items_of, survey_name
from connectors.moodle.demo.functions.plans import PLAN_NAME, has_plan
from connectors.moodle.demo.records import PRACTICAL_MAXIMUM, PRACTICAL_PASS_MARK, Course, Learning
from connectors.moodle.demo.records import ROWS_PER_THING as PER
from connectors.moodle.demo.registry import JSON, Call

METHODS = ("manual", "self")
_DAY = 86400


def decimal(value: float) -> str:
    """A number as Moodle's database gives it."""
    return f"{value:.5f}"


def users(call: Call) -> list[JSON]:
    """Every account but the guest, deleted ones too."""
    return [
        {
            "id": user.id,
            "username": user.username,
            "idnumber": user.idnumber,
            "email": user.email,
            "firstname": user.firstname,
            "lastname": user.lastname,
            "fullname": user.fullname,
            "department": user.department,
            "institution": user.institution,
            "suspended": user.suspended,
            "deleted": user.deleted,
            "timecreated": user.created or None,
            "timemodified": user.created or None,
            "lastaccess": user.last_access or None,
            "customfields": [{"shortname": "costcentre", "value": user.cost_centre}] if user.cost_centre else [],
        }
        for user in call.organisation.users.values()
        if user.id != 1
    ]


def categories(call: Call) -> list[JSON]:
    """The categories."""
    return [
        {
            "id": category.id,
            "name": category.name,
            "idnumber": "",
            "parent": None,
            "path": f"/{category.id}",
            "visible": True,
            "timemodified": int(call.organisation.anchor.timestamp()) - 900 * _DAY,
        }
        for category in call.organisation.categories
    ]


def courses(call: Call) -> list[JSON]:
    """Every course, hidden ones too."""
    return [
        {
            "id": course.id,
            "shortname": course.shortname,
            "fullname": course.fullname,
            "idnumber": course.idnumber,
            "category": course.category,
            "visible": course.visible,
            "enablecompletion": course.completion,
            "startdate": course.start,
            "enddate": None,
            "timecreated": course.start,
            "timemodified": course.modified,
        }
        for course in call.organisation.courses.values()
    ]


def enrolments(call: Call) -> list[JSON]:
    """Every enrolment by every method."""
    return [
        {
            "id": course_id * PER * 10 + user_id * 10 + METHODS.index(one.method),
            "userid": user_id,
            "courseid": course_id,
            "enrol": one.method,
            "status": int(one.suspended),
            "methodstatus": 0,
            "timestart": one.start or None,
            "timeend": one.end or None,
            "timecreated": one.created,
            "timemodified": one.created,
            "lastaccess": call.organisation.learning_of(user_id, course_id).last_access,
            "timestarted": call.organisation.learning_of(user_id, course_id).page_at,
        }
        for course_id, of_course in call.organisation.enrolments.items()
        for user_id, standing in of_course.items()
        for one in standing
    ]


def begun_or_ended(call: Call, since: int) -> list[JSON]:
    """Entries, with the id 0, for enrolments that began or ended by themselves."""
    now = call.organisation.now
    return [
        {
            "id": 0,
            "stream": "enrolments",
            "action": "changed",
            "objectid": row["id"],
            "courseid": row["courseid"],
            "userid": row["userid"],
            "timecreated": now,
        }
        for row in enrolments(call)
        if since < (row["timestart"] or 0) <= now or since < (row["timeend"] or 0) <= now
    ]


def completions(call: Call) -> list[JSON]:
    """Course completions, of people since unenrolled or deleted too."""
    return [
        {
            "id": course.id * PER + user_id,
            "userid": user_id,
            "courseid": course.id,
            "timeenrolled": None,
            "timestarted": done.page_at,
            "timecompleted": done.completed_at,
        }
        for course, user_id, done in _learning(call)
        if course.completion
    ]


def activity_completions(call: Call) -> list[JSON]:
    """How far users are with the quiz and the page of each course that tracks completion."""
    rows = []
    for course, user_id, done in _learning(call):
        if not course.completion:
            continue
        states = [
            (course.quiz_cmid, *quiz_state(course, done)),
            (course.page_cmid, int(bool(done.page_at)), done.page_at),
        ]
        rows += [
            {
                "id": cmid * PER + user_id,
                "cmid": cmid,
                "courseid": course.id,
                "userid": user_id,
                "state": state,
                "timemodified": at,
                "overrideby": None,
            }
            for cmid, state, at in states
            if at is not None
        ]
    return rows


def grade_items(call: Call) -> list[JSON]:
    """The total, the quiz and the practical of each course."""
    rows = []
    for course in call.organisation.courses.values():
        n = course.number
        for item, kind, module, name, idnumber, maximum, pass_mark in (
            (3 * n - 2, "course", None, None, None, course.quiz_maximum + PRACTICAL_MAXIMUM, 0),
            (3 * n - 1, "mod", "quiz", course.quiz_name, f"quiz-{n}", course.quiz_maximum, course.pass_mark),
            (
                3 * n,
                "manual",
                None,
                f"Practical {course.shortname}",
                f"prac-{n}",
                PRACTICAL_MAXIMUM,
                PRACTICAL_PASS_MARK,
            ),
        ):
            rows.append(
                {
                    "id": item,
                    "courseid": course.id,
                    "courseidnumber": course.idnumber,
                    "itemtype": kind,
                    "itemmodule": module,
                    "iteminstance": None if kind == "manual" else n,
                    "itemnumber": None if kind == "course" else 0,
                    "idnumber": idnumber,
                    "cmid": course.quiz_cmid if module else None,
                    "itemname": name,
                    "gradetype": 1,
                    "grademin": decimal(0),
                    "grademax": decimal(maximum),
                    "gradepass": decimal(pass_mark),
                    "timemodified": course.modified,
                }
            )
    return rows


def grades(call: Call) -> list[JSON]:
    """Every grade."""
    rows = []
    for course, user_id, done in _learning(call):
        n, whole = course.number, course.quiz_maximum * (done.quiz is not None)
        whole += PRACTICAL_MAXIMUM * (done.practical is not None)
        for item, kind, score, maximum, bound, at, submitted in (
            (3 * n - 2, "course", done.total, whole, course.quiz_maximum + PRACTICAL_MAXIMUM, done.total_at, None),
            (3 * n - 1, "mod", done.quiz, course.quiz_maximum, course.quiz_maximum, done.quiz_at, done.quiz_at),
            (3 * n, "manual", done.practical, PRACTICAL_MAXIMUM, PRACTICAL_MAXIMUM, done.practical_at, None),
        ):
            if score is None:
                continue
            rows.append(
                {
                    "id": item * PER + user_id,
                    "itemid": item,
                    "courseid": course.id,
                    "userid": user_id,
                    "itemtype": kind,
                    "grademin": decimal(0),
                    "grademax": decimal(bound),
                    "rawgrade": decimal(score),
                    "finalgrade": decimal(score),
                    "rawgrademin": decimal(0),
                    "rawgrademax": decimal(maximum),
                    "timecreated": submitted,
                    "timemodified": at,
                    "overridden": None,
                    "excluded": None,
                    "hidden": 0,
                }
            )
    return rows


def attempts(call: Call) -> list[JSON]:
    """The attempts that marks of quizzes came from."""
    return [
        {
            "id": user_id * 100 + course.number,
            "quizid": course.number,
            "courseid": course.id,
            "cmid": course.quiz_cmid,
            "userid": user_id,
            "attempt": 1,
            "state": "finished",
            "timestart": done.quiz_at - 600,
            "timefinish": done.quiz_at,
            "sumgrades": decimal(done.quiz / 10),
            "quizsumgrades": decimal(course.quiz_maximum / 10),
            "quizgrade": decimal(course.quiz_maximum),
        }
        for course, user_id, done in _learning(call)
        if done.quiz is not None and done.quiz_at is not None
    ]


def cohorts(call: Call) -> list[JSON]:
    """The cohorts."""
    return [
        {"id": cohort.id, "name": cohort.name, "idnumber": cohort.idnumber, "contextid": 1, "visible": True}
        for cohort in call.organisation.cohorts
    ]


def cohort_members(call: Call) -> list[JSON]:
    """Who belongs to the cohorts."""
    return [
        {"id": cohort.id * PER + user_id, "cohortid": cohort.id, "userid": user_id, "timeadded": cohort.added}
        for cohort in call.organisation.cohorts
        for user_id in cohort.members
    ]


def badges(call: Call) -> list[JSON]:
    """The badge of everybody who completed First aid."""
    aid = call.organisation.find_course("AID")
    return [
        {
            "id": user_id,
            "badgeid": 1,
            "badgename": BADGE_NAME,
            "badgeversion": "2",
            "courseid": None,
            "userid": user_id,
            "dateissued": done.completed_at,
            "dateexpire": badge_expires(user_id, done.completed_at),
            "visible": False,
        }
        for course, user_id, done in _learning(call)
        if course is aid and done.completed_at is not None
    ]


def competencies(call: Call) -> list[JSON]:
    """The competencies of the one framework."""
    return [
        {
            "id": one["id"],
            "frameworkid": 1,
            "frameworkidnumber": moodle_competencies.framework(call)["idnumber"],
            "idnumber": one["idnumber"],
            "shortname": one["shortname"],
            "parentid": None,
            "timemodified": int(call.organisation.anchor.timestamp()) - 700 * _DAY,
            "scale": ["A", "B"],
            "proficient": [2],
        }
        for one in (moodle_competencies.competency(call, number) for number in range(1, 5))
    ]


def competency_ratings(call: Call) -> list[JSON]:
    """The ratings that were given, over all."""
    loto = call.organisation.find_course("LOTO")
    return [
        {
            "id": 2 * user_id,
            "userid": user_id,
            "competencyid": moodle_competencies.RATED,
            "courseid": None,
            "grade": 2,
            "proficiency": True,
            "status": 0,
            "timemodified": done.completed_at,
        }
        for course, user_id, done in _learning(call)
        if course is loto and done.completed_at is not None and not call.organisation.users[user_id].deleted
    ]


def plans(call: Call) -> list[JSON]:
    """The learning plans."""
    now = int(call.organisation.anchor.timestamp())
    return [
        {
            "id": user.id,
            "userid": user.id,
            "name": PLAN_NAME,
            "status": 1,
            "duedate": now + 100 * _DAY,
            "templateid": 1,
            "timecreated": now - 100 * _DAY,
            "timemodified": now - 100 * _DAY,
        }
        for user in call.organisation.present_users()
        if has_plan(user.id)
    ]


def feedbacks(call: Call) -> list[JSON]:
    """The two surveys with their questions."""
    shown = ("id", "typ", "name", "label", "presentation", "position", "required")
    return [
        {
            "id": number,
            "courseid": COURSE,
            "cmid": FIRST_CMID + number - 1,
            "name": survey_name(number),
            "anonymous": 1 if number == ANONYMOUS else 2,
            "timeopen": None,
            "timeclose": None,
            "items": [{name: item[name] for name in shown} for item in items_of(number)],
        }
        for number in call.organisation.feedback
    ]


def feedback_answers(call: Call) -> list[JSON]:
    """The answers; of anonymous ones neither who nor when."""
    return [
        {
            "id": one.id,
            "feedbackid": number,
            "courseid": COURSE,
            "userid": None if number == ANONYMOUS else one.user_id,
            "timemodified": None if number == ANONYMOUS else one.at,
            "anonymous": number == ANONYMOUS,
            "values": [{"itemid": answer["id"], "value": answer["rawval"]} for answer in answers_of(number, one)],
        }
        for number, answers in call.organisation.feedback.items()
        for one in answers
    ]


def _learning(call: Call) -> Iterator[tuple[Course, int, Learning]]:
    """Every course and user of whom something is kept."""
    for course in call.organisation.courses.values():
        for user_id in call.organisation.known_in(course.id):
            yield course, user_id, call.organisation.learning_of(user_id, course.id)
