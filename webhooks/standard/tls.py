"""TLS towards endpoints: which authorities are trusted, what CertBridge shows, and why a connection did not come about."""

import ssl
from pathlib import Path
from typing import Any

from plugin.errors import DeliveryError
from webhooks.settings import TlsSettings

# What OpenSSL calls the ways in which a certificate can be wrong (X509_V_ERR_…), in words.
_WRONG = {
    9: "The endpoint's certificate is not valid yet; check the clocks.",
    10: "The endpoint's certificate has expired.",
    18: "The endpoint's certificate is signed by itself; name it, or the authority behind it, as ca_file.",
    19: "The endpoint's certificate comes from an authority that is not trusted; name that as ca_file.",
    20: "The endpoint's certificate comes from an authority that is not trusted; name that as ca_file.",
    21: "The endpoint's certificate comes from an authority that is not trusted; name that as ca_file.",
    23: "The endpoint's certificate has been revoked.",
    62: "The endpoint's certificate is for another name than the endpoint's address has.",
    64: "The endpoint's certificate is for another name than the endpoint's address has.",
}
NOT_VERIFIED = "The endpoint's certificate cannot be verified."
ASKS_WHO = "The endpoint asks for a client certificate, and did not get one that it accepts."
CUT = "The endpoint cut the encrypted connection; if it asks for a client certificate, it got none that it accepts."
NO_CONNECTION = "No encrypted connection came about: the endpoint's certificate or protocol is not acceptable."
# With these words OpenSSL says that the other side did not like what we showed it, or that we showed nothing.
_OURS = (
    "CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
)

Files = tuple[str | bool, str | tuple[str, str] | None]


def files(settings: TlsSettings, folder: Path) -> Files:
    """What requests calls `verify` and `cert`, from the settings. Raises DeliveryError for a file that cannot be used.

    Nothing of a file's content is repeated.
    """
    context = ssl.create_default_context()
    verify: str | bool = True
    if settings.ca_file:
        verify = str(folder / settings.ca_file)
        try:
            context.load_verify_locations(cafile=verify)
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            raise DeliveryError(
                f"The file {verify}, which ca_file of [webhooks] names, holds no certificates that can be read; mend it."
            ) from None
    if not settings.client_certificate:
        if settings.client_key:
            raise DeliveryError("client_key of [webhooks] is named without a client_certificate; name both.")
        return verify, None
    certificate = str(folder / settings.client_certificate)
    key = str(folder / settings.client_key) if settings.client_key else None
    try:
        context.load_cert_chain(certificate, key, password="")  # so that nobody is asked for one
    except (OSError, ValueError):
        raise DeliveryError(
            f"The client certificate {certificate} of [webhooks] and its key cannot be used: they must be readable, belong "
            "together, and the key must have no password."
        ) from None
    return verify, (certificate, key) if key is not None else certificate


def why(error: BaseException) -> str | None:
    """Why no encrypted connection came about, in a sentence; None when it was not for TLS."""
    found = _cause(error)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        return _WRONG.get(found.verify_code, NOT_VERIFIED)
    if isinstance(found, ssl.SSLEOFError):
        return CUT
    if any(alert in (found.reason or "") for alert in _OURS):
        return ASKS_WHO
    return NO_CONNECTION


def _cause(error: BaseException) -> ssl.SSLError | None:
    """The error of TLS that this one was made from, however it was wrapped."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, ssl.SSLError):
            return one
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return None
