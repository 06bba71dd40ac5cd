"""The dozen fields of a valid statement that count, and what tells two statements apart.

Statements are never changed here. Source of the rules: xAPI 1.0.3 part two, 2.3.1 (what does not make a difference), and
docs/xapi.md (what a statement says about an achievement).
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.proofs import percent
from connectors.xapi import formats
from connectors.xapi.validation import CONTEXTS, VOIDED

# What logstore_xapi calls a course by when it sends its ID number.
EXTERNAL_ID = "https://w3id.org/learning-analytics/learning-management-system/external-id"
LONGEST_KEY = 200
LONGEST = 300

Json = Mapping[str, Any]


def actor_key(actor: Json) -> str | None:
    """By which key an actor is known: its mailbox, its digest, its OpenID, or HOMEPAGE|NAME; None for a nameless Group."""
    if "mbox" in actor:
        key = actor["mbox"].lower()
    elif "mbox_sha1sum" in actor:
        key = f"sha1:{actor['mbox_sha1sum'].lower()}"
    elif "openid" in actor:
        key = actor["openid"]
    elif "account" in actor:
        key = f"{actor['account']['homePage']}|{actor['account']['name']}"
    else:
        return None
    return key if len(key) <= LONGEST_KEY and key.isprintable() else f"sha256:{_hash(key)}"


def authority_name(authority: Json) -> str | None:
    """Who stands behind a statement, as rules name them: the mbox, or the account as HOMEPAGE/NAME."""
    if "mbox" in authority:
        name = authority["mbox"]
    elif "account" in authority:
        name = f"{authority['account']['homePage']}/{authority['account']['name']}"
    else:
        name = authority.get("openid") or authority.get("mbox_sha1sum")
    return name if name is not None and len(name) <= LONGEST else None


def occurred_at(statement: Json, stored: datetime) -> datetime:
    """When it happened: its timestamp, else when it was stored."""
    return (formats.moment(statement["timestamp"]) if "timestamp" in statement else None) or stored


def target_of(statement: Json) -> str | None:
    """The id of the statement that this one voids, in lower case."""
    if statement["verb"]["id"] != VOIDED:
        return None
    return str(statement["object"]["id"]).lower()


def success_of(statement: Json) -> bool | None:
    """Whether it says that it went well; None when it does not say. What was not completed did not go well."""
    result = statement.get("result", {})
    if result.get("success") is False or result.get("completion") is False:
        return False
    return result.get("success")  # type: ignore[no-any-return]


def percent_of(statement: Json) -> Decimal | None:
    """The score as a percentage: of the way from min (else 0) to max, else what scaled says."""
    score = statement.get("result", {}).get("score", {})
    raw, most = score.get("raw"), score.get("max")
    if raw is not None and most is not None:
        return percent(_decimal(raw), _decimal(score.get("min", 0)), _decimal(most))
    scaled = score.get("scaled")
    return percent(_decimal(scaled), Decimal(0), Decimal(1)) if scaled is not None else None


def _decimal(value: float) -> Decimal:
    return Decimal(str(value))


def external_of(statement: Json) -> str | None:
    """What the LMS calls the activity by its own number, where the statement says it."""
    found = statement["object"].get("definition", {}).get("extensions", {}).get(EXTERNAL_ID)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found.strip() or None if isinstance(found, str) and len(found) <= LONGEST and found.isprintable() else None


# What tells two statements apart ------------------------------------------------------------------------------------------------


def digest_of(statement: Json) -> str:
    """The same for two statements that say the same, as the specification compares them."""
    return _hash(
        _text(_compared(copy.deepcopy(dict(statement)), own={"id", "stored", "authority", "version", "attachments"}))
    )


def fingerprint_of(statement: Json) -> str | None:
    """The same for a statement that is sent once more without an id: who did what when, with which result."""
    if "timestamp" not in statement:
        return None
    said = _compared(copy.deepcopy(dict(statement)), own=set())
    about = said["object"]
    parts = [said["actor"], said["verb"], about, said["timestamp"], said.get("result")]
    return _hash(_text(parts))


def _compared(statement: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """What of a statement counts when two are compared: in one order, one spelling, without definitions and displays."""
    for name in own:
        statement.pop(name, None)
    if isinstance(statement.get("verb"), dict):
        statement["verb"].pop("display", None)
    if "timestamp" in statement:
        found = formats.moment(statement["timestamp"])
        statement["timestamp"] = found.astimezone(UTC).isoformat() if found is not None else None
    for name in ("actor", "object"):
        statement[name] = _part(statement[name])
    context = statement.get("context", {})
    for name in ("instructor", "team", "statement"):
        if name in context:
            context[name] = _part(context[name])
    if "registration" in context:
        context["registration"] = context["registration"].lower()
    activities = context.get("contextActivities", {})
    for name in CONTEXTS:
        if name in activities:
            listed = activities[name] if isinstance(activities[name], list) else [activities[name]]
            activities[name] = sorted((_part(each) for each in listed), key=_text)
    return statement


def _part(part: dict[str, Any]) -> dict[str, Any]:
    """An actor, or what a statement is about."""
    kind = part.get("objectType")
    if kind == "SubStatement":
        return _compared(part, own=set())
    if kind == "StatementRef":
        return {**part, "id": part["id"].lower()}
    if "id" in part:
        return {"id": part["id"]}
    agent = {name: value for name, value in part.items() if name != "objectType" or value == "Group"}
    for name in ("mbox", "mbox_sha1sum"):
        if name in agent:
            agent[name] = agent[name].lower()
    if "member" in agent:
        agent["member"] = sorted((_part(each) for each in agent["member"]), key=_text)
    return agent


def _text(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """Numbers that are the same written the same: 1 and 1.0."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
