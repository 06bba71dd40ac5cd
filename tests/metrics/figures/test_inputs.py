"""What makes a figure provisional."""

from connectors.models import Quarantined
from metrics.figures import registry
from metrics.figures.figure import Figure
from tests.metrics.figures.world import World, at, question


def why(figure: Figure) -> list[str]:
    """Why a figure is provisional."""
    return [str(item) for item in figure.provisional]


def test_readings(world: World) -> None:
    """A figure is complete when every stream that it is made of was read whole since the period's end, and not before."""
    asked = question()
    assert why(registry.measure(world.session, "pass_rate", asked)) == ["never read"]
    world.read("2026-06-30T23:30")  # it began before the end, though it ended after it
    late = registry.measure(world.session, "pass_rate", asked)
    assert why(late) == ["moodle results: not read since the period's end"]
    assert not late.complete
    world.read("2026-07-01")
    assert registry.measure(world.session, "pass_rate", asked).complete
    world.read("2026-07-02", streams=["results"], status="failed")
    assert why(registry.measure(world.session, "pass_rate", asked)) == [
        "moodle results: the last reading did not succeed whole"
    ]
    assert registry.measure(world.session, "completion_rate", asked).complete
    before = question(as_of=at("2026-07-02"))
    assert registry.measure(world.session, "pass_rate", before).complete
    world.read("2026-07-03", source="other", streams=["users"], status="failed")
    world.read("2026-07-03")
    assert registry.measure(world.session, "pass_rate", asked).complete
    months = registry.measure_by(world.session, "pass_rate", question("2026Q3", as_of=at("2026-08-15")), "month")
    assert [why(figure) for _, figure in months] == [
        ["moodle results: not read since the period's end"],
        ["the period is not over"],
    ]


def test_quarantine(world: World) -> None:
    """A record of a stream that waits in quarantine makes what is made of the stream provisional until it is resolved."""
    world.read("2026-07-01")
    waiting = Quarantined(
        source="moodle",
        stream="completions",
        record_key="1",
        record={},
        reason="no date",
        first_at=at("2026-07-01"),
        last_at=at("2026-07-01"),
    )
    world.session.add(waiting)
    world.session.flush()
    assert registry.measure(world.session, "pass_rate", question()).complete
    assert why(registry.measure(world.session, "completion_rate", question())) == [
        "moodle completions: records that could not be used wait in quarantine"
    ]
    waiting.resolved_at = at("2026-08-01")
    world.session.flush()
    assert registry.measure(world.session, "completion_rate", question()).complete
    assert not registry.measure(world.session, "completion_rate", question(as_of=at("2026-07-31"))).complete
