"""Secrets: where they come from, the key file, and that nothing repeats them."""

import traceback
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from plugin.errors import SecretError
from plugin.secrets import KeyRing, SecretReference, create_key_file

SECRET = "correct horse battery"


def test_secret_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference to the environment gives the variable's value; one that is not set or empty is named."""
    reference = SecretReference(env="CB_TEST_SECRET")
    monkeypatch.setenv("CB_TEST_SECRET", SECRET)
    assert reference.reveal(tmp_path) == SECRET
    monkeypatch.setenv("CB_TEST_SECRET", "")
    with pytest.raises(SecretError, match="The environment variable CB_TEST_SECRET, which should hold a secret"):
        reference.reveal(tmp_path)


def test_secret_comes_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    """A file's first line is the secret; a relative path starts at the folder of config.toml, an absolute one does not."""
    (tmp_path / "token").write_text(f"  {SECRET}\r\nmade in May\n", encoding="utf-8")
    assert SecretReference(file=Path("token")).reveal(tmp_path) == SECRET
    assert SecretReference(file=tmp_path / "token").reveal(Path("/")) == SECRET


def test_file_without_a_secret_is_named(tmp_path: Path) -> None:
    """A missing, an empty and an unreadable file are each refused with their path and the mend."""
    with pytest.raises(SecretError, match=r"file .*/gone cannot be read \(No such file"):
        SecretReference(file=Path("gone")).reveal(tmp_path)
    (tmp_path / "empty").write_text("\nsecond line\n", encoding="utf-8")
    with pytest.raises(SecretError, match="/empty is empty; write the secret into its first line"):
        SecretReference(file=Path("empty")).reveal(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError, match="/binary is not UTF-8"):
        SecretReference(file=Path("binary")).reveal(tmp_path)


@pytest.mark.parametrize("value", [{}, {"env": "A", "file": "b"}, {"environment": "A"}, "A"])
def test_reference_names_exactly_one_place(value: object) -> None:
    """Neither, both, an unknown place and the secret itself are refused."""
    with pytest.raises(ValidationError):
        SecretReference.model_validate(value)


def test_key_file_is_its_owners_only(tmp_path: Path) -> None:
    """A new key file has mode 600 and opens; a second call changes nothing and says so."""
    path = tmp_path / "new" / "secret.key"
    create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert KeyRing.from_file(path).decrypt(KeyRing.from_file(path).encrypt(SECRET)) == SECRET
    with pytest.raises(SecretError, match=r"exists already; what it encrypted would be lost\. Nothing was changed"):
        create_key_file(path)
    assert path.read_bytes() == before


def test_key_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A place where no file can be is a SecretError that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(SecretError, match=r"cannot be created .*check \[secrets\] key_file"):
        create_key_file(tmp_path / "file" / "secret.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of the group or of others is refused, with the command that takes it away."""
    path = tmp_path / "secret.key"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(SecretError, match=f"may be read by others \\(mode {mode:o}\\); run: chmod 600 {path}"):
        KeyRing.from_file(path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"hunter2\n", "is not a key"), (b"\xff\xfe", "is not a file of keys")]
)
def test_broken_key_file_is_refused_without_its_content(tmp_path: Path, content: bytes, says: str) -> None:
    """An empty file, a line that is no key and bytes are refused; the line is not repeated."""
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretError, match=says) as refused:
        KeyRing.from_file(path)
    assert "hunter2" not in str(refused.value)


def test_missing_key_file_is_named(tmp_path: Path) -> None:
    """A missing key file is named, with the backup before the command that makes a new one."""
    with pytest.raises(
        SecretError, match=r"restore it from your backup, or make a new one with 'certbridge keys create'"
    ):
        KeyRing.from_file(tmp_path / "secret.key")


def test_rotation_encrypts_with_the_new_key_and_opens_the_old(tmp_path: Path) -> None:
    """A key put before the others encrypts; what older keys encrypted still opens, until their line goes."""
    path = tmp_path / "secret.key"
    create_key_file(path)
    old_line = path.read_text(encoding="utf-8")
    old = KeyRing.from_file(path).encrypt(SECRET)
    new_line = Fernet.generate_key().decode() + "\n"
    path.write_text(new_line + old_line, encoding="utf-8")
    both = KeyRing.from_file(path)
    new = both.encrypt(SECRET)
    assert both.decrypt(old) == both.decrypt(new) == SECRET
    path.write_text(new_line, encoding="utf-8")
    assert KeyRing.from_file(path).decrypt(new) == SECRET
    with pytest.raises(SecretError, match="does not open with any key of the key file"):
        KeyRing.from_file(path).decrypt(old)


def test_encrypted_secret_does_not_hold_the_secret(tmp_path: Path) -> None:
    """What goes to the store is other text each time, and never the secret."""
    ring = KeyRing([Fernet.generate_key().decode()])
    one, two = ring.encrypt(SECRET), ring.encrypt(SECRET)
    assert one != two
    assert SECRET not in one


def test_nothing_shows_keys_or_secrets() -> None:
    """A key ring's repr, and the whole traceback of a secret that does not open, hold neither key nor secret."""
    key = Fernet.generate_key().decode()
    token = KeyRing([Fernet.generate_key().decode()]).encrypt(SECRET)
    ring = KeyRing([key])
    assert key not in f"{ring!r} {ring}"
    try:
        ring.decrypt(token)
    except SecretError as error:
        shown = "".join(traceback.format_exception(error))
    assert not [part for part in (key, token, SECRET) if part in shown]
    with pytest.raises(SecretError) as refused:
        KeyRing(["hunter2"])
    assert "hunter2" not in "".join(traceback.format_exception(refused.value)).replace('KeyRing(["hunter2"])', "")
