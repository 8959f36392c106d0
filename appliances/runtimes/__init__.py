"""The runtime port: how a serving engine is started, as an argument list and nothing more.

A launch profile is a template from the catalogue; the values come from a customer's deployment and
from the appliance. No value can become a second argument, a flag or a shell word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.IGNORECASE)
# A folder, or a repository's name with one slash or more; never "..", never a leading dash.
MODEL_PATH: Final = re.compile(r"/?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
MAX_CARDS: Final = 1024
MAX_CONTEXT_TOKENS: Final = 16_777_216


class LaunchRefused(DomainError):
    """The profile or a value of it is not one that may be started."""

    code = "launch_refused"
    status = 422
    message = _("This appliance cannot be started: %(reason)s")


@dataclass(frozen=True)
class LaunchProfile:
    """One row of the catalogue's launch profiles, as it is written there.

    Shape: ``command`` and the values of ``env`` hold ``${name}`` places.
    """

    code: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    health: str = "/health"
    ready: str = ""
    metrics: str = ""


@dataclass(frozen=True)
class LaunchValues:
    """What may be filled in, already typed; each value is checked again before it is used.

    Shape: without ``port`` the engine's ``PORT`` is used when the program starts; without
    ``devices`` the engine alone says which cards are visible. ``quant_args`` and ``extra`` are
    whole arguments, each from an allow-list. Units: tokens, whole cards.
    """

    name: str
    model_path: str = ""
    cards: int = 1
    context_tokens: int = 4096
    devices: tuple[int, ...] | None = None
    port: int | None = None
    quant_args: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises: LaunchRefused, naming the value."""
        checks = {
            "name": NAME.fullmatch(self.name) is not None,
            "model_path": not self.model_path or MODEL_PATH.fullmatch(self.model_path) is not None,
            "cards": 1 <= self.cards <= MAX_CARDS,
            "context_tokens": 1 <= self.context_tokens <= MAX_CONTEXT_TOKENS,
            "devices": all(0 <= index < MAX_CARDS for index in self.devices or ()),
            "port": self.port is None or 1 <= self.port < 65_536,
        }
        wrong = [name for name, good in checks.items() if not good]
        if wrong:
            raise LaunchRefused(reason=f"{', '.join(wrong)} is not an allowed value")


@dataclass(frozen=True)
class LaunchPlan:
    """What an engine is to run and where it answers.

    Shape: ``argv`` is a list, never a shell string; ``health_path`` answers 200 when the process
    is well, ``ready_path`` when the model is loaded; ``metrics_path`` is None where there is none.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    health_path: str
    ready_path: str
    metrics_path: str | None


class Runtime(Protocol):
    """One way of serving models."""

    def launch(self, profile: LaunchProfile, values: LaunchValues) -> LaunchPlan:
        """Raises: LaunchRefused."""
