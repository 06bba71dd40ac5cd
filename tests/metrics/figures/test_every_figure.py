"""What holds for every figure, whatever it counts."""

import pytest

from metrics.figures import registry
from metrics.figures.scope import BREAKDOWNS
from plugin.errors import RefusedError
from tests.metrics.figures.world import World, at, question

EVERY = list(registry.figures())


@pytest.mark.parametrize("name", EVERY)
def test_of_nothing_there_is_no_value(world: World, name: str) -> None:
    """Where there is nothing to measure, a figure has no value and says why, whole and by every break-down."""
    world.course("1")
    figure = registry.measure(world.session, name, question())
    assert figure.value is None
    assert figure.reason is not None
    assert not figure.denominator
    for by in registry.definition(name).breakdowns:
        parts = registry.measure_by(world.session, name, question(), by)
        assert all(part.value is None and part.reason is not None for _, part in parts)


@pytest.mark.parametrize("name", EVERY)
def test_what_makes_no_sense_is_refused(world: World, name: str) -> None:
    """A break-down that a figure does not have is refused with those that it has; so is a side that there is not."""
    definition = registry.definition(name)
    for by in set(BREAKDOWNS) - set(definition.breakdowns):
        with pytest.raises(RefusedError, match=definition.breakdowns[0]):
            registry.measure_by(world.session, name, question(), by)
    with pytest.raises(RefusedError, match="side"):
        registry.people(world.session, name, question(), "middle")


@pytest.mark.parametrize("name", EVERY)
def test_a_period_to_come(world: World, name: str) -> None:
    """A period that has not begun has no value, and asking for it by month is no mistake."""
    world.person("1")
    asked = question("2027", as_of=at("2026-07-01"))
    figure = registry.measure(world.session, name, asked)
    assert figure.value is None
    assert figure.reason is not None
    if "month" in registry.definition(name).breakdowns:
        registry.measure_by(world.session, name, asked, "month")


@pytest.mark.parametrize("name", [name for name in EVERY if registry.definition(name).has_people])
@pytest.mark.parametrize("side", ["numerator", "denominator", "gap"])
def test_nobody_is_behind_nothing(world: World, name: str, side: str) -> None:
    """Where there is nothing to measure, nobody is listed."""
    assert registry.people(world.session, name, question(), side) == []
