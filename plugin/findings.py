"""What `certbridge doctor` finds: one finding says what is the case, what that breaks, and what mends it.

An addon contributes by the function that its manifest names under `doctor`: it takes the installation and yields
findings. It wraps each of its checks in `tried`, so that one that fails stops none of the others.
No finding holds a secret or anything about a person.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from plugin.errors import CertBridgeError

log = logging.getLogger(__name__)

ERROR = "error"  # something does not work
WARNING = "warning"  # something is lost or late without anybody noticing, or is less safe than it looks
HINT = "hint"  # somebody may want to know
OK = "ok"  # looked at, and well
LEVELS = (ERROR, WARNING, HINT, OK)


@dataclass(frozen=True)
class Finding:
    """One thing found: `area` is the part looked at, `subject` which one of its kind."""

    level: str
    area: str
    subject: str
    what: str
    breaks: str = ""
    mend: str = ""


Check = Callable[[], Iterable[Finding]]


def tried(area: str, subject: str, check: Check) -> Iterator[Finding]:
    """What `check` finds; that it failed is a finding itself, without the text of an unforeseen exception."""
    try:
        yield from check()
    except CertBridgeError as error:
        yield Finding(ERROR, area, subject, str(error), "this part does not work", "Do what the message says")
    except SQLAlchemyError as error:
        log.debug("A check of %s did not end", area, exc_info=True)
        yield Finding(
            WARNING,
            area,
            subject,
            f"Not looked at: the store did not answer as it should ({type(error).__name__})",
            "what is wrong here stays unseen",
            "Mend first what was found about the store and the addons, then run doctor again",
        )
    except Exception as error:
        log.debug("A check of %s did not end", area, exc_info=True)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        yield Finding(
            ERROR,
            area,
            subject,
            f"The check itself failed ({reason})",
            "what is wrong here stays unseen",
            'Set level = "DEBUG" in [log], run doctor again and report what it says as a defect of CertBridge',
        )


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether anything found does not work."""
    return any(finding.level == ERROR for finding in findings)
