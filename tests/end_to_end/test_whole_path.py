"""From a Moodle site to the promotion record in HR, as processes on this machine."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.harness import ANCHOR, PEOPLE, Outcome, kill_again_and_again, outcome, whole_way
from webhooks.demo.tour import prepare, running, walk


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a run leaves that nobody disturbs."""
    return whole_way(tmp_path_factory.mktemp("undisturbed") / "demo")


def test_the_demonstration_tells_what_happened(tmp_path: Path) -> None:
    """`certbridge demo` walks the whole way and ends by saying what happened and where to look."""
    command = [sys.executable, "-m", "plugin", "demo", "--people", str(PEOPLE), "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("People ", "Completions", "certified", "eligible", "delivered", "CertBridge   http://127.0.0.1:"):
        assert said in done.stdout


def test_hr_holds_what_we_hold(undisturbed: Outcome) -> None:
    """Every certification and every promotion record in HR says what our store says, and none is missing there."""
    ours = {
        (number, certification): (status, valid_until)
        for number, certification, status, _, valid_until, *_ in undisturbed.derived["holding"]
    }
    for record in undisturbed.hr["certifications"]:
        status, _ = ours[record["employee_number"], record["certification"]]
        assert record["status"] == status
    certified = {key for key, (status, _) in ours.items() if status in {"certified", "renewal_due", "grace", "expired"}}
    assert {
        (record["employee_number"], record["certification"]) for record in undisturbed.hr["certifications"]
    } == certified
    answered = {row[1]: row[2] for row in undisturbed.derived["promotion"]}
    assert {record["promotion_id"]: record["eligibility"] for record in undisturbed.hr["promotions"]} == answered
    assert set(answered.values()) >= {"eligible", "blocked"}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 7))])
def test_killed_again_and_again_it_ends_the_same(undisturbed: Outcome, tmp_path: Path, seed: int) -> None:
    """CertBridge killed at random moments and started again leaves the same store and the same HR records."""
    disturbed = whole_way(tmp_path / "demo", kill_again_and_again(6, seed))
    assert disturbed.pulled == undisturbed.pulled
    assert disturbed.derived == undisturbed.derived
    assert disturbed.told == undisturbed.told
    assert disturbed.hr == undisturbed.hr


def test_three_processes_on_postgresql_and_valkey_end_the_same(
    undisturbed: Outcome, tmp_path: Path, postgresql_url: str, valkey_url: str
) -> None:
    """serve, worker and scheduler on PostgreSQL and Valkey leave what `certbridge run` leaves on SQLite."""
    settings = f'[store]\nurl = "{postgresql_url}"\n\n[broker]\nurl = "{valkey_url}"\n\n'
    places, home = prepare(tmp_path / "demo", PEOPLE, ANCHOR, settings)
    command = ["-m", "plugin", "--config", str(places.folder / "config.toml")]
    with ExitStack() as stack:
        stack.enter_context(running(places, "moodle"))
        stack.enter_context(running(places, "hr"))
        for name in ("serve", "worker", "scheduler"):
            stack.enter_context(running(places, name, [*command, name]))
        walk(home, places)
        found = outcome(home, places)
    home.store.close()
    assert found == undisturbed
