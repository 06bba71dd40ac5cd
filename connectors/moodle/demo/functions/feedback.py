"""mod_feedback: the course survey of Fire safety, once with names (1) and once anonymous (2)."""

from collections import Counter
from html import escape

from connectors.moodle.demo.arguments import INT, Kind, Rows, Value, integer
from connectors.moodle.demo.errors import course_closed, missing_record, no_permission
from connectors.moodle.demo.functions.quizzes import no_access
from connectors.moodle.demo.protocol import to_json
from connectors.moodle.demo.records import Answers
from connectors.moodle.demo.registry import JSON, Call, registry

COURSE = 2
FIRST_CMID = 61
ANONYMOUS = 2
_RATINGS = ("Very poor", "Poor", "OK", "Good", "Excellent")
_YES_NO = ("Yes", "No")


@registry.function("mod_feedback_get_feedbacks_by_courses", courseids=Rows(INT, []))
def get_feedbacks_by_courses(call: Call, arguments: JSON) -> JSON:
    """List the surveys of the courses named; of none when none is, for the caller is enrolled nowhere."""
    feedbacks, warnings = [], []
    for course_id in arguments["courseids"]:
        course = call.organisation.courses.get(course_id)
        if course is None or not call.may("moodle/course:view") or not call.may_see(course):
            warnings.append(no_access(course_id))
        elif course_id == COURSE and call.may("mod/feedback:view"):
            feedbacks += [_feedback(number) for number in call.organisation.feedback]
    return {"feedbacks": feedbacks, "warnings": warnings}


@registry.function("mod_feedback_get_items", feedbackid=INT, courseid=integer(0))
def get_items(call: Call, arguments: JSON) -> JSON:
    """List the questions of a survey."""
    _answers(call, arguments["feedbackid"])
    return {"items": items_of(arguments["feedbackid"]), "warnings": []}


@registry.function("mod_feedback_get_analysis", feedbackid=INT, groupid=integer(0), courseid=integer(0))
def get_analysis(call: Call, arguments: JSON) -> JSON:
    """Sum up a survey; what was counted is JSON written into text."""
    answers = _answers(call, arguments["feedbackid"])
    items = items_of(arguments["feedbackid"])
    data = (
        _counts([one.satisfaction for one in answers], _RATINGS, rated=True),
        [str(one.score) for one in answers],
        _counts([one.recommends for one in answers], _YES_NO, rated=False),
        [one.comment for one in answers],
    )
    return {
        "completedcount": len(answers),
        "itemscount": len(items),
        "itemsdata": [{"item": item, "data": counted} for item, counted in zip(items, data, strict=True)],
        "warnings": [],
    }


@registry.function(
    "mod_feedback_get_responses_analysis",
    feedbackid=INT,
    groupid=integer(0),
    page=integer(0),
    perpage=integer(0),
    courseid=integer(0),
)
def get_responses_analysis(call: Call, arguments: JSON) -> JSON:
    """Give the answers one by one; the anonymous survey tells neither who nor when."""
    number = arguments["feedbackid"]
    answers = _answers(call, number)
    size = arguments["perpage"] or len(answers)
    page = answers[arguments["page"] * size : (arguments["page"] + 1) * size]
    named: list[JSON] = []
    anonymous: list[JSON] = []
    for one in page:
        responses = answers_of(number, one)
        if number == ANONYMOUS:
            anonymous.append({"id": one.id, "courseid": 0, "number": one.id - 2000, "responses": responses})
        else:
            named.append(
                {
                    "id": one.id,
                    "courseid": 0,
                    "userid": one.user_id,
                    "timemodified": one.at,
                    "fullname": call.organisation.users[one.user_id].fullname,
                    "responses": responses,
                }
            )
    return {
        "attempts": named,
        "totalattempts": 0 if number == ANONYMOUS else len(answers),
        "anonattempts": anonymous,
        "totalanonattempts": len(answers) if number == ANONYMOUS else 0,
        "warnings": [],
    }


@registry.function(
    "mod_feedback_get_non_respondents",
    feedbackid=INT,
    groupid=integer(0),
    sort=Value(Kind.WORD, "lastaccess"),
    page=integer(0),
    perpage=integer(0),
    courseid=integer(0),
)
def get_non_respondents(call: Call, arguments: JSON) -> JSON:
    """List who is enrolled and has not answered."""
    answered = {one.user_id for one in _answers(call, arguments["feedbackid"])}
    missing = sorted(set(call.organisation.enrolments[COURSE]) - answered)
    size = arguments["perpage"] or len(missing)
    users = [
        {
            "courseid": 0,
            "userid": user_id,
            "fullname": call.organisation.users[user_id].fullname,
            "started": False,
        }
        for user_id in missing[arguments["page"] * size : (arguments["page"] + 1) * size]
    ]
    return {"users": users, "total": len(missing), "warnings": []}


def _answers(call: Call, number: int) -> list[Answers]:
    if number not in call.organisation.feedback:
        raise missing_record("feedback")
    call.course(COURSE)
    if not call.may("mod/feedback:view"):
        raise course_closed("requireloginerror")
    if not call.may("mod/feedback:viewreports"):
        raise no_permission("View reports")
    return call.organisation.feedback[number]


def survey_name(number: int) -> str:
    """The name of a survey."""
    return f"Course survey ({'anonymous' if number == ANONYMOUS else 'named'})"


def _feedback(number: int) -> JSON:
    anonymous = number == ANONYMOUS
    return {
        "id": number,
        "course": COURSE,
        "name": survey_name(number),
        "intro": "",
        "introformat": 1,
        "lang": None,
        "anonymous": 1 if anonymous else 2,
        "multiple_submit": False,
        "autonumbering": False,
        "page_after_submitformat": 0,
        "publish_stats": True,
        "completionsubmit": False,
        "coursemodule": FIRST_CMID + number - 1,
        "introfiles": [],
    }


def items_of(number: int) -> list[JSON]:
    """The questions of a survey."""
    rated = "r>>>>>" + "|".join(f"{value}####{label}" for value, label in enumerate(_RATINGS, start=1))
    questions = (
        ("SAT", "Overall satisfaction", "multichoicerated", rated, "h"),
        ("NPS", "Would recommend, 0-10", "numeric", "0|10", ""),
        ("REC", "Was it worth the time?", "multichoice", "r>>>>>" + "|".join(_YES_NO), "h"),
        ("COM", "Comments", "textarea", "40|20", ""),
    )
    return [
        {
            "id": _item_id(number, place),
            "feedback": number,
            "template": 0,
            "name": name,
            "label": label,
            "presentation": presentation,
            "typ": kind,
            "hasvalue": 1,
            "position": place,
            "required": False,
            "dependitem": 0,
            "dependvalue": "",
            "options": options,
            "itemfiles": [],
            "itemnumber": place,
            "otherdata": None,
        }
        for place, (label, name, kind, presentation, options) in enumerate(questions, start=1)
    ]


def _item_id(number: int, place: int) -> int:
    return 4 * (number - 1) + place


def _counts(values: list[int], labels: tuple[str, ...], *, rated: bool) -> list[str]:
    counted, total = Counter(values), max(1, len(values))
    written = []
    for value, label in enumerate(labels, start=1):
        share = counted[value] / total
        row: JSON = {"answertext": label, "answercount": counted[value], "quotient": share}
        if rated:
            row |= {"avg": share * value, "value": str(value)}
        written.append(to_json(row))
    return written


def answers_of(number: int, one: Answers) -> list[JSON]:
    """One user's answers to a survey."""
    comment = escape(one.comment, quote=False) if "<" not in one.comment else one.comment
    given = (
        ("(SAT) Overall satisfaction", _RATINGS[one.satisfaction - 1], str(one.satisfaction)),
        ('(NPS) Would recommend, 0-10<span class="boundaries"> (0 - 10)</span>', str(one.score), str(one.score)),
        ("(REC) Was it worth the time?", _YES_NO[one.recommends - 1], str(one.recommends)),
        ("(COM) Comments", comment, one.comment),
    )
    return [
        {"id": _item_id(number, place), "name": name, "printval": printed, "rawval": raw}
        for place, (name, printed, raw) in enumerate(given, start=1)
    ]
