"""The OpenAPI 3.1 document of the API, made from what the views say of themselves (plugin.api.described)."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from plugin.api import DESCRIBED, Described
from plugin.problems import MEDIA_TYPE, SCHEMA
from plugin.web import ALSO, SCOPE, SIGNED

ROOT = "/api/v1"
VERSION = "1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_COMPONENTS = "#/components/schemas/"

SAYS = {
    400: "The request cannot be read.",
    401: "There is no token, or none that stands; or the signature is not right.",
    403: "The token does not have the scope.",
    404: "What it names does not exist.",
    405: "The address takes other methods; Allow names them.",
    406: "The caller takes no JSON.",
    409: "It is well formed and does not fit what stands here; the detail says why.",
    413: "The body is too large.",
    415: "The body is not of the type that is taken.",
    422: "A parameter or a field is missing, malformed or unknown; findings names each.",
    429: "The token has made its calls of this minute; Retry-After says when to go on.",
    500: "Something went wrong here; the log says what.",
    503: "It cannot be done now; try again later.",
}
OF_EVERY_CALL = (404, 405, 406, 422, 500, 503)
OF_TOKENS = (401, 403, 429)
OF_BODIES = (400, 413, 415)
RATE_HEADERS = {
    "RateLimit-Limit": "Calls that the token may make in a minute.",
    "RateLimit-Remaining": "Calls left in this minute.",
    "RateLimit-Reset": "Seconds until the next minute begins.",
}


def undescribed(app: Flask) -> list[str]:
    """The methods and addresses of the API that say nothing of themselves."""
    return [f"{method} {rule.rule}" for rule, method, said in _calls(app) if said is None]


def document(app: Flask) -> dict[str, Any]:
    """The document as it is served."""
    models: dict[type[BaseModel], str] = {}
    calls = [(rule, method, said) for rule, method, said in _calls(app) if said is not None]
    for _, _, said in calls:
        for model in (*said.answers.values(), said.body):
            if isinstance(model, type):
                models[model] = "validation" if model is said.body else "serialization"
    _, defined = models_json_schema(
        list(models.items()),  # type: ignore[arg-type]
        ref_template=_COMPONENTS + "{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, said in calls:
        paths.setdefault(_path(rule), {})[method.lower()] = _operation(app, rule, method, said)
    schemas = {"Problem": SCHEMA, **defined.get("$defs", {})}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CertBridge",
            "version": VERSION,
            "summary": "Who is certified for what and until when, for HR systems",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token made by certbridge token create."}
            },
        },
    }


def _calls(app: Flask) -> list[tuple[Rule, str, Described | None]]:
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"{ROOT}/"):
            said = getattr(app.view_functions[rule.endpoint], DESCRIBED, None)
            found += [(rule, method, said) for method in METHODS if method in (rule.methods or ())]
    return sorted(found, key=lambda call: (call[0].rule, METHODS.index(call[1])))


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation(app: Flask, rule: Rule, method: str, said: Described) -> dict[str, Any]:
    view = app.view_functions[rule.endpoint]
    scope = getattr(view, SCOPE, None)
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": said.summary,
        "tags": [rule.rule.removeprefix(f"{ROOT}/").partition("/")[0]],
    }
    if said.text:
        operation["description"] = said.text
    if scope is not None:
        operation["security"] = [{"token": [each]} for each in (scope, *getattr(view, ALSO, ()))]
    elif not hasattr(view, SIGNED):
        operation["security"] = []
    if parameters := [*_in_path(rule, said), *_in_query(said), *_in_headers(said)]:
        operation["parameters"] = parameters
    if said.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(said.body)}}}
    operation["responses"] = _responses(said, scope is not None)
    return operation


def _in_path(rule: Rule, said: Described) -> list[dict[str, Any]]:
    names = sorted(rule.arguments, key=rule.rule.index)
    return [_parameter(name, "path", {"type": "string", **said.path.get(name, {})}, True) for name in names]


def _in_query(said: Described) -> list[dict[str, Any]]:
    if said.query is None:
        return []
    schema = said.query.model_json_schema()
    definitions, required = schema.get("$defs", {}), schema.get("required", ())
    return [
        _parameter(name, "query", _plain(each, definitions), name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def _in_headers(said: Described) -> list[dict[str, Any]]:
    headers = {name: dict(schema) for name, schema in said.headers.items()}
    if said.cached:
        headers["If-None-Match"] = {"type": "string", "description": "The ETag of an answer that the caller holds."}
    return [_parameter(name, "header", schema, bool(schema.pop("required", False))) for name, schema in headers.items()]


def _parameter(name: str, place: str, schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    inner = {key: value for key, value in schema.items() if key not in ("description", "title", "default")}
    found: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": inner}
    if "description" in schema:
        found["description"] = schema["description"]
    return found


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null, which no query can say, and without references."""
    found = dict(schema)
    some = [each for each in found.pop("anyOf", []) if each.get("type") != "null"]
    if len(some) == 1:
        found = {**some[0], **found}
    elif some:
        found["anyOf"] = some
    if reference := found.pop("$ref", None):
        found = {**definitions[reference.rpartition("/")[2]], **found}
    return found


def _responses(said: Described, with_token: bool) -> dict[str, Any]:
    headers = {
        name: {"description": text, "schema": {"type": "integer", "minimum": 0}} for name, text in RATE_HEADERS.items()
    }
    found: dict[str, Any] = {}
    for status, model in said.answers.items():
        answer: dict[str, Any] = {"description": "Done." if status != 304 else "The caller holds it already."}
        if model is not None:
            answer["content"] = {"application/json": {"schema": _schema(model)}}
        if with_token:
            answer["headers"] = dict(headers)
        found[str(status)] = answer
    if said.cached:
        found["304"] = {"description": "The caller holds it already."}
    problems = {*OF_EVERY_CALL, *said.problems, *(OF_TOKENS if with_token else ()), *(OF_BODIES if said.body else ())}
    for status in sorted(problems):
        found[str(status)] = {
            "description": SAYS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": _COMPONENTS + "Problem"}}},
        }
    return found


def _schema(model: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    return {"$ref": _COMPONENTS + model.__name__} if isinstance(model, type) else dict(model)
