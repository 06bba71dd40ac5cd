"""core_competency: learning plans. In the sandbox every tenth account has one, whose id is the user's."""

from connectors.moodle.demo.arguments import INT
from connectors.moodle.demo.dates import readable
from connectors.moodle.demo.errors import missing_record, no_permission
from connectors.moodle.demo.functions.competencies import comment_area, competency, user_competency
from connectors.moodle.demo.registry import JSON, Call, registry

_REFUSED = (
    "canmanage", "canrequestreview", "canreview", "canbeedited", "isdraft", "iscompleted", "isinreview",
    "iswaitingforreview", "isreopenallowed", "iscompleteallowed", "isunlinkallowed", "isrequestreviewallowed",
    "iscancelreviewrequestallowed", "isstartreviewallowed", "isstopreviewallowed", "isapproveallowed",
    "isunapproveallowed",
)  # fmt: skip
PLAN_NAME = "Onboarding plan 入职计划"


def has_plan(user_id: int) -> bool:
    """Say whether an account has a learning plan."""
    return user_id > 2 and user_id % 10 == 0


@registry.function("core_competency_list_user_plans", userid=INT)
def list_user_plans(call: Call, arguments: JSON) -> list[JSON]:
    """List the plans of a user."""
    user = call.user(arguments["userid"])
    if not call.may("moodle/competency:planview"):
        raise no_permission("View all learning plans")
    return [_plan(call, user.id)] if has_plan(user.id) else []


@registry.function("core_competency_list_plan_competencies", id=INT)
def list_plan_competencies(call: Call, arguments: JSON) -> list[JSON]:
    """List the competencies of a plan with the user's ratings in them."""
    user_id = arguments["id"]
    if not has_plan(user_id) or user_id not in call.organisation.users:
        raise missing_record("competency_plan")
    if not call.may("moodle/competency:planview"):
        raise no_permission("View all learning plans")
    return [
        {"competency": competency(call, number), "usercompetency": user_competency(call, user_id, number)}
        for number in range(1, 5)
    ]


def _plan(call: Call, user_id: int) -> JSON:
    made = call.organisation.now - 100 * 86400
    due = call.organisation.now + 100 * 86400
    plan = {
        "name": PLAN_NAME,
        "description": "",
        "descriptionformat": 1,
        "userid": user_id,
        "templateid": 1,
        "origtemplateid": None,
        "status": 1,
        "duedate": due,
        "reviewerid": None,
        "id": user_id,
        "timecreated": made,
        "timemodified": made,
        "usermodified": 2,
        "statusname": "Active",
        "isbasedontemplate": True,
        "isactive": True,
        "duedateformatted": readable(due, call.zone),
        "commentarea": comment_area("plan", user_id, f"plancommentarea{user_id}"),
        "template": {
            "shortname": PLAN_NAME,
            "description": "",
            "descriptionformat": 1,
            "duedate": 0,
            "visible": True,
            "contextid": 1,
            "id": 1,
            "timecreated": made,
            "timemodified": made,
            "usermodified": 2,
            "duedateformatted": "Thursday, 1 January 1970, 12:00 AM",
            "cohortscount": 0,
            "planscount": sum(has_plan(user.id) for user in call.organisation.present_users()),
            "canmanage": False,
            "canread": True,
            "contextname": "System",
            "contextnamenoprefix": "System",
        },
        "url": f"{call.site}/admin/tool/lp/plan.php?id={user_id}",
    }
    return plan | dict.fromkeys(_REFUSED, False)
