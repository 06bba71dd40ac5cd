"""core_badges: the badges of a user. In the sandbox, everybody who completed First aid has one."""

import hashlib

from connectors.moodle.demo.arguments import integer, text
from connectors.moodle.demo.errors import plain
from connectors.moodle.demo.organisation import SITE_NAME, Organisation
from connectors.moodle.demo.registry import JSON, Call, registry

BADGE_NAME = "First aider 急救员"
VALID_FOR = 2 * 365 * 86400


@registry.function(
    "core_badges_get_user_badges",
    userid=integer(0),
    courseid=integer(0),
    page=integer(0),
    perpage=integer(0),
    search=text(""),
    onlypublic=integer(0),
)
def get_user_badges(call: Call, arguments: JSON) -> JSON:
    """List the badges issued to a user."""
    user = call.user(arguments["userid"])
    if user.id == 1:
        raise plain("guestsarenotallowed", "The guest user is not allowed to do this")
    issued = badge_issued(call.organisation, user.id)
    if issued is None:
        return {"badges": [], "warnings": []}
    badge = {
        "id": 1,
        "name": BADGE_NAME,
        "description": "Completed the first aid course",
        "timecreated": 0,
        "timemodified": 0,
        "issuername": SITE_NAME,
        "issuerurl": f"{call.site}/",
        "issuercontact": "",
        "type": 1,
        "attachment": 1,
        "notification": 1,
        "status": 0,
        "uniquehash": hashlib.sha1(f"badge {user.id}".encode(), usedforsecurity=False).hexdigest(),
        "dateissued": issued,
        "dateexpire": badge_expires(user.id, issued),
        "visible": 0,
        "version": "2",
        "language": "en",
        "imageauthorname": "",
        "imageauthoremail": "",
        "imageauthorurl": "",
        "imagecaption": "",
        "badgeurl": f"{call.site}/webservice/pluginfile.php/1/badges/badgeimage/1/f3",
        "alignment": [],
        "relatedbadges": [],
    }
    return {"badges": [badge], "warnings": []}


def badge_issued(organisation: Organisation, user_id: int) -> int | None:
    """When a user was issued the badge, if they were."""
    course = organisation.find_course("AID")
    return organisation.completed_at(user_id, course.id) if organisation.active(user_id, course.id) else None


def badge_expires(user_id: int, issued: int) -> int | None:
    """When the badge expires; every third was issued for ever."""
    return None if user_id % 3 == 0 else issued + VALID_FOR
