"""A clock that the tests of inputs move."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from plugin.installation import Installation


@pytest.fixture
def clock_moves(installation: Installation) -> Callable[[timedelta], None]:
    """Let so much time pass."""
    clock: Any = installation.clock

    def move(by: timedelta) -> None:
        clock.moment += by

    return move
