"""tool_mobile: many calls in one request, which stop at the first that fails."""

import json

from connectors.moodle.demo.arguments import WORD, Fields, Rows, flag, text
from connectors.moodle.demo.errors import MoodleError, invalid_parameter
from connectors.moodle.demo.protocol import to_json
from connectors.moodle.demo.registry import JSON, Call, registry

_SETTINGS = {name: flag(False) for name in ("settingraw", "settingfileurl", "settingfilter")}
_REQUEST = Fields({"function": WORD, "arguments": text("{}"), **_SETTINGS, "settinglang": text("")})


@registry.function("tool_mobile_call_external_functions", requests=Rows(_REQUEST))
def call_external_functions(call: Call, arguments: JSON) -> JSON:
    """Answer the requests in turn; what follows the first error is not run and has no answer."""
    responses: list[JSON] = []
    for request in arguments["requests"]:
        try:
            answer = call.run(request["function"], _decoded(request["arguments"]))
        except MoodleError as error:
            responses.append({"error": True, "exception": to_json(_inner(call, error))})
            break
        responses.append({"error": False, "data": to_json(answer)})
    return {"responses": responses}


def _decoded(written: str) -> JSON:
    try:
        decoded = json.loads(written)
    except ValueError:
        raise invalid_parameter() from None
    if not isinstance(decoded, dict):
        raise invalid_parameter()
    return decoded


def _inner(call: Call, error: MoodleError) -> JSON:
    code = error.errorcode or "generalexceptionmessage"
    if code == "accessexception":
        return {"errorcode": code, "module": "webservice"}
    return {
        "message": error.message,
        "errorcode": code,
        "link": f"{call.site}/",
        "moreinfourl": f"https://docs.moodle.org/404/en/error/moodle/{code}",
    }
