"""A program with a key, as the API's tests use it."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.test import Client

from tenants.models import Organisation
from tests.factories.tenants import key


@dataclass
class Program:
    """Speaks JSON with a Bearer key."""

    secret: str

    def __post_init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.client.get(f"/api/v1/{path}", headers={**self._sign_in(), **headers})

    def delete(self, path: str) -> HttpResponse:
        return self.client.delete(f"/api/v1/{path}", headers=self._sign_in())

    def post(
        self, path: str, body: object, *, idem: str | None = None, **headers: str
    ) -> HttpResponse:
        """Post a JSON document, or bytes as they are; ``idem`` defaults to a fresh key."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self._sign_in(), "Idempotency-Key": idem or str(uuid4()), **headers}
        return self.client.post(
            f"/api/v1/{path}",
            data=data,
            content_type=headers.get("Content-Type", "application/json"),
            headers={name: value for name, value in sent.items() if name != "Content-Type"},
        )

    def _sign_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}", "Accept-Language": "en"}


def program(organisation: Organisation, scopes: set[str] | None = None, **fields: Any) -> Program:
    """A key's client; without ``scopes`` it may do all a key may."""
    _row, secret = key(organisation, scopes, **fields)
    return Program(secret)
