"""One class per kind of failure of Moodle's web services, each with the admin page and setting that mends it.

Moodle answers nearly all of them with HTTP 200 and a JSON object that has `exception`, `errorcode` or `error`.
"""

from plugin.errors import SourceError, SourceRefusedError, SourceUnavailableError


class MoodleError(SourceError):
    """A failure that Moodle reported; `code` is its errorcode, where it gave one."""

    code = ""


class InvalidTokenError(MoodleError, SourceRefusedError):
    """Moodle does not know the token."""

    whole_source = True


class AccessRefusedError(MoodleError, SourceRefusedError):
    """Moodle lets this token do nothing: one answer for six causes."""

    whole_source = True


class WebServicesOffError(MoodleError, SourceRefusedError):
    """Web services, or their REST protocol, are switched off."""

    whole_source = True


class AccountBlockedError(MoodleError, SourceRefusedError):
    """The web service user is suspended, deleted, or has to do something in a browser first."""

    whole_source = True


class WrongAddressError(MoodleError, SourceRefusedError):
    """There is no Moodle at this address, or it calls itself by another one."""

    whole_source = True


class MaintenanceError(MoodleError, SourceUnavailableError):
    """The site is in maintenance mode."""

    whole_source = True


class UnreachableError(MoodleError, SourceUnavailableError):
    """The site did not answer, or not with JSON, after several tries."""


class MissingFunctionError(MoodleError, SourceRefusedError):
    """The token's service does not contain a function."""


class MissingCapabilityError(MoodleError, SourceRefusedError):
    """The role of the web service user lacks a capability."""


class NotFoundInMoodleError(MoodleError, SourceRefusedError):
    """A record that was asked for is not there any more."""


class ReportDriftError(MoodleError, SourceRefusedError):
    """A custom report is not as it was agreed: its columns, its dates or its filters."""


class RefusedCallError(MoodleError, SourceRefusedError):
    """Moodle did not accept a call's parameters, or failed in the middle of it."""


_SERVICE = "Site administration > Server > Web services > External services"
_TOKENS = "Site administration > Server > Web services > Manage tokens"
_USERS = "Site administration > Users > Accounts > Browse list of users"
_ROLES = "Site administration > Users > Permissions > Define roles"

_BY_CODE: dict[str, tuple[type[MoodleError], str]] = {
    "invalidtoken": (
        InvalidTokenError,
        f"the token is not valid (wrong, revoked or expired). Make a new one on {_TOKENS} and put it where the source's token is read from",
    ),
    "sitemaintenance": (
        MaintenanceError,
        "the site is in maintenance mode. It is tried again at the next pull; "
        "Site administration > Server > Maintenance mode ends it",
    ),
    "upgraderunning": (MaintenanceError, "the site is being upgraded. It is tried again at the next pull"),
    "wsaccessusersuspended": (AccountBlockedError, f"the web service user is suspended. Activate it on {_USERS}"),
    "wsaccessuserdeleted": (
        AccountBlockedError,
        f"the web service user was deleted. Create another one and a token for it on {_TOKENS}",
    ),
    "wsaccessuserunconfirmed": (AccountBlockedError, f"the web service user is not confirmed. Confirm it on {_USERS}"),
    "wsaccessusernologin": (
        AccountBlockedError,
        f"the web service user has the authentication 'No login'. Choose 'Web services authentication' for it on {_USERS}",
    ),
    "wsaccessuserexpired": (
        AccountBlockedError,
        f"the web service user's password has expired. Choose 'Web services authentication' for it on {_USERS}",
    ),
    "nopasswordchangeforced": (
        AccountBlockedError,
        f"the web service user must change its password first. Clear 'Force password change' on {_USERS}",
    ),
    "usernotfullysetup": (
        AccountBlockedError,
        f"the web service user's profile is incomplete. Fill its e-mail address and every required field on {_USERS}",
    ),
    "sitepolicynotagreed": (
        AccountBlockedError,
        "the web service user has not agreed to the site policy. Agree on its behalf on "
        "Site administration > Users > Privacy and policies > User agreements",
    ),
    "servicenotavailable": (AccessRefusedError, f"the token's service is switched off. Tick 'Enabled' on {_SERVICE}"),
    "nopermissions": (MissingCapabilityError, ""),
    "requireloginerror": (MissingCapabilityError, ""),
    "errorcoursecontextnotvalid": (MissingCapabilityError, ""),
    "nopermissiontoviewgrades": (MissingCapabilityError, ""),
    "accessdenied": (
        MissingCapabilityError,
        "the course has separate groups, and the role may not see them all. "
        f"Allow moodle/site:accessallgroups on {_ROLES}",
    ),
    "errorreportview": (
        MissingCapabilityError,
        "the report is not shown to the web service user. Add that user on the report's tab 'Audience', and tick "
        "'Enable custom reports' on Site administration > Advanced features",
    ),
    "badgesdisabled": (
        MissingCapabilityError,
        "badges are switched off. Tick 'Enable badges' on Site administration > Advanced features",
    ),
    "invalidrecord": (
        NotFoundInMoodleError,
        "a record that was asked for is not there any more. The next pull asks again",
    ),
    "invaliduser": (NotFoundInMoodleError, "a user that was asked for is not there any more. The next pull asks again"),
    "userdeleted": (NotFoundInMoodleError, "a user that was asked for has been deleted. The next pull asks again"),
}

# What each function needs, by trial with one capability removed at a time.
CAPABILITIES: dict[str, str] = {
    "core_user_get_users": (
        "moodle/user:viewdetails, moodle/user:viewalldetails, moodle/site:viewuseridentity, moodle/site:viewfullnames"
    ),
    "core_course_get_courses": "moodle/course:view, moodle/course:viewhiddencourses",
    "core_course_get_courses_by_field": "moodle/course:view, moodle/course:viewhiddencourses",
    "core_enrol_get_enrolled_users": (
        "moodle/course:view, moodle/course:viewhiddencourses, moodle/user:viewdetails, moodle/course:enrolreview"
    ),
    "core_enrol_get_users_courses": "moodle/course:view",
    "core_completion_get_course_completion_status": "moodle/course:view, moodle/course:viewhiddencourses, report/completion:view",
    "gradereport_user_get_grade_items": (
        "moodle/course:view, moodle/course:viewhiddencourses, moodle/grade:viewall, gradereport/user:view, "
        "mod/quiz:view"
    ),
    "mod_quiz_get_user_best_grade": "mod/quiz:view, mod/quiz:viewreports",
}


def reported(function: str, code: str, exception: str) -> MoodleError:
    """The error for what Moodle reported about a call of `function`; its own message may hold personal data: left out."""
    if code == "accessexception":
        found: MoodleError = access_refused(function)
    elif code in _BY_CODE:
        kind, text = _BY_CODE[code]
        found = kind(f"{function}: {text}.") if text else missing_capability(function)
    else:
        found = RefusedCallError(
            f"{function}: Moodle failed with {code or exception or 'no reason'}. Look into its own log at this time."
        )
    found.code = code
    return found


def missing_capability(function: str) -> MissingCapabilityError:
    """For a call that the role of the web service user may not make, or not for this course."""
    needs = CAPABILITIES.get(function) or (
        "local/certbridge:read"
        if function.startswith("local_certbridge_")
        else "the capabilities that docs/moodle.md lists for it"
    )
    return MissingCapabilityError(f"{function}: the role lacks a capability. Allow {needs} on {_ROLES}.")


def access_refused(function: str) -> AccessRefusedError:
    """For `accessexception`, which Moodle answers in six cases."""
    return AccessRefusedError(
        f"{function}: Moodle refuses access. Check, in this order: the function is in the token's service, the service is "
        f"enabled and the user is authorised for it ({_SERVICE}); the token's IP restriction and 'valid until' ({_TOKENS}); "
        f"the role allows webservice/rest:use ({_ROLES})."
    )


def missing_function(function: str) -> MissingFunctionError:
    """For a function that the site's own list for this token does not have."""
    return MissingFunctionError(f"The token's service lacks the function {function}: add it on {_SERVICE} > Functions.")


def web_services_off() -> WebServicesOffError:
    """For HTTP 403 with an empty body."""
    return WebServicesOffError(
        "Moodle's web services are switched off. Tick 'Enable web services' on Site administration > Advanced features, "
        "and enable REST on Site administration > Server > Web services > Manage protocols."
    )
