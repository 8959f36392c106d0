"""The site on a free port of this process, and a browser that lives beside its database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext

from tenants.models import User
from tests.portal.browser import chromium


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing: the test reports what matters."""


class ClosingHandler(WSGIHandler):
    """Each request thread gives its connections back, so that none outlives the test."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            return super().__call__(environ, start_response)
        finally:
            connections.close_all()


@contextmanager
def served(handler: WSGIHandler) -> Iterator[str]:
    """The site's address, with its static files, until the block ends."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.daemon_threads = True
    server.set_app(StaticFilesHandler(handler))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def browser_beside_rows() -> Iterator[Browser]:
    """A browser in a thread that reads rows too.

    Playwright keeps a loop in this thread, for which Django would refuse the database; nothing of
    ours runs in that loop.
    """
    with pytest.MonkeyPatch.context() as patched, chromium() as opened:
        patched.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield opened


def sign_in(context: BrowserContext, site: str, person: User) -> None:
    """Give a visitor this person's session."""
    client = Client()
    client.force_login(person)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site}])
