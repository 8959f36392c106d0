"""The only reader of the process environment; a malformed value stops the process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class EnvironmentRefused(SystemExit):
    """A setting is missing or malformed; the message is one sentence naming it."""


@dataclass(frozen=True)
class Environment:
    """Typed access to the variables the product knows."""

    values: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise EnvironmentRefused(f"{name} must be set.")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, "1" if default else "0").lower()
        if value not in {"0", "1", "true", "false"}:
            raise EnvironmentRefused(f"{name} must be 0, 1, true or false, not {value!r}.")
        return value in {"1", "true"}

    def whole(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isdigit():
            raise EnvironmentRefused(f"{name} must be a whole number, not {value!r}.")
        return int(value)

    def names(self, name: str, default: str) -> list[str]:
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def folder(self, name: str, default: Path) -> Path:
        return Path(self.text(name, str(default))).expanduser().resolve()


def postgres_settings(name: str, url: str) -> dict[str, Any]:
    """Django's connection settings from a ``postgresql://`` URL.

    Shape: ``postgresql://user:password@host:port/name?host=/socket/folder``; a ``host`` in the
    query wins, which is how a socket folder is written.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise EnvironmentRefused(f"{name} must look like postgresql://user@host:5432/database.")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    try:
        port = parts.port
    except ValueError as error:
        raise EnvironmentRefused(f"{name} has a malformed port.") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or query.pop("user", "")),
        "PASSWORD": unquote(parts.password or query.pop("password", "")),
        "HOST": query.pop("host", None) or parts.hostname or "",
        "PORT": query.pop("port", None) or (str(port) if port else ""),
        "OPTIONS": dict(query),
    }
