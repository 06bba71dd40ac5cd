"""core_webservice: what the site says of itself and of the caller."""

from connectors.moodle.demo.organisation import SITE_NAME
from connectors.moodle.demo.registry import JSON, Call, registry

VERSION = "2023112400"
RELEASE = "4.4dev (Build: 20231124)"


@registry.function("core_webservice_get_site_info")
def get_site_info(call: Call, _arguments: JSON) -> JSON:
    """Name the site, the caller and the functions that the caller's service really holds."""
    firstname, lastname = ("Admin", "User") if call.caller.admin else ("WS", call.caller.username)
    return {
        "sitename": SITE_NAME,
        "username": call.caller.username,
        "firstname": firstname,
        "lastname": lastname,
        "fullname": f"{firstname} {lastname}",
        "lang": "en",
        "userid": call.caller.userid,
        "siteurl": call.site,
        "userpictureurl": call.picture(),
        "functions": [{"name": name, "version": VERSION} for name in sorted(_functions(call))],
        "downloadfiles": 0,
        "uploadfiles": 0,
        "release": RELEASE,
        "version": VERSION,
        "mobilecssurl": "",
        "advancedfeatures": [
            {"name": "enablecompletion", "value": 1},
            {"name": "enablebadges", "value": 1},
            {"name": "messaging", "value": 0},
        ],
        "usercanmanageownfiles": True,
        "userquota": 104857600,
        "usermaxuploadfilesize": 67108864,
        "userhomepage": 1,
        "siteid": 1,
        "sitecalendartype": "gregorian",
        "usercalendartype": "gregorian",
        "userissiteadmin": call.caller.admin,
        "theme": "boost",
        "limitconcurrentlogins": 0,
    }


def _functions(call: Call) -> set[str]:
    """The functions of the caller's service; those of the companion plugin while it is installed."""
    installed = call.organisation.log.installed
    return {name for name in call.caller.functions if installed or not name.startswith("local_certbridge_")}
