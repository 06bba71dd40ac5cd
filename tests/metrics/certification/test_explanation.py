"""Explanations: what they say about the rule, the evidence, the dates and what comes next."""

import json
from typing import Any

from metrics.certification.chain import derive
from metrics.certification.evidence import Piece
from metrics.certification.explanation import explain_standing
from tests.metrics.certification.kit import book, day, piece, rule

BOTH = 'within = "P1M"\nall_of = [{ completed = { course = "C" } }, { score = { activity = "Q", at_least = 80 } }]'
TEXT = rule(BOTH, 'from = "previous_expiry"\nlasts = "P1Y"', 'any_of = [{ completed = { course = "C" } }]')
PIECES = [piece(1, 10), piece(2, 20, kind="score", object="Q", percent=85), piece(3, 360)]


def explained(pieces: list[Piece], at: int, text: str = TEXT) -> dict[str, Any]:
    """The explanation, through JSON and back."""
    rules = book(text)
    answer = explain_standing(rules, derive(rules, pieces, day(at)), pieces, day(at))
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]  # it is the dict that went in


def test_what_satisfied_each_leaf() -> None:
    """The tree names for each leaf the piece that satisfied it, and when."""
    because = explained(PIECES[:2], 30)["because"]
    assert (because["section"], because["within"], because["criteria"]["criterion"]) == ("earn", "P1M", "all_of")
    leaves = because["criteria"]["of"]
    assert [leaf["evidence"][0]["id"] for leaf in leaves] == [1, 2]
    assert leaves[1]["asks"] == {"activity": "Q", "at_least": "80"}
    assert because["criteria"]["satisfied_at"] == leaves[1]["satisfied_at"] == "2024-01-21T08:00:00+08:00"


def test_what_is_missing() -> None:
    """Without an award the tree of [earn] says what is missing."""
    answer = explained(PIECES[:1], 15)
    assert (answer["status"], answer["because"], answer["next"]["counts_from"]) == ("in_progress", None, None)
    done, missing = answer["next"]["sections"][0]["criteria"]["of"]
    assert (done["missing"], missing["missing"]) == (None, "score Q of at least 80")


def test_too_far_apart() -> None:
    """Where only within stands in the way, it is said."""
    answer = explained([piece(1, 10), piece(2, 80, kind="score", object="Q", percent=85)], 90)
    assert "further apart than P1M" in answer["next"]["sections"][0]["note"]


def test_dates_and_arithmetic() -> None:
    """Each date comes with the sum that gave it, and the renewal with the end of the award before it."""
    answer = explained(PIECES, 400)
    dates = {line["date"]: line for line in answer["because"]["dates"]}
    assert answer["because"]["section"] == "renew"
    assert dates["valid_until"]["at"] == "2026-01-21T08:00:00+08:00"
    assert dates["valid_until"]["because"].startswith(
        "2025-01-21T08:00:00+08:00, the end of the award before it, + P1Y"
    )
    assert dates["window_opens"]["because"] == "2026-01-21T08:00:00+08:00 - P60D (window)"
    assert dates["grace_ends"]["because"] == "2026-01-21T08:00:00+08:00 + P30D (grace)"


def test_fixed_arithmetic() -> None:
    """A fixed end is explained by its anchor."""
    text = rule(validity='from = "fixed"\nanchor = "12-31"\nat_least = "P6M"')
    line = explained([piece(1, 230)], 240, text)["because"]["dates"][1]
    assert line["because"] == (
        "the first end of a 12-31 after 2024-08-18T08:00:00+08:00, and not before 2024-08-18T08:00:00+08:00 + P6M"
    )


def test_what_comes_next() -> None:
    """The next change says when and to what; the next award's sections say from when evidence counts."""
    answer = explained(PIECES, 400)
    assert answer["next_change"] == {"at": "2025-11-22T08:00:00+08:00", "to": "renewal_due"}
    assert answer["next"]["counts_from"] == "2025-11-22T08:00:00+08:00"
    assert [section["section"] for section in answer["next"]["sections"]] == ["renew", "earn"]
    lapsed = explained(PIECES, 900)
    assert [section["section"] for section in lapsed["next"]["sections"]] == ["earn"]
    assert explained([piece(1, 0)], 9, rule(validity='lasts = "forever"'))["next"] is None


def test_revoked() -> None:
    """A revoked award names the voided evidence and when it was revoked."""
    answer = explained([piece(1, 10, voided=40)], 50, rule())
    assert (answer["status"], answer["next_change"]) == ("revoked", None)
    assert answer["awards"][0]["revoked_at"] == answer["awards"][0]["evidence"][0]["voided_at"]
    assert answer["because"]["dates"][1]["because"].startswith("revoked at 2024-02-10T08:00:00+08:00")


def test_every_node_of_the_tree() -> None:
    """Nested composites keep their form and their n."""
    of = '{ badge = { badge = "a" } }, { any_of = [{ badge = { badge = "b" } }, { hours = { courses = ["H"], at_least = 2 } }] }'
    answer = explained([], 5, rule(f"n_of = {{ n = 1, of = [{of}] }}"))
    tree = answer["next"]["sections"][0]["criteria"]
    assert (tree["criterion"], tree["n"], tree["satisfied"]) == ("n_of", 1, False)
    assert tree["of"][1]["of"][1]["missing"] == "hours H of at least 2"
