"""The world that the tests of figures build in the store."""

from collections.abc import Iterator

import pytest

from plugin.store import Store
from tests.metrics.figures.world import World


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    """An empty organisation, in a transaction of the test's own."""
    with store.write() as session:
        yield World(session)
