"""Files in which a signing secret stands: read where they are, written where they are not."""

import os
from pathlib import Path

from plugin.errors import RefusedError


def read_secret(file: Path) -> str:
    """The first line of the file. Raises RefusedError."""
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read ({type(error).__name__}); give another file.") from None


def write_secret(file: Path, secret: str) -> None:
    """Write the secret into a new file that only its owner may read. Raises RefusedError; then nothing is to be kept."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written ({error.strerror}); nothing was changed.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(secret + "\n")
