"""The eight ways a page is seen, and a Chromium to see them with."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, sync_playwright

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
        bypass_csp=False,
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
