"""The product's own HTTP doors, as a customer's program and an operator's browser see them."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class DoorRefused(Exception):
    """The product answered with something the main job did not expect; says what and where."""


@dataclass(frozen=True)
class SignIn:
    email: str
    password: str


class TenantApi:
    """The metered billing API with one tenant's key."""

    def __init__(self, address: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=f"{address}/api/v1/",
            headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"},
            timeout=20,
        )

    # JSON documents have no narrower type than Any.
    def get(self, path: str, **query: str | int) -> Any:
        return _answer(self._client.get(path, params=query))

    def post(self, path: str, body: Mapping[str, object], key: str = "") -> Any:
        """POST once; the same ``key`` gives the same answer however often it is sent."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return _answer(self._client.post(path, json=dict(body), headers=headers))

    def close(self) -> None:
        self._client.close()


class OperatorConsole:
    """An operator's browser without the browser: a session cookie, forms and their tokens."""

    def __init__(self, address: str, sign_in: SignIn) -> None:
        self._client = httpx.Client(
            base_url=address,
            follow_redirects=True,
            timeout=20,
            headers={"Accept-Language": "en", "Referer": address, "Origin": address},
        )
        page = self._client.get("/accounts/login/")
        answer = self._client.post(
            "/accounts/login/",
            data={
                "csrfmiddlewaretoken": _token(page),
                "login": sign_in.email,
                "password": sign_in.password,
            },
        )
        if "/accounts/login/" in str(answer.url):
            raise DoorRefused(f"The operator could not sign in (HTTP {answer.status_code}).")

    def submit(self, form_page: str, action: str, **fields: str) -> None:
        """Fetch a page for its token, then send one of its forms."""
        page = self._client.get(form_page)
        answer = self._client.post(action, data={"csrfmiddlewaretoken": _token(page), **fields})
        if answer.status_code >= 400:
            raise DoorRefused(f"{action} answered HTTP {answer.status_code}.")

    def close(self) -> None:
        self._client.close()


def wait_for(what: str, reached: Callable[[], Any], seconds: float) -> Any:
    """Ask again until there is an answer; DoorRefused when the time is over."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        answer = reached()
        if answer:
            return answer
        # Asking another process how far it is: there is nothing of our own to wait on.
        pause.wait(0.2)
    raise DoorRefused(f"{what} did not happen within {seconds:.0f} s.")


def _token(page: httpx.Response) -> str:
    found = _CSRF.search(page.text)
    if page.status_code != 200 or found is None:
        raise DoorRefused(f"{page.url} answered HTTP {page.status_code} without a form.")
    return found.group(1)


def _answer(answer: httpx.Response) -> Any:
    if answer.status_code >= 400:
        raise DoorRefused(
            f"{answer.request.method} {answer.request.url.path} answered "
            f"HTTP {answer.status_code}: {answer.text[:500]}"
        )
    return answer.json()
