"""Whatever happens, in whatever order it arrives: the store holds what a fresh derivation of everything gives."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.store import Base, Store
from tests.metrics.certification.store_world import Step, World

MICROSECOND = timedelta(microseconds=1)
AHEAD = (0, 0, 1, 10, 40)
PASSING = (0, 0, 0, 1, 1, 5, 20, 60, -1)  # the clock is put back, too
KINDS = ("completed", "completed", "completed", "score", "score", "hours", "award")
AGO = (0, 0, 0, 1, 15, 40, 100, 300, -5, -30)
KNOWN = (0, 0, 0, 0, 3, 30)  # how many days ago it was recorded
DECISIONS = ("exempt", "revoke", "revoke", "reinstate")
HOW_OFTEN = {"evidence": 7, "void": 4, "version": 1, "regrade": 1, "require": 1, "decide": 2, "withdraw": 1, "enrol": 1}


def happening(chance: random.Random) -> Step:
    """Something that happens to one of the two people, or to a rule."""
    [kind] = chance.choices(list(HOW_OFTEN), list(HOW_OFTEN.values()))
    who, which = chance.randrange(2), chance.randrange(3)
    given_: dict[str, tuple[Any, ...]] = {
        "evidence": (who, chance.choice(KINDS), chance.randrange(2), chance.choice(AGO), chance.choice((75, 85, 85)),
                     chance.choice(KNOWN)),
        "void": (chance.randrange(4), chance.choice((0, 0, 75, 85))),
        "version": (which, chance.randrange(5), chance.randrange(5), chance.choice((-40, 0, 0, 15))),
        "regrade": (which,),
        "require": (which, chance.choice(AHEAD), chance.choice(AHEAD)),
        "decide": (chance.choice(DECISIONS), who, which, chance.choice(AHEAD), 12),
        "withdraw": (who,),
        "enrol": (who, chance.randrange(2)),
    }  # fmt: skip
    return Step(kind, chance.choice(PASSING), given_[kind], chance.random() < 0.5)


@dataclass(frozen=True)
class Story:
    """The rules at the beginning, and what happens; the same for a seed, so that a shorter one is a shorter history."""

    seed: int
    length: int

    def beginning(self) -> list[int]:
        """A criterion and a validity for each certification; often the first, which are the simplest."""
        chance = random.Random(-self.seed)
        return [chance.choice((0, 0, 0, 1, 2, 3, 4)) for _ in range(6)]

    def steps(self) -> list[Step]:
        """What happens, in this order."""
        chance = random.Random(self.seed)
        return [happening(chance) for _ in range(self.length)]


stories = st.builds(Story, st.integers(1, 2**40), st.integers(4, 16))


@pytest.fixture
def two_stores(store_url: str, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """A store of each kind with all tables, and one more for what is put in at once."""
    stores = Store(store_url), Store(f"sqlite:///{tmp_path}/other.db")
    for each in stores:
        Base.metadata.create_all(each.engine)
    yield stores
    for each in stores:
        each.close()


def _many(store: Store, sqlite: int, postgresql: int) -> settings:
    return settings(
        max_examples=sqlite if store.is_sqlite else postgresql,
        deadline=None,
        derandomize=True,  # the same stories each time; another seed is tried by taking this out
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def _told(two_stores: tuple[Store, Store], story: Story) -> World:
    """A world in which all that has happened, and everybody has been derived."""
    world = World(two_stores[0])
    world.begin(story.beginning())
    for step in story.steps():
        world.do(step)
    world.now = world.latest
    world.derive()
    return world


def test_step_by_step_is_all_at_once(two_stores: tuple[Store, Store]) -> None:
    """Awards and holdings derived as things happened equal those of a store that got everything at once, and the pure functions'."""

    @_many(two_stores[0], 100, 12)
    @given(stories)
    def check(story: Story) -> None:
        world = _told(two_stores, story)
        fresh = world.copied_to(two_stores[1])
        fresh.derive()
        assert world.result() == fresh.result()
        pure = world.pure()
        assert fresh.result()["awards"] == pure["awards"]
        for key, row in fresh.result()["holdings"].items():
            assert row[:-1] == pure["holdings"][key]

    check()


def test_the_clock_finds_every_change(two_stores: tuple[Store, Store]) -> None:
    """Just before next_change_at nothing changes, at it something does, and the clock alone leaves out nobody."""

    @_many(two_stores[0], 60, 6)
    @given(stories)
    def check(story: Story) -> None:
        world = _told(two_stores, story)
        for _ in range(3):
            before = world.result()
            moments = [row[-1] for row in before["holdings"].values() if row[-1] is not None]
            if not moments:
                return
            world.now = min(moments) - MICROSECOND
            world.touch_all()
            world.derive()
            assert world.result() == before
            world.now = min(moments)
            world.derive()
            after = world.result()
            assert {key for key, row in before["holdings"].items() if row[-1] == world.now} <= {
                key for key in before["holdings"] if _stands(before, key) != _stands(after, key)
            }
            world.touch_all()
            world.derive()
            assert world.result() == after

    check()


def _stands(result: dict[str, Any], key: tuple[str, str]) -> object:
    """The status and since when, the award and whether it is required."""
    row = result["holdings"].get(key)
    return None if row is None else row[:8]
