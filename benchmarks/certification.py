"""How fast awards are derived: 20,000 people with ten pieces of evidence each, against a brute-force peer.

The peer (the one that the tests compare answers with) looks at everything again at every moment; it is timed on every
tenth person in the same run, and its awards must be the same. Run from the project's folder:

    python -m benchmarks.certification
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from metrics.certification.chain import Rulebook, derive
from metrics.certification.evidence import Piece
from metrics.certification.rule_text import parse_rule
from tests.metrics.certification.peer import peer

PEOPLE, PIECES, SAMPLE = 20_000, 10, 10
SHANGHAI = ZoneInfo("Asia/Shanghai")
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
RULE = """
code = "FORKLIFT"
[earn]
within = "P12M"
all_of = [{ completed = { course = "C" } }, { score = { activity = "Q", at_least = 80 } }]
[renew]
any_of = [{ completed = { course = "C" } }, { hours = { courses = ["H"], at_least = 6 } }]
[validity]
from = "previous_expiry"
lasts = "P1Y"
window = "P60D"
grace = "P30D"
"""


def person(chance: random.Random) -> list[Piece]:
    """Ten pieces in three years; one in ten arrives late, one in thirty is voided."""
    pieces = []
    for number in range(PIECES):
        kind, name = chance.choice([("completed", "C"), ("score", "Q"), ("hours", "H")])
        achieved = datetime(2023, 9, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(3 * 365 * 24 * 60))
        recorded = achieved + timedelta(days=chance.randrange(60) if chance.random() < 0.1 else 0)
        voided = recorded + timedelta(days=30) if chance.random() < 1 / 30 else None
        mark = Decimal(chance.randrange(60, 101))
        pieces.append(Piece(number, kind, "moodle", name, achieved, recorded, voided, mark, hours=Decimal(3)))
    return pieces


def timed(work: Callable[[list[Piece]], object], people: list[list[Piece]]) -> float:
    """Seconds per person."""
    begun = time.perf_counter()
    for pieces in people:
        work(pieces)
    return (time.perf_counter() - begun) / len(people)


def main() -> None:
    """Measure, compare the answers, print."""
    chance = random.Random(1)
    people = [person(chance) for _ in range(PEOPLE)]
    rule = parse_rule(RULE)
    book = Rulebook([rule], SHANGHAI)
    engine = timed(lambda pieces: derive(book, pieces, AS_OF), people)
    brute = timed(lambda pieces: peer(rule, pieces, AS_OF, SHANGHAI), people[::SAMPLE])
    for pieces in people[::SAMPLE]:
        mine = sorted((award.valid_from, frozenset(award.used)) for award in derive(book, pieces, AS_OF))
        assert mine == sorted((award.valid_from, award.used) for award in peer(rule, pieces, AS_OF, SHANGHAI))
    print(f"engine  {engine * 1e6:8.0f} µs per person  {1 / engine:8.0f} people per second  ({PEOPLE} people)")
    print(f"peer    {brute * 1e6:8.0f} µs per person  {1 / brute:8.0f} people per second  ({PEOPLE // SAMPLE} people)")
    print(f"ratio   {brute / engine:8.1f}")


if __name__ == "__main__":
    main()
