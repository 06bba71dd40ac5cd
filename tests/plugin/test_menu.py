"""The navigation on narrow pages: folded, without script, and within reach of the keyboard."""

import re
from pathlib import Path

from plugin.accounts import create_account
from plugin.installation import Installation
from plugin.web import create_app, session_of

STYLESHEET = Path(__file__).parents[2] / "plugin" / "static" / "certbridge.css"


def test_a_narrow_page_folds_its_navigation(installation: Installation) -> None:
    """A summary, which the keyboard reaches, stands just before the navigation, and says where the reader is; no script does it."""
    client = create_app(installation).test_client()
    assert "folded" not in client.get("/sign-in").text
    with installation.store.write() as session:
        account = create_account(session, "mei", None, ["coordinator"], installation.clock())
        session.flush()
    with client.session_transaction() as cookie:
        cookie.update({**session_of(account, installation.clock()), "language": "en"})
    page = client.get("/requirements").text
    folded = re.search(r'<details class="folded">(.*?)</details>\s*<nav class="menu"', page, re.DOTALL)
    assert folded is not None
    words = re.sub(r"<[^>]*>", "", folded[1])
    assert ("Menu" in words, "Requirements" in words) == (True, True)
    assert "<script" not in page


def test_only_a_narrow_page_hides_its_navigation() -> None:
    """Below 600 pixels a closed summary hides the navigation; above, the summary itself is hidden and nothing else."""
    style = STYLESHEET.read_text(encoding="utf-8")
    narrow = style.partition("@media screen and (max-width: 37.4375rem) {")[2].partition("\n}")[0]
    assert re.search(r"\.folded:not\(\[open\]\) \+ \.menu \{\s*display: none;", narrow)
    assert re.search(r"\.folded \{\s*display: block;", narrow)
    wide = style.replace(narrow, "")
    assert re.search(r"^\.folded \{\s*display: none;", wide, re.MULTILINE)
    assert "+ .menu {" not in wide
