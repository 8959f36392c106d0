"""Asking a model server whether it is well, and whether it can answer."""

from dataclasses import dataclass
from typing import Final

import httpx

from appliances.models import Api

HEALTH_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
REASON_LENGTH: Final = 300


@dataclass(frozen=True)
class ProbeTarget:
    """Whom to ask, and how much: ``thorough`` also asks for an answer of one token."""

    endpoint: str
    health_path: str
    model: str
    api: str
    thorough: bool


@dataclass(frozen=True)
class ProbeOutcome:
    """What the model server said; ``detail`` is empty where it is well."""

    well: bool
    detail: str = ""


def probe(target: ProbeTarget) -> ProbeOutcome:
    """One look at a model server. Never raises for what the server does."""
    try:
        with httpx.Client(
            base_url=target.endpoint, timeout=HEALTH_SECONDS, trust_env=False
        ) as client:
            health = client.get(target.health_path)
            if health.status_code != httpx.codes.OK:
                return _unwell(f"{target.health_path} answered HTTP {health.status_code}")
            if target.thorough and target.api == Api.CHAT:
                return _answers(client, target.model)
    except httpx.HTTPError as error:
        return _unwell(f"{type(error).__name__} at {target.health_path}")
    return ProbeOutcome(well=True)


def _answers(client: httpx.Client, model: str) -> ProbeOutcome:
    """A loaded server may still be unable to answer; one token is the least it can do."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 1,
    }
    answer = client.post("/v1/chat/completions", json=body, timeout=ANSWER_SECONDS)
    if answer.status_code != httpx.codes.OK:
        return _unwell(f"a one-token answer ended with HTTP {answer.status_code}")
    return ProbeOutcome(well=True)


def _unwell(detail: str) -> ProbeOutcome:
    return ProbeOutcome(well=False, detail=detail[:REASON_LENGTH])
