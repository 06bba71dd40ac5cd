"""A strict validator of xAPI statements, written from the specification 1.0.3 (part two, Data).

`errors_of` names everything that is wrong with a statement, each by where it stands (a JSON Pointer, RFC 6901) and a code:

    type            another JSON type belongs there          missing         a property that must be there is not
    null            null stands nowhere but in extensions    unknown         the specification knows no such property
    empty           nothing stands where something must      value           none of the values that are allowed
    iri irl uri     no IRI, IRL, URI with a scheme           uuid            no UUID
    mbox sha1       no mailto: address, no SHA-1             language        no language tag
    timestamp       no timestamp                             duration        no ISO 8601 duration
    identifier      not exactly one of mbox, mbox_sha1sum,   range           a score outside of what is allowed
                    openid, account                          duplicate       two interaction components of one id
    not_allowed     not beside this object, or in here       version         not 1.0.x
    sha2 media_type no SHA-2, no media type                  authority       neither an Agent nor a Group of two Agents

Nothing of the statement is repeated, changed or read more than once. What is JSON at all is the business of connectors.signed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.xapi import formats

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")
CONTEXTS = ("parent", "grouping", "category", "other")
LISTS = ("choices", "scale", "source", "target", "steps")
# Which lists of components an interaction of each type has.
INTERACTIONS: dict[str, tuple[str, ...]] = {
    "true-false": (),
    "choice": ("choices",),
    "fill-in": (),
    "long-fill-in": (),
    "matching": ("source", "target"),
    "performance": ("steps",),
    "sequencing": ("choices",),
    "likert": ("scale",),
    "numeric": (),
    "other": (),
}


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong: where, as a JSON Pointer ('' is the whole statement), and what, as a code."""

    path: str
    code: str


Check = Callable[["_Look", str, Any], None]


def errors_of(statement: Any) -> list[Wrong]:
    """Everything that is wrong with a statement, in the order in which it stands there; nothing when it is valid."""
    look = _Look()
    look.statement("", statement, inner=False)
    return look.found


class _Look:
    """One look at one statement."""

    def __init__(self) -> None:
        self.found: list[Wrong] = []

    def wrong(self, path: str, code: str) -> None:
        self.found.append(Wrong(path, code))

    def fields(self, path: str, value: Any, checks: Mapping[str, Check], needed: tuple[str, ...] = ()) -> bool:
        """Whether `value` is an object at all; each of its properties is checked, unknown and missing ones are wrong."""
        if value is None:
            self.wrong(path, "null")
            return False
        if not isinstance(value, dict):
            self.wrong(path, "type")
            return False
        for name, part in value.items():
            where = f"{path}/{_escaped(name)}"
            check = checks.get(name)
            if check is None:
                self.wrong(where, "unknown")
            elif part is None:
                self.wrong(where, "null")
            else:
                check(self, where, part)
        for name in needed:
            if name not in value:
                self.wrong(f"{path}/{name}", "missing")
        return True

    # Statements ---------------------------------------------------------------------------------------------------------

    def statement(self, path: str, value: Any, *, inner: bool) -> None:
        """A statement, or a SubStatement (`inner`)."""
        checks = _SUB_STATEMENT if inner else _STATEMENT
        if not self.fields(path, value, checks, ("actor", "verb", "object")):
            return
        verb, about = value.get("verb"), value.get("object")
        kind = about.get("objectType", "Activity") if isinstance(about, dict) else None
        if not inner and isinstance(verb, dict) and verb.get("id") == VOIDED and kind != "StatementRef":
            self.wrong(f"{path}/object", "not_allowed")
        context = value.get("context")
        if isinstance(context, dict) and kind != "Activity":
            for name in ("revision", "platform"):
                if name in context:
                    self.wrong(f"{path}/context/{name}", "not_allowed")

    def object(self, path: str, value: Any, *, inner: bool) -> None:
        """What a statement is about; within a SubStatement (`inner`) no other one."""
        if not isinstance(value, dict):
            self.wrong(path, "type")
            return
        kind = value.get("objectType", "Activity")
        if kind == "Activity":
            self.fields(path, value, _ACTIVITY, ("id",))
        elif kind in ("Agent", "Group"):
            _actor(self, path, value)
        elif kind == "StatementRef":
            self.fields(path, value, _STATEMENT_REF, ("objectType", "id"))
        elif kind == "SubStatement":
            if inner:
                self.wrong(path, "not_allowed")
            else:
                self.statement(path, value, inner=True)
        else:
            self.wrong(f"{path}/objectType", _kind_of_wrong(kind))

    # Agents and Groups ------------------------------------------------------------------------------------------------------

    def agent(self, path: str, value: Any) -> None:
        """An Agent: exactly one identifier."""
        if self.fields(path, value, _AGENT) and sum(name in value for name in IDENTIFIERS) != 1:
            self.wrong(path, "identifier")

    def group(self, path: str, value: Any) -> None:
        """A Group: one identifier, or none and members."""
        if not self.fields(path, value, _GROUP, ("objectType",)):
            return
        identifiers = sum(name in value for name in IDENTIFIERS)
        if identifiers > 1:
            self.wrong(path, "identifier")
        elif not identifiers and not value.get("member"):
            self.wrong(f"{path}/member", "empty" if value.get("member") == [] else "missing")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _kind_of_wrong(value: Any) -> str:
    return "null" if value is None else "value" if isinstance(value, str) else "type"


# Checks of single values -------------------------------------------------------------------------------------------------


def _text(look: _Look, path: str, value: Any) -> None:
    if not isinstance(value, str):
        look.wrong(path, "type")


def _flag(look: _Look, path: str, value: Any) -> None:
    if not isinstance(value, bool):
        look.wrong(path, "type")


def _number(look: _Look, path: str, value: Any) -> None:
    if not _is_number(value):
        look.wrong(path, "type")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _length(look: _Look, path: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        look.wrong(path, "type")
    elif value < 0:
        look.wrong(path, "range")


def _formatted(fits: Callable[[str], object], code: str) -> Check:
    def check(look: _Look, path: str, value: Any) -> None:
        if not isinstance(value, str):
            look.wrong(path, "type")
        elif not fits(value):
            look.wrong(path, code)

    return check


def _one_of(*allowed: str) -> Check:
    def check(look: _Look, path: str, value: Any) -> None:
        if value not in allowed if isinstance(value, str) else True:
            look.wrong(path, _kind_of_wrong(value))

    return check


def _list_of(check: Check) -> Check:
    def check_all(look: _Look, path: str, value: Any) -> None:
        if not isinstance(value, list):
            look.wrong(path, "type")
            return
        for place, part in enumerate(value):
            if part is None:
                look.wrong(f"{path}/{place}", "null")
            else:
                check(look, f"{path}/{place}", part)

    return check_all


def _object_of(checks: Mapping[str, Check], *needed: str) -> Check:
    def check(look: _Look, path: str, value: Any) -> None:
        look.fields(path, value, checks, needed)

    return check


_iri = _formatted(formats.is_iri, "iri")
_irl = _formatted(formats.is_irl, "irl")
_uuid = _formatted(formats.is_uuid, "uuid")
_timestamp = _formatted(formats.moment, "timestamp")


def _language_map(look: _Look, path: str, value: Any) -> None:
    if not isinstance(value, dict):
        look.wrong(path, "type")
        return
    for tag, said in value.items():
        where = f"{path}/{_escaped(tag)}"
        if not formats.is_language(tag):
            look.wrong(where, "language")
        if not isinstance(said, str):
            look.wrong(where, "null" if said is None else "type")


def _extensions(look: _Look, path: str, value: Any) -> None:
    """Keys are IRIs; the values are anybody's business."""
    if not isinstance(value, dict):
        look.wrong(path, "type")
        return
    for name in value:
        if not formats.is_iri(name):
            look.wrong(f"{path}/{_escaped(name)}", "iri")


# Larger ones ---------------------------------------------------------------------------------------------------------------


def _actor(look: _Look, path: str, value: Any) -> None:
    """An Agent or a Group, as its objectType says."""
    if isinstance(value, dict) and value.get("objectType") == "Group":
        look.group(path, value)
    else:
        look.agent(path, value)


def _team(look: _Look, path: str, value: Any) -> None:
    look.group(path, value)


def _authority(look: _Look, path: str, value: Any) -> None:
    """An Agent; or two Agents in an anonymous Group, one of them an account: an application and its user (OAuth)."""
    before = len(look.found)
    _actor(look, path, value)
    if len(look.found) > before or value.get("objectType") != "Group":
        return
    members = value.get("member", [])
    if (
        any(name in value for name in IDENTIFIERS)
        or len(members) != 2
        or not any("account" in member for member in members)
    ):
        look.wrong(path, "authority")


def _definition(look: _Look, path: str, value: Any) -> None:
    if not look.fields(path, value, _DEFINITION):
        return
    kind = value.get("interactionType")
    used = [name for name in LISTS if name in value]
    if "interactionType" not in value:
        if used or "correctResponsesPattern" in value:
            look.wrong(f"{path}/interactionType", "missing")
    elif isinstance(kind, str) and kind in INTERACTIONS:
        for name in used:
            if name not in INTERACTIONS[kind]:
                look.wrong(f"{path}/{name}", "not_allowed")


def _components(look: _Look, path: str, value: Any) -> None:
    _list_of(_object_of(_COMPONENT, "id"))(look, path, value)
    if not isinstance(value, list):
        return
    seen: set[str] = set()
    for place, part in enumerate(value):
        name = part.get("id") if isinstance(part, dict) else None
        if isinstance(name, str) and name in seen:
            look.wrong(f"{path}/{place}/id", "duplicate")
        elif isinstance(name, str):
            seen.add(name)


def _score(look: _Look, path: str, value: Any) -> None:
    if not look.fields(path, value, dict.fromkeys(("scaled", "raw", "min", "max"), _number)):
        return
    scaled, raw, least, most = (
        value.get(name) if _is_number(value.get(name)) else None for name in ("scaled", "raw", "min", "max")
    )
    if scaled is not None and not -1 <= scaled <= 1:
        look.wrong(f"{path}/scaled", "range")
    if least is not None and most is not None and least >= most:
        look.wrong(f"{path}/min", "range")
    elif raw is not None and ((least is not None and raw < least) or (most is not None and raw > most)):
        look.wrong(f"{path}/raw", "range")


def _context_activities(look: _Look, path: str, value: Any) -> None:
    def activities(look: _Look, path: str, value: Any) -> None:
        check = _object_of(_ACTIVITY, "id")
        (_list_of(check) if isinstance(value, list) else check)(look, path, value)

    look.fields(path, value, dict.fromkeys(CONTEXTS, activities))


_STATEMENT_REF: dict[str, Check] = {"objectType": _one_of("StatementRef"), "id": _uuid}
_ACCOUNT: dict[str, Check] = {"homePage": _irl, "name": _text}
_IDENTIFIERS: dict[str, Check] = {
    "mbox": _formatted(formats.is_mailto, "mbox"),
    "mbox_sha1sum": _formatted(formats.is_sha1, "sha1"),
    "openid": _formatted(formats.is_uri, "uri"),
    "account": _object_of(_ACCOUNT, "homePage", "name"),
}
_AGENT: dict[str, Check] = {"objectType": _one_of("Agent"), "name": _text, **_IDENTIFIERS}
_GROUP: dict[str, Check] = {
    "objectType": _one_of("Group"),
    "name": _text,
    "member": _list_of(lambda look, path, value: look.agent(path, value)),
    **_IDENTIFIERS,
}
_COMPONENT: dict[str, Check] = {"id": _text, "description": _language_map}
_DEFINITION: dict[str, Check] = {
    "name": _language_map,
    "description": _language_map,
    "type": _iri,
    "moreInfo": _irl,
    "extensions": _extensions,
    "interactionType": _one_of(*INTERACTIONS),
    "correctResponsesPattern": _list_of(_text),
    **dict.fromkeys(LISTS, _components),
}
_ACTIVITY: dict[str, Check] = {"objectType": _one_of("Activity"), "id": _iri, "definition": _definition}
_RESULT: dict[str, Check] = {
    "score": _score,
    "success": _flag,
    "completion": _flag,
    "response": _text,
    "duration": _formatted(formats.is_duration, "duration"),
    "extensions": _extensions,
}
_CONTEXT: dict[str, Check] = {
    "registration": _uuid,
    "instructor": _actor,
    "team": _team,
    "contextActivities": _context_activities,
    "revision": _text,
    "platform": _text,
    "language": _formatted(formats.is_language, "language"),
    "statement": _object_of(_STATEMENT_REF, "objectType", "id"),
    "extensions": _extensions,
}
_ATTACHMENT: dict[str, Check] = {
    "usageType": _iri,
    "display": _language_map,
    "description": _language_map,
    "contentType": _formatted(formats.is_media_type, "media_type"),
    "length": _length,
    "sha2": _formatted(formats.is_sha2, "sha2"),
    "fileUrl": _irl,
}
_BOTH: dict[str, Check] = {
    "actor": _actor,
    "verb": _object_of({"id": _iri, "display": _language_map}, "id"),
    "result": _object_of(_RESULT),
    "context": _object_of(_CONTEXT),
    "timestamp": _timestamp,
    "attachments": _list_of(_object_of(_ATTACHMENT, "usageType", "display", "contentType", "length", "sha2")),
}
_STATEMENT: dict[str, Check] = {
    **_BOTH,
    "id": _uuid,
    "object": lambda look, path, value: look.object(path, value, inner=False),
    "stored": _timestamp,
    "authority": _authority,
    "version": _formatted(formats.is_version, "version"),
}
_SUB_STATEMENT: dict[str, Check] = {
    **_BOTH,
    **dict.fromkeys(("id", "stored", "version", "authority"), lambda look, path, _: look.wrong(path, "not_allowed")),
    "objectType": _one_of("SubStatement"),
    "object": lambda look, path, value: look.object(path, value, inner=True),
}
