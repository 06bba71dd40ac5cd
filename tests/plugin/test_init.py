"""The first install from nothing, as a process; and changing the key without losing what it encrypts."""

import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, update

from connectors.moodle.demo import roster
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.server import create_app, serve
from plugin import starting
from plugin.errors import AddonError, SecretError, SettingsError
from plugin.installation import Installation
from plugin.models import Account, AuditEntry, InstalledAddon, Person
from plugin.rotation import encrypted_columns, prune, rotate, survey
from plugin.secrets import KeyRing, key_lock
from plugin.starting import Wishes, differences, settings_text, write_settings
from webhooks.models import Endpoint

from datetime import UTC, datetime  # isort: skip

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TOKEN = "sandbox-passmarks"  # the sandbox's own
PASSWORD = "correct horse battery"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def certbridge(folder: Path, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, as a process without a terminal; `given` is what is typed."""
    return subprocess.run(
        [sys.executable, "-m", "plugin", *arguments],
        cwd=folder, input=given, capture_output=True, text=True, check=False, timeout=180, start_new_session=True,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    """A small organisation."""
    return Organisation(people=60, seed=1, anchor=START)


@pytest.fixture(scope="module")
def site(organisation: Organisation) -> Iterator[str]:
    """Its Moodle."""
    with serve(create_app(organisation)) as server:
        yield server.url


@pytest.fixture
def folder(tmp_path: Path, organisation: Organisation) -> Path:
    """An empty folder beside which the roster, a token and a password lie."""
    roster.write_file(organisation, tmp_path / "hr.csv")
    for name, content in (("token", TOKEN), ("password", PASSWORD)):
        (tmp_path / name).write_text(content + "\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def options(site: str) -> list[str]:
    """What `init` is given when it is to ask nothing."""
    return [
        "--yes", "--moodle-url", f"{site}/login/index.php", "--moodle-token-file", "../token", "--roster", "../hr.csv",
        "--organisation", "Acme 公司", "--timezone", "Asia/Shanghai", "--currency", "cny",
        "--admin", "mei", "--password-file", "../password",
    ]  # fmt: skip


def mode(path: Path) -> int:
    """The rights of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_from_nothing_without_questions(folder: Path, site: str, organisation: Organisation) -> None:
    """One command makes settings, key, tables and administrator, doctor finds no error, and `sync` works at once."""
    done = certbridge(folder, "init", *options(site))
    assert done.returncode == 0, done.stdout + done.stderr
    written = tomllib.loads((folder / "config.toml").read_text())
    assert written["organisation"] == {"name": "Acme 公司", "timezone": "Asia/Shanghai", "currency": "CNY"}
    assert written["sources"]["moodle"]["url"] == site
    assert written["sources"]["moodle"]["token"] == {"file": str(folder.parent / "token")}
    assert written["sources"]["roster"]["path"] == str(folder.parent / "hr.csv")
    assert [mode(folder / name) for name in ("config.toml", "var/secret.key", "var")] == [0o600, 0o600, 0o700]
    for said in (
        "Wrote config.toml",
        "Back it up",
        "Created the administrator mei.",
        "certbridge sync",
        "127.0.0.1:8800",
    ):
        assert said in done.stdout
    for secret in (TOKEN, PASSWORD, (folder / "var/secret.key").read_text().strip()):
        assert secret not in done.stdout + done.stderr + (folder / "config.toml").read_text()

    pulled = certbridge(folder, "sync")
    assert pulled.returncode in (0, 3), pulled.stdout + pulled.stderr
    looked = certbridge(folder, "doctor", "--format", "json")
    assert looked.returncode == 0, looked.stdout
    home = Installation.open(folder / "config.toml")
    with home.store.read() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == len(organisation.employees)
        names = set(session.scalars(select(Person.name))) | set(session.scalars(select(Person.employee_number)))
    home.store.close()
    assert not [name for name in names if name in looked.stdout]
    assert TOKEN not in looked.stdout + pulled.stdout + pulled.stderr


def test_from_nothing_with_questions(folder: Path, site: str) -> None:
    """What was not given is asked, wrong answers again; the token goes into a file of its own, the password is shown."""
    answers = ["Acme", "Mars/Olympus", "Asia/Shanghai", "", "", "", "../hr.csv", "moodle", site, TOKEN, "mei"]
    done = certbridge(folder, "init", given="\n".join(answers) + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this is no IANA time zone" in done.stdout
    assert "this is no address of a site" in done.stdout
    assert (folder / "moodle.token").read_text() == TOKEN + "\n"
    assert mode(folder / "moodle.token") == 0o600
    written = tomllib.loads((folder / "config.toml").read_text())
    assert written["organisation"]["timezone"] == "Asia/Shanghai"
    assert written["sources"]["moodle"]["token"] == {"file": "moodle.token"}
    assert TOKEN not in done.stdout + done.stderr
    password = done.stdout.partition("shown this once: ")[2].partition("\n")[0]
    assert len(password) >= 12
    assert certbridge(folder, "sources", "check").returncode == 0


def test_answers_that_end_early_are_explained(folder: Path) -> None:
    """Where no answer comes nothing is written, and it says how to go on."""
    done = certbridge(folder, "init", given="Acme\n")
    assert done.returncode == 1
    assert "No answer came. Run 'certbridge init' again" in done.stderr
    assert list(folder.iterdir()) == []


def test_it_refuses_to_overwrite(folder: Path, site: str) -> None:
    """A config.toml that says something else is left as it is; what to change in it is said, line by line."""
    assert certbridge(folder, "init", *options(site)).returncode == 0
    before = (folder / "config.toml").read_bytes()
    others = [
        "--yes",
        "--timezone",
        "UTC",
        "--moodle-url",
        "https://other.example",
        "--moodle-token-file",
        "../password",
    ]
    done = certbridge(folder, "init", *others)
    assert done.returncode == 1
    assert '[organisation] timezone = "UTC"' in done.stderr
    assert '[sources.moodle] url = "https://other.example"' in done.stderr
    assert f'[sources.moodle] token = {{ file = "{folder.parent / "password"}" }}' in done.stderr
    assert (folder / "config.toml").read_bytes() == before
    with pytest.raises(SettingsError, match="is there already; it is never overwritten"):
        write_settings(folder / "config.toml", Wishes())
    assert (folder / "config.toml").read_bytes() == before


def test_it_goes_on_after_a_failure(folder: Path, site: str) -> None:
    """A run that could not reach its database is gone on with by the same command, which says what was there."""
    (folder / "blocked").write_text("")
    url = f"sqlite:///{folder}/blocked/x.db"
    failed = certbridge(folder, "init", *options(site), CERTBRIDGE_STORE__URL=url)
    assert failed.returncode == 1
    assert (folder / "config.toml").exists()
    assert not (folder / "var/secret.key").exists()
    again = certbridge(folder, "init", *options(site))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "config.toml is there already; it was left as it is." in again.stdout
    assert "Made the key" in again.stdout
    third = certbridge(folder, "init", *options(site))
    assert third.returncode == 0
    for said in ("The key", "The addons are installed already", "There is an administrator already: mei"):
        assert said in third.stdout
    assert "Traceback" not in failed.stderr + again.stderr + third.stderr


@pytest.mark.parametrize("step", ["_write_private", "make_key", "install_all", "make_administrator"])
def test_killed_at_any_step_it_goes_on(folder: Path, site: str, step: str) -> None:
    """Killed before any of its steps it leaves nothing half done: the same command ends it."""
    kill = (
        "import os, signal, sys\nfrom plugin import starting\n"
        f"starting.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from plugin.cli import main\nmain()\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", kill, "init", *options(site)],
        cwd=folder, capture_output=True, check=False, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert killed.returncode == -9
    done = certbridge(folder, "init", *options(site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(folder.glob("*.new"))
    home = Installation.open(folder / "config.toml")
    with home.store.read() as session:
        assert session.scalars(select(Account.login)).all() == ["mei"]
    home.store.close()


def test_errors_are_the_exit_status(folder: Path, site: str) -> None:
    """With a token that Moodle does not know all is set up, the mend is named, and the exit status is 1."""
    (folder.parent / "token").write_text("wrong-token\n")
    done = certbridge(folder, "init", *options(site))
    assert done.returncode == 1
    assert "the token is not valid" in done.stdout
    assert "Everything is set up, but not everything works yet" in done.stdout
    assert "wrong-token" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--moodle-url", "https://moodle.example"], "A token is needed with --moodle-url"),
        (["--moodle-token-file", "../token"], "--moodle-token-file needs --moodle-url"),
        (["--moodle-url", "https://m.example", "--moodle-token-file", "../none"], "cannot be read (FileNotFoundError)"),
        (["--moodle-url", "https://me:hunter2@m.example"], "take the user and the password out"),
        (["--database", "postgresql://me:hunter2@db/x"], "put it into ~/.pgpass"),
        (["--database", "mysql://db/x"], "this kind of database is not served"),
        (["--currency", "Euro"], "a code of three letters"),
        (["--password-file", "../short"], "shorter than 12 characters"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(folder: Path, arguments: list[str], says: str) -> None:
    """Wrong options end it at once, with the reason and without repeating a secret; the folder stays empty."""
    (folder.parent / "short").write_text("hunter2\n")
    done = certbridge(folder, "init", "--yes", *arguments)
    assert done.returncode in (1, 2)
    assert says in " ".join(done.stderr.split())
    assert "hunter2" not in done.stdout + done.stderr
    assert list(folder.iterdir()) == []


def test_token_from_standard_input_and_another_folder(folder: Path, site: str) -> None:
    """'-' reads the token from standard input; --folder sets up elsewhere, and the commands named then say where."""
    arguments = [
        "--yes",
        "--folder",
        "new/place",
        "--moodle-url",
        site,
        "--moodle-token-file",
        "-",
        "--roster",
        "../hr.csv",
    ]
    done = certbridge(folder, "init", *arguments, given=TOKEN + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "new/place/moodle.token").read_text() == TOKEN + "\n"
    assert "certbridge --config new/place/config.toml sync" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_settings_that_are_written_can_be_read(tmp_path: Path) -> None:
    """Whatever an organisation is called, TOML reads back what was meant; paths below the folder are relative."""
    name = 'A "quoted" \\ back\tslash \x7f 公司'
    wishes = Wishes(organisation=name, roster=tmp_path / "in" / "hr.csv", database="postgresql://db/x")
    text = settings_text(tmp_path, wishes)
    read = tomllib.loads(text)
    assert read["organisation"]["name"] == name
    assert read["sources"] == {"roster": {"connector": "connectors.roster", "path": "in/hr.csv"}}
    (tmp_path / "config.toml").write_text(text)
    assert differences(tmp_path / "config.toml", wishes) == []


@pytest.mark.parametrize(
    "given",
    [
        "https://m.example",
        " https://m.example/ ",
        "https://m.example/login/index.php",
        "https://m.example/my/?lang=en#x",
    ],
)
def test_address_is_read_from_what_people_copy(given: str) -> None:
    """The address of any of a site's first pages is taken for the site's."""
    assert starting.site_address(given) == "https://m.example"


def test_time_zone_of_the_machine_is_the_first_guess(tmp_path: Path) -> None:
    """The machine's own zone is offered; where it says none, UTC."""
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Asia/Shanghai")
    assert starting.machine_zone(tmp_path / "localtime") == "Asia/Shanghai"
    assert starting.machine_zone(tmp_path / "none") == "UTC"


# Keys -----------------------------------------------------------------------------------------------------------------


OF_THE_KEYS = ("secrets.py", "rotation.py")


def owner(file: Path, home: Installation) -> str:
    """The addon that a file belongs to: the innermost one around it."""
    around = [addon for addon in home.installed if file.is_relative_to(addon.path)]
    return max(around, key=lambda addon: len(addon.path.parts)).name


def keep_secrets(home: Installation, count: int) -> None:
    """Endpoints with secrets in the store."""
    with home.store.write() as session:
        for number in range(count):
            session.add(
                Endpoint(
                    name=f"hr{number}", kind="webhooks.standard", url="https://hr.example/", created_at=START,
                    secret=home.keys.encrypt(f"{SECRET}{number}"),
                )
            )  # fmt: skip


def secrets_of(home: Installation) -> list[str]:
    """The secrets in clear, with the keys that the file has now."""
    ring = KeyRing.from_file(home.key_file)
    with home.store.read() as session:
        return [ring.decrypt(secret or "") for secret in session.scalars(select(Endpoint.secret).order_by(Endpoint.id))]


def test_rotation_encrypts_anew_and_pruning_forgets(installation: Installation) -> None:
    """After a rotation everything opens with the new key alone, for a process that was running too; then the old one goes."""
    keep_secrets(installation, 3)
    running, old = installation.keys, KeyRing([installation.key_file.read_text().strip()])
    expected = secrets_of(installation)
    done = rotate(installation)
    assert (done.new_key, done.renewed >= 3, done.closed) == (True, True, 0)
    assert mode(installation.key_file) == 0o600
    assert len(installation.key_file.read_text().split()) == 2
    assert prune(installation) == 1
    assert prune(installation) == 0
    assert len(installation.key_file.read_text().split()) == 1
    assert secrets_of(installation) == expected
    with installation.store.read() as session:
        stored = session.scalars(select(Endpoint.secret).order_by(Endpoint.id)).all()
    assert [running.decrypt(secret or "") for secret in stored] == expected
    assert [old.opened_by(secret or "") for secret in stored] == [None] * 3


KILLED = """
import os, signal, sys
from pathlib import Path
from plugin import rotation
from plugin.installation import Installation

rotation.BATCH = 1
renewed = rotation.KeyRing.renewed
left = int(sys.argv[2])

def renew(self, token):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return renewed(self, token)

rotation.KeyRing.renewed = renew
rotation.rotate(Installation.open(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("after", [0, 3])
def test_rotation_that_is_killed_is_finished_by_the_next(
    installation: Installation, child: Callable[..., Any], tmp_path: Path, after: int
) -> None:
    """Killed in between, everything still opens; run again it ends what was begun, with the key that was made then."""
    keep_secrets(installation, 6)
    expected = secrets_of(installation)
    url = installation.store.engine.url.set(drivername=installation.store.engine.url.get_backend_name())
    config = tmp_path / "config.toml"
    config.write_text(
        f'[store]\nurl = "{url.render_as_string(hide_password=False)}"\n[secrets]\nkey_file = "secret.key"\n'
    )
    killed = child("-c", KILLED, str(config), str(after))
    _, errors = killed.communicate(timeout=60)
    assert killed.returncode == -9, errors
    assert secrets_of(installation) == expected
    found = {one.column: one for one in survey(installation, KeyRing.from_file(installation.key_file))}
    stored = found["endpoint.secret"]
    assert (stored.first, stored.others.total(), stored.closed) == (after, 6 - after, 0)
    keys = installation.key_file.read_text()
    done = rotate(installation)
    assert (done.new_key, done.closed) == (False, 0)
    assert done.renewed >= 6 - after
    assert installation.key_file.read_text() == keys
    assert prune(installation) == 1
    assert secrets_of(installation) == expected


@on_sqlite
def test_rotation_leaves_what_opens_with_no_key(installation: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    """A secret of a lost key is left as it is and counted; the others are renewed."""
    keep_secrets(installation, 2)
    lost = KeyRing([Fernet.generate_key().decode()]).encrypt(SECRET)
    with installation.store.write() as session:
        session.execute(update(Endpoint).where(Endpoint.name == "hr0").values(secret=lost))
    assert rotate(installation).closed == 1
    with installation.store.read() as session:
        assert session.scalars(select(Endpoint.secret).where(Endpoint.name == "hr0")).one() == lost
    assert SECRET not in str(capfd.readouterr())


@on_sqlite
def test_rotation_waits_for_vanished_addons_and_for_others(installation: Installation) -> None:
    """Keys are not touched while an installed addon is missing, whose secrets nobody sees, nor by two at a time."""
    before = installation.key_file.read_text()
    with key_lock(installation.key_file), pytest.raises(SecretError, match="Somebody else is changing the key file"):
        rotate(installation)
    with installation.store.write() as session:
        session.add(InstalledAddon(name="gone", version="1.0", installed_at=START))
    for change in (rotate, prune):
        with pytest.raises(AddonError, match="The installed addon gone is not there"):
            change(installation)
    assert installation.key_file.read_text() == before


@on_sqlite
def test_every_addon_that_encrypts_names_its_columns(installation: Installation) -> None:
    """Who encrypts something names where it stands, so that no rotation passes it over; what is named is there."""
    named = {f"{table.name}.{column.name}" for table, column in encrypted_columns(installation)}
    assert "endpoint.secret" in named
    for addon in installation.installed:
        own = [file for file in addon.path.rglob("*.py") if owner(file, installation) == addon.name]
        encrypts = [file for file in own if ".encrypt(" in file.read_text() and file.name not in OF_THE_KEYS]
        assert not encrypts or "encrypted" in addon.manifest, encrypts


@on_sqlite
def test_key_commands_say_what_to_do_next(installation: Installation, tmp_path: Path) -> None:
    """`keys rotate` and `keys prune` say what to copy and who signs in again, and no key; both are in the audit trail."""
    config = tmp_path / "config.toml"
    config.write_text('[store]\nurl = "sqlite:///store.db"\n[secrets]\nkey_file = "secret.key"\n')
    keep_secrets(installation, 2)
    rotated = certbridge(tmp_path, "keys", "rotate")
    keys = (tmp_path / "secret.key").read_text().split()
    pruned = certbridge(tmp_path, "keys", "prune")
    assert (rotated.returncode, pruned.returncode) == (0, 0), rotated.stderr + pruned.stderr
    assert "people sign in again" in rotated.stdout
    assert "copy it to every other machine" in rotated.stdout
    assert "Took 1 older keys out" in pruned.stdout
    assert "one key only" in certbridge(tmp_path, "keys", "prune").stdout
    assert not [key for key in keys if key in rotated.stdout + pruned.stdout + rotated.stderr + pruned.stderr]
    with installation.store.read() as session:
        acts = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert acts[-2:] == ["keys.rotate", "keys.prune"]
