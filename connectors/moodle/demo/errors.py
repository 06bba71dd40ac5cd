"""The errors of a Moodle web service, as its answers name them."""


class MoodleError(Exception):
    """An error that Moodle answers with HTTP 200. A PHP error inside a function has no error code."""

    def __init__(self, exception: str, errorcode: str | None, message: str) -> None:
        super().__init__(message)
        self.exception = exception
        self.errorcode = errorcode
        self.message = message

    def body(self) -> dict[str, str]:
        """The answer to a call of its own."""
        code = {} if self.errorcode is None else {"errorcode": self.errorcode}
        return {"exception": self.exception, **code, "message": self.message}


def invalid_parameter() -> MoodleError:
    """A parameter is missing, unknown or of the wrong type; Moodle does not say which."""
    return MoodleError("invalid_parameter_exception", "invalidparameter", "Invalid parameter value detected")


def invalid_token() -> MoodleError:
    """The token is unknown, or was deleted after it had expired."""
    return MoodleError("moodle_exception", "invalidtoken", "Invalid token - token not found")


def access_denied() -> MoodleError:
    """One answer for six causes, from a function outside the service to an expired token."""
    return MoodleError("webservice_access_exception", "accessexception", "Access control exception")


def missing_record(table: str) -> MoodleError:
    """A row that the call names does not exist."""
    message = f"Can't find data record in database table {table}."
    return MoodleError("dml_missing_record_exception", "invalidrecord", message)


def invalid_user() -> MoodleError:
    """There never was such a user."""
    return MoodleError("dml_missing_record_exception", "invaliduser", "Invalid user")


def plain(errorcode: str, message: str) -> MoodleError:
    """An error without an exception class of its own."""
    return MoodleError("moodle_exception", errorcode, message)


def coding_error(reason: str) -> MoodleError:
    """A call that contradicts itself."""
    message = f"Coding error detected, it must be fixed by a programmer: {reason}"
    return MoodleError("coding_exception", "codingerror", message)


def no_permission(what: str) -> MoodleError:
    """The caller's role lacks a capability."""
    message = f"Sorry, but you do not currently have permissions to do that ({what})."
    return MoodleError("required_capability_exception", "nopermissions", message)


def course_closed(errorcode: str) -> MoodleError:
    """The caller may not enter a course; functions differ in the code they say it with."""
    if errorcode == "requireloginerror":
        return MoodleError("require_login_exception", errorcode, "Course or activity not accessible.")
    return plain(errorcode, "You cannot execute functions in the course context")


def report_closed() -> MoodleError:
    """The caller is not in the audience of the report."""
    return MoodleError("core_reportbuilder\\report_access_exception", "errorreportview", "You cannot view this report")
