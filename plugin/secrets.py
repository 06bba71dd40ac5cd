"""Secrets: where an operator's come from, and how those that people enter stand in the store.

config.toml names a secret by where it is, `{ env = "NAME" }` or `{ file = "path" }`, never by its value.
Secrets entered at run time are encrypted with the keys of the key file: one Fernet key a line, the first
one encrypts, all of them decrypt.
"""

import os
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel, ConfigDict, model_validator

from plugin.errors import SecretError


class SecretReference(BaseModel):
    """Where a secret is: the environment variable `env`, or the first line of `file`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_inline(cls, value: object) -> object:
        if isinstance(value, str):
            # The value itself must not be repeated: this message ends up on a screen or in a log.
            raise ValueError('a secret is not written here; name where it is: { env = "NAME" } or { file = "path" }')
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretReference":
        if (self.env is None) == (self.file is None):
            raise ValueError("name exactly one of env and file")
        return self

    def reveal(self, folder: Path) -> str:
        """The secret; a relative file is looked for in `folder`. Raises SecretError that says where it is not."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            if not value:
                raise SecretError(
                    f"The environment variable {self.env}, which should hold a secret, is not set; set it."
                )
            return value
        assert self.file is not None
        path = folder / self.file
        try:
            value = path.read_text(encoding="utf-8").partition("\n")[0].strip()
        except UnicodeDecodeError:
            raise SecretError(f"The secret's file {path} is not UTF-8 text; write the secret anew.") from None
        except OSError as error:
            raise SecretError(
                f"The secret's file {path} cannot be read ({error.strerror}); create it, readable by this user only."
            ) from None
        if not value:
            raise SecretError(f"The secret's file {path} is empty; write the secret into its first line.")
        return value


class KeyRing:
    """Encrypts and decrypts what people enter at run time."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise SecretError("A line of the key file is not a key; restore the file from your backup.") from None

    @classmethod
    def from_file(cls, path: Path) -> "KeyRing":
        """The key ring of the file `path`. Raises SecretError when it is missing, empty or open to others."""
        try:
            text = path.read_text(encoding="utf-8")
            mode = stat.S_IMODE(path.stat().st_mode)
        except UnicodeDecodeError:
            raise SecretError(f"The key file {path} is not a file of keys; restore it from your backup.") from None
        except OSError as error:
            raise SecretError(
                f"The key file {path} cannot be read ({error.strerror}); restore it from your backup, or make a new one "
                "with 'certbridge keys create' if nothing has been encrypted yet."
            ) from None
        if mode & 0o077:
            raise SecretError(f"The key file {path} may be read by others (mode {mode:o}); run: chmod 600 {path}")
        keys = [line.strip() for line in text.splitlines() if line.strip()]
        if not keys:
            raise SecretError(f"The key file {path} is empty; restore it from your backup.")
        return cls(keys)

    def encrypt(self, secret: str) -> str:
        """`secret`, encrypted with the first key, as text for the store."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The secret in `token`. Raises SecretError when no key of the file opens it."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise SecretError(
                "A stored secret does not open with any key of the key file; restore the key that it was made with."
            ) from None


def create_key_file(path: Path) -> None:
    """Write a new key file, readable by its owner only. Raises SecretError when one is there already."""
    if path.exists():
        raise SecretError(f"{path} exists already; what it encrypted would be lost. Nothing was changed.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SecretError(f"{path} cannot be created ({error.strerror}); check [secrets] key_file.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(Fernet.generate_key().decode() + "\n")
