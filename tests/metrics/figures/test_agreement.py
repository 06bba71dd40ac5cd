"""Figures measured in sets agree with a straightforward reading of one person's rows after the other's."""

from benchmarks.figures import PEERS, fill
from metrics.figures import registry
from plugin.store import Store
from tests.metrics.figures.world import question


def test_sets_and_peers_agree(store: Store) -> None:
    """Every figure says the same as its peer about a made-up organisation, and so do its parts put together."""
    with store.write() as session:
        fill(session, people=80, courses=4)
    with store.read() as session:
        for period in ("2026", "2026Q2", "2026-07"):
            asked = question(period)
            for name, peer in PEERS.items():
                whole = registry.measure(session, name, asked)
                assert (whole.numerator, whole.denominator) == peer(session, asked, None)
                parts = registry.measure_by(session, name, asked, "department")
                assert sum(part.numerator for _, part in parts) == whole.numerator
                assert sum(part.denominator for _, part in parts) == whole.denominator
                for side, count in (("numerator", whole.numerator), ("denominator", whole.denominator)):
                    assert len(registry.people(session, name, asked, side)) == count
                gap = registry.people(session, name, asked, "gap")
                assert len(gap) == whole.denominator - whole.numerator
