"""Every exception that CertBridge raises on purpose.

A message says what happened, to which record of which source, and what to do next. None holds a secret.

    CertBridgeError                 the root; the command prints its message and exits with `exit_code`
    ├── SettingsError               config.toml or the environment is wrong
    ├── AddonError                  an addon cannot be read, installed or run
    │   ├── ManifestError           its __manifest__.py is not a literal dict with known, well-formed keys
    │   └── DependencyError         something that it depends on is missing, or depends on itself
    ├── StoreError                  the database cannot be reached or is not migrated
    ├── SecretError                 a secret or its key is missing or does not open
    ├── RefusedError                a person's request or a file's content cannot be accepted as it is
    │   ├── NotFoundError           it names something that does not exist
    │   └── RefusedInWordsError     its sentence and values are kept apart, so that pages can translate it
    ├── LeaseHeldError              another process is doing this right now
    ├── RecordRefusedError          one pulled record cannot be used; it goes to quarantine with this reason
    ├── SourceError                 a source did not answer as it should
    │   ├── SourceUnavailableError  it may work later: time-out, HTTP 5xx, maintenance, not JSON
    │   └── SourceRefusedError      it will not work until somebody mends it: token, rights, address
    └── DeliveryError               an endpoint cannot be used as configured

A connector may refine the two kinds of SourceError with one class per failure of its system.
"""


class CertBridgeError(Exception):
    """The root of the tree; `str()` is the message for a person."""

    exit_code = 1


class SettingsError(CertBridgeError):
    """config.toml or the environment is wrong."""

    exit_code = 2


class AddonError(CertBridgeError):
    """An addon cannot be read, installed or run."""


class ManifestError(AddonError):
    """A manifest is not a literal dict with known, well-formed keys."""


class DependencyError(AddonError):
    """Something that an addon depends on is missing, or depends on itself."""


class StoreError(CertBridgeError):
    """The database cannot be reached or is not migrated."""


class SecretError(CertBridgeError):
    """A secret or its key is missing or does not open."""


class RefusedError(CertBridgeError):
    """A person's request or a file's content cannot be accepted as it is."""


class NotFoundError(RefusedError):
    """A request names something that does not exist."""


def N_(sentence: str) -> str:  # noqa: N802 - the name by which gettext's tools find texts that are translated elsewhere
    """Mark a sentence for the catalogues."""
    return sentence


class RefusedInWordsError(RefusedError):
    """What was asked cannot be done; `sentence` and `values` say why, so that pages can translate it.

    `column` is the field of a form, or the column of a spreadsheet, that is to blame; "" where none is.
    """

    def __init__(self, sentence: str, *, column: str = "", **values: object) -> None:
        super().__init__(sentence % values)
        self.sentence = sentence
        self.values = values
        self.column = column or str(values.get("field", ""))


class LeaseHeldError(CertBridgeError):
    """Another process is doing this right now."""


class RecordRefusedError(CertBridgeError):
    """One pulled record cannot be used; it goes to quarantine with this reason."""


class SourceError(CertBridgeError):
    """A source did not answer as it should. `whole_source` says that its other streams cannot answer either."""

    whole_source = False


class SourceUnavailableError(SourceError):
    """A source may work later: time-out, HTTP 5xx, maintenance, not JSON."""


class SourceRefusedError(SourceError):
    """A source will not work until somebody mends it: token, rights, address."""


class DeliveryError(CertBridgeError):
    """An endpoint cannot be used as configured."""


def reason_of(error: Exception) -> str:
    """Why something failed, as it may be kept and shown: the message of what was foreseen, else only the kind of failure.

    What Python, a driver or a library says may repeat a secret or a person's data; the log has it, guarded as logs are.
    """
    if isinstance(error, CertBridgeError):
        return str(error).replace("\x00", "")
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return f"{type(error).__name__}; the log of the worker says more."
