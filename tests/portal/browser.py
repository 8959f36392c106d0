"""The eight ways a page is seen, and a Chromium to see them with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = os.environ.get("PORTAL_CHROMIUM", "/usr/bin/chromium")
HEIGHT = 900


@dataclass(frozen=True)
class Way:
    """One combination of theme, width and language."""

    theme: str
    width: int
    language: str

    def __str__(self) -> str:
        return f"{self.theme}-{self.width}-{self.language}"


WAYS = tuple(
    Way(theme, width, language)
    for theme in ("light", "dark")
    for width in (1440, 390)
    for language in ("zh-hans", "en")
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser that ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def seen(browser: Browser, way: Way, address: str) -> Iterator[BrowserContext]:
    """A visitor with this theme, language and width."""
    context = browser.new_context(
        viewport={"width": way.width, "height": HEIGHT},
        has_touch=way.width < 500,
    )
    context.add_cookies(
        [
            {"name": "theme", "value": way.theme, "url": address},
            {"name": "django_language", "value": way.language, "url": address},
        ]
    )
    try:
        yield context
    finally:
        context.close()


# axe looks through every page in these two ways, which differ in everything, and through each
# console's core pages in all eight; policy, console and width are looked at everywhere.
THOROUGH = (Way("light", 1440, "en"), Way("dark", 390, "zh-hans"))
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = {"serious", "critical"}
WATCH = """
window.__refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
RUN_AXE = """async (tags) => (await axe.run(document, {runOnly: tags, resultTypes: ["violations"]}))
  .violations.map((found) => ({
    id: found.id,
    impact: found.impact,
    nodes: found.nodes.slice(0, 5).map((node) => `${node.target} ${node.failureSummary}`),
  }))"""


@dataclass(frozen=True)
class Watched:
    """A page whose complaints are collected from before its first byte."""

    page: Page
    complaints: list[str]

    def check(self) -> list[str]:
        """Everything wrong with the page as it stands; empty when it is fit to be seen."""
        return [*self.at_a_glance(), *accessibility(self.page)]

    def go(self, address: str) -> "Watched":
        """This page at an address of its site, heard anew; a page of its own costs a process."""
        self.complaints.clear()
        self.page.goto(address, wait_until="load")
        return self

    def at_a_glance(self) -> list[str]:
        """What is wrong apart from accessibility, which takes seconds to look through."""
        refused = [f"csp {text}" for text in self.page.evaluate("window.__refused")]
        return [*self.complaints, *refused, *self._wide()]

    def _wide(self) -> list[str]:
        across, window = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        return [f"scrolls sideways: {across} in {window}"] if across > window else []


def watched(context: BrowserContext, address: str) -> Watched:
    """An address, opened and listened to."""
    return watching(context, address).go(address)


def watching(context: BrowserContext, address: str) -> Watched:
    """An empty page that listens: console, errors, policy and requests that leave the site."""
    page = context.new_page()
    complaints: list[str] = []
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    page.add_init_script(WATCH)
    page.on(
        "console",
        lambda line: (
            complaints.append(f"console {line.text}") if line.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"error {error}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((origin, "data:"))
            else complaints.append(f"leaves the site {request.url}")
        ),
    )
    return Watched(page, complaints)


def accessibility(page: Page) -> list[str]:
    """axe's serious and critical findings, with where they are."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return [
        f"axe {found['id']}: {node}"
        for found in page.evaluate(RUN_AXE, AXE_TAGS)
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]
