"""Why a requirement, a past award, or a promotion or pay record cannot be accepted; the pages translate the sentences."""

from metrics.certification.refusals import N_
from plugin.imports import EMPTY, NOT_A_DAY

__all__ = ["EMPTY", "NOT_A_DAY"]

# Cells of files and fields of forms
TOO_LONG = N_("%(field)s is too long; there is room for %(most)s characters.")
NOT_A_MOMENT = N_(
    "%(field)s: '%(text)s' is not a moment; write it as 2026-11-23, or with its time as 2026-11-23T09:30."
)
NO_TRUTH = N_("%(field)s: '%(text)s' is neither true nor false nor empty.")
NEITHER = N_("%(field)s: '%(text)s' is neither yes nor no.")

# Requirements
ONE_POPULATION = N_(
    "A requirement is for one position, one grade, one department, one tag, or for listed people; name one of these."
)
ONLY_DEPARTMENTS = N_("Only a department has others below it; leave that out, or name a department.")
WRONG_KIND = N_("A requirement is a duty or for a promotion, not '%(kind)s'.")
ENDS_TOO_EARLY = N_("The requirement ends before it starts; give a later end.")
ONLY_DUTIES = N_("Only a duty is due; a promotion asks for it on its effective day. Leave the due date out.")
DUE_TWICE = N_("A duty is due on a day or within a period, not both; give one of them.")
DUE_TOO_EARLY = N_("The duty is due on %(due)s, before it starts on %(starts)s.")
DUE_UNREADABLE = N_(
    "'%(text)s' is no period within which a duty could be due; write one such as P90D or P6M, without a minus sign."
)
UNKNOWN_PEOPLE = N_("There is no employee %(numbers)s; check the numbers.")
REQUIRED_ALREADY = N_(
    "%(certification)s is required as a %(kind)s of %(whom)s from %(starts)s on already (no. %(id)s); end that one first, or "
    "begin when it has ended."
)
NO_REQUIREMENT = N_("There is no requirement no. %(id)s; look at the list.")
ENDS_ALREADY = N_("The requirement no. %(id)s ends on %(day)s already.")

NOBODY_THERE = N_("Nobody is in %(whom)s today; check the name.")

# Awards from before
TO_COME = N_("valid_from lies in the future; only awards that have begun can be imported.")
NO_LENGTH = N_("valid_until is not after valid_from.")
OVERLAPS = N_(
    "It overlaps the imported award of the same person and certification from %(begins)s until %(ends)s; correct one of the two."
)
OVERLAPS_FOREVER = N_(
    "It overlaps the imported award of the same person and certification from %(begins)s on; correct one of the two."
)

# Promotion and pay records
NO_SUCH_KIND = N_("A record is of kind promotion or pay, not '%(kind)s'.")
NO_ID = N_("'%(id)s' is no id of a record; use up to 100 letters, digits and ._:@- and begin with a letter or digit.")
NO_EMPLOYEE = N_(
    "There is no employee '%(number)s' here. Check the number; new employees are known after the next pull of the source that "
    "is the authority for people."
)
HAS_LEFT = N_(
    "The employee %(number)s left on %(left)s, so a record effective on %(effective)s cannot be proposed. Check the number and "
    "the date."
)
LEAVES = N_(
    "The employee %(number)s leaves on %(left)s, so a record effective on %(effective)s cannot be proposed. Check the number "
    "and the date."
)
NOT_JOINED = N_(
    "The employee %(number)s joined on %(joined)s, after the effective date %(effective)s. Check the number and the date."
)
CLOSED = N_("The record %(id)s was closed on %(day)s; propose a new one.")
ANOTHERS = N_("The record %(id)s belongs to another employee; propose under an id of its own.")
IN_FILE_TWICE = N_("The record %(id)s stands in line %(line)s already.")
NO_RECORD = N_("There is no promotion record '%(id)s'.")
