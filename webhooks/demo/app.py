"""The sandbox HR system's HTTP side: the receiver, the page, and the controls for tests."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from webhooks.demo.faults import Fault, Faults
from webhooks.demo.proposing import CertBridge, propose
from webhooks.demo.receiving import asked, receive
from webhooks.demo.records import Records
from webhooks.demo.words import LANGUAGES, words

HOOK = "/webhooks/certbridge"
LARGEST = 64 * 1024
SHOWN = 500


@dataclass(frozen=True)
class Sandbox:
    """What the sandbox is made of. Several secrets are valid while one replaces another."""

    records: Records
    secrets: tuple[str, ...] = field(repr=False)
    certbridge: CertBridge | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: Faults = field(default_factory=Faults)


def create_app(sandbox: Sandbox) -> Flask:
    """The application."""
    app = Flask("webhooks.demo", root_path=__file__.rpartition("/")[0])
    app.config["MAX_CONTENT_LENGTH"] = LARGEST
    app.add_url_rule(HOOK, view_func=functools.partial(_hook, sandbox), endpoint="hook", methods=["POST"])
    app.add_url_rule("/", view_func=functools.partial(_page, sandbox), endpoint="page")
    app.add_url_rule("/language/<code>", view_func=_language, endpoint="language")
    for name, view, method in (
        ("state", _state, "GET"),
        ("propose", _propose, "POST"),
        ("faults", _faults, "POST"),
    ):
        rule = f"/sandbox/{name}"
        app.add_url_rule(rule, view_func=functools.partial(view, sandbox), endpoint=name, methods=[method])
    return app


def _hook(sandbox: Sandbox) -> ResponseReturnValue:
    """Receive one message, or fail as told."""
    body = request.get_data()
    fault = sandbox.faults.take()
    if fault is not None:
        time.sleep(fault.delay)
        if fault.status:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return Response("as told\n", fault.status, headers)
    question = asked(sandbox.secrets, dict(request.headers), body, sandbox.clock())
    if question is not None:
        return sandbox.records.held(question.cursor, question.limit)
    status, word = receive(sandbox.records, sandbox.secrets, dict(request.headers), body, sandbox.clock())
    return {"outcome": word}, status


def _page(sandbox: Sandbox) -> ResponseReturnValue:
    """What HR sees."""
    language = request.cookies.get("language") or request.accept_languages.best_match(["en", "zh"]) or "en"
    language = "zh-Hans" if language.startswith("zh") else "en"
    state = sandbox.records.state()
    return render_template(
        "page.html",
        language=language,
        languages=LANGUAGES,
        t=functools.partial(words, language),
        promotions=state["promotions"][:SHOWN],
        certifications=state["certifications"][:SHOWN],
        totals={name: len(state[name]) for name in ("promotions", "certifications")},
        inbox=state["inbox"],
        messages=sandbox.records.latest(25),
    )


def _language(code: str) -> ResponseReturnValue:
    response = redirect(url_for("page"))
    if code in LANGUAGES:
        response.set_cookie("language", code, samesite="Lax")
    return response


def _state(sandbox: Sandbox) -> ResponseReturnValue:
    """Every record, as JSON."""
    return sandbox.records.state()


def _propose(sandbox: Sandbox) -> ResponseReturnValue:
    """Keep the proposals of the body (a JSON list, or nothing), and send all that CertBridge has not been told."""
    given = request.get_json(silent=True) if request.is_json else []
    if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("promotion_id") for one in given):
        return {"error": "The body is a JSON list of proposals, each with its promotion_id."}, 422
    sandbox.records.plan(given)
    counts = propose(sandbox.records, sandbox.certbridge)
    return counts if request.is_json else redirect(url_for("page"))


def _faults(sandbox: Sandbox) -> ResponseReturnValue:
    """Set a fault, or clear it with an empty body or null."""
    try:
        body = request.get_data()
        sandbox.faults.put(Fault.model_validate_json(body) if body.strip() not in (b"", b"null") else None)
    except ValidationError as error:
        return {"error": str(error)}, 422
    return {"fault": sandbox.faults.fault.model_dump() if sandbox.faults.fault else None}
