"""What cannot be decided, assessed or handed in. Each refusal carries its sentence, which the pages translate."""

from plugin.errors import N_, NotFoundError, RefusedInWordsError

__all__ = ["N_", "NotThereError", "RefusedInWordsError"]

# Who acts
NO_ACCOUNT = N_("There is no account '%(login)s'; name one that can sign in.")
DISABLED = N_("The account '%(login)s' is disabled; name one that can sign in.")
NOT_ALLOWED = N_("'%(login)s' may not do this: it needs one of the roles %(roles)s.")

# Both
NO_EMPLOYEE = N_("There is no employee '%(number)s'.")
NOT_A_MOMENT = N_("%(text)s is not a day; write it as 2026-03-01.")

# Decisions
NO_CERTIFICATION = N_("There is no certification '%(code)s'; import its rule first.")
NO_REASON = N_("A decision needs its reason; say why.")
NO_SUCH_KIND = N_("A decision is to exempt, revoke or reinstate, not '%(kind)s'.")
ABOUT_ONESELF = N_("Nobody decides about themselves; ask somebody else who may.")
NO_PROPOSAL = N_("There is no proposal %(id)s.")
SETTLED = N_("The proposal %(id)s was settled already, by %(login)s.")
PROPOSED = N_("The same is proposed already (proposal %(id)s); it waits to be decided.")
NO_EXEMPTION = N_("There is no exemption %(id)s.")
EXEMPTION_OVER = N_("The exemption has ended already; there is nothing to withdraw.")
NO_END = N_("An exemption needs the day on which it ends; give one.")
ENDS_TOO_EARLY = N_("The exemption would end before it begins, or before now; give a later end.")
NOTHING_REVOKED = N_("Nothing that was revoked by decision stands for %(code)s; look at its history.")
NOTHING_HELD = N_("No award of %(code)s stands, so there is nothing to revoke.")

# Assessments and external certificates
NO_ENTRY = N_("There is no entry %(id)s.")
NOT_WAITING = N_("The entry %(id)s does not wait to be approved; it was settled already.")
NOT_STANDING = N_("The entry %(id)s does not stand any more; only one that stands can be corrected or voided.")
ONESELF = N_("Nobody assesses themselves; ask another assessor.")
NOT_ONES_OWN = N_("Only an employee hands in certificates, and only their own.")
NO_CODE = N_("Say which assessment it is.")
UNKNOWN_CODE = N_("No rule asks for the assessment '%(code)s'; import its rule first. There are: %(known)s.")
IN_THE_FUTURE = N_("It would be achieved in the future. Only what has been achieved can be entered; check the day.")
EXPIRES_TOO_EARLY = N_("It would expire before it was achieved; check both days.")
HAS_EXPIRED = N_("The certificate has expired already; ask for one that is valid.")
NEEDS_PROOF = N_("It needs a note or a file: say what was seen, or attach the certificate.")
NEEDS_FILE = N_("Attach the certificate as a PDF, PNG or JPEG file.")
NEEDS_ISSUER = N_("An external certificate needs its issuer: say who issued it.")
TOO_LONG = N_("%(what)s is longer than %(most)s characters; shorten it.")
ENTERED = N_(
    "The same assessment of that moment stands already, as entry %(id)s. Correct that one, or give the time of day."
)
WAITS = N_("The same certificate waits to be approved, as entry %(id)s. Approve or decline that one.")
NOTHING_CHANGES = N_("That is what the entry says already; there is nothing to correct.")
SAY_WHY = N_("Say why; the reason stands in the history for good.")

# Files
EMPTY_FILE = N_("The file is empty.")
TOO_LARGE = N_("The file has %(size)s MiB; at most %(most)s MiB are taken.")
WRONG_TYPE = N_("The file is neither PDF nor PNG nor JPEG, whatever it is called. Save it as one of them.")
NO_FILE = N_("The entry %(id)s has no file.")
FILE_CHANGED = N_(
    "The file of the entry %(id)s is not what was stored: its checksum differs. Do not rely on it; restore it from a backup."
)


class NotThereError(RefusedInWordsError, NotFoundError):
    """What it names does not exist."""
