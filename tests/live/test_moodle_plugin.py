"""The companion plugin's own PHPUnit tests, when a Moodle folder is given whose PHPUnit is initialised.

MOODLE_DIR=/path/to/moodle pytest -m live tests/live/test_moodle_plugin.py
The plugin has to be in local/certbridge there, as it is here. What has to be run as the web server's user is: Moodle
refuses others only where the data folder is not theirs.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.moodle.commands import PLUGIN

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("MOODLE_DIR" not in os.environ, reason="MOODLE_DIR says where a Moodle with PHPUnit is"),
]


def test_phpunit() -> None:
    """Moodle's PHPUnit passes every test of the plugin, which is the one that is here."""
    folder = Path(os.environ["MOODLE_DIR"])
    installed = folder / "local" / "certbridge"
    for path in PLUGIN.rglob("*.php"):
        there = installed / path.relative_to(PLUGIN)
        assert there.is_file() and there.read_bytes() == path.read_bytes(), f"{there} is not the file of this tree"
    phpunit = folder / "vendor" / "bin" / "phpunit"
    program = str(phpunit) if phpunit.is_file() else shutil.which("phpunit")
    assert program, "neither vendor/bin/phpunit nor a phpunit of the system"
    tests = [program, "--configuration", str(folder / "phpunit.xml"), "--testsuite", "local_certbridge_testsuite"]
    done = subprocess.run(tests, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OK (" in done.stdout, done.stdout
