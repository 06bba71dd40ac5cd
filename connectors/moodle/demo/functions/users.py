"""core_user: accounts, found by criteria or by field."""

from collections.abc import Callable, Iterable
from fnmatch import translate
from re import IGNORECASE
from re import compile as compile_pattern
from typing import Any

from connectors.moodle.demo.arguments import TEXT, WORD, Fields, Rows
from connectors.moodle.demo.errors import coding_error, invalid_parameter, plain
from connectors.moodle.demo.records import User
from connectors.moodle.demo.registry import JSON, Call, registry

_WILDCARD_KEYS = {"email", "firstname", "lastname"}
_EXACT_KEYS = {"id", "idnumber", "username", "auth"}


@registry.function("core_user_get_users", criteria=Rows(Fields({"key": WORD, "value": TEXT})))
def get_users(call: Call, arguments: JSON) -> JSON:
    """Find accounts that fit all criteria; a key that is not supported excludes nobody and warns."""
    criteria = arguments["criteria"]
    if not criteria:
        raise invalid_parameter()
    if len({one["key"] for one in criteria}) < len(criteria):
        raise plain("keyalreadyset", "error/keyalreadyset")
    tests, warnings = [], []
    for one in criteria:
        if one["key"] in _WILDCARD_KEYS | _EXACT_KEYS:
            tests.append(_test(one["key"], one["value"]))
        elif one["key"] != "confirmed":
            warnings.append(_unsupported(one["key"]))
    if any(one["key"] == "email" for one in criteria) and not call.may("moodle/site:viewuseridentity"):
        return {"users": [], "warnings": warnings}
    found = [user for user in call.organisation.present_users() if all(test(user) for test in tests)]
    return {"users": _described(call, found), "warnings": warnings}


@registry.function("core_user_get_users_by_field", field=WORD, values=Rows(TEXT))
def get_users_by_field(call: Call, arguments: JSON) -> list[JSON]:
    """Find accounts whose field is one of the values, whatever their case; unknown values are passed over."""
    field, values = arguments["field"], arguments["values"]
    if field not in ("id", "idnumber", "username", "email"):
        raise coding_error("invalid field parameter")
    if (field == "id" and not all(value.isdigit() for value in values)) or (
        field == "username" and any(value != value.lower() for value in values)
    ):
        raise invalid_parameter()
    wanted = {value.lower() for value in values}
    found = (user for user in call.organisation.present_users() if str(getattr(user, field)).lower() in wanted)
    return _described(call, found)


def details(call: Call, user: User) -> JSON:
    """Describe an account as all user functions do; what is empty is left out, except the department."""
    identity = call.may("moodle/site:viewuseridentity")
    everything = call.may("moodle/user:viewalldetails")
    described: JSON = {"id": user.id, "username": user.username, "fullname": user.fullname}
    if call.may("moodle/site:viewfullnames"):
        described |= {"firstname": user.firstname, "lastname": user.lastname}
    if identity:
        described["email"] = user.email
    if user.idnumber and (identity or everything):
        described["idnumber"] = user.idnumber
    described["department"] = user.department
    for name in ("institution", "city", "country"):
        if getattr(user, name):
            described[name] = getattr(user, name)
    return described | {
        "firstaccess": user.first_access,
        "lastaccess": user.last_access,
        "profileimageurlsmall": call.picture("f2"),
        "profileimageurl": call.picture("f1"),
    }


def custom_fields(user: User, *, display: bool) -> JSON:
    """The site's own profile field, left out for those who have none."""
    if not user.cost_centre:
        return {}
    shown = {"displayvalue": user.cost_centre} if display else {}
    return {
        "customfields": [
            {"type": "text", "value": user.cost_centre, **shown, "name": "Cost centre", "shortname": "costcentre"}
        ]
    }


def _described(call: Call, users: Iterable[User]) -> list[JSON]:
    if not call.may("moodle/user:viewdetails"):
        return []
    described = []
    for user in users:
        one = details(call, user) | custom_fields(user, display=True)
        if call.may("moodle/user:viewalldetails"):
            one |= {
                "auth": user.auth,
                "suspended": user.suspended,
                "confirmed": True,
                "lang": "en",
                "theme": "",
                "timezone": "99",
                "mailformat": 1,
            }
        described.append(one)
    return described


def _test(key: str, value: str) -> Callable[[User], bool]:
    if key not in _WILDCARD_KEYS or "%" not in value:
        return lambda user: str(getattr(user, key)).lower() == value.lower()
    literal = "".join(f"[{character}]" if character in "*?[" else character for character in value)
    pattern = compile_pattern(translate(literal.replace("%", "*")), IGNORECASE)
    return lambda user: pattern.match(str(getattr(user, key))) is not None


def _unsupported(key: str) -> dict[str, Any]:
    return {
        "item": key,
        "warningcode": "invalidfieldparameter",
        "message": f"The search key '{key}' is not supported, look at the web service documentation",
    }
