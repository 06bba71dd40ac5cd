"""The API by which HR proposes people for a post, a grade or a pay step, and asks how they stand."""

import re
from datetime import date
from typing import Annotated, Literal

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from werkzeug.exceptions import BadRequest

from metrics import promotion_acts
from metrics.certification import promotion
from plugin.web import installation, needs_token

blueprint = Blueprint("promotions_api", __name__, url_prefix="/api/v1/promotions")

# Printable, without the slashes and controls that would not survive a URL or a log.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$", max_length=100)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


def _iso_day(value: object) -> date:
    """A day as YYYY-MM-DD and nothing else: pydantic by itself would take numbers and moments too."""
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is None:
        raise ValueError("a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day") from None


Day = Annotated[date, BeforeValidator(_iso_day)]


class ProposalBody(BaseModel):
    """What HR sends: who is proposed for which position or grade, and from which day it is to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promotion_id: Id
    employee_number: Number
    kind: Literal["promotion", "pay"] = "promotion"
    from_position: Code | None = None
    to_position: Code | None = None
    from_grade: Code | None = None
    to_grade: Code | None = None
    effective_date: Day


@blueprint.route("", methods=["POST"])
@needs_token("promotions:write")
def propose() -> ResponseReturnValue:
    """Create or change a promotion record: 201 when it is new, else 200; 422 when it cannot be accepted as it is."""
    home = installation()
    try:
        body = ProposalBody.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        return _refusal(error)
    outcome = promotion_acts.propose(home, promotion.Proposal(**body.model_dump()), f"token {g.token_name}")
    return {"promotion_id": body.promotion_id, "outcome": outcome}, 201 if outcome == "created" else 200


@blueprint.route("/<promotion_id>/close", methods=["POST"])
@needs_token("promotions:write")
def close(promotion_id: str) -> ResponseReturnValue:
    """End a promotion record: HR has decided, and hears no more of it. 404 when there is none of this id."""
    promotion_acts.close(installation(), promotion_id, f"token {g.token_name}")
    return {"promotion_id": promotion_id, "outcome": "closed"}


@blueprint.route("/<promotion_id>")
@needs_token("promotions:write")
def answer(promotion_id: str) -> ResponseReturnValue:
    """How the person stands against what the new post asks for. 404 when there is no record of this id."""
    home = installation()
    with home.store.read() as session:
        said = promotion.answer(session, promotion_id)
    lines = said.get("requirements")
    if lines and not said["closed"]:
        said["requirements"] = promotion.from_now_on(lines, home.clock(), home.settings.organisation.zone)
    return said


def _refusal(error: ValidationError) -> ResponseReturnValue:
    """400 for what is not JSON, 422 with a line per field otherwise; what was sent is not repeated."""
    findings = error.errors(include_input=False, include_url=False, include_context=False)
    if any(finding["type"] == "json_invalid" for finding in findings):
        raise BadRequest("The body is not JSON.")
    lines = [{"field": ".".join(map(str, finding["loc"])), "problem": finding["msg"]} for finding in findings]
    return {"error": "The proposal cannot be accepted as it is.", "findings": lines}, 422
