"""What is written in PHP: it can be parsed, and it is written as Moodle asks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from connectors.moodle.commands import PLUGIN

pytestmark = pytest.mark.system

STYLE = Path(__file__).parent / "moodle_style.xml"
FILES = sorted(PLUGIN.rglob("*.php"))


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the system; that it is missing is a failure, for apt.txt names it."""
    found = shutil.which(program)
    assert found, f"{program} is not installed: run apt-get install with the packages of apt.txt"
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def test_php_can_be_parsed(tmp_path: Path) -> None:
    """`php -l` finds nothing wrong with any file of the plugin, and does find what is wrong."""
    assert len(FILES) > 30
    for path in FILES:
        checked = run("php", "-l", str(path))
        assert checked.returncode == 0, checked.stdout + checked.stderr
    (tmp_path / "broken.php").write_text("<?php function {")
    assert run("php", "-l", str(tmp_path / "broken.php")).returncode != 0


def test_style(tmp_path: Path) -> None:
    """PHP_CodeSniffer finds nothing in the plugin by the rules of moodle_style.xml, and does find a long line."""
    checked = run("phpcs", f"--standard={STYLE}", "--extensions=php", str(PLUGIN))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (tmp_path / "long.php").write_text("<?php\n\n$x = '" + "x" * 140 + "';\n")
    assert "exceeds" in run("phpcs", f"--standard={STYLE}", str(tmp_path / "long.php")).stdout


def test_every_file_bears_the_licence() -> None:
    """Each file says that it is under the GPL, whose it is, and what it is."""
    for path in FILES:
        head = path.read_text(encoding="utf-8").partition("*/")[0]
        assert "either version 3 of the License, or\n// (at your option) any later version." in head, path
        assert "@copyright  2026 The CertBridge developers" in head, path
        assert "@package    local_certbridge" in head, path
