"""core_cohort: site-wide groups and their members."""

from connectors.moodle.demo.arguments import INT, Rows
from connectors.moodle.demo.errors import missing_record
from connectors.moodle.demo.registry import JSON, Call, registry


@registry.function("core_cohort_get_cohorts", cohortids=Rows(INT, []))
def get_cohorts(call: Call, arguments: JSON) -> list[JSON]:
    """List the cohorts."""
    call.need("moodle/cohort:view", "View site-wide cohorts")
    ids = arguments["cohortids"]
    return [
        {
            "id": cohort.id,
            "name": cohort.name,
            "idnumber": cohort.idnumber,
            "description": "",
            "descriptionformat": 1,
            "visible": True,
            "theme": "",
            "customfields": [],
        }
        for cohort in call.organisation.cohorts
        if not ids or cohort.id in ids
    ]


@registry.function("core_cohort_get_cohort_members", cohortids=Rows(INT))
def get_cohort_members(call: Call, arguments: JSON) -> list[JSON]:
    """List the members of cohorts by user id; one unknown cohort fails the whole call."""
    call.need("moodle/cohort:view", "View site-wide cohorts")
    cohorts = {cohort.id: cohort for cohort in call.organisation.cohorts}
    if not set(arguments["cohortids"]) <= set(cohorts):
        raise missing_record("cohort")
    return [{"cohortid": number, "userids": list(cohorts[number].members)} for number in arguments["cohortids"]]
