"""What the companion plugin can read of a site."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.moodle.changes import ChangeLog
from connectors.moodle.client import MoodleClient
from connectors.moodle.plugin import PREFIX, Plugin
from connectors.moodle.plugin_people import Badges, Cohorts, Competencies, Plans
from connectors.moodle.plugin_reading import PluginStream
from connectors.moodle.plugin_results import Results
from connectors.moodle.plugin_streams import (
    ActivityCompletions,
    Attempts,
    Categories,
    Completions,
    Courses,
    Enrolments,
    Users,
)
from connectors.moodle.plugin_surveys import Surveys
from connectors.moodle.ways import PLUGIN, Offer

SIMPLE: Sequence[type[PluginStream]] = (
    Users,
    Categories,
    Courses,
    Enrolments,
    Completions,
    ActivityCompletions,
    Attempts,
    Cohorts,
    Badges,
    Competencies,
    Plans,
    Surveys,
)


def offer(client: MoodleClient, pass_marks: Mapping[str, Decimal], *, awaits_notices: bool) -> Offer:
    """Every stream whose functions the token's service has; a change shows at once where the plugin sends notices."""
    functions = client.site.functions
    if not any(name.startswith(PREFIX) for name in functions):
        return Offer(PLUGIN, lacking={"": "not_installed"})
    plugin = Plugin(client)
    log = ChangeLog(plugin)
    made: list[PluginStream] = [kind(plugin, log) for kind in SIMPLE]
    made.append(Results(plugin, log, pass_marks))
    lacking = {stream.name: "missing_function" for stream in made if not functions.issuperset(stream.functions)}
    return Offer(
        PLUGIN,
        [stream for stream in made if stream.name not in lacking],
        lacking,
        fresh="at_once" if awaits_notices else "each_pull",
    )
