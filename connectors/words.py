"""The codes of what is pulled in the reader's words, and the badge that a status is shown with."""

from flask_babel import lazy_gettext

from connectors import suggestions
from connectors.account_lists import ALL, LINKED, WAITING
from connectors.identities import (
    ALREADY_BOUND,
    BY_EMAIL,
    BY_HAND,
    BY_NUMBER,
    CLAIMED_TWICE,
    EMAIL_SHARED,
    REJECTED,
    UNMATCHED,
)
from connectors.linking import LINK, MOVE, REJECT, UNDO, UNLINK
from plugin.accounts import N_

RUN_STATUSES = {
    "running": (lazy_gettext("running"), "mute"),
    "done": (lazy_gettext("done"), "ok"),
    "partial": (lazy_gettext("partial"), "warn"),
    "failed": (lazy_gettext("failed"), "bad"),
    "hidden": (lazy_gettext("not visible this way"), "mute"),
}
NEVER_RUN = (lazy_gettext("never synced"), "mute")

UNBOUND_REASONS = {
    UNMATCHED: lazy_gettext("no employee with this number or e-mail"),
    CLAIMED_TWICE: lazy_gettext("more than one account claims the same employee"),
    EMAIL_SHARED: lazy_gettext("more than one employee or account has this e-mail"),
    ALREADY_BOUND: lazy_gettext("the employee has another account already"),
    REJECTED: lazy_gettext("somebody has decided that it is not this employee's"),
}

RULES = {
    BY_NUMBER: lazy_gettext("by the employee number"),
    BY_EMAIL: lazy_gettext("by the e-mail address"),
    BY_HAND: lazy_gettext("by hand"),
}

WHICH_ACCOUNTS = {
    WAITING: lazy_gettext("of nobody"),
    LINKED: lazy_gettext("linked"),
    ALL: lazy_gettext("all, gone ones too"),
}

ACT_NAMES = {
    LINK: lazy_gettext("Link"),
    UNLINK: lazy_gettext("Unlink"),
    MOVE: lazy_gettext("Move to somebody else"),
    REJECT: lazy_gettext("Not this person"),
    UNDO: lazy_gettext("Undo"),
}

# Since when a decision holds: `ever`, so that what it ends has never been so, or since a day.
HOWS = {
    LINK: {
        "ever": lazy_gettext("everything that it did counts"),
        "since": lazy_gettext("only what it did from this day on counts"),
    },
    MOVE: {
        "ever": lazy_gettext("it never was the first one's"),
        "since": lazy_gettext("it was handed over on this day"),
    },
    UNLINK: {
        "ever": lazy_gettext("it never was theirs"),
        "since": lazy_gettext("it is theirs no more since this day"),
    },
}

SUGGESTED = {
    suggestions.SAME_NUMBER: lazy_gettext("same employee number"),
    suggestions.SAME_EMAIL: lazy_gettext("same e-mail address"),
    suggestions.SAME_NAME_AND_DEPARTMENT: lazy_gettext("same name and department"),
    suggestions.SAME_NAME: lazy_gettext("same name"),
    suggestions.SIMILAR_NAME: lazy_gettext("similar name"),
}

EVIDENCE = {
    "completed": lazy_gettext("course completed"),
    "passed": lazy_gettext("passed or failed"),
    "score": lazy_gettext("score"),
    "statement": lazy_gettext("xAPI statement"),
    "badge": lazy_gettext("badge"),
    "competency": lazy_gettext("competency"),
    "hours": lazy_gettext("training hours"),
    "assessed": lazy_gettext("assessment"),
}

KINDS_OF_RUNS = {
    "whole": lazy_gettext("everything"),
    "changes": lazy_gettext("what it gave notice of"),
    "part": lazy_gettext("chosen streams"),
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
    "categories": lazy_gettext("categories"),
    "activity_completions": lazy_gettext("activity completions"),
    "attempts": lazy_gettext("attempts"),
    "cohorts": lazy_gettext("cohorts"),
    "plans": lazy_gettext("learning plans"),
    "surveys": lazy_gettext("surveys"),
    "statements": lazy_gettext("statements"),
    "promotions": lazy_gettext("promotions"),
}

# Codes of connectors.streams.Choice: `N_` marks them for the catalogues, for the command line says them in English.
WAYS = {
    "functions": N_("plain functions"),
    "report": N_("custom report"),
    "plugin": N_("companion plugin"),
}
FRESH = {
    "at_once": N_("at once"),
    "each_pull": N_("with each pull"),
    "compared": N_("when everything is compared"),
}
LACKING = {
    "not_installed": N_("it is not installed"),
    "no_right": N_("the token has no right to it"),
    "older": N_("its version is too old"),
    "not_configured": N_("it is not configured"),
    "not_in_audience": N_("the token's user does not belong to the report's audience"),
    "drifted": N_("its columns are not those that were agreed"),
    "missing_function": N_("the token's service lacks a function for it"),
    "switched_off": N_("it is switched off"),
}
UNSEEN = {
    "deleted_users": N_("deleted users"),
    "enrolment_dates": N_("when somebody was enrolled"),
    "enrolment_methods": N_("how somebody was enrolled"),
    "enrolment_suspension": N_("whether an enrolment is suspended"),
    "completion_times": N_("when a course was completed"),
    "seconds": N_("seconds: times are known to the minute"),
    "inactive_enrolments": N_("enrolments that are not active"),
    "unenrolled": N_("people who are not enrolled any more"),
    "pass_marks": N_("pass marks"),
    "grade_times": N_("when a grade was given"),
    "activity_grades": N_("the grades of single activities"),
    "attempts": N_("single attempts"),
    "badges": N_("badges"),
    "competencies": N_("competencies"),
    "plans": N_("learning plans"),
    "cohort_times": N_("since when somebody belongs to a cohort"),
    "feedback": N_("feedback answers"),
    "custom_fields": N_("custom profile fields"),
    "not_enrolled_users": N_("users who are enrolled in nothing"),
    "last_access": N_("the last access"),
    "deletions": N_("deletions, other than by comparing everything"),
}
RESOLUTIONS = {
    "read again": N_("read well later"),
    "retried": N_("used when it was tried again"),
    "discarded": N_("discarded"),
    "not in the source any more": N_("not in the source any more"),
}

# Words of connectors.counts, for the catalogues.
COUNTED = (
    lazy_gettext("Courses"),
    lazy_gettext("Enrolments"),
    lazy_gettext("Completions"),
    lazy_gettext("Results"),
    lazy_gettext("closed"),
)

ROSTER_KINDS = {
    "employees": lazy_gettext("Employees"),
    "departments": lazy_gettext("Departments"),
    "positions": lazy_gettext("Positions"),
    "grades": lazy_gettext("Grades"),
    "managers": lazy_gettext("Managers"),
    "leavers": lazy_gettext("Leavers"),
}
ROSTER_CHANGES = {
    "added": lazy_gettext("added"),
    "changed": lazy_gettext("changed"),
    "ended": lazy_gettext("ended"),
}
ROSTER_FIELDS = {
    "name": lazy_gettext("Name"),
    "email": lazy_gettext("E-mail"),
    "department": lazy_gettext("Department"),
    "position": lazy_gettext("Position"),
    "grade": lazy_gettext("Grade"),
    "manager": lazy_gettext("Manager"),
    "joined": lazy_gettext("Joined"),
    "left": lazy_gettext("Left"),
    "tags": lazy_gettext("Tags"),
    "parent": lazy_gettext("Belongs to"),
    "valid_from": lazy_gettext("From"),
    "valid_until": lazy_gettext("Until"),
}
