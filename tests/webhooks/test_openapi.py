"""The OpenAPI document is true: schemathesis calls the real application by it and finds nothing."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plugin.api_document import undescribed
from plugin.installation import Installation
from plugin.web import create_app
from tests.webhooks.api_world import filled, serving, token_for_everything

KNOWN = '[parameters]\nnumber = "E1"\ncode = "FIRE"\npromotion_id = "PR-E1"\n'
SHORT, LONG = 8, 150  # examples for each call and each way of making them


@pytest.fixture
def home(installation: Installation, tmp_path: Path) -> Installation:
    """An installation with people, a rule, requirements and records, whose tokens may ask as often as they like."""
    web = installation.settings.web.model_copy(update={"requests_a_minute": 0})
    installation.settings = installation.settings.model_copy(update={"web": web})
    filled(installation, tmp_path)
    return installation


def schemathesis(home: Installation, folder: Path, examples: int) -> None:
    """Run it against the application with every check, over HTTP, derandomised: with made-up people, then with known ones."""
    secret = token_for_everything(home, create_app(home))
    for number, parameters in enumerate(("", KNOWN)):
        config = folder / f"{number}.toml"
        config.write_text(parameters)
        with serving(home) as url:
            run = subprocess.run(
                [
                    str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
                    f"{url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {secret}", "--checks", "all",
                    "--mode", "all", "--max-examples", str(examples), "--generation-deterministic",
                    "--continue-on-failure", "--no-color", "--warnings", "off",
                ],
                cwd=folder, capture_output=True, text=True, timeout=3000, check=False,
            )  # fmt: skip
        assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
        assert "Failures:" not in run.stdout
        [tested] = re.findall(r"Tested: +(\d+)", run.stdout)
        assert int(tested) >= 15, "it has called every call"


def test_every_call_is_in_the_document(home: Installation) -> None:
    """A call below /api/v1 that does not say what it takes and answers fails here."""
    assert undescribed(create_app(home)) == []


def test_schemathesis_finds_nothing(home: Installation, tmp_path: Path) -> None:
    """Valid data is taken, invalid data, other methods and missing tokens are refused as described; every answer conforms."""
    schemathesis(home, tmp_path, SHORT)


@pytest.mark.soak
def test_schemathesis_finds_nothing_at_length(home: Installation, tmp_path: Path) -> None:
    """The same with many more examples of each call."""
    schemathesis(home, tmp_path, LONG)


def test_the_document_holds_what_the_calls_are(home: Installation) -> None:
    """The document is OpenAPI 3.1, served without a token, and each of its references leads somewhere."""
    answer = create_app(home).test_client().get("/api/v1/openapi.json")
    made: dict[str, Any] = answer.json
    assert (answer.status_code, made["openapi"]) == (200, "3.1.0")
    post = made["paths"]["/api/v1/promotions"]["post"]
    assert post["security"] == [{"token": ["promotions:write"]}]
    assert {"200", "201", "400", "401", "403", "404", "409", "413", "415", "422", "429"} <= post["responses"].keys()
    names = made["components"]["schemas"].keys()
    text = answer.text
    assert {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]} <= names
