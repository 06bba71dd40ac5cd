"""The REST protocol of Moodle's web services.

Parameters go form-encoded in the POST body, nested ones as `options[0][name]`; the token only ever stands there.
A failure comes as HTTP 200 and is raised as one of connectors.moodle.errors.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.http import Answer, HttpClient, TryAgainError
from connectors.moodle import errors
from connectors.moodle.errors import MoodleError, UnreachableError, WrongAddressError

log = logging.getLogger(__name__)

SITE_INFO = "core_webservice_get_site_info"
BATCH = "tool_mobile_call_external_functions"
BATCH_SIZE = 50
ENDPOINT = "/webservice/rest/server.php"

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A function with its arguments, for `call_many`."""

    function: str
    arguments: Arguments


@dataclass(frozen=True)
class Site:
    """What the site says of itself and of the token."""

    name: str
    url: str
    release: str
    user: str
    functions: frozenset[str]


class MoodleClient:
    """Calls the functions of one site with one token."""

    def __init__(self, url: str, token: str, http: HttpClient) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._http = http
        self.token_until = 0  # when the token ends, in Unix seconds, once the plugin has said it

    def __repr__(self) -> str:
        return f"MoodleClient({self.url!r})"

    @cached_property
    def site(self) -> Site:
        """The site and the functions that the token may call. Raises MoodleError."""
        info = self._call(SITE_INFO, {})
        try:
            functions = frozenset(function["name"] for function in info["functions"])
            return Site(info["sitename"], info["siteurl"], info["release"], info["username"], functions)
        except (KeyError, TypeError):
            raise WrongAddressError(
                f"{self.url} answers, but not as a Moodle site does; check the source's url."
            ) from None

    def require(self, *functions: str) -> None:
        """Raise MissingFunctionError for the first of `functions` that the token may not call."""
        for function in functions:
            if function not in self.site.functions:
                raise errors.missing_function(function)

    def call(self, function: str, **arguments: Any) -> Any:
        """The answer of `function`. Raises MoodleError; a failure that may pass has been tried several times."""
        self.require(function)
        return self._call(function, arguments)

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """The answer, or the MoodleError, of each call, in order; many in one request where the service allows it.

        Raises MoodleError when Moodle cannot be asked at all.
        """
        for function in {call.function for call in calls}:
            self.require(function)
        if BATCH in self.site.functions and len(calls) > 1:
            batches = [calls[start : start + BATCH_SIZE] for start in range(0, len(calls), BATCH_SIZE)]
            return [outcome for outcomes in self._http.map(self._batch, batches) for outcome in outcomes]
        return self._http.map(self._outcome, list(calls))

    def _outcome(self, call: Call) -> Any:
        try:
            return self._call(call.function, call.arguments)
        except MoodleError as error:
            if error.whole_source or isinstance(error, UnreachableError):
                raise
            return error

    def _batch(self, calls: Sequence[Call]) -> list[Any]:
        """Many calls in one request; Moodle stops at the first that fails, so go on behind it."""
        outcomes: list[Any] = []
        while len(outcomes) < len(calls):
            rest = calls[len(outcomes) :]
            requests = [{"function": call.function, "arguments": json.dumps(call.arguments)} for call in rest]
            answer = self._call(BATCH, {"requests": requests})
            responses = answer.get("responses") if isinstance(answer, dict) else None
            if not responses or not isinstance(responses, list):
                raise UnreachableError(f"{BATCH}: Moodle answered none of {len(rest)} calls; the next pull asks again.")
            for call, response in zip(rest, responses, strict=False):
                outcomes.append(self._inner(call, response))
        return outcomes

    def _inner(self, call: Call, response: Mapping[str, Any]) -> Any:
        try:
            if response.get("error"):
                inner = json.loads(response["exception"])
                return errors.reported(
                    call.function, str(inner.get("errorcode") or ""), str(inner.get("exception") or "")
                )
            return json.loads(response["data"])
        except (AttributeError, KeyError, TypeError, ValueError):
            return UnreachableError(
                f"{call.function}: Moodle's answer within a batch is not JSON; the next pull asks again."
            )

    def _call(self, function: str, arguments: Arguments) -> Any:
        fields = {
            "wstoken": self._token,
            "wsfunction": function,
            "moodlewsrestformat": "json",
            "moodlewssettinglang": "en",
            "moodlewssettingtimezone": "UTC",
            **dict(flatten(arguments)),
        }
        log.debug("%s: %s", self.url, function)
        try:
            answer = self._http.retrying(lambda: self._attempt(function, fields))
        except TryAgainError as error:
            unreachable = UnreachableError(
                f"{function}: {error}, after {self._http.tries} tries. Check that {self.url} runs and can be reached "
                "from here; the next pull asks again."
            )
            # When even the first call finds nobody, there is no use in asking for the rest.
            unreachable.whole_source = function == SITE_INFO
            raise unreachable from None
        if isinstance(answer, dict) and ("exception" in answer or "errorcode" in answer or "error" in answer):
            raise errors.reported(function, str(answer.get("errorcode") or ""), str(answer.get("exception") or ""))
        return answer

    def _attempt(self, function: str, fields: Mapping[str, str]) -> Any:
        answer = self._http.post_form(self.url + ENDPOINT, fields)
        if answer.status == 403:
            raise errors.web_services_off()
        if answer.status != 200:
            raise WrongAddressError(
                f"{self.url} answered HTTP {answer.status} instead of Moodle's web services. Check that the source's url is "
                "the site's own address (its wwwroot)."
            )
        return _read_json(answer)


def _read_json(answer: Answer) -> Any:
    with suppress(ValueError):
        return json.loads(answer.body)
    # Out here what is raised has no context: json's own exception carries the whole answer along.
    if not answer.body.strip():
        raise TryAgainError("the answer was empty")
    what = "HTML" if answer.body.lstrip()[:1] == b"<" else "something that is not JSON, or broken off"
    raise TryAgainError(f"the answer was {what}")


def flatten(arguments: Arguments, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested arguments as the form fields that Moodle reads: `{"a": [{"b": 1}]}` is `a[0][b]=1`."""
    for name, value in arguments.items():
        key = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, Mapping):
            yield from flatten(value, key)
        elif isinstance(value, list | tuple):
            yield from flatten(dict(enumerate(value)), key)  # type: ignore[arg-type]  # numbers serve as names here
        elif isinstance(value, bool):
            yield key, str(int(value))
        else:
            yield key, str(value)
