"""Secrets: where an operator's come from, and how those that people enter stand in the store.

config.toml names a secret by where it is, `{ env = "NAME" }` or `{ file = "path" }`, never by its value.
Secrets entered at run time are encrypted with the keys of the key file: one Fernet key a line, the first
one encrypts, all of them decrypt. A process that runs while the file is changed notices that by itself.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._path: Path | None = None
        self._seen: tuple[int, ...] | None = None
        self._fernets = _fernets(keys)

    @classmethod
    def from_file(cls, path: Path) -> "KeyRing":
        """The key ring of the file `path`. Raises SecretError when it is missing, empty or open to others."""
        seen, keys = _read(path)
        ring = cls(keys)
        ring._path, ring._seen = path, seen
        return ring

    @property
    def size(self) -> int:
        """How many keys there are."""
        return len(self._keys())

    def encrypt(self, secret: str) -> str:
        """`secret`, encrypted with the first key, as text for the store."""
        return self._keys()[0].encrypt(secret.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The secret in `token`. Raises SecretError when no key of the file opens it."""
        try:
            return MultiFernet(self._keys()).decrypt(token.encode()).decode()
        except InvalidToken:
            raise SecretError(
                "A stored secret does not open with any key of the key file; restore the key that it was made with."
            ) from None

    def opened_by(self, token: str) -> int | None:
        """Which key opens `token`, the first being 0; None when none does."""
        for number, key in enumerate(self._keys()):
            try:
                key.decrypt(token.encode())
            except InvalidToken:
                continue
            return number
        return None

    def renewed(self, token: str) -> str:
        """`token`, encrypted with the first key instead. Raises SecretError when no key opens it."""
        return self.encrypt(self.decrypt(token))

    def _keys(self) -> list[Fernet]:
        """The keys as the file has them now; those that were read last while it cannot be read."""
        if self._path is not None:
            try:
                if _signature(self._path) != self._seen:
                    seen, keys = _read(self._path)
                    self._fernets, self._seen = _fernets(keys), seen
            except (OSError, SecretError):
                pass  # it is said where it matters: at the next start, and by doctor
        return self._fernets


def _fernets(keys: list[str]) -> list[Fernet]:
    try:
        return [Fernet(key) for key in keys]
    except ValueError:
        raise SecretError("A line of the key file is not a key; restore the file from your backup.") from None


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when the file does."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[tuple[int, ...], list[str]]:
    """The file's signature and keys. Raises SecretError when it is missing, empty or open to others."""
    try:
        seen = _signature(path)
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
    return seen, keys


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


@contextmanager
def key_lock(path: Path) -> Iterator[None]:
    """Keep others from changing the key file `path` during the block: of two changes at a time one would be lost.

    Raises SecretError when somebody else is at it. The lock is the folder's, because the file itself is replaced.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise SecretError(f"The key file {path} cannot be changed ({error.strerror}); check its folder.") from None
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SecretError(
                f"Somebody else is changing the key file {path}; wait until they have finished."
            ) from None
        yield
    finally:
        os.close(folder)


def add_key(path: Path) -> None:
    """Put a new key before the others in the key file `path`: it encrypts from now on. Raises SecretError."""
    _, keys = _read(path)
    _replace(path, [Fernet.generate_key().decode(), *keys])


def keep_first_key(path: Path) -> None:
    """Take every key but the first out of the key file `path`. Raises SecretError."""
    _, keys = _read(path)
    _replace(path, keys[:1])


def _replace(path: Path, keys: list[str]) -> None:
    """Write the key file anew, whole or not at all, with the owner and the mode that it had."""
    path = path.resolve()  # where it is a link, what it leads to is replaced
    new = path.with_name(path.name + ".new")
    try:
        owner = path.stat()
        new.unlink(missing_ok=True)  # left by somebody who was killed
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(descriptor)
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(new, owner.st_uid, owner.st_gid)  # root changes it, and the service must go on reading it
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise SecretError(
            f"The key file {path} cannot be changed ({error.strerror}); it is as it was. Check its folder."
        ) from None
