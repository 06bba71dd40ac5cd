"""Every shape of failure that a real Moodle showed becomes its own kind of error, with what mends it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.http import HttpClient
from connectors.moodle import errors
from connectors.moodle.client import SITE_INFO, MoodleClient
from connectors.moodle.connector import FUNCTIONS
from connectors.moodle.errors import CAPABILITIES, MoodleError
from connectors.moodle.functions_reading import ORDINARY
from plugin.errors import SourceRefusedError, SourceUnavailableError
from tests.connectors.book import Got, Little, Reply

TOKEN = "secret-token"
FUNCTION = "gradereport_user_get_grade_items"


@pytest.fixture
def client(little: Little) -> Iterator[MoodleClient]:
    """A client whose site lets it call FUNCTION."""
    http = HttpClient(timeout=5, tries=2, sleep=lambda _seconds: None)
    yield MoodleClient(little.url, TOKEN, http)
    http.close()


def failing(little: Little, client: MoodleClient, reply: Reply) -> MoodleError:
    """The error of a call that is answered so."""
    info = {"sitename": "S", "siteurl": "u", "release": "4", "username": "w", "functions": [{"name": FUNCTION}]}

    def answer(got: Got) -> Reply:
        return Reply(json.dumps(info).encode()) if got.form["wsfunction"] == SITE_INFO else reply

    little.answer = answer
    with pytest.raises(MoodleError) as caught:
        client.call(FUNCTION, courseid=2)
    return caught.value


SERVICES = "Site administration > Server > Web services > External services"
TOKENS = "Site administration > Server > Web services > Manage tokens"
USERS = "Site administration > Users > Accounts > Browse list of users"
ROLES = "Site administration > Users > Permissions > Define roles"
BLOCKED = errors.AccountBlockedError
LACKING = errors.MissingCapabilityError


@pytest.mark.parametrize(
    ("code", "kind", "whole", "names"),
    [
        ("invalidtoken", errors.InvalidTokenError, True, [TOKENS, "wrong, revoked or expired"]),
        ("accessexception", errors.AccessRefusedError, True,
         [SERVICES, TOKENS, ROLES, "webservice/rest:use", "IP restriction", "valid until", "authorised", "enabled"]),
        ("servicenotavailable", errors.AccessRefusedError, True, [SERVICES, "Enabled"]),
        ("sitemaintenance", errors.MaintenanceError, True, ["Site administration > Server > Maintenance mode"]),
        ("upgraderunning", errors.MaintenanceError, True, ["next pull"]),
        ("wsaccessusersuspended", BLOCKED, True, [USERS, "suspended"]),
        ("wsaccessuserdeleted", BLOCKED, True, [TOKENS, "deleted"]),
        ("wsaccessuserunconfirmed", BLOCKED, True, [USERS, "Confirm"]),
        ("wsaccessusernologin", BLOCKED, True, [USERS, "Web services authentication"]),
        ("wsaccessuserexpired", BLOCKED, True, [USERS, "Web services authentication"]),
        ("nopasswordchangeforced", BLOCKED, True, [USERS, "Force password change"]),
        ("usernotfullysetup", BLOCKED, True, [USERS, "required field"]),
        ("sitepolicynotagreed", BLOCKED, True, ["User agreements"]),
        ("nopermissions", LACKING, False, [ROLES, "moodle/grade:viewall", "gradereport/user:view"]),
        ("requireloginerror", LACKING, False, [ROLES, "moodle/course:view"]),
        ("errorcoursecontextnotvalid", LACKING, False, [ROLES, "moodle/course:viewhiddencourses"]),
        ("nopermissiontoviewgrades", LACKING, False, [ROLES, "moodle/grade:viewall"]),
        ("accessdenied", LACKING, False, [ROLES, "moodle/site:accessallgroups"]),
        ("invalidrecord", errors.NotFoundInMoodleError, False, ["next pull"]),
        ("invaliduser", errors.NotFoundInMoodleError, False, ["next pull"]),
        ("userdeleted", errors.NotFoundInMoodleError, False, ["next pull"]),
        ("invalidparameter", errors.RefusedCallError, False, ["invalidparameter", "log"]),
        ("invalidresponse", errors.RefusedCallError, False, ["invalidresponse", "log"]),
        ("keyalreadyset", errors.RefusedCallError, False, ["keyalreadyset"]),
        ("badgesdisabled", LACKING, False, ["Enable badges", "Advanced features"]),
        ("errorreportview", LACKING, False, ["Audience", "Enable custom reports"]),
    ],
)  # fmt: skip
def test_what_moodle_reports_with_http_200(
    little: Little, client: MoodleClient, code: str, kind: type[MoodleError], whole: bool, names: list[str]
) -> None:
    """Each errorcode becomes its class, says whether the whole source is concerned, and names page and setting."""
    body = {"exception": "moodle_exception", "errorcode": code, "message": "of Anna Li"}
    error = failing(little, client, Reply(json.dumps(body).encode()))
    assert type(error) is kind
    assert (error.code, error.whole_source) == (code, whole)
    assert FUNCTION in str(error)
    assert all(name in str(error) for name in names), str(error)
    assert "Anna" not in str(error)
    assert len(little.got) == 2  # the site, and one call: what Moodle has said is not asked for again


@pytest.mark.parametrize(
    "body", [{"exception": "Error", "message": "m"}, {"error": "m"}, {"exception": "x", "errorcode": None}]
)
def test_an_error_without_a_code_is_one(little: Little, client: MoodleClient, body: dict[str, Any]) -> None:
    """An object that has exception or error, without a code, is no answer."""
    error = failing(little, client, Reply(json.dumps(body).encode()))
    assert type(error) is errors.RefusedCallError
    assert "Moodle failed with" in str(error)
    assert "None" not in str(error)


def test_a_login_error_is_one(little: Little, client: MoodleClient) -> None:
    """The shape of the token page, `error` beside an errorcode, is an error too."""
    body = {"error": "Invalid login, please try again", "errorcode": "invalidlogin"}
    assert failing(little, client, Reply(json.dumps(body).encode())).code == "invalidlogin"


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("reply", "kind", "says", "tries"),
    [
        (Reply(b"", 403, HTML), errors.WebServicesOffError, "Enable web services", 1),
        (Reply(b"", 500, HTML), errors.UnreachableError, "HTTP 500", 2),
        (Reply(b"<html>", 503, HTML), errors.UnreachableError, "HTTP 503", 2),
        (Reply(b"<html>", 504, HTML), errors.UnreachableError, "HTTP 504", 2),
        (Reply(b"<html>", 303, {**HTML, "Location": "/x"}), errors.WrongAddressError, "wwwroot", 1),
        (Reply(b"<html>", 404, HTML), errors.WrongAddressError, "HTTP 404", 1),
        (Reply(b"<html>", 414, HTML), errors.WrongAddressError, "HTTP 414", 1),
        (Reply(b"", 200, HTML), errors.UnreachableError, "the answer was empty", 2),
        (Reply(b"  \n", 200), errors.UnreachableError, "the answer was empty", 2),
        (Reply(b"<!DOCTYPE html><title>Sign in</title>", 200, HTML), errors.UnreachableError, "HTML", 2),
        (Reply(b'<br>PHP Deprecated: junk"ok"'), errors.UnreachableError, "HTML", 2),
        (Reply(b'[{"id": 1}, {"i'), errors.UnreachableError, "not JSON, or broken off", 2),
        (Reply(b"\xff\xfe\xfd"), errors.UnreachableError, "not JSON", 2),
    ],
)
def test_what_comes_from_elsewhere_than_moodle(
    little: Little, client: MoodleClient, reply: Reply, kind: type[MoodleError], says: str, tries: int
) -> None:
    """Answers of PHP, proxies and switches become their class; what may pass is tried again, the rest is not."""
    error = failing(little, client, reply)
    assert type(error) is kind
    assert says in str(error)
    assert len(little.got) == 1 + tries
    assert error.whole_source == (kind in (errors.WebServicesOffError, errors.WrongAddressError))


def test_switched_off_web_services_name_both_switches(little: Little, client: MoodleClient) -> None:
    """HTTP 403 with nothing in it names the two pages that can be the cause."""
    said = str(failing(little, client, Reply(b"", 403)))
    assert "Site administration > Advanced features" in said
    assert "Site administration > Server > Web services > Manage protocols" in said


def test_no_error_holds_the_token(little: Little, client: MoodleClient) -> None:
    """Whatever is answered, even a body that repeats the token, the error does not."""
    replies = [
        Reply(json.dumps({"exception": "e", "errorcode": "invalidtoken", "message": TOKEN}).encode()),
        Reply(TOKEN.encode()),
        Reply(status=500),
        Reply(status=403),
        Reply(TOKEN.encode(), 404),
    ]
    for reply in replies:
        error: BaseException | None = failing(little, client, reply)
        while error is not None:
            assert TOKEN not in f"{error} {error!r} {error.args} {vars(error)}"
            error = error.__cause__ or error.__context__


def test_every_class_is_one_of_the_two_kinds() -> None:
    """Each class says whether waiting helps: it is either unavailable or refused, never both."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MoodleError)]
    refined = [kind for kind in classes if kind is not MoodleError]
    assert len(refined) >= 11
    for kind in refined:
        assert issubclass(kind, SourceUnavailableError) != issubclass(kind, SourceRefusedError), kind


def test_every_function_that_is_called_has_its_capabilities_named() -> None:
    """Where a function needs rights its message names them, for each that the connector calls."""
    needs_none = {"core_course_get_categories", "tool_mobile_call_external_functions"}
    assert set(CAPABILITIES) == set(FUNCTIONS) - needs_none
    for function, needs in CAPABILITIES.items():
        assert needs in str(errors.missing_capability(function))


def test_ordinary_states_are_known_by_their_codes() -> None:
    """The codes that say nothing is wrong are those of people who left and of courses without completion."""
    assert frozenset({"usernotenroled", "cannotviewreport", "nocriteriaset", "userdeleted", "invaliduser"}) == ORDINARY
