"""Addresses: what is there, and what is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tachograph.console.app import STATIC
from tachograph.console.templating import FOLDER


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/.",
     "/approvals/1", "/approvals/../../etc/passwd", "/.git/config", "/login/sso/back/x"],
)  # fmt: skip
async def test_no_path_leads_out(world: Any, path: str) -> None:
    """Traversal and made-up addresses are not found."""
    answer = await world.browser_of("ruth", "ops").get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_do_nothing(world: Any, method: str) -> None:
    """A refusal, whatever the address."""
    ruth = world.browser_of("ruth", "ops")
    for path in ("/", "/login", "/api/approvals"):
        answer = await ruth.client.request(method, path, headers={"origin": world.origin})
        assert answer.status_code in {400, 403, 405}, path


def test_pages_have_no_script_or_style_of_their_own() -> None:
    """One script file, one style sheet, nothing from elsewhere, no handler in an attribute."""
    for page in FOLDER.glob("*.html"):
        text = page.read_text()
        scripts = re.findall(r"<script[^>]*>", text)
        assert scripts in ([], ['<script src="/static/live.js" defer>']), page
        assert not re.search(r"\son[a-z]+\s*=|style=|https?://|\|\s*safe|autoescape", text), page
    assert sorted(each.name for each in STATIC.iterdir()) == ["console.css", "live.js", "mark.svg"]
    assert not re.search(r"https?://|eval|innerHTML\s*=[^=]", (STATIC / "live.js").read_text())


async def test_every_input_of_the_decision_has_a_label(world: Any) -> None:
    """And the page has one heading of the first rank, a language, and a way past the navigation."""
    page = (await world.browser_of("ruth", "ops").get(f"/approvals/{world.asks().id}")).text
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    for found in re.findall(r'<textarea id="([a-z]+)"', page):
        assert f'<label for="{found}"' in page
