"""What of the settings figures are measured by."""

from metrics.settings import MetricsSettings
from plugin.installation import Installation


def dimensions_of(home: Installation) -> tuple[str, ...]:
    """The dimensions of satisfaction, in their order."""
    return home.settings.section("metrics", MetricsSettings).dimensions
