"""Real pages in a real browser: `mailweir web` over a seeded database, and Debian's Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from mailweir.config import load
from mailweir.records import db
from tests.browser.seed import World, sow

ARTEFACTS = Path(os.environ.get("MAILWEIR_ARTEFACTS") or Path(__file__).parents[2] / "artefacts", "pages")
PROGRAM = Path(sys.executable).with_name("mailweir")
AXE = Path(__file__).with_name("vendor") / "axe.min.js"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"
START = 30.0  # seconds that the server may take to answer


@dataclass(frozen=True)
class Site:
    """A running `mailweir web`."""

    url: str
    world: World
    env: dict[str, str]

    def mailweir(self, *arguments: str, stdin: str = "") -> str:
        """Run a `mailweir` command with the site's settings."""
        command = [str(PROGRAM), *arguments]
        done = subprocess.run(command, env=self.env, input=stdin, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages over the seeded world, with an administrator anna and a viewer vera, made by the CLI."""
    state = tmp_path_factory.mktemp("site")
    bind = f"127.0.0.1:{free_port()}"
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MAILWEIR_")},
        "MAILWEIR_STATE_DIR": str(state),
        "MAILWEIR_WEB_BIND": bind,
        "MAILWEIR_WEB_WORKERS": "1",
        "MAILWEIR_WEB_ACT_WAIT": "0.2",
        "MAILWEIR_WEB_PAGE_ROWS": "6",
        "MAILWEIR_WEB_LOGIN_LIMIT": "1000 per minute",
    }
    db.connect(load(None, env))
    made = Site(f"http://{bind}", sow(time.time(), extra=10), env)
    made.mailweir("user", "add", "anna", "--password-stdin", stdin=PASSWORD + "\n")
    made.mailweir("user", "add", "vera", "--role", "viewer", "--password-stdin", stdin=PASSWORD + "\n")
    server = subprocess.Popen([str(PROGRAM), "web"], env=env)
    try:
        wait_for(made.url + "/login", server)
        yield made
    finally:
        server.terminate()
        server.wait(timeout=START)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the URL answers."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        assert server.poll() is None, "mailweir web ended"
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium with a fresh profile."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


class Desk:
    """One person at the browser; anything that a page reports as an error fails the test at the end."""

    def __init__(self, browser: Browser, site: Site | str, **options: object) -> None:
        self.url = site if isinstance(site, str) else site.url
        options.setdefault("locale", "en-GB")
        self.context: BrowserContext = browser.new_context(base_url=self.url, **options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda made: self.requests.append(made.url))

    def log_in(
        self,
        name: str = "anna",
        password: str = PASSWORD,
        *,
        name_label: str = "User",
        password_label: str = "Password",
        button: str = "Log in",
    ) -> None:
        """Log in and arrive on the first page; the labels are those of the browser's language."""
        self.page.goto("/login")
        self.page.get_by_label(name_label).fill(name)
        self.page.get_by_label(password_label).fill(password)
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_url(lambda url: "/login" not in url)

    def reach(self, target: Locator, key: str = "Tab") -> None:
        """Press a key until the focus is there, and see that it shows."""
        for _ in range(120):
            if target.evaluate("element => element === document.activeElement"):
                outline = target.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline != "none", f"{target} has the focus, but nothing shows it"
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{target} cannot be reached by {key}")

    def shot(self, name: str) -> None:
        """Keep a picture of the page."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def accessible(self, rules: list[str] | None = None) -> list[str]:
        """What axe-core finds wrong with the page, a line each; all rules to WCAG 2.2 AA or those named."""
        levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        chosen = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": levels}
        options = {"runOnly": chosen, "resultTypes": ["violations"], "iframes": False}
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{wrong['id']}: {node['html'][:200]} {node['any'][0]['message'] if node['any'] else ''}"
            for wrong in found["violations"]
            for node in wrong["nodes"]
        ]

    def close(self) -> None:
        """End the session; no page may have reported an error or asked anybody but us."""
        self.context.close()
        assert self.errors == []
        assert [url for url in self.requests if not url.startswith(self.url)] == []


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Desk]:
    """A desk at a wide light screen."""
    made = Desk(browser, site, viewport={"width": 1400, "height": 850})
    yield made
    made.close()
