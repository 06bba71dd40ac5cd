"""local_certbridge: the web service of the companion plugin, over the same organisation.

The sandbox keeps no row numbers; they are made of what identifies a row, so that they stay the same.
"""

from collections.abc import Callable, Collection
from typing import Any

from connectors.moodle.demo.arguments import INT, WORD, Parameter, Rows, integer
from connectors.moodle.demo.errors import invalid_parameter, missing_record
from connectors.moodle.demo.functions import plugin_rows
from connectors.moodle.demo.functions.site import RELEASE
from connectors.moodle.demo.registry import JSON, Call, registry

MOST_ROWS = 20_000
MOST_NAMED = 500
VERSION = 2026112303

Reader = Callable[[Call], list[JSON]]

# The streams, with how each is read, by what changes of it are named, and what it can be restricted by.
STREAMS: dict[str, tuple[Reader, str, frozenset[str]]] = {
    "users": (plugin_rows.users, "id", frozenset({"userids"})),
    "categories": (plugin_rows.categories, "id", frozenset()),
    "courses": (plugin_rows.courses, "id", frozenset({"courseid"})),
    "enrolments": (plugin_rows.enrolments, "courseid", frozenset({"courseid", "userids"})),
    "completions": (plugin_rows.completions, "courseid", frozenset({"courseid", "userids"})),
    "activity_completions": (plugin_rows.activity_completions, "id", frozenset({"courseid", "userids"})),
    "grade_items": (plugin_rows.grade_items, "id", frozenset({"courseid"})),
    "grades": (plugin_rows.grades, "id", frozenset({"courseid", "userids"})),
    "attempts": (plugin_rows.attempts, "courseid", frozenset({"courseid", "userids"})),
    "cohorts": (plugin_rows.cohorts, "id", frozenset()),
    "cohort_members": (plugin_rows.cohort_members, "cohortid", frozenset({"userids"})),
    "badges": (plugin_rows.badges, "badgeid", frozenset({"courseid", "userids"})),
    "competencies": (plugin_rows.competencies, "id", frozenset()),
    "competency_ratings": (plugin_rows.competency_ratings, "id", frozenset({"courseid", "userids"})),
    "plans": (plugin_rows.plans, "id", frozenset({"userids"})),
    "feedbacks": (plugin_rows.feedbacks, "id", frozenset({"courseid"})),
    "feedback_answers": (plugin_rows.feedback_answers, "id", frozenset({"courseid", "userids"})),
}

_ANY_IDS = Rows(INT, [])
_PARAMETERS: dict[str, Parameter] = {
    "after": integer(0),
    "limit": integer(5000),
    "courseid": integer(0),
    "courseids": _ANY_IDS,
    "ids": _ANY_IDS,
    "userids": _ANY_IDS,
}


def installed(call: Call, limit: int = 1) -> None:
    """Refuse the call unless the plugin is there, the caller may read and the page is of a size that can be answered."""
    if not call.organisation.log.installed:
        raise missing_record("external_functions")
    call.need("local/certbridge:read", "Read learning records for CertBridge")
    if not 1 <= limit <= MOST_ROWS:
        raise invalid_parameter()


def _reading(name: str, read: Reader, restricted_by: Collection[str]) -> None:
    @registry.function(f"local_certbridge_get_{name}", **_PARAMETERS)
    def page(call: Call, arguments: JSON) -> JSON:
        """One page of rows by their ids."""
        installed(call, arguments["limit"])
        courses = {*arguments["courseids"], *([arguments["courseid"]] if arguments["courseid"] else [])}
        people, ids = set(arguments["userids"]), set(arguments["ids"])
        if max(map(len, (courses, people, ids))) > MOST_NAMED:
            raise invalid_parameter()
        if (courses and "courseid" not in restricted_by) or (people and "userids" not in restricted_by):
            raise invalid_parameter()
        rows = [
            row
            for row in sorted(read(call), key=lambda row: row["id"])
            if row["id"] > arguments["after"]
            and (not courses or row["id" if name == "courses" else "courseid"] in courses)
            and (not people or row["id" if name == "users" else "userid"] in people)
            and (not ids or row["id"] in ids)
        ]
        full = rows[: arguments["limit"]]
        following = full[-1]["id"] if len(full) == arguments["limit"] else 0
        return {"rows": full, "next": following, "time": call.organisation.now}


for _name, (_read, _named_by, _restricted_by) in STREAMS.items():
    _reading(_name, _read, _restricted_by)


@registry.function("local_certbridge_get_info")
def get_info(call: Call, _arguments: JSON) -> JSON:
    """Say which site and plugin this is, and how far the log reaches."""
    installed(call)
    organisation = call.organisation
    counted = ("users", "categories", "courses", "cohorts", "competencies", "feedbacks")
    return {
        "version": VERSION,
        "release": "0.1.0",
        "moodle": RELEASE,
        "time": organisation.now,
        "epoch": organisation.log.epoch,
        "firstchange": organisation.log.first,
        "lastchange": organisation.log.last,
        "features": ["courseids"],
        "tokenuntil": organisation.token_until,
        "counts": {name: len(STREAMS[name][0](call)) for name in counted},
    }


@registry.function(
    "local_certbridge_get_changes",
    after=INT,
    limit=integer(5000),
    streams=Rows(WORD, []),
    since=integer(0),
)
def get_changes(call: Call, arguments: JSON) -> JSON:
    """Give the log after an entry, with the present rows of what it names."""
    installed(call, arguments["limit"])
    organisation = call.organisation
    streams = arguments["streams"] or list(STREAMS)
    if not set(streams) <= set(STREAMS):
        raise invalid_parameter()
    waiting = [entry for entry in organisation.log.entries if entry.id > arguments["after"] and entry.stream in streams]
    shown = waiting[: arguments["limit"]]
    changes = [entry.row() for entry in shown]
    if arguments["since"] and "enrolments" in streams:
        changes += plugin_rows.begun_or_ended(call, arguments["since"])
    answer: JSON = {
        "time": organisation.now,
        "epoch": organisation.log.epoch,
        "first": organisation.log.first,
        "last": organisation.log.last,
        "next": shown[-1].id if shown else arguments["after"],
        "more": len(waiting) > len(shown),
        "changes": changes,
    }
    for stream in dict.fromkeys(change["stream"] for change in changes):
        of_stream = [one for one in changes if one["stream"] == stream and one["action"] != "whole"]
        if of_stream:
            answer[stream] = _present(call, stream, of_stream)
    return answer


def _present(call: Call, stream: str, changes: list[dict[str, Any]]) -> list[JSON]:
    read, parent, _ = STREAMS[stream]
    if parent == "id":
        named = {change["objectid"] for change in changes}
        return [row for row in read(call) if row["id"] in named]
    of = "courseid" if parent == "courseid" else "objectid"
    pairs = {(change[of], change["userid"]) for change in changes}
    return [row for row in read(call) if (row[parent], row["userid"]) in pairs]
