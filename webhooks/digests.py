"""The digest of a message's data, for receivers that keep no more than it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# What explains a state and is no part of it; it is found anew at each sending, and neither compared nor digested.
EXPLAINS = ("person", "criteria")


def digest_of(data: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of `data` as JSON with sorted keys, no spaces, in UTF-8.

    It is without `person` and `criteria`, and that of a certification without `requirements`: full payloads have them.
    """
    left_out = (*EXPLAINS, "requirements") if "certification" in data else EXPLAINS
    state = {name: value for name, value in data.items() if name not in left_out}
    text = json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
