"""portalctl as somebody at a terminal sees it."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal_client.cli.main import main


@dataclass(frozen=True)
class Ended:
    """What a command wrote and its exit code."""

    code: int
    output: str
    errors: str

    # JSON has no narrower type.
    @property
    def json(self) -> Any:
        return json.loads(self.output)


@dataclass
class Terminal:
    """One person's terminal: variables, a home folder, and what was seen so far."""

    patched: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]
    folder: Path
    seen: str = ""

    def __post_init__(self) -> None:
        for name in ("PORTAL_URL", "PORTAL_KEY", "LC_ALL", "LC_MESSAGES", "XDG_CONFIG_HOME"):
            self.patched.delenv(name, raising=False)
        self.let(LANG="en_US.UTF-8", PORTAL_CONFIG=str(self.file))
        self.patched.chdir(self.folder)

    @property
    def file(self) -> Path:
        return self.folder / "config" / "sign-in.json"

    def let(self, **variables: str) -> None:
        for name, value in variables.items():
            self.patched.setenv(name, value)

    def run(self, *words: str, typed: str = "") -> Ended:
        self.patched.setattr("sys.stdin", io.StringIO(typed))
        code = main(words)
        told = self.captured.readouterr()
        self.seen += told.out + told.err
        return Ended(code, told.out, told.err)


def told(errors: str) -> Mapping[str, Any]:
    """A refusal as JSON."""
    found: Mapping[str, Any] = json.loads(errors)
    return found
