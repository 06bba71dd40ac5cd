"""How Moodle writes a moment in English reports."""

from datetime import datetime, tzinfo


def readable(moment: int | None, zone: tzinfo) -> str:
    """Write a moment as in 'Friday, 1 May 2026, 12:55 AM'; nothing for no moment."""
    if not moment:
        return ""
    at = datetime.fromtimestamp(moment, zone)
    return f"{at:%A}, {at.day} {at:%B %Y}, {at.hour % 12 or 12}:{at:%M} {at:%p}"
