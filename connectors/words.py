"""The codes of what is pulled in the reader's words, and the badge that a status is shown with."""

from flask_babel import lazy_gettext

from connectors.identities import ALREADY_BOUND, CLAIMED_TWICE, EMAIL_SHARED, UNMATCHED

RUN_STATUSES = {
    "running": (lazy_gettext("running"), "mute"),
    "done": (lazy_gettext("done"), "ok"),
    "partial": (lazy_gettext("partial"), "warn"),
    "failed": (lazy_gettext("failed"), "bad"),
}
NEVER_RUN = (lazy_gettext("never synced"), "mute")

UNBOUND_REASONS = {
    UNMATCHED: lazy_gettext("no employee with this number or e-mail"),
    CLAIMED_TWICE: lazy_gettext("more than one account claims the same employee"),
    EMAIL_SHARED: lazy_gettext("more than one employee or account has this e-mail"),
    ALREADY_BOUND: lazy_gettext("the employee has another account already"),
}

STREAMS = {
    "users": lazy_gettext("users"),
    "employees": lazy_gettext("employees"),
    "courses": lazy_gettext("courses"),
    "activities": lazy_gettext("activities"),
    "enrolments": lazy_gettext("enrolments"),
    "completions": lazy_gettext("completions"),
    "results": lazy_gettext("results"),
    "badges": lazy_gettext("badges"),
    "competencies": lazy_gettext("competencies"),
    "statements": lazy_gettext("statements"),
    "promotions": lazy_gettext("promotions"),
}

# Words of connectors.counts, for the catalogues.
COUNTED = (
    lazy_gettext("Courses"),
    lazy_gettext("Enrolments"),
    lazy_gettext("Completions"),
    lazy_gettext("Results"),
    lazy_gettext("closed"),
)
