"""The states of a mail and the sentences that are kept as reasons: in English, with what varies in brackets at the end.

waiting ──▶ sending ──▶ sent
   ▲  │        ├──────▶ waiting   the server refused it for now; tried again after a wait
   │  │        ├──────▶ given_up  … and that was the last attempt
   │  │        ├──────▶ failed    it can never be sent as it is
   │  │        └──────▶ unknown   nobody knows whether it was sent; never sent again by itself
   ▼  └──▶ joined                 it is part of a digest
  off                             there is no server; sent when there is one in time, or else given_up
"""

WAITING = "waiting"
SENDING = "sending"
SENT = "sent"
FAILED = "failed"
GIVEN_UP = "given_up"
UNKNOWN = "unknown"
OFF = "off"
JOINED = "joined"

STATES = (WAITING, SENDING, SENT, FAILED, GIVEN_UP, UNKNOWN, OFF, JOINED)
FINISHED = (SENT, FAILED, GIVEN_UP, UNKNOWN, JOINED)
SAID = (SENDING, SENT, UNKNOWN)  # what stands in `content` has been said, or may have been
RETRIED = (WAITING, FAILED, GIVEN_UP, UNKNOWN)  # what a person may have sent again


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


NO_ADDRESS = N_("The recipient's address is no mail address.")
REFUSED = N_("The mail server refused the mail.")
NOT_NOW = N_("The mail server does not take the mail for now.")
CUT = N_("The connection to the mail server was cut before the mail was handed over.")
CUT_WITHIN = N_("The connection was cut while the mail was being handed over; it may have arrived.")
CRASHED = N_("The process ended while the mail was being sent; it may have arrived.")
NO_CONNECTION = N_("There is no connection to the mail server.")
NO_ENCRYPTION = N_("No encrypted connection to the mail server came about.")
NO_SIGN_IN = N_("The mail server does not let us sign in.")
NO_PASSWORD = N_("The password for the mail server is not there.")
NOT_MADE = N_("The mail cannot be made.")
HELD_TOO_LONG = N_("Sending mail was switched off for too long.")
NO_LONGER_OF_USE = N_("It was not sent in time to be of use.")
PERSON_ERASED = N_("The person whom it was to or about has been erased.")


def with_detail(reason: str, detail: str) -> str:
    """One of the sentences with what varies at its end: printable, on one line and not long."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in detail).split())
    plain = plain.replace("(", "[").replace(")", "]")[:200]
    return f"{reason.removesuffix('.')} ({plain})." if plain else reason
