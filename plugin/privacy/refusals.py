"""What cannot be done about a person's data. Each refusal carries its sentence, which the pages translate."""

from plugin.errors import NotFoundError, RefusedError


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


NOBODY = N_(
    "There is no employee with the number %(number)s: check it. Whoever was erased is not known by it any more."
)
IS_LEFT = N_("%(number)s is what is left of somebody who was erased on %(day)s.")
ERASED_ALREADY = N_("The employee %(number)s was erased on %(day)s already; nothing is left to erase.")
PRESENT = N_(
    "The employee %(number)s is still in %(sources)s: the next pull would bring them back. Remove them there and pull again, "
    "or erase them all the same (--although-present)."
)
OWN = N_("Nobody erases themselves: ask another administrator.")
NAMED = N_("The reason stays in the audit trail, so it must not name the person; say it otherwise.")
BEING_SENT = N_("Something about them is being sent right now; wait a minute and try again.")
PROPOSED = N_("It is proposed already to erase the employee %(number)s; an administrator will decide on it.")
NO_PROPOSAL = N_("There is no proposal %(id)s; the person may have been erased since.")
DECIDED = N_("The proposal %(id)s was declined by %(login)s already.")
NO_REASON = N_("Say why: the reason is for whoever decides, and for the audit trail.")


class PrivacyRefusedError(RefusedError):
    """What was asked about a person's data cannot be done; `sentence` and `values` say why."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence % values)
        self.sentence = sentence
        self.values = values


class NobodyThereError(PrivacyRefusedError, NotFoundError):
    """There is no such person or proposal."""
