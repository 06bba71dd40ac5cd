"""One sandbox site: its organisation, tokens and faults, and how a request becomes an answer."""

import time
from collections.abc import Iterable, Mapping
from threading import RLock
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response

from connectors.moodle.demo import functions
from connectors.moodle.demo.access import Token
from connectors.moodle.demo.errors import (
    MoodleError,
    access_denied,
    invalid_parameter,
    invalid_token,
    plain,
)
from connectors.moodle.demo.faults import INSIDE, OUTSIDE, Fault, Faults, Kind, spoil
from connectors.moodle.demo.notices import Sender
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.protocol import error_to_xml, to_json, to_xml
from connectors.moodle.demo.registry import JSON, Call, registry

__all__ = ["Site", "functions"]  # importing the functions fills the registry

_PAGE = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
_HTML = "text/html; charset=utf-8"


class Site:
    """A sandbox site. Calls and acts are taken one at a time; a fault that sleeps holds up nobody else."""

    def __init__(
        self, organisation: Organisation, faults: Faults, tokens: Iterable[Token], sender: Sender | None = None
    ) -> None:
        self.organisation = organisation
        self.faults = faults
        self.sender = sender or Sender()
        self.lock = RLock()
        self._issued = {token.token: token for token in tokens}
        self._tokens = dict(self._issued)
        self._filters: dict[tuple[int, int], JSON] = {}

    def clear_faults(self) -> None:
        """Let everything go well again; expired tokens are issued anew."""
        self.faults.clear()
        self._tokens = dict(self._issued)

    def respond(self, given: dict[str, Any], address: str) -> Response:
        """Answer one request whose parameters are already nested; `address` is what the site calls itself."""
        settings = {name: given.pop(name) for name in list(given) if str(name).startswith("moodlews")}
        token, name = str(given.pop("wstoken", "")), str(given.pop("wsfunction", ""))
        as_json = settings.get("moodlewsrestformat") == "json"
        fault = self.faults.strike(name, OUTSIDE)
        early = self._broken(fault, address) if fault else None
        if early is not None:
            return early
        try:
            if fault and fault.kind is Kind.MAINTENANCE:
                raise plain("sitemaintenance", "Site is undergoing maintenance and is currently not available")
            if fault and fault.kind is Kind.EXPIRED_TOKEN:
                self._tokens.pop(token, None)
                raise access_denied()
            with self.lock:
                answer = self._answer(token, name, given, address, settings)
        except MoodleError as error:
            return _written(to_json(error.body()) if as_json else error_to_xml(error), as_json)
        body = to_json(answer) if as_json else to_xml(answer)
        if fault and fault.kind is Kind.TRUNCATED_JSON:
            body = body[: len(body) // 2]
        return _written(body, as_json)

    def _answer(
        self, token: str, name: str, given: Mapping[str, Any], address: str, settings: Mapping[str, Any]
    ) -> Any:
        caller = self._tokens.get(token)
        if caller is None:
            raise invalid_token()
        if not name:
            raise invalid_parameter()

        def run(inner: str, parameters: Any) -> Any:
            return self._run(call, inner, parameters)

        zone = _zone(settings.get("moodlewssettingtimezone"))
        call = Call(self.organisation, caller, address, zone, self._filters, run)
        return run(name, given)

    def _run(self, call: Call, name: str, parameters: Mapping[str, Any]) -> Any:
        answer = registry.answer(call, name, parameters)
        fault = self.faults.strike(name, INSIDE)
        if fault is None:
            return answer
        if fault.kind is Kind.BAD_RECORD:
            return spoil(answer, fault)
        if fault.kind is Kind.LEADS_BACK:
            return {**answer, "next": int(parameters.get("after", 0)), "more": True}
        if fault.kind is Kind.LATE_ENTRY:
            return {**answer, "changes": answer["changes"][1:]}
        if fault.kind is Kind.ROW_GOES:
            for row in answer["rows"][: fault.users]:
                self.organisation.unenrol(row["userid"], row["courseid"])
            return answer
        if name == "core_enrol_get_enrolled_users":
            for user in answer[: fault.users]:
                self.organisation.unenrol(user["id"], int(parameters["courseid"]))
        return answer

    def _broken(self, fault: Fault, address: str) -> Response | None:
        """The answer of faults that never reach Moodle's own code; None for the others."""
        if fault.kind is Kind.TIME_OUT:
            time.sleep(fault.seconds)
            return None
        broken = {
            Kind.HTTP_500: ("", 500, {}),
            Kind.REST_OFF: ("", 403, {}),
            Kind.HTML: (_PAGE.format("Please sign in"), 200, {}),
            Kind.MAINTENANCE_503: (_PAGE.format("This site is under maintenance"), 503, {}),
            Kind.SLOW_DOWN: (_PAGE.format("Too many requests"), 429, {"Retry-After": f"{fault.seconds:g}"}),
            Kind.REDIRECT: (_PAGE.format("See other"), 303, {"Location": f"{address}/sandbox/elsewhere"}),
        }.get(fault.kind)
        if broken is None:
            return None
        body, status, headers = broken
        return Response(body, status, headers, content_type=_HTML)


def _written(body: str, as_json: bool) -> Response:
    return Response(body, content_type="application/json" if as_json else "application/xml; charset=utf-8")


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name or "UTC"))
    except (ValueError, OSError):
        return ZoneInfo("UTC")
