"""core_competency: one framework, its competencies and how a user is rated. Rated: who completed LOTO."""

from connectors.moodle.demo.arguments import INT, TEXT, WORD, Fields, Kind, Rows, Value, flag, integer, text
from connectors.moodle.demo.dates import readable
from connectors.moodle.demo.errors import missing_record
from connectors.moodle.demo.registry import JSON, Call, registry

_TITLES = ("Works safely 安全作业", "Isolates energy 能量隔离", "Leads a crew 带领班组", "Protects data 保护数据")
RATED = 2
_SCALE = '[{"scaleid":"3"},{"id":3,"scaledefault":1,"proficient":1},{"id":4,"proficient":1}]'
_PAGING = {"skip": integer(0), "limit": integer(0), "order": Value(Kind.WORD, ""), "sort": text("")}


@registry.function(
    "core_competency_list_competency_frameworks",
    context=Fields({"contextid": integer(0), "contextlevel": text(""), "instanceid": integer(0)}),
    includes=Value(Kind.WORD, "children"),
    onlyvisible=flag(False),
    query=text(""),
    **_PAGING,
)
def list_competency_frameworks(call: Call, _arguments: JSON) -> list[JSON]:
    """List the one framework."""
    return [framework(call)]


@registry.function(
    "core_competency_list_competencies", filters=Rows(Fields({"column": WORD, "value": TEXT})), **_PAGING
)
def list_competencies(call: Call, _arguments: JSON) -> list[JSON]:
    """List all competencies; the sandbox has one framework, so filters change nothing."""
    return [competency(call, number) for number in range(1, len(_TITLES) + 1)]


@registry.function("core_competency_list_course_competencies", id=INT)
def list_course_competencies(call: Call, arguments: JSON) -> list[JSON]:
    """List the competencies of a course: each of the first four courses has one."""
    course = call.course(arguments["id"])
    if course.number > len(_TITLES):
        return []
    link = {
        "courseid": course.id,
        "competencyid": course.number,
        "sortorder": 0,
        "ruleoutcome": 3,
        "id": course.number,
    }
    return [{"competency": competency(call, course.number), "coursecompetency": link | _stamp(call)}]


@registry.function("tool_lp_data_for_user_competency_summary", userid=INT, competencyid=INT)
def user_competency_summary(call: Call, arguments: JSON) -> JSON:
    """Give one user's rating in one competency with the evidence behind it."""
    user, number = call.user(arguments["userid"]), arguments["competencyid"]
    if not 1 <= number <= len(_TITLES):
        raise missing_record("competency")
    rating = user_competency(call, user.id, number)
    base = f"{call.site}/admin/tool/lp"
    return {
        "showrelatedcompetencies": True,
        "cangrade": False,
        "competency": {
            "linkedcourses": [],
            "relatedcompetencies": [],
            "competency": competency(call, number),
            "framework": framework(call),
            "hascourses": False,
            "hasrelatedcompetencies": False,
            "scaleid": 3,
            "scaleconfiguration": _SCALE,
            "taxonomyterm": "Competency",
            "comppath": {
                "ancestors": [],
                "framework": {
                    "id": 1,
                    "name": framework(call)["shortname"],
                    "first": False,
                    "last": False,
                    "position": -1,
                },
                "pluginbaseurl": base,
                "pagecontextid": 1,
                "showlinks": True,
            },
            "pluginbaseurl": base,
        },
        "user": {
            "id": user.id,
            "email": user.email,
            "idnumber": user.idnumber,
            "phone1": "",
            "phone2": "",
            "department": user.department,
            "institution": user.institution,
            "fullname": user.fullname,
            "identity": user.email,
            "profileurl": f"{call.site}/user/profile.php?id={user.id}",
            "profileimageurl": call.picture("f1"),
            "profileimageurlsmall": call.picture("f2"),
        },
        "usercompetency": rating,
        "evidence": [_evidence(call, rating)] if rating["id"] else [],
        "commentarea": comment_area("user_competency", rating["id"], "0"),
    }


def framework(call: Call) -> JSON:
    """The framework."""
    return {
        "shortname": "Plant skills 工厂技能",
        "idnumber": "FW1",
        "description": "",
        "descriptionformat": 1,
        "visible": True,
        "scaleid": 3,
        "scaleconfiguration": _SCALE,
        "contextid": 1,
        "taxonomies": "",
        "id": 1,
        "canmanage": False,
        "competenciescount": len(_TITLES),
        "contextname": "System",
        "contextnamenoprefix": "System",
    } | _stamp(call)


def competency(call: Call, number: int) -> JSON:
    """One competency."""
    return {
        "shortname": _TITLES[number - 1],
        "idnumber": f"COMP-{number}",
        "description": "",
        "descriptionformat": 1,
        "sortorder": number - 1,
        "parentid": 0,
        "path": "/0/",
        "ruleoutcome": 0,
        "ruletype": None,
        "ruleconfig": None,
        "scaleid": None,
        "scaleconfiguration": None,
        "competencyframeworkid": 1,
        "id": number,
    } | _stamp(call)


def user_competency(call: Call, user_id: int, number: int) -> JSON:
    """A user's rating in a competency; one that was never rated has the id 0 and nulls."""
    at = None
    if number == RATED:
        at = call.organisation.completed_at(user_id, call.organisation.find_course("LOTO").id)
    row = 0 if at is None else user_id
    return {
        "userid": user_id,
        "competencyid": number,
        "status": 0,
        "reviewerid": None,
        "proficiency": None if at is None else True,
        "grade": None if at is None else 2,
        "id": row,
        "timecreated": at or 0,
        "timemodified": at or 0,
        "usermodified": 0 if at is None else 2,
        "canrequestreview": False,
        "canreview": False,
        "gradename": "-" if at is None else "B",
        "isrequestreviewallowed": False,
        "iscancelreviewrequestallowed": False,
        "isstartreviewallowed": False,
        "isstopreviewallowed": False,
        "isstatusidle": True,
        "isstatusinreview": False,
        "isstatuswaitingforreview": False,
        "proficiencyname": "No" if at is None else "Yes",
        "statusname": "-",
        "url": f"{call.site}/admin/tool/lp/user_competency.php?id={row}",
    }


def comment_area(area: str, item: int, client: str) -> JSON:
    """The place for comments that plans and ratings carry."""
    return {
        "component": "competency",
        "commentarea": area,
        "itemid": item,
        "courseid": 1,
        "contextid": 20,
        "cid": client,
        "autostart": False,
        "canpost": False,
        "canview": True,
        "count": 0,
        "collapsediconkey": "t/collapsed",
        "displaytotalcount": True,
        "displaycancel": False,
        "fullwidth": True,
        "linktext": "Comments",
        "notoggle": False,
        "template": "<div>___content___</div>",
        "canpostorhascomments": False,
    }


def _evidence(call: Call, rating: JSON) -> JSON:
    return {
        "usercompetencyid": rating["id"],
        "contextid": 2015,
        "action": 3,
        "actionuserid": None,
        "descidentifier": "evidence_manualoverride",
        "desccomponent": "core_competency",
        "desca": None,
        "url": None,
        "grade": rating["grade"],
        "note": None,
        "id": rating["id"],
        "timecreated": rating["timecreated"],
        "timemodified": rating["timemodified"],
        "usermodified": 2,
        "description": "The competency rating was manually set.",
        "gradename": rating["gradename"],
        "userdate": readable(rating["timecreated"], call.zone),
        "candelete": False,
    }


def _stamp(call: Call) -> JSON:
    made = call.organisation.now - 700 * 86400
    return {"timecreated": made, "timemodified": made, "usermodified": 2}
