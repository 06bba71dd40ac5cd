"""Addresses of mails: only what a mail server and a header can take without harm."""

import re
from email.headerregistry import Address

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_SENDER = re.compile(r'"?(?P<name>[^"<>@,;]*?)"? *<(?P<address>[^<>]*)>|(?P<bare>[^<>]*)')
LONGEST = 254
LONGEST_LOCAL = 64


def checked_address(text: str) -> str:
    """`text` as an address `local@domain` in ASCII; an international domain is written as DNS does.

    Raises ValueError, without repeating the text, for whatever else it is: several addresses, a name, line breaks.
    """
    local, _, domain = text.strip(" ").rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    fits = len(local) <= LONGEST_LOCAL and len(local) + len(domain) < LONGEST
    if not (fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise ValueError("this is no mail address; write for instance name@acme.example")
    return f"{local}@{domain}"


def checked_sender(text: str) -> str:
    """`text`, when it is an address with or without a name before it. Raises ValueError."""
    sender_of(text)
    return text


def sender_of(text: str) -> Address:
    """The name and the address of `Name <local@domain>`. Raises ValueError."""
    parts = _SENDER.fullmatch(text)
    if parts is None or not text.isprintable():
        raise ValueError("this is no sender; write for instance CertBridge <certbridge@acme.example>")
    return Address(parts["name"] or "", addr_spec=checked_address(parts["address"] or parts["bare"]))
