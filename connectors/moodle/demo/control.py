"""The controls beside the site: make it fail, and make something happen in it."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.moodle.demo.endpoint import Site
from connectors.moodle.demo.organisation import Organisation

JSON = dict[str, Any]


def controls(site: Site) -> Blueprint:
    """Return the control pages of a sandbox site, below /sandbox."""
    pages = Blueprint("sandbox", __name__, url_prefix="/sandbox")

    @pages.post("/faults")
    def add_fault() -> tuple[Response, int]:
        """Add the fault that the JSON body describes."""
        try:
            fault = site.faults.add(**_body())
        except (TypeError, ValueError) as problem:
            return jsonify(error=str(problem)), 400
        return jsonify(asdict(fault)), 201

    @pages.get("/faults")
    def list_faults() -> Response:
        """List the faults that can still strike."""
        return jsonify([asdict(fault) for fault in site.faults.waiting()])

    @pages.delete("/faults")
    def clear_faults() -> tuple[str, int]:
        """Remove all faults and issue expired tokens anew."""
        site.clear_faults()
        return "", 204

    @pages.post("/act")
    def act() -> tuple[Response, int]:
        """Do what the JSON body says: {act, user, course, at, grade, method, end}."""
        try:
            with site.lock:
                done = perform(site.organisation, _body())
        except (KeyError, TypeError, ValueError, LookupError) as problem:
            return jsonify(error=_reason(problem)), 400
        notices = site.sender.send(site.organisation.log, request.host_url.rstrip("/"))
        return jsonify({**done, "notices": notices}), 200

    @pages.post("/plugin")
    def plugin() -> tuple[Response, int]:
        """Change the companion plugin: {installed, epoch, trim, webhook: {url, secret}}, each if given."""
        try:
            with site.lock:
                change_plugin(site, _body())
        except (KeyError, TypeError, ValueError) as problem:
            return jsonify(error=_reason(problem)), 400
        log = site.organisation.log
        return jsonify(installed=log.installed, epoch=log.epoch, first=log.first, last=log.last), 200

    return pages


def change_plugin(site: Site, wanted: JSON) -> None:
    """Install the companion plugin or take it out, give its log another epoch, trim it, or say where notices go."""
    log = site.organisation.log
    log.installed = bool(wanted.get("installed", log.installed))
    if "epoch" in wanted:
        log.restart(str(wanted["epoch"]))
    if "trim" in wanted:
        log.trim(int(wanted["trim"]))
    if "webhook" in wanted:
        site.sender.url, site.sender.secret = str(wanted["webhook"]["url"]), str(wanted["webhook"]["secret"])


def perform(organisation: Organisation, wanted: JSON) -> JSON:
    """Do one act; users are named by id, username or idnumber, courses by id, short name or idnumber."""
    name = wanted["act"]
    if name not in ACTS:
        message = f"an act is one of {', '.join(ACTS)}, not {name!r}"
        raise ValueError(message)
    user = 0 if name in WITHOUT_USER else organisation.find_user(wanted["user"]).id
    course = 0 if name in WITHOUT_COURSE else organisation.find_course(wanted["course"]).id
    ACTS[name](organisation, user, course, wanted)
    return {"act": name, "userid": user, "courseid": course}


def _complete(organisation: Organisation, user: int, course: int, wanted: JSON) -> None:
    organisation.complete(user, course, _moment(wanted["at"]))


def _enrol(organisation: Organisation, user: int, course: int, wanted: JSON) -> None:
    end = _moment(wanted.get("end", 0))
    organisation.enrol(user, course, _moment(wanted["at"]), method=_method(wanted.get("method", "manual")), end=end)


def _unenrol(organisation: Organisation, user: int, course: int, _wanted: JSON) -> None:
    organisation.unenrol(user, course)


def _suspend(organisation: Organisation, user: int, course: int, _wanted: JSON) -> None:
    organisation.suspend_enrolment(user, course)


def _reset(organisation: Organisation, user: int, course: int, _wanted: JSON) -> None:
    organisation.reset_course(user, course)


def _set_grade(organisation: Organisation, user: int, course: int, wanted: JSON) -> None:
    organisation.set_grade(user, course, float(wanted["grade"]), _moment(wanted["at"]))


def _delete_user(organisation: Organisation, user: int, _course: int, wanted: JSON) -> None:
    organisation.delete_user(user, _moment(wanted["at"]))


def _clear_course(organisation: Organisation, _user: int, course: int, _wanted: JSON) -> None:
    organisation.clear_course(course)


def _rename_user(organisation: Organisation, user: int, _course: int, wanted: JSON) -> None:
    organisation.rename_user(user, str(wanted["firstname"]), str(wanted["lastname"]))


ACTS: dict[str, Callable[[Organisation, int, int, JSON], None]] = {
    "complete": _complete,
    "enrol": _enrol,
    "unenrol": _unenrol,
    "suspend_enrolment": _suspend,
    "reset": _reset,
    "set_grade": _set_grade,
    "delete_user": _delete_user,
    "clear_course": _clear_course,
    "rename_user": _rename_user,
}


WITHOUT_USER = ("clear_course",)
WITHOUT_COURSE = ("delete_user", "rename_user")


def _body() -> JSON:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        message = "send a JSON object with the content type application/json"
        raise TypeError(message)
    return body


def _moment(given: Any) -> int:
    """Read unix seconds, or an ISO moment with a time zone."""
    if isinstance(given, int):
        return given
    moment = datetime.fromisoformat(str(given))
    if moment.tzinfo is None:
        message = f"the moment {given!r} needs a time zone"
        raise ValueError(message)
    return int(moment.timestamp())


def _method(given: Any) -> str:
    if given not in ("manual", "self"):
        message = f"an enrolment method is manual or self, not {given!r}"
        raise ValueError(message)
    return str(given)


def _reason(problem: Exception) -> str:
    return f"{problem.args[0]!r} is missing" if isinstance(problem, KeyError) else str(problem)
