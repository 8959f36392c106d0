"""Whose key is used: the environment's, or the one kept in a file that only its owner reads."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal_client.cli.problems import UsageError
from portal_client.cli.words import say

OWNER_ONLY = 0o600


@dataclass(frozen=True)
class SignIn:
    """A portal and a key, which no representation shows."""

    address: str
    key: str = field(repr=False)


def place(environment: Mapping[str, str]) -> Path:
    """Where the key is kept."""
    if named := environment.get("PORTAL_CONFIG"):
        return Path(named)
    folder = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "portalctl" / "sign-in.json"


def known(environment: Mapping[str, str]) -> SignIn:
    """The environment's values, each before the file's. Raises: UsageError."""
    address, key = environment.get("PORTAL_URL", ""), environment.get("PORTAL_KEY", "")
    if not (address and key):
        kept = _kept(place(environment))
        # A kept key belongs to the kept address and is sent to no other.
        if not address or address.rstrip("/") == kept.get("url", "").rstrip("/"):
            address, key = kept.get("url", ""), key or kept.get("key", "")
    if not (address and key):
        raise UsageError(say("No key: set PORTAL_URL and PORTAL_KEY, or use portalctl sign-in."))
    return SignIn(address, key)


def keep(file: Path, sign_in: SignIn) -> None:
    """Write the file whole or not at all, readable by its owner from its first moment."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(opened, "w", encoding="utf-8") as writing:
        json.dump({"url": sign_in.address, "key": sign_in.key}, writing)
    fresh.replace(file)


def forget(file: Path) -> None:
    file.unlink(missing_ok=True)


def _kept(file: Path) -> dict[str, str]:
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise UsageError(
                say("Others can read {file}, which holds a key: chmod 600 it.", file=file)
            )
        said = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(say("{file} cannot be read.", file=file)) from error
    if not isinstance(said, dict):
        raise UsageError(say("{file} cannot be read.", file=file))
    return {str(name): str(value) for name, value in said.items()}
