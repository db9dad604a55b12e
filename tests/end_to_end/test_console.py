"""A request is held, a person approves it in a real browser, and it goes: Kafka, OpenSearch and Chromium."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tachograph.cli.assembly import part
from tachograph.cli.supervisor import Supervisor

SECONDS = 120.0
POLICY = """
@id("reads") permit (principal, action, resource) when { context.method == "GET" };

@id("deletes") @approval("ops") @approval_minutes("10") @reason("deletes are looked at by <ops>")
permit (principal, action, resource) when { context.method == "DELETE" };
"""
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def site(
    stack: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A gateway whose policy wants people for every DELETE."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "policy.cedar").write_text(POLICY)
    key = folder / "approvals.key"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    more = {
        "policy": {"files": ["policy.cedar"]},
        "keys": {"approvals_file": "approvals.key"},
        "console": {"listen": {"port": 0}},
    }
    with open_site(folder, stack, more) as made:
        yield made


@pytest.fixture(scope="module")
def console(site: Any) -> Iterator[str]:
    """`tacho console` as a process; its address."""
    parts = Supervisor(
        [part("console", site.folder / "tacho.yaml")], logs=site.folder / "logs", run=site.folder / "run"
    )
    parts.start(now=time.monotonic())
    try:
        site.eventually(parts.ready)
        yield str((parts.parts["console"].ready() or {})["console"])
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tachograph.cli.supervisor.STOP_SECONDS", SECONDS)
            assert parts.stop() == [], "it ends by itself when it is asked to"


@pytest.fixture(scope="module")
def chromium() -> str:
    """The system's own browser."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed: `make browser` as root, or your system's package `chromium`")
    return found


@contextmanager
def browsing(chromium: str, **context: Any) -> Iterator[Page]:
    """A fresh browser; every wait in it is as patient as the others."""
    patience = SECONDS * 1000
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=patience)
        opened = browser.new_context(**context)
        opened.set_default_timeout(patience)
        expect.set_options(timeout=patience)
        yield opened.new_page()
        browser.close()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A fresh browser."""
    with browsing(chromium) as opened:
        yield opened


class Held(threading.Thread):
    """An agent's request on its way."""

    def __init__(self, site: Any, body: bytes) -> None:
        super().__init__(daemon=True)
        self._site, self._body = site, body
        self.answer: httpx.Response | None = None
        self.start()

    def run(self) -> None:
        headers = {"x-tacho-key": self._site.key, "content-type": "application/json"}
        self.answer = httpx.request(
            "DELETE", f"{self._site.url}/c/api/files/7", content=self._body, headers=headers, timeout=SECONDS
        )

    def ended(self, page: Page) -> httpx.Response:
        self.join(SECONDS)
        assert self.answer is not None, f"no answer in time; the page says {page.inner_text('main')!r}"
        return self.answer


def link(site: Any, console: str, name: str) -> str:
    """What `tacho console --local-login` prints."""
    command = ("console", "--local-login", name, "--group", "ops", "--url", console, "--json")
    told = ("--config", str(site.folder / "tacho.yaml"))
    done = subprocess.run(
        [sys.executable, "-m", "tachograph.cli.main", *command, *told],
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["url"])


def log_in(page: Page, site: Any, console: str, name: str) -> list[str]:
    """Into the inbox; what the browser complains about from now on."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(link(site, console, name))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Waiting for a decision")).to_be_visible()
    return complaints


def test_a_held_request_is_approved_in_a_browser(site: Any, console: str, page: Page) -> None:
    """The open inbox shows it by itself, its page shows it masked, one click, and the agent has its 200."""
    complaints = log_in(page, site, console, "ruth")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    body = b'{"why": "<script>document.title=1</script>", "mail": "ada@example.com"}'
    held = Held(site, body)
    page.get_by_role("link", name="agent on api").click()
    expect(page.get_by_text("deletes are looked at by <ops>")).to_be_visible()
    page.get_by_label("Comment").fill("old files, go")
    approve = page.get_by_role("button", name="Approve once")
    expect(approve).to_be_visible()
    shown = page.get_by_label("Body").inner_text()
    assert "<script>document.title=1</script>" in shown
    assert "ada@example.com" not in shown, "what reviewers see is masked"
    expect(page.get_by_label("Comment")).to_have_value("old files, go")  # though the request came after it
    assert held.answer is None
    approve.click()
    assert held.ended(page).status_code == 200
    expect(page.get_by_text("old files, go")).to_be_visible()
    expect(page.get_by_text("claimed", exact=True)).to_be_visible()
    assert complaints == []


def test_the_keyboard_is_enough_and_a_denial_reaches_the_agent(site: Any, console: str, page: Page) -> None:
    """Tab, type, Enter: denied, in the reviewer's words; without JavaScript it is the same page."""
    complaints = log_in(page, site, console, "tom")
    held = Held(site, b'{"n": 2}')
    page.get_by_role("link", name="agent on api").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Comment").focus()
    page.keyboard.type("not today")
    page.get_by_role("button", name="Deny").focus()
    page.keyboard.press("Enter")
    answer = held.ended(page)
    assert answer.status_code == 403
    assert "not today" in answer.text
    expect(page.get_by_text("denied", exact=True)).to_be_visible()
    assert complaints == []


RENEW = """async () => {
  document.querySelector("[data-live=inbox] dd").textContent = "of before";
  await refresh();
}"""


def test_news_take_nothing_from_under_a_reviewer(site: Any, console: str, page: Page) -> None:
    """Renewed while a link has the keyboard, and between a press and its release: both still lead there."""
    log_in(page, site, console, "ann")
    held = Held(site, b'{"n": 4}')
    place, before = page.get_by_role("link", name="agent on api"), page.get_by_text("of before")
    place.focus()
    page.evaluate(RENEW)
    expect(before).to_have_count(0)
    expect(place).to_be_focused()
    place.hover()
    page.mouse.down()
    page.evaluate(RENEW)
    expect(before).to_have_count(1)
    page.mouse.up()
    page.get_by_role("button", name="Deny").click()
    assert held.ended(page).status_code == 403


def test_no_page_of_another_site_can_frame_it(site: Any, console: str, page: Page) -> None:
    """Clickjacking: a browser shows its own error inside the frame instead of the login."""
    elsewhere = "http://127.0.0.1:9/"
    body = f'<iframe src="{console}/login"></iframe>'
    page.route(elsewhere, lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(elsewhere)

    def refused() -> bool:
        page.wait_for_timeout(50)
        return any(frame.url.startswith("chrome-error:") for frame in page.frames)

    site.eventually(refused)


def test_the_inbox_needs_no_script(site: Any, console: str, chromium: str) -> None:
    """With JavaScript off, what waits is there after a reload, and the buttons work."""
    with browsing(chromium, java_script_enabled=False) as page:
        log_in(page, site, console, "eve")
        held = Held(site, b'{"n": 3}')
        place = page.get_by_role("link", name="agent on api")
        site.eventually(lambda: (page.reload(), place.count() == 1)[1])
        place.click()
        page.get_by_role("button", name="Deny").click()
        assert held.ended(page).status_code == 403
