"""A program with a tenant's key, talking to the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from django.test import Client

from tenants.models import Organisation
from tests.factories.tenants import key as new_key


@dataclass(kw_only=True)
class Program:
    """Speaks JSON with a Bearer key; what breaks is answered, as in production."""

    secret: str
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    # The test client's answers have json(), which no type of Django's says.
    def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, **query: str | int
    ) -> Any:
        sent = {**self._sign_in(), **(headers or {})}
        # An address that brings its query keeps it.
        asked = {"query_params": query} if query else {}
        return self.client.get(f"/api/v1/{path}", headers=sent, **asked)

    def post(
        self,
        path: str,
        body: object,
        key: str | None = "",
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        """POST; ``body`` as JSON, or bytes as they are. ``key`` None sends no Idempotency-Key."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = {} if key is None else {"Idempotency-Key": key or str(uuid4())}
        return self.client.post(
            f"/api/v1/{path}",
            data=sent,
            content_type=content_type,
            headers={**self._sign_in(), **extra, **headers},
        )

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/v1/{path}", headers=self._sign_in())

    def _sign_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}", "Accept-Language": "en"}


def program(
    organisation: Organisation, scopes: set[str] | None = None, **fields: object
) -> Program:
    """A key's program; without ``scopes`` it may do all a key may."""
    _row, secret = new_key(organisation, scopes, **fields)
    return Program(secret=secret)
