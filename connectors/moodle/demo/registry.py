"""The functions that the sandbox knows, and what one is given when it is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from connectors.moodle.demo.access import Token
from connectors.moodle.demo.arguments import Fields, Parameter, check
from connectors.moodle.demo.errors import (
    access_denied,
    course_closed,
    invalid_user,
    missing_record,
    no_permission,
    plain,
)
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.records import Course, User

JSON = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call: who asks, of which organisation, under which address, and how to call further functions."""

    organisation: Organisation
    caller: Token
    site: str
    zone: tzinfo
    filters: dict[tuple[int, int], JSON]  # set by user and report, as Moodle keeps them
    run: Callable[[str, Any], Any]

    def may(self, capability: str) -> bool:
        """Say whether the caller's role has a capability."""
        return capability in self.caller.capabilities

    def need(self, capability: str, what: str) -> None:
        """Refuse the call unless the caller's role has a capability."""
        if not self.may(capability):
            raise no_permission(what)

    def course(self, course_id: int, closed: str = "requireloginerror") -> Course:
        """Enter a course, or say with the code `closed` that the caller may not."""
        course = self.organisation.courses.get(course_id)
        if course is None:
            raise missing_record("course")
        if not self.may("moodle/course:view") or not self.may_see(course):
            raise course_closed(closed)
        return course

    def may_see(self, course: Course) -> bool:
        """Say whether the caller sees a course although it may be hidden."""
        return course.visible or self.may("moodle/course:viewhiddencourses")

    def user(self, user_id: int) -> User:
        """Return an account that exists and is not deleted."""
        user = self.organisation.users.get(user_id)
        if user is None:
            raise invalid_user()
        if user.deleted:
            raise plain("userdeleted", "error/userdeleted")
        return user

    def picture(self, size: str = "f1") -> str:
        """The address of the picture of somebody who has none."""
        return f"{self.site}/theme/image.php/boost/core/1/u/{size}"


Handler = Callable[[Call, JSON], Any]


@dataclass(frozen=True)
class Function:
    """A web service function: what it takes and who answers it."""

    name: str
    takes: Fields
    handler: Handler


class Registry:
    """The functions by name."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    def function(self, name: str, **parameters: Parameter) -> Callable[[Handler], Handler]:
        """Register the decorated handler as the function `name` taking `parameters`."""

        def register(handler: Handler) -> Handler:
            self._functions[name] = Function(name, Fields(parameters), handler)
            return handler

        return register

    def names(self) -> set[str]:
        """The names of all functions."""
        return set(self._functions)

    def answer(self, call: Call, name: str, given: Mapping[str, Any]) -> Any:
        """Check rights and parameters, then answer; raise MoodleError as Moodle would."""
        function = self._functions.get(name)
        if function is None:
            raise missing_record("external_functions")
        if name not in call.caller.functions or not call.may("webservice/rest:use"):
            raise access_denied()
        return function.handler(call, check(function.takes, dict(given)))


registry = Registry()
