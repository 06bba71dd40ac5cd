"""The mail server: one connection that hands over several mails, and what its answers mean for a mail.

The steps of SMTP are made one by one, because it matters where a connection is cut: before the mail has been handed
over it was not sent, while it was being handed over nobody knows.
"""

import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plugin.errors import DeliveryError, SecretError
from plugin.mail import states
from plugin.mail.states import with_detail
from plugin.settings import MailSettings

_CUT = (OSError, smtplib.SMTPException)  # a time-out is an OSError too


@dataclass(frozen=True)
class Parcel:
    """A mail as it goes over the wire. `secrets` are what must not come back in a reason."""

    sender: str
    recipient: str
    content: bytes
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a mail: SENT, WAITING (not taken for now), FAILED or UNKNOWN, and why.

    `connected` says whether the connection can be used for another mail.
    """

    state: str
    reason: str | None = None
    connected: bool = True


class MailServer:
    """A signed-in connection. Made by `connect`; to be closed."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def send(self, parcel: Parcel) -> Outcome:
        """Hand one mail over."""
        try:
            for line in (f"mail FROM:<{parcel.sender}>", f"rcpt TO:<{parcel.recipient}>", "data"):
                code, answer = self._smtp.docmd(line)
                if code not in (250, 251, 354):
                    return self._refused(code, answer, parcel)
        except _CUT as error:
            return Outcome(states.WAITING, with_detail(states.CUT, type(error).__name__), connected=False)
        try:
            self._smtp.send(_stuffed(parcel.content) + b".\r\n")
            code, answer = self._smtp.getreply()
        except _CUT as error:
            return Outcome(states.UNKNOWN, with_detail(states.CUT_WITHIN, type(error).__name__), connected=False)
        return Outcome(states.SENT) if code == 250 else self._refused(code, answer, parcel)

    def _refused(self, code: int, answer: bytes, parcel: Parcel) -> Outcome:
        detail = _hidden(f"{code} {answer.decode('utf-8', 'replace')}", parcel.secrets)
        permanent = 500 <= code < 600
        reason = with_detail(states.REFUSED if permanent else states.NOT_NOW, detail)
        return Outcome(states.FAILED if permanent else states.WAITING, reason, connected=code != 421 and self._reset())

    def _reset(self) -> bool:
        """Whether the server is ready for another mail."""
        try:
            return self._smtp.rset()[0] == 250
        except _CUT:
            return False

    def close(self) -> None:
        """Say goodbye, if the server still listens."""
        try:
            self._smtp.quit()
        except _CUT:
            self._smtp.close()


def connect(settings: MailSettings, folder: Path) -> MailServer:
    """A connection as `[mail]` says; relative files are looked for in `folder`.

    Raises DeliveryError with a reason for people, which holds neither the user's name nor the password. Without the
    encryption that is asked for there is no connection: it is never done without.
    """
    smtp: smtplib.SMTP | None = None
    context = None if settings.security == "none" else _context(settings, folder)
    try:
        password = settings.password.reveal(folder) if settings.user else ""
        if settings.security == "tls":
            smtp = smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout_seconds, context=context)
        else:
            smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
            if settings.security == "starttls":
                smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        if settings.user:
            smtp.login(settings.user, password)
    except (OSError, smtplib.SMTPException, SecretError, ValueError) as error:
        if smtp is not None:
            smtp.close()
        raise DeliveryError(_why(error)) from None
    return MailServer(smtp)


def _context(settings: MailSettings, folder: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(folder / settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        detail = f"ca_file: {error.strerror or type(error).__name__}"
        raise DeliveryError(with_detail(states.NO_ENCRYPTION, detail)) from None


def _why(error: Exception) -> str:
    """Why there is no connection. Of what a server says to a sign-in only the number is kept."""
    reason, detail = states.NO_CONNECTION, type(error).__name__
    match error:
        case SecretError():
            reason, detail = states.NO_PASSWORD, ""
        case ssl.SSLCertVerificationError():
            reason, detail = states.NO_ENCRYPTION, f"certificate: {error.verify_message}"
        case ssl.SSLError():
            reason, detail = states.NO_ENCRYPTION, error.reason or "TLS"
        case UnicodeEncodeError():
            reason, detail = states.NO_SIGN_IN, "user and password must be ASCII"
        case smtplib.SMTPAuthenticationError():
            reason, detail = states.NO_SIGN_IN, str(error.smtp_code)
        case smtplib.SMTPNotSupportedError():
            reason, detail = states.NO_ENCRYPTION if "STARTTLS" in str(error) else states.NO_SIGN_IN, "not offered"
        case smtplib.SMTPResponseException():
            detail = str(error.smtp_code)
        case OSError() if error.strerror:
            detail = error.strerror
    return with_detail(reason, detail)


def _stuffed(content: bytes) -> bytes:
    """`content` with CRLF at the end of every line, and with the dots doubled that begin one."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    lines = re.sub(rb"(?m)^\.", b"..", lines)
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def _hidden(text: str, secrets: Sequence[str]) -> str:
    """`text` without the secrets, which a server may repeat when it dislikes them."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
